"""Boards on the server."""

# Written by tools/generate_sync.py from src/invokeai_py_client/board/repository.py:
# change that, and run it again.
# pyright: reportPrivateUsage=false, reportIncompatibleVariableOverride=false

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from invokeai_py_client._sync.face import Face, wrap
from invokeai_py_client.board.repository import AsyncBoardRepository

if TYPE_CHECKING:
    from invokeai_py_client._sync.board_handle import BoardHandle
    from invokeai_py_client._sync.image_repository import ImageRepository
    from invokeai_py_client.models import BoardVisibility, IvkBoard


class BoardRepository(Face[AsyncBoardRepository]):
    """The boards of a server. Images on no board count as those of a board with the id ``"none"``.

    Example:
        ```python
        board = client.board_repo.create_board("Portraits")
        image = board.upload_image("reference.jpg")
        ```
    """

    @property
    def images(self) -> ImageRepository:
        """The images of the same server."""
        return wrap(self._impl.images)

    def list_boards(
        self,
        all: bool = True,
        include_uncategorized: bool = False,
        *,
        include_archived: bool = False,
        order_by: Literal["created_at", "board_name"] = "created_at",
        direction: Literal["ASC", "DESC"] = "DESC",
    ) -> list[IvkBoard]:
        """The records of all boards, newest first.

        Args:
            all: Nothing: boards are always listed in full. Kept for older callers.
            include_uncategorized: Whether to begin with one that stands for the images on no board.
            include_archived: Whether to list archived boards too.
            order_by: What to sort by.
            direction: ``"DESC"`` for the newest first, or for Z to A.
        """
        return self._call(
            self._impl.list_boards(
                all,
                include_uncategorized,
                include_archived=include_archived,
                order_by=order_by,
                direction=direction,
            )
        )

    def get_board_by_id(self, board_id: str) -> IvkBoard | None:
        """A board's record; None where the server has no such board."""
        return self._call(self._impl.get_board_by_id(board_id))

    def get_boards_by_name(self, name: str) -> list[IvkBoard]:
        """The boards of exactly this name, newest first; there may be several. Archived ones count."""
        return self._call(self._impl.get_boards_by_name(name))

    def get_board_handle(self, board_id: str | None) -> BoardHandle:
        """A board to work with.

        Args:
            board_id: Its id; ``"none"`` or None for the images on no board.

        Raises:
            NotFoundError: The server has no such board.
        """
        return wrap(self._call(self._impl.get_board_handle(board_id)))

    def get_board_handle_by_name(self, name: str) -> BoardHandle | None:
        """A board to work with, by its name; None where there is none of this name.

        Raises:
            UsageError: Several boards have this name.
        """
        return wrap(self._call(self._impl.get_board_handle_by_name(name)))

    def get_uncategorized_handle(self) -> BoardHandle:
        """The images on no board, to work with."""
        return wrap(self._call(self._impl.get_uncategorized_handle()))

    def create_board(self, name: str, is_private: bool | None = None) -> BoardHandle:
        """Make a board. Another of the same name does not hinder it.

        Args:
            name: What to call it; at most 300 characters.
            is_private: Whether only its owner is to see it, on a server with several users. By default what
                the server does by default (which is yes, from InvokeAI 6.13).

        Raises:
            UsageError: The name is too long.
        """
        return wrap(self._call(self._impl.create_board(name, is_private)))

    def update_board(
        self,
        board_id: str,
        name: str | None = None,
        is_private: bool | None = None,
        *,
        cover_image_name: str | None = None,
        archived: bool | None = None,
        board_visibility: BoardVisibility | str | None = None,
    ) -> IvkBoard:
        """Change a board.

        Args:
            board_id: The board.
            name: A new name.
            is_private: The same as the visibility "private", or "public" (InvokeAI 6.13+).
            cover_image_name: The image to show for it. InvokeAI 6.14 keeps the choice, but shows the newest image,
                starred ones first.
            archived: Whether listings are to leave it out.
            board_visibility: Who sees it, on a server with several users (InvokeAI 6.13+).

        Returns:
            The board as it is now.

        Raises:
            NotFoundError: The server has no such board.
            UsageError: There is nothing to change, or ``"none"`` was meant, which is no board.
        """
        return self._call(
            self._impl.update_board(
                board_id,
                name,
                is_private,
                cover_image_name=cover_image_name,
                archived=archived,
                board_visibility=board_visibility,
            )
        )

    def delete_board(self, board_id: str, delete_images: bool = False) -> bool:
        """Delete a board for good.

        Args:
            board_id: The board.
            delete_images: Whether to delete the images on it too; otherwise they are on no board afterwards.

        Returns:
            Whether there was such a board.

        Raises:
            UsageError: ``"none"`` was meant, which is no board.
        """
        return self._call(self._impl.delete_board(board_id, delete_images))
