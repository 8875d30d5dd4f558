"""Requests with values that were set, and the workflow attached to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workflows import workflow

from invokeai_py_client.engine.definition import WorkflowDefinition
from invokeai_py_client.engine.load import load_workflow
from invokeai_py_client.engine.readiness import find_problems
from invokeai_py_client.engine.references import Reference, references
from invokeai_py_client.engine.request import build_request
from invokeai_py_client.engine.subworkflow import PREFIX, callee_ids
from invokeai_py_client.engine.workflow import LoadedWorkflow
from invokeai_py_client.schema.reference import reference_schema
from invokeai_py_client.schema.template import UNSET

SCHEMA = reference_schema()
MODEL = {"key": "k", "hash": "h", "name": "n", "base": "sdxl", "type": "main"}


def loaded(
    nodes: Mapping[str, tuple[str, Mapping[str, Any]]], edges: list[str] | None = None
) -> LoadedWorkflow:
    return load_workflow(WorkflowDefinition.from_dict(workflow("w", nodes, edges or [])), SCHEMA)


def test_envelope() -> None:
    flow = loaded({"n": ("add", {"a": 1})})
    first = build_request(flow, SCHEMA, {})
    assert first["prepend"] is False
    assert {key: first["batch"][key] for key in ("runs", "origin", "destination", "data")} == {
        "runs": 1,
        "origin": "workflows",
        "destination": "gallery",
        "data": [],
    }
    assert "batch_id" not in first["batch"]
    second = build_request(flow, SCHEMA, {}, runs=3, prepend=True, batch_id="b", destination="d", origin=None)
    assert second["prepend"] is True
    assert [second["batch"][key] for key in ("runs", "batch_id", "destination", "origin")] == [
        3,
        "b",
        "d",
        None,
    ]
    assert first["batch"]["graph"]["id"] != second["batch"]["graph"]["id"]


def test_values_replace_and_remove() -> None:
    flow = loaded({"n": ("img_resize", {"width": 8, "height": 16}), "m": ("sdxl_model_loader", {})})
    model = dict(MODEL)
    request = build_request(flow, SCHEMA, {("n", "width"): 64, ("n", "height"): UNSET, ("m", "model"): model})
    nodes = request["batch"]["graph"]["nodes"]
    assert nodes["n"] == {
        "type": "img_resize",
        "id": "n",
        "width": 64,
        "use_cache": True,
        "is_intermediate": True,
    }
    assert nodes["m"]["model"] == MODEL
    inputs = {node["id"]: node["data"]["inputs"] for node in request["batch"]["workflow"]["nodes"]}
    assert inputs["n"]["width"]["value"] == 64
    assert "value" not in inputs["n"]["height"]
    assert inputs["m"]["model"] == {"name": "model", "label": "", "description": "", "value": MODEL}
    model["key"] = "changed"
    assert nodes["m"]["model"] == MODEL == inputs["m"]["model"]["value"]
    assert build_request(flow, SCHEMA, {})["batch"]["graph"]["nodes"]["n"]["width"] == 8


def test_connected_field_keeps_its_value_only_in_the_workflow() -> None:
    flow = loaded({"n": ("add", {}), "m": ("add", {"a": 5})}, ["n.value -> m.a"])
    batch = build_request(flow, SCHEMA, {("m", "a"): 7})["batch"]
    assert "a" not in batch["graph"]["nodes"]["m"]
    assert batch["workflow"]["nodes"][1]["data"]["inputs"]["a"]["value"] == 7


def test_boards() -> None:
    flow = loaded(
        {name: ("save_image", {"board": name}) for name in ("auto", "none")} | {"x": ("save_image", {})}
    )

    def boards(values: Mapping[tuple[str, str], Any], auto: str | None) -> dict[str, Any]:
        nodes = build_request(flow, SCHEMA, values, auto_board=auto)["batch"]["graph"]["nodes"]
        return {name: node["board"] for name, node in nodes.items() if "board" in node}

    board = {"board_id": "b"}
    assert boards({}, None) == boards({}, "none") == {}
    assert boards({}, "b") == {"auto": board}
    assert boards({("none", "board"): "auto", ("auto", "board"): {"board_id": "c"}}, "b") == {
        "none": board,
        "auto": {"board_id": "c"},
    }


def test_references() -> None:
    flow = loaded(
        {
            "m": ("sdxl_model_loader", {"model": MODEL}),
            "l": ("sdxl_lora_collection_loader", {"loras": [{"lora": MODEL, "weight": 1}]}),
            "i": ("image", {"image": {"image_name": "a.png"}}),
            "s": ("save_image", {"image": {"image_name": "unused.png"}, "board": {"board_id": "b"}}),
            "b": ("image_batch", {"images": [{"image_name": "b.png"}]}),
            "c": ("call_saved_workflow", {"workflow_id": "w1"}),
        },
        ["i.image -> s.image"],
    )
    assert references(flow, {("i", "image"): {"image_name": "mine.png"}}, SCHEMA) == [
        Reference("model", "m", "model", MODEL),
        Reference("model", "l", "loras", MODEL, 0),
        Reference("image", "i", "image", {"image_name": "mine.png"}),
        Reference("board", "s", "board", {"board_id": "b"}),
        Reference("image", "b", "images", {"image_name": "b.png"}, 0),
        Reference("workflow", "c", "workflow_id", "w1"),
    ]


CALLEE = workflow(
    "callee", {"ad": ("add", {"a": 3, "b": 4}), "p": ("string", {"value": "x"})}, [], [("ad", "a")]
)
A = f"{PREFIX}ad::a"


def test_called_workflow_adds_inputs_to_its_caller() -> None:
    caller = WorkflowDefinition.from_dict(
        workflow("w", {"c": ("call_saved_workflow", {"workflow_id": "id"})}, [])
    )
    assert callee_ids(caller) == ("id",)
    flow = load_workflow(caller, SCHEMA, {"id": WorkflowDefinition.from_dict(CALLEE)})
    assert flow.nodes["c"].dynamic[A].type.name == "IntegerField"
    sent = build_request(flow, SCHEMA, {})["batch"]["graph"]["nodes"]["c"]
    assert sent["workflow_inputs"] == {A: 3}
    assert build_request(flow, SCHEMA, {("c", A): 9})["batch"]["graph"]["nodes"]["c"]["workflow_inputs"] == {
        A: 9
    }
    assert [(p.field, p.what) for p in find_problems(flow, SCHEMA, {("c", A): "x"})] == [
        (A, "'x' is not valid; expected a whole number")
    ]


def test_caller_keeps_a_saved_value_only_with_its_template() -> None:
    document = workflow(
        "w", {"c": ("call_saved_workflow", {"workflow_id": "id", A: 41, f"{PREFIX}ad::gone": 1})}, []
    )
    callee = {"id": WorkflowDefinition.from_dict(CALLEE)}

    def inputs() -> dict[str, Any]:
        flow = load_workflow(WorkflowDefinition.from_dict(document), SCHEMA, callee)
        return build_request(flow, SCHEMA, {})["batch"]["graph"]["nodes"]["c"]["workflow_inputs"]

    assert inputs() == {A: 3}
    template = {
        "name": A,
        "title": "A",
        "ui_hidden": False,
        "fieldKind": "input",
        "input": "any",
        "required": False,
    }
    kind = {"name": "IntegerField", "cardinality": "SINGLE", "batch": False}
    document["nodes"][0]["data"]["dynamicInputTemplates"] = {A: {**template, "type": kind}}
    assert inputs() == {A: 41}


def test_a_connection_to_a_called_workflows_input() -> None:
    document = workflow("w", {"c": ("call_saved_workflow", {"workflow_id": "id"}), "n": ("add", {})}, [])
    document["edges"].append(
        {
            "id": "e",
            "type": "default",
            "source": "n",
            "sourceHandle": "value",
            "target": "c",
            "targetHandle": A,
        }
    )
    definition = WorkflowDefinition.from_dict(document)
    assert load_workflow(definition, SCHEMA).edges == ()
    flow = load_workflow(definition, SCHEMA, {"id": WorkflowDefinition.from_dict(CALLEE)})
    graph = build_request(flow, SCHEMA, {})["batch"]["graph"]
    assert graph["nodes"]["c"]["workflow_inputs"] == {}
    assert graph["edges"][0]["destination"] == {"node_id": "c", "field": A}
