"""An engine whose servers it starts itself, on this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from invokeai_py_client.pool.engine import InProcessEngine

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.pool.agent import Sent
    from invokeai_py_client.pool.order import Order, Outcome
    from invokeai_py_client.server.local_servers import LocalServers


class LocalEngine:
    """Agents in this process, for local servers that are started when they are first needed.

    Args:
        local: The servers.
        connections: Returns the connections to the server with a URL, as ``InProcessEngine`` takes them.
    """

    def __init__(
        self, local: LocalServers, connections: Callable[[str], tuple[Connection, Connection]]
    ) -> None:
        self._local = local
        self._connections = connections
        self._inner = InProcessEngine({})
        self._starting = asyncio.Lock()

    @property
    def place(self) -> str:
        """Where the agents are."""
        return "this machine"

    async def agents(self) -> list[str]:
        """Return the URLs of the servers. The first call starts them.

        Raises:
            LocalServerError: A server cannot be installed or started. The others were stopped.
        """
        async with self._starting:
            if not self._local.is_running:
                await asyncio.to_thread(self._local.start)
                servers: Mapping[str, tuple[Connection, Connection]] = {
                    url: self._connections(url) for url in self._local.urls
                }
                self._inner = InProcessEngine(servers)
        return await self._inner.agents()

    async def change(self) -> None:
        """Wait forever: the servers are started together."""
        await self._inner.change()

    async def ask(self, agent: str, question: str, *args: Any) -> Any:
        """Call a method of an agent."""
        return await self._inner.ask(agent, question, *args)

    async def run(self, agent: str, order: Order, sent: Sent) -> Outcome:
        """Run an order."""
        return await self._inner.run(agent, order, sent)

    def connection(self, agent: str) -> Connection:
        """Return the connection to a server."""
        return self._inner.connection(agent)

    async def close(self) -> None:
        """Close the connections and stop the servers."""
        await self._inner.close()
        await asyncio.to_thread(self._local.stop)
