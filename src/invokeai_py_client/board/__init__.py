"""Boards, and the images on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invokeai_py_client._lazy import lazy_names

if TYPE_CHECKING:
    from invokeai_py_client.board.board_handle import BoardHandle
    from invokeai_py_client.board.board_model import Board
    from invokeai_py_client.board.board_repo import BoardRepository

__all__ = ["Board", "BoardHandle", "BoardRepository"]

_WHERE = {
    "Board": "board.board_model",
    "BoardHandle": "board.board_handle",
    "BoardRepository": "board.board_repo",
}

__getattr__, __dir__ = lazy_names(__name__, _WHERE, base="invokeai_py_client")
