"""The failure matrix: each row is a sweep over two real servers during which something breaks.

The runs are counted where they were executed: in the servers' own queues. A run is lost if it was not delivered as
completed, and executed twice if two items with its values completed.
"""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from argparse import Namespace

from pooling.lab import Books, Lab, laboratory
from pooling.rows import ROWS, Row
from pooling.trial import Trial, attempt

_COLUMNS = (
    *("what breaks", "engine", "time", "runs", "lost", "delivered twice"),
    *("executed twice", "allowed", "completed by each server"),
)


def main(options: Namespace) -> None:
    """Reproduce the rows, print a Markdown table, and exit with 1 if a count is not as it must be."""
    rows = [row for row in ROWS if options.only is None or options.only in row.name]
    if not rows:
        names = ", ".join(row.name for row in ROWS)
        sys.exit(f"No row has {options.only!r} in its name. The rows are: {names}.")
    print(f"| {' | '.join(_COLUMNS)} |\n|{'---|' * len(_COLUMNS)}", flush=True)
    with laboratory() as lab:
        wrong = [row.name for row in rows if not asyncio.run(reproduce(lab, row))]
    if wrong:
        sys.exit(f"Not as it must be: {', '.join(wrong)}.")


async def reproduce(lab: Lab, row: Row) -> bool:
    """Reproduce a row, print it, and return whether its counts are as they must be."""
    if row.needs is not None and importlib.util.find_spec(row.needs) is None:
        print(f"| {row.name} | {row.engine} | skipped: {row.needs} is not installed |{' |' * 6}")
        return True
    trial = Trial(lab, row.runs, row.patience)
    await attempt(trial, row.body)
    await lab.settle()
    books = await lab.books(trial.numbers)
    allowed = trial.bound if row.repeats else 0
    print(f"| {' | '.join(map(str, cells(row, trial, books, allowed)))} |", flush=True)
    return (row.loses or not trial.lost) and not trial.twice and books.twice <= allowed and not books.open


def cells(row: Row, trial: Trial, books: Books, allowed: int) -> list[object]:
    """Return the cells of a row."""
    shares = " : ".join(str(states["completed"]) for states in books.states)
    lost = f"({trial.lost} canceled)" if row.loses else trial.lost
    return [
        *(row.name, row.engine, f"{trial.seconds:.1f} s", trial.runs, lost, trial.twice),
        *(books.twice, allowed, shares),
    ]
