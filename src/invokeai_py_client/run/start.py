"""From a prepared request to its runs: sent once, and followed from before it is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from invokeai_py_client.run.enqueue import cancel_batches, cancel_quietly, enqueue, raise_if_truncated
from invokeai_py_client.run.live import LiveRuns
from invokeai_py_client.run.run import AsyncRun
from invokeai_py_client.run.tracker import BatchTracker

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.engine.inputs import InputSet


async def start_runs(
    connection: Connection, body: Mapping[str, Any], inputs: InputSet, *, queue_id: str = "default"
) -> list[AsyncRun]:
    """Enqueue a prepared request, and return its runs.

    If the call is canceled, so is the batch, because nobody holds its runs.

    Args:
        connection: The server.
        body: The request, with a batch id of ours.
        inputs: The inputs that the request was made of. The runs keep their values and the nodes' labels.
        queue_id: The queue. Defaults to the queue that the web UI shows.

    Returns:
        The runs, in the order of the batch.

    Raises:
        EnqueueError: The server took fewer runs than the request makes, because its queue is full.
        APIRequestError: The server refused the request, or could not be reached.
    """
    batch_id: str = body["batch"]["batch_id"]
    tracker = BatchTracker(batch_id, in_front=body["prepend"])
    await connection.part(LiveRuns).follow(tracker, queue_id)
    tracker.settled = tracker.gaps  # a connection was made for it, before there was anything to miss
    try:
        enqueued = await enqueue(connection, queue_id, body, count_runs(body))
        raise_if_truncated(enqueued, batch_id)
    except asyncio.CancelledError:
        # Whether the server took it is not known; nobody will hold these runs, so they must not go on.
        await cancel_quietly(cancel_batches(connection, queue_id, [batch_id]))
        raise
    tracker.sent(enqueued.item_ids)
    labels, values = inputs.node_labels(), inputs.snapshot()
    return [
        AsyncRun(connection, item_id, tracker, queue_id=queue_id, inputs=values, labels=labels)
        for item_id in enqueued.item_ids
    ]


def count_runs(body: Mapping[str, Any]) -> int:
    """Return how many queue items a request makes: the product of its lists' lengths, times ``runs``."""
    count: int = body["batch"]["runs"]
    for zipped in body["batch"].get("data") or ():
        count *= len(zipped[0]["items"]) if zipped else 0
    return count
