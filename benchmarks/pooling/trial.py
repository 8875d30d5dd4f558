"""One sweep over a pool of real servers during which something breaks, and what came of it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import textwrap
import time
import traceback
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from invokeai_py_client import AsyncInvokeAIPool
from invokeai_py_client.errors import ServerUnreachableError
from invokeai_py_client.sweep.manifest import unpacked
from pooling.lab import WAIT, Lab, fresh

LANES = 2
"""How many chunks a server has."""
_LOOK = 0.05

_CLIENT = textwrap.dedent("""
    import sys
    from pathlib import Path
    from invokeai_py_client import InvokeAIPool, Sweep
    first, last = map(int, sys.argv[1:])
    with InvokeAIPool.from_config("trial") as pool:
        if Path("runs.jsonl").exists():
            sweep = Sweep.resume("runs.jsonl", pool)
        else:
            wf = pool.create_workflow("wait.json")
            sweep = wf.sweep(number=range(first, last + 1), manifest="runs.jsonl")
        sweep.wait(progress=False)
""")


@dataclass
class Trial:
    """A sweep in progress.

    Attributes:
        lab: The servers.
        runs: How many runs the sweep has.
        patience: For how long the pool waits for a server that it cannot ask, in seconds.
        numbers: The number of each run.
        delivered: How often each number was delivered as completed.
        others: How many runs were delivered as failed or canceled.
        folder: The folder of the manifest.
        pool: The pool. Set once the sweep has begun, if it is in this process.
        cancel: Cancels the sweep. Set once it has begun.
        seconds: How long the sweep took, or None if it did not end as it should.
        noticed: How long after the break the pool changed the state of a server, in seconds. None if it never did.
        bound: How many runs may be executed twice each time a server can't be asked: the chunks that it has.
    """

    lab: Lab
    runs: int = 24
    patience: float = 20.0
    numbers: list[int] = field(default_factory=list[int])
    delivered: Counter[int] = field(default_factory=Counter[int])
    others: int = 0
    folder: Path = Path()
    pool: AsyncInvokeAIPool | None = None
    cancel: Callable[[], Awaitable[None]] | None = None
    seconds: float | None = None
    noticed: float | None = None
    bound: int = 0

    def __post_init__(self) -> None:
        self.numbers = fresh(self.runs)
        self._news = asyncio.Event()

    async def after(self, count: int) -> None:
        """Wait until some runs have been delivered."""
        while self.delivered.total() + self.others < count:
            self._news.clear()
            await self._news.wait()

    def note(self, number: int, *, completed: bool) -> None:
        """Count a delivered run."""
        if completed:
            self.delivered[number] += 1
        else:
            self.others += 1
        self._news.set()

    @property
    def states(self) -> dict[str, str]:
        """The state of each server, as the pool sees it."""
        return {} if self.pool is None else {server.name: str(server.state) for server in self.pool.servers}

    @property
    def is_whole(self) -> bool:
        """Whether all servers take part in the sweep."""
        return Counter(self.states.values())["ready"] == len(self.lab.servers)

    @asynccontextmanager
    async def breaking(self) -> AsyncGenerator[asyncio.Task[None]]:
        """Break something inside the block. The task that it yields measures when the pool notices, and ends then."""
        before, begun = self.states, time.perf_counter()

        async def notice() -> None:
            await until(lambda: self.states != before)
            self.noticed = self.noticed or time.perf_counter() - begun

        async with beside(notice()) as noticing:
            yield noticing
            if self.states != before:
                await noticing

    @property
    def manifest(self) -> Path:
        """The manifest."""
        return self.folder / "runs.jsonl"

    @property
    def lost(self) -> int:
        """How many runs were not delivered as completed."""
        return sum(not self.delivered[number] for number in self.numbers)

    @property
    def twice(self) -> int:
        """How many runs were delivered more than once."""
        return sum(count > 1 for count in self.delivered.values())


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition that no event announces."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(_LOOK)


async def begin(pool: AsyncInvokeAIPool, servers: int) -> None:
    """Wait until a pool has some servers."""
    while sum(server.is_present for server in pool.servers) < servers:
        with suppress(ServerUnreachableError):
            await pool.start()
        await asyncio.sleep(_LOOK)


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, None]) -> AsyncGenerator[asyncio.Task[None]]:
    """Do something during a block. It is canceled at the end."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def lines(manifest: Path) -> list[dict[str, Any]]:
    """Return the lines of a manifest."""
    return [json.loads(line) for line in manifest.read_text().splitlines()]


