"""A pool whose servers, connections or client are lost during a sweep: each run is delivered once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pool_servers import (
    RUNS,
    TwoServers,
    begin,
    check_delivered_once,
    check_recorded_once,
    sent_again,
    settled,
    take,
    wait_until,
)
from proxy import Proxy
from trouble import LOSE, script

from invokeai_py_client import InvokeAIPool, Sweep
from invokeai_py_client.pool import vigil
from invokeai_py_client.sweep.manifest import read_manifest

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
        wait_until(lambda: all(server.state == "ready" for server in pool.servers))
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
        wait_until(lambda: path.exists() and path.read_text().count('{"kind": "run"') >= 5)
    finally:
        client.kill()
        client.wait()
    assert len(read_manifest(path).runs) < RUNS
    with InvokeAIPool(two_servers.urls, seconds=1.0) as pool:
        check_recorded_once(Sweep.resume(path, pool), path)
    assert settled(two_servers, path) == {"completed": RUNS}


def test_a_killed_server_that_is_started_again(two_servers: TwoServers, tmp_path: Path) -> None:
    """The crash cancels the run at work, which is done again. The others wait in its queue until it is back."""
    path = tmp_path / "sweep.jsonl"
    second = two_servers.second
    with InvokeAIPool(two_servers.urls, seconds=1.0) as pool:
        sweep = begin(pool, path)
        take(sweep, 2, second.url)
        os.kill(second.pid, signal.SIGKILL)
        wait_until(lambda: not second.is_running)
        second.start()
        check_delivered_once(sweep, path)
        wait_until(lambda: all(server.state == "ready" for server in pool.servers))
        counts = settled(two_servers, path)
        # It takes part in the next sweep.
        assert {run.server for run in begin(pool, tmp_path / "next.jsonl").wait()} == {*two_servers.urls}
    assert RUNS <= counts["completed"] <= RUNS + sent_again(path), counts
    assert {*counts} <= {"completed", "canceled"}
