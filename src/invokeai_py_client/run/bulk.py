"""Reading many queue items at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from invokeai_py_client.errors import NotFoundError, NotInvokeAIError
from invokeai_py_client.transport.shapes import QUEUE_ITEM, ListOf

if TYPE_CHECKING:
    from invokeai_py_client.client import AsyncInvokeAIClient

# Whole items hold the graph and the workflow; summaries are a few hundred bytes. The server takes 1000 ids at most.
_ITEMS = 100
_SUMMARIES = 1000
_AT_ONCE = 8


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
    except (NotFoundError, NotInvokeAIError):
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
