"""A handle for one queue item."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invokeai_py_client._base import AsyncObject, repository_of
from invokeai_py_client.models import IvkJob, JobStatus
from invokeai_py_client.run.queue_items import no_item_of_batch, of_batch

if TYPE_CHECKING:
    from typing import Self

    from invokeai_py_client.client import AsyncInvokeAIClient
    from invokeai_py_client.queue.repository import AsyncQueueRepository


class AsyncJobHandle(AsyncObject):
    """A queue item. It is read from the server on first use, and again by ``refresh()``.

    ``client.run(item_id)`` returns the same item as a run, with live events, images and results.

    Example:
        ```python
        job = await client.queue.get_queue().get_item(run.item_id)
        item = await job.wait_for_completion(timeout=300)
        print(item.status)
        ```
    """

    def __init__(
        self, queues: AsyncQueueRepository, queue_id: str, item_id: int, job: IvkJob | None = None
    ) -> None:
        self.connection = queues.connection
        self._queues = queues
        self._queue_id = queue_id
        self._item_id = item_id
        self._job = job

    @classmethod
    def from_client_ids(cls, client: AsyncInvokeAIClient, queue_id: str, item_id: int) -> Self:
        """Return a handle for an item. Sends no request."""
        return cls(client.queue, queue_id, item_id)

    @property
    def queue_id(self) -> str:
        """The queue's id."""
        return self._queue_id

    @property
    def item_id(self) -> int:
        """The item's id."""
        return self._item_id

    @property
    def item(self) -> IvkJob | None:
        """The item as last read from the server, or None if it has not been read yet."""
        return self._job

    def set_item(self, item: IvkJob) -> None:
        """Set the item's record, for example from a listing."""
        self._job = item

    async def refresh(self) -> IvkJob:
        """Read the item from the server again.

        Raises:
            NotFoundError: The queue has no such item. Once the item has been read, an item of another batch that has
                the same id now is not this item.
        """
        job = await self._queues.item(self._item_id, queue_id=self._queue_id)
        known = self._batch_id
        item = {"item_id": self._item_id, "batch_id": job.batch_id}
        if known is not None and of_batch(item, known) is None:
            raise no_item_of_batch(self._queue_id, item, known)
        self._job = job
        return job

    @property
    def _batch_id(self) -> str | None:
        """The item's batch, or None if the item has not been read yet."""
        return None if self._job is None else self._job.batch_id

    # ------------------------------------------------------------------ state when last read

    async def status(self) -> JobStatus | str:
        """Return the item's status when it was last read."""
        return (self._job or await self.refresh()).status

    async def is_pending(self) -> bool:
        """Return whether the item was pending when it was last read."""
        return await self.status() is JobStatus.PENDING

    async def is_running(self) -> bool:
        """Return whether the item was running when it was last read."""
        return await self.status() is JobStatus.RUNNING

    async def is_complete(self) -> bool:
        """Return whether the item had ended, successfully or not, when it was last read."""
        return (self._job or await self.refresh()).is_complete()

    async def is_successful(self) -> bool:
        """Return whether the item had completed successfully when it was last read."""
        return await self.status() is JobStatus.COMPLETED

    async def is_failed(self) -> bool:
        """Return whether the item had failed when it was last read."""
        return await self.status() is JobStatus.FAILED

    async def is_canceled(self) -> bool:
        """Return whether the item had been canceled when it was last read."""
        return await self.status() is JobStatus.CANCELLED

    # ------------------------------------------------------------------ actions

    async def cancel(self) -> bool:
        """Cancel the item.

        Returns:
            Whether the item is canceled now. False if it had already ended.

        Raises:
            NotFoundError: The queue has no such item.
        """
        if self._batch_id is not None:
            await self.refresh()  # raises if the id was given to another item
        self._job = await self._queues.cancel(self._item_id, queue_id=self._queue_id)
        return self._job.status is JobStatus.CANCELLED

    async def wait_for_completion(self, timeout: float | None = 300.0, poll_interval: float = 1.0) -> IvkJob:
        """Wait until the item has ended, successfully or not.

        Args:
            timeout: The longest time to wait, in seconds, or None to wait forever. Defaults to 300.
            poll_interval: Ignored, because the wait follows events. Accepted for compatibility.

        Returns:
            The item with its outputs.

        Raises:
            RunTimeoutError: The item did not end in time. It continues on the server.
            RunError: The queue has no such item.
        """
        from invokeai_py_client.run.run import run_of_item

        del poll_interval
        run = await run_of_item(
            self.connection, self._item_id, queue_id=self._queue_id, batch_id=self._batch_id
        )
        await run.wait(timeout)
        return await self.refresh()

    def __repr__(self) -> str:
        return f"<AsyncJobHandle {self._item_id} of queue {self._queue_id!r}>"

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "_queues" not in state:
            self._queues = repository_of(self.connection, "queue.repository", "AsyncQueueRepository")
