"""Tests of node templates, compared with those of the official editor of InvokeAI 6.14.2."""

from __future__ import annotations

import json
import lzma
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from invokeai_py_client.errors import NotInvokeAIError
from invokeai_py_client.schema.parse import parse_schema
from invokeai_py_client.schema.template import (
    NO_LIMITS,
    UNSET,
    FieldType,
    InputTemplate,
    Limits,
    ModelFilter,
    Schema,
)

DATA = Path(__file__).parents[1] / "data"
VERSIONS = ("5.15.0", "6.0.2", "6.14.2")
LIMIT_WORDS = {
    "minimum": "minimum",
    "maximum": "maximum",
    "exclusive_minimum": "exclusiveMinimum",
    "exclusive_maximum": "exclusiveMaximum",
    "multiple_of": "multipleOf",
    "min_length": "minLength",
    "max_length": "maxLength",
    "min_items": "minItems",
    "max_items": "maxItems",
}
MODEL_WORDS = ("base", "type", "variant", "format", "provider_id")


def read(name: str) -> Any:
    return json.loads(lzma.decompress((DATA / name).read_bytes()))


@cache
def schema_of(version: str) -> Schema:
    return parse_schema(read(f"openapi-{version}.json.xz"), version)


def plain(value: Any) -> Any:
    """Convert JSON data so that 1.0 and 1 are equal, but true and 1 are not."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return (type(value).__name__, value)


def type_facts(field_type: FieldType) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "name": field_type.name,
        "cardinality": field_type.cardinality,
        "batch": field_type.batch,
    }
    if field_type.original is not None:
        facts["originalType"] = type_facts(field_type.original)
    return facts


def input_facts(template: InputTemplate) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "title": template.title,
        "input": template.input,
        "required": template.required,
        "type": type_facts(template.type),
    }
    if template.default is not UNSET:
        facts["default"] = template.default
    for attribute, word in LIMIT_WORDS.items():
        if (limit := getattr(template.limits, attribute)) is not None:
            facts[word] = limit
    # The editor stores no options for schedulers, because it has a separate list.
    if template.type.name == "EnumField":
        facts["options"] = template.options
    if template.option_labels:
        facts["ui_choice_labels"] = template.option_labels
    for name in ("ui_component", "ui_type", "ui_order"):
        if (value := getattr(template, name)) is not None:
            facts[name] = value
    for name in MODEL_WORDS:
        if template.models is not None and (value := getattr(template.models, name)) is not None:
            facts[f"ui_model_{name}"] = value
    return facts


EDITOR: dict[str, Any] = read("templates-6.14.2.json.xz")


def test_node_types_match_editor() -> None:
    assert len(EDITOR) == 309
    assert schema_of("6.14.2").keys() == EDITOR.keys()


@pytest.mark.parametrize("node_type", sorted(EDITOR))
def test_templates_match_editor(node_type: str) -> None:
    ours, theirs = schema_of("6.14.2")[node_type], EDITOR[node_type]
    assert ours.type == node_type
    assert {
        "classification": ours.classification,
        "nodePack": ours.node_pack,
        "outputType": ours.output_type,
        "title": ours.title,
        "useCache": ours.use_cache,
        "version": ours.version,
    } == {key: theirs[key] for key in theirs if key not in ("inputs", "outputs")}
    assert ours.inputs.keys() == theirs["inputs"].keys()
    for name, template in ours.inputs.items():
        facts = dict(theirs["inputs"][name])
        assert template.ui_hidden == facts.pop("ui_hidden", False)
        assert plain(input_facts(template)) == plain(facts), name
    assert {name: {"type": type_facts(output.type)} for name, output in ours.outputs.items()} == theirs[
        "outputs"
    ]


def test_wire_names_match_templates() -> None:
    for version in VERSIONS:
        for node in schema_of(version).values():
            assert all(name == template.name for name, template in node.inputs.items())
            assert all(name == output.name for name, output in node.outputs.items())


@pytest.mark.parametrize(
    ("node_type", "name", "limits"),
    [
        # Inside anyOf, because the field may be null.
        ("lresize", "width", Limits(minimum=64, multiple_of=8)),
        ("lscale", "scale_factor", Limits(exclusive_minimum=0)),
        ("ideogram4_denoise", "mu", Limits(minimum=-4, maximum=4)),
        ("flux_kontext_image_prep", "images", Limits(min_items=1, max_items=10)),
        # pydantic's keywords for limits on a union.
        ("controlnet", "control_weight", Limits(minimum=-1, maximum=2)),
        ("t2i_adapter", "weight", Limits(minimum=0)),
        # A length on a union that contains a list is a number of items.
        ("llava_onevision_vllm", "images", Limits(max_items=3)),
    ],
)
def test_nested_limits(node_type: str, name: str, limits: Limits) -> None:
    template = schema_of("6.14.2")[node_type].inputs[name]
    assert template.nested_limits == limits
    assert template.limits == NO_LIMITS


def test_nested_limits_do_not_repeat_top_limits() -> None:
    template = schema_of("6.14.2")["noise"].inputs["width"]
    assert template.limits == Limits(exclusive_minimum=0, multiple_of=8)
    assert template.nested_limits == NO_LIMITS


def test_a_nullable_input_may_still_be_required() -> None:
    image = schema_of("6.14.2")["save_image"].inputs["image"]
    assert (image.nullable, image.required) == (True, True)
    assert not schema_of("6.14.2")["add"].inputs["a"].nullable
    assert schema_of("6.14.2")["if"].inputs["true_input"].nullable


def test_server_input_differs_from_editor() -> None:
    box = schema_of("6.14.2")["crop_image_to_bounding_box"].inputs["bounding_box"]
    assert (box.input, box.server_input, box.default) == ("connection", "any", UNSET)
    latents = schema_of("6.14.2")["denoise_latents"].inputs["latents"]
    assert (latents.input, latents.server_input) == ("connection", "connection")


def test_json_schema_of_complex_value() -> None:
    color = schema_of("6.14.2")["infill_rgba"].inputs["color"].json_schema
    assert color["title"] == "ColorField"
    assert set(color["required"]) == {"r", "g", "b", "a"}
    assert color["properties"]["r"] == {"type": "integer", "minimum": 0, "maximum": 255}
    assert color["default"] == {"r": 127, "g": 127, "b": 127, "a": 255}

    def words(schema: Any) -> set[str]:
        if isinstance(schema, list):
            return set().union(*map(words, schema))
        if not isinstance(schema, dict):
            return set()
        deeper = [value for key, value in schema.items() if key not in ("default", "enum", "properties")]
        deeper += schema.get("properties", {}).values()
        return schema.keys() | set().union(*map(words, deeper))

    used = {
        word
        for version in VERSIONS
        for node in schema_of(version).values()
        for template in node.inputs.values()
        for word in words(template.json_schema)
    }
    assert not used & {"$ref", "description", "ui_hidden", "field_kind", "orig_required", "ge", "le"}


# ------------------------------------------------------------------------------------ older servers


def test_nodes_of_older_servers() -> None:
    assert (len(schema_of("5.15.0")), len(schema_of("6.0.2"))) == (209, 210)


@pytest.mark.parametrize("version", ["5.15.0", "6.0.2"])
@pytest.mark.parametrize(
    ("node_type", "name", "ui_type", "models"),
    [
        (
            "main_model_loader",
            "model",
            "MainModelField",
            ModelFilter(base=("sd-1", "sd-2"), type=("main",)),
        ),
        ("sdxl_model_loader", "model", "SDXLMainModelField", ModelFilter(base=("sdxl",), type=("main",))),
        ("lora_loader", "lora", "LoRAModelField", ModelFilter(type=("lora",))),
        ("controlnet", "control_model", "ControlNetModelField", ModelFilter(type=("controlnet",))),
        (
            "flux_model_loader",
            "vae_model",
            "FluxVAEModelField",
            ModelFilter(base=("flux",), type=("vae",)),
        ),
    ],
)
def test_model_fields_of_older_servers(
    version: str, node_type: str, name: str, ui_type: str, models: ModelFilter
) -> None:
    template = schema_of(version)[node_type].inputs[name]
    assert template.type == FieldType("ModelIdentifierField")
    assert (template.ui_type, template.models, template.input) == (ui_type, models, "any")


def test_every_old_model_field_has_a_filter() -> None:
    for version in ("5.15.0", "6.0.2"):
        for node in schema_of(version).values():
            for template in node.inputs.values():
                if template.ui_type is not None and template.ui_type.endswith("ModelField"):
                    assert template.type.name == "ModelIdentifierField"
                    assert template.models is not None and template.models.type is not None


def test_old_and_new_filters_agree() -> None:
    """For each ui_type in 6.0.2, the filters in 6.14.2 cover the same models."""
    new = schema_of("6.14.2")
    compared = 0
    for node in schema_of("6.0.2").values():
        for name, old in node.inputs.items():
            template = new[node.type].inputs.get(name) if node.type in new else None
            if template is None or old.models is None or old.models.type is None or template.models is None:
                continue
            compared += 1
            assert old.models.type == template.models.type, (node.type, name)
            if old.models.base is not None and template.models.base is not None:
                assert set(old.models.base) <= set(template.models.base), (node.type, name)
    assert compared > 25


def test_fields_set_by_the_server_are_not_inputs() -> None:
    for version in VERSIONS:
        assert "index" not in schema_of(version)["iterate"].inputs
    # A list of any items has no type. Since InvokeAI 6.13, its ui_type is a type, and it can be connected.
    assert "collection" not in schema_of("6.0.2")["collect"].inputs
    assert "collection" in schema_of("6.14.2")["collect"].inputs


# ------------------------------------------------------------------------- custom nodes, bad documents


def document(properties: dict[str, Any], **node: Any) -> dict[str, Any]:
    """A document with one custom node."""
    return {
        "components": {
            "schemas": {
                "SomethingInvocation": {
                    "class": "invocation",
                    "title": "Something",
                    "version": "0.1.0",
                    "node_pack": "some_pack",
                    "output": {"$ref": "#/components/schemas/SomethingOutput"},
                    "properties": {"type": {"const": "something"}, **properties},
                    **node,
                },
                "SomethingOutput": {
                    "class": "output",
                    "properties": {
                        "out": {"$ref": "#/components/schemas/WeirdField", "field_kind": "output"},
                        "type": {"const": "something_output"},
                    },
                },
                "Loop": {
                    "type": "object",
                    "properties": {"next": {"$ref": "#/components/schemas/Loop"}},
                },
            }
        }
    }


def field(**schema: Any) -> dict[str, Any]:
    return {"field_kind": "input", "input": "any", "orig_required": False, **schema}


def test_types_of_custom_nodes() -> None:
    node = parse_schema(
        document(
            {
                "weird": field(**{"$ref": "#/components/schemas/WeirdField"}),
                "named": field(type="string", ui_type="TheirOwnField"),
                "many": field(anyOf=[{"$ref": "#/x/T"}, {"type": "array", "items": {"$ref": "#/x/T"}}]),
                "loop": field(anyOf=[{"$ref": "#/components/schemas/Loop"}, {"type": "null"}]),
                "graph": field(**{"$ref": "#/components/schemas/SomethingInvocation"}),
                "t5_encoderName": field(**{"$ref": "#/components/schemas/WeirdField"}),
            }
        )
    )["something"]
    assert node.inputs["weird"].type == FieldType("WeirdField")
    assert node.inputs["weird"].json_schema == {"title": "WeirdField"}
    assert node.inputs["named"].type == FieldType("TheirOwnField")
    assert node.inputs["named"].input == "connection"
    assert node.inputs["many"].type == FieldType("T", "SINGLE_OR_COLLECTION")
    assert node.inputs["loop"].json_schema["anyOf"][0] == {
        "title": "Loop",
        "type": "object",
        "properties": {"next": {}},
    }
    assert node.inputs["graph"].json_schema == {"title": "SomethingInvocation"}
    assert node.inputs["t5_encoderName"].title == "T 5 Encoder Name"
    assert node.outputs["out"].type == FieldType("WeirdField")
    assert (node.output_type, node.node_pack, node.category) == ("something_output", "some_pack", "other")


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"type": ["string", "integer"]},
        {"oneOf": [{"type": "string"}]},
        {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        {"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "boolean"}]},
        {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "integer"}]},
        {"anyOf": [{"type": "array"}, {"type": "integer"}]},
        {"type": "array"},
        {"type": "array", "items": {"type": "object"}},
        {"type": "array", "items": {"type": "array", "items": {"type": "string"}}},
        {"allOf": [{"type": "string"}]},
        {"type": "string", "enum": []},
        {"$ref": 3},
        {"type": 3},
        {"anyOf": 3},
        {},
    ],
)
def test_field_without_usable_type_is_left_out(schema: dict[str, Any]) -> None:
    node = parse_schema(document({"bad": field(**schema), "good": field(type="integer")}))["something"]
    assert list(node.inputs) == ["good"]


def test_recursive_field_is_left_out() -> None:
    deep: dict[str, Any] = {"type": "integer"}
    for _ in range(5000):
        deep = {"anyOf": [deep, {"type": "null"}]}
    node = parse_schema(document({"bad": field(**deep), "good": field(type="integer")}))["something"]
    assert list(node.inputs) == ["good"]


@pytest.mark.parametrize(
    "changes",
    [
        {"output": None},
        {"output": {"$ref": "#/components/schemas/Gone"}},
        {"output": {"$ref": "#/components/schemas/Loop"}},
        {"properties": None},
        {"properties": {"type": {}}},
    ],
)
def test_node_without_usable_output_or_type_is_left_out(changes: dict[str, Any]) -> None:
    whole = document({})
    schemas = whole["components"]["schemas"]
    schemas["Broken"] = {**schemas["SomethingInvocation"], **changes}
    assert list(parse_schema(whole)) == ["something"]


@pytest.mark.parametrize(
    "broken",
    [
        None,
        [],
        "<html>",
        {},
        {"components": None},
        {"components": {"schemas": []}},
        {"components": {"schemas": {}}},
        {"components": {"schemas": {"A": None, "B": {"class": "output"}, "C": {"class": "invocation"}}}},
    ],
)
def test_other_documents_are_rejected(broken: Any) -> None:
    with pytest.raises(NotInvokeAIError, match=r"not InvokeAI's /openapi\.json"):
        parse_schema(broken)


def test_batch_lists_are_marked() -> None:
    schema = schema_of("6.14.2")
    for kind, name in (
        ("float", "floats"),
        ("integer", "integers"),
        ("string", "strings"),
        ("image", "images"),
    ):
        assert schema[f"{kind}_batch"].inputs[name].type.batch
        assert schema[f"{kind}_generator"].outputs[name].type.batch


def test_limits_of_branches_use_the_loosest() -> None:
    def nested(**schema: Any) -> Limits:
        return parse_schema(document({"x": field(**schema)}))["something"].inputs["x"].nested_limits

    many = {"type": "array", "items": {"type": "integer", "minimum": 3, "maximum": 9}, "maxItems": 4}
    assert nested(anyOf=[many, {"type": "null"}]) == Limits(minimum=3, maximum=9, max_items=4)
    one = {"type": "integer", "minimum": 1}
    assert nested(anyOf=[one, many]) == Limits(minimum=1, max_items=4)
