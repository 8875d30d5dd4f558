"""The progress of the runs of a pool of two real servers: statuses, previews, events, and what the command shows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import workflows
from command import Command
from pool_servers import TwoServers, waiting

from invokeai_py_client import AsyncInvokeAIPool, AsyncRun, AsyncSweep, RunStatus
from invokeai_py_client.models import JobStatus
from invokeai_py_client.run.events import NodeCompleted, RunEvent, StatusChanged
from invokeai_py_client.transport import timing
from invokeai_py_client.transport.socket import queue_room


@pytest_asyncio.fixture
async def pool(two_servers: TwoServers, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AsyncInvokeAIPool]:
    """A pool that asks its servers twenty times per second."""
    monkeypatch.setattr(timing, "POLL", 0.05)
    async with AsyncInvokeAIPool(two_servers.urls) as pool:
        yield pool


async def with_preview(sweep: AsyncSweep, *servers: str) -> dict[str, RunStatus]:
    """Return a status with a preview from each server, as soon as there is one."""
    found: dict[str, RunStatus] = {}
    while found.keys() != {*servers}:
        assert sweep.done < len(sweep), "no preview was reported"
        for run in sweep.runs:
            status = run.status
            if run.server is not None and status.preview is not None:
                found[run.server] = status
        await asyncio.sleep(0.01)  # statuses have no event
    return found


async def test_runs_on_both_servers_show_their_progress_and_their_preview(
    pool: AsyncInvokeAIPool, two_servers: TwoServers, nothing_left: None
) -> None:
    wf = await pool.create_workflow(workflows.sd1(steps=1000))
    sweep = await wf.sweep(seed=range(2), values={"model": "tiny-sd1"})
    for status in (await with_preview(sweep, *two_servers.urls)).values():
        assert status.state is JobStatus.RUNNING
        assert (status.node_id, status.node_type) == ("denoise", "denoise_latents")
        assert status.fraction is not None and 0 <= status.fraction <= 1
        assert status.preview is not None and status.preview.width == 64
        assert status.preview.data.startswith(b"\xff\xd8")  # a JPEG
    await sweep.cancel()
    assert {run.status.preview for run in sweep.runs if run.done} == {None}


async def test_a_run_of_a_pool_has_events_like_any_run(
    pool: AsyncInvokeAIPool, two_servers: TwoServers
) -> None:
    queues = [(await pool.client(url)).queue_repo for url in two_servers.urls]
    wf = await pool.create_workflow(waiting(0.1))
    for queue in queues:
        await queue.pause()
    try:
        sweep = await wf.sweep(number=range(4))
        async with asyncio.timeout(60):
            while {run.server for run in sweep.runs} != {*two_servers.urls}:  # noqa: ASYNC110
                await asyncio.sleep(0.01)  # they are sent in the background
        runs = [next(run for run in sweep.runs if run.server == url) for url in two_servers.urls]
        following = [asyncio.create_task(events_of(run)) for run in runs]
        for run in runs:
            await run.connection.hub.join(queue_room("default"))
    finally:
        for queue in queues:
            await queue.resume()
    for events in await asyncio.gather(*following):
        assert [event.node_id for event in events if isinstance(event, NodeCompleted)] == ["wait"]
        states = [event.status for event in events if isinstance(event, StatusChanged)]
        assert states == [JobStatus.RUNNING, JobStatus.COMPLETED]
    assert all(run.status.ok for run in await sweep.wait())


async def events_of(run: AsyncRun) -> list[RunEvent]:
    return [event async for event in run.events()]


def test_the_command_names_the_server_of_each_run(
    two_servers: TwoServers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "wait.json"
    file.write_text(json.dumps(waiting(0.1)))
    monkeypatch.chdir(tmp_path)
    ivk = Command(monkeypatch)
    pool = ",".join(two_servers.urls)
    done = ivk("sweep", "wait.json", "-s", "number=1-8", "-o", "out", "--pool", pool, "--json")
    assert done.code == 0, done.err
    runs = [line for line in done.objects if line["event"] == "run"]
    assert sorted(run["inputs"]["number"] for run in runs) == [*range(1, 9)]
    assert {run["server"] for run in runs} == {*two_servers.urls}
