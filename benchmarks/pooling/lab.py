"""Two real servers that can be killed, frozen, slowed down and broken, and the count of what they executed."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Collection, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workflows import workflow

from invokeai_py_client import AsyncInvokeAIClient, LocalServer
from invokeai_py_client.server.health import free_port

_PACK = Path(__file__).parents[2] / "tests" / "support" / "node_packs" / "wait"
NAMES = ("first", "second")
"""The names of the servers' folders, and of their agents on Dask."""
_FRESH = itertools.count(int(time.time()) % 1_000_000 * 1000)

WAIT: dict[str, Any] = workflow(
    "Wait",
    {"wait": ("ivk_wait", {"number": 0, "seconds": 1.0})},
    [],
    [("wait", "number"), ("wait", "seconds")],
)
"""A workflow that waits, like one that a GPU works on."""


def fresh(count: int) -> list[int]:
    """Return numbers that no run has had."""
    return [next(_FRESH) for _ in range(count)]


class RealServer:
    """A real server at an address that stays the same when it is started again.

    Attributes:
        root: Its root folder.
        url: Its URL.
    """

    def __init__(self, root: Path, packs: Iterable[Path] = ()) -> None:
        self.root = root
        self._packs = [_PACK, *packs]
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._local: LocalServer | None = None

    def start(self) -> None:
        """Start it."""
        self._local = LocalServer(
            root=self.root,
            port=self._port,
            environ={"OMP_NUM_THREADS": "1"},  # as LocalServers starts two servers on two cores
            node_packs=self._packs,
            say=lambda text: print(text, file=sys.stderr),
        )
        self._local.start()
        self.pace()

    def stop(self) -> None:
        """Stop it."""
        if self._local is not None:
            self._local.stop()

    def heal(self) -> None:
        """Let it work as at first, whatever was done to it."""
        if self._local is None or not self._local.is_running:
            self.start()
        self.thaw()
        self.pace()

    def kill(self) -> None:
        """Kill it."""
        self._signal(signal.SIGKILL)
        assert self._local is not None
        self._local.stop(grace=0)

    def freeze(self) -> None:
        """Stop its process, which keeps its connections."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Continue its process."""
        self._signal(signal.SIGCONT)

    def pace(self, *, factor: float = 1.0, fails: bool = False) -> None:
        """Let runs take longer, or fail."""
        target = self.root / "nodes" / _PACK.name / "pace.json"
        draft = target.with_suffix(".draft")
        draft.write_text(json.dumps({"factor": factor, "fails": fails}))
        draft.replace(target)

    def _signal(self, number: signal.Signals) -> None:
        assert self._local is not None
        os.kill(self._local.pid, number)


@dataclass
class Books:
    """The items of some runs in the servers' own queues.

    Attributes:
        states: How many items are in each state, for each server.
        completed: How often each number completed, on all servers together.
    """

    states: list[Counter[str]] = field(default_factory=list[Counter[str]])
    completed: Counter[int] = field(default_factory=Counter[int])

    @property
    def twice(self) -> int:
        """How many runs completed more than once."""
        return sum(count > 1 for count in self.completed.values())

    @property
    def open(self) -> int:
        """How many items have not ended."""
        return sum(states["pending"] + states["in_progress"] for states in self.states)


class Lab:
    """Two real servers.

    Attributes:
        servers: The servers.
    """

    def __init__(self, folder: Path, packs: Collection[Path] = ()) -> None:
        self.servers = [RealServer(folder / name, packs) for name in NAMES]

    @property
    def urls(self) -> list[str]:
        """The servers' URLs."""
        return [server.url for server in self.servers]

    async def settle(self) -> None:
        """Let both servers work as at first, and wait until they have nothing to do."""
        for server in self.servers:
            await asyncio.to_thread(server.heal)
        for url in self.urls:
            async with AsyncInvokeAIClient.from_url(url) as client:
                await client.queue.wait_until_idle()

    async def books(self, numbers: Collection[int]) -> Books:
        """Return what the servers' queues say about the runs of some numbers."""
        wanted, found = set(numbers), Books()
        for url in self.urls:
            states: Counter[str] = Counter()
            async with AsyncInvokeAIClient.from_url(url) as client:
                for item in await summaries(client):
                    for number in numbers_of(item) & wanted:
                        states[item["status"]] += 1
                        found.completed[number] += item["status"] == "completed"
            found.states.append(states)
        return found


async def summaries(client: AsyncInvokeAIClient) -> list[dict[str, Any]]:
    """Return the summaries of all items of a server's queue."""
    http, path = client.connection.http, "/api/v1/queue/default"
    ids = (await http.json("GET", f"{path}/item_ids"))["item_ids"]
    found: list[dict[str, Any]] = []
    for start in range(0, len(ids), 1000):
        body = {"item_ids": ids[start : start + 1000]}
        found += await http.json("POST", f"{path}/item_summaries_by_ids", json=body)
    return found


def numbers_of(item: Mapping[str, Any]) -> set[int]:
    """Return the whole numbers among the values of an item."""
    return {one["value"] for one in item["field_values"] or () if isinstance(one["value"], int)}


@contextmanager
def laboratory(count: int = 2, packs: Collection[Path] = ()) -> Generator[Lab]:
    """Start the servers for a ``with`` block, with other node packs if wanted."""
    with tempfile.TemporaryDirectory(prefix="ivk-pool-") as name:
        lab = Lab(Path(name), packs)
        lab.servers = lab.servers[:count]
        try:
            for server in lab.servers:
                server.start()
            yield lab
        finally:
            for server in lab.servers:
                server.stop()
