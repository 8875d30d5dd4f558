"""One, two and four real servers on one graphics card, each sweep over all of them."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from workflows import sdxl

from invokeai_py_client import AsyncInvokeAIClient, AsyncInvokeAIPool, LocalServer

_TARGETS = {1: 1.0, 2: 1.5, 4: 2.0}


async def install(url: str, source: str) -> str:
    """Install the model on a server, and return its name."""
    async with AsyncInvokeAIClient.from_url(url) as client:
        await (await client.dnn_model_repo.install_model(source)).wait()
        [model] = [model for model in await client.dnn_model_repo.list_models() if model.type == "main"]
        return model.name


async def sweep(urls: Sequence[str], model: str, seeds: range) -> float:
    """Return the duration of a sweep over some servers."""
    async with AsyncInvokeAIPool(urls) as pool:
        wf = await pool.create_workflow(sdxl(steps=20, size=1024))
        await (await wf.sweep(model=[model], seed=range(4 * len(urls)))).wait(
            progress=False
        )  # load the models
        begun = time.perf_counter()
        await (await wf.sweep(model=[model], seed=seeds)).wait(progress=False)
        return time.perf_counter() - begun


async def measure(urls: Sequence[str], source: str, runs: int) -> bool:
    """Print the durations, and return whether all are within their targets."""
    models = [await install(url, source) for url in urls]
    times: dict[int, float] = {}
    print("| servers | time | times as fast | target |\n|---|---|---|---|")
    for number, (count, target) in enumerate(_TARGETS.items(), 1):
        times[count] = await sweep(urls[:count], models[0], range(1000 * number, 1000 * number + runs))
        print(f"| {count} | {times[count]:.1f} s | {times[1] / times[count]:.2f} | {target} |", flush=True)
    return all(times[1] / times[count] >= target for count, target in _TARGETS.items())


def main(options: Namespace) -> None:
    """Start four servers and measure. Exit with 1 if a target is missed."""
    if shutil.which("nvidia-smi") is None:
        sys.exit("There is no NVIDIA graphics card: nvidia-smi was not found.")
    with tempfile.TemporaryDirectory(prefix="ivk-pool-") as folder, ExitStack() as stack:
        servers = [LocalServer(root=Path(folder) / str(number)) for number in range(max(_TARGETS))]
        urls = [stack.enter_context(server).url for server in servers]
        sys.exit(not asyncio.run(measure(urls, options.model, options.runs)))
