"""The results of a sweep's runs, as they arrive from the servers of a pool."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING

from invokeai_py_client.models.enums import JobStatus
from invokeai_py_client.run.end import RunEnd
from invokeai_py_client.run.status import RunStatus, status_of_item
from invokeai_py_client.run.tracker import BatchTracker
from invokeai_py_client.sweep.manifest import recorded_item

if TYPE_CHECKING:
    from invokeai_py_client.pool.inputs import PoolInputs
    from invokeai_py_client.pool.outputs import KeptFolder
    from invokeai_py_client.run.run import AsyncRun
    from invokeai_py_client.sweep.manifest import Manifest
    from invokeai_py_client.sweep.runs import SweepRuns

End = tuple[str, int, RunStatus, RunEnd]
"""The server, the queue item, the status and the results of a run."""


class Arrivals:
    """The runs that servers have accepted, and the results that wait for delivery.

    Args:
        runs: The runs of the sweep.
        inputs: Has the connections to the servers.
        folder: Has the images and videos. None: they are on their servers.
    """

    def __init__(self, runs: SweepRuns, inputs: PoolInputs, folder: KeptFolder | None) -> None:
        self._runs = runs
        self._inputs = inputs
        self._folder = folder
        # A run may have several results: it failed on one server and is tried on another one.
        self._ends: dict[int, dict[str, End]] = {}
        self._due: deque[tuple[int, str]] = deque()
        self._index: dict[tuple[str, int], int] = {}
        self._visible: dict[int, tuple[str, RunEnd]] = {}
        self._trackers: dict[str, BatchTracker] = {}

    def index_of(self, run: AsyncRun) -> int | None:
        """Return the index of a run, or None if it is unknown."""
        place = self._index.get((run.batch_id, run.item_id))
        return place if place is not None and self._runs.get(place) == run else self._runs.find(run)

    def restore(self, kept: Manifest) -> None:
        """Restore the runs that have ended. Canceled runs are run again."""
        for index, record in kept.runs.items():
            if index not in self._runs.open or JobStatus(record["state"]) is JobStatus.CANCELLED:
                continue
            server, item_id = record["server"], record["item"]
            self._show(index, server, item_id, record["batch"], RunEnd(record))
            self._trackers[server].keep(item_id, status_of_item(recorded_item(record), RunStatus()))
            self._runs.end(index, record=False)

    def accepted(self, index: int, server: str, item_id: int, batch_id: str) -> None:
        """Add a run that a server has accepted."""
        if index not in self._runs.open:
            return
        visible, run = self._visible.get(index), self._runs.get(index)
        if visible is None or run is None or (visible[0], run.item_id) != (batch_id, item_id):
            end = RunEnd()
            self._show(index, server, item_id, batch_id, end)
            self._visible[index] = batch_id, end

    def keep(self, index: int, batch_id: str, end: End) -> None:
        """Keep a result until it is delivered."""
        if index in self._runs.open:
            self._ends.setdefault(index, {})[batch_id] = end

    def deliver(self, released: Iterable[tuple[int, str]]) -> None:
        """Deliver runs.

        Args:
            released: The index of each run, and the batch whose result counts.

        Raises:
            UsageError: The manifest cannot be written. The other runs are delivered with the next call.
        """
        self._due.extend(released)
        while self._due:
            index, batch_id = self._due.popleft()
            server, item_id, status, end = self._ends.pop(index)[batch_id]
            visible = self._visible.pop(index, None)
            if visible is not None and visible[0] == batch_id:
                visible[1].adopt(end)
            else:
                self._show(index, server, item_id, batch_id, end)
            self._trackers[server].keep(item_id, status)
            self._trackers[server].wake()
            self._runs.end(index)

    def drop(self, indexes: Iterable[int]) -> None:
        """Forget runs that are not going to be done."""
        for index in indexes:
            self._ends.pop(index, None)
            self._visible.pop(index, None)
            self._runs.remove(index)
            self._runs.open.discard(index)

    def _show(self, index: int, server: str, item_id: int, batch_id: str, end: RunEnd) -> None:
        tracker = self._trackers.get(server)
        if tracker is None or tracker.status(item_id).done:
            # A database that was created again has the same ids for other items.
            tracker = self._trackers[server] = BatchTracker(batch_id, keep_events=False)
        connection = self._inputs.connection(server)
        if self._folder is not None:
            self._folder.use(connection)
        self._runs.add(index, connection, item_id, batch_id, tracker, end, server=server)
        self._index[batch_id, item_id] = index
