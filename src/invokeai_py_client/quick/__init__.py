"""The commonest tasks in one call each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invokeai_py_client._lazy import lazy_names

if TYPE_CHECKING:
    from invokeai_py_client.quick.quick_client import QuickClient

__all__ = ["QuickClient"]

_WHERE = {
    "QuickClient": "quick.quick_client",
}

__getattr__, __dir__ = lazy_names(__name__, _WHERE, base="invokeai_py_client")
