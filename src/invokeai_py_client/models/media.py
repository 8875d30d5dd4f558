"""The common part of the records of images and videos: they are named after a file on a server, and can load it."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, TypeVar, cast

from pydantic import PrivateAttr

from invokeai_py_client.errors import UsageError
from invokeai_py_client.models.base import IvkModel

if TYPE_CHECKING:
    import os
    from pathlib import Path

M = TypeVar("M", bound=dict[str, Any])


def metadata_reader(kind: type[M]) -> Callable[[Any], M | None]:
    """Return a function that converts a value of a metadata field to a type, or raises ValueError."""

    def read(value: Any) -> M | None:
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise ValueError("should be a dictionary")
        return kind(cast("Mapping[str, Any]", value))

    return read


class RecordSource(Protocol):
    """The server that a record came from."""

    def file(self, name: str) -> Any:
        """Return an image or a video by its name: an ``Image``, an ``AsyncImage``, a ``Video`` or an ``AsyncVideo``."""
        ...

    def metadata(self, name: str) -> Any:
        """Return the metadata of an image or a video, or for the asynchronous client, a stand-in for it."""
        ...

    def face(self) -> RecordSource:
        """Return the source for the records of the synchronous client."""
        ...


class MediaRecord(IvkModel):
    """The base class of the records of images and videos.

    A record can be used like the name of its file: as text, as a file name, in comparisons with text, and in all
    methods that take a name.
    """

    _kind: ClassVar[str]
    """The kind of file, for messages and field names: ``"image"`` or ``"video"``."""

    # This client returns records from methods that returned names in version 1, so records work like names.

    _source: RecordSource | None = PrivateAttr(default=None)

    @classmethod
    def connected(cls, data: Mapping[str, Any], source: Any) -> Self:
        """Return a record as a server sent it, connected to that server.

        Args:
            data: The server's record.
            source: The object that loads its metadata and its file; see ``image_repo.get_image()``.

        Raises:
            InputValueError: The data is not a record, or has no name.
        """
        record = cls.from_api_response(data)
        record._source = source
        fields = cast("dict[str, Any]", record.__dict__)
        if fields.get("metadata") is None:
            fields.pop("metadata", None)  # __getattr__ loads it
        return record

    # ------------------------------------------------------------------ the file

    @property
    def name(self) -> str:
        """The file's name on the server."""
        return self.__dict__[f"{self._kind}_name"]

    @property
    def url(self) -> str:
        """The URL of the file.

        Raises:
            UsageError: The record did not come from a server.
        """
        return self._file.url

    def bytes(self) -> builtins.bytes:
        """Return the content of the file: a PNG for an image, an MP4 for a video.

        Raises:
            NotFoundError: It was deleted from the server.
            UsageError: The record did not come from a server.
        """
        return self._file.bytes()

    def thumbnail(self) -> builtins.bytes:
        """Return the thumbnail, a WEBP file of at most 256 pixels per side.

        Raises:
            NotFoundError: The image or video was deleted from the server.
            UsageError: The record did not come from a server.
        """
        return self._file.thumbnail()

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Save the file, completely or not at all. Missing folders are created.

        The extension decides the format of an image, as for ``Image.save()``.

        Args:
            path: The file, or a folder (an existing one, or a path that ends in ``/``), in which the file keeps its
                name.

        Returns:
            The file's path.

        Raises:
            NotFoundError: It was deleted from the server.
            UsageError: The file cannot be written, or the record did not come from a server.
        """
        return self._file.save(path)

    def workflow(self) -> dict[str, Any] | None:
        """Return the embedded workflow, or None if there is no workflow.

        Raises:
            NotFoundError: The image or video was deleted from the server.
            UsageError: The record did not come from a server.
        """
        return self._file.workflow()

    def graph(self) -> dict[str, Any] | None:
        """Return the embedded graph as it was executed, or None if there is no graph.

        Raises:
            NotFoundError: The image or video was deleted from the server.
            UsageError: The record did not come from a server.
        """
        return self._file.graph()

    @property
    def _file(self) -> Any:
        if self._source is None:
            raise UsageError(
                f"The record of {self._kind} {self.name} did not come from a server. Get the {self._kind} with "
                f"client.{self._kind}s.get_{self._kind}({self.name!r})."
            )
        return self._source.file(self.name)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name != "metadata" or self._source is None:
                return super().__getattr__(name)
            found = self._source.metadata(self.name)
            if isinstance(found, dict):
                self.__dict__["metadata"] = found
            return found

    def __setstate__(self, state: dict[Any, Any]) -> None:
        super().__setstate__(state)
        if self.__pydantic_private__ is None:  # pickled before records had a source
            self._source = None

    def __str__(self) -> str:
        return self.name

    def __fspath__(self) -> str:
        return self.name

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            return self.name == other
        if not isinstance(other, MediaRecord) or other._kind != self._kind:
            return NotImplemented
        if "metadata" in self.__dict__ and "metadata" in other.__dict__:
            mine, theirs = self.__dict__["metadata"], other.__dict__["metadata"]
            if mine != theirs:
                return False
        return self._facts() == other._facts()

    def __hash__(self) -> int:
        return hash(self.name)

    def _facts(self) -> dict[str, Any]:
        return {
            key: value
            for key, value in (self.__dict__ | (self.model_extra or {})).items()
            if key != "metadata"
        }
