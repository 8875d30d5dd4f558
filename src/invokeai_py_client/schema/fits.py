"""Validation of literals against the server's schema.

The server validates with pydantic's lax rules, and accepts numbers as text, so ``"5"`` and ``5`` are interchangeable.
This module rejects a literal only if the server would reject it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

from invokeai_py_client.schema.template import InputTemplate, Limits

_TRUTHS = frozenset({"true", "false", "1", "0", "yes", "no", "on", "off", "y", "n", "t", "f"})
_SHOWN = 12
_NUMERIC = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
JsonSchema = Mapping[str, Any]


def fits(template: InputTemplate, value: Any) -> bool:
    """Return whether the server accepts the literal for this input."""
    if template.server_input == "connection":
        return False
    if not template.json_schema:  # the schema does not describe the type, so only the cardinality is known
        return isinstance(value, list) == (template.type.cardinality == "COLLECTION") or (
            template.type.cardinality == "SINGLE_OR_COLLECTION"
        )
    return explain_mismatch(template.json_schema, value) is None


def explain_mismatch(schema: JsonSchema, value: Any, *, inside: bool = False) -> str | None:
    """Return what the schema requires that the value does not satisfy, or None if the value is valid.

    Args:
        schema: A reduced JSON schema, as in ``InputTemplate.json_schema``.
        value: The value.
        inside: Whether the value is part of an object. The server accepts numbers as text only in fields of nodes.
            Defaults to False.

    Returns:
        A phrase to follow "expected", such as "a whole number greater than 0".
    """
    for branch in schema.get("allOf", ()):
        reason = explain_mismatch(branch, value, inside=inside)
        if reason is not None:
            return reason
    branches: Sequence[JsonSchema] = schema.get("anyOf") or schema.get("oneOf") or ()
    if branches:
        reason = _none_of(branches, value, inside)
        if reason is not None:
            return reason
    if "const" in schema and not _same(schema["const"], value):
        return repr(schema["const"])
    if "enum" in schema and not any(_same(option, value) for option in schema["enum"]):
        return describe(schema)
    return _kind_mismatch(schema, value, inside=inside) or _limit_mismatch(schema, value)


def _none_of(branches: Sequence[JsonSchema], value: Any, inside: bool) -> str | None:
    reasons: list[tuple[JsonSchema, str]] = []
    for branch in branches:
        reason = explain_mismatch(branch, value, inside=inside)
        if reason is None:
            return None
        reasons.append((branch, reason))
    # A branch of the same kind as the value describes the problem best.
    alike = [reason for branch, reason in reasons if _kind_mismatch(branch, value, shallow=True) is None]
    if alike:
        return alike[0]
    wanted = [describe(branch) for branch in branches if branch.get("type") != "null"]
    return " or ".join(dict.fromkeys(wanted))


def _same(option: Any, value: Any) -> bool:
    if isinstance(option, bool) != isinstance(value, bool):
        return False
    return option == value


def _kind_mismatch(
    schema: JsonSchema, value: Any, *, shallow: bool = False, inside: bool = False
) -> str | None:
    kind = schema.get("type")
    match kind:
        case "integer":
            number = number_or_none(value)
            good = number is not None and math.isfinite(number) and number == math.floor(number)
            # pydantic converts numbers with a fraction or an exponent to 64-bit integers.
            good = good and (isinstance(value, int) or abs(number or 0) < 2**63)
        case "number":
            good = number_or_none(value) is not None
        case "string":
            if isinstance(value, str) and not _is_unicode(value):
                return "valid Unicode text (without lone surrogates)"
            good = isinstance(value, str) or (type(value) in (int, float) and not inside)
        case "boolean":
            good = _is_boolean(value)
        case "null":
            good = value is None
        case "array":
            if not isinstance(value, list):
                return describe(schema)
            return None if shallow else _items_mismatch(schema, cast("list[Any]", value), inside)
        case "object":
            if not isinstance(value, dict):
                return describe(schema)
            return None if shallow else _record_mismatch(schema, cast("dict[str, Any]", value))
        case _:
            return None
    return None if good else describe(schema)


def number_or_none(value: Any) -> float | None:
    """Return the number that pydantic would read from a value, or None if it would reject the value."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return None
    if isinstance(value, (int, float)):
        try:
            return float(value) if math.isfinite(value) else None
        except OverflowError:
            return None
    return None


