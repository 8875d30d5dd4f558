"""Sends the runs of a sweep, and knows which queue item each of them is."""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from invokeai_py_client._base import with_connection
from invokeai_py_client.run.enqueue import Enqueued, batch_taken, cancel_batches, cancel_quietly, enqueue
from invokeai_py_client.run.live import LiveRuns
from invokeai_py_client.sweep.manifest import ManifestWriter, now, packed

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.run.tracker import BatchTracker
    from invokeai_py_client.sweep.requests import Request


@dataclass(frozen=True, slots=True)
class Delivered:
    """Runs that the server took.

    Attributes:
        batch_id: Their batch.
        items: For each run, by its index in the sweep, its queue item.
        cut: Whether the server took less than asked: its queue is full.
    """

    batch_id: str
    items: dict[int, int]
    cut: bool


class Delivery:
    """What of a sweep is still to be sent.

    Args:
        connection: The server.
        queue_id: The queue.
        requests: All requests of the sweep.
        tracker: Told of the events of every batch that is sent.
        manifest: Where each step is written down before and after it.
    """

    def __init__(
        self,
        connection: Connection,
        queue_id: str,
        requests: Sequence[Request],
        tracker: BatchTracker,
        manifest: ManifestWriter | None,
    ) -> None:
        self._connection = connection
        self._queue_id = queue_id
        self._requests = requests
        self._tracker = tracker
        self._manifest = manifest
        self._todo: deque[tuple[int, Sequence[int]]] = deque()
        self._unsure: tuple[str, Sequence[int]] | None = None
        self.batches: list[str] = []

    def __len__(self) -> int:
        return sum(len(rows) for _, rows in self._todo)

    def waiting(self) -> Iterator[int]:
        """The indexes of the runs that are still to be sent."""
        for number, rows in self._todo:
            yield from (self._requests[number].first + row for row in rows)

    def add_all(self) -> None:
        """Everything is to be sent."""
        self._todo.extend((number, range(request.count)) for number, request in enumerate(self._requests))

    def add(self, indexes: Iterable[int]) -> None:
        """Some runs are to be sent, in order."""
        wanted = sorted(indexes)
        for number, request in enumerate(self._requests):
            rows = [index - request.first for index in wanted if 0 <= index - request.first < request.count]
            if rows:
                self._todo.append((number, rows))

    def drop(self) -> list[int]:
        """Nothing more is to be sent; gives the indexes of what never was."""
        dropped = list(self.waiting())
        self._todo.clear()
        return dropped

    async def send(self, most: int | None = None) -> Delivered:
        """Send the next request, or at most so many of its runs.

        Raises:
            APIRequestError: The server refused it, or could not be reached; the next call asks for it before it is
                sent again.
        """
        number, rows = self._todo[0]
        enqueued: Enqueued | None = None
        if self._unsure is not None:
            batch_id, taken = self._unsure
            enqueued = await batch_taken(self._connection, self._queue_id, batch_id)
        else:
            taken = rows if most is None else rows[:most]
            batch_id = self._tracker.batch_id if not self.batches else str(uuid.uuid4())
            self.batches.append(batch_id)
            self._write("sending", batch=batch_id, request=number, rows=packed(taken), time=now())
            self._unsure = batch_id, taken
        if enqueued is None:
            await self._connection.part(LiveRuns).follow(self._tracker, self._queue_id, batch_id)
            if len(self.batches) == 1:
                self._tracker.settled = (
                    self._tracker.gaps
                )  # a connection was made for it, before there was anything to miss
            body = self._requests[number].body_for(taken, batch_id)
            try:
                enqueued = await enqueue(self._connection, self._queue_id, body, len(taken))
            except asyncio.CancelledError:
                # Whether the server took it is not known; nobody waits for it any more. Who goes on sends it anew.
                if await cancel_quietly(self.cancel([batch_id])):
                    self._unsure = None
                raise
        self._unsure = None
        self._write("sent", batch=batch_id, items=packed(enqueued.item_ids))
        rest = rows[len(enqueued.item_ids) :]
        if rest:
            self._todo[0] = (number, rest)
        else:
            self._todo.popleft()
        self._tracker.sent(enqueued.item_ids)
        first = self._requests[number].first
        items = {first + row: item for row, item in zip(taken, enqueued.item_ids, strict=False)}
        return Delivered(batch_id, items, len(enqueued.item_ids) < len(taken))

    async def cancel(self, batch_ids: Sequence[str]) -> None:
        """Cancel batches on the server."""
        await cancel_batches(self._connection, self._queue_id, batch_ids)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_manifest": None}  # that stays with the process that writes it

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(with_connection(state, "_connection"))

    def _write(self, kind: str, **values: object) -> None:
        if self._manifest is not None:
            self._manifest.write(kind, **values)
