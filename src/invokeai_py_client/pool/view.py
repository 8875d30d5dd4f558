"""The progress of the runs that the servers of a pool are working on."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Protocol

from invokeai_py_client.errors import InvokeAIClientError
from invokeai_py_client.sweep.runs import step_of
from invokeai_py_client.transport import timing

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.pool.engine import Engine
    from invokeai_py_client.pool.look import Look
    from invokeai_py_client.pool.servers import PoolServer, Servers
    from invokeai_py_client.run.run import AsyncRun
    from invokeai_py_client.run.status import RunStatus

logger = logging.getLogger("invokeai_py_client.pool")

# The number of servers that get a line of their own.
_MOST = 8
# How many servers are asked per second at most. A question costs the scheduler of a Dask cluster 0.7 ms.
_PER_SECOND = 50
# For how long after a status was read previews are sent over a cluster, in seconds.
_READ = 30.0


class Sweeping(Protocol):
    """Knows the runs of the sweep."""

    def report(self, batch_id: str, place: int, status: RunStatus) -> tuple[int, AsyncRun] | None:
        """Take the status of a run, and return its index and the run, or None if the status does not count."""
        ...

    def last_read(self, server: str) -> float:
        """Return when the status of a run in progress on a server was last read, from ``time.monotonic()``."""
        ...


class View:
    """Asks the servers that are at work what they are doing, once a second, and passes it on to the runs.

    Args:
        engine: Reaches the servers.
        servers: The servers.
        home: The pool's connection, for background tasks.
    """

    def __init__(self, engine: Engine, servers: Servers, home: Connection) -> None:
        self._engine = engine
        self._servers = servers
        self._home = home
        self._texts: dict[str, str] = {}
        # The previews of the runs on each server.
        self._pictures: dict[str, dict[tuple[str, int], int]] = {}
        self._task: asyncio.Task[None] | None = None

    def watch(self, sweep: Sweeping) -> None:
        """Begin to look, for a sweep."""
        self._task = asyncio.create_task(self._keep_looking(sweep))
        self._home.background(self._task)

    def unwatch(self) -> None:
        """Stop looking."""
        self._texts = {}
        if self._task is not None:
            self._task.cancel()

    def lines(self) -> list[str]:
        """Return a line for each server that is at work. Called from any thread."""
        busy = self._busy()
        found: list[str] = []
        for server in busy[:_MOST]:
            speed = f", {server.rate:.1f} runs/s" if server.rate is not None else ""
            found.append(f"{server.name}: {self._texts.get(server.name, 'waiting')}{speed}")
        if len(busy) > _MOST:
            found.append(f"{len(busy) - _MOST} more servers are at work")
        return found

    def _busy(self) -> list[PoolServer]:
        return [server for server in self._servers.all if server.busy]

    async def _keep_looking(self, sweep: Sweeping) -> None:
        asked: dict[str, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as tasks:
            while True:
                busy = self._busy()
                for server in busy:
                    before = asked.get(server.name)
                    if before is None or before.done():  # a server that hangs does not delay the others
                        asked[server.name] = tasks.create_task(self._look(sweep, server.name))
                await asyncio.sleep(max(timing.POLL, len(busy) / _PER_SECOND))

    async def _look(self, sweep: Sweeping, name: str) -> None:
        # Between processes, previews cost something. They are sent only if someone may see them.
        is_near = self._engine.connection(name).has_events
        is_wanted = is_near or time.monotonic() - sweep.last_read(name) < _READ
        known = self._pictures.get(name, {}) if is_wanted else None
        try:
            looks: list[Look] = await self._engine.ask(name, "look", known)
        except InvokeAIClientError as error:
            logger.debug("%s cannot be asked: %s", name, error)
            looks = []
        shown = [(look, sweep.report(look.batch_id, look.place, look.status)) for look in looks]
        self._pictures[name] = {
            (look.batch_id, look.place): look.picture
            for look, run in shown
            if run and look.picture is not None
        }
        texts = [f"run {run[0] + 1}{step_of(run[1], look.status)}" for look, run in shown if run]
        self._texts[name] = texts[0] if texts else "waiting"
