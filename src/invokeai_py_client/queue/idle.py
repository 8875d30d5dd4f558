"""Waiting until a queue has nothing left to do."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from invokeai_py_client.errors import InvokeAIClientError, RunTimeoutError
from invokeai_py_client.models import JobStatus, QueueStatus
from invokeai_py_client.transport.socket import queue_room

if TYPE_CHECKING:
    from invokeai_py_client.queue.repository import AsyncQueueRepository

# How long no event may come before the queue is looked at all the same, with and without an event connection.
_SILENCE = 10.0
_POLL = 1.0
# Items that end without an event of their own.
_SEVERAL = frozenset({"connect", "queue_cleared", "queue_items_canceled"})


async def wait_until_idle(
    queues: AsyncQueueRepository, queue_id: str, *, timeout: float | None
) -> QueueStatus:
    """Wait until nothing is pending, at work or waiting.

    Raises:
        RunTimeoutError: Something still is.
    """
    status: QueueStatus | None = None
    moved = asyncio.Event()

    def listen(name: str, payload: Any) -> None:
        if name in _SEVERAL or (name == "queue_item_status_changed" and _ended(payload, queue_id)):
            moved.set()

    hub = queues.connection.hub
    try:
        async with asyncio.timeout(timeout), hub.listening(queue_room(queue_id), listen):
            while True:
                moved.clear()
                status = await queues.status(queue_id=queue_id)
                if not status.unfinished:
                    return status
                await _any_move(moved, _SILENCE if hub.connected else _POLL)
    except TimeoutError as error:
        if isinstance(error, InvokeAIClientError):
            raise
        raise RunTimeoutError(
            f"The queue {queue_id!r} was not idle after {timeout:g} s: {_left(status)}.",
            item_id=status.item_id if status else None,
            batch_id=status.batch_id if status else None,
        ) from None


async def _any_move(moved: asyncio.Event, patience: float) -> None:
    waiting = asyncio.ensure_future(moved.wait())
    try:
        await asyncio.wait([waiting], timeout=patience)
    finally:
        waiting.cancel()


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
