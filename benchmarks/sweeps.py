"""How much time the client adds to that of the server: runs, sweeps, downloads, beside bare requests.

    .venv/bin/python benchmarks/sweeps.py [--runs N] [--rounds N] [--other PYTHON] [--json]

Each thing is done twice in turn on the same server: by the client, and by a script that knows in advance what to
ask, with one HTTP session and one Socket.IO connection (the floor). The server is $INVOKEAI_URL, or one with tiny
models that is started for it. With ``--other`` the Python of an environment that has invokeai-py-client 1.1.1
instead of this package, its runs are measured in turn with the others.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import socketio  # pyright: ignore[reportMissingTypeStubs]

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from workflows import add  # noqa: E402

from invokeai_py_client import AsyncInvokeAIClient  # noqa: E402

_FRESH = itertools.count(int(time.time()) % 1_000_000 * 1000)
_ENDED = ("completed", "failed", "canceled")


class Floor:
    """The least that can be done: what to send is known, and nothing is checked."""

    def __init__(self, http: aiohttp.ClientSession, socket: socketio.AsyncClient, url: str) -> None:
        self._http = http
        self._url = url
        self._left = 0
        self._done = asyncio.Event()
        self.body: dict[str, Any] = {}
        socket.on("queue_item_status_changed", self._changed)  # pyright: ignore[reportUnknownMemberType]

    def _changed(self, event: dict[str, Any]) -> None:
        if event["status"] in _ENDED:
            self._left -= 1
            if self._left <= 0:
                self._done.set()

    async def run(self, values: list[int]) -> None:
        """Send one batch, and wait until all of it has ended."""
        self._left = len(values)
        self._done.clear()
        body = json.loads(json.dumps(self.body))
        body["batch"]["data"] = [[{"node_path": "sum", "field_name": "a", "items": values}]]
        async with self._http.post(f"{self._url}/api/v1/queue/default/enqueue_batch", json=body) as answer:
            answer.raise_for_status()
            await answer.read()
        await self._done.wait()

    async def download(self, names: list[str], folder: Path) -> None:
        """Get images, eight at once."""
        limit = asyncio.Semaphore(8)

        async def one(name: str) -> None:
            async with limit, self._http.get(f"{self._url}/api/v1/images/i/{name}/full") as answer:
                (folder / name).write_bytes(await answer.read())

        await asyncio.gather(*map(one, names))


@asynccontextmanager
async def floor_of(url: str) -> AsyncGenerator[Floor]:
    """A floor with its two connections."""
    socket = socketio.AsyncClient()
    async with aiohttp.ClientSession() as http:
        floor = Floor(http, socket, url)
        await socket.connect(url, transports=["websocket"], socketio_path="/ws/socket.io")  # pyright: ignore[reportUnknownMemberType]
        await socket.call("subscribe_queue", {"queue_id": "default"})  # pyright: ignore[reportUnknownMemberType]
        yield floor
        await socket.disconnect()


def fresh(count: int) -> list[int]:
    """Numbers that the server has not seen, so that it takes nothing from its cache."""
    return [next(_FRESH) for _ in range(count)]


async def timed(call: Callable[[], Awaitable[object]]) -> float:
    """The seconds that a call takes."""
    start = time.perf_counter()
    await call()
    return time.perf_counter() - start


async def measure(url: str, runs: int, rounds: int, pictures: int, other: str | None) -> dict[str, Any]:
    """All figures."""
    found: dict[str, Any] = {"runs": runs, "rounds": rounds}
    async with AsyncInvokeAIClient.from_url(url) as client, floor_of(url) as floor:
        wf = await client.workflow_repo.create_workflow(add())
        await wf.run(a=fresh(1)[0])
        floor.body = await wf.enqueue_request(a=0)
        http = client._http  # pyright: ignore[reportPrivateUsage]

        ours, bare = list[float](), list[float]()
        cpu, requests, theirs = list[float](), list[int](), list[float]()
        for _ in range(rounds):
            bare.append(await timed(lambda: floor.run(fresh(runs))))
            values = fresh(runs)
            before, sent = time.process_time(), http.sent

            async def swept(values: list[int] = values) -> None:
                await (await wf.sweep(a=values)).wait(progress=False)

            ours.append(await timed(swept))
            cpu.append((time.process_time() - before) / runs)
            requests.append(http.sent - sent)
            if other:
                theirs.append(await asyncio.to_thread(by_other_client, other, url, fresh(runs)))
        found["sweep"] = compared(ours, bare) | {
            "requests": statistics.median(requests),
            "cpu_ms_per_run": round(statistics.median(cpu) * 1000, 2),
        }
        if theirs:
            found["sweep"] |= {"other_s": round(statistics.median(theirs), 4)}

        ours, bare = list[float](), list[float]()
        for _ in range(rounds * 5):
            bare.append(await timed(lambda: floor.run(fresh(1))))
            ours.append(await timed(lambda: wf.run(a=fresh(1)[0], progress=False)))
        found["one run"] = compared(ours, bare) | {
            "added_ms": round((statistics.mean(ours) - statistics.mean(bare)) * 1000, 1)
        }

        names = await some_pictures(client, pictures)
        ours, bare = list[float](), list[float]()
        with tempfile.TemporaryDirectory() as folder:
            for _ in range(rounds * 3):
                bare.append(await timed(lambda: floor.download(names, Path(folder))))
                ours.append(
                    await timed(
                        lambda: client.image_repo.download_images(names, f"{folder}/ours", overwrite=True)
                    )
                )
        found["download"] = compared(ours, bare) | {"images": len(names)}
    found["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return found


def by_other_client(python: str, url: str, values: list[int]) -> float:
    """The seconds that the other client takes for the same runs, its start not counted."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(add(), file)
        file.flush()
        script = Path(__file__).with_name("other_client.py")
        command = [python, str(script), url, file.name, str(values[0]), str(len(values))]
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=60 + 5 * len(values)
        )
    return json.loads(done.stdout.splitlines()[-1])["seconds"]


