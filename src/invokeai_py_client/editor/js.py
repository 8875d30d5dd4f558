"""JavaScript's handling of numbers and text, as far as the official editor's results depend on it."""

from __future__ import annotations

import json
import math
import re
from typing import Any

MAX_SAFE_INTEGER = 2**53 - 1

_SPACE = (
    "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
_INT_PREFIX = re.compile(r"[+-]?[0-9]+")
_FLOAT_PREFIX = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\Z")
_BASED = re.compile(r"0(?:[xX][0-9a-fA-F]+|[oO][0-7]+|[bB][01]+)\Z")


def trim(text: str) -> str:
    """Return a text trimmed like ``String.prototype.trim``, which removes other characters than ``strip``."""
    if text and text[0] not in _SPACE and text[-1] not in _SPACE:  # the usual case; strip takes longer
        return text
    return text.strip(_SPACE)


def is_number(value: Any) -> bool:
    """Return whether a JSON value is a finite number. Booleans are not numbers."""
    kind = value.__class__
    if kind is int:
        return -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER or number(value) is not None
    return kind is float and math.isfinite(value)


def is_integer(value: Any) -> bool:
    """Return whether a JSON value is a whole number that a double represents exactly."""
    if type(value) is int:
        return -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER
    return type(value) is float and value.is_integer() and abs(value) <= MAX_SAFE_INTEGER


def number(value: int | float) -> int | float | None:
    """Return a number as JavaScript would write it to JSON, or None if it is infinite.

    Only integers beyond 2**53 change, as a double cannot represent them. ``2.0`` becomes ``2``.
    """
    if isinstance(value, int):
        if -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER:
            return value
        try:
            return int(float(value))
        except OverflowError:
            return None
    if not math.isfinite(value):
        return None
    return int(value) if value.is_integer() and abs(value) < 1e21 else value


def parse_int(text: str) -> int | float | None:
    """Return the leading integer of a text like ``parseInt(text, 10)``, or None for NaN."""
    found = _INT_PREFIX.match(text.lstrip(_SPACE))
    if found is None:
        return None
    # The result fits a double, and int() rejects more than 4300 digits.
    value = float(found.group())
    return number(value)


def parse_float(text: str) -> int | float | None:
    """Return the leading number of a text like ``parseFloat``, or None for NaN or infinity."""
    found = _FLOAT_PREFIX.match(text.lstrip(_SPACE))
    return None if found is None else number(float(found.group()))


def to_integer(text: str) -> int | None:
    """Return ``Number(text)`` if it is an integer of at least 0, else None. The result for "" is 0."""
    text = trim(text)
    if not text:
        return 0
    if _BASED.match(text):
        value = (
            float(int(text[2:], {"x": 16, "o": 8, "b": 2}[text[1].lower()])) if len(text) < 64 else math.inf
        )
    elif _NUMBER.match(text):
        value = float(text)
    else:
        return None
    if not math.isfinite(value) or not value.is_integer() or not 0 <= value <= MAX_SAFE_INTEGER:
        return None
    return int(value)


def round_half_up(value: float) -> int:
    """Round like ``Math.round``: halves are rounded up, towards positive infinity."""
    floor = math.floor(value)
    return floor + 1 if value - floor >= 0.5 else floor


def split(text: str, separator: str) -> list[str]:
    """Split a text like the editor's generators do. The separator may contain JSON escapes."""
    if separator == "":
        return [text]
    try:
        unescaped: Any = json.loads(f'"{separator}"')
    except (ValueError, RecursionError):
        unescaped = separator
    if not isinstance(unescaped, str):
        unescaped = separator
    return list(text) if unescaped == "" else text.split(unescaped)
