"""Inputs as maps and tables, and the replacement of their models."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

import pytest
from command import Terminal
from fake_server import FakeServer, identifier, model
from workflows import workflow

from invokeai_py_client.cli.inputs import COLUMNS, row_of
from invokeai_py_client.cli.tables import show_table
from invokeai_py_client.display.inputs import inputs_html, inputs_text
from invokeai_py_client.engine.definition import WorkflowDefinition
from invokeai_py_client.engine.index_map import export_input_index_map, verify_input_index_map
from invokeai_py_client.engine.inputs import InputSet, input_row, type_word
from invokeai_py_client.engine.load import load_workflow
from invokeai_py_client.errors import UsageError
from invokeai_py_client.schema.reference import reference_schema
from invokeai_py_client.workflow.handle import AsyncWorkflowHandle

INK, OIL = model("l1", "Ink", kind="lora"), model("l2", "Oil", kind="lora")
MODELS = [model("m0", "First"), model("m1", "Dream"), model("x1", "Dream", "sdxl"), INK, OIL]
FAR = {"key": "far", "hash": "blake3:far"}
NODES: dict[str, tuple[str, dict[str, Any]]] = {
    "loader": ("main_model_loader", {"model": identifier(MODELS[1], **FAR)}),
    "loras": ("lora_collection_loader", {"loras": []}),
    "denoise": ("denoise_latents", {"steps": 30, "scheduler": "euler"}),
    "noise": ("noise", {"seed": 1}),
    "width": ("integer", {"value": 8}),
}
FORM = [
    ("denoise", "steps"),
    ("loader", "model"),
    ("noise", "width"),
    ("loras", "loras"),
    ("denoise", "scheduler"),
]
EDGES = ["loader.unet -> denoise.unet", "width.value -> noise.width"]


def handle(form: Any = FORM, server: FakeServer | None = None, **nodes: Any) -> AsyncWorkflowHandle:
    schema = reference_schema()
    definition = WorkflowDefinition.from_dict(
        workflow(
            "A <b>workflow</b>", NODES | nodes, EDGES, form, labels={("denoise", "steps"): "[bold]Steps"}
        )
    )
    known = (server or FakeServer(models=MODELS)).connection
    return AsyncWorkflowHandle(known, definition, load_workflow(definition, schema), schema)


@pytest.fixture
def inputs() -> InputSet:
    return handle().inputs


# ------------------------------------------------------------------ index maps


def test_S18_index_map_of_the_same_workflow_is_unchanged(inputs: InputSet) -> None:
    kept = json.loads(json.dumps(export_input_index_map(inputs)))
    assert [row["input_index"] for row in kept] == [0, 1, 2, 3, 4]
    report = verify_input_index_map(inputs, kept)
    assert [row["field_name"] for row in report["unchanged"]] == [name for _, name in FORM]
    assert report["moved"] == report["missing"] == report["new"] == []


def test_S18_index_map_of_a_changed_workflow(inputs: InputSet) -> None:
    kept = export_input_index_map(inputs)
    changed = handle(
        [("denoise", "steps"), ("noise", "seed"), ("noise", "width"), ("loader", "model")]
    ).inputs
    report = verify_input_index_map(changed, kept)
    assert [row["field_name"] for row in report["unchanged"]] == ["steps", "width"]
    assert [(row["field_name"], row["old_index"], row["input_index"]) for row in report["moved"]] == [
        ("model", 1, 3)
    ]
    assert [row["field_name"] for row in report["missing"]] == ["loras", "scheduler"]
    assert [row["field_name"] for row in report["new"]] == ["seed"]


@pytest.mark.parametrize("kept", [None, 5, [5], [{}], {"a": 1}, [{"node_id": "a", "field_name": "b"}]])
def test_S18_invalid_index_maps_are_rejected(inputs: InputSet, kept: Any) -> None:
    with pytest.raises(UsageError, match="Invalid input index map"):
        verify_input_index_map(inputs, kept)


# ------------------------------------------------------------------ tables


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ("IntegerField", "Integer"),
        ("ModelIdentifierField", "Model"),
        ("ImageField[]", "Image list"),
        ("LoRAField|[]", "LoRA or list"),
        ("SomethingNew", "SomethingNew"),
    ],
)
def test_type_words(kind: str, word: str) -> None:
    assert type_word(kind) == word


def test_terminal_table_keeps_names_and_types_whole(
    inputs: InputSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    show_table(COLUMNS, [row_of(item) for item in inputs], title="A <b>workflow</b>")
    text = re.sub(r"\x1b\[[\d;]*m", "", terminal.getvalue())
    lines = text.splitlines()
    assert all(len(line) <= 80 for line in lines)
    for words in ("Model", "LoRA or list", "Scheduler", "(connected)", "[bold]Steps", "A <b>workflow</b>"):
        assert words in text
    assert "Field" not in text


def test_rows_have_full_type_names(inputs: InputSet) -> None:
    rows = [input_row(item) for item in inputs]
    assert rows == json.loads(json.dumps(rows))
    assert rows[0] == {
        "index": 0,
        "label": "[bold]Steps",
        "field": "steps",
        "node": "denoise",
        "node_id": "denoise",
        "type": "IntegerField",
        "required": inputs[0].required,
        "connected": False,
        "value": 30,
        "allowed": inputs[0].field.allowed,
    }
    assert rows[1]["value"] == "Dream"


def test_preview_as_text_and_html(inputs: InputSet) -> None:
    inputs.set({0: 40})
    text = inputs_text("W", inputs)
    assert text.splitlines()[0] == "W"
    assert "40" in text
    page = inputs_html("A <b>workflow</b>", inputs)
    assert "A &lt;b&gt;workflow&lt;/b&gt;" in page
    assert page.count("<tr>") == 1 + len(inputs)


def test_each_input_is_one_line_of_the_table() -> None:
    document = workflow("W", {"add": ("add", {"a": 1, "b": 2})}, [], [("add", "a"), ("add", "b")])
    document["nodes"][0]["data"]["inputs"]["a"]["label"] = "two\nlines\u2028and a tab\t"
    schema = reference_schema()
    items = InputSet(load_workflow(WorkflowDefinition.from_dict(document), schema), schema)
    assert [line.split()[:2] for line in inputs_text("W", items).splitlines()[2:]] == [
        ["0", "two"],
        ["1", "B"],
    ]


# ------------------------------------------------------------------ models


async def test_S19_model_with_the_same_name_replaces() -> None:
    lost = identifier(model("g", "Dream", hash="?"), base="sd-2")
    wf = handle(loader=("main_model_loader", {"model": lost}))
    ((before, after),) = await wf.sync_dnn_model()
    assert before == lost
    assert after == identifier(MODELS[1])
    assert wf.inputs.find("loader.model").field.to_api_format() == after
    assert await wf.sync_dnn_model() == []


async def test_S19_name_takes_precedence_over_base() -> None:
    server = FakeServer(models=[model("m0", "First"), model("s2", "Dream", "sd-2")])
    ((_, after),) = await handle(server=server).sync_dnn_model()
    assert after["key"] == "s2"


@pytest.mark.parametrize(
    ("name", "by_name", "by_base", "key"),
    [
        ("Dream", True, True, "m1"),
        ("Dream", False, True, "m1"),  # a model with the same name, base and type is always found
        ("Lost", True, True, "m0"),
        ("Lost", True, False, None),
        ("Lost", False, True, "m0"),
        ("Lost", False, False, None),
    ],
)
async def test_S19_by_name_then_by_base(name: str, by_name: bool, by_base: bool, key: str | None) -> None:
    lost = identifier(model("g", name))
    wf = handle(loader=("main_model_loader", {"model": lost}))
    pairs = await wf.sync_dnn_model(by_name=by_name, by_base=by_base)
    assert [after["key"] for _, after in pairs] == ([] if key is None else [key])
    assert ("loader", "model") in wf.inputs.values() or key is None


async def test_S19_only_compatible_models_replace() -> None:
    lost = identifier(model("g", "Dream", "sdxl"), hash="?")
    server = FakeServer(models=[model("v", "Dream", kind="vae"), model("x1", "Other", "sdxl")])
    wf = handle(server=server, loader=("main_model_loader", {"model": lost}))
    assert await wf.sync_dnn_model() == []  # the field accepts neither a VAE nor SDXL


async def test_S19_loras_keep_their_weights() -> None:
    loras = [
        {"lora": identifier(INK, **FAR), "weight": 0.25},
        {"lora": identifier(OIL), "weight": 0.5},
        {"lora": identifier(model("g", "Gone", kind="lora")), "weight": 0.75},
    ]
    wf = handle(loader=("main_model_loader", {}), loras=("lora_collection_loader", {"loras": loras}))
    pairs = await wf.sync_dnn_model()
    assert [(before["name"], after["key"]) for before, after in pairs] == [("Ink", "l1"), ("Gone", "l1")]
    held = wf.inputs.find("loras.loras").field.to_api_format()
    assert [(one["lora"]["key"], one["weight"]) for one in held] == [("l1", 0.25), ("l2", 0.5), ("l1", 0.75)]


async def test_S19_submodel_is_kept() -> None:
    part = {**identifier(MODELS[1], **FAR), "submodel_type": "unet"}
    wf = handle(loader=("main_model_loader", {"model": part}))
    ((before, after),) = await wf.sync_dnn_model()
    assert (before["submodel_type"], after["submodel_type"]) == ("unet", "unet")


async def test_S19_set_values_are_replaced_but_names_are_kept() -> None:
    wf = handle()
    wf.set({"loader.model": "Dream"})
    assert await wf.sync_dnn_model() == []
    wf.set({"loader.model": identifier(model("g", "Gone"))})
    assert [after["key"] for _, after in await wf.sync_dnn_model()] == ["m0"]


def test_snapshot_names_do_not_collide_with_arguments() -> None:
    """``wf.run(**run.inputs)`` sets only inputs."""
    from inspect import Parameter, signature

    from invokeai_py_client import WorkflowHandle
    from invokeai_py_client.engine.inputs import _TAKEN

    options: set[str] = set()
    for name in ("run", "start", "start_batch", "enqueue_request", "sweep", "sweep_plan", "set"):
        parameters = signature(getattr(WorkflowHandle, name)).parameters.values()
        assert any(one.kind is Parameter.VAR_KEYWORD for one in parameters), name
        options |= {one.name for one in parameters if one.kind is Parameter.KEYWORD_ONLY}
    assert options - {"seed"} <= _TAKEN  # the seed of a sweep is the input
