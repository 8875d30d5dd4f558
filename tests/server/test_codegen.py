"""``ivk codegen``: its modules run and pass a type checker, and ``--check`` reports changes of the workflow."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import workflows
from click.testing import CliRunner, Result

from invokeai_py_client import AsyncInvokeAIClient, InvokeAIClient
from invokeai_py_client.cli.codegen import codegen
from invokeai_py_client.errors import InputValueError, UsageError


def written(*arguments: str) -> Result:
    return CliRunner().invoke(codegen, arguments, catch_exceptions=False)


def loaded(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def add(tmp_path: Path) -> Path:
    """A workflow file in a sibling folder of the module's folder."""
    (tmp_path / "flows").mkdir()
    (tmp_path / "code").mkdir()
    path = tmp_path / "flows" / "add.json"
    path.write_text(json.dumps(workflows.add()))
    return path


def test_generated_module_runs(client: InvokeAIClient, add: Path) -> None:
    module = add.parents[1] / "code" / "sums.py"
    done = written(str(add), "-o", str(module), "--url", client.url)
    assert done.exit_code == 0, done.output
    function = loaded(module).sum
    run = function(client, a=30_000, b=12)
    assert run.outputs.of("sum")[0].data["value"] == 30_012
    with pytest.raises(InputValueError, match="A"):
        function(client, a="many")


def labeled(*labels: str) -> dict[str, Any]:
    """A workflow with text inputs that have these labels."""
    nodes = {f"n{place}": ("string", {"value": label}) for place, label in enumerate(labels)}
    keys = [(node, "value") for node in nodes]
    return workflows.workflow("Labels", nodes, [], keys, labels=dict(zip(keys, labels, strict=True)))


def test_labels_that_the_module_uses_itself(client: InvokeAIClient, tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_text(json.dumps(labeled("Workflow", "Values", "two\nlines 🦊")))
    module = tmp_path / "labels.py"
    assert written(str(tmp_path / "labels.json"), "-o", str(module), "--url", client.url).exit_code == 0
    run = loaded(module).labels(client, workflow="hello", values="all")
    assert [run.outputs.values(f"n{place}") for place in range(3)] == [["hello"], ["all"], ["two\nlines 🦊"]]


async def test_asynchronous_module_runs(async_client: AsyncInvokeAIClient, add: Path) -> None:
    module = add.with_suffix(".py")
    assert written(str(add), "--async", "-o", str(module), "--url", async_client.url).exit_code == 0
    run = await loaded(module).sum(async_client, a=31_000)
    assert run.outputs.of("sum")[0].data["value"] == 31_002


def test_check_reports_changes(client: InvokeAIClient, add: Path) -> None:
    command = [str(add), "-o", str(add.with_suffix(".py")), "--url", client.url]
    with pytest.raises(UsageError, match=r"(cannot be|Cannot) read"):
        written(*command, "--check")
    assert written(*command).exit_code == 0
    before = add.with_suffix(".py").read_text()
    assert written(*command, "--check").exit_code == 0
    document = workflows.add()
    document["nodes"][0]["data"]["inputs"]["a"]["value"] = 5
    add.write_text(json.dumps(document))
    done = written(*command, "--check")
    assert done.exit_code == 1
    assert "-    a: int = 1," in done.stdout
    assert "+    a: int = 5," in done.stdout
    assert add.with_suffix(".py").read_text() == before, "a check writes nothing"
    with pytest.raises(UsageError, match="requires -o"):
        written(str(add), "--check", "--url", client.url)


def test_generated_modules_pass_pyright(client: InvokeAIClient, tmp_path: Path) -> None:
    (tmp_path / "pyrightconfig.json").write_text(json.dumps({"typeCheckingMode": "strict"}))
    documents = {
        "sdxl": workflows.sdxl(),
        "flux": workflows.flux_image_to_image(),
        "labels": labeled("Workflow", "Values", "Client", "dict", "str", "class", "Run"),
    }
    for name, document in documents.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(document))
        module = tmp_path / f"{name}.py"
        assert written(str(tmp_path / f"{name}.json"), "-o", str(module), "--url", client.url).exit_code == 0
    pyright = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable]
    done = subprocess.run(pyright, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout
