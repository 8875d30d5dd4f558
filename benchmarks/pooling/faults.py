"""The failure matrix: each row is a sweep over two real servers during which something breaks.

The runs are counted where they were executed: in the servers' own queues. A run is lost if it was not delivered as
completed, and executed twice if two items with its values completed.
"""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from argparse import Namespace

from packs import CHEAP_COLLECTIONS

from pooling.lab import Books, Lab, laboratory
from pooling.row import Row
from pooling.rows import ROWS
from pooling.trial import Trial, attempt

_COLUMNS = (
    *("what breaks", "engine", "time", "noticed after", "runs", "lost", "delivered twice"),
    *("executed twice", "allowed", "completed by each server"),
)

# How long everything beside the sweep may take, such as starting a cluster, in seconds.
_ASIDE = 90.0


def main(options: Namespace) -> None:
    """Reproduce the rows, print a Markdown table, and exit with 1 if a count is not as it must be."""
    named = {f"{row.engine}: {row.name}": row for row in ROWS}
    rows = [row for name, row in named.items() if any(text in name for text in options.only)]
    if not rows:
        sys.exit(
            f"No row has {' or '.join(map(repr, options.only))} in its name. The rows are:\n"
            + "\n".join(named)
        )
    print(f"| {' | '.join(_COLUMNS)} |\n|{'---|' * len(_COLUMNS)}", flush=True)
    with laboratory(packs=[CHEAP_COLLECTIONS]) as lab:
        wrong = [row.name for row in rows if not asyncio.run(reproduce(lab, row))]
    if wrong:
        sys.exit(f"Not as it must be: {', '.join(wrong)}.")


async def reproduce(lab: Lab, row: Row) -> bool:
    """Reproduce a row, print it, and return whether its counts are as they must be."""
    if row.needs is not None and importlib.util.find_spec(row.needs) is None:
        skipped = f"skipped: {row.needs} is not installed"
        print(f"| {row.name} | {row.engine} | {skipped} |{' |' * (len(_COLUMNS) - 3)}", flush=True)
        return True
    trial = Trial(lab, row.runs, row.patience)
    await attempt(trial, row.body, row.longest + _ASIDE)
    await lab.settle()
    books = await lab.books(trial.numbers)
    allowed = trial.bound * row.repeats
    print(f"| {' | '.join(map(str, cells(row, trial, books, allowed)))} |", flush=True)
    ended = trial.seconds is not None and trial.seconds <= row.longest and not books.open
    return ended and (row.loses or not trial.lost) and not trial.twice and books.twice <= allowed


def cells(row: Row, trial: Trial, books: Books, allowed: int) -> list[object]:
    """Return the cells of a row."""
    shares = " : ".join(str(states["completed"]) for states in books.states)
    lost = f"({trial.lost} canceled)" if row.loses else trial.lost
    time = "did not end" if trial.seconds is None else f"{trial.seconds:.1f} s"
    noticed = "" if trial.noticed is None else f"{trial.noticed:.1f} s"
    return [
        *(row.name, row.engine, time, noticed, trial.runs, lost, trial.twice),
        *(books.twice, allowed, shares),
    ]