async def sweep_in_process(trial: Trial, disturb: Callable[[Trial], Awaitable[None]]) -> None:
    """Sweep with agents in this process, and disturb it meanwhile."""
    async with AsyncInvokeAIPool(trial.lab.urls, patience=trial.patience) as pool:
        await sweep(trial, pool, disturb)


async def sweep(
    trial: Trial, pool: AsyncInvokeAIPool, disturb: Callable[[Trial], Awaitable[None]], *, servers: int = 1
) -> None:
    """Sweep over a pool once some of its servers are ready, and disturb it meanwhile."""
    trial.pool = pool
    await begin(pool, servers)
    wf = await pool.create_workflow(WAIT)
    begun = time.perf_counter()
    work = await wf.sweep(number=trial.numbers, manifest=trial.manifest)
    trial.cancel = work.cancel

    async def disturbance() -> None:
        await disturb(trial)

    async with beside(disturbance()) as disturbing:
        async for run in work.as_completed():
            trial.note(int(run.inputs["number"]), completed=run.status.ok)
        trial.seconds = time.perf_counter() - begun
        await disturbing


async def sweep_in_other_process(trial: Trial, pool: str, lives: Sequence[float]) -> None:
    """Sweep in another process, kill it after each of some times in seconds, and resume its sweep.

    Args:
        trial: The sweep.
        pool: The pool as it is written in the configuration file.
        lives: The times in seconds.
    """
    (trial.folder / "config.toml").write_text(f"[pools.trial]\n{pool}")
    (trial.folder / "wait.json").write_text(json.dumps(WAIT))
    command = [sys.executable, "-c", _CLIENT, str(trial.numbers[0]), str(trial.numbers[-1])]
    env = {**os.environ, "INVOKEAI_CONFIG": str(trial.folder / "config.toml")}
    begun = time.perf_counter()
    for life in (*lives, None):
        client = await asyncio.create_subprocess_exec(*command, cwd=trial.folder, env=env)
        try:
            await asyncio.wait_for(client.wait(), life)
        except TimeoutError:
            pass
        finally:
            if client.returncode is None:
                client.kill()
                await client.wait()
    trial.seconds = time.perf_counter() - begun
    for line in lines(trial.manifest):
        if line["kind"] == "run":
            place: int = line["run"]
            trial.note(trial.numbers[place], completed=line["state"] == "completed")


async def attempt(trial: Trial, body: Callable[[Trial], Awaitable[None]], longest: float) -> None:
    """Make a trial in a temporary folder. Give up after some seconds, or if the sweep raises an error."""
    with tempfile.TemporaryDirectory(prefix="ivk-trial-") as folder:
        trial.folder = Path(folder)
        try:
            async with asyncio.timeout(longest):
                await body(trial)
        except Exception:  # noqa: BLE001 - a fault of this row, and the others are to be reproduced
            traceback.print_exc()
            trial.seconds = None
        if trial.manifest.exists():
            trial.bound = largest_work(trial.manifest)


def largest_work(manifest: Path) -> int:
    """Return how many runs a server had at a time at most: those of its largest chunks."""
    sizes: dict[str, list[int]] = {}
    for line in lines(manifest):
        if line["kind"] == "sending":
            sizes.setdefault(line["server"], []).append(len(unpacked(line["rows"])))
    return max((sum(sorted(one)[-LANES:]) for one in sizes.values()), default=0)
