"""JSON Schemas of workflows' inputs: which values they allow, their keys, defaults and choices."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest
import recipes
from golden import CASES, golden
from json_values import TEXTS, value_for
from jsonschema import Draft202012Validator
from workflows import workflow

from invokeai_py_client import AsyncWorkflowHandle
from invokeai_py_client.engine.definition import WorkflowDefinition
from invokeai_py_client.engine.inputs import InputSet
from invokeai_py_client.engine.json_schema import json_schema, named_inputs
from invokeai_py_client.engine.load import load_workflow
from invokeai_py_client.errors import UsageError, WorkflowFormatError
from invokeai_py_client.schema.reference import reference_schema
from invokeai_py_client.schema.strict import is_valid, strict_schema

KEY = re.compile(r"[A-Za-z0-9_.-]{1,64}")
EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.json"))
NODES = sorted(reference_schema())


def inputs_of(document: Mapping[str, Any]) -> InputSet:
    schema = reference_schema()
    return InputSet(load_workflow(WorkflowDefinition.from_dict(document), schema), schema)


def schema_of(document: Mapping[str, Any], **known: Any) -> dict[str, Any]:
    return json_schema(str(document["name"]), "", inputs_of(document), **known)


def one_node(kind: str, values: Mapping[str, Any], *fields: str, **known: Any) -> dict[str, Any]:
    """Return the schema's properties for fields of one node, which the form shows."""
    document = workflow(kind, {"node": (kind, values)}, [], [("node", field) for field in fields])
    found = schema_of(document, **known)
    assert list(found["properties"]) == list(fields)
    return found


def one_node_with(settings: Mapping[str, Any], kind: str, field: str, value: Any = None) -> dict[str, Any]:
    """Return the schema of one field, for which the form has settings."""
    shown = ("n", field)
    values = {} if value is None else {field: value}
    document = workflow("w", {"n": (kind, values)}, [], [shown], settings={shown: settings})
    return schema_of(document)["properties"][field]


def loadable(name: str) -> bool:
    try:
        golden(name).load()
    except WorkflowFormatError:
        return False
    return True


def documents(source: str) -> list[Mapping[str, Any]]:
    if source == "goldens":
        return [golden(name).workflow for name in CASES if loadable(name)]
    if source == "examples":
        return [json.loads(path.read_text()) for path in EXAMPLES]
    return [workflow(kind, {"node": (kind, {})}, []) for kind in NODES]


@cache
def check(part: str) -> None:
    """Check a part of a schema, as JSON, and its default. Equal parts are checked once."""
    schema = json.loads(part)
    Draft202012Validator.check_schema(schema)
    if "default" in schema:
        Draft202012Validator(schema).validate(schema["default"])


def has_null(data: Any) -> bool:
    if isinstance(data, Mapping):
        return any(map(has_null, data.values()))
    return data is None or (isinstance(data, list) and any(map(has_null, data)))


# --------------------------------------------------------------------------- all workflows


@pytest.mark.parametrize("source", ["goldens", "examples", "nodes"])
def test_schemas_are_valid_and_so_are_their_defaults(source: str) -> None:
    found = documents(source)
    assert len(found) >= {"goldens": 95, "examples": 6, "nodes": 300}[source]
    for document in found:
        for everything in (False, True):
            schema = schema_of(document, everything=everything)
            Draft202012Validator.check_schema({**schema, "properties": {}})
            for part in schema["properties"].values():
                check(json.dumps(part))
            assert not has_null(schema)
            assert "$ref" not in json.dumps(schema)
            assert all(map(KEY.fullmatch, schema["properties"]))
            assert set(schema.get("required", ())) <= schema["properties"].keys()


@pytest.mark.parametrize("case", recipes.CASES, ids=lambda case: case.id)
def test_schemas_of_recipes_are_valid_and_sound(case: recipes.Case) -> None:
    random = Random(1)
    inputs = InputSet(case.load(reference_schema()), reference_schema())
    for everything in (False, True):
        schema = json_schema(case.id, "", inputs, everything=everything)
        Draft202012Validator.check_schema({**schema, "properties": {}})
        assert all(map(KEY.fullmatch, schema["properties"]))
        for key, part in schema["properties"].items():
            check(json.dumps(part))
            inputs.find_settable(key).check(value_for(part, random))


