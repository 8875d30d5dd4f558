"""Boards, and the images on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"invokeai_py_client.{_WHERE[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
