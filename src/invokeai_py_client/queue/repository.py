"""The server's queue: its items, its status and its processor."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Literal

from invokeai_py_client._given import refuse_empty
from invokeai_py_client.connection import Resource
from invokeai_py_client.errors import APIRequestError, NotFoundError, ServerError, UsageError
from invokeai_py_client.models import (
    BatchStatus,
    DestinationStatus,
    IvkJob,
    JobStatus,
    ProcessorStatus,
    QueueStatus,
)
from invokeai_py_client.models.base import as_mapping
from invokeai_py_client.run import blockage, queue_items, retries
from invokeai_py_client.transport.payload import id_number, route

if TYPE_CHECKING:
    from typing import Self

    from invokeai_py_client.client import AsyncInvokeAIClient
    from invokeai_py_client.queue.handle import AsyncQueueHandle
    from invokeai_py_client.run.events import RunEvent


class AsyncQueueRepository(Resource):
    """The queue of a server. Every method has a ``queue_id`` for queues other than ``default``.

    Example:
        ```python
        status = await client.queue.status()
        print(status.pending, "pending,", status.in_progress, "running")
        ```
    """

    @classmethod
    def from_client(cls, client: AsyncInvokeAIClient) -> Self:
        """Return the queues of a client. The same as ``client.queue``."""
        return cls(client.connection)

    # ------------------------------------------------------------------ queues

    def get_queue(self, queue_id: str = "default") -> AsyncQueueHandle:
        """Return a handle for a queue. Sends no request."""
        from invokeai_py_client.queue.handle import AsyncQueueHandle

        return AsyncQueueHandle(self, queue_id)

    def list_queues(self) -> list[str]:
        """Return the ids of the known queues. Servers up to 6.14 can't list queues, so this is only ``default``."""
        return ["default"]

    # ------------------------------------------------------------------ state

    async def status(self, *, queue_id: str = "default") -> QueueStatus:
        """Return the number of items in each state, and whether the processor is running or paused."""
        return QueueStatus.from_api_response(await self._ask("GET", queue_id, "status"))

    async def batch_status(self, batch_id: str, *, queue_id: str = "default") -> BatchStatus:
        """Return the number of items of a batch in each state. All are 0 if the queue does not have the batch."""
        path = route("b/{batch}/status", batch=batch_id)
        return BatchStatus.from_api_response(await self._ask("GET", queue_id, path))

    async def destination_status(self, destination: str, *, queue_id: str = "default") -> DestinationStatus:
        """Return the number of items with a destination in each state. All are 0 if the queue has no such items."""
        refuse_empty(destination=destination)
        params = {"destination": destination}
        return DestinationStatus.from_api_response(
            await self._ask("GET", queue_id, "counts_by_destination", params=params)
        )

    async def wait_until_idle(
        self, timeout: float | None = None, *, queue_id: str = "default"
    ) -> QueueStatus:
        """Wait until all items of the queue have ended, including those of other clients.

        Pending items remain while the processor is paused, so this waits until it is resumed.

        Args:
            timeout: The longest time to wait, in seconds. Defaults to None: wait forever.
            queue_id: The queue. Defaults to the queue that the web UI shows.

        Returns:
            The final status of the queue.

        Raises:
            RunTimeoutError: The queue was not idle in time. The message says what is left. Nothing is canceled.
        """
        from invokeai_py_client.queue.watch import wait_until_idle

        return await wait_until_idle(self, queue_id, timeout=timeout)

    async def watch(
        self, *, interval: float = 5.0, queue_id: str = "default"
    ) -> AsyncIterator[QueueStatus | RunEvent]:
        """Watch the queue, including the items of other clients, until you leave the loop.

        Yields the queue's status first, then after each change of an item, and at least every ``interval`` seconds. In
        between, yields the events of its items as the server sends them. Events are lost while the event connection is
        down.

        Args:
            interval: The interval in seconds at which the status is read if nothing happens. Defaults to 5.
            queue_id: The queue. Defaults to the queue that the web UI shows.

        Raises:
            UsageError: The interval is not greater than 0.
            ServerUnreachableError: The server did not respond at the start, or could not be reached for five minutes.
        """
        from invokeai_py_client.queue.watch import watch

        if not interval > 0:
            raise UsageError(f"Invalid interval {interval!r}: expected a number of seconds greater than 0.")
        async with aclosing(watch(self, queue_id, interval)) as updates:
            async for update in updates:
                yield update

    # ------------------------------------------------------------------ items

    async def item(self, item_id: int, *, queue_id: str = "default") -> IvkJob:
        """Return an item, with its outputs if it has ended.

        Raises:
            NotFoundError: The queue has no such item.
        """
        return IvkJob.from_api_response(await self._of_item("GET", queue_id, item_id))

    async def items(
        self,
        item_ids: Iterable[int] | None = None,
        *,
        status: JobStatus | str | Collection[JobStatus | str] | None = None,
        batch_id: str | None = None,
        destination: str | None = None,
        outputs: bool = False,
        queue_id: str = "default",
    ) -> list[IvkJob]:
        """Return items of the queue, in the order of their ids.

        Args:
            item_ids: The ids of the items to return. Ids not in the queue are omitted. Defaults to None: all items.
            status: Return only items in this state, or in one of these states. Defaults to None: any state.
            batch_id: Return only items of this batch. Defaults to None: any batch.
            destination: Return only items with this destination. Defaults to None: any destination.
            outputs: Whether to read the items' outputs. The server sends them together with the items' graphs, which
                is slow for many items. Defaults to False.
            queue_id: The queue. Defaults to the queue that the web UI shows.

        Raises:
            UsageError: ``status`` is not a valid state, or a filter is empty.
        """
        refuse_empty(batch_id=batch_id, destination=destination)
        states = None if status is None else _states(status)
        ids = list(item_ids) if item_ids is not None else await self.item_ids(queue_id=queue_id)
        wanted = sorted(set(ids))
        if states is not None or batch_id is not None or destination is not None:
            # The server cannot filter by these. Summaries are small and have the values to filter by.
            known = await queue_items.read_states(self.connection, queue_id, wanted)
            found = [
                job
                for job in map(IvkJob.from_api_response, known.values())
                if (states is None or job.status in states)
                and batch_id in (None, job.batch_id)
                and destination in (None, job.metadata.get("destination"))
            ]
            if not outputs:
                return found
            wanted = [int(job.id) for job in found]
        read = queue_items.read_items if outputs else queue_items.read_states
        items = await read(self.connection, queue_id, wanted)
        return [IvkJob.from_api_response(items[item_id]) for item_id in wanted if item_id in items]

    async def item_ids(
        self, *, order_dir: Literal["ASC", "DESC"] = "ASC", queue_id: str = "default"
    ) -> list[int]:
        """Return the ids of all items.

        Args:
            order_dir: ``"ASC"`` for oldest first, ``"DESC"`` for newest first. Defaults to ``"ASC"``.
            queue_id: The queue. Defaults to the queue that the web UI shows.
        """
        ids = await queue_items.item_ids(self.connection, queue_id)
        return ids if order_dir == "ASC" else ids[::-1]

    async def current(self, *, queue_id: str = "default") -> IvkJob | None:
        """Return the running item, or None if no item is running."""
        response = await self._ask("GET", queue_id, "current")
        return None if response is None else IvkJob.from_api_response(response)

    async def next_item(self, *, queue_id: str = "default") -> IvkJob | None:
        """Return the item that will run next, or None if no item is pending."""
        response = await self._ask("GET", queue_id, "next")
        return None if response is None else IvkJob.from_api_response(response)

    # ------------------------------------------------------------------ canceling, retrying, removing

    async def cancel(self, item_id: int, *, queue_id: str = "default") -> IvkJob:
        """Cancel an item. Does nothing if it has ended.

        Returns:
            The updated item.

        Raises:
            NotFoundError: The queue has no such item.
        """
        return IvkJob.from_api_response(await self._of_item("PUT", queue_id, item_id, "/cancel"))

    async def cancel_current(self, *, queue_id: str = "default") -> IvkJob | None:
        """Cancel the running item.

        Returns:
            The updated item, or None if no item was running.
        """
        current = await self.current(queue_id=queue_id)
        return None if current is None else await self.cancel(int(current.id), queue_id=queue_id)

    async def cancel_batches(self, batch_ids: str | Iterable[str], *, queue_id: str = "default") -> int:
        """Cancel the unfinished items of one or more batches.

        Args:
            batch_ids: The id of a batch, or several ids.
            queue_id: The queue. Defaults to the queue that the web UI shows.

        Returns:
            The number of canceled items.
        """
        ids = [batch_ids] if isinstance(batch_ids, str) else list(batch_ids)
        if ids:
            refuse_empty(batch_ids=ids)
        return _count(
            await self._ask("PUT", queue_id, "cancel_by_batch_ids", json={"batch_ids": ids}), "canceled"
        )

    async def cancel_destination(self, destination: str, *, queue_id: str = "default") -> int:
        """Cancel the unfinished items with a destination.

        Returns:
            The number of canceled items.
        """
        refuse_empty(destination=destination)
        params = {"destination": destination}
        return _count(await self._ask("PUT", queue_id, "cancel_by_destination", params=params), "canceled")

    async def cancel_all_except_current(self, *, queue_id: str = "default") -> int:
        """Cancel all pending items.

        Returns:
            The number of canceled items.
        """
        return _count(await self._ask("PUT", queue_id, "cancel_all_except_current"), "canceled")

    async def retry(self, item_ids: int | Iterable[int], *, queue_id: str = "default") -> dict[int, int]:
        """Retry failed and canceled items: the server adds them to the queue again, as new items of the same batches.

        Each item is retried exactly once. If the response is lost, the outcome is read from the server.

        Args:
            item_ids: The id of an item, or several ids.
            queue_id: The queue. Defaults to the queue that the web UI shows.

        Returns:
            The id of the new item for each retried item. Items in other states and ids not in the queue are omitted.
        """
        ids = [item_ids] if isinstance(item_ids, int) else item_ids
        return await retries.retry_items(self.connection, queue_id, ids)

    async def delete(self, item_id: int, *, queue_id: str = "default") -> bool:
        """Delete an item, canceling it first if it is running. InvokeAI 6.0+.

        Returns:
            Whether the queue had such an item.
        """
        known = await queue_items.read_states(self.connection, queue_id, [item_id])
        if item_id not in known:  # 6.0.2 reports success for items that do not exist
            return False
        try:
            await self._of_item("DELETE", queue_id, item_id, idempotent=False)
        except NotFoundError:
            return False
        return True

    async def delete_destination(self, destination: str, *, queue_id: str = "default") -> int:
        """Delete all items with a destination, canceling the running item if it has it. InvokeAI 6.0+.

        Returns:
            The number of deleted items.

        Raises:
            UsageError: The destination contains a slash, which the server's route does not support.
        """
        path = route("d/{destination}", destination=destination)
        return _count(await self._ask("DELETE", queue_id, path, idempotent=False), "deleted")

    async def delete_all_except_current(self, *, queue_id: str = "default") -> int:
        """Delete all pending items. InvokeAI 6.0+.

        Returns:
            The number of deleted items.
        """
        return _count(
            await self._ask("PUT", queue_id, "delete_all_except_current", idempotent=False), "deleted"
        )

    async def prune(self, *, queue_id: str = "default") -> int:
        """Delete all items that have ended.

        Returns:
            The number of deleted items.
        """
        return _count(await self._ask("PUT", queue_id, "prune", idempotent=False), "deleted")

    async def clear(self, *, queue_id: str = "default") -> int:
        """Cancel the running item and delete all items.

        Returns:
            The number of deleted items.
        """
        return _count(await self._ask("PUT", queue_id, "clear", idempotent=False), "deleted")

    async def unblock(self, *, queue_id: str = "default") -> list[str]:
        """Cancel the batches of items that the server cannot read.

        Such an item comes from a batch with a value of the wrong type, which 6.14.2 accepts without checking. It blocks
        everything after it, in all queues, and cannot be canceled or deleted separately. This client never sends such
        a batch. The items stay in the queue's history until ``prune()``.

        Returns:
            The ids of the canceled batches.

        Raises:
            RunError: The server (before 6.14) does not report the batch of such an item. Call ``clear()`` instead.
        """
        found = await blockage.unreadable_batches(self.connection, queue_id)
        if found:
            await self.cancel_batches(found, queue_id=queue_id)
        return found

    # ------------------------------------------------------------------ the processor

    async def pause(self, *, queue_id: str = "default") -> ProcessorStatus:
        """Pause the processor: no more items start, in any queue. The running item finishes."""
        return ProcessorStatus.from_api_response(await self._ask("PUT", queue_id, "processor/pause"))

    async def resume(self, *, queue_id: str = "default") -> ProcessorStatus:
        """Resume the processor: items start again, in all queues."""
        return ProcessorStatus.from_api_response(await self._ask("PUT", queue_id, "processor/resume"))

    # ------------------------------------------------------------------ internals

    async def _of_item(
        self, method: str, queue_id: str, item_id: int, action: str = "", **options: Any
    ) -> Any:
        number = id_number(item_id, "queue item")
        try:
            return await self._ask(method, queue_id, route("i/{item}", item=number) + action, **options)
        except APIRequestError as error:
            if await queue_items.is_missing(self.connection, queue_id, number, error):
                raise queue_items.no_item(queue_id, item_id, error) from None
            raise

    async def _ask(self, method: str, queue_id: str, path: str, **options: Any) -> Any:
        full_path = f"{route('/api/v1/queue/{queue}', queue=queue_id)}/{path}"
        try:
            return await self.connection.http.json(method, full_path, **options)
        except APIRequestError as error:
            if not blockage.is_blocked(error):
                raise
            request = {"method": error.method, "path": error.path, "request_id": error.request_id}
            raise ServerError(error.status_code, error.payload, blockage.WAY_OUT, **request) from None


def _states(status: JobStatus | str | Collection[JobStatus | str]) -> set[JobStatus | str]:
    given = [status] if isinstance(status, str) else status
    states = {JobStatus.parse(value) for value in given}
    for state in states:
        if not isinstance(state, JobStatus):
            known = ", ".join(member.value for member in JobStatus)
            raise UsageError(f"Unknown state {state!r} of a queue item: expected one of {known}.")
    return states


def _count(response: Any, what: str) -> int:
    return int(as_mapping(response).get(what) or 0)
