"""A reverse proxy that serves another server below a path prefix."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress

import aiohttp
from aiohttp import web

_HOP_BY_HOP = {"connection", "content-length", "host", "keep-alive", "transfer-encoding", "upgrade"}


class PrefixProxy:
    """The proxy's address and the requests it received.

    Attributes:
        url: The proxy's URL, including the prefix.
        asked: The paths requested below the prefix, WebSockets included.
        outside: The paths requested outside the prefix, which are all 404.
        headers: Headers of the latest request.
    """

    def __init__(self, target: str, prefix: str) -> None:
        self.url = ""
        self.asked: list[str] = []
        self.outside: list[str] = []
        self.headers: Mapping[str, str] = {}
        self._target = target
        self._prefix = prefix
        self._session: aiohttp.ClientSession | None = None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        assert self._session is not None
        if not request.raw_path.startswith(self._prefix + "/"):
            self.outside.append(request.path)
            return web.Response(status=404, text="There is nothing here.")
        path = request.raw_path.removeprefix(self._prefix)
        self.asked.append(path.partition("?")[0])
        self.headers = request.headers.copy()
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._web_socket(request, path)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP}
        async with self._session.request(
            request.method, self._target + path, headers=headers, data=await request.read()
        ) as answer:
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP}
            return web.Response(status=answer.status, body=await answer.read(), headers=kept)

    async def _web_socket(self, request: web.Request, path: str) -> web.WebSocketResponse:
        assert self._session is not None
        here = web.WebSocketResponse(max_msg_size=0)
        await here.prepare(request)
        async with self._session.ws_connect(self._target + path, max_msg_size=0) as there:
            ways = [
                asyncio.ensure_future(_pass_on(here, there)),
                asyncio.ensure_future(_pass_on(there, here)),
            ]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        with suppress(ConnectionError):
            await here.close()
        return here

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[PrefixProxy]:
        """Run the proxy for the duration of a block."""
        application = web.Application(client_max_size=1 << 28)
        application.router.add_route("*", "/{rest:.*}", self.handle)
        runner = web.AppRunner(application, shutdown_timeout=1)
        await runner.setup()
        listener = socket.create_server(("127.0.0.1", 0))
        await web.SockSite(runner, listener).start()
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}{self._prefix}"
        async with aiohttp.ClientSession(auto_decompress=False) as self._session:
            yield self
            await runner.cleanup()


async def _pass_on(
    source: aiohttp.ClientWebSocketResponse | web.WebSocketResponse,
    target: aiohttp.ClientWebSocketResponse | web.WebSocketResponse,
) -> None:
    async for message in source:
        if message.type is aiohttp.WSMsgType.TEXT:
            await target.send_str(message.data)
        elif message.type is aiohttp.WSMsgType.BINARY:
            await target.send_bytes(message.data)
