"""A handle for one queue."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from invokeai_py_client._base import AsyncObject, repository_of
from invokeai_py_client.errors import NotFoundError, RunTimeoutError
from invokeai_py_client.models import IvkJob, JobStatus, QueueStatus
from invokeai_py_client.models.queue import CancelAllExceptCurrentResult, ClearResult, PruneResult
from invokeai_py_client.queue.job import AsyncJobHandle
from invokeai_py_client.transport.payload import path_part

if TYPE_CHECKING:
    from typing import Self

    from invokeai_py_client.client import AsyncInvokeAIClient
    from invokeai_py_client.queue.repository import AsyncQueueRepository


class AsyncQueueHandle(AsyncObject):
    """One queue of the server. The web UI shows the queue ``default``.

    On servers with user accounts, the methods return and change your items only. ``client.queue`` has the same methods
    with ``mine=False`` for those of all users.

    Example:
        ```python
        queue = client.queue.get_queue()
        for job in await queue.list_pending():
            print(job.item_id, job.batch_id)
        ```
    """

    def __init__(self, queues: AsyncQueueRepository, queue_id: str = "default") -> None:
        self.connection = queues.connection
        self._queues = queues
        path_part(queue_id, "a queue")
        self._queue_id = queue_id

    @classmethod
    def from_client_and_id(cls, client: AsyncInvokeAIClient, queue_id: str) -> Self:
        """Return a handle for a queue. Sends no request."""
        return cls(client.queue, queue_id)

    @property
    def queue_id(self) -> str:
        """The queue's id."""
        return self._queue_id

    # ------------------------------------------------------------------ state

    async def get_status(self) -> QueueStatus:
        """Return the number of items in each state, and whether the processor is running or paused."""
        return await self._queues.status(queue_id=self._queue_id)

    async def is_busy(self) -> bool:
        """Return whether any item is running or still to be run, including the items of other users."""
        status = await self._queues.status(mine=False, queue_id=self._queue_id)
        return status.is_processing or status.unfinished > 0

    async def count_running(self) -> int:
        """Return the number of running items, including those of other users."""
        return (await self._queues.status(mine=False, queue_id=self._queue_id)).in_progress

    async def wait_until_idle(self, timeout: float | None = 300.0, poll_interval: float = 1.0) -> bool:
        """Wait until no item is running or still to be run.

        Args:
            timeout: The longest time to wait, in seconds, or None to wait forever. Defaults to 300.
            poll_interval: Ignored, because the wait follows events. Accepted for compatibility.

        Returns:
            Whether the queue became idle in time. A paused queue with pending items never does.
        """
        del poll_interval
        try:
            await self._queues.wait_until_idle(timeout, queue_id=self._queue_id)
        except RunTimeoutError:
            return False
        return True

    # ------------------------------------------------------------------ items

    async def list_all(self, destination: str | None = None) -> list[IvkJob]:
        """Return all items without their outputs, oldest first.

        Args:
            destination: Return only items with this destination. Defaults to None: all items.
        """
        return await self._queues.items(destination=destination, queue_id=self._queue_id)

    async def list_running(self) -> list[IvkJob]:
        """Return the running items."""
        return await self._queues.items(status=JobStatus.RUNNING, queue_id=self._queue_id)

    async def list_pending(self) -> list[IvkJob]:
        """Return the pending items."""
        return await self._queues.items(status=JobStatus.PENDING, queue_id=self._queue_id)

    async def get_current(self) -> AsyncJobHandle | None:
        """Return a handle for the running item, or None if no item is running.

        On a server with several GPUs, several items may be running: see ``list_running()``.
        """
        job = await self._queues.current(queue_id=self._queue_id)
        return None if job is None else self._handle(job)

    async def get_item(self, item_id: int) -> AsyncJobHandle | None:
        """Return a handle for an item, or None if the queue has no such item."""
        try:
            return self._handle(await self._queues.item(item_id, queue_id=self._queue_id))
        except NotFoundError:
            return None

    async def get_items_by_ids(self, item_ids: Iterable[int]) -> list[AsyncJobHandle]:
        """Return handles for several items, in the order of their ids. Items not in the queue are omitted."""
        jobs = await self._queues.items(item_ids, queue_id=self._queue_id)
        return [self._handle(job) for job in jobs]

    # ------------------------------------------------------------------ canceling and removing items

    async def cancel_all_except_current(self) -> CancelAllExceptCurrentResult:
        """Cancel all pending items."""
        count = await self._queues.cancel_all_except_current(queue_id=self._queue_id)
        return CancelAllExceptCurrentResult(canceled=count)

    async def clear(self) -> ClearResult:
        """Cancel the running items and remove all items."""
        return ClearResult(deleted=await self._queues.clear(queue_id=self._queue_id))

    async def prune(self) -> PruneResult:
        """Remove all items that have ended."""
        return PruneResult(deleted=await self._queues.prune(queue_id=self._queue_id))

    # ------------------------------------------------------------------ internals

    def _handle(self, job: IvkJob) -> AsyncJobHandle:
        return AsyncJobHandle(self._queues, self._queue_id, int(job.id), job)

    def __repr__(self) -> str:
        return f"<AsyncQueueHandle {self._queue_id!r}>"

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "_queues" not in state:
            self._queues = repository_of(self.connection, "queue.repository", "AsyncQueueRepository")
