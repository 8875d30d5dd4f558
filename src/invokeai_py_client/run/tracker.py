"""Track the queue items of a batch: process events, provide statuses, notify about changes."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from invokeai_py_client._lazy import old_names
from invokeai_py_client.models.enums import JobStatus
from invokeai_py_client.run.events import (
    NodeCompleted,
    NodeProgress,
    RunEvent,
    StatusChanged,
    parse_event,
    whole_number,
)
from invokeai_py_client.run.past_events import PastEvents
from invokeai_py_client.run.status import RunStatus, changed, fold, slim, status_of_item
from invokeai_py_client.transport.changes import Change, Changes

_KEPT_EVENTS = 5000

# The item that a wait watches, or None for all items, and whether it watches only their ends.
_Concern = tuple[int | None, bool]
_KEPT_STORIES = 500


@dataclass(slots=True)
class ItemHistory:
    """The history of an item, collected from its events.

    Attributes:
        gaps: The number of gaps in the events before the item started.
        results: The events with the nodes' results, by execution id.
        end: The event with the item's final status.
    """

    gaps: int
    results: dict[str, NodeCompleted] = field(default_factory=dict[str, NodeCompleted])
    end: StatusChanged | None = None


_PENDING = RunStatus()

Story = ItemHistory  # its name in older pickles


class _Kept(deque[RunEvent]):
    """The events of an item.

    Attributes:
        total: The number of events that were added.
        readers: The number of readers, which need the events also after the item's end.
    """

    __slots__ = ("readers", "total")

    def __init__(self, events: Iterable[RunEvent] = (), total: int = 0) -> None:
        super().__init__(events, _KEPT_EVENTS)
        self.total = total
        self.readers = 0

    def add(self, event: RunEvent) -> None:
        self.append(event)
        self.total += 1

    def __reduce__(self) -> tuple[Any, ...]:
        return _Kept, (list(self), self.total)


class BatchTracker:
    """The state of the items of one batch, or of all batches of a sweep.

    It is created before the batch is sent, because events can arrive before the response to the request. It does no
    I/O: ``LiveRuns`` passes it events, and runs pass it the items they have read. The cost of an event does not depend
    on the number of items.

    Args:
        batch_id: The batch's id.
        keep_events: Whether to keep all events from the start, or only from when an item is followed. Defaults to
            True.
        keep_results: Whether to keep the nodes' results until ``story()`` is called, for the latest 500 items.
            Defaults to False.
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
        self.heard = -math.inf
        """The time of the latest event of any item, from ``time.monotonic()``."""
        self.read = -math.inf
        """The time when the status of an item that has not ended was last read, from ``time.monotonic()``."""
        self.settled = 0
        """How many of these gaps came before the batch was sent."""
        self._in_front = in_front
        self._stories: dict[int, ItemHistory] | None = {} if keep_results else None
        self._items: tuple[int, ...] = ()
        self._statuses: dict[int, RunStatus] = {}
        # The latest progress of items, as the server sent it, if their status does not contain it yet.
        self._progress: dict[int, Mapping[str, Any]] = {}
        self._places: dict[int, int] = {}
        self._begun = 0
        # The events of an item, or the time of the last one if they were dropped.
        self._events: dict[int, _Kept | float] = {}
        self._keep_events = keep_events
        self.past: PastEvents | None = None
        """The ended runs whose events are kept. Set when the tracker receives events."""
        self._waiting: dict[_Concern, set[Callable[[], None]]] = {}

    def status(self, item_id: int) -> RunStatus:
        """Return the latest known status of an item."""
        latest = self._progress.pop(item_id, None)
        if latest is not None:
            event = parse_event(NodeProgress.event_type, latest)
            if event is not None:
                self._statuses[item_id] = fold(self._statuses.get(item_id) or _PENDING, event)
        status = self._statuses.get(item_id) or _PENDING
        place = self._places.get(item_id)
        if place is None or status.state is not JobStatus.PENDING:
            return status
        return changed(status, position=max(0, place - self._begun))

    def read_status(self, item_id: int) -> RunStatus:
        """Return the latest known status of an item for a user, and remember when that was."""
        status = self.status(item_id)
        if not status.done:
            self.read = time.monotonic()
        return status

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
        tables: list[dict[int, Any]] = [self._statuses, self._progress, self._places, self._events]
        for known in (*tables, self._stories or {}):
            known.pop(item_id, None)
        self.gap()

    def sent(self, item_ids: Sequence[int]) -> None:
        """Record the items that the server created for the batch, in order."""
        self._items = tuple(item_ids)
        self.unplaced = True

    def keep_events(self, item_id: int) -> None:
        """Start keeping an item's events."""
        if item_id not in self._events:
            self._events[item_id] = _Kept()

    def drop_events(self, item_id: int) -> bool:
        """Drop the events of an item that has ended, except its final status, unless someone is reading them.

        Returns:
            Whether they were dropped.
        """
        kept = self._events.get(item_id)
        if isinstance(kept, _Kept):
            if kept.readers:
                return False
            self._events[item_id] = kept[-1].timestamp
        return True

    @contextmanager
    def reading_events(self, item_id: int) -> Generator[None]:
        """Keep an item's events, also after its end, during a ``with`` block."""
        self.keep_events(item_id)
        kept = self._events[item_id]
        if not isinstance(kept, _Kept):
            yield
            return
        kept.readers += 1
        try:
            yield
        finally:
            kept.readers -= 1

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
        self.heard = time.monotonic()
        before = self.status(event.item_id)
        after = fold(before, event)
        if after is not before:
            self._take(event.item_id, after, event)

    def defer(self, progress: Mapping[str, Any]) -> bool:
        """Keep the payload of a progress event, unless someone needs the event now.

        The next one usually replaces it before someone reads the status. Most events of a run are of this kind.

        Returns:
            Whether the event was processed. Otherwise, call ``event()``.
        """
        item_id = whole_number(progress.get("item_id"))
        if item_id is None or self._keep_events or item_id in self._events:
            return False
        if (item_id, False) in self._waiting or (None, False) in self._waiting:
            return False
        if item_id in self._progress and not isinstance(progress.get("image"), dict):
            return False  # 6.13 sends each event twice, the second time without the preview
        self.heard = time.monotonic()
        self._progress[item_id] = progress
        return True

    def report(self, item_id: int, status: RunStatus) -> None:
        """Process the status of an item that another tracker follows.

        While someone reads the events of the item here, only its end counts: the status may be ahead of the events.
        """
        before = self.status(item_id)
        if not status.done:
            kept = self._events.get(item_id)
            is_read = isinstance(kept, _Kept) and kept.readers > 0
            is_older = len(status.ended) < len(before.ended) or (status.sequence or 0) < (
                before.sequence or 0
            )
            if before.done or is_read or is_older:
                return
            status = changed(status, preview=status.preview or before.preview)
        if not before.done and status.state is not before.state:
            self._take(item_id, status, _event_from_item(item_id, status, {"item_id": item_id}))
        elif status != before:
            self._statuses[item_id] = status
            self.wake(item_id)

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
                else changed(before, state=JobStatus.CANCELLED, position=None, gone=True)
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
        has_ended = status.done and not self.status(item_id).done
        if has_ended:
            status = slim(status)
            self.ended.append(item_id)
            self._places.pop(item_id, None)
        self._statuses[item_id] = status
        if self._stories is not None:
            self._listen(item_id, status, event)
        if self._keep_events:
            self.keep_events(item_id)
        kept = self._events.get(item_id)
        if isinstance(kept, _Kept):
            kept.add(event)
            if has_ended and self.past is not None:
                self.past.add(self, item_id, kept)
        self.wake(item_id, has_ended=has_ended)

    def _listen(self, item_id: int, status: RunStatus, event: RunEvent) -> None:
        stories: dict[int, ItemHistory] = self._stories if self._stories is not None else {}
        if isinstance(event, StatusChanged) and status.state is JobStatus.RUNNING:
            stories.setdefault(item_id, ItemHistory(self.gaps))
        story = stories.get(item_id)
        if story is None:
            return
        if isinstance(event, NodeCompleted):
            story.results[event.prepared_id] = event
        elif isinstance(event, StatusChanged) and status.done:
            story.end = event
            if len(stories) > _KEPT_STORIES:  # no one waits for these runs: their items will be read
                del stories[next(iter(stories))]

    def events_from(self, item_id: int, start: int) -> tuple[list[RunEvent], int]:
        """Return the events after the first ``start`` events, and the total number of events."""
        kept = self._events.get(item_id)
        if isinstance(kept, _Kept):
            missing = kept.total - start
            return (list(kept)[max(0, len(kept) - missing) :] if missing > 0 else []), kept.total
        if kept is None:
            return [], 0
        status = self.status(item_id)
        raw = {"item_id": item_id, "batch_id": self.batch_id, "status": status.state.value}
        return ([] if start else [_event_from_item(item_id, status, raw, kept)]), 1

    @contextmanager
    def watched(
        self, notify: Callable[[], None], item_id: int | None = None, *, ends_only: bool = False
    ) -> Generator[None]:
        """Call a function after every change during a ``with`` block.

        Args:
            notify: The function.
            item_id: The item to watch. Defaults to None: all items.
            ends_only: Whether to call it only if an item has ended, or if events may have been lost. Defaults to
                False.
        """
        concern = item_id, ends_only
        waiting = self._waiting.setdefault(concern, set())
        waiting.add(notify)
        try:
            yield
        finally:
            waiting.discard(notify)
            if not waiting and self._waiting.get(concern) is waiting:
                del self._waiting[concern]
                if not self._waiting:
                    self._waiting = {}  # an emptied dict keeps its memory, and there is a tracker for each single run

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

    def wake(self, item_id: int | None = None, *, has_ended: bool = False) -> None:
        """Notify the waits that a change concerns.

        Args:
            item_id: The item that changed. Defaults to None: all items may have changed.
            has_ended: Whether the item has just ended. Defaults to False.
        """
        if item_id is None:
            groups = list(self._waiting.values())
        else:
            kinds = (False, True) if has_ended else (False,)
            groups = [self._waiting.get((item, kind), ()) for kind in kinds for item in (item_id, None)]
        for group in groups:
            for notify in group:
                notify()

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_waiting": None, "past": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        counts = state.pop("_count", None)
        if counts is not None:  # pickled by a version that counted the events separately
            state["_events"] = {
                item: _Kept(kept, counts.get(item, 0)) for item, kept in state["_events"].items()
            }
        self.__dict__.update(
            {"_progress": {}, **state},
            _waiting={},
            gaps=state["gaps"] + 1,
            heard=-math.inf,
            read=-math.inf,
            past=None,
        )


def _event_from_item(
    item_id: int, status: RunStatus, item: Mapping[str, Any], timestamp: float | None = None
) -> StatusChanged:
    return StatusChanged(
        item_id=item_id,
        timestamp=time.time() if timestamp is None else timestamp,
        raw={key: value for key, value in item.items() if key not in ("session", "workflow")},
        status=status.state,
        sequence=status.sequence,
        error_type=status.error_type,
        error_message=status.error_message,
        error_traceback=status.error_traceback,
    )


__getattr__ = old_names(__name__)  # Story, in pickles
