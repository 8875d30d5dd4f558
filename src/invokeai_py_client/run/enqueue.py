"""Sending a batch, once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from invokeai_py_client.errors import (
    APIRequestError,
    EnqueueError,
    EnqueueUnknownError,
    MethodNotAllowedError,
    NotFoundError,
    NotInvokeAIError,
)
from invokeai_py_client.run.live import LiveRuns
from invokeai_py_client.run.queue_items import items_of_batch, read_items
from invokeai_py_client.transport.json_shape import ListOf, shape_error
from invokeai_py_client.transport.retry import Retries, is_passing, is_unclear

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection

logger = logging.getLogger("invokeai_py_client.run")

_TAKEN = {"enqueued": int, "requested": int}


@dataclass(frozen=True, slots=True)
class Enqueued:
    """What the server took.

    Attributes:
        item_ids: The new items, in the order of the batch.
        requested: How many the batch asked for.
    """

    item_ids: tuple[int, ...]
    requested: int


async def batch_taken(connection: Connection, queue_id: str, batch_id: str) -> Enqueued | None:
    """What the server took of a batch whose answer was lost; None where it has nothing of it."""
    known = await connection.http.json(
        "GET", f"/api/v1/queue/{queue_id}/b/{batch_id}/status", expect={"total": int}
    )
    if not known["total"]:
        return None
    logger.info("the answer to batch %s was lost, but the server has it", batch_id)
    ids = await items_of_batch(connection, queue_id, batch_id, known["total"])
    return Enqueued(tuple(ids), len(ids))


async def enqueue(connection: Connection, queue_id: str, body: Mapping[str, Any], requested: int) -> Enqueued:
    """Send an enqueue request whose batch carries an id of ours.

    The request itself is never repeated blindly: when it is unclear what became of it, the server is asked for
    that batch first, and it is sent again only if there is none. A request that was thought lost can still come
    to the server after that one (some proxy held it back); what it adds is removed.

    Args:
        connection: The server.
        queue_id: The queue.
        body: The request.
        requested: How many items it asks for.

    Returns:
        The new items; fewer than asked where the server's queue is full.

    Raises:
        EnqueueUnknownError: It is unclear what became of the request, and the server cannot be asked.
        APIRequestError: The server refused the request, or could not be reached: it has nothing of the batch.
    """
    batch_id: str = body["batch"]["batch_id"]
    http = connection.http
    path = f"/api/v1/queue/{queue_id}/enqueue_batch"
    unclear: APIRequestError | None = None
    retries = Retries(connection.settings.max_retries)
    while True:
        try:
            answer = await http.json("POST", path, json=body, expect=_TAKEN)
            break
        except APIRequestError as error:
            if isinstance(error, NotInvokeAIError) or not is_passing(error):
                raise
            if is_unclear(error):
                unclear = error
            delay = retries.delay_after(error)
            # It is asked for after the pause, too: what was lost on its way back can still be worked at.
            for pause in (0.0, delay or 0.0):
                await asyncio.sleep(pause)
                if unclear is not None:
                    known = await _taken_or_unknown(connection, queue_id, batch_id, unclear)
                    if known is not None:
                        return Enqueued(known.item_ids, requested)
            if delay is None:
                raise
    item_ids: list[int] = answer.get("item_ids")
    if shape_error(item_ids, ListOf(int)):  # 5.15 does not tell them
        item_ids = await items_of_batch(connection, queue_id, batch_id, answer["enqueued"])
    kept = tuple(sorted(item_ids))
    if unclear is not None or len(kept) > answer["enqueued"]:
        # The server answers with all items of the batch, and gave this request's the highest ids.
        kept = kept[: len(kept) - answer["enqueued"]] or kept
        await remove_surplus(connection, queue_id, batch_id, kept)
        connection.part(LiveRuns).on_enqueued(
            batch_id, lambda: remove_surplus(connection, queue_id, batch_id, kept)
        )
    return Enqueued(kept, answer["requested"])


async def _taken_or_unknown(
    connection: Connection, queue_id: str, batch_id: str, unclear: APIRequestError
) -> Enqueued | None:
    try:
        return await batch_taken(connection, queue_id, batch_id)
    except APIRequestError as error:
        if not is_passing(error):
            raise
        unknown = EnqueueUnknownError(
            None,
            None,
            f"It is not known whether the server took batch {batch_id}: {unclear} It cannot be asked either: {error} "
            f'Ask later, with client.queue_repo.batch_status("{batch_id}").',
            method=unclear.method,
            path=unclear.path,
            request_id=unclear.request_id,
        )
        unknown.batch_id = batch_id
        raise unknown from None


async def remove_surplus(connection: Connection, queue_id: str, batch_id: str, kept: Sequence[int]) -> None:
    """Remove what a request added to the queue that came to the server a second time."""
    http = connection.http
    known = await http.json("GET", f"/api/v1/queue/{queue_id}/b/{batch_id}/status", expect={"total": int})
    if known["total"] <= len(kept):
        return
    items = await items_of_batch(connection, queue_id, batch_id, known["total"])
    for item in (await read_items(connection, queue_id, set(items) - set(kept))).values():
        if item.get("retried_from_item_id") is not None:
            continue  # somebody retried one of ours
        logger.warning("batch %s came to the server twice; item %d is removed", batch_id, item["item_id"])
        try:
            await http.json("DELETE", f"/api/v1/queue/{queue_id}/i/{item['item_id']}")
        except NotFoundError:
            logger.debug("queue item %d is gone already", item["item_id"])
        except MethodNotAllowedError:  # before InvokeAI 6.0 none can be removed
            await http.json("PUT", f"/api/v1/queue/{queue_id}/i/{item['item_id']}/cancel")


async def cancel_batches(connection: Connection, queue_id: str, batch_ids: Sequence[str]) -> None:
    """Cancel what has not ended of some batches."""
    path = f"/api/v1/queue/{queue_id}/cancel_by_batch_ids"
    await connection.http.json("PUT", path, json={"batch_ids": list(batch_ids)})


async def cancel_quietly(cancellation: Coroutine[Any, Any, object]) -> bool:
    """Cancel something on the server, on the way out of a call that was interrupted: that is what it then raises.

    Returns:
        Whether it is canceled.
    """
    try:
        await asyncio.shield(cancellation)
    except APIRequestError as error:
        logger.warning("what was begun could not be canceled: %s", error)
        return False
    return True


def raise_if_truncated(enqueued: Enqueued, batch_id: str) -> None:
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
