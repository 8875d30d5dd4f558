"""The loop that every wait uses: events, responses and silence, and reads in the background."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from invokeai_py_client.errors import ServerError, ServerUnreachableError
from invokeai_py_client.transport import timing
from invokeai_py_client.transport.changes import Change, Changes

AWAY = ServerUnreachableError(None, None, "nobody there")


class Server:
    """A server that responds to reads on demand: with 1 to the first read, 2 to the second, and so on."""

    def __init__(self) -> None:
        self.asked: list[asyncio.Future[int]] = []
        self.cancelled: list[int] = []
        self.taken: list[int] = []

    async def fetch(self) -> int:
        number = len(self.asked) + 1
        self.asked.append(asyncio.get_running_loop().create_future())
        try:
            await self.asked[number - 1]
        except asyncio.CancelledError:
            self.cancelled.append(number)
            raise
        return number

    def respond(self, number: int) -> None:
        self.asked[number - 1].set_result(0)

    def fail(self, number: int, error: Exception) -> None:
        self.asked[number - 1].set_exception(error)


@pytest.fixture
def server() -> Server:
    return Server()


def forever() -> float:
    return 60.0


async def ticks() -> None:
    """Let all tasks run that can."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_events_and_silence() -> None:
    async with Changes(lambda: 0.001) as changes:
        assert await anext(changes) is Change.START
        changes.notify()
        changes.notify()
        assert await anext(changes) is Change.EVENT
        assert await anext(changes) is Change.SILENCE


async def test_event_between_iterations_is_not_lost() -> None:
    async with Changes(forever) as changes:
        assert await anext(changes) is Change.START
        changes.notify()
        await ticks()
        assert await anext(changes) is Change.EVENT


async def test_hanging_response_does_not_delay_events(server: Server) -> None:
    async with Changes(forever) as changes:
        await anext(changes)
        changes.read(server.fetch, server.taken.append)
        await ticks()
        changes.notify()
        assert await anext(changes) is Change.EVENT
        server.respond(1)
        assert await anext(changes) is Change.RESPONSE
        assert server.taken == [1]


async def test_hanging_response_does_not_delay_newer_read(server: Server) -> None:
    async with Changes(forever) as changes:
        await anext(changes)
        changes.read(server.fetch, server.taken.append)
        changes.read(server.fetch, server.taken.append)
        await ticks()
        server.respond(2)
        assert await anext(changes) is Change.RESPONSE
        await ticks()
        assert server.taken == [2]
        assert server.cancelled == [1]  # its response would be older


async def test_every_response_is_processed_without_latest(server: Server) -> None:
    async with Changes(forever) as changes:
        await anext(changes)
        for _ in range(2):
            changes.read(server.fetch, server.taken.append, latest=False)
        await ticks()
        for number in (2, 1):
            server.respond(number)
            assert await anext(changes) is Change.RESPONSE
        assert server.taken == [2, 1]


async def test_flood_of_events_does_not_starve_reads(server: Server) -> None:
    async with Changes(forever) as changes:
        await anext(changes)
        for number in range(1, 20):
            for _ in range(10):
                changes.notify()
                assert await anext(changes) is Change.EVENT
                changes.read(server.fetch, server.taken.append)
                await ticks()
            assert len(server.asked) == number + 1  # two at once
            server.respond(number)
            assert await anext(changes) is Change.RESPONSE
        assert server.taken == list(range(1, 20))
        assert server.cancelled == []


async def test_different_reads_run_concurrently(server: Server) -> None:
    other = Server()
    async with Changes(forever) as changes:
        await anext(changes)
        for one in (server, other):
            for _ in range(3):
                changes.read(one.fetch, one.taken.append)
        await ticks()
        assert (len(server.asked), len(other.asked)) == (2, 2)


async def test_the_same_read_is_not_started_twice(server: Server) -> None:
    async with Changes(forever) as changes:
        await anext(changes)
        for key in ("a", "a", "b", "c", "c", "b"):
            changes.read(server.fetch, server.taken.append, key=key)
        await ticks()
        assert len(server.asked) == 2
        server.respond(1)
        assert await anext(changes) is Change.RESPONSE
        await ticks()
        assert len(server.asked) == 3  # c


