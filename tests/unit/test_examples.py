"""The workflows in ``examples/`` suit all supported servers and the web UI."""

from __future__ import annotations

import json
import lzma
from pathlib import Path
from typing import Any

import pages
import pytest

from invokeai_py_client.engine.definition import WorkflowDefinition
from invokeai_py_client.engine.load import load_workflow
from invokeai_py_client.engine.readiness import find_problems
from invokeai_py_client.engine.request import build_request
from invokeai_py_client.schema.parse import parse_schema
from invokeai_py_client.schema.reference import REFERENCE_VERSION

EXAMPLES = pages.REPOSITORY / "examples"
FILES = sorted(EXAMPLES.glob("*.json"))
VERSIONS = (REFERENCE_VERSION, "6.0.2", "5.15.0")


def document(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text(encoding="utf-8"))


@pytest.fixture(scope="module", params=VERSIONS)
def schema(request: pytest.FixtureRequest) -> Any:
    data = (pages.REPOSITORY / "tests" / "data" / f"openapi-{request.param}.json.xz").read_bytes()
    return parse_schema(json.loads(lzma.decompress(data)), request.param)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_an_example_loads_on_every_version(file: Path, schema: Any) -> None:
    flow = load_workflow(WorkflowDefinition.from_dict(document(file)), schema)
    assert flow.warnings == ()
    missing = {(problem.node_id, problem.field) for problem in find_problems(flow, schema, {})}
    assert missing <= {("image", "image"), ("mask", "image")}  # the pictures that users pass
    assert build_request(flow, schema, {})["batch"]["graph"]["edges"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_an_example_looks_tidy_in_the_web_ui(file: Path) -> None:
    workflow = document(file)
    places = [tuple(node["position"].values()) for node in workflow["nodes"]]
    assert len(set(places)) == len(places), "nodes cover each other"
    fields = {
        (node["id"], name): field
        for node in workflow["nodes"]
        for name, field in node["data"]["inputs"].items()
    }
    shown = [
        tuple(element["data"]["fieldIdentifier"].values())
        for element in workflow["form"]["elements"].values()
        if element["type"] == "node-field"
    ]
    labels = [fields[field]["label"] for field in shown]
    assert all(labels)
    assert len(set(labels)) == len(labels)
    connected = {(edge["target"], edge["targetHandle"]) for edge in workflow["edges"]}
    assert not connected & set(shown)


def test_the_readme_lists_every_example() -> None:
    rows = pages.table_rows(EXAMPLES / "README.md", r"\[`[\w-]+\.json`\].*")
    assert sorted(row[0].split("`")[1] for row in rows) == [file.name for file in FILES]
