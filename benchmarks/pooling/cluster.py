"""A Dask cluster on this machine: a scheduler, and for each server of a lab a worker with a nanny."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from dask_cluster import DaskCluster, Process

from invokeai_py_client import AsyncInvokeAIPool
from pooling.lab import NAMES, Lab


class Cluster:
    """The processes of the cluster. A worker has the name of its server's folder.

    Attributes:
        settings: The pool as it is written in the configuration file.
    """

    def __init__(self, lab: Lab, folder: Path) -> None:
        folder.mkdir()
        self._lab = lab
        self._dask = DaskCluster(folder)
        files = (("tls_ca", self._dask.cert), ("tls_cert", self._dask.cert), ("tls_key", self._dask.key))
        values = [("scheduler", self._dask.address), *files]
        self.settings = "".join(f'{key} = "{value}"\n' for key, value in values)

    def join(self, place: int) -> Process:
        """Start the worker of a server."""
        return self._dask.worker(NAMES[place], "--url", self._lab.urls[place])

    def join_with_server(self, place: int) -> Process:
        """Start a worker that starts the server itself."""
        return self._dask.worker(NAMES[place], "--root", self._lab.servers[place].root)

    def send(self, place: int, number: signal.Signals, *, nanny: bool = False) -> None:
        """Send a signal to a worker, and if wanted to its nanny first."""
        process = self._dask.workers[NAMES[place]]
        workers = process.workers
        if nanny:
            process.send(number)
        for pid in workers:
            os.kill(pid, number)

    async def restart(self) -> None:
        """Kill the scheduler, and start it and its workers again, which end with it."""
        self._dask.scheduler.end(signal.SIGKILL)
        self._dask.start_scheduler()
        await asyncio.gather(*(asyncio.to_thread(worker.wait) for worker in self._dask.workers.values()))
        for place in range(len(self._dask.workers)):
            self.join(place)

    def open_pool(self, *, seconds: float = 5.0) -> AsyncInvokeAIPool:
        """Return a pool of the cluster."""
        return AsyncInvokeAIPool.from_dask(self._dask.address, security=self._dask.security, seconds=seconds)

    def close(self) -> None:
        """End all processes."""
        for process in self._dask.workers.values():
            for pid in process.workers:
                os.kill(pid, signal.SIGCONT)
        self._dask.close()


@asynccontextmanager
async def cluster(
    lab: Lab, folder: Path, places: Sequence[int], *, own: Sequence[int] = ()
) -> AsyncGenerator[Cluster]:
    """Run a cluster during a block.

    Args:
        lab: The servers.
        folder: The folder for its files.
        places: The servers with a worker.
        own: The servers that are started by a worker.
    """
    one = await asyncio.to_thread(Cluster, lab, folder / "dask")
    try:
        for place in places:
            one.join(place)
        for place in own:
            one.join_with_server(place)
        yield one
    finally:
        await asyncio.to_thread(one.close)
