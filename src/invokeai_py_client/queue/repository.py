"""The queue on the server: its items, its state, and what can be done to both."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Literal

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
from invokeai_py_client.transport.payload import path_part

if TYPE_CHECKING:
    from typing import Self

    from invokeai_py_client.client import AsyncInvokeAIClient
    from invokeai_py_client.queue.handle import AsyncQueueHandle
    from invokeai_py_client.run.events import RunEvent


class AsyncQueueRepository(Resource):
    """The queue of a server. Every call takes the id of another queue than ``default``.

    Example:
        ```python
        status = await client.queue_repo.status()
        print(status.pending, "to do,", status.in_progress, "at work")
        ```
    """

    @classmethod
    def from_client(cls, client: AsyncInvokeAIClient) -> Self:
        """The queues of a client; ``client.queue_repo`` is the same."""
        return cls(client.connection)

    # ------------------------------------------------------------------ queues

    def get_queue(self, queue_id: str = "default") -> AsyncQueueHandle:
        """One queue to work with; the server is not asked for it."""
        from invokeai_py_client.queue.handle import AsyncQueueHandle

        return AsyncQueueHandle(self, queue_id)

    def list_queues(self) -> list[str]:
        """The ids of the queues that people see: servers up to 6.14 tell of no other than ``default``."""
        return ["default"]

    # ------------------------------------------------------------------ how it stands

    async def status(self, *, queue_id: str = "default") -> QueueStatus:
        """How many items are in each state, and whether the processor takes items."""
        return QueueStatus.from_api_response(await self._ask("GET", queue_id, "status"))

    async def batch_status(self, batch_id: str, *, queue_id: str = "default") -> BatchStatus:
        """How many items of a batch are in each state: 0 in all for a batch that the queue does not know."""
        path = f"b/{path_part(batch_id, 'a batch')}/status"
        return BatchStatus.from_api_response(await self._ask("GET", queue_id, path))

    async def destination_status(self, destination: str, *, queue_id: str = "default") -> DestinationStatus:
        """How many items of a destination are in each state: 0 in all for one that the queue does not know."""
        params = {"destination": destination}
        return DestinationStatus.from_api_response(
            await self._ask("GET", queue_id, "counts_by_destination", params=params)
        )

    async def wait_until_idle(
        self, timeout: float | None = None, *, queue_id: str = "default"
    ) -> QueueStatus:
        """Wait until every item of the queue has ended, whoever sent it.

        While the processor is paused, pending items stay: then this waits until somebody resumes it.

        Args:
            timeout: Seconds to wait at most.
            queue_id: The queue.

        Returns:
            How the queue stands then.

        Raises:
            RunTimeoutError: It was not idle in time; the message says what is left, and nothing is canceled.
        """
        from invokeai_py_client.queue.watch import wait_until_idle

        return await wait_until_idle(self, queue_id, timeout=timeout)

    async def watch(
        self, *, interval: float = 5.0, queue_id: str = "default"
    ) -> AsyncIterator[QueueStatus | RunEvent]:
        """Follow the queue, whoever sent what is in it: for ever, until the loop over it is left.

        How it stands comes first, again after every change of an item, and otherwise after ``interval`` seconds.
        In between the events of its items come as the server sends them; those of a time without an event
        connection are lost.

        Args:
            interval: Seconds after which the server is asked again when nothing happens.
            queue_id: The queue.

        Raises:
            UsageError: The interval is not above 0.
            ServerUnreachableError: The server did not answer at the beginning, or stayed away for five minutes.
        """
        from invokeai_py_client.queue.watch import watch

        if not interval > 0:
            raise UsageError(f"interval should be a number of seconds above 0, not {interval!r}.")
        async with aclosing(watch(self, queue_id, interval)) as updates:
            async for update in updates:
                yield update

    # ------------------------------------------------------------------ items

    async def item(self, item_id: int, *, queue_id: str = "default") -> IvkJob:
        """One item, with its outputs once it has ended.

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
        """Items of the queue, in the order of their ids.

        Args:
            item_ids: Which; all by default. Those that the queue does not have are left out.
            status: Only those in this state, or in one of these.
            batch_id: Only those of this batch.
            destination: Only those of this destination.
            outputs: Whether to fetch their outputs too, which comes with their whole graphs: with many items
                that is much to fetch.
            queue_id: The queue.

        Raises:
            UsageError: There is no such state.
        """
        states = None if status is None else _states(status)
        ids = list(item_ids) if item_ids is not None else await self.item_ids(queue_id=queue_id)
        wanted = sorted(set(ids))
        if states is not None or batch_id is not None or destination is not None:
            # The server has no such filters: summaries are small, and tell whom it concerns.
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
        """The ids of all items, the oldest first; with ``"DESC"`` the newest."""
        ids = await queue_items.item_ids(self.connection, queue_id)
        return ids if order_dir == "ASC" else ids[::-1]

    async def current(self, *, queue_id: str = "default") -> IvkJob | None:
        """The item at work, if any."""
        answer = await self._ask("GET", queue_id, "current")
        return None if answer is None else IvkJob.from_api_response(answer)

    async def next_item(self, *, queue_id: str = "default") -> IvkJob | None:
        """The item that comes next, if any."""
        answer = await self._ask("GET", queue_id, "next")
        return None if answer is None else IvkJob.from_api_response(answer)

    # ------------------------------------------------------------------ canceling, retrying, removing

    async def cancel(self, item_id: int, *, queue_id: str = "default") -> IvkJob:
        """Cancel an item. One that has ended stays as it is.

        Returns:
            The item as it is now.

        Raises:
            NotFoundError: The queue has no such item.
        """
        return IvkJob.from_api_response(await self._of_item("PUT", queue_id, item_id, "/cancel"))

    async def cancel_current(self, *, queue_id: str = "default") -> IvkJob | None:
        """Cancel the item at work.

        Returns:
            The item as it is now; None where none was at work.
        """
        current = await self.current(queue_id=queue_id)
        return None if current is None else await self.cancel(int(current.id), queue_id=queue_id)

    async def cancel_batches(self, batch_ids: str | Iterable[str], *, queue_id: str = "default") -> int:
        """Cancel all items of some batches that have not ended.

        Returns:
            How many they were.
        """
        ids = [batch_ids] if isinstance(batch_ids, str) else list(batch_ids)
        return _count(
            await self._ask("PUT", queue_id, "cancel_by_batch_ids", json={"batch_ids": ids}), "canceled"
        )

    async def cancel_destination(self, destination: str, *, queue_id: str = "default") -> int:
        """Cancel all items of a destination that have not ended.

        Returns:
            How many they were.
        """
        params = {"destination": destination}
        return _count(await self._ask("PUT", queue_id, "cancel_by_destination", params=params), "canceled")

    async def cancel_all_except_current(self, *, queue_id: str = "default") -> int:
        """Cancel all items that have not begun.

        Returns:
            How many they were.
        """
        return _count(await self._ask("PUT", queue_id, "cancel_all_except_current"), "canceled")

    async def retry(self, item_ids: int | Iterable[int], *, queue_id: str = "default") -> dict[int, int]:
        """Put failed and canceled items into the queue again, as new items of the same batches.

        Each once: where the answer is lost, the server is asked what it did.

        Returns:
            The items that are retried, each with its new item's id. Others, and those that the queue does not
            have, are left out.
        """
        ids = [item_ids] if isinstance(item_ids, int) else item_ids
        return await retries.retry_items(self.connection, path_part(queue_id, "a queue"), ids)

    async def delete(self, item_id: int, *, queue_id: str = "default") -> bool:
        """Remove an item, canceling it first where it is at work. InvokeAI 6.0+.

        Returns:
            Whether there was such an item.
        """
        known = await queue_items.read_states(self.connection, queue_id, [item_id])
        if item_id not in known:  # 6.0.2 says yes to items that it does not have
            return False
        try:
            await self._of_item("DELETE", queue_id, item_id, idempotent=False)
        except NotFoundError:
            return False
        return True

    async def delete_destination(self, destination: str, *, queue_id: str = "default") -> int:
        """Remove all items of a destination, canceling what is at work. InvokeAI 6.0+.

        Returns:
            How many they were.

        Raises:
            UsageError: The destination has a slash: then the server cannot be told its name.
        """
        path = f"d/{path_part(destination, 'a destination that can be deleted')}"
        return _count(await self._ask("DELETE", queue_id, path, idempotent=False), "deleted")

    async def delete_all_except_current(self, *, queue_id: str = "default") -> int:
        """Remove all items that have not begun. InvokeAI 6.0+.

        Returns:
            How many they were.
        """
        return _count(
            await self._ask("PUT", queue_id, "delete_all_except_current", idempotent=False), "deleted"
        )

    async def prune(self, *, queue_id: str = "default") -> int:
        """Remove all items that have ended.

        Returns:
            How many they were.
        """
        return _count(await self._ask("PUT", queue_id, "prune", idempotent=False), "deleted")

    async def clear(self, *, queue_id: str = "default") -> int:
        """Cancel what is at work and remove all items.

        Returns:
            How many they were.
        """
        return _count(await self._ask("PUT", queue_id, "clear", idempotent=False), "deleted")

    async def unblock(self, *, queue_id: str = "default") -> list[str]:
        """Cancel the batches of items that the server cannot read.

        Such an item comes from a batch with a value of the wrong type, which the server took unchecked (6.14.2). It
        holds up everything after it, in all queues, and can be neither canceled nor removed by itself. This client
        sends none. Its row stays in the queue's history until ``prune()``.

        Returns:
            The batches.

        Raises:
            RunError: The server (before 6.14) does not tell of which batch such an item is; ``clear()`` helps.
        """
        found = await blockage.unreadable_batches(self.connection, queue_id)
        if found:
            await self.cancel_batches(found, queue_id=queue_id)
        return found

    # ------------------------------------------------------------------ the processor

    async def pause(self, *, queue_id: str = "default") -> ProcessorStatus:
        """Have the server begin no more items, of any queue. The one at work goes on."""
        return ProcessorStatus.from_api_response(await self._ask("PUT", queue_id, "processor/pause"))

    async def resume(self, *, queue_id: str = "default") -> ProcessorStatus:
        """Have the server begin items again, of all queues."""
        return ProcessorStatus.from_api_response(await self._ask("PUT", queue_id, "processor/resume"))

    # ------------------------------------------------------------------ inside

    async def _of_item(
        self, method: str, queue_id: str, item_id: int, action: str = "", **options: Any
    ) -> Any:
        try:
            return await self._ask(method, queue_id, f"i/{int(item_id)}{action}", **options)
        except APIRequestError as error:
            if await queue_items.is_missing(self.connection, queue_id, int(item_id), error):
                raise queue_items.no_item(queue_id, item_id, error) from None
            raise

    async def _ask(self, method: str, queue_id: str, path: str, **options: Any) -> Any:
        full_path = f"/api/v1/queue/{path_part(queue_id, 'a queue')}/{path}"
        try:
            return await self.connection.http.json(method, full_path, **options)
        except APIRequestError as error:
            if not blockage.is_blocked(error):
                raise
            where = {"method": error.method, "path": error.path, "request_id": error.request_id}
            raise ServerError(error.status_code, error.payload, blockage.WAY_OUT, **where) from None


def _states(status: JobStatus | str | Collection[JobStatus | str]) -> set[JobStatus | str]:
    given = [status] if isinstance(status, str) else status
    states = {JobStatus.parse(one) for one in given}
    for state in states:
        if not isinstance(state, JobStatus):
            known = ", ".join(member.value for member in JobStatus)
            raise UsageError(f"{state!r} is no state of an item; there are {known}.")
    return states


def _count(answer: Any, what: str) -> int:
    return int(as_mapping(answer).get(what) or 0)
