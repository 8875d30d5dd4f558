"""Videos on a server (InvokeAI 6.14+)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from invokeai_py_client._aio import gather_or_cancel
from invokeai_py_client._base import face
from invokeai_py_client.api.videos import AsyncVideosApi
from invokeai_py_client.errors import (
    InvokeAIClientError,
    NotFoundError,
    PermissionDeniedError,
    ServerTooOldError,
)
from invokeai_py_client.image.image import EMBEDDED, GalleryFile, HeldRecords, ListedRecords
from invokeai_py_client.models.base import as_mapping
from invokeai_py_client.transport import timing
from invokeai_py_client.video.record import AsyncIvkVideo

if TYPE_CHECKING:
    from collections.abc import Iterable

    from invokeai_py_client.connection import Connection
    from invokeai_py_client.models.enums import ImageCategory, ImageOrigin
    from invokeai_py_client.transport.json_shape import Shape

_AT_ONCE = 8

RECORD: Shape = {"video_name": str}
"""The record of a video. Those of InvokeAI 6.6 to 6.8 have other fields."""

logger = logging.getLogger("invokeai_py_client.video")


class HeldVideos(HeldRecords):
    """The videos of a connection that are in use: ``connection.part(HeldVideos)``."""

    async def fetch(self, names: Sequence[str]) -> Sequence[AsyncIvkVideo]:
        """Fetch records of videos, one request each. Servers have no bulk route for them (6.14)."""
        limit = asyncio.Semaphore(_AT_ONCE)

        async def fetch(name: str) -> Mapping[str, Any] | None:
            async with limit:
                try:
                    return await self.fetch_one(name)
                except ServerTooOldError:
                    raise
                except (NotFoundError, PermissionDeniedError):
                    return None

        found = await gather_or_cancel(fetch(name) for name in names)
        return connected(self.connection, [record for record in found if record is not None])

    async def fetch_one(self, name: str) -> Mapping[str, Any]:
        """Fetch a record as the server sends it."""
        return await self._api.get_video_dto(name, expect=RECORD)

    async def fetch_file(self, name: str) -> bytes:
        """Download a video into memory."""
        return await self._api.get_video_full(name)

    async def fetch_thumbnail(self, name: str) -> bytes:
        """Download a thumbnail."""
        return await self._api.get_video_thumbnail(name)

    async def fetch_metadata(self, name: str) -> dict[str, Any] | None:
        """Fetch the generation metadata."""
        return cast("dict[str, Any] | None", await self._api.get_video_metadata(name, expect=dict | None))

    async def fetch_workflow(self, name: str) -> Mapping[str, Any]:
        """Fetch the JSON texts of the embedded workflow and graph."""
        return await self._api.get_video_workflow(name, expect=EMBEDDED)

    @property
    def _api(self) -> AsyncVideosApi:
        return self.connection.part(AsyncVideosApi)


class AsyncVideo(GalleryFile):
    """A video on the server (InvokeAI 6.14+). Data is fetched when a method needs it.

    Methods that take a video's name or record take a video as well. The properties after ``url`` are those of the
    video's record, which ``record()`` loads. The synchronous ``Video`` loads it when a property is read. A notebook
    plays the video if it has at most 8 MB.

    Attributes:
        name: The video's name on the server, such as ``"6f0c3e0e-....mp4"``.

    Example:
        ```python
        for video in run.videos:
            await video.save(video.name)
        ```
    """

    _kind = "video"
    _format = "MP4"
    _held = HeldVideos

    @property
    def video_name(self) -> str:
        """The video's name on the server, like ``name``."""
        return self.name

    async def record(self) -> AsyncIvkVideo:
        """Return the video's record, loading it on first use.

        Raises:
            UnknownNameError: The video is not on the server. This is also a ``NotFoundError``.
            ServerTooOldError: The server is older than InvokeAI 6.14.
        """
        return self._slot.record or await self.refresh()

    async def refresh(self) -> AsyncIvkVideo:
        """Load the video's record again, for example after the video was moved or starred.

        Raises:
            UnknownNameError: The video is not on the server. This is also a ``NotFoundError``.
        """
        return await self._refresh()

    @property
    @face(after="record")
    def duration(self) -> float | None:
        """The duration in seconds."""
        return self._loaded.duration

    @property
    @face(after="record")
    def fps(self) -> float | None:
        """The number of frames per second, or None if it is not known."""
        return self._loaded.fps

    @property
    @face(after="record")
    def video_category(self) -> ImageCategory | str:
        """The category."""
        return self._loaded.video_category

    @property
    @face(after="record")
    def video_origin(self) -> ImageOrigin | str | None:
        """Whether the server generated it or a user uploaded it."""
        return self._loaded.video_origin

    def _repr_html_(self) -> str | None:
        """Return the video for a notebook, or None if it cannot be downloaded."""
        from invokeai_py_client.video.html import video_html

        try:
            return self.connection.call(partial(video_html, name=self.name), timing.DISPLAY)
        except (InvokeAIClientError, TimeoutError) as error:
            logger.info("could not display video %s: %s", self.name, error)
            return None


def connected(connection: Connection, records: Iterable[Mapping[str, Any]]) -> list[AsyncIvkVideo]:
    """Return the records of a listing as the server sent them, connected to the server."""
    listed = list(records)
    names = [str(as_mapping(record).get("video_name")) for record in listed]
    source = ListedRecords(connection, names, AsyncVideo, "video")
    return [AsyncIvkVideo.connected(record, source) for record in listed]
