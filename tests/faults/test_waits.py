"""Waits return the right status although events are lost, connections break, or other clients change the queue."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
import workflows
from proxy import Proxy
from tests.conftest import RealServer
from trouble import (
    HANG,
    LOSE,
    RESET,
    Fault,
    Frames,
    always,
    doubled,
    gateway,
    randomly,
    script,
    swapped,
    withhold,
)

from invokeai_py_client import AsyncInvokeAIClient, AsyncRun, AsyncWorkflowHandle, InvokeAIClient
from invokeai_py_client.errors import RunCanceledError, RunTimeoutError, ServerUnreachableError
from invokeai_py_client.models import JobStatus
from invokeai_py_client.run.events import StatusChanged
from invokeai_py_client.transport import timing
from invokeai_py_client.transport.socket import queue_room

# The number of waits in the test with broken connections. Each run takes the server half a second.
WAITS = int(os.environ.get("WAITS", "16"))
STATUS = StatusChanged.event_type


@pytest.fixture
def proxy(server: RealServer) -> Iterator[Proxy]:
    with Proxy(server.url) as proxy:
        yield proxy


@pytest.fixture
def other(server: RealServer) -> Iterator[InvokeAIClient]:
    """Return another client, without the proxy."""
    with InvokeAIClient.from_url(server.url) as client:
        yield client


@pytest.fixture
def held(other: InvokeAIClient) -> Iterator[InvokeAIClient]:
    """Return another client, after pausing the queue."""
    other.queue_repo.pause()
    yield other
    other.queue_repo.clear()
    other.queue_repo.resume()


@pytest_asyncio.fixture
async def client(proxy: Proxy) -> AsyncIterator[AsyncInvokeAIClient]:
    async with AsyncInvokeAIClient.from_url(proxy.url) as client:
        yield client


@pytest_asyncio.fixture
async def wf(client: AsyncInvokeAIClient) -> AsyncWorkflowHandle:
    return await client.workflow_repo.create_workflow(workflows.add())


@pytest.fixture
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make waits read the item after one second of silence."""
    monkeypatch.setattr(timing, "SILENCE", 1.0)


async def waiting(run: AsyncRun) -> asyncio.Task[Any]:
    """Return a task that is waiting for a run."""
    task = asyncio.create_task(run.wait())
    for _ in range(5):
        await asyncio.sleep(0)
    return task


# --------------------------------------------------------------------------- connections break


@dataclass
class Ear:
    """Receives all events of a hub."""

    hear: Callable[[str, Any], None]

    def on_event(self, name: str, payload: Any) -> None:
        self.hear(name, payload)


