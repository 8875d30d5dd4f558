"""Conversion of templates to JSON data and back. Attributes with their default values are left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any, Final

from invokeai_py_client.schema.template import (
    NO_LIMITS,
    UNSET,
    Cardinality,
    FieldType,
    InputTemplate,
    Limits,
    ModelFilter,
    NodeTemplate,
    OutputTemplate,
)

SchemaStep = Callable[[Any], Any]

_CARDINALITIES: Final[tuple[Cardinality, ...]] = ("SINGLE", "COLLECTION", "SINGLE_OR_COLLECTION")
_LIMIT_NAMES: Final = tuple(f.name for f in fields(Limits))
_FILTER_NAMES: Final = tuple(f.name for f in fields(ModelFilter))
_NODE_TEXTS: Final = (
    "title",
    "version",
    "output_type",
    "description",
    "category",
    "classification",
    "node_pack",
    "use_cache",
)
# The attributes of an input that are plain JSON data, with the default values, which are left out.
_INPUT_DATA: Final = {
    "input": "any",
    "required": False,
    "description": "",
    "ui_component": None,
    "ui_hidden": False,
    "ui_order": None,
    "ui_type": None,
    "nullable": False,
    "server_input": "any",
}


def encode_node(node: NodeTemplate, fold: SchemaStep) -> dict[str, Any]:
    """Convert a node template to JSON data.

    Args:
        node: The template; its type is not part of the data.
        fold: A function that is applied to each input's JSON schema.
    """
    data: dict[str, Any] = {name: getattr(node, name) for name in _NODE_TEXTS}
    data["tags"] = list(node.tags)
    data["inputs"] = {name: _encode_input(template, fold) for name, template in node.inputs.items()}
    data["outputs"] = {
        name: [output.name, output.title, _encode_type(output.type)] for name, output in node.outputs.items()
    }
    return data


def decode_node(node_type: str, data: dict[str, Any], unfold: SchemaStep) -> NodeTemplate:
    """Convert JSON data from ``encode_node()`` back to a node template."""
    return NodeTemplate(
        type=node_type,
        tags=tuple(data["tags"]),
        inputs={name: _decode_input(item, unfold) for name, item in data["inputs"].items()},
        outputs={
            key: OutputTemplate(name, title, _decode_type(field_type))
            for key, (name, title, field_type) in data["outputs"].items()
        },
        **{name: data[name] for name in _NODE_TEXTS},
    )


def _encode_input(template: InputTemplate, fold: SchemaStep) -> dict[str, Any]:
    data: dict[str, Any] = {
        "name": template.name,
        "title": template.title,
        "type": _encode_type(template.type),
        "json_schema": fold(template.json_schema),
    }
    for name, usual in _INPUT_DATA.items():
        value = getattr(template, name)
        if value != usual:
            data[name] = value
    if template.default is not UNSET:
        data["default"] = template.default
    if template.limits != NO_LIMITS:
        data["limits"] = _encode_limits(template.limits)
    if template.nested_limits != NO_LIMITS:
        data["nested_limits"] = _encode_limits(template.nested_limits)
    if template.options is not None:
        data["options"] = list(template.options)
    if template.option_labels:
        data["option_labels"] = dict(template.option_labels)
    if template.models is not None:
        data["models"] = {
            name: list(value)
            for name in _FILTER_NAMES
            if (value := getattr(template.models, name)) is not None
        }
    return data


def _decode_input(data: dict[str, Any], unfold: SchemaStep) -> InputTemplate:
    data["type"] = _decode_type(data["type"])
    data["json_schema"] = unfold(data["json_schema"])
    for name in ("limits", "nested_limits"):
        if name in data:
            data[name] = Limits(**data[name])
    if "options" in data:
        data["options"] = tuple(data["options"])
    if "models" in data:
        data["models"] = ModelFilter(**{name: tuple(value) for name, value in data["models"].items()})
    data.setdefault("input", "any")
    data.setdefault("required", False)
    return InputTemplate(**data)


def _encode_limits(limits: Limits) -> dict[str, Any]:
    return {name: value for name in _LIMIT_NAMES if (value := getattr(limits, name)) is not None}


def _encode_type(field_type: FieldType) -> list[Any]:
    data: list[Any] = [field_type.name]
    if field_type != FieldType(field_type.name) or field_type.original is not None:
        data += [_CARDINALITIES.index(field_type.cardinality), field_type.batch]
    if field_type.original is not None:
        data.append(_encode_type(field_type.original))
    return data


def _decode_type(data: list[Any]) -> FieldType:
    if len(data) == 1:
        return FieldType(data[0])
    original = _decode_type(data[3]) if len(data) > 3 else None
    cardinality: Cardinality = _CARDINALITIES[int(data[1])]
    return FieldType(data[0], cardinality, data[2], original)
