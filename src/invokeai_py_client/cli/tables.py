"""Lists: tables in a terminal, tab-separated lines in a pipe, JSON lines for programs."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from invokeai_py_client._text import printable
from invokeai_py_client.cli.output import echo, is_watched
from invokeai_py_client.display.console import console_for

WIDE = 110
SCREEN = 40
"""Maximum number of rows that a list shows in a terminal by default."""
_LEAST = 8
"""Width down to which a column with wrapped or shortened cells may shrink."""
_GAP, _EDGES = 3, 2
"""Space between two columns, and on both sides of a table."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a list.

    Attributes:
        name: Header.
        right: Whether to align the cells to the right.
        whole: Whether to keep each cell on one line.
        cut: Whether to end a cell that is too long with an ellipsis.
        key: Whether the column has the names. Defaults to the first column.
        wide: Whether to show the column only in a wide terminal. Piped lines always contain it.
    """

    name: str
    right: bool = False
    whole: bool = True
    wide: bool = False
    cut: bool = False
    key: bool = False


def screenful(limit: int | None, as_json: bool) -> int | None:
    """Return the number of rows to request: a screenful in a terminal, otherwise no limit."""
    return SCREEN if limit is None and not as_json and is_watched(sys.stdout) else limit


def show_table(columns: Sequence[Column], rows: Iterable[Sequence[str]], title: str = "") -> None:
    """Print a table, or a tab-separated line per row without a header if output is piped.

    Names are never broken unless they are wider than the terminal. In a narrow terminal, other columns are dropped
    from the right, and those that can be wrapped or cut become narrower.
    """
    if not is_watched(sys.stdout):
        for row in rows:
            echo("\t".join(" ".join(cell.split()) for cell in row))
        return
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    console = console_for(sys.stdout)
    cells = [[printable(cell) for cell in row] for row in rows]
    table = Table(
        title=Text(printable(title)) if title else None,
        title_justify="left",
        title_style="bold",
        header_style="bold",
        box=SIMPLE_HEAD,
        pad_edge=False,
    )
    widths = _widths(columns, cells, console.width)
    for index, width in widths.items():
        one = columns[index]
        table.add_column(
            one.name,
            width=width,
            justify="right" if one.right else "left",
            overflow="ellipsis" if one.cut else "fold",
            no_wrap=one.cut,
        )
    for row in cells:
        table.add_row(*(Text(row[index], style=STYLES.get(row[index], "")) for index in widths))
    console.print(table)


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[str]], available: int) -> dict[int, int]:
    """Return the indexes of the columns that fit a terminal, and their widths."""
    from rich.cells import cell_len

    widths = {
        index: max(
            [cell_len(one.name), *(cell_len(line) for row in rows for line in row[index].splitlines())]
        )
        for index, one in enumerate(columns)
        if available >= WIDE or not one.wide
    }
    key = next((index for index, one in enumerate(columns) if one.key), 0)
    least = {
        index: min(width, _LEAST)
        if index != key and (columns[index].cut or not columns[index].whole)
        else width
        for index, width in widths.items()
    }

    def excess(chosen: Mapping[int, int]) -> int:
        return sum(chosen.values()) + _GAP * (len(chosen) - 1) + _EDGES - available

    while excess(least) > 0 and len(least) > 1:
        del least[next(index for index in reversed(least) if index != key)]
    if len(least) == 1:
        return {key: min(widths[key], available - _EDGES)}
    widths = {index: widths[index] for index in least}
    while excess(widths) > 0:
        widest = max((index for index in widths if widths[index] > least[index]), key=widths.__getitem__)
        widths[widest] -= 1
    return widths


def show_facts(facts: Mapping[str, Any]) -> None:
    """Print a name and a value per line. Empty values are omitted, and ids, paths and URLs are never broken."""
    known = {name: text for name, value in facts.items() if (text := words_of(value))}
    if not is_watched(sys.stdout):
        for name, text in known.items():
            echo(f"{name}\t{' '.join(text.split())}")
        return
    from rich.cells import cell_len

    indent = max(map(cell_len, known), default=0) + 2
    width = max(console_for(sys.stdout).width - indent, 20)
    for name, text in known.items():
        lines = textwrap.wrap(text, width, break_on_hyphens=False, break_long_words=False) or [""]
        echo(f"{name}{' ' * (indent - cell_len(name))}", nl=False, bold=True)
        echo(f"\n{' ' * indent}".join(lines))


def words_of(value: Any) -> str:
    """Return a value in a readable form."""
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return time_of(value)
    if isinstance(value, Mapping | list):
        import json

        return json.dumps(value, ensure_ascii=False)
    return str(value)


def time_of(when: datetime | str | None) -> str:
    """Return a local time to the minute. A text that is not a time is returned unchanged."""
    moment = moment_of(when)
    return str(when or "") if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M")


def moment_of(when: datetime | str | None) -> datetime | None:
    """Parse a time from the server, which is UTC unless it has a time zone."""
    if isinstance(when, str):
        try:
            when = datetime.fromisoformat(when)
        except ValueError:
            return None
    return when.replace(tzinfo=UTC) if when is not None and when.tzinfo is None else when


def seconds_of(seconds: float) -> str:
    """Return a readable duration: ``0.8 s``, ``2:05``, ``1:02:03``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


STYLES = {
    "completed": "green",
    "running": "cyan",
    "pending": "yellow",
    "waiting": "yellow",
    "failed": "red",
    "canceled": "dim",
}
