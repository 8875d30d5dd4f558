"""A server that pretends to run a workflow: for measurements with more runs than a real server can do in minutes.

The events and items of a run were recorded from a text-to-image run of a real InvokeAI 6.14.2
(``tests/data/text-to-image-run.json``: 30 events, 15 of them with a preview). Each run has ids of its own. The server
runs in a process of its own, so that neither its memory nor its CPU time is measured::

    with simulated_server() as server:
        async with AsyncInvokeAIClient.from_url(server.url) as client:
            ...
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import re
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import WSMsgType, web

RECORDED = Path(__file__).parents[1] / "data" / "text-to-image-run.json"
MODEL = {"key": "8cf58d7d-aeef-4e5c-a27f-ca0f791301d2", "name": "tiny-sd1", "base": "sd-1", "type": "main"}
_HASH = "blake3:1f27a88906f2658bef4e5c9e8eb6770eadf2378345bae1bf77297c6df58109c6"
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_PREVIEW = 16_800  # characters in the preview of a picture of 1024 x 1024 pixels
_HANDSHAKE = {"sid": "s", "upgrades": [], "pingInterval": 10**8, "pingTimeout": 10**8, "maxPayload": 10**8}


class Template:
    """A recorded text in which the ids of the run are replaced.

    Args:
        data: The recorded JSON data.
        batch_id: The recorded batch.
        known: The other recorded ids, in the order in which they were found. More are added.
    """

    def __init__(self, data: Any, batch_id: str, known: list[str]) -> None:
        text = json.dumps(data, separators=(",", ":"))
        self._parts: list[str | int] = []
        for part in re.split(rf'({_UUID}|"item_id":1\b|PREVIEW)', text):
            if part == batch_id:
                self._parts.append(-2)
            elif part == "PREVIEW":
                self._parts.append(-1)
            elif part == '"item_id":1':
                self._parts += ['"item_id":', -3]
            elif re.fullmatch(_UUID, part) and part != MODEL["key"]:
                if part not in known:
                    known.append(part)
                self._parts.append(known.index(part))
            else:
                self._parts.append(part)

    def filled(self, values: dict[int, str]) -> str:
        """Return the text with the values of a run."""
        return "".join([part if isinstance(part, str) else values[part] for part in self._parts])


def _values(item_id: int, batch_id: str, preview: str, count: int) -> dict[int, str]:
    values = {-3: str(item_id), -2: batch_id, -1: preview}
    for number in range(count):
        digits = hashlib.md5(f"{item_id}-{number}".encode(), usedforsecurity=False).hexdigest()
        values[number] = "-".join([digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]])
    return values


@dataclass
class Queue:
    """The items of the queue.

    Attributes:
        held: Whether items stay pending.
        read_ms: How long the server takes to read a whole item, in milliseconds.
        batches: The batch of each item.
        states: The state of each item that is not completed.
        counts: How often each route was called, and how many ``whole items`` were read.
    """

    held: bool = False
    read_ms: float = 0.0
    previews: bool = True
    batches: list[str] = field(default_factory=list[str])
    states: dict[int, str] = field(default_factory=dict[int, str])
    counts: Counter[str] = field(default_factory=Counter[str])

    def __post_init__(self) -> None:
        recorded = json.loads(RECORDED.read_text())
        batch_id: str = recorded["item"]["batch_id"]
        self._known: list[str] = []
        self._events = [Template(event, batch_id, self._known) for event in recorded["events"]]
        self._item = Template(recorded["item"], batch_id, self._known)
        self._summary = Template(recorded["summary"], batch_id, self._known)
        self._sockets: set[web.WebSocketResponse] = set()
        self._running: set[asyncio.Task[None]] = set()

    def app(self) -> web.Application:
        """Return the routes."""
        app = web.Application(client_max_size=10**9, middlewares=[self._count])
        queue = "/api/v1/queue/default"
        app.add_routes(
            [
                web.get("/ws/socket.io/", self._socket),
                web.post("/simulated", self._change),
                web.get("/api/v1/app/version", self._version),
                web.get("/api/v2/models/", self._models),
                web.get(f"{queue}/status", self._status),
                web.get(f"{queue}/item_ids", self._ids),
                web.get(queue + "/i/{item}", lambda asked: self._read([int(asked.match_info["item"])], True)),
                web.get(queue + "/b/{batch}/status", self._batch),
                web.post(f"{queue}/enqueue_batch", self._enqueue),
                web.post(f"{queue}/items_by_ids", self._items),
                web.post(f"{queue}/item_summaries_by_ids", self._items),
                web.put(f"{queue}/cancel_by_batch_ids", self._cancel),
            ]
        )
        return app

    @web.middleware
    async def _count(self, request: web.Request, handler: Any) -> Any:
        self.counts["i" if "/i/" in request.path else request.path.rpartition("/")[2]] += 1
        return await handler(request)

    async def _version(self, _: web.Request) -> web.Response:
        return web.json_response({"version": "6.14.2"})

    async def _models(self, _: web.Request) -> web.Response:
        return web.json_response({"models": [MODEL | {"hash": _HASH}]})

    async def _ids(self, _: web.Request) -> web.Response:
        return web.json_response({"item_ids": list(range(1, len(self.batches) + 1))})

    async def _change(self, asked: web.Request) -> web.Response:
        for name, value in (await asked.json()).items():
            setattr(self, name, value)
        counts, self.counts = self.counts, Counter()
        return web.json_response(counts)

    async def _status(self, _: web.Request) -> web.Response:
        pending = sum(state == "pending" for state in self.states.values())
        return web.json_response({"queue": {"pending": pending}})

    async def _batch(self, asked: web.Request) -> web.Response:
        return web.json_response({"total": self.batches.count(asked.match_info["batch"])})

    async def _enqueue(self, asked: web.Request) -> web.Response:
        batch = (await asked.json())["batch"]
        count: int = batch["runs"]
        for zipped in batch.get("data") or ():
            count *= len(zipped[0]["items"])
        first = len(self.batches) + 1
        self.batches += [batch["batch_id"]] * count
        ids = range(first, first + count)
        self.states.update(dict.fromkeys(ids, "pending"))
        if not self.held:
            task = asyncio.create_task(self._run(ids))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return web.json_response({"enqueued": count, "requested": count, "item_ids": list(ids)})

    async def _run(self, ids: Iterable[int]) -> None:
        preview = "data:image/jpeg;base64," + "A" * _PREVIEW
        for item_id in ids:
            # Not all previews are the same object, or the same text.
            values = self._values(item_id, preview[:-8] + f"{item_id:08}" if self.previews else "")
            for event in self._events:
                text = "42" + event.filled(values)
                await self._send(text)
            del self.states[item_id]

    async def _send(self, text: str) -> None:
        for socket in tuple(self._sockets):
            try:
                await socket.send_str(text)
            except ConnectionError:  # a client that has just left must not end the runs of another one
                self._sockets.discard(socket)

    def _values(self, item_id: int, preview: str = "") -> dict[int, str]:
        return _values(item_id, self.batches[item_id - 1], preview, len(self._known))

    async def _items(self, asked: web.Request) -> web.Response:
        ids = (await asked.json())["item_ids"]
        return await self._read(ids, not asked.path.endswith("summaries_by_ids"), several=True)

    async def _read(self, ids: list[int], whole: bool, *, several: bool = False) -> web.Response:
        if whole:
            self.counts["whole items"] += len(ids)
            await asyncio.sleep(self.read_ms * len(ids) / 1000)
        texts = [self._text(item_id, whole) for item_id in ids]
        return web.Response(
            text=f"[{','.join(texts)}]" if several else texts[0], content_type="application/json"
        )

    def _text(self, item_id: int, whole: bool) -> str:
        text = (self._item if whole else self._summary).filled(self._values(item_id))
        state = self.states.get(item_id)
        if state is None:
            return text
        item = json.loads(text) | {"status": state, "started_at": None}
        if whole:
            item |= {"status_sequence": int(state != "pending")}
            item["session"] |= {"results": {}, "prepared_source_mapping": {}}
        return json.dumps(item)

    async def _cancel(self, asked: web.Request) -> web.Response:
        batches = set((await asked.json())["batch_ids"])
        ids = [item_id for item_id in self.states if self.batches[item_id - 1] in batches]
        self.states.update(dict.fromkeys(ids, "canceled"))
        await self._send("42" + json.dumps(["queue_items_canceled", {"item_ids": ids}]))
        return web.json_response({"canceled": len(ids)})

    async def _socket(self, asked: web.Request) -> web.WebSocketResponse:
        """Speak as much of Engine.IO and Socket.IO as a client needs that subscribes and listens."""
        socket = web.WebSocketResponse(compress=False, max_msg_size=0)
        await socket.prepare(asked)
        await socket.send_str("0" + json.dumps(_HANDSHAKE))
        async for message in socket:
            text = str(message.data)
            if message.type is not WSMsgType.TEXT or text == "1":
                break
            if text.startswith("40"):
                await socket.send_str('40{"sid":"s"}')
            elif text.startswith("42"):
                number = re.match(r"42(\d*)", text)
                self._sockets.add(socket)
                await socket.send_str(f"43{number[1] if number else ''}[]")
        self._sockets.discard(socket)
        return socket


@dataclass
class Simulated:
    """A running simulated server.

    Attributes:
        url: Its URL.
    """

    url: str

    def change(self, **values: Any) -> dict[str, int]:
        """Set attributes of its ``Queue``, and return the counts since the last call."""
        body = json.dumps(values).encode()
        with urllib.request.urlopen(f"{self.url}/simulated", body, timeout=60) as answer:
            return json.loads(answer.read())


@contextmanager
def simulated_server() -> Generator[Simulated]:
    """Start a simulated server for a ``with`` block."""
    command = [sys.executable, __file__]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield Simulated(process.stdout.readline().strip())
    finally:
        process.kill()
        process.communicate()


async def serve() -> None:
    runner = web.AppRunner(Queue().app(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    print(f"http://{host}:{port}", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)  # until the parent has ended
    await runner.cleanup()


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    asyncio.run(serve())
