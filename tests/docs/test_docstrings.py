"""The examples in docstrings run, with both clients."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pages
import pytest

import invokeai_py_client as package
from invokeai_py_client.quick import QuickClient
from invokeai_py_client.quick.client import AsyncQuickClient

if TYPE_CHECKING:
    from tests.conftest import RealServer

SOURCES = pages.REPOSITORY / "src" / "invokeai_py_client"
FENCED = re.compile(r"```python\n(.*?)\n\s*```", re.DOTALL)
PUBLIC = {name: getattr(package, name) for name in package.__all__}


def examples() -> Iterator[Any]:
    for path in sorted(SOURCES.glob("**/*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                for found in FENCED.findall(ast.get_docstring(node) or ""):
                    yield pytest.param(textwrap.dedent(found), id=f"{path.parent.name}-{node.name}")


EXAMPLES = list(examples())


def test_there_are_examples() -> None:
    assert len(EXAMPLES) > 20


@pytest.fixture
def names(reader: Path) -> Iterator[dict[str, Any]]:
    """Return the names that examples use: a client, a workflow, a finished run. Make a board and two pictures."""
    from PIL import Image

    for name in ("portrait.jpg", "reference.jpg"):
        Image.new("RGB", (64, 64), "teal").save(reader / name)
    with package.InvokeAIClient() as client:
        client.board_repo.create_board("Portraits")
        wf = client.workflow_repo.create_workflow("portrait.json")
        yield {"client": client, "wf": wf, "run": wf.run(steps=4), "QuickClient": QuickClient} | PUBLIC


@pytest.mark.parametrize("text", EXAMPLES)
async def test_an_example_runs(text: str, names: dict[str, Any], server: RealServer) -> None:
    text = text.replace("http://localhost:9090", server.url)
    if "await " not in text and "async " not in text:
        exec(compile(text, "docstring", "exec", dont_inherit=True), names)
        return
    async with package.AsyncInvokeAIClient() as client:
        wf = await client.workflow_repo.create_workflow("portrait.json")
        run = await client.run(names["run"].item_id)
        await run.result()
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        code = compile(text, "docstring", "exec", flags, dont_inherit=True)
        outcome = eval(
            code, names | {"client": client, "wf": wf, "run": run, "AsyncQuickClient": AsyncQuickClient}
        )
        if inspect.isawaitable(outcome):
            await outcome
