"""Conversion of values to plain JSON data: numbers from other libraries, arrays, text from a command line."""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn, cast

from invokeai_py_client._text import close_names, did_you_mean


class Mismatch(Exception):
    """A value that is not valid for a field.

    Attributes:
        expected: The values that are valid, as a phrase to follow "expected".
        reason: The problem with the value, if "not valid" is not specific enough.
        hint: How to fix it, as sentences with a space before them.
    """

    def __init__(self, expected: str = "", *, reason: str = "", hint: str = "") -> None:
        super().__init__(expected, reason, hint)
        self.expected = expected
        self.reason = reason
        self.hint = hint

    def __str__(self) -> str:
        reason = f": {self.reason}" if self.reason else ""
        expected = f"; expected {self.expected}" if self.expected else ""
        return f"not valid{reason}{expected}.{self.hint}"


_LARGEST_BITS = 1023
"""The largest size of whole numbers. Larger ones exceed a double, so they cannot be compared with limits."""


def is_truth(value: Any) -> bool:
    """Return whether a value is a boolean of Python or numpy (numpy's would otherwise count as a number)."""
    if isinstance(value, bool):
        return True
    return type(value).__module__ == "numpy" and type(value).__name__ in ("bool", "bool_")


def as_integer(value: Any) -> int | None:
    """Return a value such as ``5``, ``5.0`` or a numpy integer as a whole number, or None if it is not one.

    Strings and booleans are not numbers.
    """
    number = as_number(value)
    if isinstance(number, float):
        return int(number) if number.is_integer() else None
    return number


def as_number(value: Any) -> int | float | None:
    """Return a value as a finite number, or None if it is not one. Whole numbers stay integers."""
    if is_truth(value) or isinstance(value, str | bytes):
        return None
    try:
        if hasattr(value, "__index__"):
            whole = operator.index(value)
            return int(whole) if whole.bit_length() <= _LARGEST_BITS else None
        if hasattr(value, "__float__"):
            number = float(value)
            return number if math.isfinite(number) else None
    except (TypeError, ValueError, OverflowError):  # arrays with several numbers have these methods too
        return None
    return None


def as_sequence(value: Any) -> Sequence[Any] | None:
    """Return a list, tuple, range or array as a sequence, or None for anything else, such as strings and dicts."""
    convert = getattr(value, "tolist", None)  # numpy arrays, pandas columns
    if callable(convert):
        value = convert()
    if isinstance(value, str | bytes | bytearray | memoryview | Mapping) or not isinstance(value, Sequence):
        return None
    return cast("Sequence[Any]", value)


def text_of(value: str) -> str:
    """Return text as a plain ``str``.

    Raises:
        Mismatch: The text contains lone surrogates, as command-line arguments that are not UTF-8 do.
    """
    text = str(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Mismatch("UTF-8 text", reason="it contains bytes that are not valid UTF-8") from None
    return text


def plain_json(value: Any) -> Any:
    """Return a copy of a value as JSON data.

    Raises:
        Mismatch: Part of the value cannot be represented in JSON.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return text_of(value)
    if is_truth(value):
        return bool(value)
    if isinstance(value, Mapping):
        record = cast("Mapping[Any, Any]", value)
        if not all(isinstance(key, str) for key in record):
            raise Mismatch("an object whose keys are strings")
        return {text_of(key): plain_json(one) for key, one in record.items()}
    number = as_number(value)
    if number is not None:
        return number
    items = as_sequence(value)
    if items is None:
        raise Mismatch(
            "a finite number" if isinstance(value, float) else f"JSON data, not {type(value).__name__}"
        )
    return [plain_json(item) for item in items]


def read_json(text: str) -> Any:
    """Parse JSON text.

    Raises:
        Mismatch: The text is not valid JSON. Unlike Python's parser, this one rejects NaN and infinity.
    """
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise Mismatch("JSON", reason=str(error)) from None


def looks_like_json(text: str) -> bool:
    """Return whether text starts like a JSON object or list."""
    return text.lstrip().startswith(("{", "["))


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is not valid JSON")


def guess(text: str, known: Iterable[str]) -> str:
    """Return a question that proposes the choice closest to a text, with a space before it, or ""."""
    return did_you_mean(close_names(text, known, most=1))


def short_list(
    options: Sequence[Any], labels: Mapping[Any, str] | None = None, most: int = 10, word: str = ""
) -> str:
    """Return choices with their labels in the editor, as part of a sentence; long lists are shortened.

    Args:
        options: The choices.
        labels: The editor's labels for them.
        most: The largest number of choices to list. Defaults to 10.
        word: The word before the last choice, such as "or". Defaults to a comma only.
    """
    names = labels or {}
    parts = [f"{one!r} ({names[one]})" if names.get(one) else repr(one) for one in options[:most]]
    if len(options) > most:
        return f"{', '.join(parts)} and {len(options) - most} more"
    *first, last = parts
    return f"{', '.join(first)} {word} {last}" if first and word else ", ".join(parts)
