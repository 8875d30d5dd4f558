"""Images on a server, and what they share with videos: the loading of records and metadata, in bulk for many."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, cast
from weakref import WeakSet

from invokeai_py_client._aio import gather_or_cancel
from invokeai_py_client._base import AsyncObject, face
from invokeai_py_client._face import wrap
from invokeai_py_client.api.images import AsyncImagesApi
from invokeai_py_client.errors import (
    APIRequestError,
    InvokeAIClientError,
    NotFoundError,
    UsageError,
    WorkflowFormatError,
)
from invokeai_py_client.image.kept import KeptFiles
from invokeai_py_client.image.record import AsyncImageMetadata, AsyncIvkImage
from invokeai_py_client.image.responses import MOST_NAMES, Kind, file_path
from invokeai_py_client.lookup import unknown_file
from invokeai_py_client.models.base import as_mapping
from invokeai_py_client.models.image import ImageMetadata
from invokeai_py_client.models.media import MediaRecord
from invokeai_py_client.transport import timing
from invokeai_py_client.transport.json_shape import Shape
from invokeai_py_client.transport.payload import ROUTE_MISSING
from invokeai_py_client.transport.retry import patient, patiently

if TYPE_CHECKING:
    import os
    from datetime import datetime

    from PIL.Image import Image as PILImage

    from invokeai_py_client.connection import Connection
    from invokeai_py_client.models.enums import ImageCategory, ImageOrigin

# Metadata has no bulk route. The first read loads one image's, the next reads more and more of the following ones'.
_MOST_AHEAD = 64
_READ_AHEAD_FACTOR = 4
_AT_ONCE = 8

EMBEDDED: Shape = {"workflow": str | None, "graph": str | None}
"""The embedded workflow and graph of an image or a video, as JSON texts."""

logger = logging.getLogger("invokeai_py_client.image")


@dataclass(eq=False)
class RecordSlot:
    """The place for the record of an image or a video, which holds it."""

    name: str
    record: Any = None


class HeldRecords(ABC):
    """The images or videos of a connection that are in use, held weakly, and the requests that load them.

    Each kind is a part of the connection.
    """

    _most = 1
    """The largest number of records to load at once."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._slots: WeakSet[RecordSlot] = WeakSet()
        self._lock = threading.Lock()  # images are made in the callers' threads

    @abstractmethod
    async def fetch(self, names: Sequence[str]) -> Sequence[MediaRecord]:
        """Fetch up to 1,000 records. Those of files that do not exist, or that you may not see, are omitted."""

    @abstractmethod
    async def fetch_one(self, name: str) -> Mapping[str, Any]:
        """Fetch a record as the server sends it."""

    @abstractmethod
    async def fetch_file(self, name: str) -> bytes:
        """Download a file into memory."""

    @abstractmethod
    async def fetch_thumbnail(self, name: str) -> bytes:
        """Download a thumbnail."""

    @abstractmethod
    async def fetch_metadata(self, name: str) -> dict[str, Any] | None:
        """Fetch the generation metadata."""

    @abstractmethod
    async def fetch_workflow(self, name: str) -> Mapping[str, Any]:
        """Fetch the JSON texts of the embedded workflow and graph."""

    def slot(self, name: str) -> RecordSlot:
        """Return a new place for the record of an image or a video."""
        slot = RecordSlot(name)
        with self._lock:
            self._slots.add(slot)
        return slot

    async def load(self, slot: RecordSlot) -> None:
        """Load a record, and in the same request those of others of its kind that have none, if servers can do that."""
        chosen = [slot, *(other for other in self._held() if other is not slot and other.record is None)]
        names = [*dict.fromkeys(other.name for other in chosen)][: self._most]
        records = {record.name: record for record in await self.fetch(names)}
        slot.record = None
        for other in chosen:
            other.record = records.get(other.name) or other.record

    def forget(self, names: Iterable[str]) -> None:
        """Forget records, because they have changed on the server."""
        changed = {*names}
        for slot in self._held():
            if slot.name in changed:
                slot.record = None

    def _held(self) -> list[RecordSlot]:
        with self._lock:
            return [*self._slots]


