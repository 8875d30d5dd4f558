"""Queue items that the server cannot read: it stumbles over such an item again and again, and runs nothing else.

InvokeAI 6.14.2 takes a batch without comparing its values with the fields that they are for. One of the wrong type
makes an item that fails to load whenever its turn comes. This client sends no such batch; another one can.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from invokeai_py_client.errors import APIRequestError, RunError, ServerError
from invokeai_py_client.run.queue_items import item_ids, read_items, read_states

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection

logger = logging.getLogger("invokeai_py_client.run")

_OPEN = frozenset({"pending", "in_progress", "waiting"})
_SIGN = "GraphExecutionState"
WAY_OUT = (
    "The server cannot read a queue item, because a value of its batch is of the wrong type, and runs nothing else "
    "meanwhile. client.queue_repo.unblock() cancels its batch."
)


def is_blocked(error: APIRequestError) -> bool:
    """Whether a request failed at an item that the server cannot read."""
    return isinstance(error, ServerError) and _SIGN in str(error)


async def unreadable_batches(connection: Connection, queue_id: str) -> list[str]:
    """The batches of the items that have not ended and that the server cannot read.

    Raises:
        RunError: There are such items, but the server (before 6.14) does not tell their batches.
    """
    states = await read_states(connection, queue_id, ids := await item_ids(connection, queue_id))
    open_ids = [item for item in ids if item not in states or states[item]["status"] in _OPEN]
    missing = set(open_ids) - set(await read_items(connection, queue_id, open_ids))
    again = await read_states(connection, queue_id, missing)  # some may have ended meanwhile, and be gone
    found = {item["batch_id"] for item in again.values() if item["status"] in _OPEN}
    if missing and not again and missing & set(await item_ids(connection, queue_id)):
        raise RunError(
            f"The server cannot read the queue items {sorted(missing)}, and does not tell their batches. "
            "client.queue_repo.clear() removes them, with all others."
        )
    return sorted(found)


async def warn_if_blocked(connection: Connection, queue_id: str) -> None:
    """Say in the log why nothing goes on, if it is that."""
    try:
        await connection.http.json("GET", f"/api/v1/queue/{queue_id}/next")
    except APIRequestError as error:
        if is_blocked(error):
            logger.warning("%s", WAY_OUT)
