"""One queue to work with."""

# Written by tools/generate_sync.py from src/invokeai_py_client/queue/handle.py:
# change that, and run it again.
# pyright: reportPrivateUsage=false, reportIncompatibleVariableOverride=false

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from invokeai_py_client._sync.face import Face, unwrap, wrap
from invokeai_py_client.queue.handle import AsyncQueueHandle

if TYPE_CHECKING:
    from collections.abc import Iterable

    from invokeai_py_client._sync.client import InvokeAIClient
    from invokeai_py_client._sync.queue_job import JobHandle
    from invokeai_py_client.models import IvkJob, QueueStatus
    from invokeai_py_client.models.queue import CancelAllExceptCurrentResult, ClearResult, PruneResult


class QueueHandle(Face[AsyncQueueHandle]):
    """One queue of the server. ``default`` is the one that the web UI shows.

    Example:
        ```python
        queue = client.queue_repo.get_queue()
        for job in queue.list_pending():
            print(job.item_id, job.batch_id)
        ```
    """

    @classmethod
    def from_client_and_id(cls, client: InvokeAIClient, queue_id: str) -> Self:
        """The queue with an id; the server is not asked for it."""
        return cls._of(AsyncQueueHandle.from_client_and_id(unwrap(client), queue_id))

    @property
    def queue_id(self) -> str:
        """The queue's id."""
        return self._impl.queue_id

    def get_status(self) -> QueueStatus:
        """How many items are in each state, and whether the processor takes items."""
        return self._call(self._impl.get_status())

    def is_busy(self) -> bool:
        """Whether anything is at work, or still to do."""
        return self._call(self._impl.is_busy())

    def count_running(self) -> int:
        """How many items are at work."""
        return self._call(self._impl.count_running())

    def wait_until_idle(self, timeout: float | None = 300.0, poll_interval: float = 1.0) -> bool:
        """Wait until nothing is at work or still to do.

        Args:
            timeout: Seconds to wait at most; None for ever.
            poll_interval: Events are followed, so nothing is polled; kept for older callers.

        Returns:
            Whether the queue became idle in time. A paused queue with items in it never does.
        """
        return self._call(self._impl.wait_until_idle(timeout, poll_interval))

    def list_all(self, destination: str | None = None) -> list[IvkJob]:
        """All items, the oldest first, without their outputs.

        Args:
            destination: Only those of this destination.
        """
        return self._call(self._impl.list_all(destination))

    def list_running(self) -> list[IvkJob]:
        """The items at work."""
        return self._call(self._impl.list_running())

    def list_pending(self) -> list[IvkJob]:
        """The items that have not begun."""
        return self._call(self._impl.list_pending())

    def get_current(self) -> JobHandle | None:
        """The item at work, to work with; None where nothing is."""
        return wrap(self._call(self._impl.get_current()))

    def get_item(self, item_id: int) -> JobHandle | None:
        """One item to work with; None where the queue has no such item."""
        return wrap(self._call(self._impl.get_item(item_id)))

    def get_items_by_ids(self, item_ids: Iterable[int]) -> list[JobHandle]:
        """Several items to work with, in the order of their ids; those that the queue lacks are left out."""
        return wrap(self._call(self._impl.get_items_by_ids(item_ids)))

    def cancel_all_except_current(self) -> CancelAllExceptCurrentResult:
        """Cancel all items that have not begun."""
        return self._call(self._impl.cancel_all_except_current())

    def clear(self) -> ClearResult:
        """Cancel what is at work and remove all items."""
        return self._call(self._impl.clear())

    def prune(self) -> PruneResult:
        """Remove all items that have ended."""
        return self._call(self._impl.prune())
