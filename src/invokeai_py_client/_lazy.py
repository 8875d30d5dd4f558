"""Lazy loading of a package's names, so that importing the package is fast."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def lazy_names(
    package: str, where: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` for a package.

    Args:
        package: The ``__name__`` of the package.
        where: The module that defines each name, relative to the package.
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
    """Return ``__getattr__`` for a module that has old names in ``v1/names.py``.

    Args:
        module: The ``__name__`` of the module.
    """

    def load(name: str) -> Any:
        if name.startswith("__"):  # the import system asks for __path__
            raise _no_attribute(module, name)
        from importlib import import_module

        # Imported by name, because modules of all layers have old names. The table itself imports nothing.
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
