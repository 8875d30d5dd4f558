"""A server that is killed during its work and restarted at the same address."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import workflows

from invokeai_py_client import AsyncInvokeAIClient, AsyncRun
from invokeai_py_client.models import JobStatus
from invokeai_py_client.server import LocalServer
from invokeai_py_client.server.health import free_port

RUNS = 20


@pytest.fixture(scope="module")
def fragile(
    say: Callable[[str], None], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[LocalServer, Path]]:
    """A separate server for this test, which kills it."""
    root = tmp_path_factory.mktemp("fragile") / "root"
    with LocalServer(root=root, port=free_port(), say=say) as server:
        yield server, root


async def test_20_runs_and_a_sweep(fragile: tuple[LocalServer, Path]) -> None:
    server, _ = fragile
    async with AsyncInvokeAIClient.from_url(server.url) as client:
        wf = await client.workflow_repo.create_workflow(workflows.add())
        runs = [await wf.start(a=number) for number in range(RUNS - 6)]
        sweep = await wf.sweep(b=range(3))
        later = await wf.sweep(b=range(10, 13), background=True)  # mostly not sent yet
        some_ended = asyncio.Event()
        waits = [asyncio.create_task(run.wait()) for run in runs]
        waits[2].add_done_callback(lambda _: some_ended.set())
        sweeps = [asyncio.create_task(one.wait()) for one in (sweep, later)]
        async with asyncio.timeout(240):
            await some_ended.wait()
            os.kill(server.pid, signal.SIGKILL)
            await asyncio.to_thread(_start_again, server)
            await asyncio.gather(*waits)
            for one in await asyncio.gather(*sweeps):
                runs += one
        assert len(runs) == RUNS
        # Statuses match the server's: the running item was canceled, and the others ran after the restart.
        for run in runs:
            assert run.status.state is (await client.queue_repo.item(run.item_id)).status
        states = [run.status.state for run in runs]
        assert set(states) <= {JobStatus.COMPLETED, JobStatus.CANCELLED}
        assert states.count(JobStatus.CANCELLED) <= 1
        assert all(_sum(run) for run in runs if run.status.ok)
        assert len(await client.queue_repo.item_ids()) == RUNS  # each once


def _sum(run: AsyncRun) -> int:
    return run.outputs.of("sum")[0].data["value"]


def _start_again(server: LocalServer) -> None:
    assert server._child is not None
    server._child.wait(60)  # the last of the server's threads has released the port
    server.start()
