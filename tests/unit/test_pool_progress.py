"""The progress of the runs of a pool's sweep, as their servers report it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio
from pool_fakes import FakeAgent, FakeEngine, FakePool, ended, requests

from invokeai_py_client import AsyncInvokeAIClient
from invokeai_py_client.connection import Connection
from invokeai_py_client.display import sweep as display
from invokeai_py_client.display.notebook import Cell
from invokeai_py_client.errors import UsageError
from invokeai_py_client.models import JobStatus
from invokeai_py_client.pool import look as looking
from invokeai_py_client.pool import view
from invokeai_py_client.pool.look import Look, Pictures, look_at
from invokeai_py_client.pool.order import Order, Outcome
from invokeai_py_client.pool.relay import RelayedConnection
from invokeai_py_client.run.end import RunEnd
from invokeai_py_client.run.events import Preview
from invokeai_py_client.run.status import RunStatus
from invokeai_py_client.run.tracker import BatchTracker
from invokeai_py_client.sweep.runs import SweepRuns
from invokeai_py_client.sweep.sweep import AsyncSweep
from invokeai_py_client.transport import timing
from invokeai_py_client.transport.settings import ConnectionSettings, ServerAddress

FOX, HEN = Preview(512, 512, "data:image/jpeg;base64,Zm94"), Preview(512, 512, "data:image/jpeg;base64,aGVu")


def at_work(fraction: float = 0.4, **more: Any) -> RunStatus:
    """Return the status of a run in progress."""
    return RunStatus(JobStatus.RUNNING, node_id="n", node_type="add", fraction=fraction, sequence=2, **more)


class Painter:
    """An agent whose runs are in progress until it is told to end them."""

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.end = asyncio.Event()
        self.outcome: Callable[[Order], Outcome] = ended
        self.status = at_work()
        self.picture: int | None = None
        self.known: list[Pictures | None] = []
        self.wakers: list[asyncio.Event] = []

    async def run(self, order: Order) -> Outcome:
        self.orders.append(order)
        await self.end.wait()
        return self.outcome(order)

    async def look(self, known: Pictures | None) -> list[Look]:
        self.known.append(known)
        for waker in self.wakers:
            waker.set()
        return [Look(order["batch_id"], 0, self.status, self.picture) for order in self.orders]

    async def looked(self, times: int = 2) -> None:
        """Wait for some more questions. When the second one begins, the answer to the first has been processed."""
        self.wakers.append(waker := asyncio.Event())
        for _ in range(times):
            waker.clear()
            async with asyncio.timeout(20):
                await waker.wait()
        self.wakers.remove(waker)


OpenPool = Callable[..., FakePool]


@pytest_asyncio.fixture
async def pool_of(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[OpenPool]:
    """Create pools of fake agents. They are closed afterwards."""
    monkeypatch.setattr(timing, "POLL", 0.005)
    opened: list[FakePool] = []

    def create(engine: type[FakeEngine] = FakeEngine, **painters: Painter) -> FakePool:
        agents = {name: FakeAgent(run=one.run, look=one.look) for name, one in painters.items()}
        opened.append(FakePool(engine(**agents)))
        return opened[-1]

    yield create
    for pool in opened:
        await pool.close()


class FarEngine(FakeEngine):
    """An engine whose servers this process reaches through their agents only."""

    def connection(self, agent: str) -> Connection:
        if agent not in self.connections:
            address = ServerAddress.parse(f"http://{agent}.invalid")
            self.connections[agent] = RelayedConnection.to_agent(address, self.ask, agent)
        return self.connections[agent]


async def finish(sweep: AsyncSweep) -> list[int]:
    async with asyncio.timeout(20):
        return [sweep.index(run) async for run in sweep]


# --------------------------------------------------------------------------- statuses


async def test_runs_show_their_state_node_progress_and_preview(pool_of: OpenPool) -> None:
    one = Painter()
    one.status = at_work(preview=FOX, message="Denoising", device="cuda:0")
    pool = pool_of(one=one)
    sweep, execution = pool.sweep(requests(2))
    await execution.begin()
    await one.looked()
    assert sweep[0].status == one.status
    assert execution.current() == ["one: run 1: n 40%"]
    one.status = at_work(0.5, preview=FOX, loading="Dreamshaper 8 (unet)")
    await one.looked()
    assert sweep[0].status == one.status
    assert execution.current() == ["one: run 1: n, loading Dreamshaper 8 (unet)"]
    one.end.set()
    assert sorted(await finish(sweep)) == [0, 1]
    assert {run.status.state for run in sweep.runs} == {JobStatus.COMPLETED}
    assert sweep[0].status.preview is None


async def test_a_late_report_never_replaces_the_end_of_a_run(pool_of: OpenPool) -> None:
    one, late = Painter(), asyncio.Event()
    look = one.look

    async def slow(known: Pictures | None) -> list[Look]:
        found = await look(known)
        await late.wait()
        return found

    one.look = slow
    pool = pool_of(one=one)
    sweep, execution = pool.sweep(requests(1, 1))
    await execution.begin()
    await one.looked(1)
    one.end.set()
    first = await anext(sweep.as_completed())
    assert first.status.ok
    late.set()
    await finish(sweep)
    for batch in {run.batch_id for run in sweep.runs}:
        assert execution._carrier.report(batch, 0, at_work()) is None
    assert [run.status.state for run in sweep.runs] == [JobStatus.COMPLETED] * 2


async def test_only_the_server_that_has_a_run_now_reports_it(pool_of: OpenPool) -> None:
    one, two = Painter(), Painter()
    pool = pool_of(one=one, two=two)
    sweep, execution = pool.sweep(requests(4))
    await execution.begin()
    await one.looked()
    before = next(run for run in sweep.runs if run.server == "one")
    index = sweep.index(before)
    one.outcome = lambda _: {"asked": True}
    pool.engine.retire("one")
    one.end.set()
    two.end.set()
    async with asyncio.timeout(20):
        while sweep[index] is before:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0)
    late = at_work(0.9)
    assert execution._arrivals.report(index, before.batch_id, late) is None
    await finish(sweep)
    assert sweep[index].server == "two"
    assert sweep[index].status.ok


async def test_an_agent_that_hangs_does_not_delay_the_progress_of_others(pool_of: OpenPool) -> None:
    one, two = Painter(), Painter()

    async def hang(known: Pictures | None) -> list[Look]:
        del known
        await asyncio.Event().wait()
        return []

    one.look = hang
    pool = pool_of(one=one, two=two)
    sweep, execution = pool.sweep(requests(8))
    await execution.begin()
    await two.looked()
    assert {line.partition(" ")[0]: "40%" in line for line in execution.current()} == {
        "one:": False,
        "two:": True,
    }
    one.end.set()
    two.end.set()
    await finish(sweep)


async def test_a_notebook_shows_a_line_for_each_server_before_a_run_has_ended(
    pool_of: OpenPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = Painter(), Painter()

    def show(_: Cell, html: str, **__: Any) -> None:
        if "one: run 1: n 40%" in html and html.count("40%") == 2:
            assert "0 of 4 runs" in html
            one.end.set()
            two.end.set()

    monkeypatch.setattr(Cell, "show", show)
    monkeypatch.setattr(display, "_PAUSE", 0.01)
    shell = SimpleNamespace(kernel="here")
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    pool = pool_of(one=one, two=two)
    sweep, execution = pool.sweep(requests(4))
    await execution.begin()
    async with asyncio.timeout(20):
        assert len(await sweep.wait()) == 4


# --------------------------------------------------------------------------- previews


async def test_a_pool_that_reaches_its_servers_always_has_previews(pool_of: OpenPool) -> None:
    one = Painter()
    pool = pool_of(one=one)
    sweep, execution = pool.sweep(requests(1))
    await execution.begin()
    await one.looked()
    assert None not in one.known
    one.end.set()
    await finish(sweep)


async def test_previews_cross_a_cluster_only_while_someone_reads_statuses(
    pool_of: OpenPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Painter()
    pool = pool_of(FarEngine, one=one)
    sweep, execution = pool.sweep(requests(1))
    await execution.begin()
    await one.looked(3)
    assert one.known == [None] * len(one.known)
    assert execution.current() == ["one: run 1: n 40%"]

    assert sweep[0].status.preview is None
    one.known.clear()
    one.status, one.picture = at_work(preview=FOX), 1
    await one.looked(3)
    batch = one.orders[0]["batch_id"]
    assert one.known[0] in (None, {})
    assert one.known[-1] == {(batch, 0): 1}
    assert sweep[0].status.preview == FOX
    one.status = at_work(0.6)  # with the same preview, which the agent does not send again
    await one.looked()
    assert sweep[0].status == at_work(0.6, preview=FOX)

    monkeypatch.setattr(view, "_READ", 0.0)
    await one.looked(3)
    assert one.known[-1] is None
    one.end.set()
    await finish(sweep)


async def test_reading_the_ends_of_runs_does_not_ask_for_previews(pool_of: OpenPool) -> None:
    one = Painter()
    pool = pool_of(FarEngine, one=one)
    one.end.set()
    sweep, execution = pool.sweep(requests(3))
    await execution.begin()
    await finish(sweep)
    assert sweep.failed == []
    assert execution._carrier.last_read("one") < 0


def running(*statuses: RunStatus) -> tuple[SweepRuns, BatchTracker]:
    """Return runs with these statuses, and their tracker."""
    runs = SweepRuns(requests(len(statuses)), inputs={}, labels={}, queue_id="default")
    tracker = BatchTracker("b-1")
    connection = Connection(ConnectionSettings(ServerAddress.parse("http://one.invalid")))
    for place, status in enumerate(statuses):
        runs.add(place, connection, 10 + place, "b-1", tracker, RunEnd())
        tracker.keep(10 + place, status)
    return runs, tracker


def test_an_agent_reports_the_runs_in_progress() -> None:
    called = RunStatus(JobStatus.WAITING)
    runs, _ = running(RunStatus(), at_work(), called, RunStatus(JobStatus.COMPLETED))
    assert [*look_at("b-1", runs, None)] == [Look("b-1", 1, at_work()), Look("b-1", 2, called)]


def test_an_agent_sends_a_preview_once() -> None:
    runs, tracker = running(at_work(preview=FOX))
    [wanted_none] = look_at("b-1", runs, None)
    assert (wanted_none.status.preview, wanted_none.picture) == (None, None)
    [first] = look_at("b-1", runs, {})
    assert first.status.preview == FOX and first.picture is not None
    known = {("b-1", 0): first.picture}
    [again] = look_at("b-1", runs, known)
    assert again.status.preview is None and again.picture == first.picture
    tracker.keep(10, at_work(preview=HEN))
    [other] = look_at("b-1", runs, known)
    assert other.status.preview == HEN and other.picture != first.picture


def test_an_agent_sends_no_large_preview(monkeypatch: pytest.MonkeyPatch) -> None:
    runs, _ = running(at_work(preview=FOX))
    monkeypatch.setattr(looking, "_LARGEST", len(FOX.data_url) - 1)
    [look] = look_at("b-1", runs, {})
    assert (look.status.preview, look.picture) == (None, None)


# --------------------------------------------------------------------------- events


async def test_events_that_no_agent_passes_on_are_an_error(pool_of: OpenPool) -> None:
    one = Painter()
    pool = pool_of(FarEngine, one=one)
    sweep, execution = pool.sweep(requests(1))
    await execution.begin()
    await one.looked()
    expected = (
        r"The events of http://one\.invalid do not reach this process, .* Dask worker\. Use run\.status"
    )
    with pytest.raises(UsageError, match=expected):
        await anext(sweep[0].events())
    client = AsyncInvokeAIClient.from_connection(sweep[0].connection)
    with pytest.raises(UsageError, match=expected):
        await anext(client.watch())
    one.end.set()
    await finish(sweep)
    with pytest.raises(UsageError, match=expected):
        await anext(sweep[0].events())
