"""Values as plain JSON data: numbers of other libraries, arrays, text from a command line."""

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
        reason: What is wrong with the value, if "not valid" does not say enough.
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
"""Whole numbers beyond what a double holds can be neither compared with limits nor, in the end, printed."""


def is_truth(value: Any) -> bool:
    """Whether a value is a truth: Python's, or numpy's, which passes for a number otherwise."""
    if isinstance(value, bool):
        return True
    return type(value).__module__ == "numpy" and type(value).__name__ in ("bool", "bool_")


def as_integer(value: Any) -> int | None:
    """The whole number that a value is, be it ``5``, ``5.0`` or numpy's; None where it is none.

    Text is never a number, and neither are truths.
    """
    number = as_number(value)
    if isinstance(number, float):
        return int(number) if number.is_integer() else None
    return number


def as_number(value: Any) -> int | float | None:
    """The finite number that a value is; None where it is none. Whole ones stay whole."""
    if is_truth(value) or isinstance(value, str | bytes):
        return None
    try:
        if hasattr(value, "__index__"):
            whole = operator.index(value)
            return int(whole) if whole.bit_length() <= _LARGEST_BITS else None
        if hasattr(value, "__float__"):
            number = float(value)
            return number if math.isfinite(number) else None
    except (TypeError, ValueError, OverflowError):  # arrays of more than one number have these methods, too
        return None
    return None


def as_sequence(value: Any) -> Sequence[Any] | None:
    """A list, tuple, range or array as a sequence; None for anything else, text and dicts among it."""
    convert = getattr(value, "tolist", None)  # numpy's arrays, pandas' columns
    if callable(convert):
        value = convert()
    if isinstance(value, str | bytes | bytearray | memoryview | Mapping) or not isinstance(value, Sequence):
        return None
    return cast("Sequence[Any]", value)


def text_of(value: str) -> str:
    """A text as plain ``str``.

    Raises:
        Mismatch: It holds half a character: arguments that are not UTF-8 come so from the command line.
    """
    text = str(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Mismatch("UTF-8 text", reason="it contains bytes that are not valid UTF-8") from None
    return text


def plain_json(value: Any) -> Any:
    """A copy of a value as JSON data.

    Raises:
        Mismatch: Part of it cannot be.
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
    """JSON text as data.

    Raises:
        Mismatch: It is none; NaN and infinity, which Python would take, are none either.
    """
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise Mismatch("JSON", reason=str(error)) from None


def looks_like_json(text: str) -> bool:
    """Whether a text starts as a JSON object or list does."""
    return text.lstrip().startswith(("{", "["))


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


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
