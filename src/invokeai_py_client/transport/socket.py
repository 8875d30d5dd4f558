"""The server's live events. The only file that knows the Socket.IO library."""

# The library has no type stubs.
# pyright: reportUnknownMemberType=false, reportArgumentType=false

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from invokeai_py_client.errors import ServerUnreachableError

if TYPE_CHECKING:
    import socketio

    from invokeai_py_client.transport.settings import ConnectionSettings

logger = logging.getLogger("invokeai_py_client.events")

_ACKNOWLEDGED = 5.0

Listener = Callable[[str, Any], None]


def new_socket(settings: ConnectionSettings, *, reconnection: bool = True) -> socketio.AsyncClient:
    """A Socket.IO client that is not connected yet."""
    import socketio

    return socketio.AsyncClient(
        reconnection=reconnection,
        reconnection_delay=0.2,
        reconnection_delay_max=5,
        handle_sigint=False,  # signals are the application's
        ssl_verify=settings.verify_ssl,
    )


async def connect(socket: socketio.AsyncClient, settings: ConnectionSettings) -> None:
    """Connect a Socket.IO client to the server.

    Only over WebSocket: the server fails a long-polling handshake that accepts gzip (seen on 6.14.2).

    Raises:
        ServerUnreachableError: No connection, or the server refused it.
    """
    import socketio.exceptions

    try:
        await socket.connect(
            settings.address.origin,
            headers=settings.request_headers(),
            auth={"token": settings.token} if settings.token else None,
            transports=["websocket"],
            socketio_path=settings.address.socket_path,
            wait_timeout=int(settings.connect_timeout) or 1,
        )
    except socketio.exceptions.SocketIOError as error:
        raise ServerUnreachableError(
            None, None, f"No event connection to {settings.address.url} ({error})."
        ) from None


class EventSocket:
    """A connection to the server's events that comes back by itself.

    Events that the server sends while the connection is down are lost: there is no replay. So listeners
    are told whenever the connection is made again, and read the state anew.
    """

    def __init__(
        self, settings: ConnectionSettings, on_event: Listener, on_connection: Callable[[bool], None]
    ):
        self._settings = settings
        self._on_event = on_event
        self._on_connection = on_connection
        self._socket: socketio.AsyncClient | None = None
        self._connecting: asyncio.Lock = asyncio.Lock()
        self._queues: set[str] = set()

    @property
    def connected(self) -> bool:
        """Whether events flow."""
        return self._socket is not None and self._socket.connected

    async def subscribe(self, queue_id: str) -> None:
        """Be connected, and subscribed to a queue's events.

        Raises:
            ServerUnreachableError: No connection could be made.
        """
        async with self._connecting:
            if self._socket is None:
                socket = self._listening(new_socket(self._settings))
                await connect(socket, self._settings)
                self._socket = socket
            if queue_id not in self._queues:
                self._queues.add(queue_id)
                if self._socket.connected:
                    await self._acknowledged(self._socket, queue_id)

    async def _acknowledged(self, socket: socketio.AsyncClient, queue_id: str) -> None:
        """Subscribe, and wait until the server has done so: what is enqueued then has all its events heard."""
        from socketio.exceptions import SocketIOError

        try:
            await socket.call("subscribe_queue", {"queue_id": queue_id}, timeout=_ACKNOWLEDGED)
        except SocketIOError as error:
            logger.info("no acknowledgement of the subscription to queue %s: %s", queue_id, error)

    async def close(self) -> None:
        """Disconnect, and stop coming back."""
        socket, self._socket = self._socket, None
        self._queues.clear()
        if socket is not None:
            await socket.shutdown()

    def _listening(self, socket: socketio.AsyncClient) -> socketio.AsyncClient:
        async def connected() -> None:
            logger.debug("event connection made")
            for queue_id in tuple(self._queues):  # the server forgets them with the connection
                await socket.emit("subscribe_queue", {"queue_id": queue_id})
            self._on_connection(True)

        async def disconnected(reason: str = "") -> None:
            logger.debug("event connection lost: %s", reason)
            self._on_connection(False)

        async def event(name: str, payload: Any = None, *_: Any) -> None:
            self._on_event(name, payload)

        socket.on("connect", connected)
        socket.on("disconnect", disconnected)
        socket.on("*", event)
        return socket
