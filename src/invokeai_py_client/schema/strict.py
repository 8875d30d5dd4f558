"""The server's schemas in plain JSON Schema (draft 2020-12), for programs other than the server.

The server validates with pydantic's lax rules, and its schemas allow null for every optional field. Schemas for other
programs describe only the values that need no conversion, and a key without a value is left out. ``strict_schema()``
derives such a schema, and ``is_valid()`` checks a value by the rules of JSON Schema, without any conversion.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final, cast

from invokeai_py_client.schema.fits import refuses_lists
from invokeai_py_client.schema.shapes import LIMIT_NAMES, SCHEMA_LISTS

ANYTHING: Final = {"type": ["string", "number", "boolean", "object", "array"]}
"""The schema of any value except null."""

_LEAST = ("minimum", "exclusiveMinimum", "minLength", "minItems")
_MOST = ("maximum", "exclusiveMaximum", "maxLength", "maxItems")
_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
}


def strict_schema(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the schema of a field without null, titles and defaults, or None if only null is valid.

    Args:
        schema: A reduced schema, as in ``InputTemplate.json_schema``. It is not modified.
    """
    strict: dict[str, Any] = {}
    for word, value in schema.items():
        if word in ("title", "default", "oneOf", *SCHEMA_LISTS):
            continue
        match word:
            case "type":
                kinds = cast("list[Any]", value) if isinstance(value, list) else [value]
                kinds = [kind for kind in kinds if kind != "null"]
                if not kinds:
                    return None
                strict["type"] = kinds[0] if len(kinds) == 1 else kinds
            case "enum":
                strict["enum"] = [one for one in value if one is not None]
                if not strict["enum"]:
                    return None
            case "const":
                if value is None:
                    return None
                strict["const"] = value
            case "items" | "additionalProperties" if isinstance(value, Mapping):
                inner = strict_schema(cast("Mapping[str, Any]", value))
                strict[word] = False if inner is None else inner
            case "properties":
                inner = {key: strict_schema(one) for key, one in value.items()}
                strict["properties"] = {key: one for key, one in inner.items() if one is not None}
            case _:
                strict[word] = value
    for branch in schema.get("allOf", ()):
        found = strict_schema(branch)
        if found is None:
            return None
        strict = narrowed(strict, found)
    if "prefixItems" in schema:
        strict["prefixItems"] = [strict_schema(one) or False for one in schema["prefixItems"]]
    return _with_branches(strict, schema)


def _with_branches(strict: dict[str, Any], schema: Mapping[str, Any]) -> dict[str, Any] | None:
    branches = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    if not branches:
        return strict
    if refuses_lists(schema):
        branches = [branch for branch in branches if branch.get("type") != "array"]
    found = [branch for branch in map(strict_schema, branches) if branch is not None]
    if not found:
        return None
    if len(found) == 1:
        return narrowed(strict, found[0])
    return narrowed(strict, {"anyOf": found})


def narrowed(schema: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return one schema for the values that are valid in both."""
    merged = dict(schema)
    for word, value in other.items():
        if word not in merged or merged[word] == value:
            merged[word] = value
        elif word in _LEAST:
            merged[word] = max(merged[word], value)
        elif word in _MOST:
            merged[word] = min(merged[word], value)
        elif word == "type" and {merged[word], value} == {"integer", "number"}:
            merged[word] = "integer"
        else:
            return {"allOf": [dict(schema), dict(other)]}
    return merged


def is_valid(schema: Any, value: Any) -> bool:
    """Return whether a value is valid by the rules of JSON Schema.

    Args:
        schema: A schema with the keywords of ``invokeai_py_client.schema.shapes``.
        value: JSON data.
    """
    if isinstance(schema, bool):
        return schema
    node = cast("Mapping[str, Any]", schema)
    if "type" in node:
        kinds = cast("list[str]", node["type"] if isinstance(node["type"], list) else [node["type"]])
        if not any(_is_type(kind, value) for kind in kinds):
            return False
    if "enum" in node and not any(_same(one, value) for one in node["enum"]):
        return False
    if "const" in node and not _same(node["const"], value):
        return False
    if not all(is_valid(branch, value) for branch in node.get("allOf", ())):
        return False
    branches = node.get("anyOf", ())
    if branches and not any(is_valid(branch, value) for branch in branches):
        return False
    if isinstance(value, str):
        return _text_is_valid(node, value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _number_is_valid(node, value)
    if isinstance(value, list):
        return _list_is_valid(node, cast("list[Any]", value))
    return not isinstance(value, dict) or _object_is_valid(node, cast("dict[str, Any]", value))


def limit_words(limits: Any) -> dict[str, Any]:
    """Return limits as keywords of JSON Schema. Whole numbers are integers."""
    found = {word: getattr(limits, name) for word, name in LIMIT_NAMES.items()}
    return {
        word: int(limit) if float(limit).is_integer() else limit
        for word, limit in found.items()
        if limit is not None and (word != "multipleOf" or limit > 0)
    }


def _is_type(kind: str, value: Any) -> bool:
    if kind == "integer":
        return not isinstance(value, bool) and (
            isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        )
    if kind == "null":
        return value is None
    return isinstance(value, _TYPES[kind]) and (kind == "boolean") == isinstance(value, bool)


def _same(one: Any, other: Any) -> bool:
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def _text_is_valid(schema: Mapping[str, Any], text: str) -> bool:
    return (
        schema.get("minLength", 0) <= len(text) <= schema.get("maxLength", math.inf)
        and re.search(schema.get("pattern", ""), text) is not None
    )


def _number_is_valid(schema: Mapping[str, Any], number: float) -> bool:
    step = schema.get("multipleOf")
    return (
        number >= schema.get("minimum", -math.inf)
        and number <= schema.get("maximum", math.inf)
        and number > schema.get("exclusiveMinimum", -math.inf)
        and number < schema.get("exclusiveMaximum", math.inf)
        and (step is None or _is_multiple(number, step))
    )


def _is_multiple(number: float, step: float) -> bool:
    if isinstance(number, int) and isinstance(step, int):
        return number % step == 0
    return float(number / step).is_integer()


def _list_is_valid(schema: Mapping[str, Any], items: list[Any]) -> bool:
    first = schema.get("prefixItems", ())
    return (
        schema.get("minItems", 0) <= len(items) <= schema.get("maxItems", math.inf)
        and all(is_valid(one, item) for one, item in zip(first, items, strict=False))
        and all(is_valid(schema.get("items", True), item) for item in items[len(first) :])
        and not (schema.get("uniqueItems") and any(item in items[:index] for index, item in enumerate(items)))
    )


def _object_is_valid(schema: Mapping[str, Any], record: dict[str, Any]) -> bool:
    known = schema.get("properties", {})
    other = schema.get("additionalProperties", True)
    return all(key in record for key in schema.get("required", ())) and all(
        is_valid(known.get(key, other), value) for key, value in record.items()
    )
