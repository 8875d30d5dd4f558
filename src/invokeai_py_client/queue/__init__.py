"""Queues and their items.

These are the names that version 1 had in this module. They are imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invokeai_py_client._lazy import old_names

if TYPE_CHECKING:
    from invokeai_py_client._sync import JobHandle, QueueHandle, QueueRepository

__all__ = ["JobHandle", "QueueHandle", "QueueRepository"]

__getattr__ = old_names(__name__)


def __dir__() -> list[str]:
    return __all__
