"""Lines that say what the servers of a pool are doing, for progress displays."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Protocol

from invokeai_py_client._aio import gather_or_cancel
from invokeai_py_client.errors import InvokeAIClientError
from invokeai_py_client.transport import timing

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.pool.agent import Look
    from invokeai_py_client.pool.engine import Engine
    from invokeai_py_client.pool.servers import Servers

logger = logging.getLogger("invokeai_py_client.pool")

# The number of servers that get a line of their own.
_MOST = 8
# For how long after the last look someone is assumed to be watching, in seconds.
_WATCHED = 3.0


class Sweeping(Protocol):
    """Knows to which run a place of a batch belongs."""

    def number_of(self, batch_id: str, place: int) -> int | None:
        """Return the index of a run in the sweep, or None if it is not known."""
        ...


class View:
    """The activity of the servers. They are asked once a second, and only while someone watches.

    Args:
        engine: Reaches the servers.
        servers: The servers.
        home: The pool's connection, for background tasks.
    """

    def __init__(self, engine: Engine, servers: Servers, home: Connection) -> None:
        self._engine = engine
        self._servers = servers
        self._home = home
        self._looks: dict[str, list[Look]] = {}
        self._sweep: Sweeping | None = None
        self._task: asyncio.Task[None] | None = None
        self._seen = 0.0

    def watch(self, sweep: Sweeping) -> None:
        """Begin to look, for a sweep."""
        self._sweep = sweep
        self._task = asyncio.create_task(self._keep_looking())
        self._home.background(self._task)

    def unwatch(self) -> None:
        """Stop looking."""
        self._sweep = None
        self._looks = {}
        if self._task is not None:
            self._task.cancel()

    def lines(self) -> list[str]:
        """Return a line for each server that is at work. Called from any thread."""
        self._seen = time.monotonic()
        looks, sweep = self._looks, self._sweep
        busy = [server for server in self._servers.all if server.busy]
        found: list[str] = []
        for server in busy[:_MOST]:
            speed = f", {server.rate:.1f} runs/s" if server.rate is not None else ""
            text = "waiting"
            for look in looks.get(server.name, [])[:1]:
                number = sweep.number_of(look.batch_id, look.place) if sweep is not None else None
                node = f": {look.node}" if look.node else ""
                share = "" if look.status.fraction is None else f" {look.status.fraction:.0%}"
                loading = f", loading {look.status.loading}" if look.status.loading else ""
                text = f"run {'?' if number is None else number + 1}{node}{loading or share}"
            found.append(f"{server.name}: {text}{speed}")
        if len(busy) > _MOST:
            found.append(f"{len(busy) - _MOST} more servers are at work")
        return found

    async def _keep_looking(self) -> None:
        while True:
            if time.monotonic() - self._seen < _WATCHED:
                names = [server.name for server in self._servers.all if server.busy][:_MOST]
                await gather_or_cancel(map(self._look, names))
            await asyncio.sleep(timing.POLL)

    async def _look(self, name: str) -> None:
        try:
            self._looks[name] = await self._engine.ask(name, "look")
        except InvokeAIClientError as error:
            logger.debug("%s cannot be asked: %s", name, error)
            self._looks.pop(name, None)
