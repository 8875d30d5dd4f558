"""Start runs: enqueue a prepared request and follow its queue items."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from invokeai_py_client.engine.inputs import seed_names
from invokeai_py_client.run.enqueue import cancel_batches, cancel_quietly, enqueue, raise_if_truncated
from invokeai_py_client.run.live import LiveRuns
from invokeai_py_client.run.reported import ReportedItems
from invokeai_py_client.run.run import AsyncRun
from invokeai_py_client.run.tracker import BatchTracker
from invokeai_py_client.transport.loop import if_abandoned

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.engine.inputs import InputSet


async def start_runs(
    connection: Connection, body: Mapping[str, Any], inputs: InputSet, *, queue_id: str = "default"
) -> list[AsyncRun]:
    """Enqueue a prepared request, and return its runs.

    If the call is canceled, the batch is canceled too, because the caller never gets its runs.

    Args:
        connection: The server.
        body: The request, with a batch id chosen by the client.
        inputs: The inputs that the request was built from. The runs keep their values and the nodes' labels.
        queue_id: The queue. Defaults to the queue that the web UI shows.

    Returns:
        The runs, in the order of the batch.

    Raises:
        EnqueueError: The server accepted fewer runs than requested, because its queue is full.
        APIRequestError: The server refused the request or could not be reached.
    """
    batch_id: str = body["batch"]["batch_id"]
    count = count_runs(body)
    # The item of a single run is read whole. Those of many runs are assembled from their events.
    reported = ReportedItems(body["batch"]) if count > 1 else None
    tracker = BatchTracker(batch_id, keep_results=count > 1, in_front=body["prepend"])
    await connection.part(LiveRuns).follow(tracker, queue_id)
    tracker.settled = tracker.gaps  # gaps before the batch is sent cannot hide any of its events
    enqueued = await enqueue(connection, queue_id, body, count)
    if_abandoned(lambda: cancel_quietly(cancel_batches(connection, queue_id, [batch_id])))
    raise_if_truncated(enqueued, batch_id)
    tracker.sent(enqueued.item_ids)
    labels, values, seeds = _shared(*inputs.node_labels().items()), inputs.snapshot(), seed_names(inputs)
    return [
        AsyncRun(
            connection,
            item_id,
            tracker,
            queue_id=queue_id,
            inputs=values,
            labels=labels,
            seeds=seeds,
            reported=reported,
        )
        for item_id in enqueued.item_ids
    ]


@lru_cache(maxsize=64)
def _shared(*labels: tuple[str, str]) -> Mapping[str, str]:
    """Return the labels of a workflow's nodes, which all of its runs share."""
    return dict(labels)


def count_runs(body: Mapping[str, Any]) -> int:
    """Return how many queue items a request creates: the product of the lengths of its lists, times ``runs``."""
    count: int = body["batch"]["runs"]
    for zipped in body["batch"].get("data") or ():
        count *= len(zipped[0]["items"]) if zipped else 0
    return count
