"""Following a whole queue: its status and events, and waiting until it is idle."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any, cast

from invokeai_py_client.errors import InvokeAIClientError, RunTimeoutError
from invokeai_py_client.models import JobStatus, QueueStatus
from invokeai_py_client.run.events import RunEvent, StatusChanged, parse_event
from invokeai_py_client.transport import timing
from invokeai_py_client.transport.changes import Change
from invokeai_py_client.transport.socket import queue_room

if TYPE_CHECKING:
    from invokeai_py_client.queue.repository import AsyncQueueRepository

# Changes of many items that come without an event for each.
_SEVERAL = frozenset(
    {"connect", "queue_cleared", "queue_items_canceled", "queue_items_retried", "batch_enqueued"}
)
_MOST = 10_000


async def watch(
    queues: AsyncQueueRepository, queue_id: str, interval: float
) -> AsyncGenerator[QueueStatus | RunEvent]:
    """What ``AsyncQueueRepository.watch()`` gives."""
    hub = queues.connection.hub
    watching = _Watch(queue_id)

    async def fetch() -> QueueStatus:
        return await queues.status(queue_id=queue_id)

    def patience() -> float:
        quiet = interval if hub.connected else min(timing.POLL, interval)
        return min(quiet, watching.late)

    async with hub.changes(queue_room(queue_id), watching.listen, patience, tolerant=False) as changes:
        async for change in changes:
            status = watching.ready()
            while watching.events:
                yield watching.events.popleft()
            if status is not None:
                changes.tolerant = True  # it was there
                yield status
            elif change in (Change.START, Change.SILENCE):
                watching.stale = True
            if watching.stale:
                watching.stale = False  # before asking: what changes meanwhile is asked for once more
                changes.read(fetch, watching.take)


class _Watch:
    """What is known of a queue, and not passed on yet.

    Attributes:
        events: The events that have not been passed on.
        stale: Whether the status may have changed since it was last asked for.
    """

    def __init__(self, queue_id: str) -> None:
        self.events: deque[RunEvent] = deque(maxlen=_MOST)  # a slow reader must not fill the memory
        self.stale = False
        self._queue_id = queue_id
        self._running: set[int] = set()
        self._status: QueueStatus | None = None
        self._due = math.inf

    @property
    def late(self) -> float:
        """Seconds until a status that is here is passed on, whatever events are missing."""
        return max(0.0, self._due - time.monotonic())

    def listen(self, name: str, payload: Any) -> bool:
        """Take an event. Returns whether it concerns the queue."""
        event = parse_event(name, payload)
        if name in _SEVERAL:
            self.stale = True
            self._running.clear()
            return True
        if event is None or event.get("queue_id") != self._queue_id:
            return False
        self.events.append(event)
        if isinstance(event, StatusChanged):
            self.stale = True
            (self._running.discard if event.status.is_final else self._running.add)(event.item_id)
        return True

    def take(self, status: QueueStatus) -> None:
        """Take the queue's status as it was read."""
        self._status = status
        # Who waits until all is done leaves then: the last items' own events come first.
        self._due = time.monotonic() + (0.0 if status.unfinished else timing.LATE_EVENTS)

    def ready(self) -> QueueStatus | None:
        """Return the status once all events that belong before it are here."""
        status = self._status
        if status is None or (not status.unfinished and self._running and self.late):
            return None
        if not status.unfinished:
            self._running.clear()
        self._status, self._due = None, math.inf
        return status


# Items that end without an event of their own.
_WITHOUT_ITEMS = frozenset({"queue_cleared", "queue_items_canceled"})


async def wait_until_idle(
    queues: AsyncQueueRepository, queue_id: str, *, timeout: float | None
) -> QueueStatus:
    """Wait until nothing is pending, at work or waiting.

    Raises:
        RunTimeoutError: Something still is.
    """
    latest: deque[QueueStatus] = deque(maxlen=1)
    hub = queues.connection.hub

    def concerns(name: str, payload: Any) -> bool:
        return name in _WITHOUT_ITEMS or (name == "queue_item_status_changed" and _ended(payload, queue_id))

    def patience() -> float:
        return timing.QUEUE_SILENCE if hub.connected else timing.POLL

    async def fetch() -> QueueStatus:
        return await queues.status(queue_id=queue_id)

    waiting = hub.changes(queue_room(queue_id), concerns, patience, tolerant=False)
    try:
        async with asyncio.timeout(timeout), waiting as changes:
            while not latest or latest[-1].unfinished:
                if await anext(changes) is not Change.RESPONSE:
                    changes.read(fetch, latest.append)
        return latest[-1]
    except TimeoutError as error:
        if isinstance(error, InvokeAIClientError):
            raise
        status = latest[-1] if latest else None
        raise RunTimeoutError(
            f"The queue {queue_id!r} was not idle after {timeout:g} s: {_left(status)}.",
            item_id=status.item_id if status else None,
            batch_id=status.batch_id if status else None,
        ) from None


def _ended(payload: Any, queue_id: str) -> bool:
    if not isinstance(payload, dict):
        return False
    event = cast("dict[str, Any]", payload)
    status = JobStatus.parse(str(event.get("status")))
    return event.get("queue_id") == queue_id and isinstance(status, JobStatus) and status.is_final


def _left(status: QueueStatus | None) -> str:
    """What is still to do."""
    if status is None:
        return "the server did not say how it stands"
    words = {"pending": status.pending, "waiting": status.waiting, "at work": status.in_progress}
    left = ", ".join(f"{count} {word}" for word, count in words.items() if count)
    current = f" (item {status.item_id})" if status.item_id is not None else ""
    return left + current + ("" if status.is_started else "; its processor is paused")
