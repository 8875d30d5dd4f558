"""Intended improvements over the official editor: a test for each row in docs/engine.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from workflows import workflow

from invokeai_py_client.engine.batch import server_generators
from invokeai_py_client.engine.definition import WorkflowDefinition
from invokeai_py_client.engine.load import load_workflow
from invokeai_py_client.engine.readiness import find_problems, raise_for_problems
from invokeai_py_client.engine.request import build_request
from invokeai_py_client.engine.workflow import LoadedWorkflow
from invokeai_py_client.errors import NotReadyError, UnknownNodeError
from invokeai_py_client.schema.reference import reference_schema

SCHEMA = reference_schema()
MODEL = {"key": "k", "hash": "h", "name": "n", "base": "sdxl", "type": "main"}
LORA = {"lora": {**MODEL, "type": "lora"}, "weight": 0.5}
BOX = {"x_min": 0, "x_max": 8, "y_min": 0, "y_max": 8}
TENSOR = {"tensor_name": "t"}


def loaded(
    nodes: Mapping[str, tuple[str, Mapping[str, Any]]], edges: list[str] | None = None, **more: Any
) -> LoadedWorkflow:
    return load_workflow(WorkflowDefinition.from_dict(workflow("w", nodes, edges or [], **more)), SCHEMA)


def sent(flow: LoadedWorkflow, node_id: str) -> dict[str, Any]:
    return build_request(flow, SCHEMA, {})["batch"]["graph"]["nodes"][node_id]


def problems(flow: LoadedWorkflow) -> list[tuple[str, str | None]]:
    return [(problem.node_id, problem.field) for problem in find_problems(flow, SCHEMA, {})]


@pytest.mark.parametrize(
    ("node_type", "field", "value"),
    [
        ("crop_image_to_bounding_box", "bounding_box", BOX),
        ("crop_image_to_bounding_box", "bounding_box", {**BOX, "score": None}),
        ("sdxl_lora_collection_loader", "loras", LORA),
        ("boolean_collection", "collection", [True, False]),
        ("video_concat", "videos", [{"video_name": "a"}, {"video_name": "b"}]),
        ("invert_tensor_mask", "mask", TENSOR),
        ("if", "true_input", {"anything": [1, {"goes": None}]}),
    ],
)
def test_valid_literal_is_sent_unchanged(node_type: str, field: str, value: Any) -> None:
    flow = loaded({"n": (node_type, {field: value})})
    assert sent(flow, "n")[field] == value
    assert ("n", field) not in problems(flow)


@pytest.mark.parametrize(
    ("node_type", "field", "value"),
    [
        ("blank_image", "color", {"r": 1, "g": 2, "b": 3}),
        ("blank_image", "color", {"r": 1, "g": 2, "b": 3, "a": 256}),
        ("sdxl_model_loader", "model", {"key": "k"}),
        ("sdxl_model_loader", "model", {"model_name": "old", "base_model": "sdxl", "model_type": "main"}),
        ("sdxl_model_loader", "model", {**MODEL, "base": "sd-99"}),
        ("video_concat", "videos", [{"video_name": "only one"}]),
        ("crop_image_to_bounding_box", "bounding_box", {"x_min": 0}),
        ("add", "a", {"unknown": 1}),
        ("add", "a", [None]),
    ],
)
def test_lost_invalid_literal_is_rejected(node_type: str, field: str, value: Any) -> None:
    flow = loaded({"n": (node_type, {field: value})})
    found = [problem for problem in find_problems(flow, SCHEMA, {}) if problem.field == field]
    assert len(found) == 1
    assert found[0].what.startswith(("the workflow's value ", "the model 'old' (sdxl main) is in the format"))
    assert sent(flow, "n").get(field) != value  # without the check, we send the same as the editor
    assert ("n", field) not in [
        (p.node_id, p.field) for p in find_problems(flow, SCHEMA, {("n", field): _good(value)})
    ]


def _good(value: Any) -> Any:
    if isinstance(value, dict) and "r" in value:
        return {"r": 1, "g": 2, "b": 3, "a": 4}
    if isinstance(value, dict) and ("key" in value or "model_name" in value):
        return MODEL
    if isinstance(value, dict) and "x_min" in value:
        return BOX
    return [{"video_name": "a"}, {"video_name": "b"}] if isinstance(value, list) and value[0] else 1


def test_a_saved_image_generator_keeps_its_board() -> None:
    settings = {"type": "image_generator_images_from_board", "board_id": "b1", "category": "assets"}
    flow = loaded(
        {"g": ("image_generator", {"generator": settings}), "b": ("image_batch", {}), "i": ("image", {})},
        ["g.images -> b.images", "b.image -> i.image"],
    )
    (asked,) = server_generators(flow, {})
    assert (asked.node_id, asked.kind, asked.board_id, asked.category) == (
        "g",
        "board_images",
        "b1",
        "assets",
    )
    images = [{"image_name": "1.png"}, {"image_name": "2.png"}]
    request = build_request(flow, SCHEMA, {}, generated={"g": images})["batch"]
    assert request["data"] == [[{"node_path": "i", "field_name": "image", "items": images}]]
    assert request["workflow"]["nodes"][0]["data"]["inputs"]["generator"]["value"] == settings
    assert find_problems(flow, SCHEMA, {}, {"g": images}) == []


def test_batch_behind_connectors_feeds_their_targets() -> None:
    document = workflow(
        "w", {"b": ("integer_batch", {"integers": [1, 2], "batch_group_id": "None"}), "a": ("add", {})}, []
    )
    document["meta"]["version"] = "4.0.0"
    for name in ("c1", "c2"):
        data = {"id": name, "type": "connector", "label": "", "isOpen": True}
        document["nodes"].append(
            {"id": name, "type": "connector", "data": data, "position": {"x": 0, "y": 0}}
        )
    for index, (source, output, target, field) in enumerate(
        [
            ("b", "value", "c1", "in"),
            ("c1", "out", "c2", "in"),
            ("c2", "out", "a", "a"),
            ("c1", "out", "a", "b"),
        ]
    ):
        document["edges"].append(
            {"id": f"e{index}", "type": "default", "source": source, "sourceHandle": output}
            | {"target": target, "targetHandle": field}
        )
    flow = load_workflow(WorkflowDefinition.from_dict(document), SCHEMA)
    data = build_request(flow, SCHEMA, {})["batch"]["data"]
    assert [(datum["node_path"], datum["field_name"]) for datum in data[0]] == [("a", "a"), ("a", "b")]
    assert find_problems(flow, SCHEMA, {}) == []


def test_missing_form_field_keeps_the_workflow() -> None:
    flow = loaded({"n": ("add", {"a": 1})}, form=[("gone", "a"), ("n", "a")])
    attached = build_request(flow, SCHEMA, {})["batch"]["workflow"]
    assert [(field.node_id, field.field_name) for field in flow.form] == [("n", "a")]
    assert attached["form"]["elements"]["root"]["data"]["children"] == ["node-field-1"]
    assert any("'gone'" in warning for warning in flow.warnings)


def test_unknown_settings_keep_the_form() -> None:
    flow = loaded(
        {"n": ("add", {"a": 1, "b": 2})},
        form=[("n", "a"), ("n", "b")],
        settings={
            ("n", "a"): {"type": "number-field-config"},
            ("n", "b"): {"type": "integer-field-config", "max": 9},
        },
    )
    assert [dict(field.settings) for field in flow.form] == [
        {},
        {"type": "integer-field-config", "component": "number-input", "showShuffle": False, "max": 9},
    ]
    assert len(flow.warnings) == 1


def test_node_of_another_major_version_runs_without_unknown_inputs() -> None:
    flow = loaded({"n": ("add", {"a": 1, "old_input": 5})}, versions={"add": "3.0.0"})
    assert sent(flow, "n") == {"type": "add", "id": "n", "a": 1, "use_cache": True, "is_intermediate": True}
    assert len(flow.warnings) == 1
    assert "3.0.0" in flow.warnings[0]
    assert find_problems(flow, SCHEMA, {}) == []


@pytest.mark.parametrize(
    ("node_type", "field", "value"),
    [
        ("img_resize", "width", 0),
        ("video_concat", "fps", 121),
        ("img_resize", "resample_mode", "sharpest"),
        ("denoise_latents", "scheduler", "none such"),
        ("add", "a", "x"),
        ("controlnet", "control_weight", [0.5, 1]),
        ("controlnet", "control_weight", 3),
        ("save_image", "board", "weird"),
    ],
)
def test_values_outside_limits_and_choices_are_rejected(node_type: str, field: str, value: Any) -> None:
    flow = loaded({"n": (node_type, {field: value})})
    assert ("n", field) in problems(flow)
    assert sent(flow, "n")[field] == value


def test_missing_node_types_are_named() -> None:
    flow = loaded({"n": ("add", {"a": 1})})
    document = workflow("w", {"n": ("add", {"a": 1}), "m": ("sub", {})}, ["n.value -> m.a"])
    document["nodes"][0]["data"]["type"] = "gone_node"
    flow = load_workflow(WorkflowDefinition.from_dict(document), SCHEMA)
    found = find_problems(flow, SCHEMA, {})
    with pytest.raises(UnknownNodeError, match="gone_node") as caught:
        raise_for_problems(found, flow, SCHEMA)
    assert caught.value.node_types == ("gone_node",)
    assert list(build_request(flow, SCHEMA, {})["batch"]["graph"]["nodes"]) == ["m"]


def test_one_error_lists_all_findings() -> None:
    flow = loaded({"n": ("img_resize", {"width": 0, "height": -1})})
    with pytest.raises(NotReadyError) as caught:
        raise_for_problems(find_problems(flow, SCHEMA, {}), flow, SCHEMA)
    assert len(caught.value.findings) == 3
    for word in ("Width", "Height", "Image"):
        assert word in str(caught.value)
    raise_for_problems([], flow, SCHEMA)
