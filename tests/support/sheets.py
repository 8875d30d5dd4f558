"""Contact sheets of in-memory pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from PIL.Image import Image as PILImage

from invokeai_py_client.sweep.sheet import common_shape, draw_page
from invokeai_py_client.sweep.sheet_plan import plan_sheets

if TYPE_CHECKING:
    from invokeai_py_client.sweep.sheet import Cell


def draw_sheets(
    pictures: Sequence[tuple[Mapping[str, Any], Cell]],
    rows: str | None,
    columns: str | None,
    cell: int = 256,
    *,
    others: Sequence[str] = (),
    side: int | None = 4096,
) -> list[PILImage]:
    """Return the pages of a sheet for pictures with their values. A string can replace a picture."""
    pages = plan_sheets(
        [values for values, _ in pictures],
        rows,
        columns,
        cell,
        others=others,
        side=side,
        shape=common_shape(picture.size for _, picture in pictures if not isinstance(picture, str)),
    )
    return [draw_page(page, {place: pictures[place][1] for place in page.places}) for page in pages]


def draw_sheet(
    pictures: Sequence[tuple[Mapping[str, Any], Cell]], rows: str | None, columns: str | None, cell: int
) -> PILImage:
    """Return the same on one sheet, regardless of its size."""
    (sheet,) = draw_sheets(pictures, rows, columns, cell, side=None)
    return sheet
