"""Whatever happens to an enqueue request or its response, the server has the batch exactly once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Self

import pytest
import pytest_asyncio
import workflows
from proxy import Proxy
from tests.conftest import RealServer
from trouble import HANG, LOSE, RESET, SWALLOW, WAIT, Fault, always, cut, delay, gateway, randomly, script

from invokeai_py_client import AsyncInvokeAIClient, AsyncSweep, AsyncWorkflowHandle, InvokeAIClient
from invokeai_py_client.errors import (
    APIRequestError,
    ConnectionLostError,
    EnqueueUnknownError,
    ServerError,
)
from invokeai_py_client.models import JobStatus
from invokeai_py_client.run.live import LiveRuns
from invokeai_py_client.sweep import delivery
from invokeai_py_client.transport import retry

ENQUEUE = "/enqueue_batch$"
BAD_LINE = {LOSE: 0.3, RESET: 0.1}


@pytest.fixture
def proxy(server: RealServer) -> Iterator[Proxy]:
    with Proxy(server.url) as proxy:
        yield proxy


@pytest.fixture(autouse=True)
def queue(server: RealServer) -> Iterator[InvokeAIClient]:
    """Return a client without the proxy. The queue is empty and paused."""
    with InvokeAIClient.from_url(server.url) as client:
        client.queue_repo.pause()
        client.queue_repo.clear()
        yield client
        client.queue_repo.clear()
        client.queue_repo.resume()


@pytest_asyncio.fixture
async def client(proxy: Proxy) -> AsyncIterator[AsyncInvokeAIClient]:
    async with AsyncInvokeAIClient.from_url(proxy.url, max_retries=12) as client:
        yield client


@pytest_asyncio.fixture
async def wf(client: AsyncInvokeAIClient) -> AsyncWorkflowHandle:
    return await client.workflow_repo.create_workflow(workflows.add())


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make retries follow each other quickly."""
    monkeypatch.setattr(retry, "_FIRST_DELAY", 0.02)
    monkeypatch.setattr(retry, "_LONGEST_DELAY", 0.2)


def batches(queue: InvokeAIClient) -> list[tuple[int, str]]:
    """Return the items of the queue and their batches."""
    return [(job.item_id or 0, job.batch_id or "") for job in queue.queue_repo.items()]


def states(queue: InvokeAIClient) -> list[tuple[int, JobStatus | str]]:
    """Return the items of the queue and their states."""
    return [(job.item_id or 0, job.status) for job in queue.queue_repo.items()]


@pytest.mark.usefixtures("impatient")
async def test_500_requests_over_an_unreliable_connection(
    proxy: Proxy, wf: AsyncWorkflowHandle, queue: InvokeAIClient
) -> None:
    proxy.rule("*", "", randomly(6, BAD_LINE))  # the lookups afterwards are affected, too
    few = asyncio.Semaphore(16)

    async def start(number: int) -> tuple[int, str]:
        async with few:
            run = await wf.start(a=number)
            return run.item_id, run.batch_id

    started = await asyncio.gather(*map(start, range(500)))
    assert proxy.counts["lose"] > 150
    assert proxy.counts["reset"] > 50
    assert sorted(started) == batches(queue)
    assert len({batch_id for _, batch_id in started}) == 500


@pytest.mark.usefixtures("impatient")
async def test_sweeps_over_an_unreliable_connection(
    proxy: Proxy, client: AsyncInvokeAIClient, queue: InvokeAIClient
) -> None:
    """A color is part of the graph, so each color is a separate request."""
    blank = {"blank": ("blank_image", {"width": 8, "height": 8})}
    wf = await client.workflow_repo.create_workflow(
        workflows.workflow("Blank", blank, [], [("blank", "color"), ("blank", "width")])
    )
    proxy.rule("*", "", randomly(60, BAD_LINE))
    colours = [{"r": number, "g": 0, "b": 0, "a": 255} for number in range(40)]
    sweep = await wf.sweep(color=colours, width=[8, 16, 24])
    proxy.forget_rules()
    assert proxy.counts["lose"] > 10
    assert len(sweep.runs) == 120
    assert sorted((run.item_id, run.batch_id) for run in sweep.runs) == batches(queue)
    assert len({run.batch_id for run in sweep.runs}) == 40
    await sweep.cancel()


