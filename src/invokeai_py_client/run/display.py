"""Showing a run while it goes on: bars in a terminal or notebook, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, Self, TextIO

from invokeai_py_client.models.enums import JobStatus
from invokeai_py_client.run.events import (
    NodeCompleted,
    NodeFailed,
    NodeProgress,
    NodeStarted,
    RunEvent,
    StatusChanged,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID

Labels = Callable[[str], str]


class Display(Protocol):
    """Something that shows the events of a run."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exception: object) -> None: ...

    def show(self, event: RunEvent) -> None:
        """Show an event."""
        ...


def is_interactive(stream: TextIO | None = None) -> bool:
    """Whether a person watches: a terminal, or a notebook."""
    where: TextIO = sys.stderr if stream is None else stream
    if "ipykernel" in sys.modules:
        return True
    return where.isatty() and os.environ.get("TERM") != "dumb"


def display_for(labels: Labels, node_count: int, stream: TextIO | None = None) -> Display:
    """Bars where a person watches, else plain lines.

    Args:
        labels: What the workflow calls a node, by its id.
        node_count: How many nodes will run, at least.
        stream: Where to write; standard error by default, so that results can be piped.
    """
    where: TextIO = sys.stderr if stream is None else stream
    if not is_interactive(where):
        return LineDisplay(labels, where)
    from rich.console import Console

    return BarDisplay(labels, node_count, Console(file=where))


class LineDisplay:
    """One line for each step that says something new."""

    def __init__(self, labels: Labels, stream: TextIO) -> None:
        self._labels = labels
        self._stream = stream

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stream.flush()

    def show(self, event: RunEvent) -> None:
        """Write an event's line, if it is worth one."""
        text = line_of(event, self._labels)
        if text:
            self._stream.write(text + "\n")
            self._stream.flush()


def line_of(event: RunEvent, labels: Labels) -> str:
    """An event in one plain line; empty for those not worth one."""
    if isinstance(event, StatusChanged):
        reason = f": {event.error_type}" if event.error_type else ""
        return f"item {event.item_id} {event.status.value}{reason}"
    if isinstance(event, NodeStarted):
        return f"  {labels(event.node_id)}"
    if isinstance(event, NodeProgress) and event.fraction is not None:
        return f"  {labels(event.node_id)} {event.fraction:4.0%} {event.message}"
    if isinstance(event, NodeFailed):
        return f"  {labels(event.node_id)} failed: {event.error_type}"
    return ""


class BarDisplay:
    """A bar over the nodes, and one for the node at work."""

    def __init__(self, labels: Labels, node_count: int, console: Console) -> None:
        from rich.progress import (
            BarColumn,
            Progress,
            SpinnerColumn,
            TaskProgressColumn,
            TextColumn,
            TimeElapsedColumn,
        )

        self._labels = labels
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self._nodes: TaskID = self._progress.add_task("queued", total=max(node_count, 1))
        self._node: TaskID = self._progress.add_task("", total=None, visible=False)
        self._done = 0
        self._total = max(node_count, 1)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def show(self, event: RunEvent) -> None:
        """Move the bars."""
        progress = self._progress
        if isinstance(event, StatusChanged):
            progress.update(self._nodes, description=_word(event.status))
        elif isinstance(event, NodeStarted):
            # A new bar: one that had a total cannot be given none again.
            progress.remove_task(self._node)
            self._node = progress.add_task(f"  {self._labels(event.node_id)}", total=None)
        elif isinstance(event, NodeProgress):
            text = f"  {self._labels(event.node_id)}: {event.message}"
            if event.fraction is None:
                progress.update(self._node, description=text)
            else:
                progress.update(self._node, description=text, total=1.0, completed=event.fraction)
        elif isinstance(event, NodeCompleted):
            self._done += 1
            self._total = max(self._total, self._done)  # iterations run a node more than once
            progress.update(self._nodes, completed=self._done, total=self._total)


def _word(status: JobStatus) -> str:
    return "queued" if status is JobStatus.PENDING else status.value
