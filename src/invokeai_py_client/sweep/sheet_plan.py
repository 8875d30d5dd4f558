"""The layout of contact sheets: pages, blocks, rows and columns. It does not need the images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import ceil, prod, sqrt
from typing import Any

from invokeai_py_client.files.labels import label_of
from invokeai_py_client.sweep.sheet_text import Lettering

_GAP = 8
_MARGIN = 16
_BETWEEN = 32
_LINES = 6
_CAPTION_LINES = 4
_NARROWEST_CAPTION = 64
_NARROWEST = 120
_WIDEST = 240


@dataclass(frozen=True, slots=True)
class Label:
    """A piece of text on a page.

    Attributes:
        x: The left edge in pixels.
        y: The upper edge in pixels.
        width: The available width in pixels.
        name: The axis, drawn above the lines in a lighter color. "" for none.
        lines: The lines of text.
        is_headline: Whether to draw a rule of the full width below the text. Defaults to False.
    """

    x: int
    y: int
    width: int
    name: str
    lines: tuple[str, ...]
    is_headline: bool = False


@dataclass(slots=True)
class Page:
    """A page of a contact sheet.

    Attributes:
        lettering: The font.
        box: The maximum width and height of each image in pixels.
        width: The width in pixels.
        height: The height in pixels.
        labels: The text on the page.
        places: The upper left corner of the box of each image, by the index of the run in the planned values.
    """

    lettering: Lettering
    box: tuple[int, int]
    width: int = 2 * _MARGIN
    height: int = 2 * _MARGIN
    labels: list[Label] = field(default_factory=list[Label])
    places: dict[int, tuple[int, int]] = field(default_factory=dict[int, tuple[int, int]])


@dataclass(frozen=True, slots=True)
class SheetAxes:
    """The axes of a contact sheet.

    Attributes:
        rows: The axis that goes down, or None.
        columns: The axis that goes across, or None.
        blocks: The axes whose combinations have separate blocks.
        captions: The axes whose values are shown below each image.
    """

    rows: str | None
    columns: str | None
    blocks: tuple[str, ...]
    captions: tuple[str, ...]


def choose_axes(
    values: Sequence[Mapping[str, Any]], axes: Sequence[str], rows: str | None, columns: str | None
) -> SheetAxes:
    """Choose how a contact sheet shows each axis, so that every axis has a label.

    Two axes make a grid only if there are runs for all combinations of their values. With zipped values, or a random
    seed for each run, most cells of the grid would be empty.

    Args:
        values: The axis values of each run.
        axes: The names of all axes, outermost first.
        rows: The axis that goes down, or None to choose one.
        columns: The axis that goes across, or None to choose one.
    """

    def combined(*names: str) -> bool:
        keys = [tuple(value_key(one.get(name)) for name in names) for one in values]
        return len(set(keys)) == prod(len(set(column)) for column in zip(*keys, strict=True))

    if rows is None or columns is None:
        pairs = (
            (row, column)
            for column in ([columns] if columns else reversed(axes))
            for row in ([rows] if rows else axes)
            if row != column and combined(row, column)
        )
        rows, columns = next(pairs, (rows, columns))
    if rows is None and columns is None and axes:
        # The axis with the fewest values, and of several the last.
        counts = {name: len({value_key(one.get(name)) for one in values}) for name in reversed(axes)}
        columns = min(counts, key=lambda name: counts[name])
    grid = [name for name in (rows, columns) if name is not None]
    blocks: list[str] = []
    captions: list[str] = []
    for name in axes:
        if name not in grid:
            (blocks if combined(*grid, *blocks, name) else captions).append(name)
    return SheetAxes(rows, columns, tuple(blocks), tuple(captions))


def plan_sheets(
    values: Sequence[Mapping[str, Any]],
    rows: str | None,
    columns: str | None,
    cell: int = 256,
    *,
    others: Sequence[str] = (),
    captions: Sequence[str] = (),
    side: int | None = 4096,
    shape: tuple[float, float] = (1, 1),
) -> list[Page]:
    """Plan contact sheets.

    Runs with the same values of ``rows`` and ``columns`` share a cell and are placed side by side. Without ``rows``
    and ``columns``, all runs are arranged in a square.

    Args:
        values: The input values of each run.
        rows: The axis that goes down, or None.
        columns: The axis that goes across, or None.
        cell: The longer side of each image in pixels. Defaults to 256.
        others: Other axes. Each combination of their values gets a separate block with a headline. Defaults to none.
        captions: The axes whose values are shown below each image. Defaults to none.
        side: The maximum width and height of a page in pixels, or None to put everything on one page. Defaults to
            4096.
        shape: The aspect ratio of the images as width and height. Defaults to (1, 1).

    Returns:
        The pages. Without runs, one empty page.
    """
    if side is not None:
        cell = max(1, min(cell, side // 2))
    box = (max(1, round(cell * shape[0] / max(shape))), max(1, round(cell * shape[1] / max(shape))))
    axes = [name for name in (rows, columns, *others, *captions) if name is not None]
    texts = {*axes} | {label_of(one.get(name)) for one in values for name in axes}
    letters = Lettering(min(20, max(13, cell // 16)), texts)
    width = max(box[0], _NARROWEST_CAPTION) if captions else box[0]
    below = [
        tuple(letters.wrap(_pairs(one, captions), width, _CAPTION_LINES)) if captions else ()
        for one in values
    ]
    slot = (width, box[1] + max(map(len, below), default=0) * letters.line)
    pages = _Pages(letters, box, slot, below, side)
    pieces = [
        _Piece(block, headline, down, across, min(letters.width(headline), _WIDEST) if headline else 0)
        for headline, runs in _blocks(values, rows, columns, others, pages.most_in_a_cell)
        for block in (_Block(values, runs, rows, columns, letters, slot, pages.room),)
        for down, across in block.pieces()
    ]
    return pages.filled(pieces) or [Page(letters, box)]


def _blocks(
    values: Sequence[Mapping[str, Any]],
    rows: str | None,
    columns: str | None,
    others: Sequence[str],
    most: int | None,
) -> Iterator[tuple[str, list[int]]]:
    """Group runs by the values of the other axes, with no more runs in a cell than fit on a page."""
    blocks: dict[Any, list[int]] = {}
    filled: dict[Any, int] = {}
    for index, one in enumerate(values):
        which = tuple(value_key(one.get(name)) for name in others)
        place = (which, *(value_key(one.get(name)) if name else None for name in (rows, columns)))
        filled[place] = filled.get(place, -1) + 1
        blocks.setdefault((which, filled[place] // most if most else 0), []).append(index)
    for runs in blocks.values():
        yield _pairs(values[runs[0]], others), runs


def _pairs(values: Mapping[str, Any], names: Sequence[str]) -> str:
    return ", ".join(f"{name} = {label_of(values.get(name))}" for name in names)


def value_key(value: Any) -> Any:
    """Return a hashable key of a value. 1 and True have different keys; lists are compared by content."""
    try:
        hash(value)
    except TypeError:
        return repr(value)
    return isinstance(value, bool), value


class _Block:
    """A grid of cells with labels above its columns and beside its rows."""

    def __init__(
        self,
        values: Sequence[Mapping[str, Any]],
        runs: Sequence[int],
        rows: str | None,
        columns: str | None,
        letters: Lettering,
        box: tuple[int, int],
        room: tuple[int, int] | None,
    ) -> None:
        self._values, self._room = values, room
        self.rows, self.columns = rows, columns
        self.cells: dict[tuple[int, int], list[int]] = {}
        down, across = self._distinct(rows, runs), self._distinct(columns, runs)
        for index in runs:
            place = (down[self._key(rows, index)][0], across[self._key(columns, index)][0])
            self.cells.setdefault(place, []).append(index)
        most = max(map(len, self.cells.values()))
        self.beside = most if rows or columns else ceil(sqrt(most))
        if room is not None:
            most_beside, most_lines = _room_of_a_cell(room, box, letters)
            self.beside = min(max(self.beside, ceil(most / most_lines)), most_beside)

        names = [text for _, text in across.values()] if columns else []
        widest = max(map(letters.width, (columns or "", *names)))
        pictures = self.beside * (box[0] + _GAP) - _GAP
        self.gap = _GAP if most == 1 else 2 * _GAP  # images in the same cell are closer together
        self.cell_width = max(pictures, min(widest, _NARROWEST)) + self.gap
        self.column_labels = [tuple(letters.wrap(text, self.cell_width - self.gap, _LINES)) for text in names]
        self.top = letters.line * (1 + max(map(len, self.column_labels))) + _GAP if columns else 0

        names = [text for _, text in down.values()] if rows else []
        widest = max(map(letters.width, (rows or "", *names)))
        self.left = min(widest, max(_NARROWEST, min(box[0], _WIDEST))) + 2 * _GAP if rows else 0
        self.cell_height = ceil(most / self.beside) * (box[1] + _GAP) - _GAP + self.gap
        if rows:
            self.cell_height = max(self.cell_height, 3 * letters.line)
        most_lines = self.cell_height // letters.line - 1
        self.row_labels = [tuple(letters.wrap(text, self.left - 2 * _GAP, most_lines)) for text in names]
        self.size = (len(down), len(across))

    def pieces(self) -> list[tuple[range, range]]:
        """Return the rows and columns of pieces that each fit on a page."""
        if self._room is None:
            return [(range(self.size[0]), range(self.size[1]))]
        width, height = self._room
        down = _even(self.size[0], (height - self.top) // self.cell_height)
        across = _even(self.size[1], (width - self.left) // self.cell_width)
        return [(rows, columns) for rows in down for columns in across]

    def _key(self, axis: str | None, index: int) -> Any:
        return value_key(self._values[index].get(axis)) if axis else None

    def _distinct(self, axis: str | None, runs: Sequence[int]) -> dict[Any, tuple[int, str]]:
        found: dict[Any, tuple[int, str]] = {}
        for index in runs:
            key = self._key(axis, index)
            if key not in found:
                found[key] = (len(found), label_of(self._values[index].get(axis)) if axis else "")
        return found


def _room_of_a_cell(room: tuple[int, int], box: tuple[int, int], letters: Lettering) -> tuple[int, int]:
    """Return the maximum number of images side by side in a cell, and of such lines."""
    across = room[0] - max(box[0], _WIDEST) - 4 * _GAP
    down = room[1] - (_LINES + 1) * letters.line - 2 * _GAP
    return max(1, across // (box[0] + _GAP)), max(1, down // (box[1] + _GAP))


def _even(count: int, most: int) -> list[range]:
    """Split a number of things into as few pieces as possible, of about the same size."""
    pieces = ceil(count / max(1, most))
    ends = [count * number // pieces for number in range(pieces + 1)]
    return [range(start, end) for start, end in pairwise(ends)]


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of a block that fits on a page."""

    block: _Block
    headline: str
    down: range
    across: range
    least: int

    @property
    def width(self) -> int:
        return max(self.least, self.block.left + len(self.across) * self.block.cell_width - self.block.gap)

    @property
    def height(self) -> int:
        """The height without the headline, in pixels."""
        return self.block.top + len(self.down) * self.block.cell_height - self.block.gap


