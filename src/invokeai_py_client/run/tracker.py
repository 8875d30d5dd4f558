"""Follows the queue items of one batch: events in, statuses out, and a way to wait for a change."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from invokeai_py_client.models.enums import JobStatus
from invokeai_py_client.run.events import RunEvent, StatusChanged
from invokeai_py_client.run.status import RunStatus, fold, status_of_item

_KEPT_EVENTS = 5000


class BatchTracker:
    """What is known of the items of one batch.

    It is there before the batch is sent, because events can come before the answer to the request does. No
    I/O happens here: the feed hands it events, the run hands it items that it has read.
    """

    def __init__(self, batch_id: str, *, keep_events: bool = True, in_front: bool = False) -> None:
        self.batch_id = batch_id
        self.unplaced = False
        """The items were sent just now, and nobody has asked for their place in the queue."""
        self.stale = False
        """Events may have been lost: the items are to be read before anything is believed."""
        self._in_front = in_front
        self._items: tuple[int, ...] = ()
        self._statuses: dict[int, RunStatus] = {}
        self._events: dict[int, deque[RunEvent]] = {}
        self._count: dict[int, int] = {}
        self._keep_events = keep_events
        self._waiting: set[asyncio.Future[None]] = set()

    def status(self, item_id: int) -> RunStatus:
        """The latest known status of an item."""
        return self._statuses.get(item_id) or RunStatus()

    def sent(self, item_ids: Sequence[int]) -> None:
        """Say which items the server made of the batch, in its order."""
        self._items = tuple(item_ids)
        self.unplaced = True

    @property
    def last_item(self) -> int:
        """The last item that the server made of the batch."""
        return max(self._items)

    def place(self, pending: int) -> None:
        """Say how many items are pending in the queue, up to the last one of this batch."""
        waiting = [item for item in self._items if self.status(item).state is JobStatus.PENDING]
        before = 0 if self._in_front else max(0, pending - len(waiting))
        for position, item_id in enumerate(waiting, before):
            self._statuses[item_id] = replace(self.status(item_id), position=position)
        self.wake()

    def event(self, event: RunEvent) -> None:
        """Take in an event of one of the items."""
        before = self.status(event.item_id)
        after = fold(before, event)
        if after is not before:
            self._take(event.item_id, after, event)

    def others_moved(self) -> None:
        """Another item of the queue began: whatever is still pending moved up by one."""
        for item_id, status in self._statuses.items():
            if status.state is JobStatus.PENDING and status.position:
                self._statuses[item_id] = replace(status, position=status.position - 1)

    def item(self, item_id: int, item: Mapping[str, Any] | None) -> None:
        """Take in a queue item as the server holds it; None where it no longer exists."""
        before = self.status(item_id)
        if item is None:
            after = before if before.done else replace(before, state=JobStatus.CANCELLED, position=None)
        else:
            after = status_of_item(item, before)
        if after.state is not before.state:
            # The event of this change was lost, or comes later and then says nothing new.
            self._take(item_id, after, _told_by_item(item_id, after, item or {}))
        elif after != before:
            self._statuses[item_id] = after
            self.wake()

    def _take(self, item_id: int, status: RunStatus, event: RunEvent) -> None:
        self._statuses[item_id] = status
        if self._keep_events:
            self._events.setdefault(item_id, deque(maxlen=_KEPT_EVENTS)).append(event)
            self._count[item_id] = self._count.get(item_id, 0) + 1
        self.wake()

    def events_from(self, item_id: int, start: int) -> tuple[list[RunEvent], int]:
        """The events after the first ``start`` ones, and how many there were in all."""
        kept = self._events.get(item_id) or ()
        total = self._count.get(item_id, 0)
        return list(kept)[max(0, len(kept) - (total - start)) :] if total > start else [], total

    async def change(self, timeout: float) -> bool:
        """Wait until something changes; False if nothing did in ``timeout`` seconds."""
        # A future of this wait's own loop: a run outlives loops (a second asyncio.run, a client closed and
        # used again), and an asyncio.Event belongs to the first one that waited for it.
        changed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(changed)
        try:
            async with asyncio.timeout(timeout):
                await changed
        except TimeoutError:
            return False
        finally:
            self._waiting.discard(changed)
        return True

    def wake(self) -> None:
        """Make everyone who waits now look again; who waits afterwards waits for the next change."""
        for changed in self._waiting:
            if not changed.done():
                changed.set_result(None)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_waiting": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _waiting=set(), stale=True)


def _told_by_item(item_id: int, status: RunStatus, item: Mapping[str, Any]) -> StatusChanged:
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
