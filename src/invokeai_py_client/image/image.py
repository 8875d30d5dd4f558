"""Images on a server, and the loading of their records and metadata, in bulk for many images."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast
from weakref import WeakSet

from invokeai_py_client._aio import gather_or_cancel
from invokeai_py_client._base import AsyncObject, face
from invokeai_py_client._face import wrap
from invokeai_py_client.errors import (
    APIRequestError,
    InvokeAIClientError,
    NotFoundError,
    UsageError,
    WorkflowFormatError,
)
from invokeai_py_client.image.record import AsyncImageMetadata, AsyncIvkImage
from invokeai_py_client.image.responses import MOST_NAMES
from invokeai_py_client.lookup import unknown_image
from invokeai_py_client.models.base import as_mapping
from invokeai_py_client.models.image import ImageMetadata, IvkImage
from invokeai_py_client.transport import timing
from invokeai_py_client.transport.payload import ROUTE_MISSING, route
from invokeai_py_client.transport.retry import patient, patiently

if TYPE_CHECKING:
    import os
    from datetime import datetime

    from PIL.Image import Image as PILImage

    from invokeai_py_client.connection import Connection
    from invokeai_py_client.models.enums import ImageCategory, ImageOrigin

_IMAGES = "/api/v1/images"
# Metadata has no bulk route. The first read loads one image's, the next reads more and more of the following ones'.
_MOST_AHEAD = 64
_READ_AHEAD_FACTOR = 4
_AT_ONCE = 8

logger = logging.getLogger("invokeai_py_client.image")


class AsyncImage(AsyncObject):
    """An image on the server. Data is fetched when a method needs it.

    Methods that take an image's name or record take an image as well. The properties after ``url`` are those of the
    image's record, which ``record()`` loads, together with the records of other images that you hold. The synchronous
    ``Image`` loads it when a property is read.

    Attributes:
        name: The image's name on the server, such as ``"6f0c3e0e-....png"``.

    Example:
        ```python
        await run.images[0].save("lighthouse.png")
        ```
    """

    def __init__(self, connection: Connection, name: str, *, size: tuple[int, int] | None = None) -> None:
        self.connection = connection
        self._data: bytes | None = None
        self._slot = connection.part(HeldImages).slot(name)
        self._size = size
        self.name = name

    @property
    def url(self) -> str:
        """The URL of the full-resolution image."""
        return f"{self.connection.url}{self._path('full')}"

    # ------------------------------------------------------------------ its record

    @property
    def image_name(self) -> str:
        """The image's name on the server, like ``name``."""
        return self.name

    async def record(self) -> AsyncIvkImage:
        """Return the image's record, loading it on first use.

        The records of other images that you hold, such as those of the same run, are loaded in the same request.

        Raises:
            UnknownNameError: The image is not on the server. This is also a ``NotFoundError``.
        """
        return self._slot.record or await self.refresh()

    async def refresh(self) -> AsyncIvkImage:
        """Load the image's record again, for example after the image was moved or starred.

        Raises:
            UnknownNameError: The image is not on the server. This is also a ``NotFoundError``.
        """
        with patiently():
            await self.connection.part(HeldImages).load(self._slot)
        if self._slot.record is None:
            raise await unknown_image(self.connection, self.name)
        return self._slot.record

    @property
    @face(after="_measure")
    def width(self) -> int | None:
        """The width in pixels."""
        return self._loaded.width if self._slot.record or not self._size else self._size[0]

    @property
    @face(after="_measure")
    def height(self) -> int | None:
        """The height in pixels."""
        return self._loaded.height if self._slot.record or not self._size else self._size[1]

    @property
    @face(after="record")
    def board_id(self) -> str | None:
        """The id of its board, or None if it is on no board."""
        return self._loaded.board_id

    @property
    @face(after="record")
    def starred(self) -> bool:
        """Whether it is starred."""
        return self._loaded.starred

    @property
    @face(after="record")
    def image_category(self) -> ImageCategory | str:
        """The category."""
        return self._loaded.image_category

    @property
    @face(after="record")
    def image_origin(self) -> ImageOrigin | str | None:
        """Whether the server generated it or a user uploaded it."""
        return self._loaded.image_origin

    @property
    @face(after="record")
    def is_intermediate(self) -> bool:
        """Whether it is an intermediate image, which the gallery hides."""
        return self._loaded.is_intermediate

    @property
    @face(after="record")
    def has_workflow(self) -> bool | None:
        """Whether its file contains a workflow."""
        return self._loaded.has_workflow

    @property
    @face(after="record")
    def created_at(self) -> datetime | str | None:
        """The time at which it was created."""
        return self._loaded.created_at

    @property
    @face(after="record")
    def updated_at(self) -> datetime | str | None:
        """The time at which its record was last changed."""
        return self._loaded.updated_at

    async def _measure(self) -> None:
        """Load the record, unless the run's outputs contained the size."""
        if self._size is None:
            await self.record()

    @property
    def _loaded(self) -> AsyncIvkImage:
        if self._slot.record is None:
            raise UsageError(
                f"The record of image {self.name} has not been loaded yet. Call await image.record() first."
            )
        return self._slot.record

    # ------------------------------------------------------------------ its file

    async def bytes(self) -> bytes:
        """Return the image file as the server stores it (a PNG). It is downloaded once.

        Raises:
            NotFoundError: The image was deleted from the server.
        """
        if self._data is None:
            with patiently():
                self._data = await self._download(self.connection)
        return self._data

    @patient
    async def thumbnail(self) -> bytes:
        """Download the thumbnail: a WEBP image of at most 256 pixels per side.

        Raises:
            NotFoundError: The image was deleted from the server.
        """
        return await self.connection.http.bytes(self._path("thumbnail"))

    async def save(self, path: str | os.PathLike[str]) -> Path:
        """Download the image to a file.

        The file appears only when it is complete. Missing folders are created. The extension decides the format:
        ``.png`` as on the server, or ``.jpg``, ``.webp`` or ``.avif``, which require the extra
        ``invokeai-py-client[image]``. The metadata is kept.

        Args:
            path: A file, or a folder: an existing folder or a path that ends in ``/``. In a folder, the image
                keeps its name.

        Returns:
            The file's path.

        Raises:
            NotFoundError: The image was deleted from the server.
            UsageError: The file cannot be written, or the image cannot be converted to its format.
        """
        from invokeai_py_client.files.convert import check_target, convert
        from invokeai_py_client.files.formats import is_truncated
        from invokeai_py_client.files.names import target_path

        target = target_path(path, self.name)
        check_target(target, "PNG")
        if self._data is None or is_truncated(self._data):
            from invokeai_py_client.files.download import fetch_to_disk

            await fetch_to_disk(self.connection, self._path("full"), target)
        else:
            from invokeai_py_client.files.atomic import write_atomically

            data = self._data
            await asyncio.to_thread(lambda: write_atomically(target, convert(data, target)))
        return target

    async def pil(self) -> PILImage:
        """Download the image and decode it with Pillow. Needs the extra ``invokeai-py-client[image]``."""
        from invokeai_py_client.files.images import decode

        return decode(await self.bytes(), self.name)

    @patient
    async def metadata(self) -> dict[str, Any] | None:
        """Return the generation metadata embedded in the image, or None if it has none.

        Raises:
            NotFoundError: The image is not on the server.
        """
        return await self.connection.http.json("GET", self._path("metadata"), expect=dict | None)

    async def recall(self, *, strict: bool = False) -> dict[str, Any]:
        """Put the prompts, models, seed and other settings of the image into the open web UI.

        Any signed-in user may call this (InvokeAI 6.12+).

        Args:
            strict: Whether to clear the web UI's other settings. Defaults to False.

        Returns:
            The values as the server passed them to the web UI, with the keys of models.

        Raises:
            UsageError: The image has no metadata that can be recalled.
            ModelNotFoundError: A model of the image is not on the server.
            NotFoundError: The image is not on the server.
        """
        from invokeai_py_client.recall.parameters import recall_metadata

        return await recall_metadata(self.connection, self.name, await self.metadata(), strict=strict)

    async def workflow(self) -> dict[str, Any] | None:
        """Return the workflow embedded in the image, with the values used, or None if it has none.

        The server stores one workflow for a whole batch, so after a sweep it has the values of the first run.
        ``graph()`` returns the values of the run that made this image.

        Raises:
            NotFoundError: The image is not on the server.
            WorkflowFormatError: The embedded data is not a workflow.
        """
        return await self._embedded("workflow")

    async def graph(self) -> dict[str, Any] | None:
        """Return the graph that made the image, as it was executed, or None if it is not embedded.

        Raises:
            NotFoundError: The image is not on the server.
            WorkflowFormatError: The embedded data is not a graph.
        """
        return await self._embedded("graph")

    @patient
    async def _embedded(self, what: str) -> dict[str, Any] | None:
        response = await self.connection.http.json("GET", self._path("workflow"), expect={what: str | None})
        text: str | None = response.get(what)
        if not text:
            return None
        try:
            found: Any = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise WorkflowFormatError(
                f"The {what} embedded in image {self.name!r} is not valid JSON: {error}."
            ) from None
        if not isinstance(found, dict):
            raise WorkflowFormatError(
                f"The {what} embedded in image {self.name!r} is not valid: expected a JSON object."
            )
        return cast("dict[str, Any]", found)

    async def _download(self, connection: Connection) -> bytes:
        return await connection.http.bytes(self._path("full"))

    def _path(self, what: str) -> str:
        return f"{route('/api/v1/images/i/{image}', image=self.name)}/{what}"

    def _repr_png_(self) -> bytes | None:
        """Return the image's file for a notebook, or None if it cannot be downloaded."""
        if self._data is None:
            try:
                self._data = self.connection.call(self._download, timing.DISPLAY)
            except (InvokeAIClientError, TimeoutError) as error:
                logger.info("could not display image %s: %s", self.name, error)
        return self._data

    def __repr__(self) -> str:
        return f"<AsyncImage {self.name}>"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, AsyncImage):
            return (self.name, self.connection.url) == (other.name, other.connection.url)
        if isinstance(other, IvkImage):
            return self.name == other.image_name
        return self.name == other if isinstance(other, str) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.name)

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        del state["_slot"]  # the record may have changed when the image is unpickled
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__({"_size": None} | state)
        self._slot = self.connection.part(HeldImages).slot(self.name)


