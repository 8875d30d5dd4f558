"""Live display of a sweep: finished runs, rate and remaining time."""

from __future__ import annotations

import asyncio
from html import escape
from types import TracebackType
from typing import TYPE_CHECKING, Self

from invokeai_py_client._text import clip
from invokeai_py_client.display import is_interactive
from invokeai_py_client.display.choice import in_notebook
from invokeai_py_client.display.console import default_stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rich.console import RenderableType
    from rich.progress import Progress, Task, TaskID

    from invokeai_py_client.display.notebook import Cell

_LONGEST_RUN = 32
# The seconds between two updates in a notebook.
_PAUSE = 1.0


def sweep_display(
    count: int, progress: bool | None, current: Callable[[], Sequence[str]] = tuple
) -> SweepDisplay:
    """Return a display for a sweep.

    Args:
        count: The number of runs.
        progress: Whether to show progress. None shows it only in a terminal or a notebook.
        current: Returns descriptions of what is running, one for each server. It is called from another thread, several
            times per second. Defaults to no description.
    """
    return SweepDisplay(count, is_interactive() if progress is None else progress, current)


class SweepDisplay:
    """A progress bar for the runs, with the current run and the remaining time. Plain lines if the output is piped.

    If several servers are at work, there is a line for each below the bar. In a notebook, there are always such lines.
    """

    def __init__(self, count: int, shown: bool, current: Callable[[], Sequence[str]] = tuple) -> None:
        self._count = count
        self._current = current
        self._shown = shown
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._cell: Cell | None = None
        self._done = 0
        self._failed = 0
        self._tenths = 0

    def __enter__(self) -> Self:
        if self._shown and in_notebook():
            from invokeai_py_client.display.notebook import Cell

            self._cell = Cell()
        elif self._shown and is_interactive():
            from rich.progress import (
                BarColumn,
                MofNCompleteColumn,
                Progress,
                ProgressColumn,
                TextColumn,
                TimeElapsedColumn,
                TimeRemainingColumn,
            )
            from rich.text import Text

            from invokeai_py_client.display.console import console_for

            current = self._current

            class CurrentRun(ProgressColumn):
                def render(self, task: Task) -> Text:
                    del task
                    lines = current()
                    only = clip(lines[0], _LONGEST_RUN) if len(lines) == 1 else ""
                    return Text(only, style="dim", no_wrap=True)

            class ProgressOfServers(Progress):
                def get_renderables(self) -> Iterable[RenderableType]:
                    yield from super().get_renderables()
                    lines = current()
                    if len(lines) > 1:
                        yield from (Text(line, style="dim", no_wrap=True) for line in lines)

            self._progress = ProgressOfServers(
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
                CurrentRun(),
                console=console_for(default_stream()),
                transient=True,
            )
            self._task = self._progress.add_task("runs", total=self._count, rate="")
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()
        if self._cell is not None:
            self._cell.clear()

    async def keep_fresh(self) -> None:
        """Show what is running in a notebook, until this is canceled. In a terminal, a thread does that."""
        while self._cell is not None:
            self._draw(self._cell)
            await asyncio.sleep(_PAUSE)

    def show(self, done: int, failed: int | None) -> None:
        """Update the display.

        Args:
            done: The number of runs that have ended.
            failed: The number of runs that failed, or None if it has not changed.
        """
        self._done = done
        self._failed = self._failed if failed is None else failed
        if self._cell is not None:
            self._draw(self._cell)
        elif self._progress is not None and self._task is not None:
            speed = self._progress.tasks[0].speed
            self._progress.update(self._task, completed=done, rate=f"{speed:.1f}/s" if speed else "")
            if failed:
                self._progress.update(self._task, description=f"runs ({failed} failed)")
        elif self._shown and (done * 10 // self._count > self._tenths or failed is not None):
            self._tenths = done * 10 // self._count
            stream = default_stream()
            stream.write(f"{done} of {self._count} runs done{self._trouble}\n")
            stream.flush()

    @property
    def _trouble(self) -> str:
        return f", {self._failed} failed" if self._failed else ""

    def _draw(self, cell: Cell) -> None:
        from invokeai_py_client.display.notebook import bar_of

        bar = bar_of(f"{self._done} of {self._count} runs{self._trouble}", self._done, self._count)
        cell.show("".join((bar, *(f"<div>{escape(line)}</div>" for line in self._current()))))