class HeldImages(HeldRecords):
    """The images of a connection that are in use: ``connection.part(HeldImages)``."""

    _most = MOST_NAMES

    async def fetch(self, names: Sequence[str]) -> Sequence[MediaRecord]:
        """Fetch records of images in one request."""
        return await fetch_records(self.connection, names)

    async def fetch_one(self, name: str) -> Mapping[str, Any]:
        """Fetch a record as the server sends it."""
        return await self._api.get_image_dto(name)

    async def fetch_file(self, name: str) -> bytes:
        """Download an image into memory."""
        return await self._api.get_image_full(name)

    async def fetch_thumbnail(self, name: str) -> bytes:
        """Download a thumbnail."""
        return await self._api.get_image_thumbnail(name)

    async def fetch_metadata(self, name: str) -> dict[str, Any] | None:
        """Fetch the generation metadata."""
        return cast("dict[str, Any] | None", await self._api.get_image_metadata(name, expect=dict | None))

    async def fetch_workflow(self, name: str) -> Mapping[str, Any]:
        """Fetch the JSON texts of the embedded workflow and graph."""
        return await self._api.get_image_workflow(name, expect=EMBEDDED)

    @property
    def _api(self) -> AsyncImagesApi:
        return self.connection.part(AsyncImagesApi)


