"""Following the runs of a sweep until they end, and reading their results in bulk."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

from invokeai_py_client._base import with_connection
from invokeai_py_client.run.live import LiveRuns
from invokeai_py_client.run.queue_items import of_batches, read_items, read_states
from invokeai_py_client.run.reported import ReportedItems
from invokeai_py_client.run.results import CalledResults, reading
from invokeai_py_client.run.status import never_started
from invokeai_py_client.run.subworkflow import called_results
from invokeai_py_client.transport import timing
from invokeai_py_client.transport.changes import Change, Changes, ignore_response

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.run.tracker import BatchTracker

# How many items are checked after a time without events: only those that are due next.
_NEXT = 50
# How many results are read per request.
_CHUNK = 100

# The gap counter that the read covers, the requested items, and the items that the server returned.
_States = tuple[int | None, Sequence[int], Mapping[int, Mapping[str, Any]]]
# The requested items, the items that the server returned, and the results of the workflows that they called.
_Read = tuple[Sequence[int], Mapping[int, Mapping[str, Any]], Mapping[int, tuple[CalledResults, ...]]]

Finished = Callable[[int, Mapping[str, Any] | None, tuple[CalledResults, ...]], None]


class Follower:
    """The queue items of a sweep, from when they are sent until their results have been read.

    Args:
        connection: The server.
        queue_id: The queue.
        tracker: The tracker that receives the events of all batches.
        finished: Called with the server's data of each item that has ended, or with None if the item was deleted.
        reported: Assembles the items whose events reported the results of all nodes, so that they need not be read.
    """

    def __init__(
        self,
        connection: Connection,
        queue_id: str,
        tracker: BatchTracker,
        finished: Finished,
        reported: ReportedItems,
    ) -> None:
        self._connection = connection
        self._queue_id = queue_id
        self._tracker = tracker
        self._finished = finished
        self._reported = reported
        self._open: dict[int, str] = {}
        self._left: Counter[str] = Counter()
        self._ended: list[int] = []
        self._seen = 0
        self._unread: dict[int, None] = {}
        self._without_results: dict[int, Mapping[str, Any]] = {}
        self._gaps: int | None = None

    @property
    def _is_stale(self) -> bool:
        """Whether events may have been lost since the items were last read."""
        return self._tracker.gaps != (self._tracker.settled if self._gaps is None else self._gaps)

    def __len__(self) -> int:
        return len(self._open)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(with_connection(state, "_connection"))
        self._without_results = {}
        if "_nodes" in state:  # pickled by a version that assembled the items here
            graph = {"nodes": self.__dict__.pop("_nodes")}
            self._reported = ReportedItems({"graph": graph, "workflow": self.__dict__.pop("_workflow")})
        # Reads in progress are not pickled.
        self._unread = {}
        self._ended = [item_id for item_id in self._open if self._tracker.status(item_id).done]

    def add(self, item_id: int, batch_id: str) -> None:
        """Start to follow an item."""
        self._open[item_id] = batch_id
        self._left[batch_id] += 1
        if self._tracker.status(item_id).done:  # it can end before the response to its request arrives
            self._ended.append(item_id)

    def drop(self, item_id: int) -> None:
        """Stop following an item."""
        batch_id = self._open.pop(item_id, None)
        if batch_id is None:
            return
        self._left[batch_id] -= 1
        # Unsubscribe from a batch when its last item has ended. A sweep can have thousands of small batches.
        if not self._left[batch_id]:
            del self._left[batch_id]
            if batch_id != self._tracker.batch_id:
                self._connection.part(LiveRuns).forget(batch_id)

    def changes(self) -> AbstractAsyncContextManager[Changes]:
        """Subscribe to changes of the items for an ``async with`` block. Pass each change to ``step()``."""
        return self._connection.part(LiveRuns).changes(
            self._tracker, self._queue_id, lambda: self._left, self._patience, ends_only=True
        )

    def step(self, changes: Changes, change: Change) -> None:
        """Process the results that events reported, and start the reads that are needed.

        A failed read is retried until the server has been unreachable for five minutes. Then ``changes`` raises the
        error.
        """
        self._take_reported()
        silence = change is Change.SILENCE
        if self._unread:
            changes.read(self._fetch_results, self._take_results, latest=False)
        if self._is_stale:
            changes.read(
                self._fetch_all_states, self._take_states, key=None if silence else self._tracker.gaps
            )
        elif silence and self._open and not self._connection.part(LiveRuns).hears(self._tracker):
            changes.read(self._fetch_next_states, self._take_states)
            if self._connection.part(LiveRuns).connected:
                changes.read(self._warn_if_blocked, ignore_response, latest=False)

    async def read_states(self) -> None:
        """Read the states of all items that have not ended."""
        self._take_states(await self._fetch_all_states())

    # ------------------------------------------------------------------ internals

    def _patience(self) -> float:
        if not self._open:
            return timing.QUEUE_FULL  # until more runs are sent
        return self._connection.part(LiveRuns).patience(self._tracker)

    async def _warn_if_blocked(self) -> None:
        await self._connection.part(LiveRuns).states.warn_if_blocked(self._queue_id)

    async def _fetch_all_states(self) -> _States:
        return await self._fetch_states(self._pending(), self._tracker.gaps)

    async def _fetch_next_states(self) -> _States:
        return await self._fetch_states(self._pending()[:_NEXT], None)

    def _pending(self) -> list[int]:
        return [item for item in self._open if not self._tracker.status(item).done]

    async def _fetch_states(self, items: Sequence[int], gaps: int | None) -> _States:
        batches = dict(self._open)
        states = await read_states(self._connection, self._queue_id, items) if items else {}
        return gaps, items, of_batches(states, batches)

    def _take_states(self, read: _States) -> None:
        gaps, items, states = read
        for item in items:
            state = states.get(item)
            if state is not None and never_started(state):
                self._without_results[item] = state
            self._tracker.item(item, state)
        if gaps is not None:
            self._gaps = gaps

    def _take_reported(self) -> None:
        """Finish the ended items whose results were reported by events, and schedule the others for reading."""
        ended = self._ended + self._tracker.ended[self._seen :]
        self._seen = len(self._tracker.ended)
        self._ended = []
        any_finished = False
        for item_id in dict.fromkeys(ended):
            if item_id not in self._open or item_id in self._unread:
                continue
            item = self._without_results.pop(item_id, None) or self._reported.item(self._tracker, item_id)
            if item is None:
                self._unread[item_id] = None
            else:
                self._finish(item_id, item, ())
                any_finished = True
        if any_finished:
            self._tracker.wake()  # for other waits on this sweep

    async def _fetch_results(self) -> _Read:
        """Read the results of items that have ended, at most 100 at once."""
        taken = list(self._unread)[:_CHUNK]
        for item_id in taken:
            del self._unread[item_id]
        try:
            batches = dict(self._open)
            items = await read_items(self._connection, self._queue_id, taken) if taken else {}
            items = of_batches(items, batches)
            called = {
                item: await called_results(self._connection, self._queue_id, items.get(item) or {})
                for item in taken
            }
        except BaseException as error:
            self._unread = dict.fromkeys([*taken, *self._unread])
            if isinstance(error, asyncio.CancelledError):
                self._tracker.wake()  # let another wait on this sweep continue
            raise
        return taken, items, called

    def _take_results(self, read: _Read) -> None:
        taken, items, called = read
        for item_id in taken:
            if item_id in self._open:
                self._finish(item_id, items.get(item_id), called[item_id])
        self._tracker.wake()  # for other waits on this sweep

    def _finish(
        self, item_id: int, item: Mapping[str, Any] | None, called: tuple[CalledResults, ...]
    ) -> None:
        self.drop(item_id)
        with reading(item_id):
            self._finished(item_id, item, called)
