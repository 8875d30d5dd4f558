"""Clients and runs leave no files, threads, tasks or memory behind.

``CLIENTS=1000 RUNS=10000 pytest -s -k nothing_grows`` measures this and prints the figures.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import workflows

from invokeai_py_client import AsyncInvokeAIClient, InvokeAIClient
from invokeai_py_client.run.live import LiveRuns
from invokeai_py_client.run.run import AsyncRun
from invokeai_py_client.run.tracker import BatchTracker
from invokeai_py_client.schema.reference import reference_schema

CLIENTS = int(os.environ.get("CLIENTS", "60"))
RUNS = int(os.environ.get("RUNS", "200"))


class Handler(BaseHTTPRequestHandler):
    """A server without an event connection, on which every run has finished at once."""

    protocol_version = "HTTP/1.1"
    last = 0
    batch = ""
    wbufsize = -1  # head and body in one piece

    def do_GET(self) -> None:
        if self.path.startswith("/ws/"):
            self._answer({"detail": "no events here"}, 404)
        elif "/i/" in self.path:
            self._answer(_item(int(self.path.rpartition("/")[2])))
        elif self.path.endswith("/version"):
            self._answer({"version": "6.14.2"})
        elif self.path.endswith("/item_ids"):
            self._answer({"item_ids": [], "total_count": 0})
        else:
            self._answer({"queue": {"pending": 0}})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.endswith("_by_ids"):
            self._answer([_item(item_id) for item_id in body["item_ids"]])
            return
        Handler.last += 1
        Handler.batch = body["batch"]["batch_id"]
        self._answer({"enqueued": 1, "requested": 1, "item_ids": [Handler.last]})

    def _answer(self, data: Any, status: int = 200) -> None:
        body = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        return None


def _item(item_id: int) -> dict[str, Any]:
    result = {"p": {"type": "integer_output", "value": 3}}
    session = {"results": result, "prepared_source_mapping": {"p": "sum"}}
    return {
        "item_id": item_id,
        "batch_id": Handler.batch,
        "status": "completed",
        "status_sequence": 2,
        "session": session,
    }


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        return None  # clients disconnect at any time


@pytest.fixture
def url() -> Iterator[str]:
    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def open_resources() -> dict[str, int]:
    """Count the open resources of this process."""
    gc.collect()
    kinds = Counter(type(one).__name__ for one in gc.get_objects())
    return {
        "files": len(list(Path("/proc/self/fd").iterdir())),
        "threads": sum("invokeai" in thread.name for thread in threading.enumerate()),
        **{
            name: kinds[name]
            for name in ("AsyncInvokeAIClient", "InvokeAIClient", "ClientSession", "LoopThread", "AsyncRun")
        },
    }


def memory() -> int:
    """Return the memory use of this process in kilobytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


linux = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")


@linux
def test_synchronous_clients(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    def use() -> None:
        with InvokeAIClient.from_url(url) as client:
            assert client.version() == "6.14.2"

    for _ in range(10):  # load everything that is loaded once and kept
        use()
    before, kilobytes = open_resources(), memory()
    for _ in range(CLIENTS):
        use()
    _settle(before)
    _say(capsys, f"{CLIENTS} synchronous clients: {open_resources()}, {memory() - kilobytes:+} kB")


@linux
async def test_asynchronous_clients(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    async def use() -> None:
        async with AsyncInvokeAIClient.from_url(url) as client:
            assert await client.version() == "6.14.2"

    for _ in range(10):
        await use()
    before, kilobytes, tasks = open_resources(), memory(), len(asyncio.all_tasks())
    for _ in range(CLIENTS):
        await use()
    _settle(before)
    assert len(asyncio.all_tasks()) == tasks
    _say(capsys, f"{CLIENTS} asynchronous clients: {open_resources()}, {memory() - kilobytes:+} kB")


@linux
async def test_many_runs_of_one_client(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    async with AsyncInvokeAIClient.from_url(url, max_retries=0) as client:
        client.connection._schema = reference_schema()
        wf = await client.workflow_repo.create_workflow(workflows.add())

        async def use() -> None:
            run: AsyncRun = await wf.start()
            run._gaps = -1  # there are no events here, so the status is read at once
            assert (await run.result(20)).of("sum")[0].data["value"] == 3

        for _ in range(20):
            await use()
        before, kilobytes, tasks = open_resources(), memory(), len(asyncio.all_tasks())
        for _ in range(RUNS):
            await use()
        async with asyncio.timeout(20):
            while (
                len(asyncio.all_tasks()) > tasks + 1
            ):  # an attempt to open the event connection is running or was given up
                others = asyncio.all_tasks() - {asyncio.current_task()}
                await asyncio.wait(others, return_when=asyncio.FIRST_COMPLETED)
        _settle(before)
        trackers = sum(isinstance(one, BatchTracker) for one in gc.get_objects())
        assert trackers <= 2
        assert len(client.connection.part(LiveRuns)._trackers) <= 2
        _say(capsys, f"{RUNS} runs: {open_resources()}, {memory() - kilobytes:+} kB")


def _settle(before: dict[str, int]) -> None:
    now = open_resources()
    # The test's server runs in this process as well and closes its connections a moment later. Also, an attempt to
    # open the event connection may be running while earlier attempts are being closed.
    slack = {"files": 12, "ClientSession": 4}
    assert {
        name: now[name] - before[name] for name in now if now[name] > before[name] + slack.get(name, 0)
    } == {}


def _say(capsys: pytest.CaptureFixture[str], sentence: str) -> None:
    if "CLIENTS" in os.environ or "RUNS" in os.environ:
        with capsys.disabled():
            print(f"\n{sentence}")


def test_leaks_can_be_measured() -> None:
    """Check that a leak would be detected."""
    before = open_resources()
    held = [socket.socket() for _ in range(20)]
    with pytest.raises(AssertionError):
        _settle(before)
    for one in held:
        one.close()
    _settle(before)
