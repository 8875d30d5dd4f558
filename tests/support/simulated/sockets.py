"""The event connections of a simulated server: as much of Engine.IO and Socket.IO as a client needs that listens."""

from __future__ import annotations

import asyncio
import json
import re

from aiohttp import WSMsgType, web

# The settings of a real server. A client that hears nothing for the sum of both disconnects.
_PING_INTERVAL = 25.0
_PING_TIMEOUT = 20.0
_HANDSHAKE = {"upgrades": [], "pingInterval": 25_000, "pingTimeout": 20_000, "maxPayload": 10**6}


class Sockets:
    """The event connections of a server.

    Attributes:
        awake: Cleared while the server hangs.
    """

    def __init__(self, awake: asyncio.Event) -> None:
        self.awake = awake
        self._subscribed: set[web.WebSocketResponse] = set()

    async def send(self, event: str) -> None:
        """Send an event to all subscribers."""
        for socket in tuple(self._subscribed):
            try:
                await socket.send_str("42" + event)
            except ConnectionError:  # a client that has just left must not end the runs of another one
                self._subscribed.discard(socket)

    async def connect(self, request: web.Request) -> web.WebSocketResponse:
        """Handle a connection until it ends."""
        socket = web.WebSocketResponse(compress=False, max_msg_size=0)
        await socket.prepare(request)
        session = f"{id(socket):x}"
        pinging = asyncio.create_task(self._ping(socket))
        try:
            await socket.send_str("0" + json.dumps({"sid": session, **_HANDSHAKE}))
            async for message in socket:
                text = str(message.data)
                if message.type is not WSMsgType.TEXT or text == "1":
                    break
                await self.awake.wait()
                if text.startswith("40"):
                    await socket.send_str("40" + json.dumps({"sid": session}))
                elif text.startswith("42"):
                    number = re.match(r"42(\d*)", text)
                    self._subscribed.add(socket)
                    await socket.send_str(f"43{number[1] if number else ''}[]")
        finally:
            pinging.cancel()
            self._subscribed.discard(socket)
        return socket

    async def _ping(self, socket: web.WebSocketResponse) -> None:
        while not socket.closed:
            await asyncio.sleep(_PING_INTERVAL)
            await self.awake.wait()
            try:
                await socket.send_str("2")
            except ConnectionError:
                return
