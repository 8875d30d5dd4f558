"""Waiting until a queue has nothing left to do."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, cast

from invokeai_py_client.errors import InvokeAIClientError, RunTimeoutError
from invokeai_py_client.models import JobStatus, QueueStatus
from invokeai_py_client.transport import timing
from invokeai_py_client.transport.changes import Change
from invokeai_py_client.transport.socket import queue_room

if TYPE_CHECKING:
    from invokeai_py_client.queue.repository import AsyncQueueRepository

# Items that end without an event of their own.
_SEVERAL = frozenset({"queue_cleared", "queue_items_canceled"})


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
        return name in _SEVERAL or (name == "queue_item_status_changed" and _ended(payload, queue_id))

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
