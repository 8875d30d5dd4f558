"""Boards and the images on them.

The names are those that version 1 had here. They are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invokeai_py_client._lazy import old_names

if TYPE_CHECKING:
    from invokeai_py_client._sync import BoardHandle, BoardRepository
    from invokeai_py_client.models.board import IvkBoard as Board

__all__ = ["Board", "BoardHandle", "BoardRepository"]

__getattr__ = old_names(__name__)


def __dir__() -> list[str]:
    return __all__
