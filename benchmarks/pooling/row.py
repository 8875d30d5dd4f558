"""A row of the failure matrix."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from pooling.trial import Trial

Body = Callable[[Trial], Awaitable[None]]


@dataclass(frozen=True)
class Row:
    """A row of the failure matrix.

    Attributes:
        name: What breaks.
        body: Sweeps, and breaks it.
        engine: The engine of the pool. Defaults to the one in this process.
        runs: How many runs the sweep has. Defaults to 24.
        patience: For how long the pool waits for a server that it can't ask, in seconds. Defaults to 20.
        repeats: How often a server can't be asked, so that its chunks may be executed twice. Defaults to 0.
        loses: Whether runs may end without a result, because the sweep is canceled. Defaults to False.
        longest: How long the sweep may take, in seconds. Defaults to 150.
        needs: The module without which the row is skipped. Defaults to None.
    """

    name: str
    body: Body
    engine: str = "in process"
    runs: int = 24
    patience: float = 20.0
    repeats: int = 0
    loses: bool = False
    longest: float = 150.0
    needs: str | None = None
