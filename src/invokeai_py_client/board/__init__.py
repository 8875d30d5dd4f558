"""Boards and the images on them.

This module exports version 1's names. They are loaded on first use.
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
