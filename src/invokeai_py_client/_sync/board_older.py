"""What version 1's repository of boards had besides: images by their names, wherever they are."""

# Written by tools/generate_sync.py from src/invokeai_py_client/board/older.py:
# change that, and run it again.
# pyright: reportPrivateUsage=false, reportIncompatibleVariableOverride=false

from __future__ import annotations

from typing import TYPE_CHECKING

from invokeai_py_client._sync.face import Face
from invokeai_py_client.board.older import AsyncOlderBoardRepository

if TYPE_CHECKING:
    from invokeai_py_client.models import IvkBoard, IvkImage


class OlderBoardRepository(Face[AsyncOlderBoardRepository]):
    """Images by their names, and the board of those that are on none."""

    def get_uncategorized_board(self) -> IvkBoard:
        """The record that stands for the images on no board, with their count."""
        return self._call(self._impl.get_uncategorized_board())

    def get_image_by_name(self, image_name: str) -> IvkImage | None:
        """An image's record, whatever board it is on; None where the server has no such image."""
        return self._call(self._impl.get_image_by_name(image_name))

    def get_image_current_board_id(self, image_name: str) -> str | None:
        """The board that an image is on, ``"none"`` for no board; None where the server has no such image."""
        return self._call(self._impl.get_image_current_board_id(image_name))

    def move_image_to_board_by_name(self, image_name: str, target_board_name: str) -> bool:
        """Put an image on the board of a name.

        Returns:
            Whether the server moved it; False where it has no such image, or no board of that name.

        Raises:
            UsageError: Several boards have this name.
        """
        return self._call(self._impl.move_image_to_board_by_name(image_name, target_board_name))

    def clear_cache(self) -> None:
        """Nothing: boards are never cached. Kept for older callers."""
        self._impl.clear_cache()
