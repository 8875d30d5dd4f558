"""Progress bars on standard error. They appear only in a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from invokeai_py_client.cli.output import shows_progress
from invokeai_py_client.display.console import console_for

if TYPE_CHECKING:
    from invokeai_py_client.image.transfer import TransferProgress

Advance = Callable[[int], None]


@contextmanager
def counting_bar(what: str, total: int, as_json: bool) -> Generator[Advance]:
    """Show a progress bar, and yield a function that sets how many items are done."""
    if not shows_progress(as_json) or total < 1:
        yield lambda done: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console_for(sys.stderr),
        transient=True,
    )
    with bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)


@contextmanager
def waiting(what: str, as_json: bool = False) -> Generator[None]:
    """Show a spinner while something of unknown duration runs."""
    if not shows_progress(as_json):
        yield
        return
    with console_for(sys.stderr).status(what):
        yield


def of_transfer(advance: Advance) -> Callable[[TransferProgress], None]:
    """Return a progress callback for file transfers that advances a bar."""

    def on_progress(progress: TransferProgress) -> None:
        advance(progress.done + progress.failed)

    return on_progress