async def some_pictures(client: AsyncInvokeAIClient, count: int) -> list[str]:
    """Names of images on the server; uploaded ones of 1024 x 1024."""
    from io import BytesIO

    from PIL import Image

    picture = Image.effect_noise((1024, 1024), 80).convert("RGB")
    buffer = BytesIO()
    picture.save(buffer, format="PNG")
    record = await client.image_repo.upload(buffer.getvalue(), filename="noise.png")
    return [record.image_name] + [
        (await client.image_repo.upload(buffer.getvalue(), filename="noise.png")).image_name
        for _ in range(count - 1)
    ]


def compared(ours: list[float], bare: list[float]) -> dict[str, float]:
    """Medians in seconds, and the median of the ratios of each pair."""
    return {
        "ours_s": round(statistics.median(ours), 4),
        "floor_s": round(statistics.median(bare), 4),
        "ratio": round(statistics.median(a / b for a, b in zip(ours, bare, strict=True)), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what the client adds to the server's time.")
    parser.add_argument("--runs", type=int, default=20, help="runs of a sweep")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pictures", type=int, default=100)
    parser.add_argument("--other", metavar="PYTHON", help="of an environment with invokeai-py-client 1.1.1")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()

    def measured(url: str) -> dict[str, Any]:
        return asyncio.run(measure(url, options.runs, options.rounds, options.pictures, options.other))

    given = os.environ.get("INVOKEAI_URL")
    if given:
        found = measured(given)
    else:
        from invokeai_py_client import LocalServer

        with LocalServer(temporary=True) as server:
            found = measured(server.url)
    if options.json:
        print(json.dumps(found))
        return
    for name, figures in found.items():
        print(f"{name}: {figures}")


if __name__ == "__main__":
    main()
