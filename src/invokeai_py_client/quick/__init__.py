"""The commonest tasks in one call each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from invokeai_py_client.quick.quick_client import QuickClient

__all__ = ["QuickClient"]

_WHERE = {
    "QuickClient": "quick.quick_client",
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