def _is_unicode(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_boolean(value: Any) -> bool:
    if isinstance(value, str):
        return value.lower() in _TRUTHS
    return isinstance(value, bool) or (isinstance(value, (int, float)) and value in (0, 1))


def _items_mismatch(schema: JsonSchema, items: list[Any], inside: bool) -> str | None:
    item_schema = schema.get("items")
    if isinstance(item_schema, Mapping):
        for index, item in enumerate(items):
            reason = explain_mismatch(cast(JsonSchema, item_schema), item, inside=inside)
            if reason is not None:
                return f"{reason} in item {index + 1}"
    return None


def _record_mismatch(schema: JsonSchema, record: dict[str, Any]) -> str | None:
    missing = [key for key in schema.get("required", ()) if key not in record]
    if missing:
        return f"{describe(schema)} (missing: {', '.join(map(repr, missing))})"
    properties = cast("Mapping[str, JsonSchema]", schema.get("properties", {}))
    for key, value in record.items():
        if key in properties:
            reason = explain_mismatch(properties[key], value, inside=True)
            if reason is not None:
                return f"{reason} in {key!r}"
        elif schema.get("additionalProperties") is False:
            return f"{describe(schema)} without {key!r}"
    return None


def _limit_mismatch(schema: JsonSchema, value: Any) -> str | None:
    if isinstance(value, list):
        count = len(cast("list[Any]", value))
        if refuses_lists(schema):
            return "one number (the server fails on a list here)"
        return _count_mismatch(schema, count, "minItems", "maxItems", "items")
    if schema.get("type") == "string":
        return _count_mismatch(schema, len(str(value)), "minLength", "maxLength", "characters")
    number = number_or_none(value)
    return None if number is None else _number_mismatch(schema, number)


def refuses_lists(schema: JsonSchema) -> bool:
    """Return whether the server fails on a list, although a branch of the schema accepts it.

    For a limit on "number or list of numbers", InvokeAI 6.14 compares the list itself with the limit and responds with
    status 500 (controlnet.control_weight).
    """
    return any(word in schema for word in _NUMERIC) and schema.get("type") != "array"


def _count_mismatch(schema: JsonSchema, count: int, least: str, most: str, unit: str) -> str | None:
    if count < schema.get(least, 0):
        return f"at least {schema[least]} {unit}"
    if most in schema and count > schema[most]:
        return f"at most {schema[most]} {unit}"
    return None


def _number_mismatch(schema: JsonSchema, number: float) -> str | None:
    step = schema.get("multipleOf")
    good = (
        (math.isfinite(number) or not any(word in schema for word in _NUMERIC))
        and ("minimum" not in schema or number >= schema["minimum"])
        and ("maximum" not in schema or number <= schema["maximum"])
        and ("exclusiveMinimum" not in schema or number > schema["exclusiveMinimum"])
        and ("exclusiveMaximum" not in schema or number < schema["exclusiveMaximum"])
        and (not step or abs(math.remainder(number, step)) <= 1e-9 * max(1.0, abs(number)))
    )
    return None if good else describe(schema)


def _limits(schema: JsonSchema) -> Limits:
    return Limits(
        minimum=schema.get("minimum"),
        maximum=schema.get("maximum"),
        exclusive_minimum=schema.get("exclusiveMinimum"),
        exclusive_maximum=schema.get("exclusiveMaximum"),
        multiple_of=schema.get("multipleOf"),
    )


def describe_number(word: str, limits: Limits) -> str:
    """Return a description of the numbers within limits, such as "a whole number greater than 0".

    Args:
        word: The kind of number, such as "a number".
        limits: The limits; lengths and counts are ignored.
    """
    low, high = limits.minimum, limits.maximum
    above, below = limits.exclusive_minimum, limits.exclusive_maximum
    if low is not None and above is not None:  # the form limits a field further: only the narrower one counts
        low, above = (low, None) if low > above else (None, above)
    if high is not None and below is not None:
        high, below = (high, None) if high < below else (None, below)
    text = word
    if low is not None and high is not None:
        text += f" from {_n(low)} to {_n(high)}"
    elif low is not None and below is not None:
        text += f" from {_n(low)} up to but not including {_n(below)}"
    else:
        bounds = [
            f"{words} {_n(limit)}"
            for words, limit in (
                ("of at least", low),
                ("greater than", above),
                ("of at most" if above is None else "at most", high),
                ("less than", below),
            )
            if limit is not None
        ]
        text += "".join(f" {bound}" for bound in bounds[:1]) + "".join(
            f" and {bound}" for bound in bounds[1:]
        )
    return f"{text}, a multiple of {_n(limits.multiple_of)}" if limits.multiple_of else text


def _n(number: float) -> str:
    return str(int(number)) if float(number).is_integer() else str(number)


def describe(schema: JsonSchema) -> str:
    """Return a short description of the values that a schema accepts."""
    if "enum" in schema:
        options = [str(option) for option in schema["enum"]]
        more = f" and {len(options) - _SHOWN} more" if len(options) > _SHOWN else ""
        return f"one of {', '.join(options[:_SHOWN])}{more}"
    branches = [branch for branch in schema.get("anyOf", ()) if branch.get("type") != "null"]
    if branches:
        return " or ".join(dict.fromkeys(map(describe, branches)))
    match schema.get("type"):
        case "integer":
            return describe_number("a whole number", _limits(schema))
        case "number":
            return describe_number("a number", _limits(schema))
        case "string":
            return "text"
        case "boolean":
            return "true or false"
        case "null":
            return "null"
        case "array":
            items = schema.get("items")
            return (
                f"a list, each item {describe(cast(JsonSchema, items))}"
                if isinstance(items, Mapping)
                else "a list"
            )
        case "object":
            keys = ", ".join(map(repr, schema.get("required", ())))
            return f"an object with {keys}" if keys else "an object"
        case _:
            return "another value"
