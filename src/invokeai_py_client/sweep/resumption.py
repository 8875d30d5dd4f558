"""Picks a sweep up where its manifest ends."""

# This is a part of the sweep's own work, in a file of its own.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from invokeai_py_client.models.enums import JobStatus
from invokeai_py_client.run.enqueue import batch_taken
from invokeai_py_client.sweep.manifest import Manifest, Sending, now

if TYPE_CHECKING:
    from invokeai_py_client.sweep.sweep import AsyncSweep

# A request that was under way when its sender died may still be carried out: the server takes thousands of runs in
# seconds. After so long it will not come any more.
_UNDER_WAY = 15.0
_AGAIN = 0.5


async def pick_up(sweep: AsyncSweep, kept: Manifest) -> None:
    """Bring a sweep to where its manifest and the server say that it is.

    A run that was canceled runs again: when a server dies, it cancels what it was at.
    """
    known = {index: record for index, record in kept.runs.items() if not _was_canceled(record)}
    items: dict[int, tuple[int, str]] = {}
    for sending in kept.batches:
        taken = sending.items if sending.items is not None else await _settled(sweep, sending)
        if sending.items is None and sweep._manifest is not None:
            sweep._manifest.write("sent", batch=sending.batch_id, items=taken)
        first = kept.requests[sending.request].first
        for row, item_id in zip(sending.rows, taken, strict=False):
            items[first + row] = (item_id, sending.batch_id)
        sweep._delivery.batches.append(sending.batch_id)
    for index, (item_id, batch_id) in items.items():
        record = known.get(index)
        if record is not None and record["item"] == item_id:
            sweep._add_run(index, item_id, batch_id)._recall(record)
            sweep._follower.drop(item_id)
            sweep._open.discard(index)
            sweep._order.append(index)
        elif index not in kept.runs or kept.runs[index]["item"] != item_id:
            sweep._add_run(index, item_id, batch_id)
    await sweep._follower.read_states()
    for index in sorted(sweep._open):
        run = sweep._runs.get(index)
        if run is not None and run.status.state is JobStatus.CANCELLED:
            sweep._follower.drop(run.item_id)
            del sweep._runs[index]
    sweep._delivery.add(index for index in sweep._open if index not in sweep._runs)
    await sweep._send()


async def _settled(sweep: AsyncSweep, sending: Sending) -> list[int]:
    """The items of a batch of which the manifest does not tell whether the server took it; none if it did not."""
    while True:
        taken = await batch_taken(sweep.connection, sweep.queue_id, sending.batch_id)
        if taken is not None:
            return list(taken.item_ids)
        if now() - sending.time > _UNDER_WAY:
            return []
        await asyncio.sleep(_AGAIN)


def _was_canceled(record: dict[str, Any]) -> bool:
    return JobStatus(record["state"]) is JobStatus.CANCELLED
