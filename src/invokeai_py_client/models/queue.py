"""What a queue says about itself and its batches."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from invokeai_py_client.models.base import IvkModel, as_mapping


class _Counts(IvkModel):
    """How many items are in each state, in the queue's own words."""

    queue_id: str = "default"
    pending: int = 0
    in_progress: int = 0
    waiting: int = 0
    completed: int = 0
    failed: int = 0
    canceled: int = 0
    total: int = 0

    @property
    def running(self) -> int:
        """The same as ``in_progress``, in this client's word."""
        return self.in_progress

    @property
    def cancelled(self) -> int:
        """The same as ``canceled``, in this client's word."""
        return self.canceled

    @property
    def unfinished(self) -> int:
        """How many items are still to end."""
        return self.pending + self.in_progress + self.waiting


class QueueStatus(_Counts):
    """How a queue stands.

    Attributes:
        item_id: The item at work, if any.
        waiting: Items held up by a workflow that they called (InvokeAI 6.14+).
        user_pending: The caller's own, on a server with users.
        is_started: Whether the processor takes items; not while it is paused.
        is_processing: Whether it is at work.
    """

    item_id: int | None = None
    batch_id: str | None = None
    session_id: str | None = None
    user_pending: int | None = None
    user_in_progress: int | None = None
    is_started: bool = False
    is_processing: bool = False

    # The server tells it in two parts, which older callers expect; here both are one.

    @property
    def queue(self) -> QueueStatus:
        """This record: where the server puts the counts."""
        return self

    @property
    def processor(self) -> QueueStatus:
        """This record: where the server puts the state of the processor."""
        return self

    @classmethod
    def _shape(cls, data: dict[str, Any]) -> dict[str, Any]:
        # {"queue": {...}, "processor": {...}} becomes one level.
        queue, processor = data.pop("queue", None), data.pop("processor", None)
        return {**data, **as_mapping(queue), **as_mapping(processor)}


class ProcessorStatus(IvkModel):
    """How the processor of all queues stands.

    Attributes:
        is_started: Whether it takes items; not while it is paused.
        is_processing: Whether it is at work.
    """

    is_started: bool = False
    is_processing: bool = False


class CancelAllExceptCurrentResult(IvkModel):
    """How many items were canceled."""

    canceled: int = 0


class ClearResult(IvkModel):
    """How many items were removed with what was at work."""

    deleted: int = 0


class PruneResult(IvkModel):
    """How many items that had ended were removed."""

    deleted: int = 0


class BatchStatus(_Counts):
    """How the items of one batch stand.

    On InvokeAI 6.14 the items of workflows that they called count too.
    """

    batch_id: str
    origin: str | None = None
    destination: str | None = None


class DestinationStatus(_Counts):
    """How the items of one destination stand."""

    destination: str


class EnqueueResult(IvkModel):
    """What became of an enqueue request.

    Attributes:
        requested: How many items were asked for.
        enqueued: How many the queue took: fewer where it is full.
        batch: The batch as the server understood it.
        item_ids: Their ids, in the order of the batch. Empty on InvokeAI 5.x, which does not tell.
    """

    queue_id: str = "default"
    enqueued: int = 0
    requested: int = 0
    priority: int = 0
    batch: dict[str, Any] = Field(default_factory=dict[str, Any])
    item_ids: list[int] = Field(default_factory=list[int])

    @property
    def batch_id(self) -> str:
        """The batch's id."""
        return str(self.batch.get("batch_id", ""))

    @classmethod
    def _shape(cls, data: dict[str, Any]) -> dict[str, Any]:
        item_ids = data.get("item_ids")
        if isinstance(item_ids, list) and all(isinstance(i, int) for i in item_ids):  # pyright: ignore[reportUnknownVariableType]
            data["item_ids"] = sorted(item_ids)  # pyright: ignore[reportUnknownArgumentType] - servers send newest first
        return data