# --------------------------------------------------------------------------- many images


@dataclass(eq=False)
class RecordSlot:
    """The place for an image's record, which the image holds."""

    name: str
    record: AsyncIvkImage | None = None


class HeldImages:
    """The images of a connection that are in use: ``connection.part(HeldImages)``. They are held weakly."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._slots: WeakSet[RecordSlot] = WeakSet()
        self._lock = threading.Lock()  # images are made in the callers' threads

    def slot(self, name: str) -> RecordSlot:
        """Return a new place for the record of an image."""
        slot = RecordSlot(name)
        with self._lock:
            self._slots.add(slot)
        return slot

    async def load(self, slot: RecordSlot) -> None:
        """Load the record of an image, and in the same request those of other images without a record."""
        chosen = [slot, *(other for other in self._held() if other is not slot and other.record is None)]
        names = [*dict.fromkeys(other.name for other in chosen)][:MOST_NAMES]
        records = {record.image_name: record for record in await fetch_records(self._connection, names)}
        slot.record = None
        for other in chosen:
            other.record = records.get(other.name) or other.record

    def forget(self, names: Iterable[str]) -> None:
        """Forget the records of images, because they have changed on the server."""
        changed = {*names}
        for slot in self._held():
            if slot.name in changed:
                slot.record = None

    def _held(self) -> list[RecordSlot]:
        with self._lock:
            return [*self._slots]


class ListedRecords:
    """The records of one listing. It loads what they lack, in bulk if many are read."""

    def __init__(self, connection: Connection, names: Sequence[str]) -> None:
        self.connection = connection
        self._names = names
        self._places = {name: place for place, name in enumerate(names)}
        self._metadata: dict[str, dict[str, Any]] = {}
        self._ahead = 0
        self._face: SyncListedRecords | None = None

    def image(self, name: str) -> AsyncImage:
        """Return an image."""
        return AsyncImage(self.connection, name)

    def metadata(self, name: str) -> AsyncImageMetadata | PendingMetadata:
        """Return the metadata of an image if it was loaded, else an object that loads it."""
        found = self._metadata.pop(name, None)  # the record keeps it
        return PendingMetadata(self, name) if found is None else AsyncImageMetadata(found)

    async def load(self, name: str) -> dict[str, Any]:
        """Return the metadata of an image, loading it and that of the following images on first use.

        Raises:
            NotFoundError: The image is not on the server.
        """
        if name not in self._metadata:
            start = self._places.get(name, len(self._names)) + 1
            following = [
                other for other in self._names[start : start + self._ahead] if other not in self._metadata
            ]
            self._ahead = min(max(self._ahead * _READ_AHEAD_FACTOR, 1), _MOST_AHEAD)
            limit = asyncio.Semaphore(_AT_ONCE)

            async def fetch(other: str) -> None:
                try:
                    async with limit:
                        self._metadata[other] = await self.image(other).metadata() or {}
                except APIRequestError:
                    if other == name:
                        raise  # the others are loaded again when they are read

            await gather_or_cancel(fetch(other) for other in (name, *following))
        return self._metadata[name]

    async def take(self, name: str) -> dict[str, Any]:
        """Return the metadata of an image like ``load()``, for a record that keeps it."""
        found = await self.load(name)
        self._metadata.pop(name, None)
        return found

    def face(self) -> SyncListedRecords:
        """Return the source for the records of the synchronous client."""
        if self._face is None:
            self._face = SyncListedRecords(self)
        return self._face

    def __getstate__(self) -> dict[str, Any]:
        return {"connection": self.connection, "names": ()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["connection"], state["names"])

    def __deepcopy__(self, _: dict[int, Any]) -> ListedRecords:
        return self


class SyncListedRecords:
    """The records of one listing of the synchronous client."""

    def __init__(self, records: ListedRecords) -> None:
        self._records = records

    def image(self, name: str) -> Any:
        """Return an image."""
        return wrap(self._records.image(name))

    def metadata(self, name: str) -> ImageMetadata:
        """Return the metadata of an image."""
        return ImageMetadata(self._records.connection.loop_thread.call(self._records.take(name)))

    def face(self) -> SyncListedRecords:
        """Return the object itself."""
        return self

    def __deepcopy__(self, _: dict[int, Any]) -> SyncListedRecords:
        return self


class PendingMetadata:
    """The metadata of an image of the asynchronous client before it is loaded."""

    def __init__(self, records: ListedRecords, name: str) -> None:
        self._records = records
        self._name = name

    async def __call__(self) -> dict[str, Any] | None:
        """Return the metadata, or None if the image has no metadata."""
        return await self._records.load(self._name) or None

    def _refuse(self, *_: object) -> NoReturn:
        raise UsageError(
            f"The metadata of image {self._name} has not been loaded yet. Call await image.metadata() first."
        )

    __getitem__ = __contains__ = __iter__ = __len__ = __bool__ = _refuse
    get = keys = values = items = _refuse


def connected(connection: Connection, records: Iterable[Mapping[str, Any]]) -> list[AsyncIvkImage]:
    """Return the records of a listing as the server sent them, connected to the server."""
    listed = list(records)
    source = ListedRecords(connection, [str(as_mapping(record).get("image_name")) for record in listed])
    return [AsyncIvkImage.connected(record, source) for record in listed]


async def fetch_records(connection: Connection, names: Sequence[str]) -> list[AsyncIvkImage]:
    """Fetch the records of up to 1,000 images. Images that do not exist are omitted.

    Sends one request, or one per image to servers before InvokeAI 6.0.
    """
    http = connection.http
    try:
        found = await http.json(
            "POST",
            f"{_IMAGES}/images_by_names",
            json={"image_names": list(names)},
            idempotent=True,
            expect=list,
        )
    except ROUTE_MISSING:  # before InvokeAI 6.0
        found: list[Mapping[str, Any]] = []
        for name in names:
            try:
                found.append(await http.json("GET", route("/api/v1/images/i/{image}", image=name)))
            except NotFoundError:
                continue
    return connected(connection, found)
