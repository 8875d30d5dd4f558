"""How far a run is, as a function of its events."""

from __future__ import annotations

from dataclasses import dataclass

from invokeai_py_client.display.lines import Labels
from invokeai_py_client.models.enums import JobStatus
from invokeai_py_client.run.events import (
    NodeCompleted,
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
