"""A forward proxy, as in ``HTTP_PROXY``. It passes requests for any host on to one server.

It runs in a background thread, so synchronous tests can use it as well.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit


@dataclass(eq=False)
class ForwardProxy:
    """A forward proxy in front of one server.

    Attributes:
        target: The server's URL.
        web_sockets: Whether it forwards WebSockets. If not, it responds with 403.
        password: The user name and password that it requires, in base64. Defaults to none.
        url: The proxy's URL while it runs.
        seen: The method and the URL of each request.
    """

    target: str
    web_sockets: bool = True
    password: str = ""
    url: str = ""
    seen: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set[Any])

    @property
    def sockets(self) -> list[str]:
        """The URLs of the event connections."""
        return [url for _, url in self.seen if "/ws/socket.io" in url]

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="forward proxy", daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._accept, "127.0.0.1", 0), self._loop
        ).result(10)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _stop(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._request(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # one side disconnected, or the proxy is closing
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
        method, url, version = first.split(b" ")
        self.seen.append((method.decode(), url.decode()))
        upgrade = b"\r\nupgrade: websocket" in head.lower()
        if self.password and f"\r\nproxy-authorization: basic {self.password}".encode() not in head.replace(
            b"Proxy-Authorization: Basic", b"proxy-authorization: basic"
        ):
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return await writer.drain()
        if upgrade and not self.web_sockets:
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            return await writer.drain()
        parts = urlsplit(self.target)
        back, there = await asyncio.open_connection(parts.hostname, parts.port)
        try:
            own = (b"proxy-", b"connection:")
            kept = [line for line in lines if not line.lower().startswith(own)]
            kept.append(b"Connection: " + (b"Upgrade" if upgrade else b"close"))
            path = b"/" + url.partition(b"://")[2].partition(b"/")[2]
            there.write(b"\r\n".join([b" ".join([method, path, version]), *kept]) + b"\r\n\r\n")
            ways = [asyncio.ensure_future(_pipe(reader, there)), asyncio.ensure_future(_pipe(back, writer))]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        finally:
            there.transport.abort()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
