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
from invokeai_py_client.sweep.manifest import ManifestWriter, Sending, now, packed

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.run.tracker import BatchTracker
    from invokeai_py_client.sweep.requests import Request


# A request that was under way when its sender died may still be carried out: the server takes thousands of runs in
# seconds. After so long it will not come any more.
_UNDER_WAY = 15.0
_AGAIN = 0.5


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

    async def recall(self, batches: Sequence[Sending]) -> dict[int, tuple[int, str]]:
        """Take up the batches that a manifest names.

        The server is asked about those of which the manifest does not say what became of them.

        Returns:
            For each run that the server took, by its index in the sweep, its queue item and batch.
        """
        found: dict[int, tuple[int, str]] = {}
        for sending in batches:
            if sending.items is None:
                sending.items = await self._settled(sending)
                self._write("sent", batch=sending.batch_id, items=packed(sending.items))
            first = self._requests[sending.request].first
            for row, item_id in zip(sending.rows, sending.items, strict=False):
                found[first + row] = (item_id, sending.batch_id)
        self.batches = [sending.batch_id for sending in batches]
        return found

    async def cancel(self, batch_ids: Sequence[str]) -> None:
        """Cancel batches on the server."""
        await cancel_batches(self._connection, self._queue_id, batch_ids)

    async def _settled(self, sending: Sending) -> list[int]:
        """Return the items that the server made of a batch; none if it did not take it."""
        while True:
            taken = await batch_taken(self._connection, self._queue_id, sending.batch_id)
            if taken is not None:
                return list(taken.item_ids)
            if now() - sending.time > _UNDER_WAY:
                return []
            await asyncio.sleep(_AGAIN)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_manifest": None}  # that stays with the process that writes it

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(with_connection(state, "_connection"))

    def _write(self, kind: str, **values: object) -> None:
        if self._manifest is not None:
            self._manifest.write(kind, **values)
