"""Drawing the planned pages of labeled contact sheets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image as PILImage

    from invokeai_py_client.sweep.sheet_plan import Page

    Cell = PILImage | str

_PAPER = (255, 255, 255)
_INK = (24, 24, 27)
_PALE = (113, 113, 122)
_LINE = (228, 228, 231)
_EMPTY = (244, 244, 245)


def common_shape(sizes: Iterable[tuple[int, int]]) -> tuple[float, float]:
    """Return the shape of a cell that fits images of all these sizes when they are scaled to the same longer side.

    Args:
        sizes: The width and height of each image in pixels.

    Returns:
        The width and height as fractions of the longer side. (1, 1) without images.
    """
    scaled = [(width / max(width, height), height / max(width, height)) for width, height in sizes]
    if not scaled:
        return (1, 1)
    return max(width for width, _ in scaled), max(height for _, height in scaled)


def draw_page(page: Page, pictures: Mapping[int, Cell]) -> PILImage:
    """Draw a planned page.

    Args:
        page: The page.
        pictures: The content of each place: an image, or text to show instead.
    """
    from PIL import Image, ImageDraw

    letters = page.lettering
    sheet = Image.new("RGB", (page.width, page.height), color=_PAPER)
    draw = ImageDraw.Draw(sheet)
    for label in page.labels:
        y = label.y
        if label.name:
            for name in letters.wrap(label.name, label.width, 1):
                letters.draw(draw, label.x, y, name, _PALE)
            y += letters.line
        for line in label.lines:
            letters.draw(draw, label.x, y, line, _INK)
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


def _write(draw: Any, text: str, page: Page, x: int, y: int) -> None:
    """Draw text in place of an image."""
    letters, (width, height) = page.lettering, page.box
    draw.rectangle((x, y, x + width - 1, y + height - 1), fill=_EMPTY, outline=_LINE)
    lines = letters.wrap(text, width - 8, max(1, (height - 8) // letters.line))
    top = y + (height - len(lines) * letters.line) // 2
    for number, line in enumerate(lines):
        left = x + (width - letters.width(line)) // 2
        letters.draw(draw, left, top + number * letters.line, line, _PALE)


def _fitted(picture: PILImage, box: tuple[int, int]) -> PILImage:
    scale = min(box[0] / picture.width, box[1] / picture.height)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    fitted: PILImage = picture.convert("RGB").resize(size, reducing_gap=3.0)  # pyright: ignore[reportUnknownMemberType]
    return fitted
