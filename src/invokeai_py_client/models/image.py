"""An image on a server."""

from __future__ import annotations

from typing import Any, ClassVar

from invokeai_py_client.models.base import ImageCategoryField, ImageOriginField, IvkModel, Timestamp
from invokeai_py_client.models.enums import ImageCategory


class IvkImage(IvkModel):
    """The record of an image. The image itself stays on the server until it is downloaded.

    The record can be used like the image's name: as text, as a file name, in comparisons with text, and in all methods
    of boards that take a name.

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
        metadata: The metadata it was generated with, if it was requested. Listings do not include it.
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
    metadata: dict[str, Any] | None = None
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

    def __str__(self) -> str:
        return self.image_name

    def __fspath__(self) -> str:
        return self.image_name

    def __eq__(self, other: object) -> bool:
        return self.image_name == other if isinstance(other, str) else super().__eq__(other)

    def __hash__(self) -> int:
        return hash(self.image_name)
