"""Track the queue items of a batch: process events, provide statuses, notify about changes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from invokeai_py_client._lazy import old_names
from invokeai_py_client.models.enums import JobStatus
from invokeai_py_client.run.events import NodeCompleted, RunEvent, StatusChanged
from invokeai_py_client.run.status import RunStatus, fold, status_of_item
from invokeai_py_client.transport.changes import Change, Changes

_KEPT_EVENTS = 5000


@dataclass(slots=True)
class ItemHistory:
    """The history of an item, collected from its events.

    Attributes:
        gaps: The number of gaps in the events before the item started.
        results: The nodes' results: for each execution id, the node's id and its output.
        end: The event with the item's final status.
    """

    gaps: int
    results: dict[str, tuple[str, Mapping[str, Any]]] = field(
        default_factory=dict[str, tuple[str, Mapping[str, Any]]]
    )
    end: StatusChanged | None = None


Story = ItemHistory  # its name in older pickles


class BatchTracker:
    """The state of the items of one batch, or of all batches of a sweep.

    It is created before the batch is sent, because events can arrive before the response to the request. It does no
    I/O: ``LiveRuns`` passes it events, and runs pass it the items they have read. The cost of an event does not depend
    on the number of items.

    Args:
        batch_id: The batch's id.
        keep_events: Whether to keep all events from the start, or only from when an item is followed. Defaults to
            True.
        keep_results: Whether to keep the nodes' results until ``story()`` is called. Defaults to False.
        in_front: Whether the batch goes to the front of the queue. Defaults to False.
    """

    def __init__(
        self,
        batch_id: str,
        *,
        keep_events: bool = True,
        keep_results: bool = False,
        in_front: bool = False,
    ) -> None:
        self.batch_id = batch_id
        self.ended: list[int] = []
        """The ids of the items that have ended, in the order in which that became known."""
        self.unplaced = False
        """Whether the items were just sent and their position in the queue is not known yet."""
        self.gaps = 0
        """How often events may have been lost. A reader that has seen fewer gaps must read the items again."""
        self.settled = 0
        """How many of these gaps came before the batch was sent."""
        self._in_front = in_front
        self._stories: dict[int, ItemHistory] | None = {} if keep_results else None
        self._items: tuple[int, ...] = ()
        self._statuses: dict[int, RunStatus] = {}
        self._places: dict[int, int] = {}
        self._begun = 0
        self._events: dict[int, deque[RunEvent]] = {}
        self._count: dict[int, int] = {}
        self._keep_events = keep_events
        self._waiting: dict[int | None, set[Callable[[], None]]] = {}

    def status(self, item_id: int) -> RunStatus:
        """Return the latest known status of an item."""
        status = self._statuses.get(item_id) or RunStatus()
        place = self._places.get(item_id)
        if place is None or status.state is not JobStatus.PENDING:
            return status
        return replace(status, position=max(0, place - self._begun))

    def gap(self) -> None:
        """Record that events may have been lost, so that all waits read their items."""
        self.gaps += 1
        self.wake()

    def story(self, item_id: int) -> ItemHistory | None:
        """Return an item's complete history, or None if events may have been lost.

        The history is removed from the tracker.
        """
        story = (self._stories or {}).pop(item_id, None)
        return story if story is not None and story.gaps == self.gaps and story.end is not None else None

    def keep(self, item_id: int, status: RunStatus) -> None:
        """Set the status of an item that has ended."""
        self._statuses[item_id] = status

    def release(self, item_id: int) -> None:
        """Forget an item, because the server has given its id to another item of the same sweep.

        Events of the new item may already have been taken for events of the old one, so all items are read again.
        """
        for known in (self._statuses, self._places, self._events, self._count, self._stories or {}):
            known.pop(item_id, None)
        self.gap()

    def sent(self, item_ids: Sequence[int]) -> None:
        """Record the items that the server created for the batch, in order."""
        self._items = tuple(item_ids)
        self.unplaced = True

    def keep_events(self, item_id: int) -> None:
        """Start keeping an item's events."""
        self._events.setdefault(item_id, deque(maxlen=_KEPT_EVENTS))

    @property
    def last_item(self) -> int:
        """The id of the last item that the server created for the batch."""
        return max(self._items)

    @property
    def pending(self) -> list[int]:
        """The ids of the batch's items that are pending according to the latest known statuses."""
        return [item for item in self._items if self.status(item).state is JobStatus.PENDING]

    def place(self, pending: int) -> None:
        """Record how many items are pending in the queue, up to the last item of this batch."""
        waiting = self.pending
        before = 0 if self._in_front else max(0, pending - len(waiting))
        for position, item_id in enumerate(waiting, before):
            self._places[item_id] = position + self._begun
        self.wake()

    def event(self, event: RunEvent) -> None:
        """Process an event of one of the items."""
        before = self.status(event.item_id)
        after = fold(before, event)
        if after is not before:
            self._take(event.item_id, after, event)

    def others_moved(self) -> None:
        """Record that another item started, which moves all pending items up by one."""
        self._begun += 1

    def item(self, item_id: int, item: Mapping[str, Any] | None) -> None:
        """Process a queue item that was read from the server, or None if it no longer exists."""
        before = self.status(item_id)
        if item is None:
            after = (
                before
                if before.done
                else replace(before, state=JobStatus.CANCELLED, position=None, gone=True)
            )
        else:
            after = status_of_item(item, before)
        if after.state is not before.state:
            # The event for this change was lost, or comes later and then changes nothing.
            self._take(item_id, after, _event_from_item(item_id, after, item or {}))
        elif after != before:
            self._statuses[item_id] = after
            self.wake(item_id)

    def _take(self, item_id: int, status: RunStatus, event: RunEvent) -> None:
        if status.done and not self.status(item_id).done:
            self.ended.append(item_id)
            self._places.pop(item_id, None)
        self._statuses[item_id] = status
        if self._stories is not None:
            self._listen(item_id, status, event)
        if self._keep_events:
            self.keep_events(item_id)
        kept = self._events.get(item_id)
        if kept is not None:
            kept.append(event)
            self._count[item_id] = self._count.get(item_id, 0) + 1
        self.wake(item_id)

    def _listen(self, item_id: int, status: RunStatus, event: RunEvent) -> None:
        stories: dict[int, ItemHistory] = self._stories if self._stories is not None else {}
        if isinstance(event, StatusChanged) and status.state is JobStatus.RUNNING:
            stories.setdefault(item_id, ItemHistory(self.gaps))
        story = stories.get(item_id)
        if story is None:
            return
        if isinstance(event, NodeCompleted):
            story.results[event.prepared_id] = (event.node_id, event.output)
        elif isinstance(event, StatusChanged) and status.done:
            story.end = event

    def events_from(self, item_id: int, start: int) -> tuple[list[RunEvent], int]:
        """Return the events after the first ``start`` events, and the total number of events."""
        kept = self._events.get(item_id) or ()
        total = self._count.get(item_id, 0)
        return list(kept)[max(0, len(kept) - (total - start)) :] if total > start else [], total

    @contextmanager
    def watched(self, notify: Callable[[], None], item_id: int | None = None) -> Generator[None]:
        """Call a function after every change during a ``with`` block.

        Args:
            notify: The function.
            item_id: The item to watch. Defaults to None: all items.
        """
        waiting = self._waiting.setdefault(item_id, set())
        waiting.add(notify)
        try:
            yield
        finally:
            waiting.discard(notify)
            if not waiting and self._waiting.get(item_id) is waiting:
                del self._waiting[item_id]

    async def change(self, timeout: float, item_id: int | None = None) -> bool:
        """Wait for the next change.

        Args:
            timeout: The longest time to wait, in seconds.
            item_id: The item to watch. Defaults to None: all items.

        Returns:
            False if nothing changed in time.
        """
        async with Changes(lambda: timeout) as changes:
            with self.watched(changes.notify, item_id):
                await anext(changes)  # the start
                return await anext(changes) is Change.EVENT

    def wake(self, item_id: int | None = None) -> None:
        """Notify the waits that a change concerns.

        Args:
            item_id: The item that changed. Defaults to None: all items may have changed.
        """
        groups = (
            list(self._waiting.values())
            if item_id is None
            else [self._waiting.get(item_id, ()), self._waiting.get(None, ())]
        )
        for group in groups:
            for notify in group:
                notify()

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_waiting": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _waiting={}, gaps=state["gaps"] + 1)


def _event_from_item(item_id: int, status: RunStatus, item: Mapping[str, Any]) -> StatusChanged:
    return StatusChanged(
        item_id=item_id,
        timestamp=time.time(),
        raw={key: value for key, value in item.items() if key not in ("session", "workflow")},
        status=status.state,
        sequence=status.sequence,
        error_type=status.error_type,
        error_message=status.error_message,
        error_traceback=status.error_traceback,
    )


__getattr__ = old_names(__name__)  # Story, in pickles
