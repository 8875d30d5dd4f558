"""Shared parts of the server benchmarks: the bare minimum of requests, timing, and the server."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import socketio  # pyright: ignore[reportMissingTypeStubs]

_FRESH = itertools.count(int(time.time()) % 1_000_000 * 1000)
_ENDED = ("completed", "failed", "canceled")


class Baseline:
    """The bare minimum: the requests are known in advance, and nothing is checked."""

    def __init__(self, http: aiohttp.ClientSession, socket: socketio.AsyncClient, url: str) -> None:
        self._http = http
        self._url = url
        self._left = 0
        self._done = asyncio.Event()
        self._news = asyncio.Event()
        self.body: dict[str, Any] = {}
        self.ended: dict[int, float] = {}  # when each item's last event came, by the clock of `timed`
        socket.on("queue_item_status_changed", self._changed)  # pyright: ignore[reportUnknownMemberType]

    def _changed(self, event: dict[str, Any]) -> None:
        if event["status"] in _ENDED:
            self.ended[event["item_id"]] = time.perf_counter()
            self._news.set()
            self._left -= 1
            if self._left <= 0:
                self._done.set()

    async def run(self, values: list[int]) -> None:
        """Send one batch and wait until all of its items have finished."""
        self._left = len(values)
        self._done.clear()
        body = json.loads(json.dumps(self.body))
        body["batch"]["data"] = [[{"node_path": "sum", "field_name": "a", "items": values}]]
        async with self._http.post(f"{self._url}/api/v1/queue/default/enqueue_batch", json=body) as answer:
            answer.raise_for_status()
            await answer.read()
        await self._done.wait()

    async def heard(self, item_id: int) -> None:
        """Wait for the event that an item has finished."""
        async with asyncio.timeout(10):
            while item_id not in self.ended:
                self._news.clear()
                await self._news.wait()

    async def download(self, names: list[str], folder: Path) -> None:
        """Download images, eight at a time."""
        limit = asyncio.Semaphore(8)

        async def one(name: str) -> None:
            async with limit, self._http.get(f"{self._url}/api/v1/images/i/{name}/full") as answer:
                (folder / name).write_bytes(await answer.read())

        await asyncio.gather(*map(one, names))

    async def records(self, count: int) -> list[dict[str, Any]]:
        """Return the records of the newest images as JSON."""
        path = f"{self._url}/api/v1/images/?limit={count}&offset=0&is_intermediate=false"
        async with self._http.get(path) as answer:
            return json.loads(await answer.read())["items"]


@asynccontextmanager
async def baseline_of(url: str) -> AsyncGenerator[Baseline]:
    """Yield a bare minimum client with its two connections."""
    socket = socketio.AsyncClient()
    async with aiohttp.ClientSession() as http:
        baseline = Baseline(http, socket, url)
        await socket.connect(url, transports=["websocket"], socketio_path="/ws/socket.io")  # pyright: ignore[reportUnknownMemberType]
        await socket.call("subscribe_queue", {"queue_id": "default"})  # pyright: ignore[reportUnknownMemberType]
        yield baseline
        await socket.disconnect()


def fresh(count: int) -> list[int]:
    """Return numbers that the server has not seen, so that its cache does not apply."""
    return [next(_FRESH) for _ in range(count)]


async def timed(call: Callable[[], Awaitable[object]]) -> float:
    """Return the duration of a call in seconds."""
    start = time.perf_counter()
    await call()
    return time.perf_counter() - start


def compared(ours: list[float], bare: list[float]) -> dict[str, float]:
    """Return the medians in seconds, and the median ratio of the pairs."""
    return {
        "ours_s": round(statistics.median(ours), 4),
        "baseline_s": round(statistics.median(bare), 4),
        "ratio": round(statistics.median(a / b for a, b in zip(ours, bare, strict=True)), 3),
    }


def by_other_client(python: str, *arguments: object) -> dict[str, Any]:
    """Return the result of ``other_client.py``: ``seconds`` without startup, and ``requests``."""
    script = Path(__file__).with_name("other_client.py")
    command = [python, str(script), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=3600)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


@contextmanager
def server_url() -> Generator[str]:
    """Yield the server in ``$INVOKEAI_URL``, or start one for the benchmark."""
    given = os.environ.get("INVOKEAI_URL")
    if given:
        yield given
        return
    from invokeai_py_client import LocalServer

    with LocalServer(temporary=True, say=lambda text: print(text, file=sys.stderr)) as server:
        yield server.url
