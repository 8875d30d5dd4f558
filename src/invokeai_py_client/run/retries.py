"""Retry queue items, each exactly once."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from invokeai_py_client.api.queue import AsyncQueueApi
from invokeai_py_client.errors import APIRequestError
from invokeai_py_client.models.job import is_hidden
from invokeai_py_client.run.queue_items import item_ids, of_batches, read_items
from invokeai_py_client.transport.json_shape import ListOf
from invokeai_py_client.transport.retry import Retries, is_unclear

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection

logger = logging.getLogger("invokeai_py_client.run")


async def retry_items(
    connection: Connection, queue_id: str, ids: Iterable[int], batches: Mapping[int, str] | None = None
) -> dict[int, int]:
    """Retry items, each exactly once.

    If the response is lost, the outcome is read from the server, and the request is not sent again. Items of other
    users are skipped if there are others to retry.

    Args:
        connection: The server.
        queue_id: The queue.
        ids: The ids of the items.
        batches: The batch of each item whose batch is known, by the item's id. An item of another batch is not
            retried. Defaults to none.

    Returns:
        The id of the new item for each retried item. The server retries only items that failed or were canceled. For
        an item of a called workflow, it retries the run that called the workflow.

    Raises:
        PermissionDeniedError: All items belong to other users.
        APIRequestError: The server refused the request, failed, or could not be reached.
    """
    known = of_batches(await read_items(connection, queue_id, dict.fromkeys(ids)), batches or {})
    own = {item_id: item for item_id, item in known.items() if not is_hidden(item)}
    if own and len(own) < len(known):
        logger.warning(
            "did not retry queue items %s: they belong to other users", sorted(set(known) - set(own))
        )
        known = own
    if not known:
        return {}
    roots = {item_id: item.get("root_item_id") or item_id for item_id, item in known.items()}
    items = known | await read_items(connection, queue_id, dict.fromkeys(set(roots.values()) - set(known)))
    # A retry of a retry refers to the original item.
    origins = {
        root: items.get(root, {}).get("retried_from_item_id") or root
        for root in dict.fromkeys(roots.values())
    }
    last = max(await item_ids(connection, queue_id), default=0)
    try:
        response = await connection.part(AsyncQueueApi).retry_items_by_id(
            queue_id, body=list(known), expect={"retried_item_ids": ListOf(int)}
        )
    except APIRequestError as error:
        if not is_unclear(error):
            raise
        new = await _retried_after_all(connection, queue_id, origins, last, error)
        if not new:
            raise
    else:
        retried = set[int](response["retried_item_ids"])
        mine = {root: origin for root, origin in origins.items() if root in retried}
        new = await _new_items(connection, queue_id, mine, last) if mine else {}
    return {item_id: new[root] for item_id, root in roots.items() if root in new}


async def _retried_after_all(
    connection: Connection, queue_id: str, origins: Mapping[int, int], last: int, lost: APIRequestError
) -> dict[int, int]:
    retries = Retries(connection.settings.max_retries)
    while True:
        try:
            new = await _new_items(connection, queue_id, origins, last)
        except APIRequestError as error:
            logger.info("could not find out whether items %s were retried: %s", list(origins), error)
            return {}
        if new:
            return new
        if not await retries.pause_after(lost):  # the server may still be processing the request
            return {}


async def _new_items(
    connection: Connection, queue_id: str, origins: Mapping[int, int], last: int
) -> dict[int, int]:
    """Return the items after ``last`` that are retries, keyed by the retried items.

    Args:
        connection: The server.
        queue_id: The queue.
        origins: The original item of each retried item, by which the server refers to it in the new item.
        last: The newest item before the retry.
    """
    later = [item_id for item_id in await item_ids(connection, queue_id) if item_id > last]
    found: dict[int, list[int]] = {}
    for item_id, item in sorted((await read_items(connection, queue_id, later)).items()):
        found.setdefault(item.get("retried_from_item_id") or 0, []).append(item_id)
    return {old: found[origin].pop(0) for old, origin in origins.items() if found.get(origin)}