class _Pages:
    """The pages, filled with pieces from left to right and from top to bottom."""

    def __init__(
        self,
        letters: Lettering,
        box: tuple[int, int],
        slot: tuple[int, int],
        captions: Sequence[tuple[str, ...]],
        side: int | None,
    ) -> None:
        self._letters, self._box, self._slot, self._captions, self._side = letters, box, slot, captions, side
        self.room: tuple[int, int] | None = None
        self.most_in_a_cell: int | None = None
        if side is not None:
            head = _LINES * letters.line + 2 * _GAP
            self.room = (side - 2 * _MARGIN, side - 2 * _MARGIN - head)
            across, down = _room_of_a_cell(self.room, slot, letters)
            self.most_in_a_cell = across * down
        self._x = self._y = self._shelf = 0
        self._pages: list[Page] = []

    def filled(self, pieces: Sequence[_Piece]) -> list[Page]:
        """Return pages with all of the pieces. A single page is about square."""
        area = sum((piece.width + _BETWEEN) * (piece.height + 2 * _BETWEEN) for piece in pieces)
        right = _MARGIN + int(1.2 * sqrt(area))
        if self._side is not None:
            right = min(self._side - _MARGIN, right)
        for piece in pieces:
            self._add(piece, right)
        return self._pages

    def _add(self, piece: _Piece, right: int) -> None:
        lines = self._letters.wrap(piece.headline, piece.width, _LINES)
        head = len(lines) * self._letters.line + 2 * _GAP if lines else 0
        page, x, y = self._place(piece.width, head + piece.height, right)
        if lines:
            page.labels.append(Label(x, y, piece.width, "", tuple(lines), is_headline=True))
        block, line = piece.block, self._letters.line
        left, top = x + block.left, y + head + block.top
        for place, column in enumerate(piece.across) if block.columns else ():
            label = block.column_labels[column]
            at = left + place * block.cell_width, top - _GAP - (len(label) + 1) * line
            page.labels.append(Label(*at, block.cell_width - block.gap, block.columns or "", label))
        for place, row in enumerate(piece.down) if block.rows else ():
            at = x, top + place * block.cell_height
            page.labels.append(Label(*at, block.left - 2 * _GAP, block.rows or "", block.row_labels[row]))
        for row in piece.down:
            for column in piece.across:
                at = (
                    left + (column - piece.across.start) * block.cell_width,
                    top + (row - piece.down.start) * block.cell_height,
                )
                self._put(page, block.cells.get((row, column), ()), block.beside, at)

    def _put(self, page: Page, runs: Sequence[int], beside: int, at: tuple[int, int]) -> None:
        """Place the runs of a cell."""
        for number, run in enumerate(runs):
            line, place = divmod(number, beside)
            x, y = at[0] + place * (self._slot[0] + _GAP), at[1] + line * (self._slot[1] + _GAP)
            page.places[run] = (x, y)
            if self._captions[run]:
                page.labels.append(Label(x, y + self._box[1], self._slot[0], "", self._captions[run]))

    def _place(self, width: int, height: int, right: int) -> tuple[Page, int, int]:
        if self._pages and self._x + width > right:
            self._x, self._y, self._shelf = _MARGIN, self._y + self._shelf + _BETWEEN, 0
        bottom = self._side - _MARGIN if self._side is not None else None
        if not self._pages or (bottom is not None and self._y + height > bottom):
            self._pages.append(Page(self._letters, self._box))
            self._x, self._y, self._shelf = _MARGIN, _MARGIN, 0
        page, x, y = self._pages[-1], self._x, self._y
        page.width, page.height = max(page.width, x + width + _MARGIN), max(page.height, y + height + _MARGIN)
        self._x, self._shelf = x + width + _BETWEEN, max(self._shelf, height)
        return page, x, y
