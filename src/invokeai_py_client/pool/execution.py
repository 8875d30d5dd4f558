"""The execution of a sweep on a pool: each run once, on whichever server is free."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from invokeai_py_client._aio import gather_or_cancel
from invokeai_py_client.errors import InvokeAIClientError, ServerUnreachableError
from invokeai_py_client.models.enums import JobStatus
from invokeai_py_client.pool.chunk import Chunk, RequestInfo
from invokeai_py_client.pool.dispatch import Dispatcher
from invokeai_py_client.pool.engine import AgentLost
from invokeai_py_client.pool.fit import affinity_of
from invokeai_py_client.pool.order import Outcome, make_order
from invokeai_py_client.pool.servers import Listener, PoolServer
from invokeai_py_client.run.end import RunEnd
from invokeai_py_client.run.status import RunStatus, status_of_item
from invokeai_py_client.run.tracker import BatchTracker
from invokeai_py_client.sweep.manifest import now, packed, recorded_item
from invokeai_py_client.transport import timing

if TYPE_CHECKING:
    from invokeai_py_client.pool.demands import Demands
    from invokeai_py_client.pool.engine import Engine
    from invokeai_py_client.pool.inputs import PoolInputs
    from invokeai_py_client.pool.outputs import KeptFolder
    from invokeai_py_client.pool.servers import Servers
    from invokeai_py_client.pool.view import View
    from invokeai_py_client.run.run import AsyncRun
    from invokeai_py_client.sweep.manifest import Manifest
    from invokeai_py_client.sweep.runs import SweepRuns

logger = logging.getLogger("invokeai_py_client.pool")

# How long cancel() waits for the servers to report the runs that it canceled, in seconds.
_CANCEL = 10.0

_End = tuple[str, int, RunStatus, RunEnd]
"""The server, the queue item, the status and the results of a run."""


class PoolExecution(Listener):
    """The execution of a sweep on a pool of servers.

    Args:
        engine: Reaches the servers.
        servers: The servers.
        runs: The runs of the sweep.
        demands: What the requests need of a server.
        inputs: The images, videos and boards of the requests.
        folder: Receives the images and videos. None: they stay on their servers.
        view: Describes what is running.
        seconds: The duration of a chunk, in seconds.
        longest_outage: How long no server may be able to do the remaining runs, in seconds.
    """

    def __init__(
        self,
        engine: Engine,
        servers: Servers,
        runs: SweepRuns,
        *,
        demands: Demands,
        inputs: PoolInputs,
        folder: KeptFolder | None,
        view: View,
        seconds: float,
        longest_outage: float,
    ) -> None:
        self._engine = engine
        self._servers = servers
        self._runs = runs
        self._demands = demands
        self._inputs = inputs
        self._folder = folder
        self._view = view
        self._longest_outage = longest_outage
        self._dispatcher = Dispatcher(
            [RequestInfo(one.first, one.count, affinity_of(one.body)) for one in runs.requests],
            seconds=seconds,
        )
        self._ends: dict[tuple[int, str], _End] = {}
        self._index: dict[tuple[str, int], int] = {}
        self._visible: dict[int, tuple[str, RunEnd]] = {}
        self._trackers: dict[str, BatchTracker] = {}
        self._driver: asyncio.Task[None] | None = None
        self._work: set[asyncio.Task[None]] = set()
        self._error: BaseException | None = None
        self._news = asyncio.Event()
        self._wake = asyncio.Event()
        self._stranded: float | None = None
        self._at_work: dict[str, Chunk] = {}

    # ------------------------------------------------------------------ as the sweep uses it

    async def begin(self) -> None:
        """Start the runs of a new sweep."""
        self._dispatcher.add(range(self._runs.count))
        await self.send()

    async def restore(self, kept: Manifest) -> None:
        """Restore the state of the sweep from its manifest.

        Chunks that were sent and did not come back are ordered again at the same servers, which have them already.
        """
        await self._servers.start()
        for index, record in kept.runs.items():
            if index not in self._runs.open or JobStatus(record["state"]) is JobStatus.CANCELLED:
                continue
            end = RunEnd(record)
            self._show(index, record["server"], record["item"], record["batch"], end)
            status = status_of_item(recorded_item(record), RunStatus())
            self._trackers[record["server"]].keep(record["item"], status)
            self._runs.end(index, record=False)
        self._dispatcher.add(self._runs.open)
        self._dispatcher.restore(
            (
                Chunk(sending.batch_id, sending.server, sending.request, tuple(sending.rows), again=True)
                for sending in kept.batches
                if sending.server is not None
                and any(
                    self._runs.requests[sending.request].first + row in self._runs.open
                    for row in sending.rows
                )
            ),
            time.monotonic(),
        )

    async def send(self) -> None:
        """Start to order runs, in the background."""
        await self._servers.start()
        if self._driver is None or self._driver.done():
            self._error = None
            self._driver = asyncio.create_task(self._drive())
            self._inputs.home.background(self._driver)

    async def steps(self) -> AsyncGenerator[None]:
        """Follow the runs until all have ended. Yield whenever some may have ended, at least once."""
        if self._runs.open and (self._driver is None or self._driver.done()) and self._error is None:
            await self.send()
        while True:
            news = self._news
            yield
            if not self._runs.open:
                return
            if self._error is not None:
                raise self._error
            await news.wait()

    async def cancel(self) -> None:
        """Cancel the runs that have not ended, on all servers, and stop sending the others."""
        self._runs.open -= set(self._dispatcher.cancel())
        batches = {
            server.name: [chunk.batch_id for chunk in self._dispatcher.at(server.name)]
            for server in self._servers.all
        }

        async def withdraw(server: str, batch_ids: list[str]) -> None:
            try:
                await self._engine.ask(server, "withdraw", batch_ids, self._runs.queue_id)
            except InvokeAIClientError as error:
                logger.warning("the runs on %s could not be canceled: %s", server, error)

        await gather_or_cancel(withdraw(server, ids) for server, ids in batches.items() if ids)
        if self._work:
            await asyncio.wait(set(self._work), timeout=_CANCEL)
        self._deliver()
        self._wake.set()

    async def retry(self, indexes: set[int]) -> None:
        """Run some runs that have ended again."""
        self._runs.reopen(indexes)
        self._dispatcher.add(indexes)
        self._wake.set()
        await self.send()

    def index_of(self, run: AsyncRun) -> int | None:
        """Return the index of a run, or None if it is unknown."""
        place = self._index.get((run.batch_id, run.item_id))
        return place if place is not None and self._runs.get(place) == run else self._runs.find(run)

    def number_of(self, batch_id: str, place: int) -> int | None:
        """Return the index of the run at a place of a batch, or None if it has come back."""
        chunk = self._at_work.get(batch_id)
        return None if chunk is None else self._runs.requests[chunk.request].first + chunk.rows[place]

    def current(self) -> list[str]:
        """Return a line for each server that is at work."""
        return self._view.lines()

    # ------------------------------------------------------------------ as the servers use it

    def on_ready(self, server: PoolServer) -> None:
        """Let a server take part, after it has canceled what others do now."""
        self._spawn(self._admit(server))

    def on_lost(self, server: PoolServer, orderly: bool) -> None:
        """Keep the chunks of a server for a while, or give them to others at once."""
        self._dispatcher.leave(server.name, time.monotonic(), orderly=orderly)
        self._wake.set()

    # ------------------------------------------------------------------ the driver

    async def _drive(self) -> None:
        """Order chunks until all runs have ended."""
        self._servers.listen(self)
        self._view.watch(self)
        try:
            for server in self._servers.ready:
                await self._admit(server)
            while not self._dispatcher.finished and self._error is None:
                moment = time.monotonic()
                self._wake.clear()
                for chunk in self._dispatcher.orders(moment):
                    if not chunk.again:
                        self._write_sending(chunk)
                    self._servers[chunk.server].busy += len(chunk.rows)
                    self._spawn(self._carry(chunk))
                self._deliver()
                self._check_stranded(moment)
                await self._rest(moment)
            self._deliver()
        except Exception as error:  # noqa: BLE001 - raised by steps()
            self._error = error
        finally:
            self._servers.unlisten(self)
            self._view.unwatch()
            self._tell()

    async def _rest(self, moment: float) -> None:
        """Wait until there is something to do."""
        if self._dispatcher.finished or self._error is not None:
            return
        until = self._dispatcher.next_time()
        limit = timing.POLL if self._stranded is not None else None
        if until is not None:
            limit = max(0.0, min(until - moment, limit if limit is not None else until))
        try:
            async with asyncio.timeout(limit):
                await self._wake.wait()
        except TimeoutError:
            pass  # something may be due now

    def _check_stranded(self, moment: float) -> None:
        """Raise if no server can do the remaining runs for too long."""
        left = self._dispatcher.stranded(moment) if not self._work else []
        if not left:
            self._stranded = None
            return
        self._stranded = self._stranded or moment
        if moment - self._stranded < self._longest_outage:
            return
        manifest = self._runs.manifest
        hint = f" Resume the sweep later from {manifest.path}." if manifest is not None else ""
        reasons = self._demands.reasons(self._servers.all, left[0])
        raise ServerUnreachableError(
            None, None, f"No server of the pool can do {len(left)} of the runs:\n{reasons}\n{hint}".rstrip()
        )

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task: asyncio.Task[None] = asyncio.create_task(coroutine)
        self._work.add(task)
        self._inputs.home.background(task)

        def over(task: asyncio.Task[None]) -> None:
            self._work.discard(task)
            if not task.cancelled() and task.exception() is not None:
                self._error = task.exception()
            self._wake.set()

        task.add_done_callback(over)

    async def _admit(self, server: PoolServer) -> None:
        disowned = self._dispatcher.disowned(server.name)
        if disowned:
            try:
                await self._engine.ask(server.name, "withdraw", disowned, self._runs.queue_id)
            except InvokeAIClientError as error:
                self._note_trouble(server.name, error)
                return
            self._dispatcher.withdrawn(server.name, disowned)
        fits = self._demands.met_by(server)
        self._dispatcher.join(server.name, time.monotonic(), devices=server.devices, fits=fits)
        self._wake.set()

    async def _carry(self, chunk: Chunk) -> None:
        """Order a chunk at its server, and take the outcome."""
        server = self._servers[chunk.server]
        request, visit = self._runs.requests[chunk.request], server.visit
        self._at_work[chunk.batch_id] = chunk
        try:
            order = make_order(
                chunk,
                request,
                queue_id=self._runs.queue_id,
                labels=self._runs.labels,
                boards=await self._inputs.boards_in(request),
                files=self._folder is not None,
            )

            def sent(items: Mapping[int, int]) -> None:
                for place, item_id in items.items():
                    index = request.first + chunk.rows[place]
                    if index in self._runs.open:
                        self._show(index, chunk.server, item_id, chunk.batch_id, RunEnd())

            outcome = await self._inputs.run(server.name, order, sent)
            if self._folder is not None:
                await self._folder.write(outcome.get("files", {}))
        except AgentLost as error:
            if server.visit == visit:  # otherwise it has come back since
                self._servers.lost(server.name, error)
            return
        finally:
            server.busy -= len(chunk.rows)
            self._at_work.pop(chunk.batch_id, None)
        self._take(chunk, outcome)

    def _take(self, chunk: Chunk, outcome: Outcome) -> None:
        request, server = self._runs.requests[chunk.request], self._servers[chunk.server]
        states: dict[int, JobStatus] = {}
        for place, (item_id, status, end) in outcome.get("runs", {}).items():
            row = chunk.rows[place]
            states[row] = status.state
            self._ends[request.first + row, chunk.batch_id] = chunk.server, item_id, status, end
        asked = outcome.get("asked", True)
        if outcome.get("refused"):
            self._demands.refuse(server, chunk.request, outcome.get("why", ""))
            self._spawn(self._admit(server))
        self._dispatcher.ended(chunk.batch_id, states, time.monotonic(), asked=asked)
        if not asked:
            self._servers.silent(server.name, outcome.get("why", ""))
        server.done += len(states)
        server.rate = self._dispatcher.rate(server.name)
        self._deliver()
        for (
            row,
            state,
        ) in states.items():  # a failure may still be delivered, if no other server can try the run
            if state is not JobStatus.FAILED:
                self._ends.pop((request.first + row, chunk.batch_id), None)

    # ------------------------------------------------------------------ the results

    def _deliver(self) -> None:
        """Deliver the runs whose results are decided."""
        for index in self._dispatcher.dropped():
            self._runs.remove(index)
            self._runs.open.discard(index)
        for index, batch_id in self._dispatcher.released():
            server, item_id, status, end = self._ends.pop((index, batch_id))
            visible = self._visible.pop(index, None)
            if visible is not None and visible[0] == batch_id:
                visible[1].adopt(end)
            else:
                self._show(index, server, item_id, batch_id, end)
                del self._visible[index]
            self._trackers[server].keep(item_id, status)
            self._trackers[server].wake()
            self._runs.end(index)
        self._tell()

    def _show(self, index: int, server: str, item_id: int, batch_id: str, end: RunEnd) -> None:
        """Add a run to the sweep."""
        tracker = self._trackers.get(server)
        if tracker is None or tracker.status(item_id).done:
            # A database that was created again has the same ids for other items.
            tracker = self._trackers[server] = BatchTracker(batch_id, keep_events=False)
        connection = self._inputs.connection(server)
        if self._folder is not None:
            self._folder.use(connection)
        self._runs.add(index, connection, item_id, batch_id, tracker, end, server=server)
        self._index[batch_id, item_id] = index
        self._visible[index] = batch_id, end

    def _write_sending(self, chunk: Chunk) -> None:
        if self._runs.manifest is not None:
            self._runs.manifest.write(
                "sending",
                batch=chunk.batch_id,
                request=chunk.request,
                rows=packed(chunk.rows),
                server=chunk.server,
                time=now(),
            )

    def _note_trouble(self, server: str, error: InvokeAIClientError) -> None:
        if isinstance(error, AgentLost):
            self._servers.lost(server, error)
        else:
            self._servers.silent(server, str(error))

    def _tell(self) -> None:
        """Wake those that wait for runs."""
        self._news.set()
        self._news = asyncio.Event()
