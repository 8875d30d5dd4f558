"""Follows the runs of a sweep to their ends, however many there are, and reads their results in bulk."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from invokeai_py_client._base import with_connection
from invokeai_py_client.engine.subworkflow import CALL
from invokeai_py_client.errors import APIRequestError
from invokeai_py_client.models.enums import JobStatus
from invokeai_py_client.run.live import LiveRuns
from invokeai_py_client.run.queue_items import read_items, read_states
from invokeai_py_client.run.results import CalledResults, reading
from invokeai_py_client.run.subworkflow import called_results
from invokeai_py_client.transport import timing

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.run.tracker import BatchTracker

# After a silence, only the items whose turn it is are looked at.
_NEXT = 50
# How many results are read in one request.
_CHUNK = 100

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
        self._contact = time.monotonic()
        self._gaps: int | None = None

    @property
    def _is_stale(self) -> bool:
        """Whether events may have been lost since the items were read."""
        return self._tracker.gaps != (self._tracker.settled if self._gaps is None else self._gaps)

    def __len__(self) -> int:
        return len(self._open)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(with_connection(state, "_connection"))

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

    async def step(self) -> None:
        """Read the results of what has ended; where nothing has, wait for a change.

        Raises:
            ServerUnreachableError: The server stayed away for five minutes.
        """
        try:
            if await self._read_ended():
                self._contact = time.monotonic()
                return
            await self._wait()
        except APIRequestError as error:
            await timing.tolerate_outage(error, self._contact)
        else:
            self._contact = time.monotonic()

    async def read_states(self, *, everything: bool = True) -> None:
        """Read how the items stand: all that have not ended, or the next ones only."""
        gaps = self._tracker.gaps
        waiting = [item for item in self._open if not self._tracker.status(item).done]
        if not everything:
            waiting = waiting[:_NEXT]
        states = await read_states(self._connection, self._queue_id, waiting)
        for item in waiting:
            self._tracker.item(item, states.get(item))
        if everything:
            self._gaps = gaps

    async def _wait(self) -> None:
        live = self._connection.part(LiveRuns)
        for batch_id in list(self._left):
            # After a client was closed, or in another event loop, nothing is followed any more.
            if not live.follows(self._tracker, batch_id):
                await live.follow(self._tracker, self._queue_id, batch_id)
                self._gaps = -1
        if not self._is_stale:
            changed = await self._tracker.change(timing.SILENCE if live.connected else timing.POLL)
            if changed and not self._is_stale:
                return
        await self.read_states(everything=self._is_stale)

    async def _read_ended(self) -> bool:
        """Read what has ended since, at most a hundred at once; whether there was anything."""
        fresh, self._seen = self._tracker.ended[self._seen :], len(self._tracker.ended)
        self._ended += [item for item in fresh if item in self._open]
        taken = list(dict.fromkeys(self._ended[:_CHUNK]))
        if not taken:
            return False
        del self._ended[: len(self._ended[:_CHUNK])]
        items: dict[int, Mapping[str, Any] | None] = {item: self._told(item) for item in taken}
        unheard = [item for item, told in items.items() if told is None]
        try:
            if unheard:
                items |= await read_items(self._connection, self._queue_id, unheard)
            called = {
                item: await called_results(self._connection, self._queue_id, items.get(item) or {})
                for item in taken
            }
        except BaseException:
            self._ended = taken + self._ended
            raise
        for item_id in taken:
            if item_id in self._open:
                self.drop(item_id)
                with reading(item_id):
                    self._finished(item_id, items.get(item_id), called[item_id])
        self._tracker.wake()
        return True

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
