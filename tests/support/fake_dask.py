"""A Dask client and its workers in this process, for faults that a real cluster can't be made to show."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from typing import Any

Work = Callable[[Any], Coroutine[Any, Any, Any]]


class FakeFuture:
    """The result of an order."""

    def __init__(self, dask: FakeDask, work: Coroutine[Any, Any, Any]) -> None:
        self._dask = dask
        self._task = asyncio.ensure_future(work)

    async def result(self) -> Any:
        result = await asyncio.shield(self._task)
        if self._dask.fetching is not None:
            await self._dask.fetching
        return result

    def release(self) -> None:
        """Dask does not stop what runs already, either."""


class FakeDask:
    """A client of a scheduler. Its workers are the agents that ``workers`` names, by address.

    Attributes:
        workers: The agents.
        work: What the workers do with orders.
        handlers: The functions that receive the events of a topic.
        fetching: The request for the results of all orders that have ended. Whatever cancels a call of ``result()``
            cancels it. None: the results are there at once.
    """

    status = "running"

    def __init__(self) -> None:
        self.workers: dict[str, dict[str, Any]] = {}
        self.work: Work = _end_at_once
        self.handlers: dict[str, Callable[[tuple[float, Any]], None]] = {}
        self.fetching: asyncio.Future[Any] | None = None
        self.scheduler_comm = object()
        self.scheduler = self

    def __call__(self, *_: Any, **__: Any) -> FakeDask:
        """Connect, as the class ``Client`` does."""
        return self

    def __await__(self) -> Generator[Any, None, FakeDask]:
        yield from asyncio.sleep(0).__await__()
        return self

    async def close(self, **_: Any) -> None:
        self.status = "closed"

    async def identity(self) -> dict[str, Any]:
        workers = dict(self.workers)
        await asyncio.sleep(0)
        return {"workers": {address: {"metrics": {"invokeai": info}} for address, info in workers.items()}}

    def subscribe_topic(self, topic: str, handler: Callable[[tuple[float, Any]], None]) -> None:
        self.handlers[topic] = handler

    def submit(self, function: Any, order: Any, **_: Any) -> FakeFuture:
        return FakeFuture(self, self.work(order))

    async def run(self, function: Any, *args: Any, workers: list[str]) -> dict[str, Any]:
        [address] = workers
        if address not in self.workers:
            raise OSError(f"{address} does not respond")
        return {address: None}

    def add(self, name: str, *, told: bool = True) -> str:
        """Add a worker with an agent, and return its address.

        Args:
            name: The name of the agent.
            told: Whether the client receives the event. Defaults to True.
        """
        address = f"tcp://worker:{len(self.workers)}"
        self.workers[address] = {"name": name, "url": f"http://{name}", "state": "ready"}
        if told:
            self.handlers["all"]((0.0, {"action": "add-worker", "worker": address}))
        return address

    def remove(self, address: str) -> None:
        """End a worker that was not asked to end."""
        del self.workers[address]
        self.handlers["all"]((0.0, {"action": "remove-worker", "worker": address, "expected": False}))


async def _end_at_once(_: Any) -> Any:
    await asyncio.sleep(0)
    return {"asked": True, "runs": {}}
