"""The layers of the package: imports point down only, there are no cycles, and private attributes stay private."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

import invokeai_py_client

PACKAGE = Path(invokeai_py_client.__file__).parent
NAME = "invokeai_py_client"

# Packages and single modules, from the highest layer to the lowest. A module may import from its package and from lower
# layers, but not from other packages in the same layer. The top-level ``__init__`` contains names and the version and
# imports nothing at run time, so every layer may use it.
LAYERS: list[set[str]] = [
    {"_sync", "_sync_api"},
    {"cli"},
    {"quick", "doctor"},
    {"pool"},
    {"client"},
    {"workflow"},
    {"recipes"},
    {"sweep"},
    {"administration", "dnn_model", "queue", "display", "prompts", "user"},
    {"events"},
    {"run"},
    {"board", "gallery", "presets"},
    {"video"},
    {"image"},
    {"recall"},
    {"v1"},
    {"files"},
    {"engine"},
    {"ivk_fields"},
    {"editor"},
    {"library"},
    {"lookup"},
    {"api"},
    {"connection"},
    {"schema", "pool_settings"},
    {"config"},
    {"transport", "config_file"},
    {"models"},
    {"server"},
    {"_face"},
    {"_partial", "_paths"},
    {"_names"},
    {"_lock"},
    {"_aio", "_atomic", "_base", "_given", "_lazy", "_pillow", "_records", "_toml"},
    {"errors"},
    {"_text"},
]

# Imports that point up, each with its reason. Two modules are imported by name and so are not listed: the synchronous
# classes (in ``_face.py``), and the table of moved modules (in ``__init__.py``).
UPWARD: dict[tuple[str, str], str] = {}

# Private attributes of other objects, as "module: attribute", each with its reason. The libraries have no public API
# for these operations on their sockets and sessions.
PRIVATE: dict[tuple[str, str], str] = {
    ("transport.http", "_retry_connection"): "aiohttp repeats requests by itself, without a way to say no",
    ("transport.socket", "_connect_websocket"): "the library's session follows redirects; ours does not",
    ("transport.socket", "_get_engineio_url"): "proxies do not know the scheme ws",
    ("transport.socket", "_receive_packet"): "the library runs a task for each event, which doubles the time",
    ("transport.socket", "_handle_eio_disconnect"): "notices that a connection breaks while it is being made",
}


class Import(NamedTuple):
    """An import statement that runs, at the top of a module or inside a function."""

    module: str
    target: str
    line: int


def modules() -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = list(path.relative_to(PACKAGE).with_suffix("").parts)
        if parts[:2] == ["server", "inside"]:  # runs in the server's own environment, without this package
            continue
        if parts[-1] == "__init__":
            parts.pop()
        found[".".join([NAME, *parts])] = path
    return found


MODULES = modules()


@cache
def trees() -> dict[str, ast.Module]:
    """Return the parsed modules. Parsing takes seconds, too long for a process that only collects tests."""
    return {module: ast.parse(path.read_text()) for module, path in MODULES.items()}


def is_for_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def running(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield all nodes except those under ``if TYPE_CHECKING``."""
    for child in ast.iter_child_nodes(tree):
        if not is_for_checkers(child):
            yield child
            yield from running(child)


@cache
def imports() -> list[Import]:
    found: list[Import] = []
    for module, tree in trees().items():
        for node in running(tree):
            if isinstance(node, ast.ImportFrom):
                base = node.module or ""
                names = [f"{base}.{alias.name}" for alias in node.names]
                targets = {name if name in MODULES else base for name in names}
            elif isinstance(node, ast.Import):
                targets = {alias.name for alias in node.names}
            else:
                continue
            found += [Import(module, target, node.lineno) for target in targets if target in MODULES]
    return found


def package_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def layer_of(package: str) -> int:
    """Return the number of a package's layer, counted from the highest."""
    return next(number for number, layer in enumerate(LAYERS) if package in layer)


def test_every_package_has_one_layer() -> None:
    listed = [package for layer in LAYERS for package in layer]
    assert sorted(listed) == sorted({package_of(module) for module in MODULES} - {""})


def test_imports_point_down() -> None:
    wrong = {
        (one.module, one.target): one.line
        for one in imports()
        if package_of(one.module) != package_of(one.target)
        and package_of(one.target)
        and (
            not package_of(one.module) or layer_of(package_of(one.module)) >= layer_of(package_of(one.target))
        )
    }
    assert {
        f"{module}:{line} imports {target}"
        for (module, target), line in wrong.items()
        if (module, target) not in UPWARD
    } == set()
    assert UPWARD.keys() <= wrong.keys(), "no longer needed"


