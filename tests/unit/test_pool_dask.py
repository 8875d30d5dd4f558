"""The engine and the workers of pools on Dask, with events that are lost and orders that come twice."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
import pytest_asyncio
from fake_dask import FakeDask

from invokeai_py_client.errors import AgentLostError
from invokeai_py_client.pool import dask_link
from invokeai_py_client.pool.dask_link import Link
from invokeai_py_client.pool.dask_worker import Host
from invokeai_py_client.pool.order import Order, Outcome

ORDER = cast("Order", {"batch_id": "batch"})


@pytest.fixture
def dask(monkeypatch: pytest.MonkeyPatch) -> FakeDask:
    fake = FakeDask()
    monkeypatch.setitem(sys.modules, "distributed", cast("Any", SimpleNamespace(Client=fake)))
    monkeypatch.setattr(dask_link, "_POLL", 0.005)
    return fake


@pytest_asyncio.fixture
async def link(dask: FakeDask) -> AsyncIterator[Link]:
    link = Link("tcp://head:8786", None)
    await link.opened
    yield link
    await link.close()


async def agents(link: Link, *names: str) -> None:
    """Wait until a link has exactly some agents."""
    async with asyncio.timeout(20):
        while set(link.agents) != set(names):
            link.changed.clear()
            await link.changed.wait()


async def test_workers_are_found_whether_their_events_arrive_or_not(
    dask: FakeDask, link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    dask.add("told")
    await agents(link, "told")
    monkeypatch.setattr(dask_link, "_SILENCE", 0.02)
    dask.add("untold", told=False)
    await agents(link, "told", "untold")
    dask.workers.clear()
    await agents(link)


@pytest.mark.parametrize("sequence", [(0, 1), (1, 0)])
async def test_an_order_that_is_made_again_while_the_first_one_is_at_work(
    dask: FakeDask, link: Link, sequence: tuple[int, int]
) -> None:
    """A worker hung, was lost, and responds again: its other order is still being followed."""
    ends = [asyncio.Event(), asyncio.Event()]
    waits = list(ends)

    async def work(_: Any) -> Any:
        await waits.pop(0).wait()
        return {"asked": True, "runs": {}}

    dask.work = work
    dask.add("one")
    await agents(link, "one")
    orders = [asyncio.create_task(link.run(link.member("one"), ORDER, lambda _: None)) for _ in range(2)]
    await until(lambda: not waits)
    for place in sequence:
        ends[place].set()
        assert (await orders[place]).get("runs") == {}


async def test_a_worker_that_ends_while_its_result_is_fetched_does_not_take_the_others_with_it(
    dask: FakeDask, link: Link
) -> None:
    """Dask fetches the results of both orders with one request."""
    dask.fetching = fetching = asyncio.get_running_loop().create_future()
    addresses = [dask.add(name) for name in ("one", "two")]
    await agents(link, "one", "two")
    one, two = (
        asyncio.create_task(link.run(link.member(name), cast("Order", {"batch_id": name}), lambda _: None))
        for name in ("one", "two")
    )
    await turns()
    dask.remove(addresses[1])
    with pytest.raises(AgentLostError, match=r"The agent of two has ended\."):
        await two
    fetching.set_result(None)
    assert (await one).get("runs") == {}


async def test_a_worker_does_not_run_an_order_twice_at_a_time() -> None:
    """The client that made it first was killed, and another one resumes its sweep."""
    worker = SimpleNamespace(log_event=ignore)
    host = Host(cast("Any", worker), url="http://127.0.0.1:1", name="one")
    begun: list[asyncio.Event] = []

    async def run(order: Order, sent: object) -> Outcome:
        end = asyncio.Event()
        begun.append(end)
        await end.wait()
        return {"asked": True, "why": str(len(begun))}

    host.agent.run = run  # type: ignore[method-assign]
    runs = [asyncio.create_task(host.run(ORDER)) for _ in range(2)]
    await until(lambda: bool(begun))
    await turns()
    assert len(begun) == 1, "the second order waits for the first one"
    begun[0].set()
    first = await runs[0]
    await until(lambda: len(begun) == 2)
    begun[1].set()
    second = await runs[1]
    assert first is not None and second is not None
    assert (first.get("why"), second.get("why")) == ("1", "2")
    await host.close()


async def turns() -> None:
    """Let other tasks work for a while."""
    for _ in range(20):
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool]) -> None:
    """Let other tasks work until a condition is met."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0)


def ignore(*_: object) -> None:
    """Do nothing."""
