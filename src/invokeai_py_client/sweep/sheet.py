"""A labelled contact sheet: pictures in rows and columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image as PILImage

_GAP = 8
_PAPER = (255, 255, 255)
_INK = (24, 24, 27)
_FONT_SIZE = 15
_LINES = 3


def draw_sheet(
    pictures: Sequence[tuple[Mapping[str, Any], PILImage]], rows: str | None, columns: str | None, cell: int
) -> PILImage:
    """Put pictures on one sheet.

    Args:
        pictures: Each with the values it was made with.
        rows: The value that goes down, or None for one row (wrapped when there is no column either).
        columns: The value that goes across.
        cell: The longer side of each picture, in pixels.

    Where several pictures share a cell, they stand beside each other in it.
    """
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(size=_FONT_SIZE)
    row_values = _distinct(values.get(rows) if rows else None for values, _ in pictures)
    column_values = _distinct(values.get(columns) if columns else None for values, _ in pictures)
    cells: dict[tuple[int, int], list[PILImage]] = {}
    for values, picture in pictures:
        place = (
            row_values.index(values.get(rows) if rows else None),
            column_values.index(values.get(columns) if columns else None),
        )
        cells.setdefault(place, []).append(_shrunk(picture, cell))

    across = max((len(group) for group in cells.values()), default=1)
    width = across * (cell + _GAP)
    left = cell // 2 + _GAP if rows else _GAP
    top = _LINES * (_FONT_SIZE + 4) + _GAP if columns else _GAP
    sheet = Image.new(
        "RGB", (left + len(column_values) * width, top + len(row_values) * (cell + _GAP)), color=_PAPER
    )
    draw = ImageDraw.Draw(sheet)
    for index, value in enumerate(column_values if columns else ()):
        text = _wrapped(f"{columns} = {value}", width - _GAP, font, _LINES)
        draw.multiline_text((left + index * width, _GAP), text, fill=_INK, font=font)
    for index, value in enumerate(row_values if rows else ()):
        text = _wrapped(f"{rows} = {value}", left - 2 * _GAP, font, max(1, cell // (_FONT_SIZE + 4)))
        draw.multiline_text((_GAP, top + index * (cell + _GAP)), text, fill=_INK, font=font)
    for (row, column), group in cells.items():
        for index, picture in enumerate(group):
            x = left + column * width + index * (cell + _GAP)
            sheet.paste(picture, (x, top + row * (cell + _GAP)))
    return sheet


def _distinct(values: Any) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found


def _shrunk(picture: PILImage, cell: int) -> PILImage:
    scale = cell / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    shrunk: PILImage = picture.convert("RGB").resize(size)  # pyright: ignore[reportUnknownMemberType]
    return shrunk


def _wrapped(text: str, width: int, font: Any, most: int) -> str:
    """The text in at most so many lines that fit; what does not fit ends in an ellipsis."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        candidate = f"{line} {word}".strip()
        if line and font.getlength(candidate) > width:
            lines.append(line)
            line = word
        else:
            line = candidate
    lines.append(line)
    if len(lines) > most:
        lines = [*lines[: most - 1], lines[most - 1] + " …"]
    return "\n".join(_cut(one, width, font) for one in lines)


def _cut(line: str, width: int, font: Any) -> str:
    while len(line) > 1 and font.getlength(line) > width:
        line = line[:-2].rstrip("…") + "…"
    return line