def circles(edges: Mapping[str, set[str]]) -> list[list[str]]:
    """Return the groups of nodes that reach each other (Tarjan's strongly connected components)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        number[node] = low[node] = len(number)
        stack.append(node)
        for other in edges.get(node, ()):
            if other not in number:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], number[other])
        if low[node] == number[node]:
            group = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(group) > 1:
                found.append(sorted(group))

    for node in edges:
        if node not in number:
            visit(node)
    return found


def test_cycles_are_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [["b", "c"]]


@pytest.mark.parametrize("by_package", [False, True], ids=["files", "packages"])
def test_no_import_cycles(by_package: bool) -> None:
    edges: dict[str, set[str]] = {}
    for one in imports():
        if not package_of(one.target):
            continue
        pair = (package_of(one.module), package_of(one.target)) if by_package else (one.module, one.target)
        if pair[0] != pair[1]:
            edges.setdefault(pair[0], set()).add(pair[1])
    assert circles(edges) == []


def own_names(tree: ast.AST) -> set[str]:
    """Return the private names that a module defines for its classes and objects."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.AnnAssign | ast.Assign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                parts = target.elts if isinstance(target, ast.Tuple) else [target]
                names |= {part.attr for part in parts if isinstance(part, ast.Attribute) and is_own(part)}
                names |= {part.id for part in parts if isinstance(part, ast.Name)}
    return names


def is_own(node: ast.Attribute) -> bool:
    return ast.unparse(node.value) in ("self", "cls", "super()")


def private_uses(tree: ast.AST) -> Iterator[ast.Attribute]:
    """Return private attributes, except those of ``self``, ``cls`` and ``super()``, that the module does not define."""
    own = own_names(tree)
    for node in running(tree):
        if not isinstance(node, ast.Attribute) or not node.attr.startswith("_") or node.attr.endswith("__"):
            continue
        if not is_own(node) and node.attr not in own:
            yield node


def test_private_attributes_are_only_used_by_their_module() -> None:
    found = {
        (module.removeprefix(f"{NAME}."), node.attr)
        for module, tree in trees().items()
        # Generated: each class uses the private attributes of its asynchronous object.
        if package_of(module) not in ("_sync", "_sync_api")
        for node in private_uses(tree)
    }
    assert found - PRIVATE.keys() == set()
    assert PRIVATE.keys() <= found, "no longer needed"


def test_a_private_attribute_of_another_module_is_noticed() -> None:
    tree = ast.parse(
        "class A:\n    def f(self, other):\n        self._own = other._own\n        return other._strange\n"
    )
    assert [node.attr for node in private_uses(tree)] == ["_strange"]


def test_async_classes_do_not_form_chains() -> None:
    """A class is one idea in one file, so no ``Async`` class continues another one."""
    continued = {
        f"{module}.{node.name}": bases
        for module, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        and node.name.startswith("Async")
        and (bases := [ast.unparse(base) for base in node.bases if ast.unparse(base).startswith("Async")])
        not in ([], ["AsyncObject"])
    }
    assert continued == {}


PURE = {"engine", "editor", "ivk_fields", "models", "schema"}
# Reads a server's schema. Everything else in these packages is pure.
ASKS = {f"{NAME}.schema.source"}


def test_pure_packages_have_no_await() -> None:
    waiting = {
        module
        for module, tree in trees().items()
        if package_of(module) in PURE
        and any(isinstance(node, ast.AsyncFunctionDef | ast.Await) for node in ast.walk(tree))
    }
    assert waiting == ASKS


# The part of ``pool`` that decides. It has no I/O and no clock, so that tests can play any sequence of events.
DECIDES = {
    f"{NAME}.pool.{module}"
    for module in (
        *("backlog", "choice", "chunk", "dispatch", "fit", "model_match", "placement", "results", "roster"),
    )
}


def test_the_decisions_of_a_pool_have_no_io_and_no_clock() -> None:
    for module in DECIDES:
        nodes = list(ast.walk(trees()[module]))
        assert not any(isinstance(node, ast.AsyncFunctionDef | ast.Await) for node in nodes), module
        assert not any(
            isinstance(node, ast.Import | ast.ImportFrom)
            and {"time", "datetime", "asyncio"}
            & {getattr(node, "module", None), *(one.name for one in node.names)}
            for node in nodes
        ), module
    used = {one.target for one in imports() if one.module in DECIDES} - DECIDES
    allowed = {f"{NAME}.errors", f"{NAME}._text", f"{NAME}.run.batch_ids"}
    assert {target for target in used - allowed if package_of(target) not in PURE} == set()


# Modules that contain paths of the server's API although they are not in ``api``, each with its reason.
PATHS = {
    "cli.api": "completes the path of a request that the user wrote",
    "run.queue_items": "a request of 5.15 that newer servers do not have",
    "schema.source": "below the API layer, which asks for the version if an operation is missing",
    "server.health": "runs without a client",
    "server.model_files": "runs without a client",
    "transport.auth": "signs in for every request, so it is below the API layer",
    "transport.payload": "completes the path of a request that the user wrote",
    "transport.settings": "removes the API's path from addresses that users pass",
    "v1.client": "a property of version 1 is the address of the API",
}


def texts(tree: ast.AST) -> Iterator[str]:
    """Yield the texts in a module, except docstrings."""
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value


def test_paths_of_the_server_are_in_the_api_layer() -> None:
    found = {
        module.removeprefix(f"{NAME}.")
        for module, tree in trees().items()
        if package_of(module) != "api" and any("/api/v" in text for text in texts(tree))
    }
    assert found - PATHS.keys() == set()
    assert PATHS.keys() <= found, "no longer needed"
