"""One client with a pool of hundreds of simulated servers: CPU time, memory, rate, idle time, detection of losses."""

from __future__ import annotations

import asyncio
import cProfile
import json
import os
import pstats
import resource
import statistics
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from simulated import Simulated, simulated_servers
from workflows import add, sd1

from invokeai_py_client import AsyncInvokeAIPool
from pooling.plot import plot

_SCRIPT = Path(__file__).parents[1] / "pool.py"
_WORKFLOWS: dict[str, Any] = {
    "sum": (add, "a", {}),
    "image": (lambda: sd1(steps=20, size=1024), "seed", {"model": "tiny-sd1"}),
}
_LOOK = 0.02  # how often the state of a server is looked at, in seconds
_TIMES = 3  # how often a server is killed
_LONGEST = 120.0  # how long to wait for a change, in seconds


async def sweep_all(servers: Sequence[Simulated], options: Namespace) -> dict[str, Any]:
    """Return the costs of a sweep over all servers."""
    document, axis, fixed = _WORKFLOWS[options.workflow]
    connecting = time.process_time(), time.perf_counter()
    async with AsyncInvokeAIPool([server.url for server in servers]) as pool:
        wf = await pool.create_workflow(document())
        await (await wf.sweep(**{axis: range(2 * len(servers))}, **fixed)).wait(progress=False)
        connected = time.process_time(), time.perf_counter()
        before = [server.state() for server in servers]
        profile = cProfile.Profile() if options.profile else None
        if profile is not None:
            profile.enable()
        begun = time.process_time(), time.perf_counter()
        sweep = await wf.sweep(**{axis: range(options.runs)}, **fixed)
        delivered = 0
        async for _ in sweep.as_completed():
            delivered += 1
        cpu, seconds = time.process_time() - begun[0], time.perf_counter() - begun[1]
        if profile is not None:
            profile.disable()
            pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(45)
        ends = [server.state() for server in servers]
    executed = sum(_done(end) - _done(start) for start, end in zip(before, ends, strict=True))
    requests = sum(sum(server.change().values()) for server in servers)
    return {
        "servers": len(servers),
        "runs": options.runs,
        "delivered": delivered,
        "executed": executed,
        "cpu_ms_per_run": round(cpu * 1000 / options.runs, 3),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "runs_per_second": round(options.runs / seconds, 1),
        "possible_per_second": options.rate,
        "requests_per_run": round(requests / options.runs, 3),
        "connect_cpu_ms_per_server": round((connected[0] - connecting[0]) * 1000 / len(servers), 1),
        "connect_s": round(connected[1] - connecting[1], 1),
        "idle_share": round(_idle(before, ends, seconds), 3),
    }


def _done(state: dict[str, Any]) -> int:
    return state["items"].get("completed", 0)


def _idle(before: Sequence[dict[str, Any]], ends: Sequence[dict[str, Any]], seconds: float) -> float:
    """Return the share of the sweep's time in which servers had nothing to do, on average."""
    busy = [end["busy"] - start["busy"] for start, end in zip(before, ends, strict=True)]
    return 1 - statistics.mean(busy) / seconds


async def until(condition: Callable[[], bool]) -> float | None:
    """Wait until a condition holds, and return for how many seconds. None if it does not hold in time."""
    begun = time.perf_counter()
    for _ in iter(condition, True):
        await asyncio.sleep(_LOOK)
        if time.perf_counter() - begun > _LONGEST:
            return None
    return round(time.perf_counter() - begun, 2)


def _state(pool: AsyncInvokeAIPool, url: str) -> str:
    return next(server.state for server in pool.servers if server.url == url)


def _busy(pool: AsyncInvokeAIPool, url: str) -> bool:
    return any(server.busy for server in pool.servers if server.url == url)


async def detect(servers: Sequence[Simulated], options: Namespace) -> dict[str, Any]:
    """Return how long the pool takes to notice that a server refuses connections, and that a server hangs."""
    found: dict[str, Any] = {"servers": len(servers)}
    async with AsyncInvokeAIPool([server.url for server in servers]) as pool:
        wf = await pool.create_workflow(add())
        sweep = await wf.sweep(a=range(100_000))
        waiting = asyncio.ensure_future(sweep.wait(progress=False))
        await until(lambda: all(server.busy for server in pool.servers))
        for setting, dead, alive in (("is_alive", False, True), ("hangs", True, False)):
            times: list[float | None] = []
            for _ in range(_TIMES if setting == "is_alive" else 1):
                await asyncio.to_thread(servers[0].change, **{setting: dead})
                times.append(await until(lambda: _state(pool, servers[0].url) != "ready"))
                await asyncio.to_thread(servers[0].change, **{setting: alive})
                await until(lambda: _state(pool, servers[0].url) == "ready" and _busy(pool, servers[0].url))
            found[setting] = times
        await sweep.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    return found


def measure(what: str, servers: int, options: Namespace) -> dict[str, Any]:
    """Return a measurement, made in a new process."""
    command = [sys.executable, str(_SCRIPT), "scale", "--here", what, "--servers", str(servers)]
    command += ["--runs", str(options.runs), "--rate", str(options.rate)]
    command += ["--workflow", options.workflow, "--processes", str(options.processes)]
    command += ["--profile"] if options.profile else []
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env={**os.environ})
    return json.loads(done.stdout.splitlines()[-1])


def here(options: Namespace) -> None:
    """Make one measurement in this process, and print it as JSON."""
    [count] = options.servers
    behavior: dict[str, Any] = {"seconds": count / options.rate, "previews": False}
    with simulated_servers(count, processes=options.processes, **behavior) as servers:
        way = {"sweep": sweep_all, "detect": detect}[options.here]
        print(json.dumps(asyncio.run(way(servers, options))))


def main(options: Namespace) -> None:
    """Print a table, and write a plot if a file is given."""
    if options.here:
        here(options)
        return
    found = [measure("sweep", count, options) for count in options.servers]
    keys = [*found[0]]
    print(f"| {' | '.join(keys)} |\n|{'---|' * len(keys)}")
    for row in found:
        print(f"| {' | '.join(str(row[key]) for key in keys)} |", flush=True)
    detected = [measure("detect", count, options) for count in options.detect]
    for row in detected:
        print(row, flush=True)
    if options.plot:
        plot(
            Path(options.plot),
            f"{options.runs:,} runs through one client",
            "servers",
            {
                "CPU per run (ms), limit 2": [(row["servers"], row["cpu_ms_per_run"]) for row in found],
                "memory (100 MB), limit 5": [(row["servers"], row["peak_mb"] / 100) for row in found],
                "dead server noticed (s)": [
                    (row["servers"], statistics.median(time or _LONGEST for time in row["is_alive"]))
                    for row in detected
                ],
            },
        )