class GalleryFile(AsyncObject):
    """An image or a video on the server. Data is fetched when a method needs it.

    Attributes:
        name: The file's name on the server.
    """

    _kind: ClassVar[Kind]
    """The kind of file, for messages and routes: ``"image"`` or ``"video"``."""

    _format: ClassVar[str]
    """The format in which the server stores the file."""

    _held: ClassVar[type[HeldRecords]]
    """The part of a connection that loads the records."""

    name: str

    def __init__(self, connection: Connection, name: str, *, size: tuple[int, int] | None = None) -> None:
        self.connection = connection
        self._data: bytes | None = None
        self._slot = connection.part(self._held).slot(name)
        self._size = size
        self.name = name

    @property
    def url(self) -> str:
        """The URL of the file, an image in full resolution or a video."""
        return f"{self.connection.url}{file_path(self._kind, self.name, 'full')}"

    # ------------------------------------------------------------------ its record

    async def _refresh(self) -> Any:
        with patiently():
            await self._held_by().load(self._slot)
        if self._slot.record is None:
            raise await unknown_file(self.connection, self._kind, self.name)
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
    def is_intermediate(self) -> bool:
        """Whether it is intermediate, so that the gallery hides it."""
        return self._loaded.is_intermediate

    @property
    @face(after="record")
    def has_workflow(self) -> bool | None:
        """Whether a workflow is embedded."""
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
        if self._size is None and self._slot.record is None:
            await self._refresh()

    @property
    def _loaded(self) -> Any:
        if self._slot.record is None:
            raise UsageError(
                f"The record of {self._kind} {self.name} has not been loaded yet. Call await {self._kind}.record() "
                "first."
            )
        return self._slot.record

    # ------------------------------------------------------------------ its file

    async def bytes(self) -> bytes:
        """Return the file as the server stores it: a PNG for an image, an MP4 for a video. It is downloaded once.

        At most 256 MB are held in memory. Use ``save()`` for larger videos.

        Raises:
            NotFoundError: It was deleted from the server.
        """
        if self._data is None:
            self._data = await self.connection.part(KeptFiles).read(self.name)
        if self._data is None:
            with patiently():
                self._data = await self._download(self.connection)
        return self._data

    @patient
    async def thumbnail(self) -> bytes:
        """Download the thumbnail: a WEBP image of at most 256 pixels per side.

        Raises:
            NotFoundError: It was deleted from the server.
        """
        return await self._held_by().fetch_thumbnail(self.name)

    async def save(self, path: str | os.PathLike[str]) -> Path:
        """Download it to a file.

        The file appears only when it is complete. Missing folders are created. A download that breaks off
        resumes. The extension decides the format of an image: ``.png`` as on the server, or ``.jpg``, ``.webp`` or
        ``.avif``, which require the extra ``invokeai-py-client[image]``. The metadata is kept. A video is saved as
        ``.mp4``.

        Args:
            path: A file, or a folder: an existing folder or a path that ends in ``/``. In a folder, the file
                keeps its name.

        Returns:
            The file's path.

        Raises:
            NotFoundError: It was deleted from the server.
            UsageError: The file cannot be written, or the image cannot be converted to its format.
        """
        from invokeai_py_client.files.convert import check_target, convert
        from invokeai_py_client.files.formats import is_truncated
        from invokeai_py_client.files.names import target_path
        from invokeai_py_client.image.download import WantedFile

        target = target_path(path, self.name)
        check_target(target, self._format)
        if self._data is None or is_truncated(self._data):
            await WantedFile(self.name, target, self._kind).fetch(self.connection)
        else:
            from invokeai_py_client.files.atomic import write_atomically

            data = self._data
            await asyncio.to_thread(lambda: write_atomically(target, convert(data, target)))
        return target

    @patient
    async def metadata(self) -> dict[str, Any] | None:
        """Return the generation metadata, or None if there is no metadata.

        Raises:
            NotFoundError: It is not on the server.
        """
        return await self._held_by().fetch_metadata(self.name)

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
        """Return the embedded workflow, with the values used, or None if there is no workflow.

        The server stores one workflow for a whole batch, so after a sweep it has the values of the first run.
        ``graph()`` returns the values of the run that made this image or video.

        Raises:
            NotFoundError: It is not on the server.
            WorkflowFormatError: The embedded data is not a workflow.
        """
        return await self._embedded("workflow")

    async def graph(self) -> dict[str, Any] | None:
        """Return the graph that made it, as it was executed, or None if it is not embedded.

        Raises:
            NotFoundError: It is not on the server.
            WorkflowFormatError: The embedded data is not a graph.
        """
        return await self._embedded("graph")

    @patient
    async def _embedded(self, what: str) -> dict[str, Any] | None:
        response = await self._held_by().fetch_workflow(self.name)
        text: str | None = response.get(what)
        if not text:
            return None
        try:
            found: Any = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise WorkflowFormatError(
                f"The {what} embedded in {self._kind} {self.name!r} is not valid JSON: {error}."
            ) from None
        if not isinstance(found, dict):
            raise WorkflowFormatError(
                f"The {what} embedded in {self._kind} {self.name!r} is not valid: expected a JSON object."
            )
        return cast("dict[str, Any]", found)

    async def _download(self, connection: Connection) -> bytes:
        return await connection.part(self._held).fetch_file(self.name)

    def _held_by(self) -> HeldRecords:
        return self.connection.part(self._held)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, GalleryFile):
            return (self.name, self.connection.url) == (other.name, other.connection.url)
        if isinstance(other, MediaRecord):
            return self.name == other.name
        return self.name == other if isinstance(other, str) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.name)

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        del state["_slot"]  # the record may have changed when it is unpickled
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__({"_size": None} | state)
        self._slot = self.connection.part(self._held).slot(self.name)


class AsyncImage(GalleryFile):
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

    _kind = "image"
    _format = "PNG"
    _held = HeldImages

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
        return await self._refresh()

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

    async def pil(self) -> PILImage:
        """Download the image and decode it with Pillow. Needs the extra ``invokeai-py-client[image]``."""
        from invokeai_py_client.files.images import decode

        return decode(await self.bytes(), self.name)

    def _repr_png_(self) -> bytes | None:
        """Return the image's file for a notebook, or None if it cannot be downloaded."""
        if self._data is None:
            try:
                self._data = self.connection.call(self._download, timing.DISPLAY)
            except (InvokeAIClientError, TimeoutError) as error:
                logger.info("could not display image %s: %s", self.name, error)
        return self._data


