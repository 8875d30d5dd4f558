"""The rows of the failure matrix on a Dask cluster, whose workers have the two servers."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from invokeai_py_client import LocalServer
from pooling.cluster import Cluster, cluster
from pooling.row import Body, Row
from pooling.trial import Trial, begin, sweep, sweep_in_other_process, until

Disturbance = Callable[[Trial, Cluster], Awaitable[None]]


def during(disturb: Disturbance, *places: int) -> Body:
    """Return a trial that is disturbed by a function. At first, only some servers have a worker, by default both."""

    async def body(trial: Trial) -> None:
        async with cluster(trial.lab, trial.folder, places or (0, 1)) as dask, dask.open_pool() as pool:
            await sweep(trial, pool, lambda trial: disturb(trial, dask), servers=len(places) or 2)

    return body


def killing_the_client(*lives: float) -> Body:
    """Return a trial in another process that is killed after each of some times in seconds, and resumed."""

    async def body(trial: Trial) -> None:
        async with cluster(trial.lab, trial.folder, (0, 1)) as dask:
            async with dask.open_pool() as pool:
                await begin(pool, 2)
            await sweep_in_other_process(trial, dask.settings, lives)

    return body


async def nothing(trial: Trial, dask: Cluster) -> None:
    """Break nothing."""


async def kill_workers(trial: Trial, dask: Cluster, *, counts: Sequence[int]) -> None:
    """Kill the workers in turns, each time after some runs. Their nannies start them again."""
    for turn, count in enumerate(counts):
        await trial.after(count)
        async with trial.breaking() as noticed:
            dask.send(turn % 2, signal.SIGKILL)
            await noticed
            await until(lambda: trial.is_whole)


async def kill_for_good(trial: Trial, dask: Cluster) -> None:
    """Kill a worker and its nanny."""
    await trial.after(4)
    async with trial.breaking():
        dask.send(0, signal.SIGKILL, nanny=True)
        await trial.after(trial.runs)


async def terminate(trial: Trial, dask: Cluster) -> None:
    """End a worker and its nanny in order."""
    await trial.after(4)
    async with trial.breaking():
        dask.send(0, signal.SIGTERM, nanny=True)
        await trial.after(trial.runs)


async def freeze(trial: Trial, dask: Cluster) -> None:
    """Let a worker hang until all runs have ended."""
    await trial.after(4)
    async with trial.breaking():
        dask.send(0, signal.SIGSTOP)
        await trial.after(trial.runs)
        dask.send(0, signal.SIGCONT)
        await until(lambda: trial.is_whole)


async def freeze_until_noticed(trial: Trial, dask: Cluster) -> None:
    """Let a worker hang until the pool counts on it no longer."""
    await trial.after(4)
    async with trial.breaking() as noticed:
        dask.send(0, signal.SIGSTOP)
        await noticed
        dask.send(0, signal.SIGCONT)
        await until(lambda: trial.is_whole)


async def restart(trial: Trial, dask: Cluster) -> None:
    """Kill the scheduler, and start everything again."""
    await trial.after(4)
    async with trial.breaking():
        await dask.restart()
        await trial.after(trial.runs)


async def join_later(trial: Trial, dask: Cluster) -> None:
    """Start a worker during the sweep."""
    await trial.after(4)
    async with trial.breaking():
        dask.join(0)
        await until(lambda: trial.is_whole)


async def kill_own_server(trial: Trial) -> None:
    """Kill the server that a worker has started."""
    server = trial.lab.servers[0]

    async def kill(trial: Trial) -> None:
        await trial.after(4)
        own = LocalServer.find(server.root)
        assert own is not None
        async with trial.breaking() as noticed:
            os.kill(own.pid, signal.SIGKILL)
            await noticed
            await until(lambda: trial.is_whole)

    await asyncio.to_thread(server.stop)
    async with cluster(trial.lab, trial.folder, (1,), own=(0,)) as dask, dask.open_pool() as pool:
        await sweep(trial, pool, kill, servers=2)


async def chaos(trial: Trial, dask: Cluster) -> None:
    """Kill both workers and a server."""
    await kill_workers(trial, dask, counts=(4, 10))
    await trial.after(18)
    await asyncio.to_thread(trial.lab.servers[1].kill)
    await asyncio.to_thread(trial.lab.servers[1].start)


_ROW = partial(Row, engine="Dask", needs="distributed")

DASK_ROWS = (
    _ROW("nothing", during(nothing)),
    _ROW("worker killed", during(partial(kill_workers, counts=(4,)))),
    _ROW("workers killed 4 times", during(partial(kill_workers, counts=(4, 10, 16, 22))), runs=40),
    _ROW("worker and its nanny killed", during(kill_for_good), repeats=1),
    _ROW("worker ends in order (SIGTERM)", during(terminate)),
    _ROW("worker hangs until the end", during(freeze), repeats=1, longest=60 + 24),
    _ROW("worker hangs until it is noticed", during(freeze_until_noticed), runs=60, repeats=1),
    _ROW("scheduler killed, all started again", during(restart)),
    _ROW("client killed, sweep resumed", killing_the_client(9.0)),
    _ROW("worker starts during the sweep", during(join_later, 1)),
    _ROW("a worker's own server killed", kill_own_server, runs=40, repeats=1),
    _ROW("chaos: workers and a server killed", during(chaos), runs=40, repeats=1),
)