def test_engine_rejects_none_of_10000_values_that_schemas_allow() -> None:
    random = Random(16)
    count = 0
    for document in (*documents("goldens"), *documents("examples"), *documents("nodes")):
        inputs = inputs_of(document)
        named = named_inputs(inputs, everything=True)
        properties: dict[str, Any] = schema_of(document, everything=True)["properties"]
        for key, part in properties.items():
            item = inputs.find_settable(key)
            assert item is named[key]
            for _ in range(2):
                value = value_for(part, random)
                count += 1
                item.check(value)  # raises an error if the value is rejected
                if inputs.rule_of(item.key) and not isinstance(value, list):
                    refusals = inputs.refusals(item.node_id, {item.field_name: value})
                    assert item.field_name not in dict(refusals) or "step_percent" in item.field_name
        inputs.set({key: value_for(part, random) for key, part in properties.items()})
        count += len(properties)
    assert count >= 10_000


def test_generator_of_values_and_own_validator_agree_with_jsonschema() -> None:
    random = Random(3)
    wrong = 0
    parts = [
        part
        for name in NODES
        for part in schema_of(workflow(name, {"n": (name, {})}, []), everything=True)["properties"].values()
    ]
    distinct = {json.dumps(part, sort_keys=True): part for part in parts}
    others = [value_for({}, random) for _ in range(40)] + [
        *TEXTS[:20],
        0,
        1.0,
        True,
        [],
        {},
        7.5,
        [1],
        {"r": 1},
    ]
    for part in distinct.values():
        validator = Draft202012Validator(part)
        values = [value_for(part, random) for _ in range(3)]
        assert all(map(validator.is_valid, values))
        for value in (*values, *random.sample(others, 12)):
            assert is_valid(part, value) == validator.is_valid(value), (part, value)
            wrong += not is_valid(part, value)
    assert wrong > 1000


def test_text_of_a_schema_is_always_the_same() -> None:
    for path in EXAMPLES:
        document = json.loads(path.read_text())
        texts = {json.dumps(schema_of(json.loads(json.dumps(document)), everything=True)) for _ in range(3)}
        assert len(texts) == 1


# --------------------------------------------------------------------------- keys

LONG = "a very long label, " * 11
ODD = {
    "Chinese": ["提示词", "负面提示词", "提示词", "种子"],
    "emoji": ["🦊", "🦊🦊", "🦊", "👩‍🎨"],
    "200 characters": [LONG, LONG + "!", LONG[:64], LONG[:65]],
    "equal": ["Prompt", "Prompt", "prompt", "PROMPT "],
    "like other names": ["prompt_1", "7", "mode", "seed"],
    "like keys": ["a.prompt", "prompt_2", "../x", "__proto__"],
}


@pytest.mark.parametrize("labels", ODD.values(), ids=ODD)
@pytest.mark.parametrize("node_names", ["plain", "equal to labels"])
def test_keys_are_portable_and_accepted_whatever_the_labels(labels: list[str], node_names: str) -> None:
    form = [("a", "prompt"), ("b", "prompt"), ("c", "prompt"), ("d", "seed")]
    nodes: dict[str, Any] = {node: ("compel", {"prompt": node}) for node in "abc"}
    nodes |= {"d": ("noise", {"seed": 7}), "e": ("compel", {"prompt": "not in the form"})}
    document = workflow("odd", nodes, [], form, labels=dict(zip(form, labels, strict=True)))
    for node, label in zip(document["nodes"], [*labels, labels[0]], strict=True):
        node["data"]["label"] = label if node_names != "plain" else ""
    inputs = inputs_of(document)
    shown = schema_of(document)["properties"]
    every = schema_of(document, everything=True)["properties"]
    assert list(every)[: len(shown)] == list(shown)
    assert len(shown) == len(form)
    assert all(map(KEY.fullmatch, every))
    values = {
        key: index if part["type"] == "integer" else f"text {index}"
        for index, (key, part) in enumerate(shown.items())
    }
    inputs.set(values)
    assert [inputs.at(key).value for key in form] == list(values.values())
    assert inputs.at(("e", "prompt")).value == "not in the form"


