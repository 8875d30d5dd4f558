"""Write the synchronous classes from the asynchronous ones.

    python tools/generate_sync.py           write src/invokeai_py_client/_sync/
    python tools/generate_sync.py --check   exit 1 if what is there is not what would be written

Every class ``AsyncX`` of the package becomes ``X`` with the same methods, signatures, types and docstrings.
A coroutine method becomes a plain one that hands the call to the client's background loop; an asynchronous
iterator becomes an iterator; properties and plain methods are passed on. ``@face(...)`` changes a name,
keeps an asynchronous version beside the synchronous one, or leaves a method alone.
"""

from __future__ import annotations

import argparse
import ast
import re
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "invokeai_py_client"
TARGET = PACKAGE / "_sync"
BY_HAND = {"__init__.py", "face.py"}
HEADER = (
    '"""{doc}"""\n\n# Written by tools/generate_sync.py from {source}:\n# change that, and run it again.\n'
    # The face of a subclass stands before the subclass.
    "# pyright: reportPrivateUsage=false, reportIncompatibleVariableOverride=false\n\n"
)
RENAMED_DUNDERS = {"__aenter__": "__enter__", "__aexit__": "__exit__", "__aiter__": "__iter__"}
DROPPED = {
    "__await__",
    "__getstate__",
    "__setstate__",
    "__repr__",
    "__eq__",
    "__hash__",
    "__init__",
    "__anext__",
}

MADE_BY_USERS = {"AsyncInvokeAIClient", "AsyncQuickClient"}
"""The others are given out by a client or one of its parts."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Source:
    """One module that defines asynchronous classes."""

    module: str
    path: Path
    tree: ast.Module
    classes: list[ast.ClassDef] = field(default_factory=list[ast.ClassDef])

    @property
    def target(self) -> str:
        return self.module.replace(".", "_")


def find_sources() -> list[Source]:
    found: list[Source] = []
    for path in sorted(PACKAGE.rglob("*.py")):
        if TARGET in path.parents or path.name == "_base.py":
            continue
        source = Source(
            ".".join(path.relative_to(PACKAGE).with_suffix("").parts), path, ast.parse(path.read_text())
        )
        source.classes = [
            node
            for node in source.tree.body
            if isinstance(node, ast.ClassDef) and re.match(r"Async[A-Z]", node.name)
        ]
        if source.classes:
            found.append(source)
    return found


# --------------------------------------------------------------------------- text


def sync_words(text: str) -> str:
    """A docstring's words and samples, said of the synchronous class."""
    text = re.sub(r"\bAsync(?=[A-Z]\w)(?!Iterator|Generator|IO)", "", text)
    return re.sub(r"\b(await|async) (?=[\w(])", "", text)


class Types(ast.NodeTransformer):
    """Annotations of the synchronous class."""

    RENAMED: ClassVar = {
        "AsyncIterator": "Iterator",
        "AsyncGenerator": "Generator",
        "AsyncIterable": "Iterable",
    }

    def __init__(self, faces: set[str]) -> None:
        self.faces = faces
        self.used: set[str] = set()

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id in self.faces:
            self.used.add(node.id)
            return ast.Name(node.id.removeprefix("Async"))
        return ast.Name(self.RENAMED.get(node.id, node.id))


def annotation(node: ast.expr | None, faces: set[str]) -> tuple[str, set[str]]:
    if node is None:
        return "", set()
    types = Types(faces)
    return ast.unparse(types.visit(ast.parse(ast.unparse(node), mode="eval").body)), types.used


# --------------------------------------------------------------------------- methods


@dataclass
class Face:
    sync_name: str | None = None
    async_name: str | None = None
    same: bool = False
    ends_loop: bool = False


def decorators(function: Function) -> tuple[set[str], Face]:
    names: set[str] = set()
    marks = Face()
    for decorator in function.decorator_list:
        call = decorator.func if isinstance(decorator, ast.Call) else decorator
        name = ast.unparse(call)
        if name == "face" and isinstance(decorator, ast.Call):
            for keyword in decorator.keywords:
                setattr(marks, keyword.arg or "", ast.literal_eval(keyword.value))
        else:
            names.add(name.rpartition(".")[2])
    return names, marks


