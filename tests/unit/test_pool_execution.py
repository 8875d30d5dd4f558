"""The execution of a sweep on a pool, with agents that fail, vanish and come back."""

from __future__ import annotations

import asyncio
import json
import pickle
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from pool_fakes import INFO, FakeAgent, FakeEngine, FakePool, Run, ended, requests, states, unreachable

from invokeai_py_client.errors import (
    AgentLostError,
    InvokeAIClientError,
    ServerUnreachableError,
    UsageError,
)
from invokeai_py_client.models import JobStatus
from invokeai_py_client.pool import execution as execution_module
from invokeai_py_client.pool.order import PROTOCOL, Order, Outcome
from invokeai_py_client.sweep.manifest import ManifestWriter, read_manifest
from invokeai_py_client.sweep.sweep import AsyncSweep
from invokeai_py_client.transport import timing

OpenPool = Callable[..., FakePool]


@pytest_asyncio.fixture
async def pool_of(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[OpenPool]:
    """Create pools of fake agents. They are closed afterwards."""
    monkeypatch.setattr(timing, "POLL", 0.005)
    opened: list[FakePool] = []

    def create(longest_outage: float = 300.0, **agents: FakeAgent) -> FakePool:
        opened.append(FakePool(FakeEngine(**agents), longest_outage=longest_outage))
        return opened[-1]

    yield create
    for pool in opened:
        await pool.close()


async def finish(sweep: AsyncSweep) -> list[int]:
    """Wait for a sweep and return the index of each run in the order in which they were delivered."""
    async with asyncio.timeout(20):
        return [sweep.index(run) async for run in sweep]


async def until(condition: Callable[[], bool]) -> None:
    """Let other tasks work until a condition is met."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0)


class Hold:
    """An agent's work that does not end by itself."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.released = asyncio.Event()
        self.outcome: Callable[[Order], Outcome] = ended

    async def __call__(self, order: Order) -> Outcome:
        self.begun.set()
        await self.released.wait()
        return self.outcome(order)


def scripted(*steps: Callable[[Order], Outcome]) -> Run:
    """Return the work of an agent: the first orders end as given, the others well."""
    left = list(steps)

    async def run(order: Order) -> Outcome:
        await asyncio.sleep(0)
        return left.pop(0)(order) if left else ended(order)

    return run


def lost(_: Order) -> Outcome:
    return {"asked": False, "why": "It does not respond.", "runs": {}}


def lost_while_another_holds(hold: Hold) -> Run:
    """Return the work of an agent whose server is lost for the first order, while the second one is being followed."""
    work = [lost, None]

    async def run(order: Order) -> Outcome:
        step = work.pop(0) if work else ended
        if step is None:
            return await hold(order)
        await hold.begun.wait()
        return step(order)

    return run


async def test_each_run_is_delivered_once_and_recorded_with_its_server(
    pool_of: OpenPool, tmp_path: Path
) -> None:
    pool = pool_of(one=FakeAgent(), two=FakeAgent())
    path = tmp_path / "sweep.jsonl"
    sweep, execution = pool.sweep(requests(10, 5), path)
    await execution.begin()
    assert sorted(await finish(sweep)) == list(range(15))
    kept = read_manifest(path)
    assert kept.is_of_pool
    assert sorted(kept.runs) == list(range(15))
    assert {record["server"] for record in kept.runs.values()} == {"one", "two"}
    assert {batch.server for batch in kept.batches} == {"one", "two"}
    assert [server.done for server in pool.servers.all] == [
        sum(run.server == name for run in sweep.runs) for name in ("one", "two")
    ]
    assert all(server.busy == 0 for server in pool.servers.all)


async def test_what_an_agent_returns_when_it_ends_goes_to_others_at_once(pool_of: OpenPool) -> None:
    hold = Hold()
    hold.outcome = lambda order: ended(order, count=1)
    pool = pool_of(one=FakeAgent(run=hold), two=FakeAgent())
    sweep, execution = pool.sweep(requests(12))
    await execution.begin()
    await hold.begun.wait()
    pool.engine.retire("one")
    await until(lambda: pool.servers["one"].state == "gone")
    hold.released.set()
    assert sorted(await finish(sweep)) == list(range(12))
    assert sum(run.server == "one" for run in sweep.runs) == len(pool.engine.known["one"].orders)


async def test_an_agent_that_comes_back_receives_the_same_batches_again(pool_of: OpenPool) -> None:
    hold = Hold()
    pool = pool_of(one=FakeAgent(run=hold), two=FakeAgent())
    sweep, execution = pool.sweep(requests(12))
    await execution.begin()
    await hold.begun.wait()
    agent = pool.engine.known["one"]
    before = [order["batch_id"] for order in agent.orders]
    pool.engine.lose("one")
    await until(lambda: pool.servers["one"].state == "gone" and not pool.servers["one"].busy)
    hold.released.set()
    pool.engine.bring_back("one")
    assert sorted(await finish(sweep)) == list(range(12))
    again = [order for order in agent.orders if order["again"]]
    assert [order["batch_id"] for order in again] == before
    assert {*before} <= {run.batch_id for run in sweep.runs}


async def test_runs_that_no_other_server_has_begun_stay_at_their_servers(
    pool_of: OpenPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All agents are lost for longer than their chunks are kept for them. Then they are back."""
    monkeypatch.setattr(execution_module, "_GRACE", 0.0)
    hold = Hold()
    pool = pool_of(one=FakeAgent(run=hold), two=FakeAgent(run=hold))
    sweep, execution = pool.sweep(requests(12))
    await execution.begin()
    agents = pool.engine.known.values()
    await until(lambda: all(len(agent.orders) == 2 for agent in agents))
    for name in pool.names:
        pool.engine.lose(name)
    await until(lambda: all(execution._dispatcher.disowned(name) for name in pool.names))
    await until(lambda: not any(server.busy for server in pool.servers.all))
    hold.released.set()
    for name in pool.names:
        pool.engine.bring_back(name)
    assert sorted(await finish(sweep)) == list(range(12))
    for agent in agents:
        first, second, *others = agent.orders
        again = [order["batch_id"] for order in others if order["again"]]
        assert again == [first["batch_id"], second["batch_id"]]
        assert not [question for question, _ in agent.asked if question == "withdraw"]


async def test_what_others_do_is_withdrawn_before_a_silent_server_takes_part_again(pool_of: OpenPool) -> None:
    agent = FakeAgent(run=scripted(lost))
    pool = pool_of(one=agent, two=FakeAgent())
    sweep, execution = pool.sweep(requests(40))
    await execution.begin()
    assert sorted(await finish(sweep)) == list(range(40))
    disowned = agent.orders[0]["batch_id"]
    questions = [args[0] for question, args in agent.asked if question == "withdraw"]
    assert questions == [[disowned]]
    assert [question for question, _ in agent.asked].count("describe") == 2
    assert all(run.batch_id != disowned for run in sweep.runs)


async def test_what_others_did_is_withdrawn_even_if_the_sweep_has_ended_meanwhile(pool_of: OpenPool) -> None:
    agent = FakeAgent(run=scripted(lost, lost))
    pool = pool_of(one=agent, two=FakeAgent())
    sweep, execution = pool.sweep(requests(12))
    await execution.begin()
    agent.answers["withdraw"] = unreachable()
    assert sorted(await finish(sweep)) == list(range(12))
    del agent.answers["withdraw"]
    await until(lambda: any(question == "withdraw" for question, _ in agent.asked))
    withdrawn = next(args[0] for question, args in agent.asked if question == "withdraw")
    assert agent.orders[0]["batch_id"] in withdrawn


async def test_the_other_order_of_a_silent_server_is_not_ordered_twice(pool_of: OpenPool) -> None:
    """The server responds again while its second order is still being followed."""
    hold = Hold()
    agent = FakeAgent(run=lost_while_another_holds(hold))
    pool = pool_of(one=agent)
    sweep, execution = pool.sweep(requests(12))
    await execution.begin()
    await until(lambda: len(agent.orders) > 2)  # it is back at work
    hold.released.set()
    assert sorted(await finish(sweep)) == list(range(12))
    batches = Counter(order["batch_id"] for order in agent.orders)
    lost_one = agent.orders[0]["batch_id"]
    assert [batch_id for batch_id, count in batches.items() if count > 1] == [lost_one]


@pytest.mark.parametrize("responds", [False, True])
async def test_nothing_stays_at_an_agent_that_is_lost_after_its_server_was_silent(
    pool_of: OpenPool, responds: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second order of the server is still being followed, whether the server responds again or not."""
    monkeypatch.setattr(execution_module, "_GRACE", 0.05)
    hold = Hold()
    agent = FakeAgent(run=lost_while_another_holds(hold))
    pool = pool_of(one=agent, two=FakeAgent(run=Hold()))
    sweep, execution = pool.sweep(requests(12))
    await execution.begin()
    if not responds:
        agent.description = unreachable()
    await until(lambda: pool.servers["one"].state == "silent")
    if responds:
        await until(lambda: pool.servers["one"].state == "ready")
    pool.engine.known["two"].run = None
    pool.engine.lose("one")
    pool.engine.lose("two")
    await until(lambda: not any(server.busy for server in pool.servers.all))
    pool.engine.bring_back("two")
    assert sorted(await finish(sweep)) == list(range(12))


async def test_an_agent_that_was_replaced_unnoticed_takes_part_again(pool_of: OpenPool) -> None:
    """A new worker with the same server was there before the loss of the old one was noticed."""

    def gone(_: Order) -> Outcome:
        raise AgentLostError("It has ended.")

    pool = pool_of(one=FakeAgent(run=scripted(gone)))
    sweep, execution = pool.sweep(requests(6))
    await execution.begin()
    assert sorted(await finish(sweep)) == list(range(6))


async def test_a_server_with_another_protocol_takes_no_part(pool_of: OpenPool) -> None:
    other = FakeAgent(description={"protocol": 99, "url": "http://fake", "info": None})
    pool = pool_of(one=FakeAgent(), two=other)
    sweep, execution = pool.sweep(requests(6))
    await execution.begin()
    assert sorted(await finish(sweep)) == list(range(6))
    assert not other.orders
    assert pool.servers["two"].state == "unfit"
    assert "format 99" in pool.servers["two"].why
    alone = pool_of(two=other)
    with pytest.raises(ServerUnreachableError, match="two: Its agent reads orders of format 99"):
        await alone.servers.start()


async def test_a_server_with_two_names_is_used_once_and_the_other_agent_replaces_the_first(
    pool_of: OpenPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution_module, "_GRACE", 0.05)
    hold = Hold()
    description = {"protocol": PROTOCOL, "url": "http://same", "info": INFO}
    pool = pool_of(one=FakeAgent(run=hold, description=description), two=FakeAgent(description=description))
    sweep, execution = pool.sweep(requests(6))
    await execution.begin()
    [one, two] = pool.servers.all
    assert (one.state, two.state) == ("ready", "unfit")
    assert two.why.startswith("http://same is the server one as well.")
    await hold.begun.wait()
    pool.engine.lose("one")
    assert sorted(await finish(sweep)) == list(range(6))
    assert (one.state, two.state) == ("gone", "ready")


async def test_no_server_that_responds_is_one_error_with_each_reason(pool_of: OpenPool) -> None:
    off = [FakeAgent(description=unreachable(text)) for text in ("It is off.", "It is far away.")]
    pool = pool_of(one=off[0], two=off[1])
    with pytest.raises(ServerUnreachableError) as raised:
        await pool.servers.start()
    assert "one: It is off." in str(raised.value)
    assert "two: It is far away." in str(raised.value)
    off[1].description = FakeAgent().description
    await pool.servers.start()
    assert [server.name for server in pool.servers.ready] == ["two"]


async def test_a_refused_order_goes_to_another_server_and_not_to_the_same_one(pool_of: OpenPool) -> None:
    def refused(_: Order) -> Outcome:
        return {"asked": True, "refused": True, "why": "Its queue has no such node.", "runs": {}}

    picky = FakeAgent(run=scripted(*[refused] * 50))
    pool = pool_of(one=picky, two=FakeAgent())
    sweep, execution = pool.sweep(requests(20))
    await execution.begin()
    assert sorted(await finish(sweep)) == list(range(20))
    assert len(picky.orders) <= 2  # the lanes
    assert {run.server for run in sweep.runs} == {"two"}


async def test_runs_that_every_server_refuses_end_with_the_reasons(pool_of: OpenPool, tmp_path: Path) -> None:
    def refused(_: Order) -> Outcome:
        return {"asked": True, "refused": True, "why": "The model is broken.", "runs": {}}

    pool = pool_of(0.0, one=FakeAgent(run=scripted(*[refused] * 50)))
    path = tmp_path / "sweep.jsonl"
    sweep, execution = pool.sweep(requests(6), path)
    await execution.begin()
    with pytest.raises(ServerUnreachableError) as raised:
        await finish(sweep)
    assert "No server of the pool can do 6 of the 6 runs:\n  one: The model is broken." in str(raised.value)
    assert str(path) in str(raised.value)


async def test_an_outage_of_all_servers_ends_the_wait_and_a_later_wait_goes_on(pool_of: OpenPool) -> None:
    agent = FakeAgent(run=scripted(lost, lost))
    pool = pool_of(0.0, one=agent)
    sweep, execution = pool.sweep(requests(8))
    await execution.begin()
    agent.description, good = unreachable(), agent.description
    with pytest.raises(ServerUnreachableError, match=r"one: It (is off|does not respond)\."):
        await finish(sweep)
    agent.description = good
    assert sorted(await finish(sweep)) == list(range(8))


async def test_images_that_an_agent_has_lost_are_brought_to_it_again(
    pool_of: OpenPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wanted(_: Order) -> Outcome:
        return {"wanted": {"image_name": ["cat.png"]}}

    agent = FakeAgent(run=scripted(wanted))
    pool = pool_of(one=agent)
    sweep, execution = pool.sweep(requests(6, image="cat.png"))

    async def content(key: str, name: str) -> bytes:
        return b"png"

    monkeypatch.setattr(execution._inputs, "_content", content)
    await execution.begin()
    assert sorted(await finish(sweep)) == list(range(6))
    uploads = [args for question, args in agent.asked if question == "upload"]
    assert uploads == [("image_name", "cat.png", b"png")]
    assert {tuple(order["inputs"].get("image_name", ())) for order in agent.orders} == {("cat.png",)}
    assert agent.orders[0]["batch_id"] == agent.orders[1]["batch_id"] or len(agent.orders) > 2


async def test_a_server_that_cannot_be_asked_for_its_images_is_lost_and_not_the_sweep(
    pool_of: OpenPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = FakeAgent(answers={"missing": unreachable()})
    pool = pool_of(one=bad, two=FakeAgent(has={"cat.png"}))
    sweep, execution = pool.sweep(requests(6, image="cat.png"))
    await execution.begin()
    assert sorted(await finish(sweep)) == list(range(6))
    assert not bad.orders


async def test_cancel_withdraws_what_is_at_work_and_sends_nothing_more(pool_of: OpenPool) -> None:
    hold = Hold()
    hold.outcome = lambda order: ended(order, state="canceled")
    agent = FakeAgent(run=hold)
    pool = pool_of(one=agent)
    sweep, execution = pool.sweep(requests(20))
    await execution.begin()
    await hold.begun.wait()

    async def withdrawn() -> None:
        await until(lambda: any(question == "withdraw" for question, _ in agent.asked))
        hold.released.set()

    async with asyncio.timeout(20):
        await asyncio.gather(sweep.cancel(), withdrawn())
        sent = len(agent.orders)
        runs = await sweep.wait(progress=False)
    assert {*states(sweep)} == {JobStatus.CANCELLED}
    assert len(agent.orders) == sent
    assert len(runs) == sum(order["count"] for order in agent.orders)
    # They can be run again.
    agent.run = None
    assert await sweep.retry_failed() == len(runs)
    await finish(sweep)
    assert {*states(sweep)} == {JobStatus.COMPLETED}


async def test_a_failed_run_is_tried_on_another_server_and_retry_runs_it_again(pool_of: OpenPool) -> None:
    def failed(order: Order) -> Outcome:
        return ended(order, state="failed")

    broken = [FakeAgent(run=scripted(*[failed] * 99)) for _ in range(2)]
    pool = pool_of(one=broken[0], two=broken[1])
    sweep, execution = pool.sweep(requests(2))
    await execution.begin()
    assert sorted(await finish(sweep)) == [0, 1]
    assert {*states(sweep)} == {JobStatus.FAILED}
    assert sum(order["count"] for agent in broken for order in agent.orders) == 4  # each on both
    for agent in broken:
        agent.run = None
    assert await sweep.retry_failed() == 2
    assert sorted(await finish(sweep)) == [0, 1]
    assert {*states(sweep)} == {JobStatus.COMPLETED}


async def test_a_server_on_which_everything_fails_is_excluded_until_the_sweep_ends(pool_of: OpenPool) -> None:
    def failed(order: Order) -> Outcome:
        return ended(order, state="failed")

    seen: set[str] = set()
    broken = FakeAgent(run=scripted(*[failed] * 99))
    pool = pool_of(one=broken, two=FakeAgent())
    sweep, execution = pool.sweep(requests(60))
    await execution.begin()
    async for _ in sweep:
        seen.add(pool.servers["one"].state)
    assert {*states(sweep)} == {JobStatus.COMPLETED}
    assert "excluded" in seen
    await until(lambda: pool.servers["one"].state == "ready")
    assert sum(order["count"] for order in broken.orders) <= 18  # of 60


@pytest.mark.parametrize("kind", ["sending", "run"])
async def test_a_manifest_that_cannot_be_written_ends_the_wait_and_nothing_is_lost(
    pool_of: OpenPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    agent = FakeAgent()
    pool = pool_of(one=agent)
    path = tmp_path / "sweep.jsonl"
    sweep, execution = pool.sweep(requests(12), path)
    write, full = ManifestWriter.write, [True]

    def failing(self: ManifestWriter, name: str, **values: object) -> None:
        if name == kind and full[0]:
            raise UsageError("Cannot write the manifest: no space left.")
        write(self, name, **values)

    monkeypatch.setattr(ManifestWriter, "write", failing)
    await execution.begin()
    delivered: list[int] = []
    async with asyncio.timeout(20):
        with pytest.raises(UsageError, match="no space left"):
            async for run in sweep:
                delivered.append(sweep.index(run))
        full[0] = False
        runs = await sweep.wait(progress=False)
    assert len(runs) == 12
    assert all(run.status.ok for run in runs)
    kept = read_manifest(path)
    assert all(record["batch"] in {batch.batch_id for batch in kept.batches} for record in kept.runs.values())


async def test_resume_orders_the_same_batches_at_the_same_servers(pool_of: OpenPool, tmp_path: Path) -> None:
    hold = Hold()
    first = pool_of(one=FakeAgent(run=hold), two=FakeAgent(run=hold))
    path = tmp_path / "sweep.jsonl"
    _, execution = first.sweep(requests(12), path)
    await execution.begin()
    await hold.begun.wait()
    await first.close()
    sent = {batch.batch_id: batch.server for batch in read_manifest(path).batches}
    assert sent
    second = pool_of(one=FakeAgent(), two=FakeAgent())
    resumed, _ = second.resumed(path)
    async with asyncio.timeout(20):
        runs = await resumed.wait(progress=False)
    assert len(runs) == 12
    again = {
        order["batch_id"]: name
        for name, agent in second.engine.known.items()
        for order in agent.orders
        if order["again"]
    }
    assert again == sent
    # Everything is recorded, so another resume does nothing.
    third = pool_of(one=FakeAgent(), two=FakeAgent())
    idle, _ = third.resumed(path)
    assert len(await idle.wait(progress=False)) == 12
    assert not any(agent.orders for agent in third.engine.known.values())


async def test_a_closed_pool_does_not_leave_a_wait_behind(pool_of: OpenPool) -> None:
    hold = Hold()
    pool = pool_of(one=FakeAgent(run=hold))
    sweep, execution = pool.sweep(requests(4))
    await execution.begin()
    await hold.begun.wait()
    await pool.close()
    hold.released.set()
    assert sorted(await finish(sweep)) == [0, 1, 2, 3]  # the pool is opened again
    assert any(order["again"] for order in pool.engine.known["one"].orders)


async def test_an_order_can_be_pickled_and_has_no_secrets(
    pool_of: OpenPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INVOKEAI_TOKEN", "s3cret-token")
    agent = FakeAgent()
    pool = pool_of(one=agent)
    sweep, execution = pool.sweep(requests(6))
    await execution.begin()
    await finish(sweep)
    data = pickle.dumps(agent.orders)
    assert b"s3cret" not in data
    assert pickle.loads(data) == agent.orders
    assert json.dumps(agent.orders)
    with pytest.raises(UsageError, match=r"Sweep\.resume\(path, pool\)"):
        pickle.dumps(sweep)


async def test_an_error_of_one_agent_that_is_not_ours_ends_the_wait(pool_of: OpenPool) -> None:
    async def run(_: Order) -> Outcome:
        raise InvokeAIClientError("The disk is full.")

    pool = pool_of(0.0, one=FakeAgent(run=run))
    sweep, execution = pool.sweep(requests(4))
    await execution.begin()
    with pytest.raises(ServerUnreachableError, match="The disk is full"):
        await finish(sweep)
