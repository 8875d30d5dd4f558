"""What version 1's repository of boards had besides: images by their names, wherever they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from invokeai_py_client.errors import NotFoundError
from invokeai_py_client.models import UNCATEGORIZED

if TYPE_CHECKING:
    from invokeai_py_client.board.handle import AsyncBoardHandle
    from invokeai_py_client.image.repository import AsyncImageRepository
    from invokeai_py_client.models import IvkBoard, IvkImage


class _Boards(Protocol):
    """What these methods need of the board repository."""

    @property
    def images(self) -> AsyncImageRepository: ...

    async def get_board_by_id(self, board_id: str) -> IvkBoard | None: ...

    async def get_board_handle_by_name(self, name: str) -> AsyncBoardHandle | None: ...

    async def get_image_by_name(self, image_name: str) -> IvkImage | None: ...


class OlderBoards:
    """Images by their names, and the board of those that are on none."""

    async def get_uncategorized_board(self: _Boards) -> IvkBoard:
        """The record that stands for the images on no board, with their count."""
        board = await self.get_board_by_id(UNCATEGORIZED)
        assert board is not None, "there is always such a record"
        return board

    async def get_image_by_name(self: _Boards, image_name: str) -> IvkImage | None:
        """An image's record, whatever board it is on; None where the server has no such image."""
        try:
            return await self.images.get_image(image_name)
        except NotFoundError:
            return None

    async def get_image_current_board_id(self: _Boards, image_name: str) -> str | None:
        """The board that an image is on, ``"none"`` for no board; None where the server has no such image."""
        image = await self.get_image_by_name(image_name)
        return None if image is None else image.board_id or UNCATEGORIZED

    async def move_image_to_board_by_name(self: _Boards, image_name: str, target_board_name: str) -> bool:
        """Put an image on the board of a name.

        Returns:
            Whether the server moved it; False where it has no such image, or no board of that name.

        Raises:
            UsageError: Several boards have this name.
        """
        board = await self.get_board_handle_by_name(target_board_name)
        return False if board is None else await board.add_image(image_name)

    def clear_cache(self) -> None:
        """Nothing: boards are never cached. Kept for older callers."""
