"""The rows of the failure matrix. To add one, write a function of a trial, and add it to ``ROWS``."""

from __future__ import annotations

import asyncio

from pooling.dask_rows import DASK_ROWS
from pooling.row import Body, Row
from pooling.trial import Trial, sweep_in_other_process, sweep_in_process, until


def during(disturb: Body) -> Body:
    """Return a trial in this process that is disturbed by a function."""
    return lambda trial: sweep_in_process(trial, disturb)


def killing_the_client(*lives: float) -> Body:
    """Return a trial in another process that is killed after each of some times in seconds, and resumed."""
    return lambda trial: sweep_in_other_process(trial, f"servers = {trial.lab.urls}\n", lives)


async def nothing(trial: Trial) -> None:
    """Break nothing."""


async def restart(trial: Trial) -> None:
    """Kill a server, and start it again at once."""
    await trial.after(4)
    async with trial.breaking():
        await asyncio.to_thread(trial.lab.servers[0].kill)
        await asyncio.to_thread(trial.lab.servers[0].start)
        await until(lambda: trial.is_whole)


async def stay_away(trial: Trial) -> None:
    """Kill a server, and start it again only after all runs have ended."""
    await trial.after(4)
    async with trial.breaking():
        await asyncio.to_thread(trial.lab.servers[0].kill)
        await trial.after(trial.runs)
        await asyncio.to_thread(trial.lab.servers[0].start)
        await until(lambda: trial.is_whole)


async def freeze(trial: Trial) -> None:
    """Let a server hang until all runs have ended."""
    await trial.after(4)
    async with trial.breaking():
        trial.lab.servers[0].freeze()
        await trial.after(trial.runs)
        trial.lab.servers[0].thaw()
        await until(lambda: trial.is_whole)


async def slow_down(trial: Trial) -> None:
    """Let a server take four times as long, from the start."""
    trial.lab.servers[0].pace(factor=4)
    await trial.after(trial.runs)


async def fail(trial: Trial) -> None:
    """Let all runs of a server fail, from the start."""
    async with trial.breaking():
        trial.lab.servers[0].pace(fails=True)
        await trial.after(trial.runs)


async def cancel(trial: Trial) -> None:
    """Cancel the sweep."""
    await trial.after(4)
    assert trial.cancel is not None
    await trial.cancel()


async def join_later(trial: Trial) -> None:
    """Sweep while one of the servers is down, and start it during the sweep."""

    async def start(trial: Trial) -> None:
        await trial.after(4)
        async with trial.breaking():
            await asyncio.to_thread(trial.lab.servers[0].start)
            await until(lambda: trial.is_whole)

    await asyncio.to_thread(trial.lab.servers[0].kill)
    await sweep_in_process(trial, start)


async def chaos(trial: Trial) -> None:
    """Kill and freeze both servers in turns."""
    first, second = trial.lab.servers
    await trial.after(4)
    await asyncio.to_thread(first.kill)
    await asyncio.to_thread(first.start)
    await trial.after(12)
    second.freeze()
    await asyncio.sleep(5)
    second.thaw()
    await trial.after(20)
    await asyncio.to_thread(second.kill)
    await asyncio.to_thread(second.start)


ROWS = (
    Row("nothing", during(nothing)),
    Row("server killed, back at once", during(restart), repeats=1),
    Row("server killed, stays away", during(stay_away), repeats=1),
    Row("server hangs until the end", during(freeze), repeats=1),
    Row("server 4 times slower", during(slow_down)),
    Row("server whose every run fails", during(fail)),
    Row("server starts during the sweep", join_later, runs=40),
    Row("client killed, sweep resumed", killing_the_client(7.0)),
    Row("client killed 3 times", killing_the_client(5.0, 4.0, 6.0)),
    Row("sweep canceled", during(cancel), loses=True),
    Row("chaos: both killed, one hangs", during(chaos), runs=40, repeats=2),
    *DASK_ROWS,
)
