"""Read queue items, singly or in bulk.

The ids of queue items are not unique: after the server's database was recreated, they start from 1 again, and another
server has items with the same ids. The ids of batches are unique, because clients choose them. So all code that reads
an item that it knows from before passes the id of its batch, and an item of another batch counts as removed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

from invokeai_py_client._aio import gather_or_cancel
from invokeai_py_client.api.queue import AsyncQueueApi
from invokeai_py_client.errors import APIRequestError, NotFoundError, ServerError
from invokeai_py_client.transport.json_shape import QUEUE_ITEM, ListOf
from invokeai_py_client.transport.payload import ROUTE_MISSING, route

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection

Item = TypeVar("Item", bound=Mapping[str, Any])

logger = logging.getLogger("invokeai_py_client.run")

# Whole items contain the graph and the workflow; summaries are a few hundred bytes. The server accepts up to 1000 ids.
_ITEMS = 100
_SUMMARIES = 1000
_AT_ONCE = 8
# InvokeAI 5.15 has this instead of `list_all_queue_items`, which came with 6.0.
_PAGES = "/api/v1/queue/{queue}/list"


def of_batch(item: Item | None, batch_id: str | None) -> Item | None:
    """Return an item, or None if it belongs to another batch, so that its id was given to another item.

    Args:
        item: The item with this id on the server, or None if it does not exist.
        batch_id: The batch of the item that the caller means, or None if the caller does not know it.
    """
    if item is None or batch_id is None or item["batch_id"] == batch_id:
        return item
    logger.warning(
        "Queue item %d of batch %s no longer exists: item %d now belongs to batch %s. The server's database was "
        "recreated, or this is another server.",
        item["item_id"],
        batch_id,
        item["item_id"],
        item["batch_id"],
    )
    return None


def of_batches(items: Mapping[int, Item], batches: Mapping[int, str]) -> dict[int, Item]:
    """Return items by id, without those that belong to another batch than the one given for their id."""
    return {
        item_id: item for item_id, item in items.items() if of_batch(item, batches.get(item_id)) is not None
    }


async def read_item(
    connection: Connection, queue_id: str, item_id: int, batch_id: str | None = None
) -> dict[str, Any]:
    """Return one whole queue item.

    Args:
        connection: The server.
        queue_id: The queue.
        item_id: The item's id.
        batch_id: The item's batch. Defaults to None: not known.

    Raises:
        NotFoundError: The queue has no such item, or the item belongs to another batch.
        APIRequestError: The server refused the request, failed, or could not be reached.
    """
    api = connection.part(AsyncQueueApi)
    try:
        item = await api.get_queue_item(queue_id, item_id, expect=QUEUE_ITEM)
    except ServerError as error:
        if await is_missing(connection, queue_id, item_id, error):
            raise no_item(queue_id, item_id, error) from None
        raise
    found = cast("dict[str, Any]", item)
    if of_batch(found, batch_id) is None:
        raise no_item_of_batch(queue_id, found, str(batch_id))
    return found


async def is_missing(connection: Connection, queue_id: str, item_id: int, error: APIRequestError) -> bool:
    """Return whether a request about an item failed because the queue has no such item.

    Servers before InvokeAI 6.0 respond with a bare 500, as for any other failure, so the list of items decides. For an
    item of another queue, 6.14.2 responds with a 500 whose message contains a 404.
    """
    if error.status_code == 404 or "404: " in str(error):
        return True
    if error.status_code != 500:
        return False
    try:
        return item_id not in await item_ids(connection, queue_id)
    except APIRequestError:
        return False  # report the first error, not this one


def no_item(queue_id: str, item_id: int, error: APIRequestError) -> NotFoundError:
    """Return the error for a queue item that does not exist."""
    return NotFoundError(
        404,
        error.payload,
        f"The queue {queue_id!r} has no item {item_id}.",
        method=error.method,
        path=error.path,
        request_id=error.request_id,
    )


def no_item_of_batch(queue_id: str, item: Mapping[str, Any], batch_id: str) -> NotFoundError:
    """Return the error for a queue item whose id was given to an item of another batch."""
    from invokeai_py_client.api.operations import OPERATIONS

    item_id = item["item_id"]
    return NotFoundError(
        404,
        None,
        f"The queue {queue_id!r} has no item {item_id} of batch {batch_id}. Item {item_id} belongs to batch "
        f"{item['batch_id']}: the server's database was recreated, or this is another server.",
        method="GET",
        path=route(OPERATIONS["get_queue_item"].path, queue_id=queue_id, item_id=item_id),
    )


async def item_ids(connection: Connection, queue_id: str) -> list[int]:
    """Return the ids of all items of a queue, oldest first.

    Takes one small request from InvokeAI 6.7. Older servers send large parts of the items along.
    """
    ids = await cheap_item_ids(connection, queue_id)
    if ids is None:
        ids = [item["item_id"] for item in await _all_items(connection, queue_id)]
    # Sort by id: the server sorts by creation time in seconds, which is equal for a whole batch.
    return sorted(ids)


async def cheap_item_ids(connection: Connection, queue_id: str) -> list[int] | None:
    """Return the ids of all items of a queue, or None if the server can't list ids alone (before 6.7)."""
    api = connection.part(AsyncQueueApi)
    try:
        response = await api.get_queue_item_ids(queue_id, expect={"item_ids": ListOf(int)}, explain=False)
    except ROUTE_MISSING:
        return None
    return response["item_ids"]