# --------------------------------------------------------------------------- many images


class ListedRecords:
    """The records of one listing. It loads what they lack, in bulk if many are read."""

    def __init__(
        self,
        connection: Connection,
        names: Sequence[str],
        make: type[GalleryFile] = AsyncImage,
        kind: Kind = "image",
    ) -> None:
        self.connection = connection
        self.kind: Kind = kind
        self._make = make
        self._names = names
        self._places = {name: place for place, name in enumerate(names)}
        self._metadata: dict[str, dict[str, Any]] = {}
        self._ahead = 0
        self._face: SyncListedRecords | None = None

    def file(self, name: str) -> GalleryFile:
        """Return an image or a video."""
        return self._make(self.connection, name)

    def metadata(self, name: str) -> AsyncImageMetadata | PendingMetadata:
        """Return the metadata of a file if it was loaded, else an object that loads it."""
        found = self._metadata.pop(name, None)  # the record keeps it
        return PendingMetadata(self, name) if found is None else AsyncImageMetadata(found)

    async def load(self, name: str) -> dict[str, Any]:
        """Return the metadata of a file, loading it and that of the following files on first use.

        Raises:
            NotFoundError: The file is not on the server.
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
                        self._metadata[other] = await self.file(other).metadata() or {}
                except APIRequestError:
                    if other == name:
                        raise  # the others are loaded again when they are read

            await gather_or_cancel(fetch(other) for other in (name, *following))
        return self._metadata[name]

    async def take(self, name: str) -> dict[str, Any]:
        """Return the metadata of a file like ``load()``, for a record that keeps it."""
        found = await self.load(name)
        self._metadata.pop(name, None)
        return found

    def face(self) -> SyncListedRecords:
        """Return the source for the records of the synchronous client."""
        if self._face is None:
            self._face = SyncListedRecords(self)
        return self._face

    def __getstate__(self) -> dict[str, Any]:
        return {"connection": self.connection, "names": (), "make": self._make, "kind": self.kind}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)

    def __deepcopy__(self, _: dict[int, Any]) -> ListedRecords:
        return self


class SyncListedRecords:
    """The records of one listing of the synchronous client."""

    def __init__(self, records: ListedRecords) -> None:
        self._records = records

    def file(self, name: str) -> Any:
        """Return an image or a video."""
        return wrap(self._records.file(name))

    def metadata(self, name: str) -> ImageMetadata:
        """Return the metadata of an image or a video."""
        return ImageMetadata(self._records.connection.loop_thread.call(self._records.take(name)))

    def face(self) -> SyncListedRecords:
        """Return the object itself."""
        return self

    def __deepcopy__(self, _: dict[int, Any]) -> SyncListedRecords:
        return self


class PendingMetadata:
    """The metadata of an image or a video of the asynchronous client before it is loaded."""

    def __init__(self, records: ListedRecords, name: str) -> None:
        self._records = records
        self._name = name

    async def __call__(self) -> dict[str, Any] | None:
        """Return the metadata, or None if it is empty."""
        return await self._records.load(self._name) or None

    def _refuse(self, *_: object) -> NoReturn:
        raise UsageError(
            f"The metadata of {self._records.kind} {self._name} has not been loaded yet. "
            f"Call await {self._records.kind}.metadata() first."
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
    api = connection.part(AsyncImagesApi)
    found: list[Any]
    try:
        found = list(await api.get_images_by_names(image_names=list(names), expect=list, explain=False))
    except ROUTE_MISSING:  # before InvokeAI 6.0
        found = []
        for name in names:
            try:
                found.append(await api.get_image_dto(name))
            except NotFoundError:
                continue
    return connected(connection, found)
