"""A line for each step, where nobody watches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self, TextIO

from invokeai_py_client.run.events import (
    NodeFailed,
    NodeProgress,
    NodeStarted,
    RunEvent,
    StatusChanged,
)

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
