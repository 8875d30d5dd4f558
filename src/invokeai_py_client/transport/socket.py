"""The server's live events. Only this module uses the Socket.IO library."""

# The library has no type stubs.
# pyright: reportUnknownMemberType=false, reportArgumentType=false

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from invokeai_py_client._aio import cancel_and_wait
from invokeai_py_client.errors import APIRequestError, ServerUnreachableError
from invokeai_py_client.transport import timing
from invokeai_py_client.transport.proxies import proxy_for, via
from invokeai_py_client.transport.secrets import redacted_text

if TYPE_CHECKING:
    import socketio

    from invokeai_py_client.transport.auth import AuthFlow
    from invokeai_py_client.transport.settings import ConnectionSettings

logger = logging.getLogger("invokeai_py_client.events")

_ACKNOWLEDGED = 5.0
_FIRST_DELAY = 0.05
_STEPS = 20
_LONGEST_DELAY = 5.0

Listener = Callable[[str, Any], None]


@dataclass(frozen=True, slots=True)
class Room:
    """A group of events that the server sends to its subscribers only.

    Attributes:
        request: The name of the event that subscribes to the room.
        key: The key of the room's id in that event.
        name: The room's id.
    """

    request: str
    key: str
    name: str


BULK_DOWNLOADS = Room("subscribe_bulk_download", "bulk_download_id", "default")


def queue_room(queue_id: str) -> Room:
    """Return the room of a queue's events."""
    return Room("subscribe_queue", "queue_id", queue_id)


def new_socket(
    settings: ConnectionSettings, *, reconnection: bool = True, direct: bool = False
) -> socketio.AsyncClient:
    """Return a Socket.IO client that is not connected yet.

    Args:
        settings: The settings of the connection.
        reconnection: Whether the library reconnects by itself. Defaults to True.
        direct: Whether to ignore the proxy in the environment. Defaults to False.
    """
    import socketio

    socket = socketio.AsyncClient(
        reconnection=reconnection,
        reconnection_delay=0.2,
        reconnection_delay_max=5,
        handle_sigint=False,  # the application handles signals
        ssl_verify=settings.verify_ssl,
        logger=_LibraryLog(logger),
        engineio_logger=_LibraryLog(logger),
        request_timeout=1,  # how long closing the connection waits for the server, in seconds
    )
    _use_our_session(socket.eio, settings, direct)
    return socket


def _use_our_session(connection: Any, settings: ConnectionSettings, direct: bool) -> None:
    # The library opens an HTTP session for each connection unless it has one. Its default session follows redirects
    # and ignores proxies.
    from invokeai_py_client.transport.http import session_for_events

    open_socket, url_of = connection._connect_websocket, connection._get_engineio_url

    async def open_here(*arguments: Any) -> bool:
        if connection.http is None or connection.http.closed:
            connection.http = session_for_events(None if direct else proxy_for(settings.address.origin))
        return await open_socket(*arguments)

    def http_url(*arguments: Any) -> str:
        # A proxy receives the whole URL and may not know the scheme "ws". Its requests are the same as those of "http".
        return url_of(*arguments).replace("ws", "http", 1)

    connection._connect_websocket = open_here
    connection._get_engineio_url = http_url


async def connect(socket: socketio.AsyncClient, settings: ConnectionSettings) -> None:
    """Connect a Socket.IO client to the server.

    This uses WebSocket only, because the server fails at a long-polling handshake that accepts gzip (as of 6.14.2).

    Raises:
        ServerUnreachableError: The connection failed, or the server rejected it.
    """
    from socketio.exceptions import SocketIOError

    proxy = proxy_for(settings.address.origin)

    def auth() -> dict[
        str, str
    ]:  # called again when the library reconnects, so that it uses the current token
        return {"token": settings.token} if settings.token else {}

    broken: list[str] = []
    try:
        async with asyncio.timeout(settings.connect_timeout) as patience:

            async def disconnected(reason: str) -> None:
                await socket._handle_eio_disconnect(reason)  # pyright: ignore[reportPrivateUsage]
                if reason != socket.reason.CLIENT_DISCONNECT:
                    # Otherwise, the library would keep waiting for a response on the lost connection.
                    broken.append(reason)
                    patience.reschedule(0)

            socket.eio.on("disconnect", disconnected)
            try:
                await socket.connect(
                    settings.address.origin,
                    headers=settings.request_headers,
                    auth=auth,
                    transports=["websocket"],
                    socketio_path=settings.address.socket_path,
                    wait_timeout=int(settings.connect_timeout) or 1,
                )
            finally:
                socket.eio.on("disconnect", socket._handle_eio_disconnect)  # pyright: ignore[reportPrivateUsage]
    # Another server may send anything, and the library processes the data without checking it.
    except (
        SocketIOError,
        OSError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        RecursionError,
    ) as error:
        await socket.eio.disconnect(abort=True)  # otherwise, the library leaves its HTTP session open
        if broken:
            reason = ": ".join(["lost during the handshake", *broken])
        elif isinstance(error, TimeoutError):
            reason = f"no response within {settings.connect_timeout:g} s"
        else:
            reason = redacted_text(str(error) or type(error).__name__, settings)  # it may quote the server
        raise ServerUnreachableError(
            None,
            None,
            f"Could not open an event connection to {settings.address.url}{via(proxy)} ({reason}).",
        ) from None
    except asyncio.CancelledError:
        await socket.eio.disconnect(abort=True)
        raise