async def test_waits_while_the_event_connection_breaks(
    server: RealServer,
    proxy: Proxy,
    client: AsyncInvokeAIClient,
    wf: AsyncWorkflowHandle,
    held: InvokeAIClient,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """``WAITS=200 pytest -k while_the_event`` measures. The result includes half a second of server time per item."""
    ended: dict[int, float] = {}
    returned: dict[int, float] = {}
    back: list[float] = []

    def heard(name: str, payload: Any) -> None:
        if name == STATUS and payload["status"] in ("completed", "failed", "canceled"):
            ended.setdefault(payload["item_id"], time.monotonic())

    def connected(name: str, _: Any) -> None:
        if name == "connect":
            back.append(time.monotonic())

    async def wait(run: AsyncRun) -> int:
        await run.result()
        returned[run.item_id] = time.monotonic()
        return run.outputs.of("sum")[0].data["value"]

    room = queue_room("default")
    async with contextlib.AsyncExitStack() as stack:
        watcher = await stack.enter_async_context(AsyncInvokeAIClient.from_url(server.url))
        ears = Ear(heard), Ear(connected)  # the hub does not hold them
        for hub, ear in zip((watcher.connection.hub, client.connection.hub), ears, strict=True):
            hub.add(ear.on_event)
            await hub.join(room)
        await stack.enter_async_context(asyncio.timeout(WAITS * 3 + 30))
        with proxy.killing(5, 0.05, 0.3):
            runs = [await wf.start(a=number) for number in range(WAITS)]
            waits = [asyncio.create_task(wait(run)) for run in runs]
            held.queue_repo.resume()
            assert await asyncio.gather(*waits) == [number + 2 for number in range(WAITS)]
            while proxy.counts["kills"] < WAITS // 8:  # the server is fast
                assert await wait(await wf.start(a=1)) == 3
    drops = [(kill, min((one for one in back if one > kill), default=kill)) for kill in proxy.killed]
    late = [
        (when - ended.get(item_id, when), ended.get(item_id, when), when)
        for item_id, when in returned.items()
    ]
    beyond = sorted(
        seconds - sum(max(0.0, min(to, when) - max(since, end)) for since, to in drops)
        for seconds, end, when in late
    )
    late.sort()
    if "WAITS" in os.environ:
        middle = WAITS // 2
        with capsys.disabled():
            print(
                f"\n{WAITS} waits, {len(drops)} drops: late by {late[middle][0]:.3f} s (median), "
                f"{late[-1][0]:.3f} s (worst); {beyond[middle]:.3f} s and {beyond[-1]:.3f} s without the drops"
            )
    assert late[-1][0] < 10  # generous: this is no measurement


async def test_waits_while_every_connection_breaks(proxy: Proxy, wf: AsyncWorkflowHandle) -> None:
    runs = [await wf.start(a=number) for number in range(4)]
    waits = [await waiting(run) for run in runs]
    with proxy.away():
        await asyncio.to_thread(proxy.wait_for, "refused")
    proxy.rule("GET", "", randomly(3, {LOSE: 0.3, RESET: 0.1}))
    async with asyncio.timeout(60):
        assert [status.ok for status in await asyncio.gather(*waits)] == [True] * 4
    assert [run.outputs.of("sum")[0].data["value"] for run in runs] == [2, 3, 4, 5]


async def test_wait_tolerates_a_proxy_without_a_server(
    proxy: Proxy, client: AsyncInvokeAIClient, wf: AsyncWorkflowHandle, held: InvokeAIClient
) -> None:
    """A 502 is not a response from InvokeAI, so it says nothing about the run."""
    client.settings.max_retries = 0
    run = await wf.start()
    task = await waiting(run)
    proxy.rule("GET", "/i/", always(gateway(502)))
    with proxy.away(sockets_only=True):
        await asyncio.to_thread(proxy.wait_for, "gateway 502")
        held.queue_repo.cancel(run.item_id)
    proxy.forget_rules()
    async with asyncio.timeout(30):
        assert (await task).state is JobStatus.CANCELLED


async def test_sweep_tolerates_a_proxy_without_a_server(
    proxy: Proxy, client: AsyncInvokeAIClient, wf: AsyncWorkflowHandle, held: InvokeAIClient
) -> None:
    client.settings.max_retries = 0
    sweep = await wf.sweep(a=range(3))
    task = asyncio.create_task(sweep.wait())
    proxy.rule("POST", "/item_summaries_by_ids", always(gateway(503)))
    with proxy.away(sockets_only=True):
        await asyncio.to_thread(proxy.wait_for, "gateway 503")
        held.queue_repo.cancel_batches(sweep.runs[0].batch_id)
    proxy.forget_rules()
    async with asyncio.timeout(30):
        runs = await task
    assert [run.status.state for run in runs] == [JobStatus.CANCELLED] * 3


async def test_results_are_read_after_the_outage(
    proxy: Proxy, client: AsyncInvokeAIClient, wf: AsyncWorkflowHandle
) -> None:
    """The run has ended; the connection broke before its results were read."""
    client.settings.max_retries = 0
    proxy.rule("GET", "/i/", always(RESET))
    run = await wf.start()
    task = await waiting(run)
    await asyncio.to_thread(proxy.wait_for, "reset")
    proxy.forget_rules()
    async with asyncio.timeout(30):
        await task
    assert run.outputs.of("sum")[0].data["value"] == 3


async def test_long_outage_of_the_event_connection(proxy: Proxy, wf: AsyncWorkflowHandle) -> None:
    run = await wf.start()
    with proxy.away(sockets_only=True):
        async with asyncio.timeout(30):
            assert (await run.wait()).ok
        assert run.outputs.of("sum")[0].data["value"] == 3


async def test_outdated_response_arrives_after_the_end(
    proxy: Proxy, wf: AsyncWorkflowHandle, held: InvokeAIClient
) -> None:
    """The response contains the whole item, but no results."""
    run = await wf.start()
    task = await waiting(run)
    with proxy.holding("GET", f"/i/{run.item_id}$"):
        proxy.kill(sockets_only=True)
        await asyncio.to_thread(proxy.wait_for, "held")
        held.queue_repo.resume()
        async with asyncio.timeout(30):
            while not run.status.done:
                await run._tracker.change(1.0)
    async with asyncio.timeout(30):
        assert (await task).ok
    assert run.outputs.of("sum")[0].data["value"] == 3


# --------------------------------------------------------------------------- the handshake gets no response


@pytest.fixture
def endless(client: AsyncInvokeAIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a handshake without a response last until the test ends."""
    client.settings.connect_timeout = 3600.0
    monkeypatch.setattr(timing, "HANDSHAKE", 0.2)


@pytest.mark.usefixtures("endless")
async def test_run_does_not_wait_for_the_handshake(
    proxy: Proxy, client: AsyncInvokeAIClient, wf: AsyncWorkflowHandle, caplog: pytest.LogCaptureFixture
) -> None:
    with proxy.holding_sockets():
        async with asyncio.timeout(30):
            run = await wf.start()
            assert (await run.wait()).ok
            sweep = await wf.sweep(a=range(2))
            assert [run.status.ok for run in await sweep.wait()] == [True] * 2
        assert proxy.counts["held sockets"] == 1
        assert not client.connection.hub.connected
        await client.close()
    assert "There is no event connection to" in caplog.text
    assert "Polling the status every second" in caplog.text


@pytest.mark.usefixtures("endless", "looks_often")
async def test_events_are_used_as_soon_as_the_handshake_succeeds(
    proxy: Proxy, client: AsyncInvokeAIClient, wf: AsyncWorkflowHandle, held: InvokeAIClient
) -> None:
    """The rooms that were added in the meantime are joined, too."""
    ear = Ear(lambda name, _: connected.set() if name == "connect" else None)
    connected = asyncio.Event()
    client.connection.hub.add(ear.on_event)
    with proxy.holding_sockets():
        run = await wf.start()
        task = await waiting(run)
        await client.connection.hub.join(queue_room("other"))
    async with asyncio.timeout(30):
        await connected.wait()
        held.queue_repo.resume()
        kinds = [event.event_type async for event in run.events()]
        assert (await task).ok
    assert "invocation_started" in kinds
    assert proxy.counts["sockets"] == 1


@pytest.mark.usefixtures("endless")
@pytest.mark.parametrize("fault", [LOSE, RESET])
async def test_run_is_enqueued_once_without_an_event_connection(
    proxy: Proxy, client: AsyncInvokeAIClient, wf: AsyncWorkflowHandle, held: InvokeAIClient, fault: Fault
) -> None:
    before = held.queue_repo.item_ids()
    proxy.rule("POST", "enqueue_batch$", script(fault))
    with proxy.holding_sockets():
        run = await wf.start()
        task = await waiting(run)
    held.queue_repo.resume()
    async with asyncio.timeout(30):
        assert (await task).ok
    assert [item for item in held.queue_repo.item_ids() if item not in before] == [run.item_id]


# --------------------------------------------------------------------------- events


@pytest.mark.usefixtures("looks_often")
@pytest.mark.parametrize(
    "frames",
    [
        lambda: withhold(STATUS),
        lambda: withhold(STATUS, "invocation_started", "invocation_complete"),
        lambda: doubled,
        swapped,
    ],
    ids=["no statuses", "none", "doubled", "swapped"],
)
async def test_lost_repeated_and_late_events(
    proxy: Proxy, wf: AsyncWorkflowHandle, frames: Callable[[], Frames]
) -> None:
    proxy.frames = frames()
    run = await wf.start()
    async with asyncio.timeout(30):
        kinds = [(type(event), event.get("status")) async for event in run.events()]
    assert run.status.ok
    assert run.outputs.of("sum")[0].data["value"] == 3
    assert len(kinds) == len(set(kinds))  # each once


# --------------------------------------------------------------------------- other clients


@pytest.mark.usefixtures("looks_often")
@pytest.mark.parametrize(
    ("act", "gone"),
    [
        ("cancel", False),
        ("cancel_batches", False),
        ("cancel_all_except_current", False),
        ("delete", None),  # it is canceled first, which sends an event
        ("clear", True),
    ],
)
async def test_other_client_changes_the_queue(
    wf: AsyncWorkflowHandle, held: InvokeAIClient, act: str, gone: bool | None
) -> None:
    run = await wf.start()
    task = await waiting(run)
    about = {"cancel": [run.item_id], "delete": [run.item_id], "cancel_batches": [run.batch_id]}.get(act, [])
    await asyncio.to_thread(getattr(held.queue_repo, act), *about)
    async with asyncio.timeout(20):
        status = await task
    assert status.state is JobStatus.CANCELLED
    assert gone in (None, status.gone)
    with pytest.raises(RunCanceledError, match="was removed" if status.gone else "was canceled"):
        run.raise_if_failed()


@pytest.mark.usefixtures("looks_often")
async def test_other_client_cancels_and_retries(
    client: AsyncInvokeAIClient, wf: AsyncWorkflowHandle, held: InvokeAIClient
) -> None:
    """The canceled run stays canceled, and the new item is a separate run."""
    run = await wf.start()
    task = await waiting(run)
    held.queue_repo.cancel(run.item_id)
    new = held.queue_repo.retry(run.item_id)[run.item_id]
    async with asyncio.timeout(20):
        assert (await task).state is JobStatus.CANCELLED
    assert (await client.run(new)).status.state is JobStatus.PENDING


async def test_other_client_prunes_before_the_results_are_read(
    proxy: Proxy, client: AsyncInvokeAIClient, wf: AsyncWorkflowHandle, other: InvokeAIClient
) -> None:
    """The results are taken from the events."""
    client.settings.max_retries = 0
    proxy.rule("GET", "/i/", always(RESET))
    run = await wf.start()
    task = await waiting(run)
    await asyncio.to_thread(proxy.wait_for, "reset")
    other.queue_repo.prune()
    proxy.forget_rules()
    async with asyncio.timeout(20):
        assert (await task).ok
    assert run.outputs.of("sum")[0].data["value"] == 3


@pytest.mark.usefixtures("looks_often")
async def test_run_pruned_during_an_outage_counts_as_canceled(
    proxy: Proxy, wf: AsyncWorkflowHandle, other: InvokeAIClient
) -> None:
    proxy.frames = withhold(STATUS)
    proxy.rule("GET", "/i/", always(RESET))
    run = await wf.start()
    task = await waiting(run)
    seen = other.run(run.item_id).wait(30)
    assert seen.ok
    other.queue_repo.prune()
    proxy.forget_rules()
    async with asyncio.timeout(20):
        assert (await task).gone
    with pytest.raises(RunCanceledError, match="was removed from the queue"):
        run.raise_if_failed()


async def test_a_chain_of_saved_workflows_while_the_event_connection_breaks(
    proxy: Proxy, client: AsyncInvokeAIClient
) -> None:
    """Its item changes from waiting back to pending, which must not be taken for its end."""
    inner = workflows.workflow(
        "Inner",
        {"sum": ("add", {"a": 20, "b": 22}), "return": ("workflow_return", {})},
        [],
    )
    document = {"workflow": inner}
    saved = await client.connection.http.json("POST", "/api/v1/workflows/", json=document)
    try:
        outer = workflows.workflow(
            "Outer", {"call": ("call_saved_workflow", {"workflow_id": saved["workflow_id"]})}, []
        )
        wf = await client.workflow_repo.create_workflow(outer)
        proxy.frames = doubled
        with proxy.killing(11, 0.2, 0.6):
            run = await wf.start()
            async with asyncio.timeout(60):
                assert (await run.wait()).ok
    finally:
        await client.connection.http.json("DELETE", f"/api/v1/workflows/i/{saved['workflow_id']}")
    [call] = run.outputs.called
    assert call.results.values("sum") == [42]


# --------------------------------------------------------------------------- timeouts and interruptions


@pytest.mark.parametrize("trouble", ["none", "away", "silent"])
async def test_wait_times_out(
    proxy: Proxy, wf: AsyncWorkflowHandle, held: InvokeAIClient, trouble: str
) -> None:
    run = await wf.start()
    with contextlib.ExitStack() as stack:
        if trouble == "away":
            stack.enter_context(proxy.away())
        elif trouble == "silent":
            proxy.rule("GET", "", always(HANG))
            proxy.kill(sockets_only=True)
        began = time.monotonic()
        with pytest.raises(RunTimeoutError) as caught:
            await run.wait(0.5)
        took = time.monotonic() - began
    assert 0.5 <= took < 2.5  # generous: this is no measurement
    assert caught.value.item_id == run.item_id
    assert held.queue_repo.item(run.item_id).status is JobStatus.PENDING


@pytest.mark.parametrize("what", ["run", "queue"])
async def test_wait_reads_the_state_after_the_computer_slept(
    client: AsyncInvokeAIClient, wf: AsyncWorkflowHandle, held: InvokeAIClient, what: str
) -> None:
    """The timeout has passed meanwhile, and no event was received."""
    run = await wf.start()
    deadline = time.monotonic() + 0.5
    task = asyncio.ensure_future(
        run.wait(0.5) if what == "run" else client.queue.wait_until_idle(timeout=0.5)
    )
    for _ in range(5):
        await asyncio.sleep(0)
    # This blocks the event loop, so the task cannot do anything.
    held.queue_repo.resume()
    assert held.run(run.item_id).wait(30).ok
    held.queue_repo.wait_until_idle(timeout=30)
    time.sleep(max(0.0, deadline + 2 * timing.POLL - time.monotonic()))  # noqa: ASYNC251
    async with asyncio.timeout(30):
        await task
    if what == "run":
        assert run.outputs.of("sum")[0].data["value"] == 3


async def test_canceling_a_wait_does_not_cancel_the_run(
    wf: AsyncWorkflowHandle, held: InvokeAIClient
) -> None:
    run = await wf.start()
    task = await waiting(run)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert held.queue_repo.item(run.item_id).status is JobStatus.PENDING


async def test_wait_raises_after_a_long_outage(
    proxy: Proxy, client: AsyncInvokeAIClient, wf: AsyncWorkflowHandle, held: InvokeAIClient
) -> None:
    client.settings.outage_timeout = 1.0
    run = await wf.start()
    with proxy.away(), pytest.raises(ServerUnreachableError):
        async with asyncio.timeout(30):
            await run.wait()
