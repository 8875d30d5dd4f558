"""Results of workflows called by a run. Each call is a separate queue item (InvokeAI 6.14)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from invokeai_py_client.errors import NotFoundError
from invokeai_py_client.run.queue_items import read_item
from invokeai_py_client.run.results import CalledResults, results_of_item

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection


async def called_results(
    connection: Connection, queue_id: str, item: Mapping[str, Any]
) -> tuple[CalledResults, ...]:
    """Return the results of all workflows that an ended queue item called, directly or indirectly.

    Sends no request if the item called no workflow. Items that have been deleted are omitted.
    """
    session = cast("dict[str, Any]", item.get("session") or {})
    history = cast("list[dict[str, Any]]", session.get("workflow_call_history") or [])
    found: list[CalledResults] = []
    for call in history:
        for item_id in cast("list[int]", call.get("child_item_ids") or []):
            try:
                child: dict[str, Any] = await read_item(connection, queue_id, item_id, item["batch_id"])
            except NotFoundError:
                continue
            deeper = await called_results(connection, queue_id, child)
            found.append(
                CalledResults(
                    node_id=call["source_call_node_id"],
                    prepared_id=call["prepared_call_node_id"],
                    workflow_id=call["workflow_id"],
                    item_id=item_id,
                    results=results_of_item(child, called=deeper),
                )
            )
    return tuple(found)
