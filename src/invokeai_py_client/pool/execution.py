"""The execution of a sweep on a pool: each run once, on whichever server is free."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from invokeai_py_client.errors import InvokeAIClientError, ServerUnreachableError, UsageError
from invokeai_py_client.models.enums import JobStatus
from invokeai_py_client.pool.arrivals import Arrivals
from invokeai_py_client.pool.chunk import Chunk, RequestInfo
from invokeai_py_client.pool.dispatch import Dispatcher
from invokeai_py_client.pool.engine import AgentLost
from invokeai_py_client.pool.fit import affinity_of
from invokeai_py_client.pool.order import Outcome, make_order, not_done
from invokeai_py_client.pool.servers import Listener, PoolServer, ServerState
from invokeai_py_client.sweep.manifest import now, packed
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
        self._arrivals = Arrivals(runs, inputs, folder)
        self._recorded: set[str] = set()
        self._failing: set[str] = set()
        self._at_work: dict[str, Chunk] = {}
        self._work: set[asyncio.Task[None]] = set()
        self._driver: asyncio.Task[None] | None = None
        self._error: BaseException | None = None
        self._canceled = False
        self._stranded: float | None = None
        self._news = asyncio.Event()
        self._wake = asyncio.Event()

    # ------------------------------------------------------------------ as the sweep uses it

    async def begin(self) -> None:
        """Start the runs of a new sweep."""
        await self._inputs.prepare(request.body for request in self._runs.requests)
        self._dispatcher.add(range(self._runs.count))
        await self.send()

    async def restore(self, kept: Manifest) -> None:
        """Restore the state of the sweep from its manifest.

        Chunks that were sent and did not come back are ordered again at the same servers, which have them already.
        """
        await self._servers.start()
        await self._inputs.prepare(request.body for request in self._runs.requests)
        self._arrivals.restore(kept)
        self._dispatcher.add(self._runs.open)
        starts = [request.first for request in self._runs.requests]
        chunks: list[Chunk] = []
        for sending in kept.batches:
            assert sending.server is not None
            self._recorded.add(sending.batch_id)
            if any(starts[sending.request] + row in self._runs.open for row in sending.rows):
                chunks.append(
                    Chunk(sending.batch_id, sending.server, sending.request, tuple(sending.rows), again=True)
                )
        self._dispatcher.restore(chunks, time.monotonic())

    async def send(self) -> None:
        """Start to order runs, in the background."""
        await self._servers.start()
        if self._driver is None or self._driver.done():
            self._error = None
            self._driver = asyncio.create_task(self._drive())
            self._inputs.home.background(self._driver)

    async def steps(self) -> AsyncGenerator[None]:
        """Follow the runs until all have ended. Yield whenever some may have ended, at least once."""
        while True:
            news = self._news
            yield
            if not self._runs.open:
                return
            if self._driver is not None and not self._driver.done():
                await news.wait()
                continue
            error, self._error = self._error, None
            if error is not None:
                raise error
            await (
                self.send()
            )  # after an error that was raised before, or because the pool was closed meanwhile

    async def cancel(self) -> None:
        """Cancel the runs that have not ended, on all servers, and stop sending the others."""
        self._canceled = True
        self._arrivals.drop(self._dispatcher.cancel())
        for server in self._servers.all:
            batch_ids = [chunk.batch_id for chunk in self._dispatcher.at(server.name)]
            if batch_ids:
                self._spawn(self._withdraw(server.name, batch_ids))
        self._wake.set()
        if self._work:
            await asyncio.wait(set(self._work), timeout=_CANCEL)
        self._deliver()

    async def retry(self, indexes: set[int]) -> None:
        """Run some runs that have ended again."""
        self._canceled = False
        self._runs.reopen(indexes)
        self._dispatcher.add(indexes)
        self._wake.set()
        await self.send()

    def index_of(self, run: AsyncRun) -> int | None:
        """Return the index of a run, or None if it is unknown."""
        return self._arrivals.index_of(run)

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
        self._demands.accept(server)
        self._spawn(self._admit(server))

    def on_lost(self, server: PoolServer, orderly: bool) -> None:
        """Keep the chunks of a server for a while, or give them to others at once."""
        # Orders at an agent that is there end by themselves, also if its server does not respond.
        if server.state is ServerState.GONE or not self._dispatcher.at(server.name):
            self._dispatcher.leave(server.name, time.monotonic(), orderly=orderly)
        self._wake.set()

    # ------------------------------------------------------------------ the driver

    async def _drive(self) -> None:
        """Order chunks until all runs have ended."""
        self._servers.unlisten(self)
        self._servers.listen(self)
        self._view.watch(self)
        for server in self._servers.all:
            if server.is_present:
                self._spawn(self._admit(server))
            else:
                self._dispatcher.leave(server.name, time.monotonic())
        try:
            while not self._dispatcher.finished and self._error is None:
                moment = time.monotonic()
                self._wake.clear()
                for chunk in self._dispatcher.orders(moment):
                    self._write_sending(chunk)
                    self._spawn(self._carry(chunk))
                self._deliver()
                self._check_stranded(moment)
                await self._rest(moment)
            self._deliver()
        except Exception as error:  # noqa: BLE001 - raised by steps()
            self._error = self._error or error
        finally:
            self._view.unwatch()
            self._servers.readmit()
            if self._dispatcher.finished:
                self._part()
            else:
                self._let_go()
            self._tell()

    def _part(self) -> None:
        """Stop listening, unless servers are still to be told which runs were given to others."""
        if not any(self._dispatcher.disowned(server.name) for server in self._servers.all):
            self._servers.unlisten(self)

    def _let_go(self) -> None:
        """Leave the chunks where they are, after an error or because the pool is closed. send() orders them again."""
        self._servers.unlisten(self)
        self._at_work.clear()
        for task in self._work:
            task.cancel()
        for server in self._servers.all:
            self._dispatcher.leave(server.name, time.monotonic())

    async def _rest(self, moment: float) -> None:
        """Wait until there is something to do."""
        if self._dispatcher.finished or self._error is not None:
            return
        until = self._dispatcher.next_time()
        limits = [timing.POLL] if self._stranded is not None else []
        if until is not None:
            limits.append(max(0.0, until - moment))
        try:
            async with asyncio.timeout(min(limits, default=None)):
                await self._wake.wait()
        except TimeoutError:
            pass  # something may be due now

    def _check_stranded(self, moment: float) -> None:
        """Raise if no server can do the remaining runs for too long."""
        left = self._dispatcher.stranded(moment) if not self._work else []
        if not left:
            self._stranded = None
            return
        self._stranded = moment if self._stranded is None else self._stranded
        if moment - self._stranded >= self._longest_outage:
            self._stranded = None
            self._raise_stranded(left)

    def _raise_stranded(self, left: list[int]) -> NoReturn:
        manifest = self._runs.manifest
        hint = f" Resume the sweep later from {manifest.path}." if manifest is not None else ""
        reasons = self._demands.reasons(self._servers.all, left[0])
        count = f"{len(left)} of the {self._runs.count} runs"
        raise ServerUnreachableError(
            None, None, f"No server of the pool can do {count}:\n{reasons}\n{hint.strip()}".rstrip()
        )

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task: asyncio.Task[None] = asyncio.create_task(coroutine)
        self._work.add(task)
        self._inputs.home.background(task)

        def over(task: asyncio.Task[None]) -> None:
            self._work.discard(task)
            if not task.cancelled() and task.exception() is not None:
                self._error = self._error or task.exception()
            self._wake.set()

        task.add_done_callback(over)

    async def _admit(self, server: PoolServer) -> None:
        disowned = self._dispatcher.disowned(server.name)
        if disowned:
            try:
                await self._engine.ask(server.name, "withdraw", disowned, self._runs.queue_id)
            except InvokeAIClientError as error:
                self._note_trouble(server, error)
                return
            self._dispatcher.withdrawn(server.name, disowned)
        if server.is_present:
            self._join(server)
        if self._driver is None or self._driver.done():
            self._part()
        self._wake.set()

    def _join(self, server: PoolServer) -> None:
        fits = self._demands.met_by(server)
        self._dispatcher.join(server.name, time.monotonic(), devices=server.devices, fits=fits)

    async def _withdraw(self, server: str, batch_ids: list[str]) -> None:
        """Cancel batches on a server. If it does not respond, ask again while it has them."""
        while any(batch_id in self._at_work for batch_id in batch_ids):
            try:
                await self._engine.ask(server, "withdraw", batch_ids, self._runs.queue_id)
            except AgentLost:
                return
            except InvokeAIClientError as error:
                logger.warning("the runs on %s could not be canceled yet: %s", server, error)
            else:
                return
            await asyncio.sleep(timing.POLL)

    # ------------------------------------------------------------------ a chunk

    async def _carry(self, chunk: Chunk) -> None:
        """Order a chunk at its server, and take the outcome."""
        server = self._servers[chunk.server]
        visit = server.visit
        self._at_work[chunk.batch_id] = chunk
        server.busy += len(chunk.rows)
        try:
            outcome = await self._order(chunk)
        except AgentLost as error:
            if server.visit == visit:  # otherwise it has come back since
                self._servers.lost(server.name, error)
            return
        finally:
            server.busy -= len(chunk.rows)
            current = self._at_work.get(chunk.batch_id) is chunk
            if current:
                del self._at_work[chunk.batch_id]
        if current:  # otherwise it was ordered again since
            self._take(chunk, outcome)

    async def _order(self, chunk: Chunk) -> Outcome:
        request = self._runs.requests[chunk.request]
        order = make_order(
            chunk,
            request,
            queue_id=self._runs.queue_id,
            labels=self._runs.labels,
            boards=self._inputs.boards,
            files=self._folder is not None,
            others=self._dispatcher.has_others(chunk.server, chunk.request),
        )

        def sent(items: Mapping[int, int]) -> None:
            for place, item_id in items.items():
                self._arrivals.accepted(
                    request.first + chunk.rows[place], chunk.server, item_id, chunk.batch_id
                )

        try:
            await self._inputs.give(chunk.server, order["inputs"])
            if self._canceled and not chunk.again:
                return {}
            outcome = await self._inputs.run(chunk.server, order, sent)
        except AgentLost:
            raise
        except InvokeAIClientError as error:
            return not_done(error, begun=chunk.again)
        if self._folder is not None:
            await self._folder.write(outcome.get("files", {}))
        return outcome

    def _take(self, chunk: Chunk, outcome: Outcome) -> None:
        request, server = self._runs.requests[chunk.request], self._servers[chunk.server]
        states: dict[int, JobStatus] = {}
        for place, (item_id, status, end) in outcome.get("runs", {}).items():
            row = chunk.rows[place]
            states[row] = status.state
            self._arrivals.keep(request.first + row, chunk.batch_id, (chunk.server, item_id, status, end))
        why = outcome.get("why", "")
        if outcome.get("refused"):
            self._demands.refuse(server, chunk.request, why)
            if server.is_present:
                self._join(server)
        asked = outcome.get("asked", True)
        self._dispatcher.ended(chunk.batch_id, states, time.monotonic(), asked=asked)
        if not asked:
            self._servers.silent(server.name, why)
        if JobStatus.FAILED in states.values():
            self._failing.add(server.name)
        for name in self._failing:
            if self._dispatcher.is_excluded(name):
                self._servers.exclude(name)
        server.done += len(states)
        server.rate = self._dispatcher.rate(server.name)
        self._deliver()

    def _deliver(self) -> None:
        """Deliver the runs whose results are decided."""
        self._arrivals.drop(self._dispatcher.dropped())
        self._arrivals.deliver(self._dispatcher.released())
        self._tell()

    def _write_sending(self, chunk: Chunk) -> None:
        if self._runs.manifest is not None and chunk.batch_id not in self._recorded:
            self._runs.manifest.write(
                "sending",
                batch=chunk.batch_id,
                request=chunk.request,
                rows=packed(chunk.rows),
                server=chunk.server,
                time=now(),
            )
            self._recorded.add(chunk.batch_id)

    def _note_trouble(self, server: PoolServer, error: InvokeAIClientError) -> None:
        if isinstance(error, AgentLost):
            self._servers.lost(server.name, error)
        else:
            self._servers.silent(server.name, str(error))

    def _tell(self) -> None:
        """Wake those that wait for runs."""
        self._news.set()
        self._news = asyncio.Event()

    def __getstate__(self) -> dict[str, Any]:
        raise UsageError(
            "A sweep over a pool cannot be pickled. Start it with manifest=..., and resume it from there: "
            "Sweep.resume(path, pool)."
        )