async def test_interrupted_resumption_sends_nothing_twice(
    proxy: Proxy,
    client: AsyncInvokeAIClient,
    queue: InvokeAIClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(delivery, "_REQUEST_LIFETIME", 0.0)  # the refused request will not arrive later
    blank = {"blank": ("blank_image", {"width": 8, "height": 8})}
    wf = await client.workflow_repo.create_workflow(
        workflows.workflow("Blank", blank, [], [("blank", "color"), ("blank", "width")])
    )
    plan = await wf.sweep_plan(color=[{"r": n, "g": 0, "b": 0, "a": 255} for n in range(3)], width=[8, 16])
    proxy.rule("POST", ENQUEUE, script(None, gateway(400)))
    with pytest.raises(APIRequestError):
        await wf.start_sweep(plan, manifest=tmp_path / "sweep.jsonl")
    assert {state for _, state in states(queue)} == {JobStatus.CANCELLED}
    proxy.forget_rules()
    proxy.rule("POST", ENQUEUE, script(None, gateway(400)))
    sweep = AsyncSweep.resume(tmp_path / "sweep.jsonl", client)
    with pytest.raises(APIRequestError):
        await sweep.wait()
    proxy.forget_rules()
    queue.queue_repo.resume()
    runs = await sweep.wait()
    assert [run.status.ok for run in runs] == [True] * 6
    done = [item for item, state in states(queue) if state is JobStatus.COMPLETED]
    assert sorted(run.item_id for run in runs) == sorted(done)  # and no others


@pytest.mark.parametrize(
    "fault",
    [
        LOSE,
        RESET,
        cut(20),
        cut(150),
        gateway(502),
        gateway(503, "0"),
        gateway(503, "Wed, 21 Oct 2020 07:28:00 GMT"),
        gateway(504, forward=True),
    ],
    ids=lambda fault: fault.name,
)
async def test_single_fault(
    proxy: Proxy, wf: AsyncWorkflowHandle, queue: InvokeAIClient, fault: Fault
) -> None:
    proxy.rule("POST", ENQUEUE, script(fault))
    run = await wf.start()
    assert batches(queue) == [(run.item_id, run.batch_id)]


# --------------------------------------------------------------------------- timeouts


@pytest.mark.parametrize("fault", [HANG, SWALLOW], ids=lambda fault: fault.name)
async def test_response_timeout(proxy: Proxy, queue: InvokeAIClient, fault: Fault) -> None:
    async with AsyncInvokeAIClient.from_url(proxy.url) as client:
        wf = await client.workflow_repo.create_workflow(workflows.add())
        client.settings.timeout = 1.0
        proxy.rule("POST", ENQUEUE, script(fault))
        run = await wf.start()
    assert batches(queue) == [(run.item_id, run.batch_id)]


async def test_original_request_arrives_after_the_retry(proxy: Proxy, queue: InvokeAIClient) -> None:
    """A proxy holds it back longer than the client waits, so the server has the batch twice for a moment."""
    removed = Heard("reached the server twice")
    async with AsyncInvokeAIClient.from_url(proxy.url) as client:
        wf = await client.workflow_repo.create_workflow(workflows.add())
        client.settings.timeout = 1.0
        # Not longer: the server closes connections without a request after 5 s.
        proxy.rule("POST", ENQUEUE, script(delay(3.0)))
        with removed:
            run = await wf.start()
            assert batches(queue) == [(run.item_id, run.batch_id)]
            async with asyncio.timeout(60):
                await removed.event.wait()
                await asyncio.gather(*client.connection.part(LiveRuns)._guarding)
        assert batches(queue) == [(run.item_id, run.batch_id)]


async def test_original_request_arrives_after_its_runs_have_ended(
    proxy: Proxy, queue: InvokeAIClient
) -> None:
    """Its batch, the second one of a sweep, is not followed any more."""
    queue.queue_repo.resume()
    removed = Heard("reached the server twice")
    nodes: dict[str, Any] = {"vae": ("vae_loader", {}), "sum": ("add", {"a": 1, "b": 2})}
    document = workflows.workflow("VAE", nodes, [], [("vae", "vae_model"), ("sum", "a")])
    async with AsyncInvokeAIClient.from_url(proxy.url) as client:
        wf = await client.workflow_repo.create_workflow(document)
        client.settings.timeout = 1.0
        proxy.rule("POST", ENQUEUE, script(None, delay(3.0)))
        with removed:
            sweep = await wf.sweep(vae_model=["tiny-vae-sd1", "tiny-vae-sdxl"])
            runs = [run async for run in sweep]
            assert len({run.batch_id for run in runs}) == 2
            assert not removed.event.is_set(), "the copy must arrive after the end"
            async with asyncio.timeout(60):
                await removed.event.wait()
                await asyncio.gather(*client.connection.part(LiveRuns)._guarding)
        assert batches(queue) == sorted((run.item_id, run.batch_id) for run in runs)


async def test_original_request_arrives_just_before_the_retry(
    proxy: Proxy, queue: InvokeAIClient, client: AsyncInvokeAIClient
) -> None:
    """The response to the second request contains the items of both."""
    wf = await client.workflow_repo.create_workflow(workflows.add())
    bodies: list[Any] = []
    plain = client.connection.http.json

    async def json(method: str, path: str, **options: Any) -> Any:
        if path.endswith("/enqueue_batch"):
            bodies.append(options["json"])
        elif path.endswith("/status") and "/b/" in path and len(bodies) == 1:
            bodies.append(None)
            answer = await plain(method, path, **options)
            await plain("POST", "/api/v1/queue/default/enqueue_batch", json=bodies[0])
            return answer
        return await plain(method, path, **options)

    client.connection.http.json = json  # type: ignore[method-assign]
    proxy.rule("POST", ENQUEUE, script(gateway(503)))
    run = await wf.start()
    assert batches(queue) == [(run.item_id, run.batch_id)]


class Heard(logging.Handler):
    """Signals when the log contains a text."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self._words = words
        self.event = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if self._words in record.getMessage():
            self.event.set()

    def __enter__(self) -> Self:
        logging.getLogger("invokeai_py_client").addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger("invokeai_py_client").removeHandler(self)


# --------------------------------------------------------------------------- failures


@pytest.mark.parametrize(
    ("fault", "error"), [(RESET, ConnectionLostError), (gateway(503, "0"), ServerError)], ids=["reset", "503"]
)
async def test_request_that_never_arrives_raises(
    proxy: Proxy, queue: InvokeAIClient, fault: Fault, error: type[Exception]
) -> None:
    async with AsyncInvokeAIClient.from_url(proxy.url, max_retries=1) as client:
        wf = await client.workflow_repo.create_workflow(workflows.add())
        proxy.rule("POST", ENQUEUE, always(fault))
        with pytest.raises(error) as caught:
            await wf.start()
    assert not isinstance(caught.value, EnqueueUnknownError)
    assert proxy.counts[fault.name] == 2
    assert batches(queue) == []


async def test_unclear_outcome_raises(proxy: Proxy, queue: InvokeAIClient) -> None:
    async with AsyncInvokeAIClient.from_url(proxy.url, max_retries=1) as client:
        wf = await client.workflow_repo.create_workflow(workflows.add())
        proxy.rule("GET", "/status$", always(gateway(502)))
        proxy.rule("POST", ENQUEUE, script(LOSE))
        with pytest.raises(EnqueueUnknownError, match="unknown whether the server accepted batch") as caught:
            await wf.start()
        proxy.forget_rules()
        batch_id = caught.value.batch_id
        assert (await client.queue_repo.batch_status(batch_id)).total == 1
    assert [batch for _, batch in batches(queue)] == [batch_id]


async def test_interrupted_start_leaves_nothing_in_the_queue(
    proxy: Proxy, client: AsyncInvokeAIClient, queue: InvokeAIClient
) -> None:
    wf = await client.workflow_repo.create_workflow(workflows.add())
    proxy.rule("POST", ENQUEUE, script(HANG))
    task = asyncio.create_task(wf.start())
    await asyncio.to_thread(proxy.wait_for, "hang")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [job.status for job in queue.queue_repo.items()] == [JobStatus.CANCELLED]


@pytest.mark.parametrize("what", ["run", "sweep"])
async def test_interrupted_start_cancels_what_the_server_has_not_received_yet(
    proxy: Proxy, client: AsyncInvokeAIClient, queue: InvokeAIClient, what: str
) -> None:
    """A cancellation that overtakes the request would find nothing to cancel."""
    wf = await client.workflow_repo.create_workflow(workflows.add())
    with proxy.holding("POST", ENQUEUE, WAIT):
        task = asyncio.ensure_future(wf.start() if what == "run" else wf.sweep(a=[1, 2]))
        await asyncio.to_thread(proxy.wait_for, "waiting")
        before = proxy.counts["passed"]
        task.cancel()
        await asyncio.to_thread(proxy.wait_for, "passed", times=before + 2)
        assert not task.done()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert {job.status for job in queue.queue_repo.items()} == {JobStatus.CANCELLED}


async def test_interruption_is_raised_even_if_canceling_fails(proxy: Proxy, queue: InvokeAIClient) -> None:
    async with AsyncInvokeAIClient.from_url(proxy.url, max_retries=0) as client:
        wf = await client.workflow_repo.create_workflow(workflows.add())
        proxy.rule("PUT", "", always(gateway(502)))
        proxy.rule("POST", ENQUEUE, script(HANG))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await wf.start()


async def test_connection_closed_after_a_500(server: RealServer, queue: InvokeAIClient) -> None:
    """6.14.2 closes the connection silently after an unexpected error, for example a batch node in a graph."""
    graph = {"nodes": {"n": {"id": "n", "type": "integer_batch", "integers": [1]}}, "edges": []}
    started: list[tuple[int, str]] = []
    async with AsyncInvokeAIClient.from_url(server.url) as client:
        wf = await client.workflow_repo.create_workflow(workflows.add())
        for _ in range(5):
            with pytest.raises(ServerError):
                await client.connection.http.json(
                    "POST", "/api/v1/queue/default/enqueue_batch", json={"batch": {"graph": graph, "runs": 1}}
                )
            run = await wf.start()
            started.append((run.item_id, run.batch_id))
    assert batches(queue) == started


# --------------------------------------------------------------------------- retries of items

RETRY = "/retry_items_by_id$"


@pytest.mark.usefixtures("impatient")
async def test_lost_response_to_a_retry(
    proxy: Proxy, client: AsyncInvokeAIClient, wf: AsyncWorkflowHandle, queue: InvokeAIClient
) -> None:
    runs = [await wf.start() for _ in range(3)]
    for run in runs:
        await run.cancel()
    proxy.rule("PUT", RETRY, script(LOSE, LOSE))
    again = await runs[0].retry()
    assert [run.item_id for run in runs] + [again.item_id] == queue.queue_repo.item_ids()
    ids = [runs[2].item_id, runs[1].item_id]
    assert await client.queue_repo.retry(ids) == {ids[0]: again.item_id + 1, ids[1]: again.item_id + 2}
    assert queue.queue_repo.item_ids()[-1] == again.item_id + 2


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("fault", [RESET, gateway(503)], ids=str)
async def test_retry_that_never_arrives(
    proxy: Proxy, client: AsyncInvokeAIClient, wf: AsyncWorkflowHandle, queue: InvokeAIClient, fault: Fault
) -> None:
    """It may still be on its way, so it is not sent again."""
    client.settings.max_retries = 2
    run = await wf.start()
    await run.cancel()
    proxy.rule("PUT", RETRY, script(fault))
    with pytest.raises((ConnectionLostError, ServerError)):
        await run.retry()
    assert queue.queue_repo.item_ids() == [run.item_id]
    assert (await run.retry()).item_id == run.item_id + 1


@pytest.mark.usefixtures("impatient")
async def test_slow_retry(proxy: Proxy, wf: AsyncWorkflowHandle, queue: InvokeAIClient) -> None:
    run = await wf.start()
    await run.cancel()
    proxy.rule("PUT", RETRY, script(gateway(504, forward=True)))
    assert (await run.retry()).item_id == queue.queue_repo.item_ids()[-1] == run.item_id + 1
