"""One queue item to work with."""

# Written by tools/generate_sync.py from src/invokeai_py_client/queue/job.py:
# change that, and run it again.
# pyright: reportPrivateUsage=false, reportIncompatibleVariableOverride=false

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from invokeai_py_client._sync.face import Face, unwrap
from invokeai_py_client.queue.job import AsyncJobHandle

if TYPE_CHECKING:
    from invokeai_py_client._sync.client import InvokeAIClient
    from invokeai_py_client.models import IvkJob, JobStatus


class JobHandle(Face[AsyncJobHandle]):
    """A queue item. It is asked for when it is first needed, and again by ``refresh()``.

    ``client.run(item_id)`` gives the same item as a run: with live events, images and results.

    Example:
        ```python
        job = client.queue_repo.get_queue().get_item(run.item_id)
        item = job.wait_for_completion(timeout=300)
        print(item.status)
        ```
    """

    @classmethod
    def from_client_ids(cls, client: InvokeAIClient, queue_id: str, item_id: int) -> Self:
        """The item with an id; the server is not asked for it yet."""
        return cls._of(AsyncJobHandle.from_client_ids(unwrap(client), queue_id, item_id))

    @property
    def queue_id(self) -> str:
        """The queue's id."""
        return self._impl.queue_id

    @property
    def item_id(self) -> int:
        """The item's id."""
        return self._impl.item_id

    @property
    def item(self) -> IvkJob | None:
        """The item as the server last told it; None where it was not asked yet."""
        return self._impl.item

    def set_item(self, item: IvkJob) -> None:
        """Take a record of the item that is known from elsewhere."""
        self._impl.set_item(item)

    def refresh(self) -> IvkJob:
        """Ask the server for the item anew.

        Raises:
            NotFoundError: The queue has no such item.
        """
        return self._call(self._impl.refresh())

    def status(self) -> JobStatus | str:
        """How far it was when the server was last asked."""
        return self._call(self._impl.status())

    def is_pending(self) -> bool:
        """Whether it had not begun."""
        return self._call(self._impl.is_pending())

    def is_running(self) -> bool:
        """Whether it was at work."""
        return self._call(self._impl.is_running())

    def is_complete(self) -> bool:
        """Whether it had ended, in whatever way."""
        return self._call(self._impl.is_complete())

    def is_successful(self) -> bool:
        """Whether it had ended well."""
        return self._call(self._impl.is_successful())

    def is_failed(self) -> bool:
        """Whether an error had ended it."""
        return self._call(self._impl.is_failed())

    def is_canceled(self) -> bool:
        """Whether somebody had canceled it."""
        return self._call(self._impl.is_canceled())

    def cancel(self) -> bool:
        """Cancel the item.

        Returns:
            Whether it is canceled now; False where it had ended before.

        Raises:
            NotFoundError: The queue has no such item.
        """
        return self._call(self._impl.cancel())

    def wait_for_completion(self, timeout: float | None = 300.0, poll_interval: float = 1.0) -> IvkJob:
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
        return self._call(self._impl.wait_for_completion(timeout, poll_interval))
