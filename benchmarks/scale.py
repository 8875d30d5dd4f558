"""Measure memory, requests and CPU time for many runs, on a simulated server.

    .venv/bin/python benchmarks/scale.py [memory|requests|cancel|cpu|all] [--runs N] [--rounds N] [--other FOLDER]

The server (``tests/support/simulated``) sends the 30 events and the item of a recorded text-to-image run for
each run, 15 of them with a preview. It runs in another process. ``--other`` takes the ``src`` folder of another
checkout, which is then measured in turns with this one.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from simulated import Simulated, simulated_server  # noqa: E402
from workflows import sd1  # noqa: E402

from invokeai_py_client import AsyncInvokeAIClient  # noqa: E402
from invokeai_py_client.schema.reference import reference_schema  # noqa: E402

_MODEL: dict[str, Any] = {"model": "tiny-sd1"}
_MANY = 20_000
_HISTORY = 500  # single runs until the client keeps as many past events as it ever does, about 4 MB
_READ_MS = 5.7  # for a whole item: 5,000 of them took a real server 28.6 s


def memory() -> float:
    """Return the memory of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def handle(client: AsyncInvokeAIClient) -> Any:
    """Return a handle of the workflow, and load everything that is loaded once."""
    client.connection._schema = reference_schema()  # pyright: ignore[reportPrivateUsage]
    wf = await client.workflow_repo.create_workflow(sd1(steps=20, size=1024))
    await swept(wf, 5)
    await batch(wf, 5)
    return wf


async def swept(wf: Any, runs: int) -> Any:
    """Sweep, and return everything that a user would keep."""
    sweep = await wf.sweep(seed=range(runs), **_MODEL)
    await sweep.wait(progress=False)
    return sweep, sweep.runs


async def batch(wf: Any, runs: int) -> Any:
    """Start many runs in one request, wait for one after the other, and return them."""
    started = await wf.start_batch(runs=runs, **_MODEL)
    for run in started:
        await run.wait()
    return started


async def singly(wf: Any, runs: int) -> Any:
    """Run the workflow many times."""
    return [await wf.run(seed=number, progress=False, **_MODEL) for number in range(runs)]


async def measure_memory(server: Simulated, runs: int) -> dict[str, Any]:
    """Return the memory that the ended runs keep, for each way to start them. All keep their images' names."""
    found: dict[str, Any] = {}
    ways: dict[str, tuple[Callable[[Any, int], Coroutine[Any, Any, Any]], int]] = {
        "run": (singly, max(1, runs // 10)),  # first, while the process has no freed memory to reuse
        "sweep": (swept, runs),
        "start_batch": (batch, runs),
    }
    async with AsyncInvokeAIClient.from_url(server.url) as client:
        wf = await handle(client)
        for name, (way, count) in ways.items():
            if runs > _MANY and name != "sweep":
                continue  # the others take too long
            if name == "run":
                await singly(wf, _HISTORY)
            gc.collect()
            before = memory()
            kept = await way(wf, count)
            gc.collect()
            found[name] = {"runs": count, "kB_per_run": round((memory() - before) * 1000 / count, 2)}
            found[name]["process_mb"] = round(memory())
            del kept
    found["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return found


async def measure_requests(server: Simulated, runs: int) -> dict[str, Any]:
    """Return the number of requests of a batch, whose runs are awaited one by one or together."""
    async with AsyncInvokeAIClient.from_url(server.url) as client:
        wf = await handle(client)
        http = client.connection.http
        sent = http.sent
        await batch(wf, runs)
        one_by_one, sent = http.sent - sent, http.sent
        started = await wf.start_batch(runs=runs, **_MODEL)
        await asyncio.gather(*(run.wait() for run in started))
        return {"runs": runs, "one_by_one": one_by_one, "together": http.sent - sent}


async def measure_cancel(server: Simulated, runs: int) -> dict[str, Any]:
    """Return the seconds from canceling all runs of a sweep until the wait for them has ended."""
    server.change(read_ms=_READ_MS)
    async with AsyncInvokeAIClient.from_url(server.url) as client:
        wf = await handle(client)
        server.change(held=True)
        sweep = await wf.sweep(seed=range(runs), **_MODEL)
        sent, start = client.connection.http.sent, time.perf_counter()
        await sweep.cancel()
        await sweep.wait(progress=False)
        took = time.perf_counter() - start
        return {"runs": runs, "seconds": round(took, 2), "requests": client.connection.http.sent - sent}


async def measure_cpu(server: Simulated, runs: int) -> dict[str, Any]:
    """Return the CPU time of a sweep and of a bare listener that only counts its events, in turns."""
    import socketio  # pyright: ignore[reportMissingTypeStubs]

    socket: Any = socketio.AsyncClient()
    ended, done = [0], asyncio.Event()

    async def event(name: str, payload: Any = None) -> None:
        if name == "queue_item_status_changed" and payload["status"] == "completed":
            ended[0] += 1
            if ended[0] == runs:
                done.set()

    socket.on("*", event)
    ours, bare = list[float](), list[float]()
    async with AsyncInvokeAIClient.from_url(server.url) as client:
        wf = await handle(client)
        body = await wf.enqueue_request(**_MODEL)
        body["batch"] |= {"runs": runs, "batch_id": "bare"}
        for _ in range(3):
            await client.close()
            begun = time.process_time()
            await socket.connect(server.url, transports=["websocket"], socketio_path="/ws/socket.io")
            await socket.call("subscribe_queue", {"queue_id": "default"})
            ended[0] = 0
            done.clear()
            await client.connection.http.json("POST", "/api/v1/queue/default/enqueue_batch", json=body)
            await done.wait()
            await socket.disconnect()
            bare.append((time.process_time() - begun) * 1000 / runs)
            await client.close()
            begun = time.process_time()
            sweep = await wf.sweep(seed=range(runs), **_MODEL)
            await sweep.wait(progress=False)
            ours.append((time.process_time() - begun) * 1000 / runs)
    pairs = zip(ours, bare, strict=True)
    return {
        "runs": runs,
        "ms_per_run": round(statistics.median(ours), 2),
        "bare_listener": round(statistics.median(bare), 2),
        "ratio": round(statistics.median(a / b for a, b in pairs), 3),
    }


MEASURES = {
    "memory": (measure_memory, 10_000),
    "requests": (measure_requests, 200),
    "cancel": (measure_cancel, 5_000),
    "cpu": (measure_cpu, 500),
}


def by_source(source: Path, name: str, runs: int) -> dict[str, Any]:
    """Return a measurement of the package in a folder, made in a new process."""
    environment = {**os.environ, "PYTHONPATH": str(source)}
    command = [sys.executable, __file__, name, "--runs", str(runs), "--here"]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure many runs on a simulated server.")
    parser.add_argument("what", nargs="?", default="all", choices=["all", *MEASURES])
    parser.add_argument("--runs", type=int, help="the number of runs")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--other", metavar="FOLDER", type=Path, help="the src folder of another checkout")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        measure, _ = MEASURES[options.what]
        with simulated_server() as server:
            print(json.dumps(asyncio.run(measure(server, options.runs))))
        return
    for name in MEASURES if options.what == "all" else [options.what]:
        for _ in range(options.rounds):
            for source in filter(None, [options.other, ROOT / "src"]):
                found = by_source(source, name, options.runs or MEASURES[name][1])
                print(f"{name} {'other' if source == options.other else 'this'}: {found}", flush=True)


if __name__ == "__main__":
    main()
