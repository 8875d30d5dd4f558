"""An engine whose agents are workers of a Dask cluster."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from invokeai_py_client._aio import LoopBound
from invokeai_py_client._text import shown
from invokeai_py_client.errors import PoolError, UsageError
from invokeai_py_client.pool.dask_link import Link, security_of
from invokeai_py_client.pool.relay import RelayedConnection
from invokeai_py_client.pool_settings import PoolSettings, check_pool
from invokeai_py_client.transport.settings import ServerAddress

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.pool.agent import Sent
    from invokeai_py_client.pool.order import Order, Outcome


class DaskEngine:
    """Agents that are workers of a Dask cluster, started with ``invokeai_py_client.pool.dask_worker``.

    Args:
        cluster: The address of the scheduler (``tls://head:8786``), a ``Cluster`` or a ``Client``.
        home: The connection whose event loop the connections to the servers share.
        security: The certificates for the scheduler, or a ``distributed.Security``. Defaults to that of the cluster or
            client.

    Raises:
        UsageError: The package ``distributed`` is not installed, or the cluster has another type.
    """

    def __init__(self, cluster: Any, *, home: Connection, security: PoolSettings | Any = None) -> None:
        check_installed()
        self._address = _address_of(cluster)
        self._security = security_of(getattr(cluster, "security", None) if security is None else security)
        self._home = home
        self._link: LoopBound[Link] = LoopBound()
        self._connections: dict[str, RelayedConnection] = {}

    @property
    def place(self) -> str:
        """The address of the scheduler."""
        return self._address

    async def agents(self) -> list[str]:
        """Return the names of the agents whose servers have been started, and that respond.

        Raises:
            PoolError: The scheduler has never responded.
        """
        return sorted((await self._linked()).agents)

    async def change(self) -> None:
        """Return when ``agents()`` may have changed."""
        link = await self._linked()
        await link.changed.wait()
        link.changed.clear()

    async def ask(self, agent: str, question: str, *args: Any) -> Any:
        """Call a method of an agent."""
        link = await self._linked()
        return await link.ask(link.member(agent), question, args)

    async def run(self, agent: str, order: Order, sent: Sent) -> Outcome:
        """Run an order at an agent."""
        link = await self._linked()
        return await link.run(link.member(agent), order, sent)

    def connection(self, agent: str) -> Connection:
        """Return a connection to an agent's server, whose requests are sent by the agent."""
        known = self._connections.get(agent)
        if known is None:
            member = None if self._link.value is None else self._link.value.agents.get(agent)
            # The server of a run in a manifest may have left the cluster.
            address = ServerAddress(agent) if member is None else ServerAddress.parse(member.info["url"])
            known = self._connections[agent] = RelayedConnection.to_agent(address, self.ask, agent)
            known.share_loop(self._home)
        return known

    async def close(self) -> None:
        """Close the connection to the scheduler. Orders continue on their servers."""
        for connection in self._connections.values():
            await connection.close()
        link = self._link.here
        if link is not None:
            await link.close()
        self._link.clear()  # tasks that wait for changes must not connect again meanwhile

    async def _linked(self) -> Link:
        link = self._link.get(lambda: Link(self._address, self._security))
        try:
            await asyncio.shield(link.opened)
        except PoolError:
            await self.close()
            raise
        return link


def check_installed() -> None:
    """Check that the package ``distributed`` is installed.

    Raises:
        UsageError: It is not.
    """
    if find_spec("distributed") is None:
        raise UsageError(
            "A pool on a Dask cluster needs the package distributed. Install it: "
            "pip install 'invokeai-py-client[cluster]'"
        )


def _address_of(cluster: Any) -> str:
    """Return the address of the scheduler of a cluster or client."""
    if isinstance(cluster, str):
        check_pool(PoolSettings(cluster, scheduler=cluster))
        return cluster
    scheduler = getattr(cluster, "scheduler", None)
    for address in (getattr(cluster, "scheduler_address", None), getattr(scheduler, "address", None)):
        if isinstance(address, str) and address:
            return address
    raise UsageError(
        f"Invalid scheduler {shown(cluster)}: expected the address of a Dask scheduler, such as 'tls://head:8786', a "
        "Cluster or a Client."
    )
