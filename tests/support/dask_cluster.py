"""A Dask cluster for tests: a scheduler and workers with agents, as processes on this machine, encrypted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from invokeai_py_client.server.health import free_port

_SLOWEST = 120.0


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
        self.port = free_port()
        self.address = f"tls://127.0.0.1:{self.port}"
        self.workers: dict[str, Process] = {}
        self.scheduler = self.start_scheduler()

    @property
    def security(self) -> Any:
        from distributed import Security

        files = {"tls_ca_file": self.cert, "tls_client_cert": self.cert, "tls_client_key": self.key}
        return Security(require_encryption=True, **{name: str(file) for name, file in files.items()})

    @property
    def logs(self) -> list[Path]:
        return sorted(self._folder.glob("*.log"))

    def start_scheduler(self) -> Process:
        files = ["--tls-ca-file", self.cert, "--tls-cert", self.cert, "--tls-key", self.key]
        options = ["--protocol", "tls", "--host", "127.0.0.1", "--port", self.port, "--no-dashboard"]
        command = [sys.executable, "-m", "dask", "scheduler", *options, *files]
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

    def close(self) -> None:
        for process in (*self.workers.values(), self.scheduler):
            process.end()


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for a condition that no event announces."""
    deadline = time.monotonic() + _SLOWEST
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.05)