def test_label_is_the_key_if_it_can_be() -> None:
    form = [("a", "prompt"), ("b", "prompt"), ("c", "width")]
    labels = {form[0]: "Positive Prompt", form[1]: "Negative – Prompt", form[2]: "宽度"}
    nodes: dict[str, Any] = {node: ("compel", {}) for node in "ab"} | {"c": ("noise", {})}
    found = schema_of(workflow("w", nodes, [], form, labels=labels))["properties"]
    assert list(found) == ["positive_prompt", "negative_prompt", "width"]
    assert "description" not in found["positive_prompt"]
    assert found["width"]["description"] == "宽度"


def test_numbered_names_are_never_ambiguous() -> None:
    form = [(node, "prompt") for node in "abc"]
    labels = dict(zip(form, ["文", "文", "prompt 1"], strict=True))
    document = workflow("w", {node: ("compel", {}) for node in "abc"}, [], form, labels=labels)
    for node in document["nodes"]:
        node["data"]["label"] = ""
    inputs = inputs_of(document)
    assert list(named_inputs(inputs)) == ["prompt_2", "prompt_3", "prompt_1"]
    assert inputs["prompt_1"].node_id == "c"


def test_seed_of_a_random_node_is_an_input() -> None:
    document = workflow(
        "w",
        {"r": ("rand_int", {}), "n": ("noise", {})},
        ["r.value -> n.seed"],
        [("n", "width"), ("n", "seed")],
    )
    found = schema_of(document)
    assert list(found["properties"]) == ["width", "seed"]
    assert found["properties"]["seed"] == {"type": "integer", "minimum": 0, "maximum": 4294967295}


def test_connected_inputs_are_left_out() -> None:
    document = workflow(
        "w",
        {"i": ("integer", {}), "n": ("noise", {})},
        ["i.value -> n.width"],
        [("n", "width"), ("n", "height")],
    )
    assert list(schema_of(document)["properties"]) == ["height"]


# --------------------------------------------------------------------------- fields

WEIGHT = {"type": "number", "minimum": -1, "maximum": 2}


@pytest.mark.parametrize(
    ("kind", "field", "value", "expected"),
    [
        ("noise", "width", 512, {"type": "integer", "minimum": 1, "multipleOf": 8, "default": 512}),
        ("denoise_latents", "denoising_start", 0.5, {"type": "number", "minimum": 0, "maximum": 1, "default": 0.5}),
        ("noise", "use_cpu", False, {"type": "boolean", "default": False}),
        ("string", "value", "猫", {"type": "string", "default": "猫"}),
        ("img_blur", "blur_type", "box", {"type": "string", "enum": ["gaussian", "box"], "default": "box"}),
        (
            "blank_image",
            "color",
            {"r": 255, "g": 0, "b": 16, "a": 255},
            {"type": "string", "pattern": "^#[0-9a-fA-F]{6}([0-9a-fA-F]{2})?$", "default": "#ff0010"},
        ),
        ("integer_collection", "collection", [1], {"type": "array", "items": {"type": "integer"}, "default": [1]}),
        ("prompt_from_file", "file_path", "a.txt", {"type": "string", "pattern": r"[\s\S]", "default": "a.txt"}),
        ("ip_adapter", "weight", 1, {"anyOf": [WEIGHT, {"type": "array", "items": WEIGHT}], "default": 1}),
        # The server fails on a list here, although its schema allows one.
        ("controlnet", "control_weight", 1, {**WEIGHT, "default": 1}),
    ],
)  # fmt: skip
def test_schema_of_a_field(kind: str, field: str, value: Any, expected: dict[str, Any]) -> None:
    assert one_node(kind, {field: value}, field)["properties"][field] == expected


