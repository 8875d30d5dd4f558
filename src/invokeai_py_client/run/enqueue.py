"""Enqueue a batch exactly once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from invokeai_py_client._aio import cancel_and_wait
from invokeai_py_client.api.queue import AsyncQueueApi
from invokeai_py_client.errors import (
    APIRequestError,
    EnqueueError,
    EnqueueUnknownError,
    MethodNotAllowedError,
    NotFoundError,
    NotInvokeAIError,
    UnprocessableError,
)
from invokeai_py_client.run.live import LiveRuns
from invokeai_py_client.run.queue_items import items_of_batch, read_items
from invokeai_py_client.transport import timing
from invokeai_py_client.transport.json_shape import ListOf, shape_error
from invokeai_py_client.transport.retry import Retries, is_passing, is_unclear

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection

logger = logging.getLogger("invokeai_py_client.run")

_TAKEN = {"enqueued": int, "requested": int}


@dataclass(frozen=True, slots=True)
class Enqueued:
    """The queue items that the server created for a batch.

    Attributes:
        item_ids: The ids of the new items, in the order of the batch.
        requested: How many items the batch asked for.
    """

    item_ids: tuple[int, ...]
    requested: int


async def _batch_status(connection: Connection, queue_id: str, batch_id: str) -> dict[str, Any]:
    status = await connection.part(AsyncQueueApi).get_batch_status(queue_id, batch_id, expect={"total": int})
    return cast("dict[str, Any]", status)


async def batch_taken(connection: Connection, queue_id: str, batch_id: str) -> Enqueued | None:
    """Return the items of a batch whose response was lost, or None if the server does not have the batch."""
    known = await _batch_status(connection, queue_id, batch_id)
    if not known["total"]:
        return None
    logger.info("the response for batch %s was lost, but the server has the batch", batch_id)
    ids = await items_of_batch(connection, queue_id, batch_id, known["total"])
    return Enqueued(tuple(ids), len(ids))


async def enqueue(connection: Connection, queue_id: str, body: Mapping[str, Any], requested: int) -> Enqueued:
    """Send an enqueue request whose batch has an id chosen by the client.

    The request is never repeated blindly. If its outcome is unclear, the client first looks the batch up on the
    server, and sends the request again only if the batch does not exist. A request that seemed lost can still arrive
    later, for example if a proxy held it back. The items it adds are removed.

    If the call is canceled, the batch is canceled too, even if the server is still processing the request.

    Args:
        connection: The server.
        queue_id: The queue.
        body: The request.
        requested: How many items it asks for.

    Returns:
        The new items. Fewer than requested if the server's queue is full.

    Raises:
        EnqueueUnknownError: The outcome of the request is unclear, and the batch cannot be looked up.
        UnprocessableError: The server found the request invalid. If its node types have changed, the error says so.
        APIRequestError: The server refused the request or could not be reached. Nothing was enqueued.
    """
    request = _Request(connection, queue_id, body)
    try:
        return await _enqueue(request, requested)
    except asyncio.CancelledError:
        await cancel_quietly(request.take_back())
        raise


class _Request:
    """An enqueue request that can be taken back.

    Attributes:
        connection: The server.
        queue_id: The queue.
        batch_id: The batch.
    """

    def __init__(self, connection: Connection, queue_id: str, body: Mapping[str, Any]) -> None:
        self.connection = connection
        self.queue_id = queue_id
        self.batch_id: str = body["batch"]["batch_id"]
        self._body = body
        self._sending: asyncio.Task[Any] | None = None

    async def send(self) -> Any:
        """Send the request and return the response.

        The request goes on if the caller is canceled. A server that has received it would carry it out anyway, and
        its response says when that is done.
        """
        api = self.connection.part(AsyncQueueApi)
        self._sending = asyncio.ensure_future(
            api.enqueue_batch(
                self.queue_id, batch=self._body["batch"], prepend=self._body["prepend"], expect=_TAKEN
            )
        )
        return await asyncio.shield(self._sending)

    async def take_back(self) -> None:
        """Cancel the batch as soon as the server has it.

        A cancellation that overtakes the request would find no items.

        Raises:
            APIRequestError: The server refused to cancel the batch, or could not be reached.
        """
        sending = self._sending
        if sending is None:
            return
        try:
            async with asyncio.timeout(timing.TAKE_BACK):
                while True:
                    is_over = sending.done() and not _is_open(sending)
                    known = await _batch_status(self.connection, self.queue_id, self.batch_id)
                    if known["total"]:
                        await cancel_batches(self.connection, self.queue_id, [self.batch_id])
                        return
                    if is_over:
                        return
                    await asyncio.wait({sending}, timeout=0 if sending.done() else timing.TAKE_BACK_POLL)
                    await asyncio.sleep(timing.TAKE_BACK_POLL)
        except TimeoutError as error:
            if isinstance(error, APIRequestError):
                raise
            logger.warning(
                "It is unknown whether the server accepted batch %s, which was interrupted. Check the queue later.",
                self.batch_id,
            )
        finally:
            await cancel_and_wait([sending])


def _is_open(sending: asyncio.Task[Any]) -> bool:
    """Return whether the server may still carry out a request that has failed."""
    error = None if sending.cancelled() else sending.exception()
    return isinstance(error, APIRequestError) and is_unclear(error)


async def _enqueue(request: _Request, requested: int) -> Enqueued:
    connection, queue_id, batch_id = request.connection, request.queue_id, request.batch_id
    unclear: APIRequestError | None = None
    retries = Retries(connection.settings.max_retries)
    while True:
        try:
            response = await request.send()
            break
        except APIRequestError as error:
            if isinstance(error, UnprocessableError):
                raise await _explained(connection, error) from None
            if isinstance(error, NotInvokeAIError) or not is_passing(error):
                raise
            if is_unclear(error):
                unclear = error
            delay = retries.delay_after(error)
            # Look the batch up again after the pause: the server may still be processing the request.
            for pause in (0.0, delay or 0.0):
                await asyncio.sleep(pause)
                if unclear is not None:
                    known = await _taken_or_unknown(connection, queue_id, batch_id, unclear)
                    if known is not None:
                        return Enqueued(known.item_ids, requested)
            if delay is None:
                raise
    item_ids: list[int] = response.get("item_ids")
    if shape_error(item_ids, ListOf(int)):  # 5.15 does not return the ids
        item_ids = await items_of_batch(connection, queue_id, batch_id, response["enqueued"])
    kept = tuple(sorted(item_ids))
    if unclear is not None or len(kept) > response["enqueued"]:
        # The server returns all items of the batch; those of this request have the highest ids.
        kept = kept[: len(kept) - response["enqueued"]] or kept
        await remove_surplus(connection, queue_id, batch_id, kept)
        connection.part(LiveRuns).on_enqueued(
            batch_id, lambda: remove_surplus(connection, queue_id, batch_id, kept)
        )
    return Enqueued(kept, response["requested"])


async def _explained(connection: Connection, error: UnprocessableError) -> UnprocessableError:
    """Return the error for a request that the server found invalid, after checking whether its node types changed."""
    try:
        changed = await connection.schema_has_changed()
    except APIRequestError as other:
        logger.info("could not check whether the server's node types have changed: %s", other)
        return error
    if not changed:
        return error
    return UnprocessableError(
        error.status_code,
        error.payload,
        f"{error} The server's node types have changed since they were read. Load the workflow again.",
        method=error.method,
        path=error.path,
        request_id=error.request_id,
    )


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
            f"It is unknown whether the server accepted batch {batch_id}: {unclear} Looking the batch up failed, too: "
            f'{error} Check later with client.queue.batch_status("{batch_id}").',
            method=unclear.method,
            path=unclear.path,
            request_id=unclear.request_id,
        )
        unknown.batch_id = batch_id
        raise unknown from None


async def remove_surplus(connection: Connection, queue_id: str, batch_id: str, kept: Sequence[int]) -> None:
    """Remove the items that were enqueued twice because a request reached the server a second time."""
    api = connection.part(AsyncQueueApi)
    known = await _batch_status(connection, queue_id, batch_id)
    if known["total"] <= len(kept):
        return
    items = await items_of_batch(connection, queue_id, batch_id, known["total"])
    for item in (await read_items(connection, queue_id, set(items) - set(kept))).values():
        if item.get("retried_from_item_id") is not None:
            continue  # a retry of one of our items
        logger.warning("batch %s reached the server twice; removing item %d", batch_id, item["item_id"])
        try:
            await api.delete_queue_item(queue_id, item["item_id"], idempotent=True, explain=False)
        except NotFoundError:
            logger.debug("queue item %d was already removed", item["item_id"])
        except MethodNotAllowedError:  # items cannot be removed before InvokeAI 6.0
            await api.cancel_queue_item(queue_id, item["item_id"])


async def cancel_batches(connection: Connection, queue_id: str, batch_ids: Sequence[str]) -> None:
    """Cancel the unfinished items of some batches."""
    await connection.part(AsyncQueueApi).cancel_by_batch_ids(queue_id, batch_ids=list(batch_ids))


async def cancel_quietly(cancellation: Coroutine[Any, Any, object]) -> bool:
    """Cancel work on the server after a call was interrupted, logging errors instead of raising them.

    The caller then raises the interruption itself.

    Returns:
        Whether the cancellation succeeded.
    """
    try:
        await asyncio.shield(cancellation)
    except APIRequestError as error:
        logger.warning("could not cancel the interrupted work on the server: %s", error)
        return False
    return True


def raise_if_truncated(enqueued: Enqueued, batch_id: str) -> None:
    """Raise if the server accepted only a part of a batch.

    Raises:
        EnqueueError: The server accepted fewer runs than requested, usually because its queue is full.
    """
    if len(enqueued.item_ids) < enqueued.requested:
        raise EnqueueError(
            f"The server accepted only {len(enqueued.item_ids)} of {enqueued.requested} runs because its queue is full "
            "(max_queue_size in invokeai.yaml). Wait until the queue is shorter, or clear it.",
            batch_id=batch_id,
            item_id=enqueued.item_ids[0] if enqueued.item_ids else None,
        )
