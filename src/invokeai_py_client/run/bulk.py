"""Reading many queue items at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from invokeai_py_client.errors import NotFoundError
from invokeai_py_client.routes import ROUTE_MISSING
from invokeai_py_client.transport.shapes import QUEUE_ITEM, ListOf

if TYPE_CHECKING:
    from invokeai_py_client.client import AsyncInvokeAIClient

# Whole items hold the graph and the workflow; summaries are a few hundred bytes. The server takes 1000 ids at most.
_ITEMS = 100
_SUMMARIES = 1000
_AT_ONCE = 8


async def item_ids(client: AsyncInvokeAIClient, queue_id: str) -> list[int]:
    """Ids of all items of a queue, oldest first.

    In one request from InvokeAI 6.7; with much of the items before that.
    """
    ids = await cheap_item_ids(client, queue_id)
    if ids is None:
        ids = [item["item_id"] for item in await _all_items(client, f"/api/v1/queue/{queue_id}")]
    # By id: the server sorts by the second of making, which a whole batch shares.
    return sorted(ids)


async def cheap_item_ids(client: AsyncInvokeAIClient, queue_id: str) -> list[int] | None:
    """Ids of all items of a queue, from a server that tells them alone (6.7+); None from others."""
    http = client._http  # pyright: ignore[reportPrivateUsage]
    try:
        answer = await http.json("GET", f"/api/v1/queue/{queue_id}/item_ids", gives={"item_ids": ListOf(int)})
    except ROUTE_MISSING:
        return None
    return answer["item_ids"]


async def read_items(
    client: AsyncInvokeAIClient, queue_id: str, item_ids: Iterable[int]
) -> dict[int, dict[str, Any]]:
    """Whole queue items by id; those that are gone are left out.

    One request for a hundred of them from InvokeAI 6.7, one for each before.
    """
    ids = list(item_ids)
    found: dict[int, dict[str, Any]] = {}
    for start in range(0, len(ids), _ITEMS):
        chunk = ids[start : start + _ITEMS]
        items = await _by_ids(client, queue_id, "items_by_ids", chunk)
        if items is None:
            items = await _one_by_one(client, queue_id, chunk)
        found.update((item["item_id"], item) for item in items)
    return found


async def read_states(
    client: AsyncInvokeAIClient, queue_id: str, item_ids: Iterable[int]
) -> dict[int, dict[str, Any]]:
    """What says how queue items stand, by id; those that are gone are left out.

    Without sessions from InvokeAI 6.14; whole items before.
    """
    ids = list(item_ids)
    found: dict[int, dict[str, Any]] = {}
    for start in range(0, len(ids), _SUMMARIES):
        chunk = ids[start : start + _SUMMARIES]
        items = await _by_ids(client, queue_id, "item_summaries_by_ids", chunk)
        if items is None:
            found |= await read_items(client, queue_id, chunk)
        else:
            found.update((item["item_id"], item) for item in items)
    return found


async def _all_items(client: AsyncInvokeAIClient, queue: str) -> list[dict[str, Any]]:
    """All items, from InvokeAI 6.0 in one request; before that page by page, those of highest priority first."""
    http = client._http  # pyright: ignore[reportPrivateUsage]
    try:
        return await http.json("GET", f"{queue}/list_all", gives=ListOf(QUEUE_ITEM))
    except ROUTE_MISSING:
        pass
    items: list[dict[str, Any]] = []
    params: dict[str, Any] = {"limit": _SUMMARIES}
    more = True
    while more:
        page = await http.json(
            "GET", f"{queue}/list", params=params, gives={"items": ListOf(QUEUE_ITEM), "has_more": bool}
        )
        items += page["items"]
        more = page["has_more"] and bool(page["items"])
        if more:
            params.update(cursor=items[-1]["item_id"], priority=items[-1].get("priority", 0))
    return items


async def _by_ids(
    client: AsyncInvokeAIClient, queue_id: str, route: str, ids: Sequence[int]
) -> list[dict[str, Any]] | None:
    http = client._http  # pyright: ignore[reportPrivateUsage]
    try:
        return await http.json(
            "POST",
            f"/api/v1/queue/{queue_id}/{route}",
            json={"item_ids": list(ids)},
            repeatable=True,
            gives=ListOf(QUEUE_ITEM),
        )
    except ROUTE_MISSING:
        return None  # a server before that route


async def _one_by_one(client: AsyncInvokeAIClient, queue_id: str, ids: Sequence[int]) -> list[dict[str, Any]]:
    http = client._http  # pyright: ignore[reportPrivateUsage]
    limit = asyncio.Semaphore(_AT_ONCE)

    async def read(item_id: int) -> dict[str, Any] | None:
        async with limit:
            try:
                return await http.json("GET", f"/api/v1/queue/{queue_id}/i/{item_id}", gives=QUEUE_ITEM)
            except NotFoundError:
                return None

    return [item for item in await asyncio.gather(*map(read, ids)) if item is not None]
