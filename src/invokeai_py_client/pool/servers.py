"""The servers of a pool: which of them can be used now, and what is known about each."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from invokeai_py_client.errors import AgentLostError, InvokeAIClientError, ServerUnreachableError
from invokeai_py_client.pool.order import PROTOCOL
from invokeai_py_client.transport import timing

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.pool.agent import Description
    from invokeai_py_client.pool.engine import Engine
    from invokeai_py_client.pool.fit import ServerInfo

logger = logging.getLogger("invokeai_py_client.pool")

# How long the first contact with the servers may take, in seconds, while at least one other has responded.
_SLOWEST = 5.0


class ServerState(StrEnum):
    """The state of a server in a pool."""

    STARTING = "starting"
    """It has not responded yet."""
    READY = "ready"
    """It takes part."""
    UNFIT = "unfit"
    """It takes no part, for example because its agent belongs to another version of this package."""
    SILENT = "silent"
    """It does not respond. It takes part again when it does."""
    EXCLUDED = "excluded"
    """Runs failed on it that went well on others, so the sweep does not use it any more."""
    GONE = "gone"
    """Its agent has ended."""


@dataclass(slots=True)
class PoolServer:
    """A server of a pool.

    Attributes:
        name: The name in the pool: a profile, a URL, or the name of a worker.
        url: The URL, without secrets.
        state: The state.
        why: Why it takes no part, or "".
        version: The version of InvokeAI, or "" if it has not responded.
        devices: The number of GPUs that it uses.
        rate: The measured speed in runs per second, or None if it has completed none for this pool.
        busy: The number of runs that it is working on or that wait there, for this pool.
        done: The number of runs that ended there for this pool.
    """

    name: str
    url: str = ""
    state: ServerState = ServerState.STARTING
    why: str = ""
    version: str = ""
    devices: int = 1
    rate: float | None = None
    busy: int = 0
    done: int = 0
    info: ServerInfo | None = field(default=None, repr=False)
    losses: int = field(default=0, repr=False)
    """How often its agent was lost."""

    @property
    def is_present(self) -> bool:
        """Whether it takes part."""
        return self.state in (ServerState.READY, ServerState.EXCLUDED)


class Listener:
    """Someone who uses the servers, such as a sweep. The methods are called from the pool's event loop."""

    def on_ready(self, server: PoolServer) -> None:
        """Called when a server takes part, or takes part again."""

    def on_lost(self, server: PoolServer) -> None:
        """Called when a server takes no part any more."""


