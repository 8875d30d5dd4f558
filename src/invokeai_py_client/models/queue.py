"""Records of queues, batches, and the results of queue operations."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from invokeai_py_client.models.base import IvkModel, as_mapping


class _Counts(IvkModel):
    """The number of items in each state, by the server's words."""

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
        """An alias of ``in_progress``, in this client's spelling."""
        return self.in_progress

    @property
    def cancelled(self) -> int:
        """An alias of ``canceled``, in this client's spelling."""
        return self.canceled

    @property
    def unfinished(self) -> int:
        """The number of items that have not ended."""
        return self.pending + self.in_progress + self.waiting


class QueueStatus(_Counts):
    """The status of a queue.

    Attributes:
        item_id: The id of the item that is running, if any. If several are (on several GPUs), one of their ids.
        waiting: The number of items that wait for a workflow that they called (InvokeAI 6.14+).
        user_pending: The number of pending items of the current user, on servers with user accounts.
        user_in_progress: The number of running items of the current user, on servers with user accounts.
        is_started: Whether the processor starts items. False while it is paused.
        is_processing: Whether the processor is running an item.
    """

    item_id: int | None = None
    batch_id: str | None = None
    session_id: str | None = None
    user_pending: int | None = None
    user_in_progress: int | None = None
    is_started: bool = False
    is_processing: bool = False

    # The server's response has two parts, which older scripts expect. This record combines them.

    @property
    def queue(self) -> QueueStatus:
        """This record, for scripts that expect the counts in ``queue``."""
        return self

    @property
    def processor(self) -> QueueStatus:
        """This record, for scripts that expect the state of the processor in ``processor``."""
        return self

    @classmethod
    def _shape(cls, data: dict[str, Any]) -> dict[str, Any]:
        # {"queue": {...}, "processor": {...}} becomes one level.
        queue, processor = data.pop("queue", None), data.pop("processor", None)
        return {**data, **as_mapping(queue), **as_mapping(processor)}


class ProcessorStatus(IvkModel):
    """The status of the processor, which serves all queues.

    Attributes:
        is_started: Whether it starts items. False while it is paused.
        is_processing: Whether it is running an item.
    """

    is_started: bool = False
    is_processing: bool = False


class CancelAllExceptCurrentResult(IvkModel):
    """The number of items that were canceled."""

    canceled: int = 0


class ClearResult(IvkModel):
    """The number of items that were removed, including the item that was running."""

    deleted: int = 0


class PruneResult(IvkModel):
    """The number of ended items that were removed."""

    deleted: int = 0


class BatchStatus(_Counts):
    """The status of the items in a batch.

    On InvokeAI 6.14, items of workflows that they called are counted too.
    """

    batch_id: str
    origin: str | None = None
    destination: str | None = None


class DestinationStatus(_Counts):
    """The status of the items with a destination."""

    destination: str


class EnqueueResult(IvkModel):
    """The result of an enqueue request.

    Attributes:
        requested: The number of items requested.
        enqueued: The number of items added to the queue. Smaller than ``requested`` if the queue is full.
        batch: The batch as stored by the server.
        item_ids: The ids of the items, in the order of the batch. Empty on InvokeAI 5.x, which does not return them.
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