async def read_items(
    connection: Connection, queue_id: str, item_ids: Iterable[int]
) -> dict[int, dict[str, Any]]:
    """Return whole queue items, keyed by id. Deleted items are omitted.

    Sends one request per hundred items from InvokeAI 6.7, and one per item to older servers.
    """
    ids = list(item_ids)
    found: dict[int, dict[str, Any]] = {}
    for start in range(0, len(ids), _ITEMS):
        chunk = ids[start : start + _ITEMS]
        items = await _by_ids(connection.part(AsyncQueueApi).get_queue_items_by_item_ids, queue_id, chunk)
        if items is None:
            items = await _one_by_one(connection, queue_id, chunk)
        found.update((item["item_id"], item) for item in items)
    return found


async def read_states(
    connection: Connection, queue_id: str, item_ids: Iterable[int]
) -> dict[int, dict[str, Any]]:
    """Return the status of queue items, keyed by id. Deleted items are omitted.

    The items come without their sessions from InvokeAI 6.14, and whole from older servers.
    """
    ids = list(item_ids)
    found: dict[int, dict[str, Any]] = {}
    for start in range(0, len(ids), _SUMMARIES):
        chunk = ids[start : start + _SUMMARIES]
        items = await _by_ids(connection.part(AsyncQueueApi).get_queue_item_summaries_by_ids, queue_id, chunk)
        if items is None:
            found |= await read_items(connection, queue_id, chunk)
        else:
            found.update((item["item_id"], item) for item in items)
    return found


async def _all_items(connection: Connection, queue_id: str) -> list[dict[str, Any]]:
    """Return all items: in one request from InvokeAI 6.0, else page by page, those with the highest priority first."""
    api = connection.part(AsyncQueueApi)
    try:
        every = await api.list_all_queue_items(queue_id, expect=ListOf(QUEUE_ITEM), explain=False)
        return cast("list[dict[str, Any]]", every)
    except ROUTE_MISSING:
        pass
    items: list[dict[str, Any]] = []
    params: dict[str, Any] = {"limit": _SUMMARIES}
    path = route(_PAGES, queue=queue_id)
    more = True
    while more:
        page = await connection.http.json(
            "GET", path, params=params, expect={"items": ListOf(QUEUE_ITEM), "has_more": bool}
        )
        items += page["items"]
        more = page["has_more"] and bool(page["items"])
        if more:
            params.update(cursor=items[-1]["item_id"], priority=items[-1].get("priority", 0))
    return items


async def _by_ids(
    operation: Callable[..., Awaitable[Any]], queue_id: str, ids: Sequence[int]
) -> list[dict[str, Any]] | None:
    try:
        return await operation(queue_id, item_ids=list(ids), expect=ListOf(QUEUE_ITEM), explain=False)
    except ROUTE_MISSING:
        return None  # the server is too old for this route


async def _one_by_one(connection: Connection, queue_id: str, ids: Sequence[int]) -> list[dict[str, Any]]:
    limit = asyncio.Semaphore(_AT_ONCE)

    async def read(item_id: int) -> dict[str, Any] | None:
        async with limit:
            try:
                return await read_item(connection, queue_id, item_id)
            except NotFoundError:
                return None

    return [item for item in await gather_or_cancel(map(read, ids)) if item is not None]


_CHUNK = 1000
_NEWEST = 100

_PENDING = {"queue": {"pending": int}}


async def items_of_batch(connection: Connection, queue_id: str, batch_id: str, count: int) -> list[int]:
    """Return the ids of a batch's items, oldest first, without the items of workflows that they called.

    Args:
        connection: The server.
        queue_id: The queue.
        batch_id: The batch.
        count: How many items the batch has, according to its status.
    """
    newest = (await item_ids(connection, queue_id))[::-1]
    found: list[int] = []
    # The batch was usually sent just now, so its items are among the newest.
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
    status = await connection.part(AsyncQueueApi).get_queue_status(queue_id, expect=_PENDING)
    return status["queue"]["pending"]
