"""The records of images on a server."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Protocol, Self, TypeVar, cast

from pydantic import PlainValidator, PrivateAttr

from invokeai_py_client.errors import UsageError
from invokeai_py_client.models.base import ImageCategoryField, ImageOriginField, IvkModel, Timestamp
from invokeai_py_client.models.enums import ImageCategory

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from PIL.Image import Image as PILImage


class ImageMetadata(dict[str, Any]):
    """The metadata of an image: a dict, empty if the image has no metadata.

    Calling it returns the metadata as well, so that ``image.metadata()`` works for records and for a run's images.
    """

    def __call__(self) -> dict[str, Any] | None:
        """Return the metadata, or None if the image has no metadata."""
        return dict(self) if self else None


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

    def image(self, name: str) -> Any:
        """Return an image by its name: an ``Image``, or an ``AsyncImage``."""
        ...

    def metadata(self, name: str) -> Any:
        """Return an image's metadata, or for the asynchronous client, a stand-in for it."""
        ...

    def face(self) -> RecordSource:
        """Return the source for the records of the synchronous client."""
        ...


class IvkImage(IvkModel):
    """The record of an image. The image itself stays on the server until it is downloaded.

    The record can be used like the image's name: as text, as a file name, in comparisons with text, and in all methods
    that take a name. Records from a server can do what a run's images can: ``save()``, ``bytes()``, ``pil()``...

    >>> image = IvkImage.from_api_response({"image_name": "abc.png", "image_category": "general"})
    >>> image.image_name, image.image_category.value
    ('abc.png', 'general')

    Attributes:
        image_name: The image's name, which identifies it on the server.
        board_id: The id of its board, or None if it is on no board.
        image_category: The category.
        width: The width in pixels.
        height: The height in pixels.
        starred: Whether it is starred.
        metadata: The metadata it was generated with. For records from a server, it is loaded when it is first read. If
            you read it for many records of a listing, several are loaded at once.
        thumbnail_url: The URL of its thumbnail, relative to the server's URL.
        image_url: The URL of the image, relative to the server's URL.
        is_intermediate: Whether it is an intermediate image, which the gallery hides.
        workflow_id: The id of the library workflow that generated it, if known.
        node_id: The id of the node that generated it, in the executed graph (not in the workflow).
        session_id: The id of the session that generated it.
        image_origin: Whether the server generated it or a user uploaded it.
        has_workflow: Whether its file contains a workflow.
        image_subfolder: The subfolder of its file on the server (InvokeAI 6.13+).
    """

    _brief: ClassVar[tuple[str, ...]] = (
        "image_name",
        "image_category",
        "width",
        "height",
        "board_id",
        "starred",
        "is_intermediate",
    )

    _words = {"image_category": ImageCategory}  # noqa: RUF012

    image_name: str
    board_id: str | None = None
    image_category: ImageCategoryField = ImageCategory.GENERAL
    width: int | None = None
    height: int | None = None
    created_at: Timestamp = None
    updated_at: Timestamp = None
    starred: bool = False
    metadata: Annotated[dict[str, Any] | None, PlainValidator(metadata_reader(ImageMetadata))] = None
    thumbnail_url: str | None = None
    image_url: str | None = None
    is_intermediate: bool = False
    workflow_id: str | None = None
    node_id: str | None = None
    session_id: str | None = None

    image_origin: ImageOriginField | None = None
    deleted_at: Timestamp = None
    has_workflow: bool | None = None
    image_subfolder: str | None = None

    # This client returns records from methods that returned names in version 1, so records work like names.

    _source: RecordSource | None = PrivateAttr(default=None)

    @classmethod
    def connected(cls, data: Mapping[str, Any], source: Any) -> Self:
        """Return a record as a server sent it, connected to that server.

        Args:
            data: The server's record.
            source: The object that loads the image's metadata and file; see ``image_repo.get_image()``.

        Raises:
            InputValueError: The data is not a record, or has no name.
        """
        record = cls.from_api_response(data)
        record._source = source
        fields = cast("dict[str, Any]", record.__dict__)
        if fields.get("metadata") is None:
            fields.pop("metadata", None)  # __getattr__ loads it
        return record

    # ------------------------------------------------------------------ the image itself

    @property
    def name(self) -> str:
        """The image's name on the server, like ``image_name``."""
        return self.image_name

    @property
    def url(self) -> str:
        """The URL of the full image.

        Raises:
            UsageError: The record did not come from a server.
        """
        return self._image.url

    def bytes(self) -> builtins.bytes:
        """Return the image's file, a PNG.

        Raises:
            NotFoundError: The image was deleted from the server.
            UsageError: The record did not come from a server.
        """
        return self._image.bytes()

    def thumbnail(self) -> builtins.bytes:
        """Return the thumbnail, a WEBP file of at most 256 pixels per side.

        Raises:
            NotFoundError: The image was deleted from the server.
            UsageError: The record did not come from a server.
        """
        return self._image.thumbnail()

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Save the image to a file, completely or not at all. Missing folders are created.

        The extension decides the format, as for ``Image.save()``.

        Args:
            path: The file, or a folder (an existing one, or a path that ends in ``/``), in which the image keeps its
                name.

        Returns:
            The file's path.

        Raises:
            NotFoundError: The image was deleted from the server.
            UsageError: The file cannot be written, or the record did not come from a server.
        """
        return self._image.save(path)

    def pil(self) -> PILImage:
        """Return the image as a Pillow image. Requires the extra ``invokeai-py-client[image]``.

        Raises:
            NotFoundError: The image was deleted from the server.
            UsageError: The record did not come from a server.
        """
        return self._image.pil()

    def recall(self, *, strict: bool = False) -> dict[str, Any]:
        """Put the prompts, models, seed and other settings of the image into the open web UI.

        Any signed-in user may call this (InvokeAI 6.12+).

        Args:
            strict: Whether to clear the web UI's other settings. Defaults to False.

        Returns:
            The values as the server passed them to the web UI, with the keys of models.

        Raises:
            UsageError: The image has no metadata that can be recalled, or the record did not come from a server.
            ModelNotFoundError: A model of the image is not on the server.
            NotFoundError: The image is not on the server.
        """
        return self._image.recall(strict=strict)

    def workflow(self) -> dict[str, Any] | None:
        """Return the workflow embedded in the image, or None if it has none.

        Raises:
            NotFoundError: The image was deleted from the server.
            UsageError: The record did not come from a server.
        """
        return self._image.workflow()

    def graph(self) -> dict[str, Any] | None:
        """Return the executed graph embedded in the image, or None if it has none.

        Raises:
            NotFoundError: The image was deleted from the server.
            UsageError: The record did not come from a server.
        """
        return self._image.graph()

    @property
    def _image(self) -> Any:
        if self._source is None:
            raise UsageError(
                f"The record of image {self.image_name} did not come from a server. Get the image with "
                f"client.image_repo.get_image({self.image_name!r})."
            )
        return self._source.image(self.image_name)

    def _repr_png_(self) -> builtins.bytes | None:
        return None if self._source is None else self._image._repr_png_()

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name != "metadata" or self._source is None:
                return super().__getattr__(name)
            found = self._source.metadata(self.image_name)
            if isinstance(found, dict):
                self.__dict__["metadata"] = found
            return found

    def __setstate__(self, state: dict[Any, Any]) -> None:
        super().__setstate__(state)
        if self.__pydantic_private__ is None:  # pickled before records had a source
            self._source = None

    def __str__(self) -> str:
        return self.image_name

    def __fspath__(self) -> str:
        return self.image_name

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            return self.image_name == other
        if not isinstance(other, IvkImage):
            return NotImplemented
        if "metadata" in self.__dict__ and "metadata" in other.__dict__ and self.metadata != other.metadata:
            return False
        return self._facts() == other._facts()

    def __hash__(self) -> int:
        return hash(self.image_name)

    def _facts(self) -> dict[str, Any]:
        return {
            key: value
            for key, value in (self.__dict__ | (self.model_extra or {})).items()
            if key != "metadata"
        }