class Servers:
    """The servers that an engine reaches, described once and watched from then on.

    Args:
        engine: The engine.
        home: The pool's connection. It keeps the background tasks.
    """

    def __init__(self, engine: Engine, home: Connection) -> None:
        self._engine = engine
        self._home = home
        self._known: dict[str, PoolServer] = {}
        self._listeners: list[Listener] = []
        self._contacts: dict[str, asyncio.Task[None]] = {}
        self._watcher: asyncio.Task[None] | None = None
        self._news = asyncio.Event()

    @property
    def all(self) -> list[PoolServer]:
        """All servers that were ever seen, in the order in which they were seen."""
        return list(self._known.values())

    @property
    def ready(self) -> list[PoolServer]:
        """The servers that take part."""
        return [server for server in self._known.values() if server.is_present]

    def __getitem__(self, name: str) -> PoolServer:
        return self._known[name]

    def get(self, name: str) -> PoolServer | None:
        """Return a server, or None if it was never seen."""
        return self._known.get(name)

    def listen(self, listener: Listener) -> None:
        """Tell a listener about all changes."""
        self._listeners.append(listener)

    def unlisten(self, listener: Listener) -> None:
        """Tell a listener nothing more."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    async def start(self) -> None:
        """Make contact with the servers and watch them. Returns when those that respond soon have done so.

        Raises:
            ServerUnreachableError: No server responds. The error says why, for each.
        """
        if self._watcher is None or self._watcher.done():
            self._refresh(await self._engine.agents())
            self._watcher = asyncio.create_task(self._watch())
            self._home.background(self._watcher)
        if not self.ready:
            self._ask_again()
        end: float | None = None
        while any(server.state is ServerState.STARTING for server in self._known.values()):
            if self.ready and end is None:
                end = time.monotonic() + _SLOWEST
            try:
                async with asyncio.timeout(None if end is None else end - time.monotonic()):
                    await self._news.wait()
            except TimeoutError:
                break
        if not self.ready:
            raise ServerUnreachableError(None, None, self._nobody())

    def exclude(self, name: str) -> None:
        """Note that a sweep does not use a server any more."""
        server = self._known[name]
        if server.state is ServerState.READY:
            server.state = ServerState.EXCLUDED
            server.why = "Runs failed on it that went well on other servers."
            logger.warning(
                "%s gets no more runs of this sweep: runs that failed on it went well elsewhere", name
            )

    def readmit(self) -> None:
        """Note that the sweep that excluded servers has ended."""
        for server in self._known.values():
            if server.state is ServerState.EXCLUDED:
                server.state, server.why = ServerState.READY, ""

    def silent(self, name: str, why: str) -> None:
        """Note that a server does not respond. It is asked again until it does."""
        server = self._known[name]
        if server.state in (ServerState.SILENT, ServerState.GONE):
            return
        logger.warning("%s takes no part until it responds: %s", name, why)
        self._lose(server, ServerState.SILENT, why)
        self._contact(name)

    def lost(self, name: str, error: AgentLostError) -> None:
        """Note that an agent has ended or does not respond."""
        if self._known[name].state is not ServerState.GONE:
            self._leave(name, error)
            # Another worker with the same server may be there already, so that the engine reports no change.
            self._home.background(asyncio.create_task(self._look_again()))

    # ------------------------------------------------------------------ internals

    def _ask_again(self) -> None:
        """Ask the servers that do not respond at once, whose reasons may be old. Also those of before a close()."""
        for name, server in self._known.items():
            if server.state in (ServerState.SILENT, ServerState.STARTING):
                server.state = ServerState.STARTING
                task = self._contacts.pop(name, None)
                if task is not None:
                    task.cancel()
                self._contact(name)

    def _set(self, server: PoolServer, state: ServerState, why: str = "") -> None:
        server.state, server.why = state, why
        self._news.set()
        self._news = asyncio.Event()

    def _nobody(self) -> str:
        if not self._known:
            return (
                f"The pool has no servers: no worker has joined {self._engine.place}. "
                "Start one with `ivk pool join`."
            )
        reasons = "\n".join(
            f"  {server.name}: {server.why or 'it has not responded yet.'}" for server in self._known.values()
        )
        return f"No server of the pool can be used:\n{reasons}"

    async def _watch(self) -> None:
        while True:
            await self._engine.change()
            self._refresh(await self._engine.agents())

    async def _look_again(self) -> None:
        await asyncio.sleep(timing.POLL)
        if self._watcher is not None and not self._watcher.done():
            self._refresh(await self._engine.agents())

    def _refresh(self, names: Sequence[str]) -> None:
        for name in names:
            server = self._known.get(name)
            if server is None:
                self._known[name] = PoolServer(name)
                self._contact(name)
            elif server.state is ServerState.GONE:
                server.state, server.why = ServerState.STARTING, ""
                self._contact(name)
        for name, server in self._known.items():
            if name not in names and server.state is not ServerState.GONE:
                self._leave(name, AgentLostError(f"The agent of {name} has ended."))

    def _contact(self, name: str) -> None:
        task = self._contacts.get(name)
        if task is None or task.done():
            task = self._contacts[name] = asyncio.create_task(self._describe(self._known[name]))
            self._home.background(task)

    async def _describe(self, server: PoolServer) -> None:
        """Ask for the description of a server until it responds or its agent is lost."""
        while True:
            try:
                found: Description = await self._engine.ask(server.name, "describe")
                break
            except AgentLostError as error:
                self.lost(server.name, error)
                return
            except InvokeAIClientError as error:
                self._set(server, ServerState.SILENT, str(error))
            await asyncio.sleep(timing.POLL)
        server.url = found["url"]
        if found["protocol"] != PROTOCOL:
            self._set(
                server,
                ServerState.UNFIT,
                f"Its agent reads orders of format {found['protocol']}, but this client writes format {PROTOCOL}. "
                "Install the same version of invokeai-py-client there.",
            )
            return
        twin = next((one for one in self.ready if one is not server and one.url == server.url), None)
        if twin is not None:
            self._set(
                server,
                ServerState.UNFIT,
                f"{server.url} is the server {twin.name} as well. Give both agents the same name, so that one replaces "
                "the other. If they are two servers, on hosts of the same name, start the agents with the URLs by "
                "which other machines reach the servers.",
            )
            return
        server.info, server.version = found["info"], found["info"].version
        server.devices = found["info"].devices
        self._set(server, ServerState.READY)
        for listener in tuple(self._listeners):
            listener.on_ready(server)

    def _leave(self, name: str, error: AgentLostError) -> None:
        logger.warning("%s has left the pool: %s", name, error)
        server = self._known[name]
        server.losses += 1
        self._lose(server, ServerState.GONE, str(error))
        for other in self._known.values():
            if other.state is ServerState.UNFIT and other.url == server.url:
                self._contact(other.name)  # it may replace this one

    def _lose(self, server: PoolServer, state: ServerState, why: str) -> None:
        # A server that does not respond takes no part, but its agent may still follow orders.
        concerns = server.is_present or state is ServerState.GONE
        self._set(server, state, why)
        if concerns:
            for listener in tuple(self._listeners):
                listener.on_lost(server)
