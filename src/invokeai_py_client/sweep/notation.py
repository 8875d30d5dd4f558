"""Values in the notations that people know: ranges of numbers, texts with bars between them, lines of a file."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

from invokeai_py_client.errors import UsageError

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_ONE = re.compile(rf"\s*({_NUMBER})\s*")
_RANGE = re.compile(
    rf"\s*({_NUMBER})\s*(?:-|\.\.)\s*({_NUMBER})\s*(?:\(\s*([+-]\s*(?:\d+\.?\d*|\.\d+))\s*\)|\[\s*(\d+)\s*\])?\s*"
)
_MOST = 1_000_000
_EXAMPLES = (
    "'5', '1, 2, 5', '1-10', '1-10 (+2)', '10-1 (-3)', '0-1 [5]' (five values), '0..9', '1, 2, .., 10'"
)


def numbers(text: str, *, whole: bool) -> list[int] | list[float]:
    """The numbers that a text stands for.

    Args:
        text: ``5``; ``1, 2, 5``; ``1-10`` and ``0..9`` with both ends; ``1-10 (+2)`` with a step; ``0-1 [5]`` for so
            many values; ``1, 2, .., 10`` going on as it began.
        whole: Whether they are whole numbers.

    Raises:
        UsageError: The text is none of these, or stands for more than a million values.
    """
    found: list[Decimal] = []
    pieces = [piece.strip() for piece in text.split(",")]
    place = 0
    while place < len(pieces):
        piece = pieces[place]
        if piece in ("..", "...") and place >= 2 and place + 1 < len(pieces):
            end = _one(pieces[place + 1], text)
            found += _steps(found[-1] + (found[-1] - found[-2]), end, found[-1] - found[-2], text)
            place += 2
            continue
        found += _piece(piece, text)
        place += 1
    if len(found) > _MOST:
        raise _wrong(text, f"it stands for more than {_MOST} values")
    if not whole:
        return [float(number) for number in found]
    uneven = next((number for number in found if number != number.to_integral_value()), None)
    if uneven is not None:
        raise _wrong(text, f"it gives {uneven}, and whole numbers are needed")
    return [int(number) for number in found]


def texts(text: str) -> list[str]:
    """The texts between double bars: ``a || b``."""
    return [piece.strip() for piece in text.split("||")] if "||" in text else [text]


def lines_of(path: Path) -> list[str]:
    """The lines of a text file in UTF-8, without empty ones and those that begin with ``#``.

    Raises:
        UsageError: The file cannot be read.
    """
    try:
        content = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}.") from None
    lines = [line.strip() for line in content.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def _piece(piece: str, text: str) -> list[Decimal]:
    if _ONE.fullmatch(piece):
        return [_one(piece, text)]
    match = _RANGE.fullmatch(piece)
    if match is None:
        raise _wrong(text, f"{piece!r} is no number and no range")
    start, end = Decimal(match[1]), Decimal(match[2])
    if match[4] is not None:
        count = int(match[4])
        if not 1 <= count <= _MOST:
            raise _wrong(text, f"[{count}] is not a number of values between 1 and {_MOST}")
        if count == 1:
            return [start]
        return [start + (end - start) * index / (count - 1) for index in range(count)]
    step = Decimal(match[3].replace(" ", "")) if match[3] else Decimal(1 if end >= start else -1)
    return _steps(start, end, step, text)


def _steps(start: Decimal, end: Decimal, step: Decimal, text: str) -> list[Decimal]:
    if step == 0 or (end - start) * step < 0:
        raise _wrong(text, f"steps of {step} do not lead from {start} to {end}")
    count = int((end - start) / step) + 1
    if count > _MOST:
        raise _wrong(text, f"it stands for more than {_MOST} values")
    return [start + step * index for index in range(count)]


def _one(piece: str, text: str) -> Decimal:
    match = _ONE.fullmatch(piece)
    if match is None:
        raise _wrong(text, f"{piece!r} is no number")
    return Decimal(match[1])


def _wrong(text: str, why: str) -> UsageError:
    return UsageError(f"{text!r} cannot be read as numbers: {why}. Notations: {_EXAMPLES}.")
