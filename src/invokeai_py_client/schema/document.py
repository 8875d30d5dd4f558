"""Reading values out of an OpenAPI document that may hold anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

JsonObject = Mapping[str, Any]


def as_object(value: Any) -> JsonObject | None:
    """The value, if it is a JSON object."""
    return cast("JsonObject", value) if isinstance(value, Mapping) else None


def as_list(value: Any) -> list[Any]:
    """The value, if it is a JSON array; otherwise an empty list."""
    return cast("list[Any]", value) if isinstance(value, list) else []


def as_text(value: Any, otherwise: str = "") -> str:
    """The value, if it is a string."""
    return value if isinstance(value, str) else otherwise


def as_texts(value: Any) -> tuple[str, ...]:
    """The strings of a JSON array."""
    return tuple(item for item in as_list(value) if isinstance(item, str))


def is_number(value: Any) -> bool:
    """Whether the value is a JSON number; Python counts booleans among the integers, JSON does not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def reference_name(schema: Any) -> str | None:
    """The last part of a ``$ref``, or None where there is none."""
    node = as_object(schema)
    reference = None if node is None else node.get("$ref")
    return reference.rsplit("/", 1)[-1] or None if isinstance(reference, str) else None


def is_null(schema: Any) -> bool:
    """Whether the schema allows nothing but null."""
    node = as_object(schema)
    return node is not None and "$ref" not in node and node.get("type") == "null"
