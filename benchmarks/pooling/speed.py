"""One and two real servers in turns: runs that wait like those of a GPU, and tiny images."""

from __future__ import annotations

import asyncio
import statistics
import time
from argparse import Namespace
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from workflows import sd1

from invokeai_py_client import AsyncInvokeAIClient, AsyncInvokeAIPool
from invokeai_py_client.server import install, install_tiny_models, make_tiny_models
from pooling.lab import WAIT, fresh, laboratory, numbers_of, summaries

_TARGETS = {"waiting": 0.60, "images": 0.65}


async def sweep(urls: Sequence[str], document: Any, values: dict[str, Any], **settings: Any) -> float:
    """Return the duration of a sweep over some servers, with its images."""
    async with AsyncInvokeAIPool(urls, **settings) as pool:
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


async def measure(urls: Sequence[str], rounds: int, runs: int) -> None:
    """Print all measurements."""
    cases: dict[str, Any] = {
        "waiting": lambda: (WAIT, {"number": fresh(runs)}),
        "images": lambda: (sd1(steps=4), {"seed": fresh(runs), "model": "tiny-sd1"}),
    }
    print(
        "| | one server, one batch | pool of one | pool of two | ratio | target |\n|---|---|---|---|---|---|"
    )
    for name, case in cases.items():
        times: list[list[float]] = [[], [], []]
        for _ in range(rounds):
            times[0].append(await alone(urls[0], *case()))
            times[1].append(await sweep(urls[:1], *case()))
            times[2].append(await sweep(urls, *case()))
        ratio = statistics.median(two / one for one, _, two in zip(*times, strict=True))
        shown = " | ".join(f"{statistics.median(one):.1f} s" for one in times)
        print(f"| {runs} {name} | {shown} | {ratio:.2f} | {_TARGETS[name]:.2f} |", flush=True)
    numbers = fresh(runs)
    await sweep(urls[:1], WAIT, {"number": numbers}, seconds=0.001)
    one_each = await idle(urls[0], numbers)
    numbers = fresh(runs)
    await alone(urls[0], WAIT, {"number": numbers})
    print(
        f"idle per run: {one_each:.0f} ms in chunks of one run, {await idle(urls[0], numbers):.0f} ms in one batch"
    )


def main(options: Namespace) -> None:
    """Start two servers with a tiny model, and measure."""
    with laboratory() as lab:
        models = make_tiny_models(install(), only=["tiny-sd1"])
        for url in lab.urls:
            install_tiny_models(url, models)
        asyncio.run(measure(lab.urls, options.rounds, options.runs))
