"""Inputs as plain rows, for tables and generated code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from invokeai_py_client.engine.inputs import WorkflowInput


def input_row(item: WorkflowInput) -> dict[str, Any]:
    """An input as plain data."""
    return {
        "index": item.input_index,
        "label": item.label,
        "field": item.field_name,
        "node": item.node_name,
        "node_id": item.node_id,
        "type": item.type,
        "required": item.required,
        "connected": item.connected,
        "value": plain_value(item),
        "allowed": item.field.allowed,
    }


def type_word(kind: str) -> str:
    """A type as people say it: ``ModelIdentifierField`` as "Model", ``ImageField[]`` as "Image list"."""
    name = kind.rstrip("|[]")
    word = (
        name.removesuffix("IdentifierField") if name == "ModelIdentifierField" else name.removesuffix("Field")
    )
    if kind.endswith("|[]"):
        return f"{word} or list"
    return f"{word} list" if kind.endswith("[]") else word


def plain_value(item: WorkflowInput) -> Any:
    """An input's value as JSON data; None where it has none."""
    try:
        return json.loads(json.dumps(item.field.display_value, default=str))
    except (TypeError, ValueError):
        return str(item.field.display_value)
