"""An image on a server."""

from __future__ import annotations

from typing import Any

from invokeai_py_client.models.base import ImageCategoryField, ImageOriginField, IvkModel, Timestamp
from invokeai_py_client.models.enums import ImageCategory


class IvkImage(IvkModel):
    """An image's record; the image itself stays on the server until it is downloaded.

    It stands for its name, too: as text, as a file's name, compared with a text, and wherever a board takes a name.

    >>> image = IvkImage.from_api_response({"image_name": "abc.png", "image_category": "general"})
    >>> image.image_name, image.image_category.value
    ('abc.png', 'general')

    Attributes:
        image_name: Its name, which is its identity on the server.
        board_id: The board that it is on; None where it is on none.
        image_category: What it is for.
        width: In pixels.
        height: In pixels.
        starred: Whether somebody starred it.
        metadata: What it was made with, where that was asked for; listings do not carry it.
        thumbnail_url: Relative to the server's address.
        image_url: Relative to the server's address.
        is_intermediate: Whether it is a by-product, which the gallery does not show.
        workflow_id: The library workflow that made it, where known.
        node_id: The node that made it, by its id in the executed graph (not in the workflow).
        session_id: The session that made it.
        image_origin: Whether the server made it or somebody uploaded it.
        has_workflow: Whether its file carries a workflow.
        image_subfolder: Where the server keeps it (InvokeAI 6.13+).
    """

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

    # Where version 1 gave the names of images, this client gives their records: each serves as its name.

    def __str__(self) -> str:
        return self.image_name

    def __fspath__(self) -> str:
        return self.image_name

    def __eq__(self, other: object) -> bool:
        return self.image_name == other if isinstance(other, str) else super().__eq__(other)

    def __hash__(self) -> int:
        return hash(self.image_name)
