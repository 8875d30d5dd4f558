"""Sending a batch, once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from invokeai_py_client.errors import APIRequestError, ConnectionLostError, EnqueueError, RequestTimeoutError
from invokeai_py_client.run.again import items_of_batch

if TYPE_CHECKING:
    from invokeai_py_client.client import AsyncInvokeAIClient

logger = logging.getLogger("invokeai_py_client.run")

_GATEWAY_TROUBLE = frozenset({502, 503, 504})


@dataclass(frozen=True, slots=True)
class Enqueued:
    """What the server took.

    Attributes:
        item_ids: The new items, in the order of the batch.
        requested: How many the batch asked for.
    """

    item_ids: tuple[int, ...]
    requested: int


async def batch_taken(client: AsyncInvokeAIClient, queue_id: str, batch_id: str) -> Enqueued | None:
    """What the server took of a batch whose answer was lost; None where it has nothing of it."""
    known = await client._http.json("GET", f"/api/v1/queue/{queue_id}/b/{batch_id}/status")  # pyright: ignore[reportPrivateUsage]
    if not known["total"]:
        return None
    logger.info("the answer to batch %s was lost, but the server has it", batch_id)
    ids = await items_of_batch(client, queue_id, batch_id, known["total"])
    return Enqueued(tuple(ids), len(ids))


async def enqueue(client: AsyncInvokeAIClient, queue_id: str, body: Mapping[str, Any]) -> Enqueued:
    """Send an enqueue request whose batch carries an id of ours.

    The request itself is never repeated blindly: when its answer is lost, the server is asked for that
    batch first, and it is sent again only if there is none.

    Returns:
        The new items; fewer than asked where the server's queue is full.

    Raises:
        APIRequestError: The server refused the request, or could not be reached.
    """
    batch_id: str = body["batch"]["batch_id"]
    http = client._http  # pyright: ignore[reportPrivateUsage]
    attempt = 0
    while True:
        try:
            answer = await http.json("POST", f"/api/v1/queue/{queue_id}/enqueue_batch", json=body)
            break
        except APIRequestError as error:
            lost = isinstance(error, ConnectionLostError | RequestTimeoutError)
            if not lost and error.status_code not in _GATEWAY_TROUBLE:
                raise
            known = await batch_taken(client, queue_id, batch_id)
            if known is not None:
                return known
            attempt += 1
            if attempt > client.settings.max_retries:
                raise
            await asyncio.sleep(0.25 * 2**attempt)
    item_ids = answer.get("item_ids")
    if item_ids is None:  # 5.15 does not tell them
        item_ids = await items_of_batch(client, queue_id, batch_id, int(answer["enqueued"]))
    return Enqueued(tuple(sorted(item_ids)), int(answer["requested"]))


def raise_if_cut(enqueued: Enqueued, batch_id: str) -> None:
    """Raise if the server took less than all.

    Raises:
        EnqueueError: The server took fewer runs than asked, most often because its queue is full.
    """
    if len(enqueued.item_ids) < enqueued.requested:
        raise EnqueueError(
            f"The server took {len(enqueued.item_ids)} of {enqueued.requested} runs: its queue is full "
            "(max_queue_size in invokeai.yaml). Wait until it is shorter, or clear it.",
            batch_id=batch_id,
            item_id=enqueued.item_ids[0] if enqueued.item_ids else None,
        )
