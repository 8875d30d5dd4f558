"""Common tasks in one call each.

This module exports version 1's names. They are loaded on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invokeai_py_client._lazy import old_names

if TYPE_CHECKING:
    from invokeai_py_client._sync import QuickClient

__all__ = ["QuickClient"]

__getattr__ = old_names(__name__)


def __dir__() -> list[str]:
    return __all__
