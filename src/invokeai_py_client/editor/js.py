"""JavaScript's idea of numbers and text, where the official editor's results depend on it."""

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
    """``String.prototype.trim``: other characters than Python's ``strip`` removes."""
    if text and text[0] not in _SPACE and text[-1] not in _SPACE:  # as nearly always; strip takes longer
        return text
    return text.strip(_SPACE)


def is_number(value: Any) -> bool:
    """Whether a JSON value is a finite number (a boolean is none)."""
    kind = value.__class__
    if kind is int:
        return -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER or number(value) is not None
    return kind is float and math.isfinite(value)


def is_integer(value: Any) -> bool:
    """Whether a JSON value is a number without a fraction that a double holds exactly."""
    if type(value) is int:
        return -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER
    return type(value) is float and value.is_integer() and abs(value) <= MAX_SAFE_INTEGER


def number(value: int | float) -> int | float | None:
    """The number that JavaScript would keep, as JSON would write it; None where it is infinite.

    Only integers beyond 2**53 change (a double cannot hold them); ``2.0`` is written ``2``.
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
    """``parseInt(text, 10)``: the leading integer, or None for NaN."""
    found = _INT_PREFIX.match(text.lstrip(_SPACE))
    if found is None:
        return None
    # A double at most, and int() itself refuses more than 4300 digits.
    value = float(found.group())
    return number(value)


def parse_float(text: str) -> int | float | None:
    """``parseFloat``: the leading number, or None for NaN or infinity (which JSON cannot carry)."""
    found = _FLOAT_PREFIX.match(text.lstrip(_SPACE))
    return None if found is None else number(float(found.group()))


def to_integer(text: str) -> int | None:
    """``Number(text)`` where that is an integer of zero or more, else None. "" counts as 0."""
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
    """``Math.round``: halves go up, towards positive infinity."""
    floor = math.floor(value)
    return floor + 1 if value - floor >= 0.5 else floor


def split(text: str, separator: str) -> list[str]:
    """How generators split their text: the separator may be written with JSON's escapes."""
    if separator == "":
        return [text]
    try:
        unescaped: Any = json.loads(f'"{separator}"')
    except (ValueError, RecursionError):
        unescaped = separator
    if not isinstance(unescaped, str):
        unescaped = separator
    return list(text) if unescaped == "" else text.split(unescaped)
