"""The records of images on a server."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import PlainValidator

from invokeai_py_client.models.base import ImageCategoryField, ImageOriginField, Timestamp
from invokeai_py_client.models.enums import ImageCategory
from invokeai_py_client.models.media import MediaRecord, metadata_reader

if TYPE_CHECKING:
    from PIL.Image import Image as PILImage


class ImageMetadata(dict[str, Any]):
    """The metadata of an image or a video: a dict, empty if there is no metadata.

    Calling it returns the metadata as well, so that ``image.metadata()`` works for records and for a run's images.
    """

    def __call__(self) -> dict[str, Any] | None:
        """Return the metadata, or None if it is empty."""
        return dict(self) if self else None


class IvkImage(MediaRecord):
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

    _kind = "image"
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

    def pil(self) -> PILImage:
        """Return the image as a Pillow image. Requires the extra ``invokeai-py-client[image]``.

        Raises:
            NotFoundError: The image was deleted from the server.
            UsageError: The record did not come from a server.
        """
        return self._file.pil()

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
        return self._file.recall(strict=strict)

    def _repr_png_(self) -> builtins.bytes | None:
        return None if self._source is None else self._file._repr_png_()

    def __hash__(self) -> int:  # type checkers take a record with fields for unhashable otherwise
        return hash(self.name)
