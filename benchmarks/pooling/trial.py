"""One sweep over a pool of real servers during which something breaks, and what came of it."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import textwrap
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from invokeai_py_client import AsyncInvokeAIPool
from invokeai_py_client.sweep.manifest import unpacked
from pooling.lab import WAIT, Lab, fresh

LANES = 2
"""How many chunks stand at a server."""

_CLIENT = textwrap.dedent("""
    import json, sys
    from pathlib import Path
    from invokeai_py_client import InvokeAIPool, Sweep
    urls, numbers, patience = json.loads(sys.argv[1])
    with InvokeAIPool(urls, patience=patience) as pool:
        if Path("runs.jsonl").exists():
            sweep = Sweep.resume("runs.jsonl", pool)
        else:
            wf = pool.create_workflow("wait.json")
            sweep = wf.sweep(number=numbers, manifest="runs.jsonl")
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
        cancel: Cancels the sweep. Set once it has begun.
        seconds: How long the sweep took.
        bound: How many runs may be executed twice if a server can't be asked: the chunks that stand there.
    """

    lab: Lab
    runs: int = 24
    patience: float = 20.0
    numbers: list[int] = field(default_factory=list[int])
    delivered: Counter[int] = field(default_factory=Counter[int])
    others: int = 0
    folder: Path = Path()
    cancel: Callable[[], Awaitable[None]] | None = None
    seconds: float = 0.0
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


def lines(manifest: Path) -> list[dict[str, Any]]:
    """Return the lines of a manifest."""
    return [json.loads(line) for line in manifest.read_text().splitlines()]


async def sweep_in_process(trial: Trial, disturb: Callable[[Trial], Awaitable[None]]) -> None:
    """Sweep in this process, and disturb it meanwhile."""
    async with AsyncInvokeAIPool(trial.lab.urls, patience=trial.patience) as pool:
        wf = await pool.create_workflow(WAIT)
        sweep = await wf.sweep(number=trial.numbers, manifest=trial.manifest)
        trial.cancel = sweep.cancel
        disturbing = asyncio.ensure_future(disturb(trial))
        try:
            async for run in sweep.as_completed():
                trial.note(int(run.inputs["number"]), completed=run.status.ok)
            await disturbing
        finally:
            disturbing.cancel()


async def sweep_in_other_process(trial: Trial, lives: Sequence[float]) -> None:
    """Sweep in another process, kill it after each of some times in seconds, and resume its sweep."""
    (trial.folder / "wait.json").write_text(json.dumps(WAIT))
    orders = json.dumps([trial.lab.urls, trial.numbers, trial.patience])
    for life in (*lives, None):
        client = await asyncio.create_subprocess_exec(sys.executable, "-c", _CLIENT, orders, cwd=trial.folder)
        try:
            await asyncio.wait_for(client.wait(), life)
        except TimeoutError:
            client.kill()
            await client.wait()
    for line in lines(trial.manifest):
        if line["kind"] == "run":
            place: int = line["run"]
            number = trial.numbers[place]
            trial.note(number, completed=line["state"] == "completed")


async def attempt(trial: Trial, body: Callable[[Trial], Awaitable[None]]) -> None:
    """Make a trial in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="ivk-trial-") as folder:
        trial.folder = Path(folder)
        begun = time.perf_counter()
        await body(trial)
        trial.seconds = time.perf_counter() - begun
        sent = [line for line in lines(trial.manifest) if line["kind"] == "sending"]
        trial.bound = LANES * max((len(unpacked(line["rows"])) for line in sent), default=0)
