"""Many runs of one workflow: sent, followed, canceled, repeated."""

from __future__ import annotations

import asyncio
import time
from collections import ChainMap
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from invokeai_py_client._base import AsyncObject
from invokeai_py_client.errors import APIRequestError, RunNotFinishedError
from invokeai_py_client.run.enqueue import cancel_quietly
from invokeai_py_client.run.results import CalledResults
from invokeai_py_client.run.run import AsyncRun
from invokeai_py_client.run.tracker import BatchTracker
from invokeai_py_client.sweep.delivery import Delivered, Delivery
from invokeai_py_client.sweep.follower import Follower
from invokeai_py_client.transport import timing
from invokeai_py_client.transport.loop import call_back

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.sweep.manifest import Manifest, ManifestWriter
    from invokeai_py_client.sweep.requests import Request

# How many runs stand in the server's queue where a sweep keeps to the background.
_FEW = 2
# How many runs are sent at once while the server's queue is full.
_REFILL = 100


class AsyncManyRuns(AsyncObject):
    """Many runs of one workflow.

    Attributes:
        name: The workflow's name.
        axes: The names of the axes, outermost first.
        queue_id: The queue.
    """

    def __init__(
        self,
        connection: Connection,
        name: str,
        axes: Sequence[str],
        requests: Sequence[Request],
        *,
        batch_id: str,
        inputs: Mapping[str, Any],
        labels: Mapping[str, str],
        queue_id: str = "default",
        background: bool = False,
        manifest: ManifestWriter | None = None,
    ) -> None:
        self.connection = connection
        self._requests = tuple(requests)
        self._inputs = dict(inputs)
        self._labels = dict(labels)
        self._background = background
        self._manifest = manifest
        self._runs: dict[int, AsyncRun] = {}
        self._index: dict[int, int] = {}
        self._open: set[int] = set(range(sum(request.count for request in requests)))
        self._count = len(self._open)
        self._order: list[int] = []
        self._tracker = BatchTracker(batch_id, keep_events=False, keep_results=True)
        batch = requests[0].body["batch"]
        self._follower = Follower(connection, queue_id, self._tracker, self._finished, batch)
        self._delivery = Delivery(connection, queue_id, requests, self._tracker, manifest)
        self._feeder: asyncio.Task[None] | None = None
        self._kept: Manifest | None = None
        self.name = name
        self.axes: tuple[str, ...] = tuple(axes)
        self.queue_id = queue_id

    # ------------------------------------------------------------------ its runs

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> AsyncRun:
        place = index + self._count if index < 0 else index
        if not 0 <= place < self._count:
            raise IndexError(f"The sweep has {self._count} runs; there is no {index}.")
        run = self._runs.get(place)
        if run is None:
            raise RunNotFinishedError(f"Run {place} of the sweep has not been sent yet.")
        return run

    def __aiter__(self) -> AsyncIterator[AsyncRun]:
        return self.as_completed()

    @property
    def runs(self) -> list[AsyncRun]:
        """The runs that have been sent, in the order of the axes: the last one varies fastest."""
        return [self._runs[index] for index in sorted(self._runs)]

    @property
    def failed(self) -> list[AsyncRun]:
        """The runs that have ended without success."""
        return [run for run in self.runs if run.done and not run.status.ok]

    @property
    def done(self) -> int:
        """How many runs have ended, well or not."""
        return self._count - len(self._open)

    def index(self, run: AsyncRun) -> int:
        """Where a run stands in the sweep.

        Raises:
            ValueError: It is none of the sweep's.
        """
        place = self._index.get(run.item_id)
        if place is None:
            raise ValueError(f"{run!r} is no run of this sweep.")
        return place

    def values(self, index: int) -> dict[str, Any]:
        """The axis values of a run, as they were given.

        Raises:
            IndexError: There is no such run.
        """
        for request in self._requests:
            if 0 <= index - request.first < request.count:
                return request.values(index - request.first)
        raise IndexError(f"The sweep has {self._count} runs; there is no {index}.")

    # ------------------------------------------------------------------ following it

    async def as_completed(self) -> AsyncIterator[AsyncRun]:
        """The runs, each as soon as it has ended, well or not.

        Raises:
            ServerUnreachableError: The server stayed away for five minutes.
        """
        await self._ready()
        given = 0
        async with aclosing(self._steps()) as steps:
            async for _ in steps:
                while given < len(self._order):
                    given += 1
                    yield self._runs[self._order[given - 1]]

    async def wait(
        self, *, on_run: Callable[[AsyncRun], object] | None = None, progress: bool | None = None
    ) -> list[AsyncRun]:
        """Wait until all runs have ended, well or not.

        Args:
            on_run: Called with each run that has ended.
            progress: Whether to show it; by default where a person watches (a terminal or a notebook).

        Returns:
            The runs in the order of the axes.

        Raises:
            ServerUnreachableError: The server stayed away for five minutes.
        """
        from invokeai_py_client.display.sweep import sweep_display

        with sweep_display(self._count, progress) as display:
            async for run in self.as_completed():
                display.show(self.done, len(self.failed) if not run.status.ok else None)
                if on_run is not None:
                    await call_back(on_run, run)
        return self.runs

    # ------------------------------------------------------------------ acting on it

    async def cancel(self) -> None:
        """Cancel what has not ended yet, and send nothing more."""
        await self._ready()
        self._stop_feeding()
        self._open -= set(self._delivery.drop())
        if self._delivery.batches:
            await self._delivery.cancel(self._delivery.batches)
            await self._follower.read_states()
        self._tracker.wake()

    async def retry_failed(self) -> int:
        """Run once more what has failed or was canceled, with the same values.

        Returns:
            How many runs that are.
        """
        await self._ready()
        again = [index for index, run in self._runs.items() if run.done and not run.status.ok]
        self._order = [index for index in self._order if index not in set(again)]
        self._open |= set(again)
        self._delivery.add(again)
        await self._send()
        return len(again)

    # ------------------------------------------------------------------ inside

    async def _begin(self) -> None:
        """Send what goes out at once. Where a later request is refused, the earlier ones are taken back."""
        self._delivery.add_all()
        try:
            await self._send()
        except BaseException:
            if self._runs:
                await cancel_quietly(self._delivery.cancel(self._delivery.batches))
            raise

    async def _ready(self) -> None:
        """Where the sweep comes from a manifest, find out what became of it."""
        kept, self._kept = self._kept, None
        if kept is not None:
            from invokeai_py_client.sweep.resumption import pick_up

            try:
                await pick_up(self, kept)
            except BaseException:
                self._kept = kept
                raise

    async def _send(self) -> None:
        cut = False
        while len(self._delivery) and not cut and not self._background:
            cut = self._take(await self._delivery.send())
        if len(self._delivery):
            self._feed_on()

    def _feed_on(self) -> None:
        if self._feeder is None or self._feeder.done():
            self._feeder = asyncio.create_task(self._keep_sending())
            self._feeder.add_done_callback(lambda _: self._tracker.wake())
            self.connection.background(self._feeder)

    async def _keep_sending(self) -> None:
        """Send the rest as there is room for it."""
        while len(self._delivery):
            if self._background:
                room = _FEW - len(self._follower)
                if room > 0:
                    await self._send_on(room)
                else:
                    await self._tracker.change(timing.QUEUE_FULL)
                continue
            before = self.done
            enough = min(_REFILL, max(1, len(self._follower)))
            while self.done - before < enough and await self._tracker.change(timing.QUEUE_FULL):
                pass
            await self._send_on(max(_REFILL, self.done - before))

    async def _send_on(self, most: int) -> None:
        """Send some runs, and wait for a server that is away; it is asked what it has before anything goes twice."""
        began = time.monotonic()
        while True:
            try:
                self._take(await self._delivery.send(most))
                return
            except APIRequestError as error:
                await timing.tolerate_outage(error, began)

    def _take(self, delivered: Delivered) -> bool:
        for index, item_id in delivered.items.items():
            self._add_run(index, item_id, delivered.batch_id)
        self._tracker.wake()
        return delivered.cut

    def _add_run(self, index: int, item_id: int, batch_id: str) -> AsyncRun:
        run = self._runs[index] = AsyncRun(
            self.connection,
            item_id,
            self._tracker,
            batch_id=batch_id,
            queue_id=self.queue_id,
            inputs=ChainMap(self.values(index), self._inputs),
            labels=self._labels,
        )
        self._index[item_id] = index
        self._follower.add(item_id, batch_id)
        return run

    def _finished(
        self, item_id: int, item: Mapping[str, Any] | None, called: tuple[CalledResults, ...]
    ) -> None:
        index = self._index[item_id]
        run = self._runs[index]
        self._tracker.item(item_id, item)
        run._take(item, called, whole=False)  # pyright: ignore[reportPrivateUsage]
        self._open.discard(index)
        self._order.append(index)
        if self._manifest is not None:
            from invokeai_py_client.sweep.record import run_record

            self._manifest.write("run", **run_record(index, run, self.values(index)))

    async def _steps(self) -> AsyncGenerator[None]:
        """Follow the runs until all have ended. Yields whenever some may have, at least once."""
        if not self._open:
            yield
            return
        async with self._follower.changes() as changes:
            async for change in changes:
                self._check_feeder()
                self._follower.step(changes, change)
                yield
                if not self._open:
                    return

    def _check_feeder(self) -> None:
        feeder = self._feeder
        if feeder is not None and feeder.done():
            self._feeder = None
            if not feeder.cancelled():  # as its client was closed, which is used again now
                feeder.result()  # what went wrong there is told here
        if len(self._delivery):
            self._feed_on()

    def _stop_feeding(self) -> None:
        feeder, self._feeder = self._feeder, None
        if feeder is not None:
            feeder.cancel()

    def __getstate__(self) -> dict[str, Any]:
        # The manifest stays with the process that writes it, and so does the task that sends.
        return {**super().__getstate__(), "_manifest": None, "_feeder": None}

    def __repr__(self) -> str:
        over = f" over {', '.join(self.axes)}" if self.axes else ""
        return f"<{type(self).__name__} of {self.name!r}{over}: {self.done} of {self._count} done>"
