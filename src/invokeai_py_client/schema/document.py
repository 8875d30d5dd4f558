"""Functions that read values from an OpenAPI document whose structure is not guaranteed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

JsonObject = Mapping[str, Any]


def as_object(value: Any) -> JsonObject | None:
    """Return the value if it is a JSON object, or else None."""
    return cast("JsonObject", value) if isinstance(value, Mapping) else None


def as_list(value: Any) -> list[Any]:
    """Return the value if it is a JSON array, or else an empty list."""
    return cast("list[Any]", value) if isinstance(value, list) else []


def as_text(value: Any, otherwise: str = "") -> str:
    """Return the value if it is a string, or else the default."""
    return value if isinstance(value, str) else otherwise


def as_texts(value: Any) -> tuple[str, ...]:
    """Return the strings in a JSON array."""
    return tuple(item for item in as_list(value) if isinstance(item, str))


def is_number(value: Any) -> bool:
    """Return whether the value is a JSON number. Booleans are integers in Python, but not numbers in JSON."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def reference_name(schema: Any) -> str | None:
    """Return the last part of a ``$ref``, or None if the schema is not a reference."""
    node = as_object(schema)
    reference = None if node is None else node.get("$ref")
    return reference.rsplit("/", 1)[-1] or None if isinstance(reference, str) else None


def is_null(schema: Any) -> bool:
    """Return whether the schema allows only null."""
    node = as_object(schema)
    return node is not None and "$ref" not in node and node.get("type") == "null"
