"""Random values that a JSON Schema allows, with a preference for unusual ones.

``hypothesis`` has no strategy for schemas, and a validator for each candidate would be slow. This generator knows only
the keywords that our schemas use. ``jsonschema`` checks a sample of its values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from random import Random
from typing import Any, cast

TEXTS = (
    *(
        "",
        " ",
        "a",
        "a lighthouse at dusk",
        "null",
        "none",
        "auto",
        "random",
        "workflow",
        "true",
        "0",
        "-1",
        "1e3",
    ),
    *(
        "@prompt.txt",
        "{}",
        "[1, 2]",
        '{"key": "x"}',
        "a, b",
        "1,2,3",
        "7",
        ".",
        "..",
        "~",
        "a/b",
        "C:\\x",
        "\\",
    ),
    *(
        "猫の絵",
        "🦊",
        "e\u0301",
        "\u200d",
        "\ufeff",
        "\u2028",
        "a\nb",
        "\t",
        "\0",
        "\x1b[31m",
        "%s",
        "'; --",
        "x" * 300,
    ),
    *("#00ff00", "#00FF00aa", "0f9c1e52-8f1c-4f7a-9d58-5b1f0d0c9a11.png", "key", "euler", "SDXL"),
)
_WORDS = ("a", "name", "weight", "key", "猫", "x_min")
_KINDS = ("string", "number", "integer", "boolean", "object", "array")
_NUMBERS = (0, 1, -1, 2, 7, 8, 64, 0.5, -0.25, 1e-9, 3.0, 255, 256, 2**31, 2**32, 2**53, -(2**53), 1e18)
_LARGE = 2.0**62


def value_for(schema: Any, random: Random, depth: int = 0) -> Any:
    """Return a value that a schema allows."""
    if isinstance(schema, bool):
        return value_for({}, random, depth)
    node = cast("Mapping[str, Any]", schema)
    if "const" in node:
        return node["const"]
    if "enum" in node:
        return random.choice(node["enum"])
    if "anyOf" in node:
        outer = {
            word: limit for word, limit in node.items() if word not in ("anyOf", "description", "default")
        }
        return value_for({**outer, **random.choice(node["anyOf"])}, random, depth)
    kind = node.get("type", _KINDS)
    if not isinstance(kind, str):
        kind = random.choice([one for one in kind if depth < 3 or one not in ("object", "array")])
    match kind:
        case "string":
            return _text(node, random)
        case "boolean":
            return random.random() < 0.5
        case "integer" | "number":
            return _number(node, random, whole=kind == "integer")
        case "array":
            return _items(node, random, depth)
        case _:
            return _record(node, random, depth)


def _text(schema: Mapping[str, Any], random: Random) -> str:
    least, most = schema.get("minLength", 0), schema.get("maxLength", 10**6)
    pattern = re.compile(schema.get("pattern", ""))
    while True:
        text = random.choice(TEXTS)
        if random.random() < 0.3:
            text += random.choice(TEXTS)
        text = text.ljust(least, "x")[:most]
        if pattern.search(text):
            return text


def _number(schema: Mapping[str, Any], random: Random, *, whole: bool) -> float:
    step = schema.get("multipleOf")
    low = max(schema.get("minimum", -_LARGE), schema.get("exclusiveMinimum", -_LARGE))
    high = min(schema.get("maximum", _LARGE), schema.get("exclusiveMaximum", _LARGE))
    while True:
        drawn = random.random()
        if drawn < 0.3:
            number: float = random.choice((low, high, low + 1, high - 1, low + 0.01, high - 0.01))
        elif drawn < 0.7:
            number = random.choice(_NUMBERS)
        else:
            number = random.uniform(low, high)
        number = min(max(number, low), high)
        if whole or step:
            number = round(number / (step or 1)) * (step or 1)
        if whole:
            number = random.choice((int, int, float))(number)
        if (
            low <= number <= high
            and number != schema.get("exclusiveMinimum")
            and number != schema.get("exclusiveMaximum")
        ):
            return number


def _items(schema: Mapping[str, Any], random: Random, depth: int) -> list[Any]:
    least = schema.get("minItems", 0)
    count = random.randint(least, min(schema.get("maxItems", least + 3), least + 3))
    return [value_for(schema.get("items", {}), random, depth + 1) for _ in range(count)]


def _record(schema: Mapping[str, Any], random: Random, depth: int) -> dict[str, Any]:
    known, needed = schema.get("properties", {}), schema.get("required", ())
    record = {
        key: value_for(part, random, depth + 1)
        for key, part in known.items()
        if key in needed or random.random() < 0.5
    }
    other = schema.get("additionalProperties", True)
    if other is not False and random.random() < 0.3:
        record[f"{random.choice(_WORDS)}?"] = value_for(other, random, depth + 1)
    return record
