"""Sending the runs of a sweep and matching them to queue items."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from invokeai_py_client._base import with_connection
from invokeai_py_client.run.batch_ids import new_batch_id
from invokeai_py_client.run.enqueue import Enqueued, batch_taken, cancel_batches, cancel_quietly, enqueue
from invokeai_py_client.run.live import LiveRuns
from invokeai_py_client.sweep.manifest import ManifestWriter, Sending, now, packed

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.run.tracker import BatchTracker
    from invokeai_py_client.sweep.requests import Request


# Seconds after which a request whose sender died will no longer be carried out. The server enqueues thousands of
# runs within a few seconds.
_REQUEST_LIFETIME = 15.0
_AGAIN = 0.5


@dataclass(frozen=True, slots=True)
class Delivered:
    """Runs that the server accepted in one request.

    Attributes:
        batch_id: The id of the batch.
        items: The queue item of each run, keyed by the run's index in the sweep.
        cut: Whether the server accepted fewer runs than requested because its queue is full.
    """

    batch_id: str
    items: dict[int, int]
    cut: bool


class Delivery:
    """The requests of a sweep that are still to be sent.

    Args:
        connection: The server.
        queue_id: The queue.
        requests: All requests of the sweep.
        tracker: The tracker that receives the events of every batch.
        manifest: The manifest, which records each request before and after it is sent.
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
        """Iterate over the indexes of the runs that are still to be sent."""
        for number, rows in self._todo:
            yield from (self._requests[number].first + row for row in rows)

    def add_all(self) -> None:
        """Schedule all runs."""
        self._todo.extend((number, range(request.count)) for number, request in enumerate(self._requests))

    def add(self, indexes: Iterable[int]) -> None:
        """Schedule some runs, in the order of the sweep."""
        wanted = sorted(indexes)
        for number, request in enumerate(self._requests):
            rows = [index - request.first for index in wanted if 0 <= index - request.first < request.count]
            if rows:
                self._todo.append((number, rows))

    def expect(self, batch_id: str) -> None:
        """Look the next request up on the server before it is sent, because an earlier client may have sent it.

        Args:
            batch_id: The id of its batch. The request is sent as a whole.
        """
        self.batches.append(batch_id)
        self._unsure = batch_id, self._todo[0][1]

    def drop(self) -> list[int]:
        """Stop sending. Return the indexes of the runs that were never sent."""
        dropped = list(self.waiting())
        self._todo.clear()
        return dropped

    async def send(self, most: int | None = None) -> Delivered:
        """Send the next request, or at most ``most`` of its runs.

        Raises:
            APIRequestError: The server rejected the request or could not be reached. The next call checks whether
                the request arrived before it sends the request again.
        """
        number, rows = self._todo[0]
        enqueued: Enqueued | None = None
        if self._unsure is not None:
            batch_id, taken = self._unsure
            enqueued = await batch_taken(self._connection, self._queue_id, batch_id)
        else:
            taken = rows if most is None else rows[:most]
            batch_id = self._tracker.batch_id if not self.batches else new_batch_id()
            self.batches.append(batch_id)
            self._write("sending", batch=batch_id, request=number, rows=packed(taken), time=now())
            self._unsure = batch_id, taken
        if enqueued is None:
            await self._connection.part(LiveRuns).follow(self._tracker, self._queue_id, batch_id)
            if len(self.batches) == 1:
                # Connecting counted as a gap in the events, but nothing had been sent yet, so nothing was missed.
                self._tracker.settled = self._tracker.gaps
            body = self._requests[number].body_for(taken, batch_id)
            try:
                enqueued = await enqueue(self._connection, self._queue_id, body, len(taken))
            except asyncio.CancelledError:
                # The server may have accepted the request. Cancel the batch, so that a later call can send it again.
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

    async def restore(self, batches: Sequence[Sending]) -> dict[int, tuple[int, str]]:
        """Restore the batches that a manifest lists.

        If the manifest does not say whether a batch was accepted, the server is asked.

        Returns:
            The queue item and batch id of each run that the server accepted, keyed by the run's index in the sweep.
        """
        found: dict[int, tuple[int, str]] = {}
        for sending in batches:
            if sending.items is None:
                sending.items = await self._items_of(sending)
                self._write("sent", batch=sending.batch_id, items=packed(sending.items))
            first = self._requests[sending.request].first
            for row, item_id in zip(sending.rows, sending.items, strict=False):
                found[first + row] = (item_id, sending.batch_id)
        self.batches = [sending.batch_id for sending in batches]
        return found

    async def cancel(self, batch_ids: Sequence[str]) -> None:
        """Cancel batches on the server."""
        await cancel_batches(self._connection, self._queue_id, batch_ids)

    async def _items_of(self, sending: Sending) -> list[int]:
        """Return the queue items of a batch. The list is empty if the server did not accept the batch."""
        while True:
            taken = await batch_taken(self._connection, self._queue_id, sending.batch_id)
            if taken is not None:
                return list(taken.item_ids)
            if now() - sending.time > _REQUEST_LIFETIME:
                return []
            await asyncio.sleep(_AGAIN)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_manifest": None}  # only the process that writes the manifest keeps it

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(with_connection(state, "_connection"))

    def _write(self, kind: str, **values: object) -> None:
        if self._manifest is not None:
            self._manifest.write(kind, **values)
