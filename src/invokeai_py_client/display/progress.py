"""How far a run is, as a function of its events; and a line for each step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self, TextIO

from invokeai_py_client.models.enums import JobStatus
from invokeai_py_client.run.events import (
    NodeCompleted,
    NodeFailed,
    NodeProgress,
    NodeStarted,
    Preview,
    RunEvent,
    StatusChanged,
)


@dataclass(slots=True)
class Progress:
    """What there is to show of a run.

    Attributes:
        labels: What the workflow calls a node, by its id.
        total: How many nodes will run, at least.
        word: How the run stands: ``queued``, ``running``...
        done: How many nodes have run.
        node: What the node at work is called, and what it says; empty while none is.
        fraction: How far that node is, from 0 to 1; None where it does not tell.
        preview: The picture as it looks so far.
    """

    labels: Labels
    total: int
    word: str = "queued"
    done: int = 0
    node: str = ""
    fraction: float | None = None
    preview: Preview | None = None

    def take(self, event: RunEvent) -> None:
        """Take in an event."""
        if isinstance(event, StatusChanged):
            self.word = "queued" if event.status is JobStatus.PENDING else event.status.value
        elif isinstance(event, NodeStarted):
            self.node, self.fraction = self.labels(event.node_id), None
        elif isinstance(event, NodeProgress):
            self.node = f"{self.labels(event.node_id)}: {event.message}"
            self.fraction = event.fraction
            self.preview = event.preview or self.preview
        elif isinstance(event, NodeCompleted):
            self.done += 1
            self.total = max(self.total, self.done)  # iterations run a node more than once


Labels = Callable[[str], str]


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
