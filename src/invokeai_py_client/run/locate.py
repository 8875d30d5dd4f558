"""Finding queue items: those of a batch, and how many stand before them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invokeai_py_client.run.queue_items import item_ids, read_states

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection

_CHUNK = 1000
_NEWEST = 100

_PENDING = {"queue": {"pending": int}}


async def items_of_batch(connection: Connection, queue_id: str, batch_id: str, count: int) -> list[int]:
    """Ids of a batch's items, oldest first; without items that a workflow called by them added.

    Args:
        connection: The server.
        queue_id: The queue.
        batch_id: The batch.
        count: How many there are, as the batch's status tells.
    """
    newest = (await item_ids(connection, queue_id))[::-1]
    found: list[int] = []
    # It was sent a moment ago, most often: then its items are the newest.
    few = min(_CHUNK, max(count, _NEWEST))
    for start, end in [(0, few), *((at, at + _CHUNK) for at in range(few, len(newest), _CHUNK))]:
        items = await read_states(connection, queue_id, newest[start:end])
        found += [
            item["item_id"]
            for item in items.values()
            if item["batch_id"] == batch_id and item.get("parent_item_id") is None
        ]
        if len(found) >= count:
            break
    return sorted(found)


async def pending_count(connection: Connection, queue_id: str) -> int:
    """Return how many items of a queue are pending."""
    status = await connection.http.json("GET", f"/api/v1/queue/{queue_id}/status", expect=_PENDING)
    return status["queue"]["pending"]