def test_box_has_a_corner_and_a_size() -> None:
    """A schema cannot require that one number is not greater than another."""
    box = {"x_min": 8, "y_min": 16, "x_max": 72, "y_max": 16}
    found = one_node("crop_image_to_bounding_box", {"bounding_box": box}, "bounding_box")["properties"][
        "bounding_box"
    ]
    assert found["default"] == {"x_min": 8, "y_min": 16, "width": 64, "height": 0}
    document = workflow("w", {"n": ("crop_image_to_bounding_box", {})}, [], [("n", "bounding_box")])
    inputs = inputs_of(document)
    inputs.set({"bounding_box": found["default"]})
    assert inputs[0].value == box


@pytest.mark.parametrize(
    ("field", "value"),
    [("width", 13), ("width", "512"), ("width", 8.5), ("seed", -1), ("use_cpu", 1)],
)
def test_value_that_does_not_fit_is_not_a_default(field: str, value: Any) -> None:
    assert "default" not in one_node("noise", {field: value}, field)["properties"][field]


def test_limits_of_the_form_narrow_the_schema() -> None:
    found = one_node_with({"component": "number-input", "min": 64, "max": 1024}, "noise", "width")
    assert found == {"type": "integer", "minimum": 64, "maximum": 1024, "multipleOf": 8}


def test_choices_of_the_form_are_described_by_their_labels() -> None:
    options = [{"label": "A fox", "value": "fox"}, {"label": "hen", "value": "hen"}]
    found = one_node_with({"component": "dropdown", "options": options}, "string", "value", "hen")
    assert found == {"type": "string", "enum": ["fox", "hen"], "default": "hen", "description": "fox: A fox"}


def test_only_inputs_without_a_value_are_required() -> None:
    assert one_node("img_blur", {}, "image")["required"] == ["image"]
    found = one_node("img_blur", {"image": {"image_name": "a.png"}}, "image")
    assert "required" not in found
    assert found["properties"]["image"]["default"] == "a.png"


def test_image_is_a_name_and_never_a_path() -> None:
    found = one_node("img_blur", {}, "image")["properties"]["image"]
    validator = Draft202012Validator(found)
    assert validator.is_valid("0f9c.png")
    assert not any(map(validator.is_valid, ["", " ", "/etc/passwd", "a/b.png", "C:\\a.png"]))


# --------------------------------------------------------------------------- models and boards


def model(key: str, name: str, base: str = "sdxl", kind: str = "main") -> dict[str, Any]:
    return {"key": key, "hash": f"hash {key}", "name": name, "base": base, "type": kind}


NAMES = {"k1": "Zeta", "k2": "Twin", "k3": "Twin", "k4": "alpha", "k6": " ", "k7": "k1"}
MODELS = [model("k5", "SD", "sd-1"), *(model(key, name) for key, name in NAMES.items())]


def test_models_that_fit_are_choices() -> None:
    """A name that several models share selects none, so their keys are the choices."""
    held = {**model("other", "Zeta"), "hash": "hash k1"}
    found = one_node("sdxl_model_loader", {"model": held}, "model", models=MODELS)
    texts = ["k6", "alpha", "k7", "k2", "k3", "Zeta"]
    assert found["properties"]["model"] == {"type": "string", "enum": texts, "default": "Zeta"}
    assert "required" not in found


def test_model_that_is_not_on_the_server_is_required() -> None:
    found = one_node("sdxl_model_loader", {"model": model("gone", "Gone")}, "model", models=MODELS)
    assert found["required"] == ["model"]
    assert "default" not in found["properties"]["model"]


@pytest.mark.parametrize("models", [None, [], [model(f"k{n}", f"Model {n}") for n in range(61)]])
def test_models_are_described_if_they_cannot_be_listed(models: Any) -> None:
    found = one_node("sdxl_model_loader", {}, "model", models=models)
    assert found["required"] == ["model"]
    words = "Model (sdxl, main)"
    assert found["properties"]["model"] == {"type": "string", "pattern": r"\S", "description": words}


