"""Old module names: the table in v1/names.py and its import hook."""

from __future__ import annotations

import importlib
import importlib.util
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

import invokeai_py_client
from invokeai_py_client.v1.names import GONE, MOVED, NAMES

PACKAGE = Path(invokeai_py_client.__file__).parent
NAME = "invokeai_py_client"


def module(name: str) -> Any:
    return importlib.import_module(f"{NAME}.{name}")


def exists(name: str) -> bool:
    """Return whether a module has a file."""
    path = PACKAGE.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or path.joinpath("__init__.py").exists()


OLD_MODULES = [name for name in NAMES if not exists(name)]
CURRENT_MODULES = [name for name in NAMES if exists(name)]


def python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


# --------------------------------------------------------------------------- the table


def test_old_names_do_not_hide_current_modules() -> None:
    assert not [old for old in [*MOVED, *GONE] if exists(old)]
    assert [new for new in MOVED.values() if not exists(new)] == []
    assert not MOVED.keys() & NAMES.keys()
    assert len(OLD_MODULES) > 15
    assert CURRENT_MODULES == ["board", "client", "dnn_model", "queue", "quick", "workflow", "run.tracker"]


@pytest.mark.parametrize("old", MOVED)
def test_moved_module_is_the_current_module(old: str) -> None:
    new = module(MOVED[old])
    assert module(old) is new
    assert new.__name__ == f"{NAME}.{MOVED[old]}"
    assert new.__spec__.name == new.__name__, "the current module keeps its spec"
    spec = importlib.util.find_spec(f"{NAME}.{old}")
    assert spec is new.__spec__


@pytest.mark.parametrize(("old", "name"), [(old, name) for old in NAMES for name in NAMES[old]])
def test_old_name_is_the_current_object(old: str, name: str) -> None:
    home, _, new = NAMES[old][name].partition(":")
    value = getattr(module(old), name)
    assert value is getattr(importlib.import_module(home), new)
    assert (value.__module__, value.__name__) == (home, new)


@pytest.mark.parametrize("old", OLD_MODULES)
def test_star_import_of_an_old_module(old: str) -> None:
    found: dict[str, object] = {}
    exec(f"from {NAME}.{old} import *", found)
    assert found.keys() - {"__builtins__"} == NAMES[old].keys()


# --------------------------------------------------------------------------- the finder


def test_specs_are_found_without_an_import() -> None:
    code = (
        "import importlib.util, sys\n"
        f"for name in ('board.board_handle', 'workflow.definition', 'workflow.field_plugins'):\n"
        f"    spec = importlib.util.find_spec('{NAME}.' + name)\n"
        "    print(spec.name, spec.loader.is_package(spec.name), spec.name in sys.modules)\n"
    )
    done = python("-c", code)
    assert done.stdout.splitlines() == [
        f"{NAME}.{name} False False"
        for name in ("board.board_handle", "workflow.definition", "workflow.field_plugins")
    ]


@pytest.mark.parametrize(
    "name",
    ["board.board_handel", "nothing", "_sync.nothing", "v1.nothing", "errors.nothing", "sweep.follow.more"],
)
def test_unknown_modules_raise_module_not_found(name: str) -> None:
    with pytest.raises(ModuleNotFoundError) as raised:
        module(name)
    assert str(raised.value).startswith(f"No module named '{NAME}.{name}'")
    assert raised.value.name == f"{NAME}.{name}"


def test_missing_names_of_old_modules_raise() -> None:
    with pytest.raises(
        ImportError, match=r"cannot import name 'Nothing' from 'invokeai_py_client\.board\.board_handle'"
    ):
        exec(f"from {NAME}.board.board_handle import Nothing")
    with pytest.raises(ImportError, match=r"cannot import name 'Nothing' from 'invokeai_py_client\.client'"):
        exec(f"from {NAME}.client import Nothing")


def test_old_names_are_loaded_lazily() -> None:
    code = (
        f"import sys, {NAME}, {NAME}.client, {NAME}.run.tracker\n"
        f"from {NAME} import InvokeAIClient, Run, IvkJob\n"
        f"print([name for name in sys.modules if name.startswith('{NAME}.v1.') and name != '{NAME}.v1.client'])\n"
    )
    assert python("-c", code).stdout == "[]\n"


def test_missing_v1_package_does_not_recurse() -> None:
    code = f"import sys, {NAME}; sys.modules['{NAME}.v1'] = None; import {NAME}.board.board_handle"
    done = python("-c", code)
    assert done.returncode == 1
    assert "ModuleNotFoundError" in done.stderr
    assert "RecursionError" not in done.stderr


def test_reload_adds_no_second_finder() -> None:
    code = (
        f"import importlib, sys, {NAME}\n"
        "before = len(sys.meta_path)\n"
        f"importlib.reload({NAME})\n"
        "print(len(sys.meta_path) - before)\n"
        f"import {NAME}.board.board_handle as old; print(old.BoardHandle.__name__)\n"
    )
    assert python("-c", code).stdout == "0\nBoardHandle\n"


@pytest.mark.parametrize("name", ["workflow.definition", "board.board_handle"])
def test_old_modules_run_with_python_m(name: str) -> None:
    done = python("-m", f"{NAME}.{name}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_old_modules_in_a_zip_file(tmp_path: Path) -> None:
    archive = tmp_path / "package.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in PACKAGE.rglob("*.py"):
            file.write(path, path.relative_to(PACKAGE.parent))
    code = (
        f"import {NAME}.board.board_handle as small, {NAME}.workflow.definition as moved, {NAME}\n"
        f"print({NAME}.__file__); print(small.BoardHandle.__module__, moved.__name__)\n"
    )
    done = python("-c", code, PYTHONPATH=str(archive))
    assert done.stdout.splitlines() == [
        str(archive / NAME / "__init__.py"),
        f"{NAME}._sync {NAME}.engine.definition",
    ]
    done = python("-m", f"{NAME}.workflow.definition", PYTHONPATH=str(archive))
    assert (done.returncode, done.stderr) == (0, "")


# --------------------------------------------------------------------------- pickles


@pytest.mark.parametrize(
    ("old", "name"),
    [
        ("_sync.face", "wrap"),
        ("_sync.client", "InvokeAIClient"),
        ("older", "Answer"),
        ("run.tracker", "Story"),
        ("workflow.loaded", "LoadedWorkflow"),
        ("board.board_model", "Board"),
    ],
)
def test_pickle_with_an_old_module_name_loads(old: str, name: str) -> None:
    """Check in a new process, in which nothing has been imported yet."""
    stream = f"c{NAME}.{old}\n{name}\n."
    code = f"import pickle; print(pickle.loads({stream.encode()!r}).__name__)"
    done = python("-c", code)
    value = pickle.loads(stream.encode())
    assert done.stdout == f"{value.__name__}\n"
    again = pickle.dumps(value)
    assert pickle.loads(again) is value
    assert old.encode() not in again or old == "run.tracker", "new pickles name the current module"
