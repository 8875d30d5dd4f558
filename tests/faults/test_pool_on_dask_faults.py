"""A pool on Dask whose workers, scheduler or client are killed during a sweep: each run is delivered once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from dask_cluster import DaskCluster, Process, joined_pool
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

from invokeai_py_client import InvokeAIPool, Sweep
from invokeai_py_client.pool import dask_link, execution
from invokeai_py_client.sweep.manifest import read_manifest

pytestmark = pytest.mark.cluster

_CLIENT = """
import sys
sys.path.insert(0, sys.argv[1])
from dask_cluster import security
from pool_servers import begin
from invokeai_py_client import InvokeAIPool

manifest, address, cert, key = sys.argv[2:]
with InvokeAIPool.from_dask(address, security=security(cert, key), seconds=1.0) as pool:
    begin(pool, manifest, 0.2).wait()
"""


@pytest.fixture
def workers(cluster: DaskCluster, two_servers: TwoServers) -> dict[str, Process]:
    """A worker for each server, ``first`` and ``second``."""
    return start_workers(cluster, two_servers)


@pytest.fixture
def pool(cluster: DaskCluster, workers: dict[str, Process]) -> Iterator[InvokeAIPool]:
    with joined_pool(cluster, workers) as pool:
        yield pool


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the runs of a lost worker for a minute instead of 10 s. On a busy machine, the next worker starts late."""
    monkeypatch.setattr(execution, "_GRACE", 60.0)


def start_workers(cluster: DaskCluster, servers: TwoServers) -> dict[str, Process]:
    """Start the workers that are not running."""
    urls = {"first": servers.first, "second": servers.second.url}
    return {name: cluster.worker(name, "--url", url) for name, url in urls.items()}


@pytest.mark.usefixtures("patient")
def test_a_killed_worker_finds_its_runs_again(
    pool: InvokeAIPool, workers: dict[str, Process], two_servers: TwoServers, tmp_path: Path
) -> None:
    """Its server continues. The next worker of its nanny receives the same batches, and nothing runs twice."""
    path = tmp_path / "sweep.jsonl"
    sweep = begin(pool, path)
    take(sweep, 2, "second")
    [pid] = workers["second"].workers
    os.kill(pid, signal.SIGKILL)
    check_delivered_once(sweep, path)
    assert settled(two_servers, path) == {"completed": RUNS}


def test_others_do_the_runs_of_a_worker_that_is_killed_for_good(
    pool: InvokeAIPool,
    workers: dict[str, Process],
    cluster: DaskCluster,
    two_servers: TwoServers,
    tmp_path: Path,
) -> None:
    """Its server continues and cannot be told, so at most the two chunks there run twice."""
    path = tmp_path / "sweep.jsonl"
    sweep = begin(pool, path, 0.3)
    take(sweep, 2, "second")
    nanny = workers["second"]
    [pid] = nanny.workers
    nanny.end(signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)
    check_delivered_once(sweep, path)
    start_workers(cluster, two_servers)  # the next one withdraws what others have done
    wait_until(lambda: all(server.state == "ready" for server in pool.servers))
    counts = settled(two_servers, path)
    again = sent_again(path)
    assert again > 0
    assert RUNS <= counts["completed"] <= RUNS + again, counts
    assert {*counts} <= {"completed", "canceled"}


def test_others_do_the_runs_of_a_worker_that_hangs(
    pool: InvokeAIPool,
    workers: dict[str, Process],
    two_servers: TwoServers,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without Dask's help, which notices it after 5 minutes. By default after 15 to 30 s, and here after 2 to 4 s."""
    monkeypatch.setattr(dask_link, "_SILENCE", 2.0)
    monkeypatch.setattr(execution, "_GRACE", 1.0)
    path = tmp_path / "sweep.jsonl"
    sweep = begin(pool, path, 0.2)
    take(sweep, 2, "second")
    [pid] = workers["second"].workers
    os.kill(pid, signal.SIGSTOP)
    try:
        check_delivered_once(sweep, path)
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_until(lambda: all(server.state == "ready" for server in pool.servers))
    counts = settled(two_servers, path)
    assert RUNS <= counts["completed"] <= RUNS + sent_again(path), counts
    assert {*counts} <= {"completed", "canceled"}


@pytest.mark.usefixtures("patient")
def test_a_killed_client_is_resumed(
    cluster: DaskCluster, workers: dict[str, Process], two_servers: TwoServers, tmp_path: Path
) -> None:
    path = tmp_path / "sweep.jsonl"
    with joined_pool(cluster, workers):
        pass
    support = Path(__file__).parents[1] / "support"
    arguments = [support, path, cluster.address, cluster.cert, cluster.key]
    client = subprocess.Popen([sys.executable, "-c", _CLIENT, *map(str, arguments)])
    try:
        wait_until(lambda: path.exists() and path.read_text().count('{"kind": "run"') >= 5)
    finally:
        client.kill()
        client.wait()
    assert len(read_manifest(path).runs) < RUNS
    with joined_pool(cluster, workers) as pool:
        check_recorded_once(Sweep.resume(path, pool), path)
    assert settled(two_servers, path) == {"completed": RUNS}


@pytest.mark.usefixtures("patient")
def test_a_sweep_survives_the_scheduler(
    pool: InvokeAIPool,
    workers: dict[str, Process],
    cluster: DaskCluster,
    two_servers: TwoServers,
    tmp_path: Path,
) -> None:
    """Its workers end with it. The servers continue, and the next workers find the runs there."""
    path = tmp_path / "sweep.jsonl"
    sweep = begin(pool, path, 0.2)
    take(sweep, 2, "second")
    cluster.scheduler.end(signal.SIGKILL)
    for worker in workers.values():
        worker.end()
    cluster.start_scheduler()
    start_workers(cluster, two_servers)
    check_delivered_once(sweep, path)
    assert settled(two_servers, path) == {"completed": RUNS}
