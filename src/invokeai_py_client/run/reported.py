"""Assemble queue items from the events of their runs, so that they need not be read from the server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from invokeai_py_client.engine.subworkflow import CALL
from invokeai_py_client.models.enums import JobStatus
from invokeai_py_client.run.results import GraphFacts
from invokeai_py_client.transport.json_shape import as_object

if TYPE_CHECKING:
    from invokeai_py_client.run.tracker import BatchTracker

_KEYS = (
    *("status_sequence", "batch_id", "queue_id", "session_id", "origin", "destination", "user_id"),
    *("created_at", "updated_at", "started_at", "completed_at"),
)


class ReportedItems:
    """The items of a batch whose events reported the results of all nodes of its graph.

    Args:
        batch: The batch that was sent.
    """

    def __init__(self, batch: Mapping[str, Any]) -> None:
        self._nodes: Mapping[str, dict[str, Any]] = batch["graph"]["nodes"]
        self._node_ids = set(self._nodes)
        self._workflow = batch["workflow"]
        self._facts: tuple[Mapping[str, str], GraphFacts] | None = None
        self._calls = any(node["type"] == CALL for node in self._nodes.values())

    def facts(self, labels: Mapping[str, str]) -> GraphFacts:
        """Return the facts about the graph that all items share, for the labels of a workflow's nodes."""
        if self._facts is None or self._facts[0] is not labels:
            self._facts = labels, GraphFacts(self._nodes, self._workflow, labels)
        return self._facts[1]

    def item(self, tracker: BatchTracker, item_id: int) -> dict[str, Any] | None:
        """Return an item assembled from events, or None if it must be read from the server.

        Events are complete only if each node of the graph ran exactly once: without iterations, skipped nodes and
        called workflows. The tracker no longer has the results afterwards.
        """
        history = tracker.story(item_id)
        end = None if history is None else history.end
        if self._calls or history is None or end is None or end.status is not JobStatus.COMPLETED:
            return None
        results = history.results
        if len(results) != len(self._nodes) or {one.node_id for one in results.values()} != self._node_ids:
            return None
        item: dict[str, Any] = {"item_id": item_id, "status": end.status.value}
        item |= {name: end.raw.get(name) for name in _KEYS}
        item["session"] = {
            "graph": {"nodes": self._nodes},
            "execution_graph": {
                "nodes": {key: as_object(one.raw.get("invocation")) for key, one in results.items()}
            },
            "results": {key: one.output for key, one in results.items()},
            "prepared_source_mapping": {key: one.node_id for key, one in results.items()},
        }
        item["workflow"] = self._workflow  # for the names of its nodes and fields
        return item
