"""The queue on the server: its items, its state, and what can be done to both."""

# Written by tools/generate_sync.py from src/invokeai_py_client/queue/repository.py:
# change that, and run it again.
# pyright: reportPrivateUsage=false, reportIncompatibleVariableOverride=false

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from invokeai_py_client._sync.face import Face
from invokeai_py_client.queue.repository import AsyncQueueRepository

if TYPE_CHECKING:
    from collections.abc import Iterable

    from invokeai_py_client.models import BatchStatus, IvkJob, ProcessorStatus, QueueStatus


class QueueRepository(Face[AsyncQueueRepository]):
    """The queue of a server. Every call takes the id of another queue than ``default``.

    Example:
        status = client.queue_repo.status()
        print(status.pending, "to do,", status.in_progress, "at work")
    """

    def status(self, *, queue_id: str = "default") -> QueueStatus:
        """How many items are in each state, and whether the processor takes items."""
        return self._call(self._impl.status(queue_id=queue_id))

    def batch_status(self, batch_id: str, *, queue_id: str = "default") -> BatchStatus:
        """How many items of a batch are in each state: 0 in all for a batch that the queue does not know."""
        return self._call(self._impl.batch_status(batch_id, queue_id=queue_id))

    def item(self, item_id: int, *, queue_id: str = "default") -> IvkJob:
        """One item, with its outputs once it has ended.

        Raises:
            NotFoundError: The queue has no such item.
        """
        return self._call(self._impl.item(item_id, queue_id=queue_id))

    def items(
        self, item_ids: Iterable[int] | None = None, *, outputs: bool = False, queue_id: str = "default"
    ) -> list[IvkJob]:
        """Items of the queue, in the order of their ids.

        Args:
            item_ids: Which; all by default. Those that the queue does not have are left out.
            outputs: Whether to fetch their outputs too, which comes with their whole graphs: with many items
                that is much to fetch.
            queue_id: The queue.
        """
        return self._call(self._impl.items(item_ids, outputs=outputs, queue_id=queue_id))

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

    def retry(self, item_ids: int | Iterable[int], *, queue_id: str = "default") -> list[int]:
        """Put failed and canceled items into the queue again, as new items of the same batches.

        Returns:
            Those of the given ids that are retried. The new items' ``metadata["retried_from_item_id"]``
            names them.
        """
        return self._call(self._impl.retry(item_ids, queue_id=queue_id))

    def delete(self, item_id: int, *, queue_id: str = "default") -> bool:
        """Remove an item, canceling it first where it is at work. InvokeAI 6.0+.

        Returns:
            Whether there was such an item.
        """
        return self._call(self._impl.delete(item_id, queue_id=queue_id))

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

    def pause(self, *, queue_id: str = "default") -> ProcessorStatus:
        """Have the server begin no more items, of any queue. The one at work goes on."""
        return self._call(self._impl.pause(queue_id=queue_id))

    def resume(self, *, queue_id: str = "default") -> ProcessorStatus:
        """Have the server begin items again, of all queues."""
        return self._call(self._impl.resume(queue_id=queue_id))