def parameters(function: Function, faces: set[str]) -> tuple[str, str]:
    """The signature's text, and the same arguments handed on."""
    args = function.args
    shown: list[str] = []
    passed: list[str] = []

    def one(arg: ast.arg, default: ast.expr | None, *, keyword: bool, star: str = "") -> None:
        text, used = annotation(arg.annotation, faces)
        shown.append(
            star
            + arg.arg
            + (f": {text}" if text else "")
            + (f" = {ast.unparse(default)}" if default is not None else "")
        )
        value = f"unwrap({arg.arg})" if used else arg.arg
        passed.append(f"{arg.arg}={value}" if keyword else star + value)

    positional = [*args.posonlyargs, *args.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(args.defaults)) + list(args.defaults)
    for index, (arg, default) in enumerate(zip(positional, defaults, strict=True)):
        if index == 0:
            shown.append(arg.arg)
        else:
            one(arg, default, keyword=False)
        if args.posonlyargs and index == len(args.posonlyargs) - 1:
            shown.append("/")
    if args.vararg:
        one(args.vararg, None, keyword=False, star="*")
    elif args.kwonlyargs:
        shown.append("*")
    for arg, default in zip(args.kwonlyargs, args.kw_defaults, strict=True):
        one(arg, default, keyword=True)
    if args.kwarg:
        one(args.kwarg, None, keyword=False, star="**")
    return ", ".join(shown), ", ".join(passed)


def is_async_generator(function: Function) -> bool:
    returns = ast.unparse(function.returns) if function.returns else ""
    return bool(re.match(r"Async(Iterator|Generator|Iterable)\b", returns))


def method(function: Function, owner: str, faces: set[str]) -> Iterator[str]:
    kinds, marks = decorators(function)
    if "staticmethod" in kinds:
        raise SystemExit(f"{owner}.{function.name}: a static method would lose its first argument")
    signature, passed = parameters(function, faces)
    returns, used = annotation(function.returns, faces)
    doc = ast.get_docstring(function)
    name = RENAMED_DUNDERS.get(function.name, function.name)
    own_returns = "Self" if returns == "Self" else returns
    needs_wrap = bool(used) or returns == "Self"

    def emit(head: str, body: str, before: str = "") -> str:
        text = f"    {before}\n" if before else ""
        text += f"    {head}:\n"
        if doc:
            shown = doc if head.startswith("async ") else sync_words(doc)
            text += _doc_block(shown)
        return text + f"        {body}\n"

    def wrapped(text: str) -> str:
        return f"wrap({text})" if needs_wrap else text

    if marks.same:
        own = ast.unparse(function.returns) if function.returns else ""
        call = f"self._impl.{function.name}({passed})"
        if "asynccontextmanager" in kinds:
            own = own.replace("AsyncGenerator", "AbstractAsyncContextManager")
            yield emit(f"def {name}({signature}) -> {own}", f"return {call}")
        else:
            yield emit(f"async def {name}({signature}) -> {own}", f"return await {call}")
        return
    if "property" in kinds:
        yield emit(
            f"def {name}(self) -> {own_returns}", f"return {wrapped(f'self._impl.{name}')}", "@property"
        )
    elif "setter" in kinds:
        yield emit(f"def {name}({signature}) -> None", f"self._impl.{name} = {passed}", f"@{name}.setter")
    elif "classmethod" in kinds:
        if isinstance(function, ast.AsyncFunctionDef):
            raise SystemExit(f"{owner}.{name}: an asynchronous classmethod has no loop to run on")
        sync_owner = owner.removeprefix("Async")
        body = (
            f"return cls._of({owner}.{name}({passed}))"
            if returns in ("Self", sync_owner)
            else f"return {owner}.{name}({passed})"
        )
        yield emit(f"def {name}({signature}) -> {own_returns}", body, "@classmethod")
    elif is_async_generator(function):
        call = f"self._impl.{function.name}({passed})"
        yield emit(
            f"def {marks.sync_name or name}({signature}) -> {returns}", f"return self._iterate({call})"
        )
        if marks.async_name:
            kept = ast.unparse(function.returns) if function.returns else ""
            yield emit(
                f"def {marks.async_name}({signature}) -> {_faces_only(kept, faces)}",
                f"return self._follow({call})",
            )
    elif isinstance(function, ast.AsyncFunctionDef):
        if name == "__enter__":
            yield emit(
                "def __enter__(self) -> Self", "self._call(self._impl.__aenter__())\n        return self"
            )
            return
        if name == "__exit__":
            yield emit("def __exit__(self, *exception: object) -> None", "self.close()")
            return
        call = f"self._call(self._impl.{function.name}({passed}))"
        keyword = "" if returns == "None" else "return "
        end = "\n        self._loop_thread.close()" if marks.ends_loop else ""
        yield emit(
            f"def {marks.sync_name or name}({signature}) -> {own_returns}", keyword + wrapped(call) + end
        )
        if marks.async_name:
            call = f"await self._await(self._impl.{function.name}({passed}))"
            yield emit(f"async def {marks.async_name}({signature}) -> {own_returns}", keyword + wrapped(call))
    else:
        call = f"self._impl.{function.name}({passed})"
        keyword = "" if returns == "None" else "return "
        yield emit(
            f"def {name}({signature}){f' -> {own_returns}' if own_returns else ''}", keyword + wrapped(call)
        )


