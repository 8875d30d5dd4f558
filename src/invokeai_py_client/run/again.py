"""Finding queue items: those of a batch, those before it, and the new one after a retry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invokeai_py_client.errors import NotFoundError, NotInvokeAIError, RunError

if TYPE_CHECKING:
    from invokeai_py_client.client import AsyncInvokeAIClient

_NEWEST = 1000


async def newest_items(
    client: AsyncInvokeAIClient, queue_id: str, at_most: int = _NEWEST
) -> list[dict[str, Any]]:
    """The newest items of a queue, newest first.

    ``item_ids`` and ``items_by_ids`` are there from InvokeAI 6.7; ``list_all`` from 6.0.
    """
    http = client._http  # pyright: ignore[reportPrivateUsage]
    queue = f"/api/v1/queue/{queue_id}"
    try:
        # Sorted by id here: the server sorts by the second of making, which a whole batch shares.
        ids = sorted((await http.json("GET", f"{queue}/item_ids"))["item_ids"], reverse=True)[:at_most]
        items = await http.json("POST", f"{queue}/items_by_ids", json={"item_ids": ids}, repeatable=True)
    except (NotFoundError, NotInvokeAIError):
        items = await http.json("GET", f"{queue}/list_all")
    return sorted(items, key=lambda item: -item["item_id"])[:at_most]


async def items_of_batch(client: AsyncInvokeAIClient, queue_id: str, batch_id: str) -> list[int]:
    """Ids of a batch's items, oldest first; without items that a workflow called by them added."""
    items = await newest_items(client, queue_id)
    return sorted(
        item["item_id"]
        for item in items
        if item["batch_id"] == batch_id and item.get("parent_item_id") is None
    )


async def pending_up_to(client: AsyncInvokeAIClient, queue_id: str, item_id: int) -> int:
    """How many items are pending, those that were sent after an item left out.

    The server tells how many are pending in all. Whatever came after a pending item is pending, too, unless it
    was put in front of it.
    """
    http = client._http  # pyright: ignore[reportPrivateUsage]
    queue = f"/api/v1/queue/{queue_id}"
    pending: int = (await http.json("GET", f"{queue}/status"))["queue"]["pending"]
    try:
        known = (await http.json("GET", f"{queue}/item_ids"))["item_ids"]
    except (NotFoundError, NotInvokeAIError):  # before 6.7
        return pending
    return pending - sum(one > item_id for one in known)


async def retry_item(client: AsyncInvokeAIClient, queue_id: str, item_id: int) -> int:
    """Have an item retried.

    Returns:
        The new item's id. The server answers with the old one, so the new one is looked for.

    Raises:
        RunError: The server did not retry it.
    """
    http = client._http  # pyright: ignore[reportPrivateUsage]
    answer = await http.json(
        "PUT", f"/api/v1/queue/{queue_id}/retry_items_by_id", json=[item_id], repeatable=False
    )
    retried: list[int] = answer["retried_item_ids"]
    if item_id in retried:
        for item in await newest_items(client, queue_id):
            if item.get("retried_from_item_id") == item_id:
                return item["item_id"]
    raise RunError(
        f"The server did not retry queue item {item_id}: only one that failed or was canceled can be.",
        item_id=item_id,
    )
