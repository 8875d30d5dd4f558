"""Every change of the public API is intended."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "invokeai_py_client"


def test_public_api_matches_snapshot() -> None:
    """For an intended change, run ``python tools/public_api.py`` and add a line to the changelog."""
    command = [sys.executable, str(ROOT / "tools" / "public_api.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


# Types in annotations of public members that users do not import, each with its reason.
NOT_PUBLIC = {
    "Edge": "inside a LoadedWorkflow",
    "EventHub": "inside a Connection",
    "FormField": "inside a LoadedWorkflow",
    "HttpTransport": "inside a Connection",
    "LoopThread": "inside a Connection",
    "Node": "inside a LoadedWorkflow",
    "NodeNames": "inside Results",
    "Part": "inside a SweepPlan",
    "PoolExecution": "inside a Sweep",
    "Request": "inside a Sweep",
    "ServerInfo": "inside a PoolServer",
    "SweepRuns": "inside a Sweep",
}


def own_classes() -> set[str]:
    """Return the names of all classes in the package, without the types of JSON data, which only checkers import."""
    return {
        node.name
        for path in PACKAGE.rglob("*.py")
        if "wire" not in path.parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
    }


def types_named_by(kind: type) -> Iterator[tuple[str, str]]:
    """Yield the public members of a class, each with the names in its annotations."""
    for base in kind.__mro__:
        if base.__module__.split(".")[0] == "invokeai_py_client":
            annotations = dict(inspect.get_annotations(base))
            for name, member in list(vars(base).items()):
                function = getattr(member, "__func__", getattr(member, "fget", member))
                if callable(function) and not isinstance(function, type):
                    annotations[name] = " ".join(map(str, getattr(function, "__annotations__", {}).values()))
            for name, text in annotations.items():
                if not name.startswith("_"):
                    yield from (
                        (f"{kind.__name__}.{name}", word) for word in re.findall(r"\b[A-Z]\w+", str(text))
                    )


def test_users_can_import_every_type_that_public_members_name() -> None:
    public: dict[str, object] = {}
    for module in ("invokeai_py_client", "invokeai_py_client.ivk_fields", "invokeai_py_client.server"):
        there = importlib.import_module(module)
        public |= {name: getattr(there, name) for name in dir(there) if not name.startswith("_")}
    own = own_classes()
    named: dict[str, str] = {}
    for value in public.values():
        if isinstance(value, type):
            named |= {word: member for member, word in types_named_by(value) if word in own}
    assert len(named) > 60
    assert {word: member for word, member in named.items() if word not in {*public, *NOT_PUBLIC}} == {}
    assert NOT_PUBLIC.keys() <= named.keys(), "no longer needed"