def attributes(init: Function, faces: set[str], docs: dict[str, str]) -> Iterator[str]:
    """Read-only properties for the public attributes that ``__init__`` sets."""
    types = {arg.arg: arg.annotation for arg in [*init.args.args, *init.args.kwonlyargs]}
    for statement in init.body:
        if isinstance(statement, ast.AnnAssign):
            target, kind = statement.target, statement.annotation
        elif isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Name):
            target, kind = statement.targets[0], types.get(statement.value.id)
        elif isinstance(statement, ast.Assign):
            target, kind = statement.targets[0], None
        else:
            continue
        if not isinstance(target, ast.Attribute) or target.attr.startswith("_"):
            continue
        if kind is None and target.attr == "connection":  # that of the object which it comes from
            continue
        if kind is None:
            raise SystemExit(f"self.{target.attr} needs a type: self.{target.attr}: T = ...")
        text, used = annotation(kind, faces)
        value = f"wrap(self._impl.{target.attr})" if used else f"self._impl.{target.attr}"
        doc = f'        """{docs[target.attr]}"""\n' if target.attr in docs else ""
        yield f"    @property\n    def {target.attr}(self) -> {text}:\n{doc}        return {value}\n\n"


def attribute_docs(doc: str) -> dict[str, str]:
    """What a class docstring's ``Attributes:`` section says of each, its first line."""
    _, _, section = doc.partition("Attributes:\n")
    return dict(re.findall(r"^    (\w+): (.+)$", section, re.MULTILINE))


def _faces_only(text: str, faces: set[str]) -> str:
    for name in faces:
        text = re.sub(rf"\b{name}\b", name.removeprefix("Async"), text)
    return text


def _doc_block(text: str) -> str:
    lines = text.splitlines()
    body = "\n".join(f"        {line}" if line else "" for line in lines[1:])
    raw = "r" if "\\" in text else ""
    if len(lines) == 1:
        return f'        {raw}"""{text}"""\n'
    return f'        {raw}"""{lines[0]}\n{body}\n        """\n'


# --------------------------------------------------------------------------- classes and modules


def class_text(node: ast.ClassDef, faces: set[str]) -> str:
    name = node.name.removeprefix("Async")
    bases = [ast.unparse(base) for base in node.bases]
    parents = [base.removeprefix("Async") for base in bases if base in faces]
    parent = parents[0] if parents else f"Face[{node.name}]"
    text = f"class {name}({parent}):\n"
    doc = ast.get_docstring(node) or ""
    text += textwrap.indent(textwrap.dedent(_doc_block(sync_words(doc))), "    ") if doc else ""
    text += "\n"
    if parents:
        text += f"    _impl: {node.name}\n\n"
    for item in node.body:
        if not isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        public_init = item.name == "__init__" and node.name in MADE_BY_USERS
        if public_init:
            signature, passed = parameters(item, faces)
            doc = ast.get_docstring(item)
            text += f"    def __init__({signature}) -> None:\n"
            text += _doc_block(sync_words(doc)) if doc else ""
            text += (
                f"        self._impl = {node.name}({passed})\n        self._impl.__dict__['_face'] = self\n\n"
            )
        if item.name == "__init__":
            text += "".join(attributes(item, faces, attribute_docs(ast.get_docstring(node) or "")))
            continue
        if item.name in DROPPED or (
            item.name.startswith("_")
            and not item.name.startswith("__")
            and not item.name.startswith("_repr_")
        ):
            continue
        text += "\n".join(method(item, node.name, faces)) + "\n"
    return text


