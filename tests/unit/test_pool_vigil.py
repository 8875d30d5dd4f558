"""The watch over a server that has orders at work."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from invokeai_py_client.connection import Connection
from invokeai_py_client.errors import APIRequestError, ConnectionLostError, ServerUnreachableError
from invokeai_py_client.pool import vigil
from invokeai_py_client.pool.vigil import Vigil
from invokeai_py_client.transport import timing
from invokeai_py_client.transport.hub import EventHub
from invokeai_py_client.transport.settings import ConnectionSettings, ServerAddress

REFUSED, HUNG = ServerUnreachableError(None, None, "refused"), ConnectionLostError(None, None, "no response")


class Server:
    """A server that is asked whether it responds."""

    def __init__(self) -> None:
        self.trouble: APIRequestError | None = None
        self.asked = 0
        self.at_once = 0
        self.question = asyncio.Event()

    async def find_trouble(self, connection: Connection) -> APIRequestError | None:
        assert connection is not None
        self.asked += 1
        self.at_once += 1
        self.question.set()
        self.question.clear()
        await asyncio.sleep(0)
        assert self.at_once == 1, "two questions at once"
        self.at_once -= 1
        return self.trouble


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setattr(timing, "POLL", 0.002)
    monkeypatch.setattr(vigil, "_REFUSED", 0.02)
    found = Server()
    monkeypatch.setattr(vigil, "find_trouble", found.find_trouble)
    return found


def watch(outage_timeout: float) -> Vigil:
    settings = ConnectionSettings(ServerAddress.parse("http://one.invalid"), outage_timeout=outage_timeout)
    return Vigil(Connection(settings))


async def soon(work: Callable[[], Awaitable[object]], count: int = 3) -> None:
    """Await something several times."""
    async with asyncio.timeout(20):
        for _ in range(count):
            await work()


async def test_orders_share_the_questions_and_the_loss(server: Server) -> None:
    watching = watch(0.05)
    orders = [asyncio.create_task(watching.until_lost(others=False)) for _ in range(5)]
    await soon(server.question.wait)
    assert not any(order.done() for order in orders)
    server.trouble = HUNG
    async with asyncio.timeout(20):
        assert await asyncio.gather(*orders) == [HUNG] * 5


async def test_refused_connections_count_sooner_if_others_can_do_the_runs(server: Server) -> None:
    watching = watch(3600.0)
    server.trouble = REFUSED
    alone = asyncio.create_task(watching.until_lost(others=False))
    async with asyncio.timeout(20):
        assert await watching.until_lost(others=True) is REFUSED
    server.trouble = HUNG  # which is not a refusal
    hung = asyncio.create_task(watching.until_lost(others=True))
    await soon(server.question.wait, 20)
    assert not alone.done() and not hung.done()
    alone.cancel()
    hung.cancel()


async def test_a_server_that_responds_again_is_not_lost(server: Server) -> None:
    watching = watch(0.05)
    order = asyncio.create_task(watching.until_lost(others=False))
    for _ in range(20):
        server.trouble = HUNG
        await soon(server.question.wait, 1)
        server.trouble = None
        await soon(server.question.wait, 1)
    assert not order.done()
    order.cancel()


async def test_nothing_is_asked_without_orders_and_a_later_order_is_watched_again(server: Server) -> None:
    watching = watch(0.0)
    for _ in range(3):
        order = asyncio.create_task(watching.until_lost(others=False))
        await soon(server.question.wait, 1)
        order.cancel()
        await asyncio.wait([order])
        server.trouble = HUNG
        async with asyncio.timeout(20):
            assert await watching.until_lost(others=False) is HUNG
        server.trouble = None
        await asyncio.sleep(0)  # the watch ends
        assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_server_that_sends_events_is_asked_only_when_they_stop(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hundreds of servers would otherwise be asked all the time. A server that hangs keeps its connection."""
    monkeypatch.setattr(EventHub, "connected", True)
    monkeypatch.setattr(vigil, "_SILENCE", 0.01)
    server.trouble = HUNG
    connection = watch(0.0)._connection
    connection.hub.heard = float("inf")
    order = asyncio.create_task(Vigil(connection).until_lost(others=False))
    await soon(lambda: asyncio.sleep(timing.POLL), 10)
    assert not server.asked and not order.done()
    connection.hub.heard = 0.0
    async with asyncio.timeout(20):
        assert await order is HUNG
