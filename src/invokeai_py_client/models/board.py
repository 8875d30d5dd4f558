"""A board on a server."""

from __future__ import annotations

from typing import Self

from invokeai_py_client.models.base import BoardVisibilityField, IvkModel, Timestamp

UNCATEGORIZED = "none"
"""The id that stands for "on no board". Servers know it in listings only; it is not a record."""


class IvkBoard(IvkModel):
    """A board's record, of any server from 5.15 to 6.14.

    Attributes:
        board_id: Its identity; ``"none"`` for the images on no board.
        board_name: What people call it; several boards may share a name.
        image_count: How many images of category GENERAL are on it, by-products left out.
        asset_count: How many of the other categories (InvokeAI 6.3+).
        video_count: InvokeAI 6.14+.
        board_visibility: InvokeAI 6.13+.
        is_private: Until InvokeAI 6.8.
        user_id: Its owner, on servers with users (InvokeAI 6.12+).
    """

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
        """A record that stands for the images on no board."""
        return cls(board_id=UNCATEGORIZED, board_name="Uncategorized", image_count=image_count)

    def is_system_board(self) -> bool:
        """The same as ``is_uncategorized()``: there is no other board that is none."""
        return self.is_uncategorized()

    def is_uncategorized(self) -> bool:
        """Whether this stands for the images on no board."""
        return self.board_id == UNCATEGORIZED
