"""Watch a whole queue: its status and events, and wait until it is idle."""

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
from invokeai_py_client.run.live import LiveRuns
from invokeai_py_client.run.model_loads import ModelLoads
from invokeai_py_client.transport import timing
from invokeai_py_client.transport.changes import Change, ignore_response, last_look
from invokeai_py_client.transport.socket import queue_room

if TYPE_CHECKING:
    from invokeai_py_client.queue.repository import AsyncQueueRepository

# Events about changes of many items, which the server does not report one by one.
_SEVERAL = frozenset(
    {"connect", "queue_cleared", "queue_items_canceled", "queue_items_retried", "batch_enqueued"}
)
_MOST = 10_000


async def watch(
    queues: AsyncQueueRepository, queue_id: str, interval: float
) -> AsyncGenerator[QueueStatus | RunEvent]:
    """Yield the updates of ``AsyncQueueRepository.watch()``."""
    hub = queues.connection.hub
    watching = _Watch(queue_id)

    async def fetch() -> QueueStatus:
        return await queues.status(mine=False, queue_id=queue_id)

    def patience() -> float:
        quiet = interval if hub.connected else min(timing.POLL, interval)
        return min(quiet, watching.late)

    async with hub.changes(queue_room(queue_id), watching.listen, patience, tolerant=False) as changes:
        async for change in changes:
            status = watching.ready()
            while watching.events:
                yield watching.events.popleft()
            if status is not None:
                yield status
            elif change in (Change.START, Change.SILENCE):
                watching.stale = True
            if watching.stale:
                watching.stale = False  # reset before the read, so that later changes cause another read
                changes.read(fetch, watching.take)


class _Watch:
    """The updates of a queue that have not been yielded yet.

    Attributes:
        events: The events that have not been yielded.
        stale: Whether the status may have changed since it was last read.
    """

    def __init__(self, queue_id: str) -> None:
        self.events: deque[RunEvent] = deque(maxlen=_MOST)  # limits the memory that a slow reader can take
        self.stale = False
        self._queue_id = queue_id
        self._loads = ModelLoads()
        self._running: set[int] = set()
        self._status: QueueStatus | None = None
        self._due = math.inf

    @property
    def late(self) -> float:
        """The seconds until the status is yielded even if events are still missing."""
        return max(0.0, self._due - time.monotonic())

    def listen(self, name: str, payload: Any) -> bool:
        """Process an event, and return whether it concerns the queue."""
        event = self._loads.listen(name, payload) or parse_event(name, payload, hidden=True)
        if name in _SEVERAL:
            self.stale = True
            self._running.clear()
            return True
        if event is None or event.queue_id != self._queue_id:
            return False
        if not event.redacted:
            self.events.append(event)
        if isinstance(event, StatusChanged):
            self.stale = True
            (self._running.discard if event.status.is_final else self._running.add)(event.item_id)
        return True

    def take(self, status: QueueStatus) -> None:
        """Store the queue's status after a read."""
        self._status = status
        # Readers may leave when the queue is done, so the last items' events must come first.
        self._due = time.monotonic() + (0.0 if status.unfinished else timing.LATE_EVENTS)

    def ready(self) -> QueueStatus | None:
        """Return the status once all earlier events have arrived, else None."""
        status = self._status
        if status is None or (not status.unfinished and self._running and self.late):
            return None
        if not status.unfinished:
            self._running.clear()
        self._status, self._due = None, math.inf
        return status


# Events after which items have ended without an event about each.
_WITHOUT_ITEMS = frozenset({"queue_cleared", "queue_items_canceled"})


async def wait_until_idle(
    queues: AsyncQueueRepository, queue_id: str, *, timeout: float | None, mine: bool | None
) -> QueueStatus:
    """Wait until no item is pending, running or waiting.

    Raises:
        RunTimeoutError: Such items are left after the timeout.
    """
    latest: deque[QueueStatus] = deque(maxlen=1)
    began = time.monotonic()
    hub = queues.connection.hub

    def concerns(name: str, payload: Any) -> bool:
        return name in _WITHOUT_ITEMS or (name == "queue_item_status_changed" and _ended(payload, queue_id))

    def patience() -> float:
        return timing.QUEUE_SILENCE if hub.connected else timing.POLL

    async def fetch() -> QueueStatus:
        return await queues.status(mine=mine, queue_id=queue_id)

    async def warn_if_blocked() -> None:
        await queues.connection.part(LiveRuns).states.warn_if_blocked(queue_id)

    waiting = hub.changes(queue_room(queue_id), concerns, patience, tolerant=False)
    try:
        async with asyncio.timeout(timeout), waiting as changes:
            while not latest or latest[-1].unfinished:
                change = await anext(changes)
                if change is not Change.RESPONSE:
                    changes.read(fetch, latest.append)
                if change is Change.SILENCE and hub.connected:
                    changes.read(warn_if_blocked, ignore_response, latest=False)
        return latest[-1]
    except TimeoutError as error:
        if isinstance(error, InvokeAIClientError) or timeout is None:
            raise
        status = await last_look(began + timeout, fetch) or (latest[-1] if latest else None)
        if status is not None and not status.unfinished:
            return status
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
    """Return a description of the unfinished items."""
    if status is None:
        return "the server did not report its status"
    words = {"pending": status.pending, "waiting": status.waiting, "running": status.in_progress}
    left = ", ".join(f"{count} {word}" for word, count in words.items() if count)
    current = f" (item {status.item_id})" if status.item_id is not None else ""
    return left + current + ("" if status.is_started else "; its processor is paused")
