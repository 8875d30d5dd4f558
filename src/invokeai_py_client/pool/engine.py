"""Engines: how a pool reaches the agents of its servers. Here, in the same process, over the servers' URLs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from invokeai_py_client.pool.agent import Agent, Sent

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.pool.order import Order, Outcome


class Engine(Protocol):
    """Reaches the agents of a pool. An agent has the name of its server."""

    @property
    def place(self) -> str:
        """Where the agents are, for messages, such as the address of a scheduler."""
        ...

    async def agents(self) -> list[str]:
        """Return the names of the agents that can be reached now. The first ones are preferred as reference."""
        ...

    async def change(self) -> None:
        """Return when ``agents()`` may have changed."""
        ...

    async def ask(self, agent: str, question: str, *args: Any) -> Any:
        """Call a method of an agent: ``describe``, ``healthy``, ``withdraw``, ``look``, ``missing`` or ``upload``.

        Raises:
            AgentLostError: The agent has ended or does not respond.
            InvokeAIClientError: The method raised it.
        """
        ...

    async def run(self, agent: str, order: Order, sent: Sent) -> Outcome:
        """Run an order at an agent, and return when it has ended.

        If the call is canceled, the order may continue on the server.

        Args:
            agent: The agent.
            order: The order.
            sent: Called with the queue items of the runs when the server has accepted them.

        Raises:
            AgentLostError: The agent has ended or does not respond.
        """
        ...

    def connection(self, agent: str) -> Connection:
        """Return the connection to an agent's server, for everything except orders."""
        ...

    async def close(self) -> None:
        """Close all connections. Orders continue on their servers."""
        ...


class InProcessEngine:
    """Agents in this process, for servers whose URLs this process reaches.

    Args:
        servers: For each server, the connection of its agent, and the connection for everything else.
    """

    def __init__(self, servers: Mapping[str, tuple[Connection, Connection]]) -> None:
        self._servers = dict(servers)
        self._agents = {name: Agent(connection) for name, (connection, _) in servers.items()}

    @property
    def place(self) -> str:
        """Where the agents are."""
        return "this process"

    async def agents(self) -> list[str]:
        """Return the names of all servers: an agent in this process cannot be lost."""
        return list(self._agents)

    async def change(self) -> None:
        """Wait forever, because the agents never change."""
        await asyncio.Event().wait()

    async def ask(self, agent: str, question: str, *args: Any) -> Any:
        """Call a method of an agent."""
        return await getattr(self._agents[agent], question)(*args)

    async def run(self, agent: str, order: Order, sent: Sent) -> Outcome:
        """Run an order."""
        return await self._agents[agent].run(order, sent)

    def connection(self, agent: str) -> Connection:
        """Return the connection to a server."""
        return self._servers[agent][1]

    async def close(self) -> None:
        """Close the connections to all servers."""
        for connections in self._servers.values():
            for connection in connections:
                await connection.close()
