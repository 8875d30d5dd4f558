"""Loads modules under the names that they had before, by the table in ``names.py``."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.abc import InspectLoader
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import CodeType, ModuleType
from typing import cast

from invokeai_py_client.v1.names import GONE, MOVED, NAMES

_PACKAGE = "invokeai_py_client"


def find_old_module(fullname: str) -> ModuleSpec | None:
    """Return the spec of an old module, or None if there was no such module.

    Args:
        fullname: The name of a module below this package that does not exist.
    """
    old = fullname.removeprefix(f"{_PACKAGE}.")
    if old in MOVED:
        loader: InspectLoader = _MovedModule(f"{_PACKAGE}.{MOVED[old]}")
    elif old in GONE:
        loader = _SmallModule(f"raise ImportError({GONE[old]!r})\n")
    elif old in NAMES:
        loader = _SmallModule(_imports(NAMES[old]))
    else:
        return None
    return ModuleSpec(fullname, loader, origin=f"{_PACKAGE}.v1.names")


def _imports(names: dict[str, str]) -> str:
    """Return the source of a module that imports names from where they are now."""
    lines: list[str] = []
    for old, target in names.items():
        module, _, name = target.partition(":")
        lines.append(f"from {module} import {name} as {old}\n")
    return "".join([*lines, f"__all__ = {sorted(names)}\n"])


class _SmallModule(InspectLoader):
    """Loads a module with a source of a few lines."""

    def __init__(self, source: str) -> None:
        self._source = source

    def is_package(self, fullname: str) -> bool:
        del fullname
        return False

    def get_source(self, fullname: str) -> str:
        del fullname
        return self._source


class _MovedModule(InspectLoader):
    """Loads a module of today in place of an old one."""

    def __init__(self, target: str) -> None:
        self._target = target

    def exec_module(self, module: ModuleType) -> None:
        # The import system takes what is in sys.modules after this. So the module keeps its own name and spec.
        sys.modules[module.__name__] = import_module(self._target)

    def is_package(self, fullname: str) -> bool:
        del fullname
        return False

    def get_source(self, fullname: str) -> str | None:
        del fullname
        return self._real().get_source(self._target)

    def get_code(self, fullname: str) -> CodeType | None:
        """Return the code of the real module, which ``python -m`` runs."""
        del fullname
        return self._real().get_code(self._target)

    def _real(self) -> InspectLoader:
        spec = find_spec(self._target)
        if spec is None:
            raise ModuleNotFoundError(f"No module named {self._target!r}", name=self._target)
        return cast("InspectLoader", spec.loader)
