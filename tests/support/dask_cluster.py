"""A Dask cluster for tests: a scheduler and workers with agents, as processes on this machine, encrypted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Collection, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from pool_servers import wait_until

from invokeai_py_client import InvokeAIPool
from invokeai_py_client.errors import ServerUnreachableError
from invokeai_py_client.server.health import free_port

_SLOWEST = 120.0


def security(cert: str | Path, key: str | Path) -> Any:
    """Return what a client needs to connect to a scheduler with a certificate that it signed itself."""
    from distributed import Security

    files = {"tls_ca_file": cert, "tls_client_cert": cert, "tls_client_key": key}
    return Security(require_encryption=True, **{name: str(file) for name, file in files.items()})


class Process:
    """A process of the cluster, whose output is in a file."""

    def __init__(self, command: list[str], log: Path, env: Mapping[str, str] | None = None) -> None:
        self.log = log
        with log.open("ab") as output:
            self._child = subprocess.Popen(
                command, stdout=output, stderr=output, env={**os.environ, **(env or {})}
            )

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def is_running(self) -> bool:
        return self._child.poll() is None

    @property
    def workers(self) -> list[int]:
        """The process ids of the workers of a nanny. The other children are helpers of Python."""
        children = subprocess.run(
            ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(self.pid)],
            capture_output=True,
            text=True,
            check=False,
        )
        lines = [line.split(maxsplit=1) for line in children.stdout.splitlines()]
        return [int(pid) for pid, command in lines if "spawn_main" in command]

    def send(self, number: signal.Signals) -> None:
        self._child.send_signal(number)

    def wait(self) -> None:
        self._child.wait(_SLOWEST)

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send a signal, and wait until the process has ended."""
        if self._child.poll() is None:
            self._child.send_signal(number)
        try:
            self.wait()
        except subprocess.TimeoutExpired:
            self._child.kill()
            raise


class DaskCluster:
    """A scheduler with certificates, and its workers."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.cert, self.key = folder / "cert.pem", folder / "key.pem"
        names = ["-subj", "/CN=dask", "-days", "2", "-keyout", str(self.key), "-out", str(self.cert)]
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *names],
            check=True,
            capture_output=True,
        )
        self.port, self.http_port = free_port(), free_port()
        self.address = f"tls://127.0.0.1:{self.port}"
        self.workers: dict[str, Process] = {}
        self.scheduler = self.start_scheduler()

    @property
    def security(self) -> Any:
        return security(self.cert, self.key)

    @property
    def logs(self) -> list[Path]:
        return sorted(self._folder.glob("*.log"))

    def start_scheduler(self) -> Process:
        files = ["--tls-ca-file", self.cert, "--tls-cert", self.cert, "--tls-key", self.key]
        options = ["--protocol", "tls", "--host", "127.0.0.1", "--port", self.port]
        pages = ["--no-dashboard", "--dashboard-address", f"127.0.0.1:{self.http_port}"]
        command = [sys.executable, "-m", "dask", "scheduler", *options, *pages, *files]
        self.scheduler = Process([str(part) for part in command], self._folder / "scheduler.log")
        return self.scheduler

    def worker(self, name: str, *options: str | Path, env: Mapping[str, str] | None = None) -> Process:
        """Return the worker with a name. If it is not running, start it with ``ivk pool join``."""
        worker = self.workers.get(name)
        if worker is None or not worker.is_running:
            files = ["--tls-ca", self.cert, "--tls-cert", self.cert, "--tls-key", self.key]
            ivk = [sys.executable, "-m", "invokeai_py_client.cli.main", "pool", "join", self.address]
            command = [str(part) for part in (*ivk, *files, "--name", name, *options)]
            worker = self.workers[name] = Process(command, self._folder / f"{name}.log", env)
        return worker

    def page(self, path: str) -> str:
        """Return what the scheduler shows about itself and its workers by HTTP, without the dashboard of bokeh."""
        with urlopen(f"http://127.0.0.1:{self.http_port}/{path}", timeout=30) as response:
            return response.read().decode()

    def close(self) -> None:
        for process in (*self.workers.values(), self.scheduler):
            process.end()


@contextmanager
def joined_pool(cluster: DaskCluster, names: Collection[str]) -> Generator[InvokeAIPool]:
    """A pool on a cluster, when its workers with some names take part."""

    def ready() -> set[str]:
        with suppress(ServerUnreachableError):  # no worker has joined yet
            return {server.name for server in pool.start() if server.state == "ready"}
        return set()

    with InvokeAIPool.from_dask(cluster.address, security=cluster.security, seconds=1.0) as pool:
        wait_until(lambda: {*names} <= ready())
        yield pool


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    cluster = DaskCluster(tmp_path_factory.mktemp("dask"))
    yield cluster
    cluster.close()
