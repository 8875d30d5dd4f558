"""Packages whose names are loaded when they are first used, so that importing them costs nothing."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def lazy_names(
    package: str, where: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the ``__getattr__`` and ``__dir__`` of a package.

    Args:
        package: The package, its ``__name__``.
        where: The module of each name, below the package.
    """

    def load(name: str) -> Any:
        if name not in where:
            raise _no_attribute(package, name)
        from importlib import import_module

        value = getattr(import_module(f"{package}.{where[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    def names() -> list[str]:
        return sorted(where)

    return load, names


def old_names(module: str) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a module whose old names are in the table of ``v1/names.py``.

    Args:
        module: The module, its ``__name__``.
    """

    def load(name: str) -> Any:
        if name.startswith("__"):  # the import system asks for __path__
            raise _no_attribute(module, name)
        from importlib import import_module

        # By name, because modules of all layers have old names. The table imports nothing.
        table = import_module("invokeai_py_client.v1.names").NAMES
        target = table[module.removeprefix("invokeai_py_client.")].get(name)
        if target is None:
            raise _no_attribute(module, name)
        home, _, new = target.partition(":")
        value = getattr(import_module(home), new)
        setattr(sys.modules[module], name, value)
        return value

    return load


def _no_attribute(module: str, name: str) -> AttributeError:
    return AttributeError(f"module {module!r} has no attribute {name!r}")
