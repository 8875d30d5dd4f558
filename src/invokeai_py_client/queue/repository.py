"""The server's queue: its items, its status and its processor."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any, Literal

from invokeai_py_client._aio import gather_or_cancel
from invokeai_py_client._given import refuse_empty, require
from invokeai_py_client.api.queue import AsyncQueueApi
from invokeai_py_client.connection import Resource
from invokeai_py_client.errors import APIRequestError, NotFoundError, RunError, ServerError, UsageError
from invokeai_py_client.models import (
    BatchStatus,
    DestinationStatus,
    IvkJob,
    JobStatus,
    ProcessorStatus,
    QueueStatus,
)
from invokeai_py_client.models.base import as_mapping
from invokeai_py_client.queue.scope import Scope, scope_of
from invokeai_py_client.run import blockage, queue_items, retries
from invokeai_py_client.transport.payload import id_number, path_part

if TYPE_CHECKING:
    from typing import Self

    from invokeai_py_client.client import AsyncInvokeAIClient
    from invokeai_py_client.queue.handle import AsyncQueueHandle
    from invokeai_py_client.run.events import RunEvent


OPEN = frozenset({JobStatus.PENDING, JobStatus.RUNNING, JobStatus.WAITING})
ENDED = frozenset({JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED})
_AT_ONCE = 8
_BATCHES = 500


class AsyncQueueRepository(Resource):
    """The queue of a server. Every method has a ``queue_id`` for queues other than ``default``.

    On servers with user accounts, methods count, return and change the items of your account, unless you pass
    ``mine=False`` for those of all users. Only administrators can change the items of other users.

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

    async def status(self, *, mine: bool | None = None, queue_id: str = "default") -> QueueStatus:
        """Return the number of items in each state, and whether the processor is running or paused.

        Args:
            mine: Whether to count only the items of your account or, on servers without user accounts, those sent
                from this machine. If False, count the items of all users. Defaults to None: the items of your
                account, or on servers without user accounts, all items.
            queue_id: The queue. Defaults to the queue that the web UI shows.
        """
        status = QueueStatus.from_api_response(await self._ask(self._api.get_queue_status(queue_id)))
        scope = await scope_of(self.connection, mine)
        return status if scope.everyone else own_status(status, await self._items_in(scope, queue_id))

    async def batch_status(self, batch_id: str, *, queue_id: str = "default") -> BatchStatus:
        """Return the number of items of a batch in each state. All are 0 if the queue does not have the batch."""
        return BatchStatus.from_api_response(await self._ask(self._api.get_batch_status(queue_id, batch_id)))

    async def destination_status(self, destination: str, *, queue_id: str = "default") -> DestinationStatus:
        """Return the number of items with a destination in each state. All are 0 if the queue has no such items."""
        require("the destination of queue items", destination=destination)
        response = await self._ask(self._api.counts_by_destination(queue_id, destination=destination))
        return DestinationStatus.from_api_response(response)

    async def wait_until_idle(
        self, timeout: float | None = None, *, mine: bool | None = None, queue_id: str = "default"
    ) -> QueueStatus:
        """Wait until all items of the queue have ended, including those of your other clients.

        Pending items remain while the processor is paused, so this waits until it is resumed.

        Args:
            timeout: The longest time to wait, in seconds. Defaults to None: wait forever.
            mine: Whether to wait only for the items of your account or, on servers without user accounts, those sent
                from this machine. If False, wait for the items of all users. Defaults to None: the items of your
                account, or on servers without user accounts, all items.
            queue_id: The queue. Defaults to the queue that the web UI shows.

        Returns:
            The final status of the queue, with the counts of these items.

        Raises:
            RunTimeoutError: The queue was not idle in time. The message says what is left. Nothing is canceled.
        """
        from invokeai_py_client.queue.watch import wait_until_idle

        return await wait_until_idle(self, queue_id, timeout=timeout, mine=mine)

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
        return IvkJob.from_api_response(await self._of_item(self._api.get_queue_item, queue_id, item_id))

    async def items(
        self,
        item_ids: Iterable[int] | None = None,
        *,
        status: JobStatus | str | Collection[JobStatus | str] | None = None,
        batch_id: str | None = None,
        destination: str | None = None,
        outputs: bool = False,
        mine: bool | None = None,
        queue_id: str = "default",
    ) -> list[IvkJob]:
        """Return items of the queue, in the order of their ids.

        InvokeAI 6.14 lists items without their errors, priorities and sessions: the record has None for them.
        Only items listed by ``status="failed"`` have them.

        Args:
            item_ids: The ids of the items to return. Ids not in the queue are omitted. Defaults to None: all items.
            status: Return only items in this state, or in one of these states. Defaults to None: any state.
            batch_id: Return only items of this batch. Defaults to None: any batch.
            destination: Return only items with this destination. Defaults to None: any destination.
            outputs: Whether to read the items' outputs. The server sends them together with the items' graphs, which
                is slow for many items. Defaults to False.
            mine: Whether to return only the items of your account or, on servers without user accounts, those sent
                from this machine. If False, return the items of all users. Defaults to None: the items of your
                account, or on servers without user accounts, all items.
            queue_id: The queue. Defaults to the queue that the web UI shows.

        Raises:
            UsageError: ``status`` is not a valid state, or a filter is empty.
        """
        refuse_empty(batch_id=batch_id, destination=destination)
        states = None if status is None else _states(status)
        ids = list(item_ids) if item_ids is not None else await self.item_ids(queue_id=queue_id)
        wanted = sorted(set(ids))
        named = item_ids is not None or batch_id is not None
        scope = await scope_of(self.connection, False if named and mine is None else mine)
        if states is not None or batch_id is not None or destination is not None or not scope.everyone:
            # Summaries are small and have the values to filter by. The server can only filter whole items, by their
            # destination, which takes longer.
            known = await queue_items.read_states(self.connection, queue_id, wanted)
            found = [
                job
                for job in map(IvkJob.from_api_response, known.values())
                if (states is None or job.status in states)
                and batch_id in (None, job.batch_id)
                and destination in (None, job.destination)
                and scope.includes(job)
            ]
            if not outputs:
                return (
                    await self._with_errors(found, queue_id) if JobStatus.FAILED in (states or ()) else found
                )
            wanted = [int(job.id) for job in found]
        read = queue_items.read_items if outputs else queue_items.read_states
        items = await read(self.connection, queue_id, wanted)
        return [IvkJob.from_api_response(items[item_id]) for item_id in wanted if item_id in items]

    async def item_ids(
        self, *, order_dir: Literal["ASC", "DESC"] = "ASC", queue_id: str = "default"
    ) -> list[int]:
        """Return the ids of all items, including those of other users.

        Args:
            order_dir: ``"ASC"`` for oldest first, ``"DESC"`` for newest first. Defaults to ``"ASC"``.
            queue_id: The queue. Defaults to the queue that the web UI shows.
        """
        ids = await queue_items.item_ids(self.connection, queue_id)
        return ids if order_dir == "ASC" else ids[::-1]

    async def running(self, *, mine: bool | None = None, queue_id: str = "default") -> list[IvkJob]:
        """Return the running items. A server with several GPUs runs several at once (InvokeAI 6.14+).

        Args:
            mine: Whether to return only the items of your account or, on servers without user accounts, those sent
                from this machine. If False, return the items of all users. Defaults to None: the items of your
                account, or on servers without user accounts, all items.
            queue_id: The queue. Defaults to the queue that the web UI shows.
        """
        count = (await self.status(mine=False, queue_id=queue_id)).in_progress
        if count > 1:
            return await self.items(status=JobStatus.RUNNING, mine=mine, queue_id=queue_id)
        response = await self._ask(self._api.get_current_queue_item(queue_id)) if count else None
        scope = await scope_of(self.connection, mine)
        return [
            job
            for job in map(IvkJob.from_api_response, [response] if response else [])
            if scope.includes(job)
        ]

    async def current(self, *, mine: bool | None = None, queue_id: str = "default") -> IvkJob | None:
        """Return the running item, or None if no item is running. If several are running, return the oldest.

        ``running()`` returns all of them.

        Args:
            mine: Whether to return only the item of your account or, on servers without user accounts, an item sent
                from this machine. If False, return the item of all users. Defaults to None: the item of your
                account, or on servers without user accounts, any item.
            queue_id: The queue. Defaults to the queue that the web UI shows.
        """
        return next(iter(await self.running(mine=mine, queue_id=queue_id)), None)

    async def next_item(self, *, queue_id: str = "default") -> IvkJob | None:
        """Return the item that will run next, or None if no item is pending."""
        response = await self._ask(self._api.get_next_queue_item(queue_id))
        return None if response is None else IvkJob.from_api_response(response)

    # ------------------------------------------------------------------ canceling, retrying, removing

    async def cancel(self, item_id: int, *, queue_id: str = "default") -> IvkJob:
        """Cancel an item. Does nothing if it has ended.

        Returns:
            The updated item.

        Raises:
            NotFoundError: The queue has no such item.
        """
        return IvkJob.from_api_response(await self._of_item(self._api.cancel_queue_item, queue_id, item_id))

    async def cancel_current(self, *, mine: bool | None = None, queue_id: str = "default") -> IvkJob | None:
        """Cancel the running item, or all running items on a server with several GPUs.

        Args:
            mine: Whether to cancel only the items of your account or, on servers without user accounts, those sent
                from this machine. If False, cancel the items of all users, which only administrators can do. Defaults
                to None: the items of your account, or on servers without user accounts, all items.
            queue_id: The queue. Defaults to the queue that the web UI shows.

        Returns:
            The updated item, the oldest of several, or None if no item was running.

        Raises:
            PermissionDeniedError: ``mine`` is False, and you are not an administrator.
        """
        scope = await self._scope(mine, "cancel", queue_id)
        found = await self.running(mine=not scope.everyone, queue_id=queue_id)
        canceled = [await self.cancel(int(job.id), queue_id=queue_id) for job in found]
        return next(iter(canceled), None)

    async def cancel_all(self, *, mine: bool | None = None, queue_id: str = "default") -> int:
        """Cancel all unfinished items: pending, running and waiting.

        Args:
            mine: Whether to cancel only the items of your account or, on servers without user accounts, those sent
                from this machine. If False, cancel the items of all users, which only administrators can do. Defaults
                to None: the items of your account, or on servers without user accounts, all items.
            queue_id: The queue. Defaults to the queue that the web UI shows.

        Returns:
            The number of canceled items. Items that ended by themselves in the meantime are not counted.

        Raises:
            PermissionDeniedError: ``mine`` is False, and you are not an administrator.
            RunError: The server did not cancel some of the items.
        """
        scope = await self._scope(mine, "cancel", queue_id)
        return await self._cancel_jobs(await self._items_in(scope, queue_id, OPEN), queue_id)

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
            require("the ids of batches", batch_ids=ids)
        return _count(await self._ask(self._api.cancel_by_batch_ids(queue_id, batch_ids=ids)), "canceled")

    async def cancel_destination(
        self, destination: str, *, mine: bool | None = None, queue_id: str = "default"
    ) -> int:
        """Cancel the unfinished items with a destination.

        Args:
            destination: The destination.
            mine: Whether to cancel only the items of your account or, on servers without user accounts, those sent
                from this machine. If False, cancel the items of all users, which only administrators can do. Defaults
                to None: the items of your account, or on servers without user accounts, all items.
            queue_id: The queue. Defaults to the queue that the web UI shows.

        Returns:
            The number of canceled items.

        Raises:
            PermissionDeniedError: ``mine`` is False, and you are not an administrator.
        """
        require("the destination of queue items", destination=destination)
        scope = await self._scope(mine, "cancel", queue_id)
        if not scope.is_bulk:
            found = await self._items_in(scope, queue_id, OPEN)
            return await self._cancel_jobs([job for job in found if job.destination == destination], queue_id)
        return _count(
            await self._ask(self._api.cancel_by_destination(queue_id, destination=destination)), "canceled"
        )

    async def cancel_all_except_current(self, *, mine: bool | None = None, queue_id: str = "default") -> int:
        """Cancel all pending items.

        Args:
            mine: Whether to cancel only the items of your account or, on servers without user accounts, those sent
                from this machine. If False, cancel the items of all users, which only administrators can do. Defaults
                to None: the items of your account, or on servers without user accounts, all items.
            queue_id: The queue. Defaults to the queue that the web UI shows.

        Returns:
            The number of canceled items.

        Raises:
            PermissionDeniedError: ``mine`` is False, and you are not an administrator.
        """
        scope = await self._scope(mine, "cancel", queue_id)
        if scope.is_bulk:
            return _count(await self._ask(self._api.cancel_all_except_current(queue_id)), "canceled")
        found = await self._items_not_running(scope, queue_id)
        for job in found:
            await self.cancel(int(job.id), queue_id=queue_id)
        return len(found)

    async def retry(self, item_ids: int | Iterable[int], *, queue_id: str = "default") -> dict[int, int]:
        """Retry failed and canceled items: the server adds them to the queue again, as new items of the same batches.

        Each item is retried exactly once. If the response is lost, the outcome is read from the server. For an item of
        a called workflow, the server retries the run that called the workflow.

        Args:
            item_ids: The id of an item, or several ids.
            queue_id: The queue. Defaults to the queue that the web UI shows.

        Returns:
            The id of the new item for each retried item. Items in other states, items of other users and ids not in
            the queue are omitted. A warning in the log lists the items of other users.

        Raises:
            PermissionDeniedError: All items belong to other users, and you are not an administrator.
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
            await self._of_item(self._api.delete_queue_item, queue_id, item_id)
        except NotFoundError:
            return False
        return True

    async def delete_destination(
        self, destination: str, *, mine: bool | None = None, queue_id: str = "default"
    ) -> int:
        """Delete all items with a destination, canceling those that are running. InvokeAI 6.0+.

        Args:
            destination: The destination.
            mine: Whether to delete only the items of your account or, on servers without user accounts, those sent
                from this machine. If False, delete the items of all users, which only administrators can do. Defaults
                to None: the items of your account, or on servers without user accounts, all items.
            queue_id: The queue. Defaults to the queue that the web UI shows.

        Returns:
            The number of deleted items.

        Raises:
            UsageError: The destination contains a slash, which the server's route does not support.
            PermissionDeniedError: ``mine`` is False, and you are not an administrator.
        """
        require("the destination of queue items", destination=destination)
        scope = await self._scope(mine, "delete", queue_id)
        if not scope.is_bulk:
            found = await self._items_in(scope, queue_id)
            return await self._delete_jobs([job for job in found if job.destination == destination], queue_id)
        return _count(await self._ask(self._api.delete_by_destination(queue_id, destination)), "deleted")

    async def delete_all_except_current(self, *, mine: bool | None = None, queue_id: str = "default") -> int:
        """Delete all pending items. InvokeAI 6.0+.

        Args:
            mine: Whether to delete only the items of your account or, on servers without user accounts, those sent
                from this machine. If False, delete the items of all users, which only administrators can do. Defaults
                to None: the items of your account, or on servers without user accounts, all items.
            queue_id: The queue. Defaults to the queue that the web UI shows.

        Returns:
            The number of deleted items.

        Raises:
            PermissionDeniedError: ``mine`` is False, and you are not an administrator.
        """
        scope = await self._scope(mine, "delete", queue_id)
        if not scope.is_bulk:
            return await self._delete_jobs(await self._items_not_running(scope, queue_id), queue_id)
        return _count(await self._ask(self._api.delete_all_except_current(queue_id)), "deleted")

    async def prune(self, *, mine: bool | None = None, queue_id: str = "default") -> int:
        """Delete all items that have ended.

        Args:
            mine: Whether to delete only the items of your account or, on servers without user accounts, those sent
                from this machine. If False, delete the items of all users, which only administrators can do. Defaults
                to None: the items of your account, or on servers without user accounts, all items.
            queue_id: The queue. Defaults to the queue that the web UI shows.

        Returns:
            The number of deleted items.

        Raises:
            PermissionDeniedError: ``mine`` is False, and you are not an administrator.
        """
        scope = await self._scope(mine, "delete", queue_id)
        if not scope.is_bulk:
            return await self._delete_jobs(await self._items_in(scope, queue_id, ENDED), queue_id)
        return _count(await self._ask(self._api.prune(queue_id)), "deleted")

    async def clear(self, *, mine: bool | None = None, queue_id: str = "default") -> int:
        """Cancel the running items and delete all items.

        Args:
            mine: Whether to delete only the items of your account or, on servers without user accounts, those sent
                from this machine. If False, delete the items of all users, which only administrators can do. Defaults
                to None: the items of your account, or on servers without user accounts, all items.
            queue_id: The queue. Defaults to the queue that the web UI shows.

        Returns:
            The number of deleted items.

        Raises:
            PermissionDeniedError: ``mine`` is False, and you are not an administrator.
        """
        scope = await self._scope(mine, "delete", queue_id)
        if not scope.is_bulk:
            return await self._delete_jobs(await self._items_in(scope, queue_id), queue_id)
        return _count(await self._ask(self._api.clear(queue_id)), "deleted")

    async def unreadable_batches(self, *, queue_id: str = "default") -> list[str]:
        """Return the ids of the batches with unfinished items that the server cannot read.

        ``unblock()`` cancels them. Batches of other users are omitted if you are not an administrator.

        Raises:
            RunError: The server (before 6.14) does not report the batch of such an item. Call ``clear()`` instead.
        """
        return list((await blockage.find_unreadable(self.connection, queue_id)).batch_ids)

    async def unblock(self, *, queue_id: str = "default") -> list[str]:
        """Cancel the batches of items that the server cannot read.

        Such an item comes from a batch with a value of the wrong type, which 6.14.2 accepts without checking. It blocks
        everything after it, in all queues, and cannot be canceled or deleted separately. This client never sends such
        a batch. The items stay in the queue's history until ``prune()``.

        Returns:
            The ids of the canceled batches.

        Raises:
            RunError: The queue is still blocked. An item belongs to another user, and you are not an administrator. Or
                the server's session processor has ended, so that the server has to be restarted. Or the server (before
                6.14) does not report the batch of such an item: call ``clear()`` instead.
        """
        found = await blockage.find_unreadable(self.connection, queue_id)
        if found.batch_ids:
            await self.cancel_batches(found.batch_ids, queue_id=queue_id)
        if found.others:
            items = ", ".join(map(str, found.others[:10]))
            raise RunError(
                f"The queue is blocked by items of other users, which the server cannot read: {items}. Only an "
                "administrator can cancel them, by client.queue.unblock() or `ivk queue unblock`.",
                item_id=found.others[0],
            )
        if await blockage.is_stopped(self.connection, queue_id):
            raise RunError(blockage.STOPPED)
        return list(found.batch_ids)

    # ------------------------------------------------------------------ the processor

    async def pause(self, *, queue_id: str = "default") -> ProcessorStatus:
        """Pause the processor: no more items start, in any queue. The running item finishes.

        Administrator only, on servers with user accounts.

        Raises:
            PermissionDeniedError: You are not an administrator.
        """
        return ProcessorStatus.from_api_response(await self._ask(self._api.pause(queue_id)))

    async def resume(self, *, queue_id: str = "default") -> ProcessorStatus:
        """Resume the processor: items start again, in all queues.

        Administrator only, on servers with user accounts.

        Raises:
            PermissionDeniedError: You are not an administrator.
        """
        return ProcessorStatus.from_api_response(await self._ask(self._api.resume(queue_id)))

    # ------------------------------------------------------------------ internals

    async def _scope(self, mine: bool | None, action: str, queue_id: str) -> Scope:
        path_part(queue_id, "a queue")  # before anything is sent
        scope = await scope_of(self.connection, mine)
        scope.raise_unless_allowed(action)
        return scope

    async def _items_in(
        self, scope: Scope, queue_id: str, states: Collection[JobStatus] | None = None
    ) -> list[IvkJob]:
        """Return the items of a scope, without the errors of failed items."""
        ids = await queue_items.item_ids(self.connection, queue_id)
        known = await queue_items.read_states(self.connection, queue_id, ids)
        jobs = map(IvkJob.from_api_response, known.values())
        return [job for job in jobs if scope.includes(job) and (states is None or job.status in states)]

    async def _items_not_running(self, scope: Scope, queue_id: str) -> list[IvkJob]:
        """Return the unfinished items of a scope, except for running items and the workflows that they belong to."""
        jobs = await self._items_in(scope, queue_id, OPEN)
        parents = {int(job.id): job.parent_item_id for job in jobs}

        def root(item_id: int) -> int:
            parent = parents.get(item_id)
            return item_id if parent is None else root(parent)

        busy = {root(int(job.id)) for job in jobs if job.status is JobStatus.RUNNING}
        return [job for job in jobs if root(int(job.id)) not in busy]

    async def _cancel_jobs(self, jobs: Sequence[IvkJob], queue_id: str) -> int:
        """Cancel items, and all items of their batches. Returns how many of the items are canceled now."""
        batches = list(dict.fromkeys(job.batch_id for job in jobs if job.batch_id))
        for start in range(0, len(batches), _BATCHES):
            await self.cancel_batches(batches[start : start + _BATCHES], queue_id=queue_id)
        ids = [int(job.id) for job in jobs]
        known = await queue_items.read_states(self.connection, queue_id, ids)
        now = [IvkJob.from_api_response(item) for item in known.values()]
        left = [job.id for job in now if job.status in OPEN]
        if left:
            raise RunError(
                f"The server did not cancel {len(left)} of {len(ids)} queue items: {', '.join(left[:10])}. "
                "Cancel them again, or see the server's log."
            )
        return sum(job.status is JobStatus.CANCELLED for job in now)

    async def _delete_jobs(self, jobs: Sequence[IvkJob], queue_id: str) -> int:
        """Delete items one by one, after canceling those that are unfinished. Returns how many no longer exist."""
        await self._cancel_jobs([job for job in jobs if job.status in OPEN], queue_id)
        limit = asyncio.Semaphore(_AT_ONCE)

        async def delete(job: IvkJob) -> None:
            async with limit:
                with suppress(
                    NotFoundError
                ):  # the server deletes the items of called workflows with their callers
                    await self._of_item(self._api.delete_queue_item, queue_id, int(job.id))

        await gather_or_cancel(map(delete, jobs))
        return len(jobs)

    async def _with_errors(self, jobs: Sequence[IvkJob], queue_id: str) -> list[IvkJob]:
        """Add what listings of InvokeAI 6.14 omit to failed items, except for their outputs."""
        lacking = [int(job.id) for job in jobs if job.status is JobStatus.FAILED and job.error_type is None]
        if not lacking:
            return list(jobs)
        items = await queue_items.read_items(self.connection, queue_id, lacking)
        whole = {
            str(item_id): IvkJob.from_api_response({**item, "session": None})
            for item_id, item in items.items()
        }
        return [whole.get(job.id, job) for job in jobs]

    async def _of_item(
        self, operation: Callable[[str, int], Awaitable[Any]], queue_id: str, item_id: int
    ) -> Any:
        number = id_number(item_id, "queue item")
        try:
            return await self._ask(operation(queue_id, number))
        except APIRequestError as error:
            if await queue_items.is_missing(self.connection, queue_id, number, error):
                raise queue_items.no_item(queue_id, item_id, error) from None
            raise

    @property
    def _api(self) -> AsyncQueueApi:
        return self.connection.part(AsyncQueueApi)

    async def _ask(self, sending: Awaitable[Any]) -> Any:
        try:
            return await sending
        except APIRequestError as error:
            if not blockage.is_blocked(error):
                raise
            request = {"method": error.method, "path": error.path, "request_id": error.request_id}
            raise ServerError(error.status_code, error.payload, blockage.WAY_OUT, **request) from None


def own_status(status: QueueStatus, jobs: Iterable[IvkJob]) -> QueueStatus:
    """Return the status of a queue with the counts of some items instead of all, and without other running items."""
    known = sorted(jobs, key=lambda job: int(job.id))
    by_state = Counter(job.status for job in known)
    words = {
        "pending": JobStatus.PENDING,
        "in_progress": JobStatus.RUNNING,
        "waiting": JobStatus.WAITING,
        "completed": JobStatus.COMPLETED,
        "failed": JobStatus.FAILED,
        "canceled": JobStatus.CANCELLED,
    }
    counts: dict[str, Any] = {word: by_state[state] for word, state in words.items()}
    running = [job for job in known if job.status is JobStatus.RUNNING]
    if status.item_id not in {job.item_id for job in running}:
        first = running[0] if running else None
        counts |= {
            "item_id": first and first.item_id,
            "batch_id": first and first.batch_id,
            "session_id": first and first.session_id,
        }
    return status.model_copy(update={**counts, "total": sum(by_state.values())})


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
