"""Pools on a Dask cluster: a scheduler and workers with agents, as processes on this machine, with certificates."""

from __future__ import annotations

import asyncio
import gzip
import os
import pickle
import signal
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
import pytest_asyncio
import workflows
from dask_cluster import DaskCluster, Process
from multi_user import ANN, Users
from pool_servers import WAIT, wait_until
from tests.conftest import RealServer

from invokeai_py_client import AsyncInvokeAIClient, InvokeAIClient
from invokeai_py_client.errors import AgentLostError, PoolError, UsageError
from invokeai_py_client.models import JobStatus
from invokeai_py_client.pool import dask_link
from invokeai_py_client.pool.chunk import Chunk
from invokeai_py_client.pool.dask_worker import agents_in
from invokeai_py_client.pool.engine import Engine
from invokeai_py_client.pool.order import Order, make_order
from invokeai_py_client.pool.pool import AsyncInvokeAIPool
from invokeai_py_client.run.batch_ids import new_batch_id
from invokeai_py_client.server import LocalServer
from invokeai_py_client.transport import timing

pytestmark = pytest.mark.cluster

HOLD = workflows.workflow(
    "Hold", {"hold": ("hold", {"seconds": 0.0})}, [], [("hold", "seconds")], versions={"hold": "1.0.0"}
)
HOLD["nodes"][0]["data"]["useCache"] = False
OWN = "own_wait"
"""A node type that only a server has which a worker starts itself."""


@pytest.fixture(scope="module")
def token(users: Users) -> str:
    return users.token(ANN, 3600.0)


@pytest.fixture
def plain(cluster: DaskCluster, server: RealServer) -> Process:
    """A worker with the server of the session."""
    return cluster.worker("plain", "--url", server.url)


@pytest.fixture
def signed_in(cluster: DaskCluster, users: Users, token: str) -> Process:
    """A worker with the multi-user server, and the token of a user."""
    return cluster.worker("signed-in", "--url", users.url, env={"INVOKEAI_TOKEN": token})


@pytest_asyncio.fixture
async def pool(cluster: DaskCluster) -> AsyncIterator[AsyncInvokeAIPool]:
    async with AsyncInvokeAIPool.from_dask(cluster.address, security=cluster.security) as pool:
        yield pool


async def joined(engine: Engine, *names: str) -> None:
    """Wait until agents have joined."""
    async with asyncio.timeout(120):
        while not set(names) <= set(await engine.agents()):
            await engine.change()


async def order_of(pool: AsyncInvokeAIPool, server: str, seconds: list[float]) -> Order:
    """Return an order for runs that take some seconds each, or until they are canceled."""
    await joined(pool._engine, server)
    client = AsyncInvokeAIClient.from_connection(pool._engine.connection(server))
    wf = await client.workflow_repo.create_workflow(HOLD)
    [request] = await wf.sweep_requests(await wf.sweep_plan(seconds=seconds))
    chunk = Chunk(new_batch_id(), server, 0, tuple(range(len(seconds))))
    return make_order(chunk, request, queue_id="default", labels={}, boards={}, files=True)


def states(client: InvokeAIClient, *orders: Order) -> dict[str, int]:
    """Return how many runs of some orders are in each state in the server's queue."""
    found: dict[str, int] = {}
    for order in orders:
        status = client.queue_repo.batch_status(order["batch_id"])
        for state in ("pending", "in_progress", "completed", "canceled"):
            found[state] = found.get(state, 0) + getattr(status, state)
    return found


