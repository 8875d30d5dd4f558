"""Write a snapshot of the public API, so that changes are visible and intentional.

    python tools/public_api.py           write tests/data/public-api.txt
    python tools/public_api.py --check   print the differences and exit 1 if that file is out of date

One line for each public name under the path that users import: classes with their bases, functions and methods with
their signatures, and attributes of records. Old names are in invokeai_py_client/v1/names.py.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SNAPSHOT = ROOT / "tests" / "data" / "public-api.txt"
MODULES = (
    "invokeai_py_client",
    "invokeai_py_client.errors",
    "invokeai_py_client.ivk_fields",
    "invokeai_py_client.models",
    "invokeai_py_client.server",
)
"""The public modules. All others are private."""


def public_api() -> list[str]:
    """Return the lines of the snapshot. A class with several paths is described under the first one."""
    lines: list[str] = []
    known: dict[type, str] = {}
    for module_name in MODULES:
        module = importlib.import_module(module_name)
        names: list[str] = getattr(module, "__all__", None) or [
            name for name, value in vars(module).items() if getattr(value, "__module__", None) == module_name
        ]
        for name in sorted(names or dir(module)):
            if name.startswith("_"):
                continue
            path, value = f"{module_name}.{name}", getattr(module, name)
            if inspect.isclass(value):
                first = known.setdefault(value, f"{module_name}.{value.__name__}")
                if first != path:
                    lines.append(f"{path} is {first}")
                    continue
            lines += _described(path, value)
    return lines


def _described(path: str, value: Any) -> Iterator[str]:
    if inspect.isclass(value):
        bases = ", ".join(base.__name__ for base in value.__bases__ if base is not object)
        yield f"class {path}({bases})"
        if not _is_of_a_library(value, "__init__"):
            yield f"    __init__{_shape(value.__init__)}"
        for name in sorted({*dir(value), *getattr(value, "model_fields", ())} - set(dir(object))):
            if not name.startswith("_") and not _is_of_a_library(value, name):
                yield f"    {name}{_shape(inspect.getattr_static(value, name, None))}"
    else:
        yield f"{path}{_shape(value)}"


def _is_of_a_library(owner: type, name: str) -> bool:
    """Return whether a member comes from a base class of another package."""
    for base in owner.__mro__:
        if name in vars(base) or name in getattr(base, "__annotations__", {}):
            return not base.__module__.startswith("invokeai_py_client")
    return False


def _shape(member: Any) -> str:
    if isinstance(member, property):
        return ": property"
    member = getattr(member, "__func__", member)  # of class methods and static methods
    if inspect.isroutine(member) and callable(member):
        try:
            return str(inspect.signature(member))
        except (TypeError, ValueError):
            return "(...)"
    return ""


def main() -> int:
    parser = argparse.ArgumentParser(description="Write a snapshot of the public API.")
    parser.add_argument("--check", action="store_true", help="compare with the snapshot")
    options = parser.parse_args()
    now = public_api()
    if not options.check:
        SNAPSHOT.write_text("\n".join(now) + "\n", encoding="utf-8")
        return 0
    known = SNAPSHOT.read_text(encoding="utf-8").splitlines()
    changes = list(difflib.unified_diff(known, now, "public-api.txt", "the code", lineterm="", n=0))
    print("\n".join(changes))
    return 1 if changes else 0


if __name__ == "__main__":
    sys.exit(main())
