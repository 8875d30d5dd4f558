"""Follows the runs of a sweep to their ends, however many there are, and reads their results in bulk."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

from invokeai_py_client._base import with_connection
from invokeai_py_client.engine.subworkflow import CALL
from invokeai_py_client.models.enums import JobStatus
from invokeai_py_client.run.live import LiveRuns
from invokeai_py_client.run.queue_items import read_items, read_states
from invokeai_py_client.run.results import CalledResults, reading
from invokeai_py_client.run.subworkflow import called_results
from invokeai_py_client.transport import timing
from invokeai_py_client.transport.changes import Change, Changes

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.run.tracker import BatchTracker

# After a silence, only the items whose turn it is are looked at.
_NEXT = 50
# How many results are read in one request.
_CHUNK = 100

# The gaps in the events that a read fills, the items that were asked for, and those that the server has.
_States = tuple[int | None, Sequence[int], Mapping[int, Mapping[str, Any]]]
# The items that were asked for, those that the server has, and the results of what they called.
_Read = tuple[Sequence[int], Mapping[int, Mapping[str, Any]], Mapping[int, tuple[CalledResults, ...]]]

Finished = Callable[[int, Mapping[str, Any] | None, tuple[CalledResults, ...]], None]


class Follower:
    """The queue items of a sweep, from when they are sent until their results have been read.

    Args:
        connection: The server.
        queue_id: The queue.
        tracker: Told of the events of all their batches.
        finished: Called with each item that has ended, as the server gives it; None where it is gone.
        nodes: The nodes of the graph. Where events told the results of all of them, the item is not read.
    """

    def __init__(
        self,
        connection: Connection,
        queue_id: str,
        tracker: BatchTracker,
        finished: Finished,
        batch: Mapping[str, Any],
    ) -> None:
        self._connection = connection
        self._queue_id = queue_id
        self._tracker = tracker
        self._finished = finished
        self._nodes: Mapping[str, Mapping[str, Any]] = batch["graph"]["nodes"]
        self._workflow = batch["workflow"]
        self._calls = any(node["type"] == CALL for node in self._nodes.values())
        self._open: dict[int, str] = {}
        self._left: Counter[str] = Counter()
        self._ended: list[int] = []
        self._seen = 0
        self._unread: dict[int, None] = {}
        self._gaps: int | None = None

    @property
    def _is_stale(self) -> bool:
        """Whether events may have been lost since the items were read."""
        return self._tracker.gaps != (self._tracker.settled if self._gaps is None else self._gaps)

    def __len__(self) -> int:
        return len(self._open)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(with_connection(state, "_connection"))
        # Reads that were under way stay behind.
        self._unread = {}
        self._ended = [item_id for item_id in self._open if self._tracker.status(item_id).done]

    def add(self, item_id: int, batch_id: str) -> None:
        """Follow an item, too."""
        self._open[item_id] = batch_id
        self._left[batch_id] += 1
        if self._tracker.status(item_id).done:  # it can end before the answer to its request is here
            self._ended.append(item_id)

    def drop(self, item_id: int) -> None:
        """Follow an item no more."""
        batch_id = self._open.pop(item_id, None)
        if batch_id is None:
            return
        self._left[batch_id] -= 1
        # A batch of which nothing is left needs no events any more; in small batches there can be thousands.
        if not self._left[batch_id]:
            del self._left[batch_id]
            if batch_id != self._tracker.batch_id:
                self._connection.part(LiveRuns).forget(batch_id)

    def changes(self) -> AbstractAsyncContextManager[Changes]:
        """Wait for changes of the items, for the length of an ``async with`` block; ``step()`` follows each change."""
        return self._connection.part(LiveRuns).changes(
            self._tracker, self._queue_id, lambda: self._left, self._patience
        )

    def step(self, changes: Changes, change: Change) -> None:
        """Take the results that events told, and start the reads that there is reason for.

        A failed read is repeated until the server has been away for five minutes; then ``changes`` raises the error.
        """
        self._take_told()
        silence = change is Change.SILENCE
        if self._unread:
            changes.read(self._fetch_results, self._take_results, latest=False)
        if self._is_stale:
            changes.read(
                self._fetch_all_states, self._take_states, key=None if silence else self._tracker.gaps
            )
        elif silence and self._open:
            changes.read(self._fetch_next_states, self._take_states)

    async def read_states(self) -> None:
        """Read the states of all items that have not ended."""
        self._take_states(await self._fetch_all_states())

    # ------------------------------------------------------------------ inside

    def _patience(self) -> float:
        if not self._open:
            return timing.QUEUE_FULL  # until more is sent
        return timing.SILENCE if self._connection.part(LiveRuns).connected else timing.POLL

    async def _fetch_all_states(self) -> _States:
        return await self._fetch_states(self._pending(), self._tracker.gaps)

    async def _fetch_next_states(self) -> _States:
        return await self._fetch_states(self._pending()[:_NEXT], None)

    def _pending(self) -> list[int]:
        return [item for item in self._open if not self._tracker.status(item).done]

    async def _fetch_states(self, items: Sequence[int], gaps: int | None) -> _States:
        return gaps, items, await read_states(self._connection, self._queue_id, items) if items else {}

    def _take_states(self, read: _States) -> None:
        gaps, items, states = read
        for item in items:
            self._tracker.item(item, states.get(item))
        if gaps is not None:
            self._gaps = gaps

    def _take_told(self) -> None:
        """Finish the items that have ended and whose results events told. The others are left to be read."""
        ended = self._ended + self._tracker.ended[self._seen :]
        self._seen = len(self._tracker.ended)
        self._ended = []
        told = False
        for item_id in dict.fromkeys(ended):
            if item_id not in self._open or item_id in self._unread:
                continue
            item = self._told(item_id)
            if item is None:
                self._unread[item_id] = None
            else:
                self._finish(item_id, item, ())
                told = True
        if told:
            self._tracker.wake()  # for other waits for the same sweep

    async def _fetch_results(self) -> _Read:
        """Read the results of items that have ended, at most a hundred at once."""
        taken = list(self._unread)[:_CHUNK]
        for item_id in taken:
            del self._unread[item_id]
        try:
            items = await read_items(self._connection, self._queue_id, taken) if taken else {}
            called = {
                item: await called_results(self._connection, self._queue_id, items.get(item) or {})
                for item in taken
            }
        except BaseException as error:
            self._unread = dict.fromkeys([*taken, *self._unread])
            if isinstance(error, asyncio.CancelledError):
                self._tracker.wake()  # another wait for the same sweep may go on
            raise
        return taken, items, called

    def _take_results(self, read: _Read) -> None:
        taken, items, called = read
        for item_id in taken:
            if item_id in self._open:
                self._finish(item_id, items.get(item_id), called[item_id])
        self._tracker.wake()  # for other waits for the same sweep

    def _finish(
        self, item_id: int, item: Mapping[str, Any] | None, called: tuple[CalledResults, ...]
    ) -> None:
        self.drop(item_id)
        with reading(item_id):
            self._finished(item_id, item, called)

    def _told(self, item_id: int) -> dict[str, Any] | None:
        """The item as far as events told it, if they told all results; None if it is to be read.

        Each node has run once: no iterations, nothing skipped, no workflow called. Then the graph that was sent says
        how many results there are.
        """
        story = self._tracker.story(item_id)
        if self._calls or story is None or story.end is None or story.end.status is not JobStatus.COMPLETED:
            return None
        if len(story.results) != len(self._nodes) or {
            node_id for node_id, _ in story.results.values()
        } != set(self._nodes):
            return None
        told: dict[str, Any] = {"item_id": item_id, "status": story.end.status.value}
        told |= {name: story.end.raw.get(name) for name in ("batch_id", "started_at", "completed_at")}
        told["workflow"] = self._workflow  # the names of its nodes and fields
        told["session"] = {
            "graph": {"nodes": self._nodes},
            "results": {prepared: output for prepared, (_, output) in story.results.items()},
            "prepared_source_mapping": {prepared: node for prepared, (node, _) in story.results.items()},
        }
        return told
