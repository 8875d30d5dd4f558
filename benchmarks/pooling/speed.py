"""One and two real servers in turns, in process and over Dask: runs that wait like those of a GPU, and tiny images."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

from workflows import sd1

from invokeai_py_client import AsyncInvokeAIClient, AsyncInvokeAIPool
from invokeai_py_client.server import install, install_tiny_models, make_tiny_models
from pooling.cluster import cluster
from pooling.lab import WAIT, Lab, fresh, laboratory, numbers_of, summaries
from pooling.trial import begin

_TARGETS = {"waiting": 0.60, "images": 0.65}
_IDLE_TARGETS = {"in process": 12, "over Dask": 20}
# With chunks this short, each has one run.
_ONE_RUN = 0.001
# How long the workers may need to join, in seconds.
_JOIN = 60.0

OpenPool = Callable[[], AsyncInvokeAIPool]


async def sweep(open_pool: OpenPool, servers: int, document: Any, values: dict[str, Any]) -> float:
    """Return the duration of a sweep over a pool of some servers, with its images."""
    async with open_pool() as pool:
        async with asyncio.timeout(_JOIN):
            await begin(pool, servers)
        wf = await pool.create_workflow(document)
        begun = time.perf_counter()
        runs = await (await wf.sweep(**values)).wait(progress=False)
        await asyncio.gather(*(image.bytes() for run in runs for image in run.images))
        assert all(run.status.ok for run in runs)
        return time.perf_counter() - begun


async def alone(url: str, document: Any, values: dict[str, Any]) -> float:
    """Return the duration of the same sweep with a plain client, in one batch."""
    async with AsyncInvokeAIClient.from_url(url) as client:
        wf = await client.workflow_repo.create_workflow(document)
        begun = time.perf_counter()
        runs = await (await wf.sweep(**values)).wait(progress=False)
        await asyncio.gather(*(image.bytes() for run in runs for image in run.images))
        return time.perf_counter() - begun


async def idle(url: str, numbers: Sequence[int]) -> float:
    """Return for how long a server had nothing to do between two runs, on average, in milliseconds."""
    async with AsyncInvokeAIClient.from_url(url) as client:
        items = [item for item in await summaries(client) if numbers_of(item) & set(numbers)]
    starts = [datetime.fromisoformat(item["started_at"]) for item in items]
    ends = [datetime.fromisoformat(item["completed_at"]) for item in items]
    busy = sum((end - start).total_seconds() for start, end in zip(starts, ends, strict=True))
    return ((max(ends) - min(starts)).total_seconds() - busy) * 1000 / len(items)


async def measure_sweeps(
    url: str, pools: dict[str, OpenPool], rounds: int, runs: int, only: str | None
) -> None:
    """Print the durations of sweeps over two servers, and over one of them."""
    cases: dict[str, Callable[[], tuple[Any, dict[str, Any]]]] = {
        "waiting": lambda: (WAIT, {"number": fresh(runs)}),
        "images": lambda: (sd1(steps=4), {"seed": fresh(runs), "model": "tiny-sd1"}),
    }
    print(
        "| | one server, one batch | pool of two | | ratio | target |\n|---|---|---|---|---|---|", flush=True
    )
    for name, case in cases.items():
        if only not in (None, name):
            continue
        one: list[float] = []
        two: dict[str, list[float]] = {engine: [] for engine in pools}
        for _ in range(rounds):
            one.append(await alone(url, *case()))
            for engine, open_pool in pools.items():
                two[engine].append(await sweep(open_pool, 2, *case()))
        for engine, times in two.items():
            ratio = statistics.median(many / single for single, many in zip(one, times, strict=True))
            seconds = f"{statistics.median(one):.1f} s | {statistics.median(times):.1f} s"
            print(
                f"| {runs} {name} | {seconds} | {engine} | {ratio:.2f} | {_TARGETS[name]:.2f} |", flush=True
            )


async def measure_idle(url: str, pools: dict[str, OpenPool], runs: int) -> None:
    """Print for how long one server has nothing to do between two runs."""
    numbers = fresh(runs)
    await alone(url, WAIT, {"number": numbers})
    print(f"\nIdle per run in one batch: {await idle(url, numbers):.0f} ms", flush=True)
    for engine, open_pool in pools.items():
        numbers = fresh(runs)
        await sweep(open_pool, 1, WAIT, {"number": numbers})
        target = _IDLE_TARGETS[engine]
        print(
            f"Idle per run in chunks of one run, {engine}: {await idle(url, numbers):.0f} ms ({target})",
            flush=True,
        )


async def measure(lab: Lab, rounds: int, runs: int, only: str | None) -> None:
    """Print all measurements."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ivk-speed-")))
        both = await stack.enter_async_context(cluster(lab, folder, range(2)))
        pools: dict[str, OpenPool] = {
            "in process": lambda: AsyncInvokeAIPool(lab.urls),
            "over Dask": both.open_pool,
        }
        await measure_sweeps(lab.urls[0], pools, rounds, runs, only)
    if only not in (None, "idle"):
        return
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ivk-speed-")))
        first = await stack.enter_async_context(cluster(lab, folder, [0]))
        pools = {
            "in process": lambda: AsyncInvokeAIPool(lab.urls[:1], seconds=_ONE_RUN),
            "over Dask": lambda: first.open_pool(seconds=_ONE_RUN),
        }
        await measure_idle(lab.urls[0], pools, runs)


def main(options: Namespace) -> None:
    """Start two servers with a tiny model, and measure."""
    with laboratory() as lab:
        models = make_tiny_models(install(), only=["tiny-sd1"])
        for url in lab.urls:
            install_tiny_models(url, models)
        asyncio.run(measure(lab, options.rounds, options.runs, options.only))
