"""A pool whose servers, connections or client are lost during a sweep: each run is delivered once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pool_servers import TwoServers, batches, waiting
from proxy import Proxy
from trouble import LOSE, script

from invokeai_py_client import InvokeAIPool, Sweep
from invokeai_py_client.pool import vigil
from invokeai_py_client.sweep.manifest import read_manifest

RUNS = 24
_CLIENT = """
import sys
sys.path.insert(0, sys.argv[1])
from pool_servers import waiting
from invokeai_py_client import InvokeAIPool

with InvokeAIPool(sys.argv[3:], seconds=1.0) as pool:
    pool.create_workflow(waiting(0.2)).sweep(number=range(24), manifest=sys.argv[2]).wait()
"""


@pytest.fixture
def proxy(two_servers: TwoServers) -> Iterator[Proxy]:
    """A proxy in front of the second server."""
    with Proxy(two_servers.second.url) as proxy:
        yield proxy


def begin(pool: InvokeAIPool, path: Path, seconds: float = 0.1) -> Sweep:
    return pool.create_workflow(waiting(seconds)).sweep(number=range(RUNS), manifest=path)


def take(sweep: Sweep, number: int, server: str = "") -> list[int]:
    """Return the indexes of the next runs, when a number of them have ended on a server."""
    taken: list[int] = []
    for run in sweep:
        taken.append(sweep.index(run))
        number -= server in ("", run.server)
        if number <= 0:
            break
    return taken


def check_delivered_once(sweep: Sweep, path: Path) -> None:
    assert len(sweep.wait()) == RUNS
    assert [run.outputs.values("wait") for run in sweep.runs] == [[number] for number in range(RUNS)]
    lines = [line for line in path.read_text().splitlines() if line.startswith('{"kind": "run"')]
    assert len(lines) == RUNS
    assert sorted(read_manifest(path).runs) == [*range(RUNS)]


def settled(servers: TwoServers, path: Path) -> Counter[str]:
    """Return the states of the queue items of a sweep, when none is pending or running any more."""
    deadline = time.monotonic() + 60
    while True:
        counts = servers.counts(batches(path))
        if not {"pending", "in_progress"} & {*counts} or time.monotonic() > deadline:
            return counts


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)  # nothing tells a test about the state of a server


def test_a_server_that_is_back_in_time_keeps_its_runs(
    two_servers: TwoServers, proxy: Proxy, tmp_path: Path
) -> None:
    path = tmp_path / "sweep.jsonl"
    with InvokeAIPool([two_servers.first, proxy.url], seconds=1.0, patience=60.0) as pool:
        sweep = begin(pool, path)
        take(sweep, 2, proxy.url)
        with proxy.away():
            proxy.wait_for("refused", times=3)
        check_delivered_once(sweep, path)
    assert settled(two_servers, path) == {"completed": RUNS}


def test_others_do_the_runs_of_a_server_that_is_away_for_too_long(
    two_servers: TwoServers, proxy: Proxy, tmp_path: Path
) -> None:
    path = tmp_path / "sweep.jsonl"
    with InvokeAIPool([two_servers.first, proxy.url], seconds=2.0, patience=0.5) as pool:
        sweep = begin(pool, path, 0.3)
        take(sweep, 2, proxy.url)
        with proxy.away():
            check_delivered_once(sweep, path)
        counts = settled(two_servers, path)
        until(lambda: all(server.state == "ready" for server in pool.servers))
    # What its queue had is canceled, except the run at work and the one that came after it.
    assert RUNS <= counts["completed"] <= RUNS + 8, counts


def test_the_response_of_an_enqueue_request_is_lost(
    two_servers: TwoServers, proxy: Proxy, tmp_path: Path
) -> None:
    path = tmp_path / "sweep.jsonl"
    proxy.rule("POST", "enqueue_batch$", script(LOSE, LOSE, None, LOSE))
    with InvokeAIPool([two_servers.first, proxy.url], seconds=1.0) as pool:
        check_delivered_once(begin(pool, path), path)
    assert proxy.counts["lose"] >= 2
    assert settled(two_servers, path) == {"completed": RUNS}


def test_a_hung_server(two_servers: TwoServers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vigil, "_PATIENCE", 1.0)
    path = tmp_path / "sweep.jsonl"
    with InvokeAIPool(two_servers.urls, seconds=1.0, patience=1.0) as pool:
        sweep = begin(pool, path)
        take(sweep, 2, two_servers.second.url)
        os.kill(two_servers.second.pid, signal.SIGSTOP)
        try:
            check_delivered_once(sweep, path)
        finally:
            os.kill(two_servers.second.pid, signal.SIGCONT)
        counts = settled(two_servers, path)
    assert RUNS <= counts["completed"] <= RUNS + 8, counts


def test_a_killed_client_is_resumed(two_servers: TwoServers, tmp_path: Path) -> None:
    path = tmp_path / "sweep.jsonl"
    support = Path(__file__).parents[1] / "support"
    command = [sys.executable, "-c", _CLIENT, str(support), str(path), *two_servers.urls]
    client = subprocess.Popen(command)
    try:
        until(lambda: path.exists() and path.read_text().count('{"kind": "run"') >= 5)
    finally:
        client.kill()
        client.wait()
    assert len(read_manifest(path).runs) < RUNS
    with InvokeAIPool(two_servers.urls, seconds=1.0) as pool:
        sweep = Sweep.resume(path, pool)
        assert len(sweep.wait()) == RUNS
    assert sorted(read_manifest(path).runs) == [*range(RUNS)]
    assert settled(two_servers, path) == {"completed": RUNS}
