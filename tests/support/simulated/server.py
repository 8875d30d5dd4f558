"""A simulated InvokeAI server: its connections, and the work on its queue."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from aiohttp import web

from simulated.behavior import Behavior
from simulated.queue import OPEN, Item, Queue, session_id, text
from simulated.routes import Routes
from simulated.runs import Made, Recorded, session_of
from simulated.sockets import Sockets

_PREFIX = re.compile(r"^/(api/v\d/)?(queue/\{queue\}/)?")


class SimulatedServer:
    """A server that pretends to run workflows. ``async with`` starts and stops it.

    Attributes:
        behavior: Its settings. Call ``change()`` to set them.
        port: Its port.
        queue: Its queue.
        sockets: Its event connections.
        counts: How often each route was called, such as ``enqueue_batch``, and how many ``whole items`` were read.
        busy: For how long it has been working on items, in seconds.
        first: When it started its first item, in the time of the event loop. None if it has not started any.
        last: When it ended its last item.
    """

    def __init__(self, port: int = 0, behavior: Behavior | None = None) -> None:
        self.behavior = behavior or Behavior()
        self.port = port
        self.counts: Counter[str] = Counter()
        self.busy = 0.0
        self.first: float | None = None
        self.last: float | None = None
        self._awake = asyncio.Event()
        self._wanted = asyncio.Event()
        self._news = asyncio.Event()
        self.sockets = Sockets(self._awake)
        self._workers: list[asyncio.Task[None]] = []
        self._site: web.TCPSite | None = None

    @property
    def url(self) -> str:
        """The server's URL."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start to listen and to work."""
        app = web.Application(client_max_size=10**9, middlewares=[self._receive])
        app.add_routes(Routes(self).table())
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
        await self._runner.setup()
        await self._listen()
        self.queue = Queue(self.port)
        self._made = Made(self.port)
        self._recorded = {previews: Recorded(self.port, previews) for previews in (False, True)}
        self._begin()

    async def stop(self) -> None:
        """End all connections and the work."""
        await self._end()
        await self._runner.cleanup()

    async def change(self, **settings: Any) -> Counter[str]:
        """Change the behavior.

        Returns:
            How often each route was called since the last call.
        """
        before = asdict(self.behavior)
        for name, value in settings.items():
            if name not in before:
                raise TypeError(f"A simulated server has no setting {name!r}.")
            setattr(self.behavior, name, value)
        if before["is_alive"] and not self.behavior.is_alive:
            await self._end()
        elif self.behavior.is_alive and not before["is_alive"]:
            for item in [*self.queue.current()]:  # as a real server does when it starts
                self.queue.change(item, "canceled")
            await self._listen()
            self._begin()
        elif before["devices"] != self.behavior.devices:
            await self._end_work()
            self._begin()
        self._set(self._awake, not self.behavior.hangs)
        self._set(self._wanted, not self.behavior.held)
        counts, self.counts = self.counts, Counter()
        return counts

    def state(self) -> dict[str, Any]:
        """Return what the server has done: its items by state, and its times."""
        return {
            "url": self.url,
            "items": dict(self.queue.counts),
            "busy": self.busy,
            "first": self.first,
            "last": self.last,
        }

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds. It is checked after each request and each new status of an item."""
        while not condition():
            self._news.clear()
            await self._news.wait()

    def wake(self) -> None:
        """Let the workers look for pending items."""
        if not self.behavior.held:
            self._wanted.set()

    def session(self, item: Item) -> dict[str, Any]:
        """Return the session of an item. It has no results before the item has completed."""
        known = {
            "id": session_id(self.port, item),
            "graph": {**item.batch.body["graph"], "nodes": item.batch.nodes(item.row)},
            "errors": {},
        }
        if item.status == "completed":
            return self._script(item).session(item) | known
        return session_of([]) | known

    async def send_status(self, item: Item) -> None:
        """Send the event about an item's new status."""
        self._news.set()
        body = item.batch.body
        payload = {
            "timestamp": 1795716399,
            "queue_id": "default",
            "item_id": item.id,
            "batch_id": item.batch.id,
            "origin": body.get("origin"),
            "destination": body.get("destination"),
            "user_id": "system",
            "status": item.status,
            "status_sequence": item.sequence,
            **_error(item),
            "created_at": item.created_at,
            "updated_at": item.updated_at,
            "started_at": item.started_at,
            "completed_at": item.completed_at,
            "batch_status": self.queue.batch_status(item.batch.id),
            "queue_status": self.queue.status(item),
            "session_id": session_id(self.port, item),
        }
        await self.sockets.send(text("queue_item_status_changed", payload))

    async def __aenter__(self) -> SimulatedServer:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    # ------------------------------------------------------------------ internals

    @web.middleware
    async def _receive(self, request: web.Request, handler: Any) -> Any:
        route = request.match_info.route.resource
        self.counts[_PREFIX.sub("", route.canonical) if route else "unknown"] += 1
        self._news.set()
        await self._awake.wait()
        return await handler(request)

    async def _listen(self) -> None:
        self._site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await self._site.start()
        self.port = self._runner.addresses[-1][1]

    def _begin(self) -> None:
        self._set(self._awake, not self.behavior.hangs)
        self.wake()
        self._workers = [asyncio.create_task(self._work()) for _ in range(self.behavior.devices)]

    async def _end(self) -> None:
        """End as if the server were killed: without a word to the clients."""
        if self._site is not None:
            await self._site.stop()
            self._site = None
        await self._end_work()
        for connection in self._runner.server.connections if self._runner.server else ():
            if connection.transport is not None:
                connection.transport.abort()

    async def _end_work(self) -> None:
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)

    @staticmethod
    def _set(event: asyncio.Event, is_set: bool) -> None:
        if is_set:
            event.set()
        else:
            event.clear()

    def _script(self, item: Item) -> Made | Recorded:
        fits = Recorded.fits(item.batch.body["graph"]["nodes"])
        return self._recorded[self.behavior.previews] if fits else self._made

    async def _work(self) -> None:
        while True:
            await self._awake.wait()
            await self._wanted.wait()
            item = self.queue.next()
            if item is None:
                self._wanted.clear()
                continue
            loop = asyncio.get_running_loop()
            began = loop.time()
            self.first = began if self.first is None else self.first
            await self._run(item)
            self.last = loop.time()
            self.busy += self.last - began

    async def _run(self, item: Item) -> None:
        self.queue.change(item, "in_progress")
        await self.send_status(item)
        # A real server collects garbage first, which takes most of the time of a trivial run.
        if self.behavior.seconds:
            await asyncio.sleep(self.behavior.seconds)
        await self._awake.wait()
        if item.status not in OPEN:  # canceled in the meantime
            return
        started, *others = self._script(item).events(item)
        await self.sockets.send(started)
        if random.random() < self.behavior.fails:
            self.queue.change(item, "failed", "This run was told to fail.")
            await self.send_status(item)
            failed = {**json.loads(started)[1], **_error(item)}
            await self.sockets.send(text("invocation_error", failed))
            return
        for event in others:
            await self.sockets.send(event)
            if item.status not in OPEN:
                return
        self.queue.change(item, "completed")
        await self.send_status(item)


def _error(item: Item) -> dict[str, str | None]:
    kind = None if item.error is None else "SimulatedError"
    return {"error_type": kind, "error_message": item.error, "error_traceback": item.error}