def imports_of(source: Source) -> str:
    """The source's own imports, for annotations and defaults; what is not used is removed afterwards."""
    lines: list[str] = []
    blocks = [node.body for node in source.tree.body if isinstance(node, ast.If)]
    for node in [*source.tree.body, *(inner for block in blocks for inner in block)]:
        if isinstance(node, ast.Import | ast.ImportFrom):
            if isinstance(node, ast.ImportFrom) and node.module == "__future__":
                continue
            lines.append(ast.unparse(node))
    names = [node.name if isinstance(node, ast.ClassDef) else "" for node in source.tree.body]
    for node in source.tree.body:
        if isinstance(node, ast.Assign):
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.append(node.target.id)
    known = [name for name in names if name]
    if known:
        lines.append(f"from invokeai_py_client.{source.module} import {', '.join(known)}")
    return "\n".join(dict.fromkeys(lines))


def module_text(source: Source, where: dict[str, Source]) -> str:
    faces = set(where)
    doc = sync_words(ast.get_docstring(source.tree) or "").splitlines()[0]
    text = HEADER.format(doc=doc, source=source.path.relative_to(ROOT))
    text += "from __future__ import annotations\n\n"
    text += "from collections.abc import Generator, Iterable, Iterator\nfrom typing import Self\n"
    text += "from contextlib import AbstractAsyncContextManager\n"
    text += imports_of(source) + "\n"
    for module in sorted({s.target for s in where.values()} - {source.target}):
        names = sorted(n.removeprefix("Async") for n, s in where.items() if s.target == module)
        text += f"from invokeai_py_client._sync.{module} import {', '.join(names)}\n"
    text += "from invokeai_py_client._sync.face import Face, unwrap, wrap\n\n"
    return text + "\n\n".join(class_text(node, faces) for node in source.classes)


def tidy(folder: Path) -> None:
    def ruff(*arguments: str) -> None:
        subprocess.run(
            [
                sys.executable,
                "-m",
                "ruff",
                *arguments,
                "--quiet",
                "--config",
                str(ROOT / "pyproject.toml"),
                str(folder),
            ],
            check=True,
        )

    # Imports that only annotations need move under TYPE_CHECKING, which also keeps the modules acyclic.
    ruff("check", "--fix", "--unsafe-fixes", "--select", "F401,F811,TC001,TC002,TC003,I", "--ignore", "D")
    ruff("format")


def generate(folder: Path) -> None:
    sources = find_sources()
    where = {node.name: source for source in sources for node in source.classes}
    for source in sources:
        (folder / f"{source.target}.py").write_text(module_text(source, where))
    table = "".join(
        f"    {name!r}: {f'invokeai_py_client._sync.{source.target}'!r},\n"
        for name, source in sorted(where.items())
    )
    (folder / "table.py").write_text(
        HEADER.format(
            doc="Where the synchronous face of each asynchronous class is.", source="the Async classes"
        )
        + f"FACES = {{\n{table}}}\n"
    )
    tidy(folder)


def main() -> int:
    parser = argparse.ArgumentParser(description="Write the synchronous classes.")
    parser.add_argument("--check", action="store_true", help="only compare, exit 1 if they differ")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        generate(folder)
        new = {path.name: path.read_text() for path in folder.glob("*.py")}
    old = {path.name: path.read_text() for path in TARGET.glob("*.py") if path.name not in BY_HAND}
    changed = sorted(name for name in new.keys() | old.keys() if new.get(name) != old.get(name))
    if options.check:
        for name in changed:
            print(f"{TARGET.relative_to(ROOT)}/{name} is not what tools/generate_sync.py writes")
        return 1 if changed else 0
    for name in changed:
        if name in new:
            (TARGET / name).write_text(new[name])
        else:
            (TARGET / name).unlink()
    print(f"{len(new)} files, {len(changed)} changed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
