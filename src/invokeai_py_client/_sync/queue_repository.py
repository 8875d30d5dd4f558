"""The queue on the server: its items, its state, and what can be done to both."""

# Written by tools/generate_sync.py from src/invokeai_py_client/queue/repository.py:
# change that, and run it again.
# pyright: reportPrivateUsage=false, reportIncompatibleVariableOverride=false

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from invokeai_py_client._sync.face import Face, unwrap, wrap
from invokeai_py_client.queue.repository import AsyncQueueRepository

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from invokeai_py_client._sync.client import InvokeAIClient
    from invokeai_py_client._sync.queue_handle import QueueHandle
    from invokeai_py_client.models import (
        BatchStatus,
        DestinationStatus,
        IvkJob,
        JobStatus,
        ProcessorStatus,
        QueueStatus,
    )
    from invokeai_py_client.run.events import RunEvent


class QueueRepository(Face[AsyncQueueRepository]):
    """The queue of a server. Every call takes the id of another queue than ``default``.

    Example:
        ```python
        status = client.queue_repo.status()
        print(status.pending, "to do,", status.in_progress, "at work")
        ```
    """

    @classmethod
    def from_client(cls, client: InvokeAIClient) -> Self:
        """The queues of a client; ``client.queue_repo`` is the same."""
        return cls._of(AsyncQueueRepository.from_client(unwrap(client)))

    def get_queue(self, queue_id: str = "default") -> QueueHandle:
        """One queue to work with; the server is not asked for it."""
        return wrap(self._impl.get_queue(queue_id))

    def list_queues(self) -> list[str]:
        """The ids of the queues that people see: servers up to 6.14 tell of no other than ``default``."""
        return self._impl.list_queues()

    def status(self, *, queue_id: str = "default") -> QueueStatus:
        """How many items are in each state, and whether the processor takes items."""
        return self._call(self._impl.status(queue_id=queue_id))

    def batch_status(self, batch_id: str, *, queue_id: str = "default") -> BatchStatus:
        """How many items of a batch are in each state: 0 in all for a batch that the queue does not know."""
        return self._call(self._impl.batch_status(batch_id, queue_id=queue_id))

    def destination_status(self, destination: str, *, queue_id: str = "default") -> DestinationStatus:
        """How many items of a destination are in each state: 0 in all for one that the queue does not know."""
        return self._call(self._impl.destination_status(destination, queue_id=queue_id))

    def wait_until_idle(self, timeout: float | None = None, *, queue_id: str = "default") -> QueueStatus:
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
        return self._call(self._impl.wait_until_idle(timeout, queue_id=queue_id))

    def watch(self, *, interval: float = 5.0, queue_id: str = "default") -> Iterator[QueueStatus | RunEvent]:
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
        return self._iterate(self._impl.watch(interval=interval, queue_id=queue_id))

    def item(self, item_id: int, *, queue_id: str = "default") -> IvkJob:
        """One item, with its outputs once it has ended.

        Raises:
            NotFoundError: The queue has no such item.
        """
        return self._call(self._impl.item(item_id, queue_id=queue_id))

    def items(
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
        return self._call(
            self._impl.items(
                item_ids,
                status=status,
                batch_id=batch_id,
                destination=destination,
                outputs=outputs,
                queue_id=queue_id,
            )
        )

    def item_ids(self, *, order_dir: Literal["ASC", "DESC"] = "ASC", queue_id: str = "default") -> list[int]:
        """The ids of all items, the oldest first; with ``"DESC"`` the newest."""
        return self._call(self._impl.item_ids(order_dir=order_dir, queue_id=queue_id))

    def current(self, *, queue_id: str = "default") -> IvkJob | None:
        """The item at work, if any."""
        return self._call(self._impl.current(queue_id=queue_id))

    def next_item(self, *, queue_id: str = "default") -> IvkJob | None:
        """The item that comes next, if any."""
        return self._call(self._impl.next_item(queue_id=queue_id))

    def cancel(self, item_id: int, *, queue_id: str = "default") -> IvkJob:
        """Cancel an item. One that has ended stays as it is.

        Returns:
            The item as it is now.

        Raises:
            NotFoundError: The queue has no such item.
        """
        return self._call(self._impl.cancel(item_id, queue_id=queue_id))

    def cancel_current(self, *, queue_id: str = "default") -> IvkJob | None:
        """Cancel the item at work.

        Returns:
            The item as it is now; None where none was at work.
        """
        return self._call(self._impl.cancel_current(queue_id=queue_id))

    def cancel_batches(self, batch_ids: str | Iterable[str], *, queue_id: str = "default") -> int:
        """Cancel all items of some batches that have not ended.

        Returns:
            How many they were.
        """
        return self._call(self._impl.cancel_batches(batch_ids, queue_id=queue_id))

    def cancel_destination(self, destination: str, *, queue_id: str = "default") -> int:
        """Cancel all items of a destination that have not ended.

        Returns:
            How many they were.
        """
        return self._call(self._impl.cancel_destination(destination, queue_id=queue_id))

    def cancel_all_except_current(self, *, queue_id: str = "default") -> int:
        """Cancel all items that have not begun.

        Returns:
            How many they were.
        """
        return self._call(self._impl.cancel_all_except_current(queue_id=queue_id))

    def retry(self, item_ids: int | Iterable[int], *, queue_id: str = "default") -> dict[int, int]:
        """Put failed and canceled items into the queue again, as new items of the same batches.

        Each once: where the answer is lost, the server is asked what it did.

        Returns:
            The items that are retried, each with its new item's id. Others, and those that the queue does not
            have, are left out.
        """
        return self._call(self._impl.retry(item_ids, queue_id=queue_id))

    def delete(self, item_id: int, *, queue_id: str = "default") -> bool:
        """Remove an item, canceling it first where it is at work. InvokeAI 6.0+.

        Returns:
            Whether there was such an item.
        """
        return self._call(self._impl.delete(item_id, queue_id=queue_id))

    def delete_destination(self, destination: str, *, queue_id: str = "default") -> int:
        """Remove all items of a destination, canceling what is at work. InvokeAI 6.0+.

        Returns:
            How many they were.

        Raises:
            UsageError: The destination has a slash: then the server cannot be told its name.
        """
        return self._call(self._impl.delete_destination(destination, queue_id=queue_id))

    def delete_all_except_current(self, *, queue_id: str = "default") -> int:
        """Remove all items that have not begun. InvokeAI 6.0+.

        Returns:
            How many they were.
        """
        return self._call(self._impl.delete_all_except_current(queue_id=queue_id))

    def prune(self, *, queue_id: str = "default") -> int:
        """Remove all items that have ended.

        Returns:
            How many they were.
        """
        return self._call(self._impl.prune(queue_id=queue_id))

    def clear(self, *, queue_id: str = "default") -> int:
        """Cancel what is at work and remove all items.

        Returns:
            How many they were.
        """
        return self._call(self._impl.clear(queue_id=queue_id))

    def unblock(self, *, queue_id: str = "default") -> list[str]:
        """Cancel the batches of items that the server cannot read.

        Such an item comes from a batch with a value of the wrong type, which the server took unchecked (6.14.2). It
        holds up everything after it, in all queues, and can be neither canceled nor removed by itself. This client
        sends none. Its row stays in the queue's history until ``prune()``.

        Returns:
            The batches.

        Raises:
            RunError: The server (before 6.14) does not tell of which batch such an item is; ``clear()`` helps.
        """
        return self._call(self._impl.unblock(queue_id=queue_id))

    def pause(self, *, queue_id: str = "default") -> ProcessorStatus:
        """Have the server begin no more items, of any queue. The one at work goes on."""
        return self._call(self._impl.pause(queue_id=queue_id))

    def resume(self, *, queue_id: str = "default") -> ProcessorStatus:
        """Have the server begin items again, of all queues."""
        return self._call(self._impl.resume(queue_id=queue_id))
