"""The chunks at work: each is ordered at its server, and its outcome reported to the dispatcher."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from invokeai_py_client.errors import AgentLostError, InvokeAIClientError
from invokeai_py_client.models.enums import JobStatus
from invokeai_py_client.pool.order import Outcome, make_order, not_done
from invokeai_py_client.sweep.manifest import now, packed
from invokeai_py_client.transport import timing

if TYPE_CHECKING:
    from invokeai_py_client.pool.arrivals import Arrivals
    from invokeai_py_client.pool.chunk import Chunk
    from invokeai_py_client.pool.demands import Demands
    from invokeai_py_client.pool.dispatch import Dispatcher
    from invokeai_py_client.pool.engine import Engine
    from invokeai_py_client.pool.inputs import PoolInputs
    from invokeai_py_client.pool.outputs import KeptFolder
    from invokeai_py_client.pool.servers import PoolServer, Servers
    from invokeai_py_client.run.run import AsyncRun
    from invokeai_py_client.run.status import RunStatus
    from invokeai_py_client.sweep.runs import SweepRuns

logger = logging.getLogger("invokeai_py_client.pool")


class Carrier:
    """Carries chunks to their servers, and their outcomes back.

    Args:
        engine: Reaches the servers.
        servers: The servers.
        runs: The runs of the sweep.
        dispatcher: Decides which server does which runs.
        arrivals: Receives the results.
        demands: What the requests need of a server.
        inputs: The images, videos and boards of the requests.
        folder: Receives the images and videos. None: they stay on their servers.
        deliver: Called when results may be decided.

    Attributes:
        recorded: The batches that the manifest has.
        canceled: Whether nothing is sent any more.
    """

    def __init__(
        self,
        engine: Engine,
        servers: Servers,
        runs: SweepRuns,
        *,
        dispatcher: Dispatcher,
        arrivals: Arrivals,
        demands: Demands,
        inputs: PoolInputs,
        folder: KeptFolder | None,
        deliver: Callable[[], object],
    ) -> None:
        self._engine = engine
        self._servers = servers
        self._runs = runs
        self._dispatcher = dispatcher
        self._arrivals = arrivals
        self._demands = demands
        self._inputs = inputs
        self._folder = folder
        self._deliver = deliver
        self._at_work: dict[str, Chunk] = {}
        self._failing: set[str] = set()
        self.recorded: set[str] = set()
        self.canceled = False

    def report(self, batch_id: str, place: int, status: RunStatus) -> tuple[int, AsyncRun] | None:
        """Take the status of a run at work.

        Returns:
            The index of the run, and the run. None if it has come back, or was given to another server.
        """
        chunk = self._at_work.get(batch_id)
        if chunk is None:
            return None
        index = self._runs.requests[chunk.request].first + chunk.rows[place]
        run = self._arrivals.report(index, batch_id, status)
        return None if run is None else (index, run)

    def last_read(self, server: str) -> float:
        """Return when the status of a run in progress on a server was last read, from ``time.monotonic()``."""
        return self._arrivals.last_read(server)

    def let_go(self) -> None:
        """Take no more outcomes of the chunks at work."""
        self._at_work.clear()

    def join(self, server: PoolServer) -> None:
        """Let a server take part, with the requests that it can do."""
        fits = self._demands.met_by(server)
        self._dispatcher.join(server.name, time.monotonic(), devices=server.devices, fits=fits)

    async def carry(self, chunk: Chunk) -> None:
        """Order a chunk at its server, and take the outcome."""
        server = self._servers[chunk.server]
        losses = server.losses
        self._at_work[chunk.batch_id] = chunk
        server.busy += len(chunk.rows)
        try:
            outcome = await self._order(chunk)
        except AgentLostError as error:
            if server.losses == losses:  # otherwise another order has reported it
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
            if self.canceled and not chunk.again:
                return {}
            outcome = await self._inputs.run(chunk.server, order, sent)
        except AgentLostError:
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
                self.join(server)
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

    def record(self, chunk: Chunk) -> None:
        """Write a chunk to the manifest before it is sent.

        Raises:
            UsageError: The manifest cannot be written.
        """
        if self._runs.manifest is not None and chunk.batch_id not in self.recorded:
            self._runs.manifest.write(
                "sending",
                batch=chunk.batch_id,
                request=chunk.request,
                rows=packed(chunk.rows),
                server=chunk.server,
                time=now(),
            )
            self.recorded.add(chunk.batch_id)

    async def withdraw(self, server: str, batch_ids: list[str]) -> None:
        """Cancel batches on a server. If it does not respond, ask again while it has them."""
        while any(batch_id in self._at_work for batch_id in batch_ids):
            try:
                await self._engine.ask(server, "withdraw", batch_ids, self._runs.queue_id)
            except AgentLostError:
                return
            except InvokeAIClientError as error:
                logger.warning("the runs on %s could not be canceled yet: %s", server, error)
            else:
                return
            await asyncio.sleep(timing.POLL)
