"""Both clients return the same results for the same calls, wherever they are used."""

from __future__ import annotations

import asyncio
import json
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import workflows

from invokeai_py_client import AsyncInvokeAIClient, InvokeAIClient, Run
from invokeai_py_client.errors import RunFailedError
from invokeai_py_client.models.enums import JobStatus
from invokeai_py_client.run.events import NodeProgress, RunEvent


async def test_same_picture_from_both(async_client: AsyncInvokeAIClient, server: Any) -> None:
    def synchronous() -> tuple[bytes, Any]:
        with InvokeAIClient.from_url(server.url) as client:
            wf = client.workflow_repo.create_workflow(workflows.sd1())
            run = wf.run(model="tiny-sd1", seed=77)
            return run.images[0].pil().tobytes(), run.inputs

    wf = await async_client.workflow_repo.create_workflow(workflows.sd1())
    run = await wf.run(model="tiny-sd1", seed=77)
    ours = (await run.images[0].pil()).tobytes()
    assert (ours, run.inputs) == await asyncio.to_thread(synchronous)


async def test_sync_client_inside_a_running_loop(server: Any) -> None:
    with InvokeAIClient.from_url(server.url) as client:
        run = client.workflow_repo.create_workflow(workflows.add()).run(a=2, b=3)
        assert run.outputs.of("sum")[0].data["value"] == 5


async def test_many_at_once(async_client: AsyncInvokeAIClient) -> None:
    wf = await async_client.workflow_repo.create_workflow(workflows.add())
    runs = await asyncio.gather(*(wf.run(a=value, b=1000) for value in range(6)))
    assert [run.outputs.of("sum")[0].data["value"] for run in runs] == [1000 + value for value in range(6)]


async def test_events_asynchronously(async_client: AsyncInvokeAIClient) -> None:
    wf = await async_client.workflow_repo.create_workflow(workflows.add())
    run = await wf.start(a=11, b=22)
    kinds = [event.event_type async for event in run.events()]
    assert kinds[-1] == "queue_item_status_changed"
    assert run.status.state is JobStatus.COMPLETED


def test_one_client_in_many_threads(client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(workflows.add())

    def add_500(value: int) -> Run:
        return wf.run(a=value, b=500)

    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(add_500, range(8)))
    assert [run.outputs.of("sum")[0].data["value"] for run in runs] == [500 + value for value in range(8)]


def test_callbacks_run_in_the_callers_thread_and_may_use_the_client(client: InvokeAIClient) -> None:
    threads: set[int] = set()
    versions: set[str] = set()

    def on_event(event: RunEvent) -> None:
        threads.add(threading.get_ident())
        versions.add(client.version())

    client.workflow_repo.create_workflow(workflows.add()).run(a=3, b=4, progress=on_event)
    assert threads == {threading.get_ident()}
    assert len(versions) == 1


def test_exception_of_callback_is_raised(client: InvokeAIClient) -> None:
    def on_event(event: RunEvent) -> None:
        raise LookupError("enough")

    wf = client.workflow_repo.create_workflow(workflows.add())
    with pytest.raises(LookupError, match="enough"):
        wf.run(a=5, b=6, progress=on_event)
    assert wf.run(a=5, b=7).status.ok  # and the client still works


async def test_canceling_task_cancels_run(async_client: AsyncInvokeAIClient) -> None:
    wf = await async_client.workflow_repo.create_workflow(workflows.sd1(steps=1000, size=256))
    started = asyncio.Event()
    seen: list[RunEvent] = []

    def on_event(event: RunEvent) -> None:
        seen.append(event)
        if event.get("fraction"):
            started.set()

    task = asyncio.create_task(wf.run(model="tiny-sd1", seed=2001, progress=on_event))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    run = await async_client.run(seen[0].item_id)
    assert (await run.wait(20)).state is JobStatus.CANCELLED


async def test_canceled_wait_does_not_cancel_started_run(async_client: AsyncInvokeAIClient) -> None:
    wf = await async_client.workflow_repo.create_workflow(workflows.sd1(steps=1000, size=256))
    run = await wf.start(model="tiny-sd1", seed=2002)
    task = asyncio.create_task(run.wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not (await run.refresh()).done
    await run.cancel()


def test_runs_inputs_and_errors_can_be_pickled(client: InvokeAIClient) -> None:
    run = client.workflow_repo.create_workflow(workflows.add()).run(a=8, b=9)
    copy: Run = pickle.loads(pickle.dumps(run))
    assert copy == run
    assert copy.outputs.of("sum")[0].data["value"] == 17
    assert copy.refresh().ok  # over a new connection
    error = RunFailedError("failed", item_id=run.item_id, node_id="sum")
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.item_id, again.node_id) == ("failed", run.item_id, "sum")


def test_unpickled_run_can_be_followed(client: InvokeAIClient, long_run: Callable[[], Run]) -> None:
    copy: Run = pickle.loads(pickle.dumps(long_run()))
    later = [next(event for event in copy.events() if isinstance(event, NodeProgress) and event.fraction)]
    assert later[0].node_id == "denoise"  # only events contain that
    copy.cancel()
    assert copy.wait(20).state is JobStatus.CANCELLED


def test_handle_can_be_pickled(client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(workflows.add())
    wf.set(a=21)
    copy = pickle.loads(pickle.dumps(wf))
    assert copy.run(b=21).outputs.of("sum")[0].data["value"] == 42


def test_client_closes_and_opens_again(server: Any) -> None:
    before = threading.active_count()
    client = InvokeAIClient.from_url(server.url)
    assert client.health_check()
    client.close()
    client.close()
    assert threading.active_count() == before
    assert client.version()
    client.close()
    assert threading.active_count() == before


def test_clients_for_a_host(server: Any) -> None:
    host = server.url.removeprefix("http://")
    name, _, port = host.partition(":")
    for client in (
        InvokeAIClient(host),
        InvokeAIClient(name, int(port)),
        InvokeAIClient(host, int(port)),
        InvokeAIClient.from_url(host),
    ):
        with client:
            assert client.url == server.url
            assert client.version() == server.version


AT_EXIT = """
import json, os, sys

from invokeai_py_client import InvokeAIClient

client = InvokeAIClient.from_url(sys.argv[1])
wf = client.workflow_repo.create_workflow(json.loads(sys.argv[2]))
run = wf.start()
events, updates = run.events(), client.queue_repo.watch()
next(events), next(updates)
sweep = wf.sweep(a=[1, 2])
runs = iter(sweep)


class AtExit:
    def __init__(self, *calls):
        self.calls = calls

    def __del__(self, write=os.write):
        for call in self.calls:
            try:
                call()
            except StopIteration:
                write(1, b"ended ")
            except Exception as error:
                write(1, type(error).__name__.encode() + b" ")
            else:
                write(1, b"returned ")


at_exit = AtExit(
    lambda: next(events),
    lambda: next(updates),
    lambda: next(runs),
    run.wait,
    lambda: sweep.wait(progress=False),
    sweep.cancel,
    client.close,
)
"""


def test_runs_sweeps_and_streams_while_python_exits(server: Any) -> None:
    """Python has stopped the thread that they run in, so they raise instead of waiting for it."""
    done = subprocess.run(
        [sys.executable, "-c", AT_EXIT, server.url, json.dumps(workflows.add())],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    outcomes = done.stdout.split()
    assert outcomes[-1] == "returned"  # close()
    assert set(outcomes[:3]) <= {"ended", "UsageError"}  # Python may have closed the streams before
    assert outcomes[3:6] == ["UsageError"] * 3
    assert len(outcomes) == 7
