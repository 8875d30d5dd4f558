"""One queue item to work with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invokeai_py_client._base import AsyncObject, repository_of
from invokeai_py_client.models import IvkJob, JobStatus

if TYPE_CHECKING:
    from typing import Self

    from invokeai_py_client.client import AsyncInvokeAIClient
    from invokeai_py_client.queue.repository import AsyncQueueRepository


class AsyncJobHandle(AsyncObject):
    """A queue item. It is asked for when it is first needed, and again by ``refresh()``.

    ``client.run(item_id)`` gives the same item as a run: with live events, images and results.

    Example:
        ```python
        job = await client.queue_repo.get_queue().get_item(run.item_id)
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
        """The item with an id; the server is not asked for it yet."""
        return cls(client.queue_repo, queue_id, item_id)

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
        """The item as the server last told it; None where it was not asked yet."""
        return self._job

    def set_item(self, item: IvkJob) -> None:
        """Take a record of the item that is known from elsewhere."""
        self._job = item

    async def refresh(self) -> IvkJob:
        """Ask the server for the item anew.

        Raises:
            NotFoundError: The queue has no such item.
        """
        self._job = await self._queues.item(self._item_id, queue_id=self._queue_id)
        return self._job

    # ------------------------------------------------------------------ how far it was when last asked

    async def status(self) -> JobStatus | str:
        """How far it was when the server was last asked."""
        return (self._job or await self.refresh()).status

    async def is_pending(self) -> bool:
        """Whether it had not begun."""
        return await self.status() is JobStatus.PENDING

    async def is_running(self) -> bool:
        """Whether it was at work."""
        return await self.status() is JobStatus.RUNNING

    async def is_complete(self) -> bool:
        """Whether it had ended, in whatever way."""
        return (self._job or await self.refresh()).is_complete()

    async def is_successful(self) -> bool:
        """Whether it had ended well."""
        return await self.status() is JobStatus.COMPLETED

    async def is_failed(self) -> bool:
        """Whether an error had ended it."""
        return await self.status() is JobStatus.FAILED

    async def is_canceled(self) -> bool:
        """Whether somebody had canceled it."""
        return await self.status() is JobStatus.CANCELLED

    # ------------------------------------------------------------------ what becomes of it

    async def cancel(self) -> bool:
        """Cancel the item.

        Returns:
            Whether it is canceled now; False where it had ended before.

        Raises:
            NotFoundError: The queue has no such item.
        """
        self._job = await self._queues.cancel(self._item_id, queue_id=self._queue_id)
        return self._job.status is JobStatus.CANCELLED

    async def wait_for_completion(self, timeout: float | None = 300.0, poll_interval: float = 1.0) -> IvkJob:
        """Wait until the item has ended, in whatever way.

        Args:
            timeout: Seconds to wait at most; None for ever.
            poll_interval: Events are followed, so nothing is polled; kept for older callers.

        Returns:
            The item with its outputs.

        Raises:
            RunTimeoutError: Time ran out; the item goes on.
            RunError: The queue has no such item.
        """
        from invokeai_py_client.run.run import run_of_item

        del poll_interval
        run = await run_of_item(self.connection, self._item_id, queue_id=self._queue_id)
        await run.wait(timeout)
        return await self.refresh()

    def __repr__(self) -> str:
        return f"<AsyncJobHandle {self._item_id} of queue {self._queue_id!r}>"

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "_queues" not in state:
            self._queues = repository_of(self.connection, "queue.repository", "AsyncQueueRepository")
