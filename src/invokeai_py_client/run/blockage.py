"""Why the server's queue runs nothing: items that it cannot read, or a session processor that has ended.

InvokeAI 6.14.2 accepts a batch without checking its values against the fields they are for. A value of the wrong type
creates an item that fails to load each time its turn comes, and nothing else runs. This client never sends such a
batch, but other clients can.

The session processor (6.14.2) waits up to five seconds for a locked database. If it cannot store the end of an item,
and then cannot store this failure either, it ends, and nothing runs until the server is restarted. The server still
responds to requests and reports that the processor is started.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from invokeai_py_client.api.queue import AsyncQueueApi
from invokeai_py_client.errors import APIRequestError, RunError, ServerError
from invokeai_py_client.models.job import is_hidden
from invokeai_py_client.run.queue_items import item_ids, read_items, read_states
from invokeai_py_client.transport import timing

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection

logger = logging.getLogger("invokeai_py_client.run")

_OPEN = frozenset({"pending", "in_progress", "waiting"})
_SIGN = "GraphExecutionState"
WAY_OUT = (
    "The queue is blocked: the server cannot read a queue item because a value in its batch has the wrong type, and "
    "runs nothing else. Call client.queue.unblock() or run `ivk queue unblock` to cancel that batch."
)
STOPPED = (
    "The server runs nothing, although its queue is not empty and not paused. Its session processor has ended, which "
    "happens if the server's database was locked for several seconds, for example by a backup (InvokeAI 6.14), or it "
    "fails at an item of another queue. Make sure that no other program uses the database, and restart the server "
    "(locally: `ivk server stop` and `ivk server start`). Pending items run then. Items in progress are canceled, and "
    "you can retry them."
)


def is_blocked(error: APIRequestError) -> bool:
    """Return whether a request failed because the server cannot read a queue item."""
    return isinstance(error, ServerError) and _SIGN in str(error)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Unfinished queue items that the server cannot read.

    Attributes:
        batch_ids: The ids of their batches.
        others: The ids of items that belong to other users, so that their batches are unknown.
    """

    batch_ids: tuple[str, ...]
    others: tuple[int, ...]


async def find_unreadable(connection: Connection, queue_id: str) -> Unreadable:
    """Return the unfinished items of a queue that the server cannot read.

    Raises:
        RunError: Such items exist, but the server (before 6.14) does not report their batches.
    """
    states = await read_states(connection, queue_id, ids := await item_ids(connection, queue_id))
    open_ids = [item for item in ids if item not in states or states[item]["status"] in _OPEN]
    missing = set(open_ids) - set(await read_items(connection, queue_id, open_ids))
    again = await read_states(connection, queue_id, missing)  # some may have ended or been removed since
    found = {item_id: item for item_id, item in again.items() if item["status"] in _OPEN}
    if missing and not again and missing & set(await item_ids(connection, queue_id)):
        raise RunError(
            f"The server cannot read the queue items {sorted(missing)} and does not report their batches. "
            "Call client.queue.clear() to remove all items, including these."
        )
    return Unreadable(
        tuple(sorted({item["batch_id"] for item in found.values() if not is_hidden(item)})),
        tuple(sorted(item_id for item_id, item in found.items() if is_hidden(item))),
    )


async def is_stopped(connection: Connection, queue_id: str) -> bool:
    """Whether the server's session processor has ended, so that no item runs until the server is restarted.

    A working processor looks for pending items every second. Therefore the processor counts as ended if unfinished
    items remain for some time while it is started and works on none. Takes that time only in this case.

    Raises:
        APIRequestError: The server refused the request, failed, or could not be reached.
    """
    since = time.monotonic()
    first: Any = None
    api = connection.part(AsyncQueueApi)
    while True:
        status: Any = await api.get_queue_status(queue_id, expect=_STATUS)
        queue, processor = status["queue"], status["processor"]
        if not processor["is_started"] or processor["is_processing"]:
            return False
        counts = {name: queue[name] for name in ("pending", "in_progress", "completed", "failed", "canceled")}
        if not counts["pending"] + counts["in_progress"] or (first is not None and counts != first):
            return False
        if time.monotonic() - since >= timing.PROCESSOR_IDLE:
            return True
        first = counts
        await asyncio.sleep(min(timing.POLL, timing.PROCESSOR_IDLE / 4))


_STATUS = {
    "queue": {"pending": int, "in_progress": int, "completed": int, "failed": int, "canceled": int},
    "processor": {"is_started": bool, "is_processing": bool},
}


async def why_blocked(connection: Connection, queue_id: str) -> str | None:
    """Return why a queue runs nothing and what to do, or None if it works or is paused.

    Raises:
        APIRequestError: The server refused the request, failed, or could not be reached.
    """
    try:
        await connection.part(AsyncQueueApi).get_next_queue_item(queue_id)
    except APIRequestError as error:
        if is_blocked(error):
            return WAY_OUT
        raise
    if not await is_stopped(connection, queue_id):
        return None
    # An item that is not the next one by the order of this list may be the next one by the processor's order.
    unreadable = await find_unreadable(connection, queue_id)
    return WAY_OUT if unreadable.batch_ids or unreadable.others else STOPPED


async def warn_if_blocked(connection: Connection, queue_id: str, known: str | None) -> str | None:
    """Log a warning if nothing runs in a queue that is not paused.

    Args:
        connection: The server.
        queue_id: The queue.
        known: The reason that an earlier call returned. It is not logged again.

    Returns:
        The reason, or None if the queue works.
    """
    try:
        reason = await why_blocked(connection, queue_id)
    except APIRequestError as error:
        logger.debug("could not check whether the queue is blocked: %s", error)
        return known
    if reason is not None and reason != known:
        logger.warning("%s", reason)
    return reason
