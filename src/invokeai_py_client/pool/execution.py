"""The execution of a sweep on a pool: each run once, on whichever server is free."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Coroutine
from typing import TYPE_CHECKING, Any, NoReturn

from invokeai_py_client.errors import AgentLostError, InvokeAIClientError, ServerUnreachableError, UsageError
from invokeai_py_client.pool.arrivals import Arrivals
from invokeai_py_client.pool.carrier import Carrier
from invokeai_py_client.pool.chunk import Chunk, RequestInfo
from invokeai_py_client.pool.dispatch import Dispatcher
from invokeai_py_client.pool.fit import affinity_of
from invokeai_py_client.pool.servers import Listener, PoolServer, ServerState
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

# For how long the chunks of a lost server are kept for it, in seconds.
_GRACE = 10.0
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
        self._view = view
        self._longest_outage = longest_outage
        self._dispatcher = Dispatcher(
            [RequestInfo(one.first, one.count, affinity_of(one.body)) for one in runs.requests],
            seconds=seconds,
            grace=_GRACE,
        )
        self._arrivals = Arrivals(runs, inputs, folder)
        self._carrier = Carrier(
            engine,
            servers,
            runs,
            dispatcher=self._dispatcher,
            arrivals=self._arrivals,
            demands=demands,
            inputs=inputs,
            folder=folder,
            deliver=self._deliver,
        )
        self._work: set[asyncio.Task[None]] = set()
        self._driver: asyncio.Task[None] | None = None
        self._error: BaseException | None = None
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
        chunks: list[Chunk] = []
        for sending in kept.batches:
            assert sending.server is not None
            self._carrier.recorded.add(sending.batch_id)
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
            # An error was raised before, or the pool was closed in between.
            await self.send()

    async def cancel(self) -> None:
        """Cancel the runs that have not ended, on all servers, and stop sending the others."""
        self._carrier.canceled = True
        self._arrivals.drop(self._dispatcher.cancel())
        for server in self._servers.all:
            batch_ids = [chunk.batch_id for chunk in self._dispatcher.at(server.name)]
            if batch_ids:
                self._spawn(self._carrier.withdraw(server.name, batch_ids))
        self._wake.set()
        if self._work:
            await asyncio.wait(set(self._work), timeout=_CANCEL)
        self._deliver()

    async def retry(self, indexes: set[int]) -> None:
        """Run some runs that have ended again."""
        self._carrier.canceled = False
        self._runs.reopen(indexes)
        self._dispatcher.add(indexes)
        self._wake.set()
        await self.send()

    def index_of(self, run: AsyncRun) -> int | None:
        """Return the index of a run, or None if it is unknown."""
        return self._arrivals.index_of(run)

    def current(self) -> list[str]:
        """Return a line for each server that is at work."""
        return self._view.lines()

    # ------------------------------------------------------------------ as the servers use it

    def on_ready(self, server: PoolServer) -> None:
        """Let a server take part, after it has canceled what others do now."""
        self._demands.accept(server)
        self._spawn(self._admit(server))

    def on_lost(self, server: PoolServer) -> None:
        """Hold the chunks of a server for some seconds, before other servers do them."""
        # Orders at an agent that is there end by themselves, also if its server does not respond.
        if server.state is ServerState.GONE or not self._dispatcher.at(server.name):
            self._dispatcher.leave(server.name, time.monotonic())
        self._wake.set()

    # ------------------------------------------------------------------ the driver

    async def _drive(self) -> None:
        """Order chunks until all runs have ended."""
        self._servers.unlisten(self)
        self._servers.listen(self)
        self._view.watch(self._carrier)
        for server in self._servers.all:
            if not server.is_present:
                self._dispatcher.leave(server.name, time.monotonic())
            elif self._dispatcher.disowned(server.name):
                self._spawn(self._admit(server))
            else:  # before the first order, which depends on the number of servers
                self._carrier.join(server)
        try:
            while not self._dispatcher.finished and self._error is None:
                moment = time.monotonic()
                self._wake.clear()
                for chunk in self._dispatcher.orders(moment):
                    self._carrier.record(chunk)
                    self._spawn(self._carrier.carry(chunk))
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
        self._carrier.let_go()
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
        self._dispatcher.reclaim(server.name, time.monotonic())
        disowned = self._dispatcher.disowned(server.name)
        if disowned:
            try:
                await self._engine.ask(server.name, "withdraw", disowned, self._runs.queue_id)
            except InvokeAIClientError as error:
                self._note_trouble(server, error)
                return
            self._dispatcher.withdrawn(server.name, disowned)
        if server.is_present:
            self._carrier.join(server)
        if self._driver is None or self._driver.done():
            self._part()
        self._wake.set()

    def _deliver(self) -> None:
        """Deliver the runs whose results are decided."""
        self._arrivals.drop(self._dispatcher.dropped())
        self._arrivals.deliver(self._dispatcher.released())
        self._tell()

    def _note_trouble(self, server: PoolServer, error: InvokeAIClientError) -> None:
        if isinstance(error, AgentLostError):
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
