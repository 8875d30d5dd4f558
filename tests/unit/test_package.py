"""The top-level package: its public names, and the modules that an import loads."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import invokeai_py_client
from invokeai_py_client import errors

SOURCE = Path(invokeai_py_client.__file__)
# Libraries for networking, drawing and validation, and their dependencies.
HEAVY = {
    "aiohttp",
    "click",
    "engineio",
    "multidict",
    "numpy",
    "PIL",
    "platformdirs",
    "pydantic",
    "pydantic_core",
    "rich",
    "socketio",
    "yarl",
}


def loaded_by(code: str) -> set[str]:
    """Return the modules that some code loads, except those that Python itself loads at startup."""

    def modules(program: str) -> set[str]:
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-c", program],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return set(re.findall(r"^import time:\s+\d+ \|\s+\d+ \|\s*(\S+)$", done.stderr, re.MULTILINE))

    found = modules(code)
    assert "invokeai_py_client" in found
    return found - modules("pass")


def tops(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}


def own(modules: set[str]) -> set[str]:
    return {
        name.removeprefix("invokeai_py_client.") for name in modules if name.startswith("invokeai_py_client.")
    }


# --------------------------------------------------------------------------- names


def type_checked_names() -> dict[str, str]:
    """Return the names under TYPE_CHECKING and the modules that define them."""
    tree = ast.parse(SOURCE.read_text())
    (block,) = [
        node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    return {
        alias.asname or alias.name: node.module or ""
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


WHERE = {
    name: f"invokeai_py_client.{module}"
    for module, names in invokeai_py_client._NAMES.items()
    for name in names.split()
}


def test_all_lists_of_names_agree() -> None:
    assert type_checked_names() == WHERE
    assert sorted(invokeai_py_client.__all__) == sorted([*WHERE, "__version__"])
    assert sorted(dir(invokeai_py_client)) == sorted(invokeai_py_client.__all__)


@pytest.mark.parametrize("name", invokeai_py_client.__all__)
def test_every_name_can_be_imported(name: str) -> None:
    value = getattr(invokeai_py_client, name)
    assert value is getattr(invokeai_py_client, name)
    if name != "__version__":
        assert value.__name__ == invokeai_py_client._ALIASES.get(name, name)
        assert value.__module__ == WHERE[name]


def test_unknown_name_raises_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"module 'invokeai_py_client' has no attribute 'Nothing'"):
        _ = invokeai_py_client.Nothing  # type: ignore[attr-defined]
    with pytest.raises(ImportError, match="Nothing"):
        exec("from invokeai_py_client import Nothing")


def test_star_import_imports_all_names() -> None:
    names: dict[str, object] = {}
    exec("from invokeai_py_client import *", names)
    assert set(invokeai_py_client.__all__) <= set(names)


def test_version_is_a_version_number() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+([a-z]+\d+)?", invokeai_py_client.__version__)


def test_package_is_marked_as_typed() -> None:
    assert (SOURCE.parent / "py.typed").is_file()


# --------------------------------------------------------------------------- modules loaded by imports


def test_bare_import_loads_nothing() -> None:
    loaded = loaded_by("import invokeai_py_client")
    assert not tops(loaded) & HEAVY
    assert not tops(loaded) & {
        "asyncio",
        "email",
        "http",
        "importlib.metadata",
        "inspect",
        "logging",
        "ssl",
        "json",
    }
    assert own(loaded) == set()


def test_client_loads_neither_connections_nor_models() -> None:
    loaded = loaded_by("from invokeai_py_client import InvokeAIClient; InvokeAIClient.from_url()")
    assert not tops(loaded) & HEAVY
    assert not own(loaded) & {
        "transport.http",
        "transport.socket",
        "transport.loop",
        "models",
        "run.run",
        "schema.template",
    }


def test_client_class_loads_no_areas() -> None:
    code = (
        "from invokeai_py_client import InvokeAIClient, Run, Sweep, WorkflowHandle\n"
        "import sys; print(*sorted(name for name in sys.modules if name.startswith('invokeai_py_client.')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == [f"invokeai_py_client.{name}" for name in ("_base", "_face", "_sync")]


def test_errors_load_nothing() -> None:
    assert own(loaded_by("from invokeai_py_client.errors import InvokeAIClientError")) == {"errors"}


def test_images_are_not_needed_before_one_is_opened() -> None:
    loaded = loaded_by("import invokeai_py_client.image.image, invokeai_py_client.run.run")
    assert not tops(loaded) & {"PIL", "numpy", "rich", "aiohttp", "socketio"}


# --------------------------------------------------------------------------- the layers


def test_errors_import_nothing_of_the_package() -> None:
    tree = ast.parse(Path(errors.__file__).read_text())
    imported = [node.module or "" for node in tree.body if isinstance(node, ast.ImportFrom)]
    assert not [module for module in imported if module.startswith("invokeai_py_client")]


@pytest.mark.parametrize("library", ["aiohttp", "socketio"])
def test_network_libraries_are_used_by_few_files(library: str) -> None:
    """Annotations of the library clients that the contract returns are allowed."""
    homes = {
        "aiohttp": {"transport/http.py", "transport/http_errors.py"},
        "socketio": {"transport/socket.py"},
    }[library]
    at_run_time: set[str] = set()
    for path in SOURCE.parent.rglob("*.py"):
        relative = path.relative_to(SOURCE.parent).as_posix()
        if relative.startswith("server/inside/"):  # runs in the server's own environment
            continue
        text = path.read_text()
        if library not in text:
            continue
        tree = ast.parse(text)
        for_checkers = {
            id(inner)
            for node in ast.walk(tree)
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
            for inner in ast.walk(node)
        }
        for node in ast.walk(tree):
            if id(node) in for_checkers:
                continue
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.partition(".")[0] == library for name in names):
                at_run_time.add(relative)
    assert at_run_time == homes