async def test_a_sweep_uses_servers_that_only_its_workers_reach(
    pool: AsyncInvokeAIPool,
    cluster: DaskCluster,
    users: Users,
    token: str,
    plain: Process,
    tmp_path: Path,
    nothing_left: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Planning, checking, running, results: with requests from this process that raise. A worker joins meanwhile."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("this process sent a request")

    monkeypatch.setattr(aiohttp.ClientSession, "_request", refuse)
    monkeypatch.setattr(aiohttp.ClientSession, "ws_connect", refuse)
    await joined(pool._engine, "plain")
    wf = await pool.create_workflow(workflows.blank())
    assert wf.connection.url in {one.url for one in pool.servers}, "the reference server is known"
    client = await pool.client("plain")
    assert {"tiny-sd1", "tiny-sdxl"} <= {model.name for model in await client.dnn_model_repo.list_models()}
    assert await client.board_repo.list_boards() is not None
    plan = await wf.sweep_plan(width=[8 * (index + 1) for index in range(24)])
    assert await pool.check(wf, plan) == {"plain": []}
    await client.queue_repo.pause()
    sweep = await wf.start_sweep(plan, manifest=tmp_path / "sweep.jsonl")
    cluster.worker("signed-in", "--url", users.url, env={"INVOKEAI_TOKEN": token})
    await asyncio.to_thread(
        wait_until,
        lambda: {"plain", "signed-in"} == {one.name for one in pool.servers if one.state == "ready"},
    )
    await client.queue_repo.resume()
    runs = [run async for run in sweep]
    assert sorted(run.inputs["width"] for run in runs) == [8 * (index + 1) for index in range(24)]
    assert {run.server for run in runs} == {"plain", "signed-in"}
    for run in runs:
        [image] = run.images
        assert (await image.pil()).size == (run.inputs["width"], 16)
    own = next(run for run in runs if run.server == "plain")
    assert await client.image_repo.download(own.images[0].name) == await own.images[0].bytes()


async def test_progress_and_previews_come_through_the_scheduler(
    pool: AsyncInvokeAIPool,
    server: RealServer,
    plain: Process,
    monkeypatch: pytest.MonkeyPatch,
    nothing_left: None,
) -> None:
    """Previews are sent only after a status was read. Events are not passed on."""
    monkeypatch.setattr(timing, "POLL", 0.05)
    await joined(pool._engine, "plain")
    engine, asked = pool._engine, list[Any]()
    ask = engine.ask

    async def recorded(agent: str, question: str, *args: Any) -> Any:
        if question == "look":
            asked.extend(args)
        return await ask(agent, question, *args)

    monkeypatch.setattr(engine, "ask", recorded)
    wf = await pool.create_workflow(workflows.sd1(steps=1000))
    sweep = await wf.sweep(seed=[1], values={"model": "tiny-sd1"})

    def current() -> str:
        return "".join(sweep._execution.current())

    await asyncio.to_thread(wait_until, lambda: current().startswith("plain: run 1: denoise "))
    assert asked == [None] * len(asked)
    [run] = sweep.runs
    await asyncio.to_thread(wait_until, lambda: run.status.preview is not None)
    status = run.status
    assert status.preview is not None and status.preview.data.startswith(b"\xff\xd8")
    assert status.state is JobStatus.RUNNING and status.node_id == "denoise"
    with pytest.raises(UsageError, match="do not reach this process"):
        await anext(run.events())
    await sweep.cancel()


@pytest.mark.parametrize("retired", [False, True], ids=["SIGTERM", "retired"])
async def test_a_worker_that_is_to_end_returns_what_is_done_and_leaves_nothing(
    pool: AsyncInvokeAIPool,
    cluster: DaskCluster,
    signed_in: Process,
    users: Users,
    token: str,
    retired: bool,
) -> None:
    """SLURM ends a job with a signal. ``--lifetime`` and clusters that become smaller retire a worker."""
    order = await order_of(pool, "signed-in", [0.0, 60.0, 60.0, 60.0])
    running = asyncio.create_task(pool._engine.run("signed-in", order, lambda _: None))

    def at_work() -> bool:
        found = states(users.admin, order)
        return found["completed"] == 1 and found["in_progress"] > 0

    await asyncio.to_thread(wait_until, at_work)
    if retired:
        from distributed import Client

        client: Any
        async with Client(cluster.address, security=cluster.security, asynchronous=True) as client:
            workers = (await client.scheduler.identity())["workers"]
            found = agents_in(workers).items()
            await client.retire_workers([address for address, info in found if info["name"] == "signed-in"])
    else:
        for pid in (*signed_in.workers, signed_in.pid):
            os.kill(pid, signal.SIGTERM)
    outcome: Any = await running
    assert list(outcome["runs"]) == [0] and outcome["asked"]
    assert states(users.admin, order) == {"pending": 0, "in_progress": 0, "completed": 1, "canceled": 3}
    assert "signed-in" not in await pool._engine.agents()
    await asyncio.to_thread(signed_in.wait)
    # The next worker does not report the canceled runs as ended, either.
    cluster.worker("signed-in", "--url", users.url, env={"INVOKEAI_TOKEN": token})
    await joined(pool._engine, "signed-in")
    order["again"] = True
    outcome = await pool._engine.run("signed-in", order, lambda _: None)
    assert list(outcome["runs"]) == [0]


async def test_a_worker_that_hangs_is_lost_until_it_responds(
    pool: AsyncInvokeAIPool, signed_in: Process, users: Users, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By default after 15 to 30 s, and here after 2 to 4 s."""
    monkeypatch.setattr(dask_link, "_SILENCE", 2.0)
    order = await order_of(pool, "signed-in", [60.0])
    sent: asyncio.Future[Mapping[int, int]] = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(pool._engine.run("signed-in", order, sent.set_result))
    assert list(await sent) == [0]
    [pid] = signed_in.workers
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(AgentLostError, match=r"The agent of signed-in does not respond\."):
            await running
        assert "signed-in" not in await pool._engine.agents()
        with pytest.raises(AgentLostError):
            await pool._engine.ask("signed-in", "describe")
    finally:
        os.kill(pid, signal.SIGCONT)
    await joined(pool._engine, "signed-in")
    await pool._engine.ask("signed-in", "withdraw", [order["batch_id"]], "default")
    left = states(
        users.admin, order
    )  # the node ends when it is canceled, so it may be completed at that moment
    assert (left["pending"], left["in_progress"], left["completed"] + left["canceled"]) == (0, 0, 1)


async def test_runs_survive_the_scheduler(
    pool: AsyncInvokeAIPool, cluster: DaskCluster, signed_in: Process, users: Users, token: str
) -> None:
    """Its workers end with it. The servers continue, and the next workers find the runs there."""
    order = await order_of(pool, "signed-in", [0.0, 1.0, 2.0])
    sent: asyncio.Future[Mapping[int, int]] = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(pool._engine.run("signed-in", order, sent.set_result))
    items = await sent
    cluster.scheduler.end(signal.SIGKILL)
    with pytest.raises(AgentLostError):
        await running
    assert await pool._engine.agents() == []
    for worker in cluster.workers.values():
        worker.end()
    cluster.start_scheduler()
    cluster.worker("signed-in", "--url", users.url, env={"INVOKEAI_TOKEN": token})
    await joined(pool._engine, "signed-in")
    order["again"] = True
    outcome: Any = await pool._engine.run("signed-in", order, lambda _: None)
    assert {place: item_id for place, (item_id, *_) in outcome["runs"].items()} == items
    assert states(users.admin, order) == {"pending": 0, "in_progress": 0, "completed": 3, "canceled": 0}


async def test_secrets_stay_with_the_agent(
    pool: AsyncInvokeAIPool, cluster: DaskCluster, signed_in: Process, token: str, tmp_path: Path
) -> None:
    from distributed import Client

    order = await order_of(pool, "signed-in", [0.0])
    outcome: Any = await pool._engine.run("signed-in", order, lambda _: None)
    assert len(outcome["runs"]) == 1
    client = await pool.client("signed-in")
    user = await client.me()
    assert user is not None and user.email == ANN[0]
    with pytest.raises(UsageError, match="its agent signs in"):
        await client.login(*ANN)
    description = await pool._engine.ask("signed-in", "describe")
    answer = await pool._engine.ask("signed-in", "request", "GET", "/api/v1/auth/me", {})
    path = tmp_path / "sweep.jsonl"
    wf = await client.workflow_repo.create_workflow(HOLD)
    sweep = await wf.sweep(seconds=[0.0, 0.1], pool=pool, manifest=path)
    assert [(run.server, run.status.ok) for run in await sweep.wait()] == [("signed-in", True)] * 2
    other = await order_of(pool, "signed-in", [60.0])
    sent: asyncio.Future[Mapping[int, int]] = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(pool._engine.run("signed-in", other, sent.set_result))
    await sent
    observer: Any
    async with Client(cluster.address, security=cluster.security, asynchronous=True) as observer:
        # What Dask's programs and pages show while a task is running.
        tasks: dict[str, Any] = await observer.processing()
        [(address, [task])] = [one for one in tasks.items() if one[1]]
        at, of = quote(address, safe=""), quote(task, safe="")
        names = [
            "json/counts.json",  # that of identity() fails in distributed 2026.8 when workers have run tasks
            *(f"info/main/{name}.html" for name in ("workers", "logs", "exceptions")),
            *(f"info/{name}/{at}.html" for name in ("worker", "logs", "call-stacks")),
            *(f"info/{name}/{of}.html" for name in ("task", "call-stack")),
        ]
        pages = {name: await asyncio.to_thread(cluster.page, name) for name in names}
        await observer.dump_cluster_state(str(tmp_path / "state"), exclude=())
        seen = [await observer.scheduler.identity(), await observer.story(task)]
        events = await observer.get_events()
    await pool._engine.ask("signed-in", "withdraw", [other["batch_id"]], "default")
    assert await running
    assert any("sent" in message for _, message in events["invokeai"])
    state = gzip.decompress((tmp_path / "state.msgpack.gz").read_bytes())
    assert all(task.encode() in shown for shown in (state, pages[names[-2]].encode()))
    told = [order, outcome, description, answer.content, dict(answer.headers), events, seen, pages]
    written = [
        pickle.dumps(told),
        pickle.dumps(client.connection),
        state,
        path.read_bytes(),
        *(log.read_bytes() for log in cluster.logs),
    ]
    for secret in (token, ANN[1]):
        assert not any(secret.encode() in data for data in written)


async def test_a_client_without_a_certificate_is_refused(
    cluster: DaskCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    from distributed import Security

    monkeypatch.setattr(dask_link, "_CONNECT", 1.0)
    security = Security(tls_ca_file=str(cluster.cert), require_encryption=True)
    for address, given in ((cluster.address, security), (f"tcp://127.0.0.1:{cluster.port}", None)):
        async with AsyncInvokeAIPool.from_dask(address, security=given) as pool:
            with pytest.raises(PoolError, match="Cannot connect to the Dask scheduler at "):
                await pool.start()


async def test_a_worker_starts_its_server_again_and_ends_it(
    pool: AsyncInvokeAIPool, cluster: DaskCluster, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    pack = root / "nodes" / "own"
    pack.mkdir(parents=True)
    (pack / "__init__.py").write_text((WAIT / "__init__.py").read_text().replace("ivk_wait", OWN))
    worker = cluster.worker("own", "--root", root)
    await joined(pool._engine, "own")
    client = await pool.client("own")
    document = workflows.workflow("Own", {"own": (OWN, {"seconds": 0.2})}, [], [("own", "number")])
    wf = await client.workflow_repo.create_workflow(document)
    sweep = await wf.sweep(number=range(8), pool=pool, manifest=tmp_path / "sweep.jsonl")
    server = LocalServer.find(root)
    assert server is not None
    port, pid = server.port, server.pid
    done: list[list[Any]] = []
    async for run in sweep:
        done.append(run.outputs.values("own"))
        if len(done) == 2:
            os.kill(pid, signal.SIGKILL)
    assert sorted(done) == [
        [number] for number in range(8)
    ]  # each once, also the one that the crash canceled
    server = LocalServer.find(root)
    assert server is not None
    assert server.pid != pid
    assert server.port == port
    worker.end()
    assert LocalServer.find(root) is None
