"""A proxy between a client and a real server that injects faults into requests and events.

It runs in a background thread, so synchronous tests can use it as well::

    with Proxy(server.url) as proxy:
        proxy.rule("POST", "enqueue_batch$", randomly(7, {LOSE: 0.3, RESET: 0.1}))
        client = InvokeAIClient.from_url(proxy.url)
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

from trouble import HOLD, Choice, Fault, Frames

# --------------------------------------------------------------------------- the proxy


@dataclass(eq=False, slots=True)
class _Connection:
    writer: asyncio.StreamWriter
    there: asyncio.StreamWriter
    is_socket: bool = False

    def reset(self) -> None:
        for writer in (self.writer, self.there):
            # A reset instead of an orderly close, as after a broken cable or a killed process.
            sock: socket.socket = writer.get_extra_info("socket")
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()


T = TypeVar("T")


@dataclass(eq=False)
class Proxy:
    """A proxy in front of one server, with rules that choose faults.

    Attributes:
        target: The server's URL.
        url: The proxy's URL while it runs.
        counts: How often each fault happened; ``passed`` counts untouched requests, ``kills`` the connections
            that ``kill()`` ended.
        killed: The times at which connections were killed (``time.monotonic()``).
        frames: The function applied to events on their way to the client.
        open_sockets: The number of open event connections.
    """

    target: str
    url: str = ""
    counts: Counter[str] = field(default_factory=Counter[str])
    killed: list[float] = field(default_factory=list[float])
    frames: Frames | None = None
    _rules: list[tuple[str, re.Pattern[str], Choice]] = field(default_factory=list[Any])
    _connections: set[_Connection] = field(default_factory=set[_Connection])
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set[Any])
    _released: asyncio.Event = field(default_factory=asyncio.Event)
    _refuses: bool = False
    _refuses_sockets: bool = False
    _holds_sockets: bool = False
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    # ------------------------------------------------------------------ what it is told

    def rule(self, method: str, path: str, choice: Choice) -> None:
        """Choose the faults of requests with a method and a path that matches a pattern.

        The latest matching rule applies.
        """
        self._rules.insert(0, (method, re.compile(path), choice))

    def forget_rules(self) -> None:
        """Remove all rules."""
        self._rules.clear()

    @property
    def open_sockets(self) -> int:
        """The number of open event connections."""
        return sum(one.is_socket for one in tuple(self._connections))

    def kill(self, *, sockets_only: bool = False) -> int:
        """Break all connections, or only event connections, and return their number."""
        return self._inside(lambda: self._kill(sockets_only))

    @contextmanager
    def away(self, *, sockets_only: bool = False) -> Generator[None]:
        """Break all connections, or only event connections, and refuse new ones inside the block."""
        switch = "_refuses_sockets" if sockets_only else "_refuses"
        setattr(self, switch, True)
        self.kill(sockets_only=sockets_only)
        yield
        setattr(self, switch, False)

    @contextmanager
    def killing(self, seed: int, shortest: float, longest: float) -> Generator[None]:
        """Break the event connections repeatedly inside the block."""
        dice = random.Random(seed)

        async def go_on() -> None:
            while True:
                await asyncio.sleep(dice.uniform(shortest, longest))
                self._kill(sockets_only=True)

        task = self._inside(lambda: self._loop.create_task(go_on()))
        try:
            yield
        finally:
            self._inside(task.cancel)

    @contextmanager
    def holding(self, method: str, path: str, fault: Fault = HOLD) -> Generator[None]:
        """Hold back the next matching response, or with the fault ``WAIT`` the request, until the end of the block."""
        self._released = asyncio.Event()
        self.rule(method, path, iter([fault]))
        try:
            yield
        finally:
            self._inside(self._released.set)

    @contextmanager
    def holding_sockets(self) -> Generator[None]:
        """Accept event connections, but do not respond until the end of the block."""
        self._released = asyncio.Event()
        self._holds_sockets = True
        try:
            yield
        finally:
            self._holds_sockets = False
            self._inside(self._released.set)

    def wait_for(self, name: str, timeout: float = 20, *, times: int = 1) -> None:
        """Wait until a fault has happened, so that the server has received the request (or never will)."""
        with self._changed:
            happened = self._changed.wait_for(lambda: self.counts[name] >= times, timeout)
            assert happened, f"not {times} {name}: {self.counts}"

    def _count(self, name: str, number: int = 1) -> None:
        with self._changed:
            self.counts[name] += number
            self._changed.notify_all()

    def _inside(self, call: Callable[[], T]) -> T:
        async def run() -> T:
            return call()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(10)

    def _kill(self, sockets_only: bool) -> int:
        chosen = [one for one in self._connections if one.is_socket or not sockets_only]
        for connection in chosen:
            connection.reset()
        self._count("kills", len(chosen))
        if chosen:
            self.killed.append(time.monotonic())
        return len(chosen)

    # ------------------------------------------------------------------ connections

    async def _start(self) -> asyncio.Server:
        return await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=1 << 20)

    async def _stop(self) -> None:
        self._server.close()
        self._kill(sockets_only=False)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        connection: _Connection | None = None
        try:
            if self._refuses:
                self._count("refused")
                return
            parts = urlsplit(self.target)
            back, there = await asyncio.open_connection(parts.hostname, parts.port, limit=1 << 20)
            connection = _Connection(writer, there)
            self._connections.add(connection)
            while await self._request(reader, back, connection):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # one side disconnected, or the proxy is closing
        finally:
            writer.transport.abort()
            if connection is not None:
                connection.there.transport.abort()
                self._connections.discard(connection)
            self._tasks.discard(task)

    async def _request(
        self, reader: asyncio.StreamReader, back: asyncio.StreamReader, connection: _Connection
    ) -> bool:
        """Forward one request according to the rules, and return whether the connection stays open."""
        head = await reader.readuntil(b"\r\n\r\n")
        method, path, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
        body = await _body(reader, head)
        if b"\r\nupgrade: websocket" in head.lower():
            return await self._socket(head, reader, back, connection)
        fault = self._fault(method, path.partition("?")[0])
        answer = b""
        if fault is not None:
            await asyncio.sleep(fault.delay)
            if fault.waits:
                self._count("waiting")
                await self._released.wait()
            if fault.ends:
                self._server.close()
                self._kill(sockets_only=False)
        if fault is None or fault.forward:
            connection.there.write(head + body)
            await connection.there.drain()
            top = await back.readuntil(b"\r\n\r\n")
            answer = top + await _body(back, top, is_answer=True, method=method)
        self._count(fault.name if fault else "passed")
        if fault is not None and fault.held:
            await self._released.wait()
        if fault is not None and fault.silent:
            await reader.read(1)  # until the client disconnects
            return False
        if fault is not None and fault.status is not None:
            lines = [f"{name}: {value}" for name, value in (*fault.headers, ("Content-Length", "7"))]
            top = "\r\n".join((f"HTTP/1.1 {fault.status} Trouble", "Content-Type: text/plain", *lines))
            answer = top.encode() + b"\r\n\r\nTrouble"
        if fault is not None and fault.keep is not None:
            connection.writer.write(answer[: fault.keep])
            await connection.writer.drain()
            connection.reset()
            return False
        connection.writer.write(answer)
        await connection.writer.drain()
        return True

    def _fault(self, method: str, path: str) -> Fault | None:
        for wanted, pattern, choice in self._rules:
            if wanted in (method, "*") and pattern.search(path):
                return next(choice, None)
        return None

    async def _socket(
        self,
        head: bytes,
        reader: asyncio.StreamReader,
        back: asyncio.StreamReader,
        connection: _Connection,
    ) -> bool:
        if self._refuses_sockets:
            self._count("refused")
            connection.reset()
            return False
        connection.is_socket = True
        if self._holds_sockets:
            self._count("held sockets")
            await self._released.wait()
        self._count("sockets")
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"sec-websocket-ext")]
        connection.there.write(b"\r\n".join(lines))  # so that frames are uncompressed
        connection.writer.write(await back.readuntil(b"\r\n\r\n"))

        async def upwards() -> None:
            while data := await reader.read(1 << 16):
                connection.there.write(data)
                await connection.there.drain()

        async def downwards() -> None:
            while True:
                for frame in self._edited(*await _frame(back)):
                    connection.writer.write(frame)
                await connection.writer.drain()

        ways = [asyncio.ensure_future(upwards()), asyncio.ensure_future(downwards())]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        return False

    def _edited(self, raw: bytes, text: str | None) -> list[bytes]:
        if self.frames is None or text is None or not text.startswith('42["'):
            return [raw]
        name: str = json.loads(text[2:])[0]
        changed = list(self.frames(name, text))
        self._count("events")
        return [_text_frame(one) for one in changed]


# --------------------------------------------------------------------------- messages and frames


async def _body(
    reader: asyncio.StreamReader, head: bytes, *, is_answer: bool = False, method: str = ""
) -> bytes:
    """Read the body that follows a header, byte for byte."""
    status = int(head.split(b" ", 2)[1]) if is_answer else 200
    if method == "HEAD" or status < 200 or status in (204, 304):
        return b""
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    if length:
        return await reader.readexactly(int(length[1]))
    if not re.search(rb"(?i)\r\ntransfer-encoding: *chunked", head):
        return await reader.read() if is_answer else b""
    body = b""
    while True:
        line = await reader.readuntil(b"\r\n")
        chunk = await reader.readexactly(int(line, 16) + 2)
        body += line + chunk
        if len(chunk) == 2:
            return body


async def _frame(reader: asyncio.StreamReader) -> tuple[bytes, str | None]:
    """Return a frame as received, and its text if it is a complete text message."""
    raw = await reader.readexactly(2)
    size = raw[1] & 0x7F
    if size >= 126:
        more = await reader.readexactly(2 if size == 126 else 8)
        raw, size = raw + more, int.from_bytes(more)
    data = await reader.readexactly(size)
    return raw + data, data.decode() if raw[0] == 0x81 else None


def _text_frame(text: str) -> bytes:
    data = text.encode()
    if len(data) < 126:
        return bytes((0x81, len(data))) + data
    if len(data) < 1 << 16:
        return bytes((0x81, 126)) + len(data).to_bytes(2) + data
    return bytes((0x81, 127)) + len(data).to_bytes(8) + data