def _was_refused(socket: Any) -> bool:
    """Return whether the server rejected the handshake, as multi-user servers do without a valid token."""
    return bool(getattr(socket, "failed_namespaces", None))


def _pass_events_on(connection: Any, on_event: Listener) -> None:
    """Pass simple events on directly, which takes half of the library's time: it runs a task for each event.

    An event that is not a plain ``[name, payload]`` still takes the library's way, as does every other message.
    """
    from engineio import packet

    receive, loop = connection._receive_packet, asyncio.get_running_loop()

    async def received(message: Any) -> None:
        text = message.data
        if message.packet_type == packet.MESSAGE and isinstance(text, str) and text.startswith('2["'):
            try:
                name, payload = json.loads(text[1:])
            except (ValueError, RecursionError):
                pass  # the library reports the error
            else:
                try:
                    on_event(name, payload)
                except Exception as error:  # noqa: BLE001 - reported like that of any callback
                    message = f"An event {name!r} could not be processed."
                    loop.call_exception_handler({"message": message, "exception": error})
                return
        await receive(message)

    connection._receive_packet = received


async def join_room(socket: socketio.AsyncClient, room: Room) -> None:
    """Join a room and wait for the server's confirmation, so that no later event is missed."""
    from socketio.exceptions import SocketIOError

    try:
        await socket.call(room.request, {room.key: room.name}, timeout=_ACKNOWLEDGED)
    except SocketIOError as error:
        logger.info("%s %s was not acknowledged: %s", room.request, room.name, error)


async def check_events(settings: ConnectionSettings, *, direct: bool = False) -> bool:
    """Connect, subscribe to the default queue, and return whether the server acknowledged it.

    Args:
        settings: The settings of the connection.
        direct: Whether to ignore the proxy in the environment. Defaults to False.

    Raises:
        ServerUnreachableError: The connection failed, or the server rejected it.
    """
    from socketio.exceptions import SocketIOError

    socket = new_socket(settings, reconnection=False, direct=direct)
    await connect(socket, settings)
    room = queue_room("default")
    try:
        await socket.call(room.request, {room.key: room.name}, timeout=_ACKNOWLEDGED)
    except SocketIOError:
        return False
    finally:
        await socket.shutdown()
        await dispose(socket)
    return True


async def dispose(socket: socketio.AsyncClient) -> None:
    """Close all resources of a socket whose connection has ended."""
    reading = cast("asyncio.Task[None] | None", socket.eio.read_loop_task)
    if reading is not None:
        await asyncio.wait({reading}, timeout=_ACKNOWLEDGED)
    if socket.eio.http is not None and not socket.eio.http.closed:
        await socket.eio.http.close()


