"""Values as plain JSON data: numbers of other libraries, arrays, text from a command line."""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn, cast

from invokeai_py_client._text import close_names


class Unfit(Exception):
    """A value does not fit; the text says what would."""


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
        Unfit: It holds half a character: arguments that are not UTF-8 come so from the command line.
    """
    text = str(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Unfit("it holds bytes that are no text; it should be UTF-8") from None
    return text


def plain_json(value: Any) -> Any:
    """A copy of a value as JSON data.

    Raises:
        Unfit: Part of it cannot be.
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
            raise Unfit("the keys of an object should be texts")
        return {text_of(key): plain_json(one) for key, one in record.items()}
    number = as_number(value)
    if number is not None:
        return number
    items = as_sequence(value)
    if items is None:
        raise Unfit(f"a {type(value).__name__} is no JSON value" + _hint(value))
    return [plain_json(item) for item in items]


def _hint(value: Any) -> str:
    return ", not even a finite number" if isinstance(value, float) else ""


def read_json(text: str) -> Any:
    """JSON text as data.

    Raises:
        Unfit: It is none; NaN and infinity, which Python would take, are none either.
    """
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise Unfit(f"it should be JSON ({error})") from None


def looks_like_json(text: str) -> bool:
    """Whether a text starts as a JSON object or list does."""
    return text.lstrip().startswith(("{", "["))


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


def guess(text: str, known: Iterable[str]) -> str:
    """The question whether a choice was meant that is spelled like a text, with a space behind it; "" for none."""
    close = close_names(text, known, most=1)
    return f"did you mean {close[0]!r}? " if close else ""


def short_list(options: Sequence[Any], labels: Mapping[Any, str] | None = None, most: int = 10) -> str:
    """Choices in a sentence with what the editor shows for them, cut where there are many."""
    names = labels or {}
    parts = [f"{one!r} ({names[one]})" if names.get(one) else repr(one) for one in options[:most]]
    text = ", ".join(parts)
    return text if len(options) <= most else f"{text}... ({len(options)} in all)"
