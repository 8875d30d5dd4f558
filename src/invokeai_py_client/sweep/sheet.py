"""Labelled contact sheets: pictures in rows and columns, on as many pages as it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from invokeai_py_client.sweep.sheet_plan import Page, plan_sheets

if TYPE_CHECKING:
    from PIL.Image import Image as PILImage

    Cell = PILImage | str

_PAPER = (255, 255, 255)
_INK = (24, 24, 27)
_PALE = (113, 113, 122)
_LINE = (228, 228, 231)
_EMPTY = (244, 244, 245)


def draw_sheet(
    pictures: Sequence[tuple[Mapping[str, Any], Cell]], rows: str | None, columns: str | None, cell: int
) -> PILImage:
    """Put pictures on one sheet, however large it becomes.

    Args:
        pictures: Each with the values it was made with; in its place may be a word, such as the state of a run that
            has no picture.
        rows: The value that goes down, or None.
        columns: The value that goes across, or None.
        cell: The longer side of each picture, in pixels.

    Returns:
        The sheet. Pictures of the same row and column stand beside each other in it; where there are neither rows
        nor columns, all stand in a square.
    """
    (page,) = _planned(pictures, rows, columns, cell, (), None)
    return draw_page(page, dict(enumerate(picture for _, picture in pictures)))


def draw_sheets(
    pictures: Sequence[tuple[Mapping[str, Any], Cell]],
    rows: str | None,
    columns: str | None,
    cell: int = 256,
    *,
    others: Sequence[str] = (),
    side: int = 4096,
) -> list[PILImage]:
    """Put pictures on as many sheets as it takes.

    Where there are more than memory holds, plan first, and draw page by page: ``plan_sheets`` and :func:`draw_page`.

    Args:
        pictures: As for :func:`draw_sheet`.
        rows: The value that goes down, or None.
        columns: The value that goes across, or None.
        cell: The longer side of each picture, in pixels.
        others: Further values; each combination of them is a block of its own, with a headline.
        side: The most pixels that a sheet is wide or high.
    """
    pages = _planned(pictures, rows, columns, cell, others, side)
    return [draw_page(page, {place: pictures[place][1] for place in page.places}) for page in pages]


def draw_page(page: Page, pictures: Mapping[int, Cell]) -> PILImage:
    """Draw one planned page.

    Args:
        page: The page.
        pictures: What stands in each of its places: a picture, or a word.
    """
    from PIL import Image, ImageDraw

    letters = page.lettering
    sheet = Image.new("RGB", (page.width, page.height), color=_PAPER)
    draw = ImageDraw.Draw(sheet)
    for label in page.labels:
        y = label.y
        if label.name:
            (name,) = letters.wrap(label.name, label.width, 1)
            draw.text((label.x, y), name, fill=_PALE, font=letters.font)
            y += letters.line
        for line in label.lines:
            draw.text((label.x, y), line, fill=_INK, font=letters.font)
            y += letters.line
        if label.is_headline:
            draw.line((label.x, y + 4, label.x + label.width, y + 4), fill=_LINE, width=2)
    for place, (x, y) in page.places.items():
        content = pictures[place]
        if isinstance(content, str):
            _write(draw, content, page, x, y)
            continue
        fitted = _fitted(content, page.box)
        sheet.paste(fitted, (x + (page.box[0] - fitted.width) // 2, y + (page.box[1] - fitted.height) // 2))
    return sheet


def _planned(
    pictures: Sequence[tuple[Mapping[str, Any], Cell]],
    rows: str | None,
    columns: str | None,
    cell: int,
    others: Sequence[str],
    side: int | None,
) -> list[Page]:
    sizes = [picture.size for _, picture in pictures if not isinstance(picture, str)]
    # The room is as wide as the widest shape needs it, and as high as the highest.
    scaled = [(width / max(width, height), height / max(width, height)) for width, height in sizes]
    shape = tuple(max(parts) for parts in zip(*scaled, strict=True)) if scaled else (1, 1)
    values = [one for one, _ in pictures]
    return plan_sheets(values, rows, columns, cell, others=others, side=side, shape=(shape[0], shape[1]))


def _write(draw: Any, text: str, page: Page, x: int, y: int) -> None:
    """A word in place of a picture."""
    letters, (width, height) = page.lettering, page.box
    draw.rectangle((x, y, x + width - 1, y + height - 1), fill=_EMPTY, outline=_LINE)
    lines = letters.wrap(text, width - 8, max(1, (height - 8) // letters.line))
    top = y + (height - len(lines) * letters.line) // 2
    for number, line in enumerate(lines):
        left = x + (width - letters.width(line)) // 2
        draw.text((left, top + number * letters.line), line, fill=_PALE, font=letters.font)


def _fitted(picture: PILImage, box: tuple[int, int]) -> PILImage:
    scale = min(box[0] / picture.width, box[1] / picture.height)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    fitted: PILImage = picture.convert("RGB").resize(size, reducing_gap=3.0)  # pyright: ignore[reportUnknownMemberType]
    return fitted