def test_loras_are_objects() -> None:
    loras = [model("l1", "Ink", "sdxl", "lora"), model("l2", "Oil", "sdxl", "lora")]
    held = [{"lora": loras[1], "weight": 0.5}]
    found = one_node("sdxl_lora_collection_loader", {"loras": held}, "loras", models=loras)["properties"][
        "loras"
    ]
    lora = {"type": "string", "enum": ["Ink", "Oil"]}
    assert found["items"]["properties"] == {"lora": lora, "weight": {"type": "number"}}
    assert found["default"] == [{"lora": "Oil", "weight": 0.5}]


def test_boards_are_choices() -> None:
    boards = {"b1": "Foxes", "b2": "Hens", "b3": "Hens", "b4": "auto"}
    found = one_node("l2i", {"board": {"board_id": "b1"}}, "board", boards=boards)["properties"]["board"]
    assert found == {
        "type": "string",
        "enum": ["auto", "none", "b4", "Foxes", "b2", "b3"],
        "default": "Foxes",
    }
    gone = one_node("l2i", {"board": {"board_id": "gone"}}, "board", boards=boards)["properties"]["board"]
    assert "default" not in gone
    many = {f"b{n}": f"Board {n}" for n in range(61)}
    assert "enum" not in one_node("l2i", {}, "board", boards=many)["properties"]["board"]


async def test_handle_without_a_server_has_a_schema_without_choices() -> None:
    document = workflow("w", {"m": ("sdxl_model_loader", {}), "n": ("noise", {})}, [], [("m", "model")])
    handle = AsyncWorkflowHandle(None, WorkflowDefinition.from_dict(document))
    assert list((await handle.json_schema(choices=False))["properties"]) == ["model"]
    with pytest.raises(UsageError, match="no server"):
        await handle.json_schema()
    plain = workflow("w", {"n": ("noise", {})}, [], [("n", "width")])
    assert await AsyncWorkflowHandle(None, WorkflowDefinition.from_dict(plain)).json_schema()


async def test_values_that_were_set_are_the_defaults() -> None:
    document = workflow(
        "w", {"m": ("sdxl_model_loader", {}), "n": ("noise", {})}, [], [("m", "model"), ("n", "width")]
    )
    handle = AsyncWorkflowHandle(None, WorkflowDefinition.from_dict(document))
    handle.set(width=640, model="Zeta")
    found = await handle.json_schema(choices=False)
    assert {key: part["default"] for key, part in found["properties"].items()} == {
        "width": 640,
        "model": "Zeta",
    }
    assert "required" not in found


# --------------------------------------------------------------------------- strict schemas

NULL = {"type": "null"}


@pytest.mark.parametrize(
    ("server", "strict"),
    [
        ({"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None}, {"type": "integer"}),
        ({"type": ["string", "null"], "title": "X"}, {"type": "string"}),
        ({"type": "null"}, None),
        ({"enum": ["a", None]}, {"enum": ["a"]}),
        ({"anyOf": [{"type": "null"}]}, None),
        ({"minimum": 3, "anyOf": [{"minimum": 1, "type": "number"}, NULL]}, {"type": "number", "minimum": 3}),
        ({"maximum": 9, "allOf": [{"type": "integer", "maximum": 7}]}, {"type": "integer", "maximum": 7}),
        ({"oneOf": [{"type": "string"}, {"type": "boolean"}]}, {"anyOf": [{"type": "string"}, {"type": "boolean"}]}),
        (
            {"type": "object", "properties": {"a": {"anyOf": [{"type": "number"}, NULL]}, "b": NULL}},
            {"type": "object", "properties": {"a": {"type": "number"}}},
        ),
    ],
)  # fmt: skip
def test_strict_schema_has_no_null(server: dict[str, Any], strict: dict[str, Any] | None) -> None:
    assert strict_schema(server) == strict
