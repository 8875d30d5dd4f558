"""The results of a sweep's runs, as they arrive from the servers of a pool."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
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


@dataclass(slots=True)
class _Visible:
    """A run that has not been delivered, as users see it."""

    run: AsyncRun
    tracker: BatchTracker
    end: RunEnd


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
        self._visible: dict[int, _Visible] = {}
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
            shown = self._show(index, server, item_id, record["batch"], RunEnd(record))
            shown.tracker.keep(item_id, status_of_item(recorded_item(record), RunStatus()))
            self._runs.end(index, record=False)

    def accepted(self, index: int, server: str, item_id: int, batch_id: str) -> None:
        """Add a run that a server has accepted."""
        if index not in self._runs.open:
            return
        shown = self._visible.get(index)
        if shown is None or (shown.run.batch_id, shown.run.item_id) != (batch_id, item_id):
            self._visible[index] = self._show(index, server, item_id, batch_id, RunEnd())

    def report(self, index: int, batch_id: str, status: RunStatus) -> AsyncRun | None:
        """Take the status of a run that is in progress.

        Returns:
            The run. None if it was delivered, or given to another server: then its status does not count.
        """
        shown = self._visible.get(index)
        if shown is None or shown.run.batch_id != batch_id:
            return None
        shown.tracker.report(shown.run.item_id, status)
        return shown.run

    def last_read(self, server: str) -> float:
        """Return when the status of a run in progress on a server was last read, from ``time.monotonic()``."""
        tracker = self._trackers.get(server)
        return -math.inf if tracker is None else tracker.read

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
            shown = self._visible.pop(index, None)
            if shown is None or shown.run.batch_id != batch_id:
                shown = self._show(index, server, item_id, batch_id, RunEnd())
            shown.end.adopt(end)
            shown.tracker.report(item_id, status)
            self._runs.end(index)

    def drop(self, indexes: Iterable[int]) -> None:
        """Forget runs that are not going to be done."""
        for index in indexes:
            self._ends.pop(index, None)
            self._visible.pop(index, None)
            self._runs.remove(index)
            self._runs.open.discard(index)

    def _show(self, index: int, server: str, item_id: int, batch_id: str, end: RunEnd) -> _Visible:
        tracker = self._trackers.get(server)
        if tracker is None or tracker.status(item_id).state is not JobStatus.PENDING:
            # A database that was created again has the same ids for other items.
            tracker = self._trackers[server] = BatchTracker(batch_id, keep_events=False)
        connection = self._inputs.connection(server)
        if self._folder is not None:
            self._folder.use(connection)
        run = self._runs.add(index, connection, item_id, batch_id, tracker, end, server=server)
        self._index[batch_id, item_id] = index
        return _Visible(run, tracker, end)
