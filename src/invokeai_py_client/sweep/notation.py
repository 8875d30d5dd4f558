"""Notations for several values: ranges of numbers, texts separated by double bars, lines of a file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from invokeai_py_client._text import clip
from invokeai_py_client.errors import UsageError
from invokeai_py_client.files.text import read_text

# The number of digits is limited: converting a number such as 1e999999999 would take all memory.
_NUMBER = r"[+-]?(?:\d{1,40}(?:\.(?!\.)\d{0,40})?|\.\d{1,40})(?:[eE][+-]?\d{1,3})?"
_ONE = re.compile(_NUMBER)
_RANGE = re.compile(
    rf"(?P<start>{_NUMBER})\s*(?:-|\.\.(?!\.))\s*(?P<end>{_NUMBER})\s*"
    rf"(?:\(\s*(?P<step>(?:[+-]\s*)?{_NUMBER.removeprefix('[+-]?')})\s*\)|\[\s*(?P<count>\d{{1,9}})\s*\])?"
)
_GOES_ON = ("..", "...", "…")
_DASHES = str.maketrans({"−": "-", "–": "-"})  # a minus as word processors and web pages write it
_MOST = 100_000
_LARGEST = 10**300
_SHOWN = 100
_NOTATIONS = (
    "'5' (one number)",
    "'1, 2, 5' (a list)",
    "'1-10' or '1..10' (a range including both ends)",
    "'1-10 (+2)' (a range with a step)",
    "'10-1 (-3)' (a descending range)",
    "'0-1 [5]' (5 evenly spaced numbers)",
    "'1, 2, .., 10' (a continued sequence)",
)


def numbers(text: str, *, whole: bool) -> list[int] | list[float]:
    """Parse a text as numbers.

    Notations can be combined: ``"0, 1-5 (+2), 10"``. If a step does not reach the end of a range exactly, the range
    stops before it. Numbers written out are always included.

    Args:
        text: ``5``; ``1, 2, 5``; ``1-10`` or ``0..9`` including both ends; ``1-10 (+2)`` with a step; ``0-1 [5]`` for
            5 evenly spaced values (whole numbers are rounded down); ``1, 2, .., 10`` for a continued sequence.
        whole: Whether the numbers must be whole.

    Raises:
        UsageError: The text is not in a supported notation, or has more than 100,000 values.
    """
    found: list[Fraction] = []
    pieces = [piece.strip() for piece in text.translate(_DASHES).split(",")]
    for place, piece in enumerate(pieces):
        if piece in _GOES_ON:
            found += _between(text, pieces, place, found, whole)
        else:
            found += _piece(text, piece, whole)
        if len(found) > _MOST:
            raise _wrong(text, f"it has more than {_MOST:,} values")
    return [int(number) for number in found] if whole else [float(number) for number in found]


def texts(text: str) -> list[str]:
    """Split a text at double bars (``a || b``) and strip the parts. A double bar at the end is ignored.

    A text without double bars is returned unchanged. Nothing between two double bars is an empty text.
    """
    pieces = [piece.strip() for piece in text.split("||")]
    if len(pieces) == 1:
        return [text]
    return pieces if pieces[-1] else pieces[:-1]


def lines_of(path: Path) -> list[str]:
    r"""Return the stripped lines of a text file, for example prompts.

    Empty lines are skipped, and so are comments: lines that begin with ``#``, as in the wildcard files of Dynamic
    Prompts. Write ``\#`` at the beginning of a line for a text that begins with ``#``.

    Raises:
        UsageError: The file cannot be read.
    """
    lines = (line.strip() for line in read_text(path).split("\n"))
    return [line[1:] if line.startswith("\\#") else line for line in lines if line and line[0] != "#"]


def _piece(text: str, piece: str, whole: bool) -> Sequence[Fraction]:
    if not piece:
        raise _wrong(text, "a value between two commas is missing" if "," in text else "it is empty")
    if _ONE.fullmatch(piece):
        return [_number(text, piece, whole)]
    match = _RANGE.fullmatch(piece)
    if match is None:
        raise _wrong(text, f"{clip(piece, _SHOWN)!r} is neither a number nor a range")
    start, end = _number(text, match["start"], whole), _number(text, match["end"], whole)
    if match["count"] is not None:
        return _spread(text, start, end, int(match["count"]), whole)
    if match["step"] is not None:
        step = _number(text, match["step"].replace(" ", ""), whole)
        if match["step"][0] not in "+-" and end < start:
            step = -step
    elif (end - start).denominator == 1:
        step = Fraction(1 if end >= start else -1)
    else:
        raise _wrong(text, f"{piece!r} needs a step or a count, such as '{piece} (+0.1)' or '{piece} [5]'")
    return _steps(text, start, end, step)


def _between(
    text: str, pieces: Sequence[str], place: int, found: Sequence[Fraction], whole: bool
) -> Sequence[Fraction]:
    """Return the numbers that two dots stand for: those between the number before and the number after."""
    after = pieces[place + 1] if place + 1 < len(pieces) else ""
    if place < 2 or not all(_ONE.fullmatch(one) for one in (*pieces[place - 2 : place], after)):
        raise _wrong(text, f"{pieces[place]!r} needs two numbers before it and one after it")
    end, step = _number(text, after, whole), found[-1] - found[-2]
    numbers = _steps(text, found[-1], end, step)
    return [number for number in numbers[1:] if number != end]


def _steps(text: str, start: Fraction, end: Fraction, step: Fraction) -> Sequence[Fraction]:
    if step == 0 or (end - start) * step < 0:
        raise _wrong(text, f"steps of {_shown(step)} never reach {_shown(end)} from {_shown(start)}")
    count = (end - start) // step + 1
    if count > _MOST:
        raise _wrong(text, f"it has more than {_MOST:,} values")
    return [start + step * index for index in range(count)]


def _spread(text: str, start: Fraction, end: Fraction, count: int, whole: bool) -> Sequence[Fraction]:
    if count > _MOST:
        raise _wrong(text, f"it has more than {_MOST:,} values")
    if count == 1 and start == end:
        return [start]
    if count < 2:
        raise _wrong(text, f"[{count}] is too few, because both ends are included")
    if not whole:
        return [start + (end - start) * index / (count - 1) for index in range(count)]
    if count > abs(end - start) + 1:
        raise _wrong(text, f"there are fewer than {count} whole numbers from {start} to {end}")
    return [start + Fraction((end - start) * index // (count - 1)) for index in range(count)]


def _number(text: str, piece: str, whole: bool) -> Fraction:
    number = Fraction(piece)
    if abs(number) > _LARGEST:
        raise _wrong(text, f"{piece} is too large")
    if whole and number.denominator != 1:
        raise _wrong(text, f"{piece} is not a whole number, and this input expects whole numbers")
    return number


def _shown(number: Fraction) -> str:
    return str(number.numerator) if number.denominator == 1 else f"{float(number):.12g}"


def _wrong(text: str, why: str) -> UsageError:
    return UsageError(
        f"Cannot parse {clip(text, _SHOWN)!r} as numbers: {why}. Supported notations: {', '.join(_NOTATIONS)}."
    )
