"""A server that is killed during its work and restarted at the same address."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import workflows
from packs import CHEAP_COLLECTIONS, HOLD

from invokeai_py_client import AsyncInvokeAIClient, AsyncRun
from invokeai_py_client.doctor import Finding, examine
from invokeai_py_client.errors import RunError, RunTimeoutError
from invokeai_py_client.models import JobStatus, QueueStatus
from invokeai_py_client.run.events import NodeStarted
from invokeai_py_client.server import LocalServer
from invokeai_py_client.server.health import free_port
from invokeai_py_client.server.log_signs import worker_failure
from invokeai_py_client.transport import timing

RUNS = 20


@pytest.fixture(scope="module")
def fragile(
    say: Callable[[str], None], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[LocalServer, Path]]:
    """A separate server for these tests, which break it."""
    root = tmp_path_factory.mktemp("fragile") / "root"
    with LocalServer(root=root, port=free_port(), node_packs=[CHEAP_COLLECTIONS, HOLD], say=say) as server:
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


async def test_session_processor_that_has_ended(
    fragile: tuple[LocalServer, Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A database lock ends it for good, while the server keeps responding. Only a restart helps."""
    server, root = fragile
    monkeypatch.setattr(timing, "PROCESSOR_IDLE", 2.0)
    document = workflows.workflow("Hold", {"hold": ("hold", {"seconds": 0.5})}, [])
    async with AsyncInvokeAIClient.from_url(server.url) as client:
        queue = client.queue_repo
        assert (await _queue_finding(client)).state == "ok"
        assert await queue.unblock() == []
        held = await (await client.workflow_repo.create_workflow(document)).start()
        async for event in held.events():
            if isinstance(event, NodeStarted):
                break
        with closing(sqlite3.connect(root / "databases" / "invokeai.db")) as database:
            database.execute("BEGIN IMMEDIATE")
            async for update in queue.watch(interval=0.5):
                if isinstance(update, QueueStatus) and not update.is_processing:
                    break
            database.rollback()
        status = await queue.status()
        assert (status.is_started, status.is_processing, status.in_progress) == (True, False, 1)
        found = await _queue_finding(client)
        assert found.state == "fail"
        assert found.says.startswith("stopped; 0 pending, 1 in progress, ")
        assert "restart the server" in found.cure
        with pytest.raises(RunError, match="session processor has ended"):
            await queue.unblock()
        assert "has ended" not in caplog.text
        warned = asyncio.Event()
        monkeypatch.setattr(caplog.handler, "emit", _then(caplog.handler.emit, warned.set))
        monkeypatch.setattr(timing, "SILENCE", 0.5)
        waiting = await (await client.workflow_repo.create_workflow(workflows.add())).start(a=5)
        wait = asyncio.create_task(waiting.wait())
        async with asyncio.timeout(60):
            await warned.wait()
        with pytest.raises(RunTimeoutError):
            await held.wait(3)
        assert caplog.text.count("session processor has ended") == 1
        monkeypatch.setattr(timing, "SILENCE", 20.0)
        assert worker_failure(server.log_path) == "OperationalError: database is locked"
        await asyncio.to_thread(server.stop)
        await asyncio.to_thread(server.start)
        assert (await wait).ok
        assert (await held.refresh()).state is JobStatus.CANCELLED
        assert (await _queue_finding(client)).state == "ok"


def _then(
    first: Callable[[logging.LogRecord], None], second: Callable[[], None]
) -> Callable[[logging.LogRecord], None]:
    """Return a function that calls another one, and then, if the record is a warning, a second one."""

    def call(record: logging.LogRecord) -> None:
        first(record)
        if record.levelno >= logging.WARNING:
            second()

    return call


async def _queue_finding(client: AsyncInvokeAIClient) -> Finding:
    return next(iter([one async for one in examine(client) if one.about == "queue"]))