async def test_reads_are_repeated_while_server_is_down(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timing, "POLL", 0.0)
    async with Changes(forever) as changes:
        await anext(changes)
        changes.read(server.fetch, server.taken.append, key=1)
        await ticks()
        server.fail(1, AWAY)
        await ticks()
        changes.notify()
        assert await anext(changes) is Change.EVENT
        server.respond(2)
        assert await anext(changes) is Change.RESPONSE
        assert server.taken == [2]


@pytest.mark.parametrize("reason", ["permanent", "too long", "not tolerant"])
async def test_errors_are_raised(server: Server, reason: str) -> None:
    longest = 0.0 if reason == "too long" else 300.0
    error = ServerError(500, None, "broken") if reason == "permanent" else AWAY
    tolerant = reason != "not tolerant"
    async with Changes(forever, outage_timeout=longest, tolerant=tolerant) as changes:
        await anext(changes)
        changes.read(server.fetch, server.taken.append)
        await ticks()
        server.fail(1, error)
        with pytest.raises(type(error)):
            await anext(changes)


async def test_leaving_block_cancels_reads_and_waits(server: Server) -> None:
    async with Changes(forever) as changes:
        await anext(changes)
        for _ in range(3):
            changes.read(server.fetch, server.taken.append)
        await ticks()
    assert sorted(server.cancelled) == [1, 2]
    assert len(server.asked) == 2
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_interrupted_reads_are_repeated(server: Server) -> None:
    async with Changes(lambda: 0.001) as changes:
        await anext(changes)
        changes.read(server.fetch, server.taken.append)
        await ticks()
        await changes.interrupt()
        assert server.cancelled == [1]
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert await anext(changes) is Change.SILENCE
        server.respond(2)
        assert await anext(changes) is Change.RESPONSE
        assert server.taken == [2]


async def test_canceled_wait_cancels_its_reads(server: Server) -> None:
    async def wait() -> None:
        async with Changes(forever) as changes:
            async for change in changes:
                if change is Change.START:
                    changes.read(server.fetch, server.taken.append)

    task = asyncio.create_task(wait())
    await ticks()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert server.cancelled == [1]


async def test_lost_cancellation_does_not_hang() -> None:
    """In Python 3.11, a ``wait_for`` that ends at the moment of its cancellation loses the cancellation."""

    async def join() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        raise AWAY

    async with asyncio.timeout(60):
        async with Changes(lambda: 0.001, join=join, is_joined=lambda: False) as changes:
            assert await anext(changes) is Change.START


# --------------------------------------------------------------------------- the event connection


def joining() -> tuple[Callable[[], Awaitable[None]], Callable[[], bool], asyncio.Event, asyncio.Event]:
    """A connection that is made when the first event is set, and that exists while the second is set."""
    made, there = asyncio.Event(), asyncio.Event()

    async def join() -> None:
        await made.wait()
        there.set()

    return join, there.is_set, made, there


async def test_wait_starts_when_events_arrive() -> None:
    join, is_joined, made, _ = joining()
    async with Changes(forever, join=join, is_joined=is_joined) as changes:
        start = asyncio.ensure_future(anext(changes))
        await ticks()
        assert not start.done()
        made.set()
        assert await start is Change.START


async def test_wait_starts_without_slow_connection() -> None:
    join, is_joined, made, _ = joining()
    seconds = iter([0.001, 60.0])
    async with Changes(lambda: next(seconds), join=join, is_joined=is_joined) as changes:
        assert await anext(changes) is Change.START
        made.set()
        assert await anext(changes) is Change.RESPONSE


async def test_lost_connection_is_made_again() -> None:
    join, is_joined, made, there = joining()
    made.set()
    async with Changes(forever, join=join, is_joined=is_joined) as changes:
        assert await anext(changes) is Change.START
        there.clear()
        assert await anext(changes) is Change.RESPONSE
        assert there.is_set()
        assert await anext(changes) is Change.EVENT  # earlier events were missed
