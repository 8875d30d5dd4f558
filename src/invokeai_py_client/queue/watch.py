"""Following a whole queue: how it stands, and what happens in it."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

from invokeai_py_client.errors import APIRequestError
from invokeai_py_client.models import QueueStatus
from invokeai_py_client.run.events import RunEvent, StatusChanged, parse_event
from invokeai_py_client.transport import timing
from invokeai_py_client.transport.socket import queue_room

if TYPE_CHECKING:
    from invokeai_py_client.queue.repository import AsyncQueueRepository

# Changes of many items that come without an event for each.
_SEVERAL = frozenset(
    {"connect", "queue_cleared", "queue_items_canceled", "queue_items_retried", "batch_enqueued"}
)
_MOST = 10_000
# How long the events of items that have ended may be on their way.
_LATE = 1.0


async def watch(
    queues: AsyncQueueRepository, queue_id: str, interval: float
) -> AsyncGenerator[QueueStatus | RunEvent]:
    """What ``AsyncQueueRepository.watch()`` gives."""
    events: deque[RunEvent] = deque(maxlen=_MOST)  # somebody who does not read must not fill the memory
    running: set[int] = set()
    news = asyncio.Event()
    stale = True
    contact: float | None = None

    def listen(name: str, payload: Any) -> None:
        nonlocal stale
        event = parse_event(name, payload)
        if name in _SEVERAL:
            stale = True
            running.clear()
        elif event is None or event.get("queue_id") != queue_id:
            return
        else:
            events.append(event)
            if isinstance(event, StatusChanged):
                stale = True
                (running.discard if event.status.is_final else running.add)(event.item_id)
        news.set()

    hub = queues.connection.hub
    async with hub.listening(queue_room(queue_id), listen):
        while True:
            news.clear()
            while events:
                yield events.popleft()
            if stale:
                stale = False  # before asking: what changes meanwhile is asked for once more
                try:
                    status = await queues.status(queue_id=queue_id)
                except APIRequestError as error:
                    if contact is None:
                        raise
                    await timing.tolerate_outage(error, contact)
                    stale = True
                    continue
                contact = time.monotonic()
                if not status.unfinished:
                    # Somebody who waits for this leaves now: the last items' own events come first.
                    await _heard_of_all(running, news)
                while events:
                    yield events.popleft()
                yield status
                continue
            try:
                async with asyncio.timeout(interval if hub.connected else min(timing.POLL, interval)):
                    await news.wait()
            except TimeoutError:
                stale = True


async def _heard_of_all(running: set[int], news: asyncio.Event) -> None:
    """Wait for the events of items that have ended, but not for ever."""
    try:
        async with asyncio.timeout(_LATE):
            while running:
                news.clear()
                await news.wait()
    except TimeoutError:
        running.clear()
