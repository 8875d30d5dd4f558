"""A board on a server."""

from __future__ import annotations

from typing import ClassVar, Self

from invokeai_py_client.models.base import BoardVisibilityField, IvkModel, Timestamp

UNCATEGORIZED = "none"
"""The id for images that are on no board. Servers accept it only in listings; there is no such record."""


class IvkBoard(IvkModel):
    """A board on a server (InvokeAI 5.15 to 6.14).

    Attributes:
        board_id: The board's id, or ``"none"`` for images that are on no board.
        board_name: The board's name. Several boards may have the same name.
        image_count: The number of images of category GENERAL, without intermediate images.
        asset_count: The number of images of other categories (InvokeAI 6.3+).
        video_count: The number of videos, without intermediate videos (InvokeAI 6.14+).
        board_visibility: Who can see the board (InvokeAI 6.13+).
        is_private: Whether only its owner can see it (until InvokeAI 6.8).
        user_id: The id of its owner, on servers with user accounts (InvokeAI 6.12+).
    """

    _brief: ClassVar[tuple[str, ...]] = ("board_id", "board_name", "image_count", "asset_count", "archived")

    board_id: str
    board_name: str = ""
    created_at: Timestamp = None
    updated_at: Timestamp = None
    deleted_at: Timestamp = None
    cover_image_name: str | None = None
    cover_video_name: str | None = None
    archived: bool = False
    image_count: int = 0
    asset_count: int = 0
    video_count: int = 0
    board_visibility: BoardVisibilityField | None = None
    is_private: bool | None = None
    user_id: str | None = None
    owner_username: str | None = None

    @classmethod
    def uncategorized(cls, image_count: int = 0) -> Self:
        """Create the record that represents images on no board."""
        return cls(board_id=UNCATEGORIZED, board_name="Uncategorized", image_count=image_count)

    def is_system_board(self) -> bool:
        """Return the same as ``is_uncategorized()``, because there are no other system boards."""
        return self.is_uncategorized()

    def is_uncategorized(self) -> bool:
        """Return whether this record represents images on no board."""
        return self.board_id == UNCATEGORIZED
