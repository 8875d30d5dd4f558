"""Rows S15 to S19: sources of workflows, their inputs, index maps, and models from another server."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import workflows
from workflows import workflow

from invokeai_py_client import AsyncInvokeAIClient, InvokeAIClient, WorkflowDefinition, WorkflowHandle
from invokeai_py_client.errors import (
    InputValueError,
    UnknownInputError,
    UsageError,
    WorkflowFormatError,
    WorkflowNotFoundError,
)
from invokeai_py_client.ivk_fields import (
    IvkEnumField,
    IvkField,
    IvkIntegerField,
    IvkModelIdentifierField,
    IvkSchedulerField,
    IvkStringField,
)

Save = Callable[[dict[str, Any]], str]

DRAWN: dict[str, Any] = workflow(
    "Drawn",
    {"draw": ("blank_image", {"width": 64, "height": 64, "mode": "RGB", "board": "none"})},
    [],
    [("draw", "width"), ("draw", "mode")],
    labels={("draw", "width"): "How Wide"},
    final=["draw"],
)


def container(children: list[str]) -> dict[str, Any]:
    return {"type": "container", "data": {"layout": "column", "children": children}}


def shown(node_id: str, field: str) -> dict[str, Any]:
    return {
        "type": "node-field",
        "data": {"fieldIdentifier": {"nodeId": node_id, "fieldName": field}, "showDescription": False},
    }


def nested() -> dict[str, Any]:
    """A form with nested containers, whose elements are stored in a different order than they are shown."""
    document = workflows.sdxl()
    elements: dict[str, Any] = {
        "last": shown("noise", "seed"),
        "inner": container(["prompt"]),
        "text": {"type": "text", "data": {"content": "Prompts"}},
        "root": container(["first", "outer", "last"]),
        "steps": shown("denoise", "steps"),
        "prompt": shown("positive", "prompt"),
        "outer": container(["text", "inner", "steps"]),
        "first": shown("model", "model"),
    }
    parents = {child: name for name, one in elements.items() for child in one["data"].get("children", ())}
    for name, element in elements.items():
        element["id"] = name
        if name in parents:
            element["parentId"] = parents[name]
    document["form"] = {"rootElementId": "root", "elements": elements}
    return document


# --------------------------------------------------------------------------- S15, S16


def test_S15_S16_from_everything_that_holds_a_workflow(
    client: InvokeAIClient, save: Save, tmp_path: Path, tidy: None
) -> None:
    create = client.workflow_repo.create_workflow
    path = tmp_path / "drawn.json"
    path.write_text(json.dumps(DRAWN), encoding="utf-8")
    made = create(WorkflowDefinition.from_file(path))
    assert isinstance(made, WorkflowHandle)
    picture = made.run().images[0]
    picture.save(tmp_path / "drawn.png")
    workflow_id = save({**DRAWN, "name": "Drawn by S15"})
    sources: dict[str, Any] = {
        "path": path,
        "file": str(path),
        "dict": WorkflowDefinition.from_dict(DRAWN),
        "mapping": DRAWN,
        "JSON": WorkflowDefinition.from_json(json.dumps(DRAWN)),
        "JSON text": json.dumps(DRAWN),
        "picture's file": WorkflowDefinition.from_file(tmp_path / "drawn.png"),
        "picture on the server": picture,
        "id": workflow_id,
        "name": "Drawn by S15",
        "definition of the library": client.workflow_repo.get_definition(workflow_id),
    }
    for kind, source in sources.items():
        wf = create(source)
        inputs = [(one.node_id, one.field_name, one.label, one.value) for one in wf.list_inputs()]
        assert inputs == [("draw", "width", "How Wide", 64), ("draw", "mode", "Mode", "RGB")], kind


async def test_S15_S16_asynchronously(async_client: AsyncInvokeAIClient, tmp_path: Path) -> None:
    path = tmp_path / "drawn.json"
    path.write_text(json.dumps(DRAWN), encoding="utf-8")
    wf = await async_client.workflow_repo.create_workflow(WorkflowDefinition.from_file(path))
    assert [one.label for one in wf.list_inputs()] == ["How Wide", "Mode"]


def test_S15_a_definition_is_never_changed(client: InvokeAIClient, tidy: None) -> None:
    definition = WorkflowDefinition.from_dict(DRAWN)
    before = json.dumps(definition.to_dict())
    wf = client.workflow_repo.create_workflow(definition)
    wf.get_input_value(0).value = 72
    wf.sync_dnn_model()
    wf.submit_sync()
    wf.map_outputs_to_images(wf.wait_for_completion_sync(timeout=30))
    definition.nodes.clear()
    definition.to_dict()["nodes"][0]["data"]["inputs"].clear()
    assert json.dumps(definition.to_dict()) == before
    assert wf.definition is definition
    other = client.workflow_repo.create_workflow(definition)
    assert other.get_input_value(0).value == 64, "handles of one definition have values of their own"
    with pytest.raises(AttributeError):
        definition.name = "Another"  # type: ignore[misc]


def test_S15_invalid_workflows(client: InvokeAIClient, tmp_path: Path) -> None:
    with pytest.raises(WorkflowFormatError, match=r"missing\.json"):
        WorkflowDefinition.from_file(tmp_path / "missing.json")
    with pytest.raises(ValueError, match="not a"):
        WorkflowDefinition.from_dict({"nodes": []})
    with pytest.raises(WorkflowNotFoundError, match="An unused name"):
        client.workflow_repo.create_workflow("An unused name")


# --------------------------------------------------------------------------- S17


def test_S17_inputs_depth_first(client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(nested()))
    rows = [
        (one.input_index, one.label, one.field_name, one.node_name, one.node_id, one.required)
        for one in wf.list_inputs()
    ]
    assert rows == [
        (0, "Model", "model", "model", "model", True),
        (1, "Positive Prompt", "prompt", "positive", "positive", False),
        (2, "Steps", "steps", "denoise", "denoise", False),
        (3, "Seed", "seed", "noise", "noise", False),
    ]
    for one in wf.list_inputs():
        assert isinstance(one.field, IvkField)
        assert wf.get_input(one.input_index or 0) is one
        assert wf.get_input_value(one.input_index or 0) is one.field


# --------------------------------------------------------------------------- S18


def test_S18_typed_values_are_validated(client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(workflows.sdxl())
    fields = [wf.get_input_value(index) for index in range(5)]
    assert [type(field) for field in fields] == [
        IvkModelIdentifierField,
        IvkStringField,
        IvkIntegerField,
        IvkSchedulerField,
        IvkIntegerField,
    ]
    assert isinstance(fields[3], IvkEnumField)
    steps = fields[2]
    assert steps.value == 4
    steps.value = 12
    assert wf.get_input(2).value == 12
    for wrong in (0, "many", 2.5):
        with pytest.raises(InputValueError, match="Steps"):
            steps.value = wrong
    assert steps.value == 12, "a refused value changes nothing"
    with pytest.raises(UnknownInputError):
        wf.get_input_value(5)
    with pytest.raises(UnknownInputError):
        wf.get_input_value(-1)


def test_S18_what_is_set_is_what_is_sent(client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(workflows.add())
    wf.get_input_value(0).value = 1800
    wf.submit_sync()
    item = wf.wait_for_completion_sync(timeout=30)
    node = item["session"]["graph"]["nodes"]["sum"]
    assert (node["a"], node["b"]) == (1800, 2)


def test_S18_preview(client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(workflows.sdxl())
    wf.get_input_value(1).value = "a fox"
    rows = wf.preview()
    assert [(row["index"], row["label"], row["value"], row["required"]) for row in rows] == [
        (0, "Model", None, True),
        (1, "Positive Prompt", "a fox", False),
        (2, "Steps", 4, False),
        (3, "Scheduler", "euler", False),
        (4, "Seed", 7, False),
    ]
    assert json.loads(json.dumps(rows)) == rows


def test_S18_index_maps_in_files(client: InvokeAIClient, tmp_path: Path) -> None:
    wf = client.workflow_repo.create_workflow(workflows.sdxl())
    path = tmp_path / "inputs.json"
    rows = wf.export_input_index_map(path)
    assert json.loads(path.read_text(encoding="utf-8")) == rows
    same = wf.verify_input_index_map(str(path))
    assert [len(same[word]) for word in ("unchanged", "moved", "missing", "new")] == [5, 0, 0, 0]

    changed = workflows.sdxl()
    elements = changed["form"]["elements"]
    elements["root"]["data"]["children"] = ["node-field-1", "node-field-0", "node-field-2", "node-field-4"]
    del elements["node-field-3"]
    elements["node-field-4"]["data"]["fieldIdentifier"] = {"nodeId": "noise", "fieldName": "width"}
    report = client.workflow_repo.create_workflow(changed).verify_input_index_map(path)
    assert [(row["name"], row["old_index"], row["new_index"]) for row in report["moved"]] == [
        ("Model", 0, 1),
        ("Positive Prompt", 1, 0),
    ]
    assert [row["field_name"] for row in report["unchanged"]] == ["steps"]
    assert [row["field_name"] for row in report["missing"]] == ["scheduler", "seed"]
    assert [row["field_name"] for row in report["new"]] == ["width"]


def test_S18_invalid_index_maps(client: InvokeAIClient, tmp_path: Path) -> None:
    wf = client.workflow_repo.create_workflow(workflows.add())
    (tmp_path / "text").write_text("no map", encoding="utf-8")
    for name, reason in (("missing", "Cannot read"), ("text", "not valid JSON"), ("", "Cannot read")):
        with pytest.raises(UsageError, match=reason):
            wf.verify_input_index_map(tmp_path / name)
    with pytest.raises(UsageError, match="Cannot write"):
        wf.export_input_index_map(tmp_path / "no folder" / "map.json")


# --------------------------------------------------------------------------- S19


def brought_from_elsewhere(name: str) -> dict[str, Any]:
    """An SDXL text-to-image workflow, as saved on a server with other models."""
    document = workflows.sdxl()
    model = {"key": "of-theirs", "hash": "blake3:theirs", "name": name, "base": "sdxl", "type": "main"}
    document["nodes"][0]["data"]["inputs"]["model"]["value"] = model
    return document


def test_S19_models_of_another_server(client: InvokeAIClient, tidy: None) -> None:
    wf = client.workflow_repo.create_workflow(brought_from_elsewhere("Their SDXL"))
    assert wf.sync_dnn_model(by_name=True, by_base=False) == []
    [(before, after)] = wf.sync_dnn_model(by_name=True, by_base=True)
    assert (before.name, before["key"]) == ("Their SDXL", "of-theirs")
    assert (after.name, after.base, after.type) == ("tiny-sdxl", "sdxl", "main")
    ours = client.dnn_model_repo.get_model_by_key(after.key)
    assert ours is not None
    assert ours.hash == after["hash"]
    assert wf.sync_dnn_model() == []
    assert wf.run(steps=1).status.ok


async def test_S19_asynchronously_by_name(async_client: AsyncInvokeAIClient) -> None:
    wf = await async_client.workflow_repo.create_workflow(brought_from_elsewhere("tiny-sdxl"))
    [(_, after)] = await wf.sync_dnn_model(by_name=True, by_base=False)
    assert after.name == "tiny-sdxl"
    assert after.key != "of-theirs"