class _LibraryLog(logging.LoggerAdapter[logging.Logger]):
    """Receives the library's log messages, which it would print to standard error.

    Lost connections are normal here, so their messages are for debugging. Others may contain tokens and are dropped.
    """

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Log a message if it is a warning or an error."""
        if level >= logging.WARNING:
            super().log(level if kwargs.get("exc_info") else logging.DEBUG, msg, *args, **kwargs)


class EventSocket:
    """A connection to the server's events that reconnects automatically.

    The server does not repeat events that it sends while the connection is down. So listeners are notified when the
    connection is lost or made again, and then read the state.

    This class reconnects instead of the library. It uses a new library client (and the current token) for each
    attempt, because a failed handshake may leave a client in a state in which it cannot reconnect.
    """

    def __init__(
        self, settings: ConnectionSettings, on_event: Listener, on_connection: Callable[[bool], None]
    ):
        self._settings = settings
        self._on_event = on_event
        self._on_connection = on_connection
        self._socket: socketio.AsyncClient | None = None
        self._reconnecting: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._connecting: asyncio.Lock = asyncio.Lock()
        self._rooms: set[Room] = set()

    @property
    def connected(self) -> bool:
        """Whether events arrive."""
        return self._socket is not None and self._socket.connected

    async def subscribe(self, room: Room, flow: AuthFlow) -> None:
        """Connect and subscribe to a room's events.

        If the connection fails or takes too long, it is made in the background.

        Args:
            room: The room.
            flow: The authentication of the connection.

        Raises:
            ServerUnreachableError: No connection could be made, or not yet.
            APIRequestError: The token was rejected, and signing in again failed.
        """
        async with self._connecting:
            known = room in self._rooms
            self._rooms.add(room)
            if self._socket is not None:
                if not known:
                    await join_room(self._socket, room)
            elif self._reconnecting is None:
                await self._connect_soon(flow)

    async def close(self) -> None:
        """Disconnect and stop reconnecting."""
        socket, self._socket = self._socket, None
        reconnecting, self._reconnecting = self._reconnecting, None
        self._rooms.clear()
        if reconnecting is not None:
            await cancel_and_wait([reconnecting])
        if socket is not None:
            await socket.shutdown()
            self._dispose(socket)
        await asyncio.gather(*self._ending, return_exceptions=True)

    async def _connect_soon(self, flow: AuthFlow) -> None:
        """Connect, but wait only briefly: a proxy may accept the connection and never respond."""
        attempt = asyncio.ensure_future(self._connect_as(flow))
        try:
            # In short steps, so that a busy event loop does not use up the time: with hundreds of servers, it takes
            # seconds to process all handshakes.
            for _ in range(_STEPS):
                await asyncio.wait({attempt}, timeout=timing.HANDSHAKE / _STEPS)
                if attempt.done():
                    break
        except asyncio.CancelledError:
            await cancel_and_wait([attempt])
            raise
        if not attempt.done():
            self._reconnect_later(attempt)
            raise ServerUnreachableError(
                None,
                None,
                f"There is no event connection to {self._settings.address.url}"
                f"{via(proxy_for(self._settings.address.origin))} after {timing.HANDSHAKE:g} s.",
            )
        try:
            attempt.result()
        except APIRequestError:
            self._reconnect_later()
            raise

    async def _connect_as(self, flow: AuthFlow) -> None:
        while True:
            try:
                return await self._connect(flow)
            except ServerUnreachableError:
                if not await flow.renewed():
                    raise

    async def _connect(self, flow: AuthFlow | None = None) -> None:
        socket = new_socket(self._settings, reconnection=False)
        broken = self._listen(socket)
        if flow is not None:
            flow.begin()
        try:
            await connect(socket, self._settings)
        except ServerUnreachableError:
            if flow is not None and _was_refused(socket):
                flow.refused()
            raise
        # The server forgets subscriptions when a connection ends.
        joined = set[Room]()
        while socket.connected and (rooms := self._rooms - joined):  # others can be added in the meantime
            joined |= rooms
            joining = [asyncio.ensure_future(join_room(socket, room)) for room in rooms]
            try:
                # Stop waiting if the connection breaks in the meantime.
                all_joined = asyncio.gather(*joining, return_exceptions=True)
                await asyncio.wait([all_joined, broken], return_when=asyncio.FIRST_COMPLETED)
            except BaseException:
                await socket.eio.disconnect(abort=True)
                raise
            finally:
                await cancel_and_wait(joining)
        if not socket.connected:
            self._dispose(socket)
            raise ServerUnreachableError(
                None, None, f"The event connection to {self._settings.address.url} was lost immediately."
            )
        logger.debug("event connection established")
        self._socket = socket
        self._on_connection(True)

    def _reconnect_later(self, attempt: asyncio.Task[None] | None = None) -> None:
        """Connect in the background.

        Args:
            attempt: The first attempt, if it has started already.
        """

        async def reconnect() -> None:
            delay = _FIRST_DELAY
            current = attempt
            while True:
                try:
                    if current is None:
                        await asyncio.sleep(delay * (0.5 + random.random()))
                        delay = min(2 * delay, _LONGEST_DELAY)
                        await self._connect()
                    else:
                        await current
                except APIRequestError as error:
                    logger.debug("could not reconnect: %s", error)
                    current = None
                else:
                    break
            self._reconnecting = None
            if not self.connected:  # the connection broke just now
                self._lost()

        self._reconnecting = asyncio.ensure_future(reconnect())

    def _dispose(self, socket: socketio.AsyncClient) -> None:
        task = asyncio.ensure_future(dispose(socket))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    def _lost(self) -> None:
        if self._socket is not None:
            self._dispose(self._socket)
        self._socket = None
        self._on_connection(False)
        if self._reconnecting is None:
            self._reconnect_later()

    def _listen(self, socket: socketio.AsyncClient) -> asyncio.Future[None]:
        """Register the listeners of a socket. Return a future that is done when its connection breaks."""
        broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def disconnected(reason: str = "") -> None:
            logger.debug("event connection lost: %s", reason)
            if not broken.done():
                broken.set_result(None)
            if socket is self._socket:
                self._lost()

        async def event(name: str, payload: Any = None, *_: Any) -> None:
            self._on_event(name, payload)

        socket.on("disconnect", disconnected)
        socket.on("*", event)
        _pass_events_on(socket.eio, self._on_event)
        return broken
