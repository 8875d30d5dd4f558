"""Detection of unreadable queue items, which block the server's queue.

InvokeAI 6.14.2 accepts a batch without checking its values against the fields they are for. A value of the wrong type
creates an item that fails to load each time its turn comes, and nothing else runs. This client never sends such a
batch, but other clients can.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from invokeai_py_client.errors import APIRequestError, RunError, ServerError
from invokeai_py_client.run.queue_items import item_ids, read_items, read_states
from invokeai_py_client.transport.payload import route

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection

logger = logging.getLogger("invokeai_py_client.run")

_OPEN = frozenset({"pending", "in_progress", "waiting"})
_SIGN = "GraphExecutionState"
WAY_OUT = (
    "The queue is blocked: the server cannot read a queue item because a value in its batch has the wrong type, and "
    "runs nothing else. Call client.queue.unblock() to cancel that batch."
)


def is_blocked(error: APIRequestError) -> bool:
    """Return whether a request failed because the server cannot read a queue item."""
    return isinstance(error, ServerError) and _SIGN in str(error)


async def unreadable_batches(connection: Connection, queue_id: str) -> list[str]:
    """Return the ids of the batches that contain unfinished items the server cannot read.

    Raises:
        RunError: Such items exist, but the server (before 6.14) does not report their batches.
    """
    states = await read_states(connection, queue_id, ids := await item_ids(connection, queue_id))
    open_ids = [item for item in ids if item not in states or states[item]["status"] in _OPEN]
    missing = set(open_ids) - set(await read_items(connection, queue_id, open_ids))
    again = await read_states(connection, queue_id, missing)  # some may have ended or been removed since
    found = {item["batch_id"] for item in again.values() if item["status"] in _OPEN}
    if missing and not again and missing & set(await item_ids(connection, queue_id)):
        raise RunError(
            f"The server cannot read the queue items {sorted(missing)} and does not report their batches. "
            "Call client.queue.clear() to remove all items, including these."
        )
    return sorted(found)


async def warn_if_blocked(connection: Connection, queue_id: str) -> None:
    """Log a warning if the queue is blocked by an unreadable item."""
    try:
        await connection.http.json("GET", route("/api/v1/queue/{queue}/next", queue=queue_id))
    except APIRequestError as error:
        if is_blocked(error):
            logger.warning("%s", WAY_OUT)
