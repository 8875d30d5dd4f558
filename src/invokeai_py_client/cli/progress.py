"""A bar on standard error for what takes a while; nothing where nobody looks."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from invokeai_py_client.cli.output import is_watched

if TYPE_CHECKING:
    from invokeai_py_client.image.transfer import TransferProgress

Advance = Callable[[int], None]


@contextmanager
def counting_bar(what: str, total: int, as_json: bool) -> Generator[Advance]:
    """A bar over a number of things. What it gives is called with how many are done."""
    if as_json or not is_watched() or total < 1:
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)


@contextmanager
def waiting(what: str, as_json: bool = False) -> Generator[None]:
    """A sign of life for something whose length nobody knows."""
    if as_json or not is_watched():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(what):
        yield


def of_transfer(advance: Advance) -> Callable[[TransferProgress], None]:
    """How a transfer of files moves a bar."""

    def on_progress(progress: TransferProgress) -> None:
        advance(progress.done + progress.failed)

    return on_progress
