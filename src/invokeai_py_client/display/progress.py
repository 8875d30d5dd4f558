"""The progress of a run, computed from its events, and a line of text for each step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TextIO

from invokeai_py_client._text import printable
from invokeai_py_client.models.enums import JobStatus
from invokeai_py_client.run.events import (
    ModelLoaded,
    ModelLoading,
    NodeCompleted,
    NodeFailed,
    NodeProgress,
    NodeStarted,
    Preview,
    RunEvent,
    StatusChanged,
)
from invokeai_py_client.run.status import state_word

if TYPE_CHECKING:
    from invokeai_py_client.run.run import AsyncRun


@dataclass(slots=True)
class Progress:
    """The progress of a run.

    Attributes:
        labels: Returns the label of a node, given its id.
        total: The minimum number of nodes that will run.
        word: The state of the run: ``queued``, ``running``...
        done: The number of nodes that have finished.
        node: The label of the current node and its latest message, or the model that is being loaded for it. Empty if
            no node is running.
        fraction: The completed fraction of that node, from 0 to 1, or None if unknown.
        preview: The latest preview of the image.
    """

    labels: Labels
    total: int
    word: str = "queued"
    done: int = 0
    node: str = ""
    fraction: float | None = None
    preview: Preview | None = None

    def take(self, event: RunEvent) -> None:
        """Process an event."""
        if isinstance(event, StatusChanged):
            self.word = "queued" if event.status is JobStatus.PENDING else state_word(event.status)
        elif isinstance(event, NodeStarted):
            self.node, self.fraction = self.labels(event.node_id), None
        elif isinstance(event, NodeProgress):
            self.node = f"{self.labels(event.node_id)}: {event.message}"
            self.fraction = event.fraction
            self.preview = event.preview or self.preview
        elif isinstance(event, ModelLoading):
            self.node, self.fraction = f"{self.labels(event.node_id)}: loading {event.what}", None
        elif isinstance(event, ModelLoaded):
            self.node, self.fraction = self.labels(event.node_id), None
        elif isinstance(event, NodeCompleted):
            self.done += 1
            self.total = max(self.total, self.done)  # iterations run a node more than once


Labels = Callable[[str], str]


class LineDisplay:
    """Plain lines: one line for each event worth showing."""

    def __init__(self, labels: Labels, stream: TextIO) -> None:
        self._labels = labels
        self._stream = stream
        self._loading: tuple[str, str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stream.flush()

    async def finish(self, run: AsyncRun) -> None:
        """Do nothing: plain lines contain no images."""

    def show(self, event: RunEvent) -> None:
        """Write the line for an event, if it has one. A model of several parts has one line for each node."""
        if isinstance(event, ModelLoading):
            before, self._loading = self._loading, (event.prepared_id, event.model_key)
            if before == self._loading:
                return
        text = line_of(event, self._labels)
        if text:
            # One line for each event: a label or message with line breaks could pass for other events.
            self._stream.write(printable(" ".join(text.splitlines())) + "\n")
            self._stream.flush()


def line_of(event: RunEvent, labels: Labels) -> str:
    """Return an event as a line of text, or "" if it is not worth showing."""
    if isinstance(event, StatusChanged):
        reason = f": {event.error_type}" if event.error_type else ""
        return f"item {event.item_id} {state_word(event.status)}{reason}"
    if isinstance(event, NodeStarted):
        return f"  {labels(event.node_id)}"
    if isinstance(event, NodeProgress) and event.fraction is not None:
        return f"  {labels(event.node_id)} {event.fraction:4.0%} {event.message}"
    if isinstance(event, ModelLoading):
        return f"  {labels(event.node_id)}: loading {event.model_name}"
    if isinstance(event, NodeFailed):
        return f"  {labels(event.node_id)} failed: {event.error_type}"
    return ""
