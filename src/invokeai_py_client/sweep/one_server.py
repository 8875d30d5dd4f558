"""The execution of a sweep on one server: the queue items of its runs, sent and followed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import TYPE_CHECKING, Any

from invokeai_py_client._base import with_connection
from invokeai_py_client.errors import APIRequestError, EnqueueUnknownError
from invokeai_py_client.models.enums import JobStatus
from invokeai_py_client.run.end import RunEnd, removed_item
from invokeai_py_client.run.enqueue import cancel_quietly
from invokeai_py_client.run.reported import ReportedItems
from invokeai_py_client.run.results import CalledResults
from invokeai_py_client.run.run import move_run
from invokeai_py_client.run.tracker import BatchTracker
from invokeai_py_client.sweep.delivery import Delivered, Delivery
from invokeai_py_client.sweep.follower import Follower
from invokeai_py_client.sweep.origin import warn_if_foreign
from invokeai_py_client.sweep.runs import step_of
from invokeai_py_client.transport import timing
from invokeai_py_client.transport.retry import Outage

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.run.run import AsyncRun
    from invokeai_py_client.run.status import RunStatus
    from invokeai_py_client.sweep.manifest import Manifest
    from invokeai_py_client.sweep.runs import SweepRuns

# How many runs of a background sweep are in the server's queue at a time.
_FEW = 2
# How many runs are sent at a time while the server's queue is full.
_REFILL = 100
# How many runs after the first running one are checked for further GPUs.
_NEAR = 16


class ServerExecution:
    """The execution of a sweep on one server.

    Args:
        connection: The server.
        runs: The runs of the sweep.
        batch_id: The id of the first batch.
        background: Whether to keep only two runs at a time in the server's queue. Defaults to False.
        expected: Whether the server may already have the first batch, with all runs. Defaults to False.
        on_end: Called with the index and the end of each run that has ended. Defaults to none.
    """

    def __init__(
        self,
        connection: Connection,
        runs: SweepRuns,
        *,
        batch_id: str,
        background: bool = False,
        expected: bool = False,
        on_end: Callable[[int, RunEnd], object] | None = None,
    ) -> None:
        self._connection = connection
        self._runs = runs
        self._queue_id = runs.queue_id
        self._background = background
        self._expected = expected
        self._on_end = on_end
        self._ends: dict[int, RunEnd] = {}
        self._index: dict[int, int] = {}
        self._tracker = BatchTracker(batch_id, keep_events=False, keep_results=True)
        self._reported = ReportedItems(runs.requests[0].body["batch"])
        self._follower = Follower(connection, self._queue_id, self._tracker, self.finished, self._reported)
        self._delivery = Delivery(connection, self._queue_id, runs.requests, self._tracker, runs.manifest)
        self._feeder: asyncio.Task[None] | None = None

    @classmethod
    def from_older(cls, connection: Connection, runs: SweepRuns, state: Mapping[str, Any]) -> ServerExecution:
        """Return the execution of a sweep that was pickled by a version in which sweeps contained it."""
        self = cls.__new__(cls)
        names = ("_background", "_index", "_tracker", "_follower", "_delivery")
        self.__dict__.update({name: state[name] for name in names})
        self._connection = connection
        self._runs = runs
        self._queue_id = runs.queue_id
        self._expected = False
        self._on_end = None
        self._feeder = None
        # Versions before had the items in the follower, and the ends in the runs.
        self._reported = state.get("_reported") or ReportedItems(runs.requests[0].body["batch"])
        self._ends = state.get("_ends", {})
        if "_ends" not in state:
            for index in runs.open:
                run = runs.get(index)
                if run is not None:
                    end = self._ends[run.item_id] = RunEnd()
                    runs.add(index, connection, run.item_id, run.batch_id, self._tracker, end)
        return self

    async def begin(self) -> None:
        """Send the first runs. If a later request is rejected, the earlier ones are canceled."""
        self._delivery.add_all()
        if self._expected:
            self._delivery.expect(self._tracker.batch_id)
        try:
            await self.send()
        except BaseException:
            if self._index:
                await cancel_quietly(self._delivery.cancel(self._delivery.batches))
            raise

    async def restore(self, kept: Manifest) -> None:
        """Restore the state of the sweep from its manifest and the server.

        Canceled runs are run again, because a server that crashes cancels the run in progress.
        """
        await warn_if_foreign(self._connection, self._queue_id, kept)
        for index, (item_id, batch_id) in (await self._delivery.restore(kept.batches)).items():
            if index in self._runs:
                continue  # restored by an earlier attempt that failed later
            record = kept.runs.get(index)
            if record is None or (record["item"], record.get("batch", batch_id)) != (item_id, batch_id):
                self._add_run(index, item_id, batch_id)
            elif JobStatus(record["state"]) is not JobStatus.CANCELLED:
                self._add_run(index, item_id, batch_id)
                self._restore_end(index, item_id, record)
        await self._follower.read_states()
        for index in sorted(self._runs.open):
            run = self._runs.get(index)
            if run is not None and run.status.state is JobStatus.CANCELLED:
                self._follower.drop(run.item_id)
                self._runs.remove(index)
                del self._ends[run.item_id]
        self._delivery.add(index for index in self._runs.open if index not in self._runs)

    async def send(self) -> None:
        """Send the runs that are still to be sent: at once as many as the queue takes, and the others in background."""
        cut = False
        while len(self._delivery) and not cut and not self._background:
            cut = await self._send_on(None)
        if len(self._delivery):
            self._start_feeding()

    async def steps(self) -> AsyncGenerator[None]:
        """Follow the runs until all have ended. Yield whenever some may have ended, at least once."""
        if not self._runs.open:
            yield
            return
        async with self._follower.changes() as changes:
            async for change in changes:
                self._check_feeder()
                self._follower.step(changes, change)
                yield
                if not self._runs.open:
                    return

    async def cancel(self) -> None:
        """Cancel the runs that have not ended, and stop sending the others."""
        self.withhold()
        if self._delivery.batches:
            await self._delivery.cancel(self._delivery.batches)
            await self._follower.read_states()
        self._tracker.wake()

    def withhold(self) -> None:
        """Stop sending. The runs that have not been sent do not count any more."""
        self._stop_feeding()
        self._runs.open -= set(self._delivery.drop())

    async def retry(self, indexes: set[int]) -> None:
        """Run some runs that have ended again."""
        for (
            index
        ) in indexes:  # the end of an item may not have been processed yet, for example after cancel()
            self._follower.drop(self._runs[index].item_id)
            self._ends.pop(self._runs[index].item_id, None)
        self._runs.reopen(indexes)
        self._delivery.add(indexes)
        await self.send()

    def index_of(self, run: AsyncRun) -> int | None:
        """Return the index of a run, or None if it is unknown."""
        place = self._index.get(run.item_id)
        # A new database has items with the same ids.
        return place if place is not None and self._runs.get(place) == run else self._runs.find(run)

    def current(self) -> list[str]:
        """Return the number, the node and the progress of the run that is running. Empty if none is running.

        If several GPUs are at work, this is the run with the lowest number, with its GPU and the number of the others.
        """
        running: list[tuple[int, AsyncRun, RunStatus]] = []
        left = _NEAR
        for index in self._runs.open.copy():
            run = self._runs.get(index)
            status = None if run is None else run.status
            if run is not None and status is not None and status.state is JobStatus.RUNNING:
                running.append((index, run, status))
            left -= bool(running)
            if not left:
                break
        if not running:
            return []
        index, run, status = min(running, key=lambda entry: entry[0])
        if len(running) == 1:
            return [f"run {index + 1}{step_of(run, status)}"]
        device = f" on {status.device}" if status.device else ""
        return [f"run {index + 1}{device}{step_of(run, status)}, {len(running) - 1} more"]

    def finished(
        self, item_id: int, item: Mapping[str, Any] | None, called: tuple[CalledResults, ...]
    ) -> None:
        """Store the end of a queue item, or None if the server no longer has it."""
        index = self._index[item_id]
        self._tracker.item(item_id, item)
        ended = item or removed_item(item_id, self._runs[index].batch_id)
        labels = self._runs.labels
        end = self._ends.pop(item_id)
        end.take(ended, labels, called, whole=False, facts=self._reported.facts(labels))
        if self._on_end is not None:
            self._on_end(index, end)
        self._runs.end(index)

    # ------------------------------------------------------------------ internals

    def _restore_end(self, index: int, item_id: int, record: Mapping[str, Any]) -> None:
        """Restore a run that has ended from its record in the manifest."""
        from invokeai_py_client.sweep.manifest import recorded_item

        self._ends.pop(item_id).record = record
        self._tracker.item(item_id, recorded_item(record))
        self._follower.drop(item_id)
        self._runs.end(index, record=False)

    def _start_feeding(self) -> None:
        if self._feeder is None or self._feeder.done():
            self._feeder = asyncio.create_task(self._keep_sending())
            self._feeder.add_done_callback(lambda _: self._tracker.wake())
            self._connection.background(self._feeder)

    async def _keep_sending(self) -> None:
        """Send the remaining runs whenever the queue has room."""
        while len(self._delivery):
            if self._background:
                room = _FEW - len(self._follower)
                if room > 0:
                    await self._send_on(room)
                else:
                    await self._tracker.change(timing.QUEUE_FULL)
                continue
            before = self._done
            enough = min(_REFILL, max(1, len(self._follower)))
            while self._done - before < enough and await self._tracker.change(timing.QUEUE_FULL):
                pass
            await self._send_on(max(_REFILL, self._done - before))

    @property
    def _done(self) -> int:
        return self._runs.count - len(self._runs.open)

    async def _send_on(self, most: int | None) -> bool:
        """Send some runs, and tolerate outages. A lost request is sent again only if the server did not receive it.

        Args:
            most: The maximum number of runs. None: all runs of the next request.

        Returns:
            Whether the server accepted only a part of the runs because its queue is full.
        """
        longest = self._connection.settings.outage_timeout
        outage: Outage | None = None
        while True:
            try:
                return self._take(await self._delivery.send(most))
            except APIRequestError as error:
                if outage is None:
                    # If the server is down before the first run was sent, report that at once, unless the server was
                    # there and may have the batch.
                    lost = isinstance(error, EnqueueUnknownError) and self._feeder is not None
                    outage = Outage(longest if self._index or lost else 0)
                await outage.tolerate(error)

    def _take(self, delivered: Delivered) -> bool:
        for index, item_id in delivered.items.items():
            self._add_run(index, item_id, delivered.batch_id)
        self._tracker.wake()
        return delivered.cut

    def _add_run(self, index: int, item_id: int, batch_id: str) -> None:
        if item_id in self._index:
            self._part_with(self._index[item_id], item_id, batch_id)
        end = self._ends[item_id] = RunEnd()
        self._runs.add(index, self._connection, item_id, batch_id, self._tracker, end)
        self._index[item_id] = index
        self._follower.add(item_id, batch_id)

    def _part_with(self, index: int, item_id: int, batch_id: str) -> None:
        """Give a run a tracker of its own, because the server has given its item's id to an item of another batch.

        This happens if the server's database is recreated during a sweep.
        """
        run = self._runs.get(index)
        if run is not None and run.item_id == item_id:  # otherwise, the run was sent again since
            if run.batch_id == batch_id:
                return
            if item_id in self._ends:  # it had not ended, and is gone with the old database
                self._follower.drop(item_id)
                self._tracker.release(item_id)
                self.finished(item_id, None, ())
            move_run(run, BatchTracker(run.batch_id, keep_events=False))
        self._tracker.release(item_id)

    def _check_feeder(self) -> None:
        feeder = self._feeder
        if feeder is not None and feeder.done():
            self._feeder = None
            if not feeder.cancelled():  # the client was closed, and is now used again
                feeder.result()  # raises the task's error
        if len(self._delivery):
            self._start_feeding()

    def _stop_feeding(self) -> None:
        feeder, self._feeder = self._feeder, None
        if feeder is not None:
            feeder.cancel()

    def __getstate__(self) -> dict[str, Any]:
        # Only this process runs the task that sends, and receives the ends.
        return {**self.__dict__, "_feeder": None, "_on_end": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(with_connection(state, "_connection"))
