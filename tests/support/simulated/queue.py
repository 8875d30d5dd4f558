"""The queue of a simulated server: its batches and items. No I/O."""

from __future__ import annotations

import heapq
import itertools
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

OPEN = ("pending", "in_progress")
_STATES = ("pending", "in_progress", "waiting", "completed", "failed", "canceled")


def now() -> str:
    """Return the time as the server writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


@dataclass(slots=True)
class Batch:
    """A batch.

    Attributes:
        id: Its id.
        body: The batch as the client sent it.
        groups: The values of each group of zipped lists, by position.
        counts: How many of its items are in each state.
        items: The ids of its items.
    """

    id: str
    body: dict[str, Any]
    groups: Sequence[Sequence[tuple[dict[str, Any], ...]]]
    counts: Counter[str] = field(default_factory=Counter[str])
    items: list[int] = field(default_factory=list[int])

    @classmethod
    def of(cls, body: dict[str, Any]) -> Batch:
        """Return the batch of a request."""
        groups = [
            list(
                zip(
                    *(
                        [
                            {
                                "node_path": datum["node_path"],
                                "field_name": datum["field_name"],
                                "value": value,
                            }
                            for value in datum["items"]
                        ]
                        for datum in group
                    ),
                    strict=True,
                )
            )
            for group in body.get("data") or ()
        ]
        return cls(body["batch_id"], body, groups)

    @property
    def size(self) -> int:
        """How many items the batch asks for."""
        size: int = self.body.get("runs", 1)
        for group in self.groups:
            size *= len(group)
        return size

    def values(self, row: int) -> list[dict[str, Any]]:
        """Return the values of an item, by its position in the batch: the last group varies fastest."""
        found: list[tuple[dict[str, Any], ...]] = []
        for group in reversed(self.groups):
            row, position = divmod(row, len(group))
            found.append(group[position])
        return list(itertools.chain.from_iterable(reversed(found)))

    def nodes(self, row: int) -> dict[str, dict[str, Any]]:
        """Return the nodes of an item's graph, with its values."""
        nodes: dict[str, dict[str, Any]] = dict(self.body["graph"]["nodes"])
        for value in self.values(row):
            node_id = value["node_path"]
            nodes[node_id] = {**nodes[node_id], value["field_name"]: value["value"]}
        return nodes


@dataclass(slots=True)
class Item:
    """A queue item.

    Attributes:
        row: Its position in its batch.
        sequence: How often its status has changed.
        error: The error of a failed item.
    """

    id: int
    batch: Batch
    row: int
    priority: int
    created_at: str
    status: str = "pending"
    sequence: int = 0
    updated_at: str = ""
    started_at: str | None = None
    completed_at: str | None = None
    error: str | None = None
    retried_from: int | None = None


class Queue:
    """All items of a server, and those that are pending in their order.

    Args:
        port: The port of the server, which is part of all ids.
    """

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.items: dict[int, Item] = {}
        self.batches: dict[str, Batch] = {}
        self.counts: Counter[str] = Counter()
        self._pending: list[tuple[int, int]] = []
        self._ids = itertools.count(1)

    def add(
        self, batch: Batch, rows: Iterable[int], *, prepend: bool = False, retries: Item | None = None
    ) -> list[Item]:
        """Add items of a batch."""
        batch = self.batches.setdefault(batch.id, batch)
        priority = 1 - self._pending[0][0] if prepend and self.next() else int(prepend)
        created, new = now(), list[Item]()
        for row in rows:
            item = Item(next(self._ids), batch, row, priority, created, updated_at=created)
            item.retried_from = retries.id if retries else None
            self.items[item.id] = item
            batch.items.append(item.id)
            heapq.heappush(self._pending, (-priority, item.id))
            new.append(item)
        self._count(batch, "pending", len(new))
        return new

    def next(self) -> Item | None:
        """Return the item whose turn is next, or None if no item is pending."""
        while self._pending:
            item = self.items.get(self._pending[0][1])
            if item is not None and item.status == "pending":
                return item
            heapq.heappop(self._pending)
        return None

    def change(self, item: Item, status: str, error: str | None = None) -> None:
        """Set the status of an item."""
        self._count(item.batch, item.status, -1)
        self._count(item.batch, status, 1)
        item.status, item.error, item.updated_at = status, error, now()
        item.sequence += 1
        if status == "in_progress":
            item.started_at = item.updated_at
        elif status not in OPEN:
            item.completed_at = item.updated_at

    def remove(self, item: Item) -> None:
        """Remove an item."""
        del self.items[item.id]
        item.batch.items.remove(item.id)
        self._count(item.batch, item.status, -1)

    def current(self) -> Iterator[Item]:
        """Iterate over the items in progress."""
        if self.counts["in_progress"]:
            yield from [item for item in self.items.values() if item.status == "in_progress"]

    def status(self, item: Item | None = None) -> dict[str, Any]:
        """Return the counts of the queue, as the server reports them."""
        item = item or next(self.current(), None)
        return {
            "queue_id": "default",
            "item_id": item and item.id,
            "batch_id": item and item.batch.id,
            "session_id": item and session_id(self.port, item),
            **_counted(self.counts),
            "user_pending": self.counts["pending"],
            "user_in_progress": self.counts["in_progress"],
        }

    def batch_status(self, batch_id: str) -> dict[str, Any]:
        """Return the counts of a batch, as the server reports them."""
        batch = self.batches.get(batch_id)
        return {
            "queue_id": "default",
            "batch_id": batch_id,
            "origin": batch and batch.body.get("origin"),
            "destination": batch and batch.body.get("destination"),
            **_counted(batch.counts if batch else Counter()),
        }

    def _count(self, batch: Batch, status: str, by: int) -> None:
        self.counts[status] += by
        batch.counts[status] += by


def run_id(port: int, item: Item, number: int) -> str:
    """Return one of the ids of an item's run, such as those of its nodes and images. No other run has it."""
    return f"{item.id:08x}-{number:04x}-4000-8000-{port:012x}"


def session_id(port: int, item: Item) -> str:
    """Return the id of an item's session."""
    return run_id(port, item, 0xFFFF)


def summary(item: Item) -> dict[str, Any]:
    """Return an item without its session."""
    body = item.batch.body
    found: dict[str, Any] = {
        "item_id": item.id,
        "created_at": item.created_at,
        "status": item.status,
        "device": "cpu" if item.started_at else None,
        "started_at": item.started_at,
        "completed_at": item.completed_at,
        "origin": body.get("origin"),
        "destination": body.get("destination"),
        "batch_id": item.batch.id,
        "user_id": "system",
        "user_display_name": "System",
        "user_email": "system@system.invokeai",
        "field_values": item.batch.values(item.row),
        "parent_item_id": None,
    }
    if item.error is not None:
        found |= {"error_type": "SimulatedError", "error_message": item.error, "error_traceback": item.error}
    return found


def record(item: Item, session: dict[str, Any]) -> dict[str, Any]:
    """Return a whole item. The server omits keys without a value."""
    found = summary(item) | {
        "status_sequence": item.sequence,
        "priority": item.priority,
        "session_id": session["id"],
        "updated_at": item.updated_at,
        "queue_id": "default",
        "retried_from_item_id": item.retried_from,
        "session": session,
        "workflow": item.batch.body.get("workflow"),
    }
    return {key: value for key, value in found.items() if value is not None}


def _counted(counts: Counter[str]) -> dict[str, int]:
    return {state: counts[state] for state in _STATES} | {"total": sum(counts.values())}


def text(name: str, payload: Any) -> str:
    """Return an event as text."""
    return json.dumps([name, payload], separators=(",", ":"))
