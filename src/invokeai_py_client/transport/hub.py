"""The event connection to a server, shared by all listeners."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakMethod

from invokeai_py_client._aio import LoopBound
from invokeai_py_client.errors import (
    APIRequestError,
    AuthenticationError,
    PermissionDeniedError,
)
from invokeai_py_client.transport.changes import Changes
from invokeai_py_client.transport.socket import EventSocket, Listener, Room

if TYPE_CHECKING:
    from invokeai_py_client.transport.auth import Auth
    from invokeai_py_client.transport.settings import ConnectionSettings

logger = logging.getLogger("invokeai_py_client.events")


class EventHub:
    """Passes the server's events to listeners.

    A listener is called with the name and payload of every event. It is also called with ``connect`` whenever the
    connection has been made, and with ``disconnect`` when it is lost. Events sent in between are lost.
    """

    def __init__(self, settings: ConnectionSettings, auth: Auth) -> None:
        """Create a hub that is not connected yet.

        Args:
            settings: The settings of the connection.
            auth: Signs in before a connection is made, so that the server sends the user's events.
        """
        self._settings = settings
        self._auth = auth
        self._socket = LoopBound[EventSocket]()
        self._joined: set[Room] = set()
        self._waits: set[Changes] = set()
        self._listeners: set[Listener] = set()
        self._objects: list[WeakMethod[Listener]] = []
        self.outages = 0
        """How often the connection was lost."""
        self.heard = -math.inf
        """The time of the latest event, from ``time.monotonic()``."""

    @property
    def connected(self) -> bool:
        """Whether events arrive."""
        socket = self._socket.value
        return socket is not None and socket.connected

    def has_joined(self, room: Room) -> bool:
        """Return whether the running event loop receives a room's events, now or when the connection is back."""
        return room in self._joined and self._socket.here is not None

    def add(self, listener: Listener) -> None:
        """Call an object's method with every event, as long as the object exists.

        The hub keeps only a weak reference, so an object that refers to the connection does not keep it open.
        """
        self._objects.append(WeakMethod(listener))

    @asynccontextmanager
    async def changes(
        self,
        room: Room | Sequence[Room],
        concerns: Callable[[str, Any], bool],
        patience: Callable[[], float],
        *,
        tolerant: bool = True,
    ) -> AsyncGenerator[Changes]:
        """Wait for changes on the server, by events and by reads, in an ``async with`` block.

        Args:
            room: The room whose events to receive, or several rooms.
            concerns: Called with the name and payload of each event of any room. Returns whether something may have
                changed. ``connect`` and ``disconnect`` always count as a change.
            patience: Returns the number of seconds without a change after which to check again.
            tolerant: Whether to repeat reads while the server is down, even if it has not responded yet. Defaults to
                True.
        """
        rooms = [room] if isinstance(room, Room) else room

        async def join() -> None:
            for one in rooms:
                await self.join(one)

        changes = Changes(
            patience,
            join=join,
            is_joined=lambda: all(map(self.has_joined, rooms)),
            outage_timeout=self._settings.outage_timeout,
            tolerant=tolerant,
        )

        def listen(name: str, payload: Any) -> None:
            if concerns(name, payload) or name in ("connect", "disconnect"):
                changes.notify()

        self._listeners.add(listen)
        try:
            async with self.waiting(changes):
                yield changes
        finally:
            self._listeners.discard(listen)

    @asynccontextmanager
    async def waiting(self, changes: Changes) -> AsyncGenerator[None]:
        """Interrupt a wait's reads if the connection is closed, in an ``async with`` block."""
        self._waits.add(changes)
        try:
            async with changes:
                yield
        finally:
            self._waits.discard(changes)

    async def join(self, room: Room) -> None:
        """Connect and subscribe to a room's events.

        If no event connection can be made, waits poll the status over HTTP instead. This is slower, so it is logged
        as a warning.

        Raises:
            AuthenticationError: The server requires signing in.
            PermissionDeniedError: The account is disabled.
        """
        # A socket of another event loop that has ended can neither be used nor closed.
        socket = self._socket.get(self._new_socket)
        try:
            await self._auth.ensure_signed_in()
        except (AuthenticationError, PermissionDeniedError):
            raise
        except APIRequestError as error:
            logger.info("not signed in yet: %s", error)
        try:
            await socket.subscribe(room, self._auth.flow())
        except (AuthenticationError, PermissionDeniedError):
            raise
        except APIRequestError as error:
            logger.warning("%s Polling the status every second instead.", error)
        if socket is self._socket.here:
            self._joined.add(room)

    async def renew(self) -> None:
        """Disconnect, because another user has signed in. Waits notice this and connect again."""
        await self._disconnect()
        self._on_connection(False)

    async def close(self) -> None:
        """Close the event connection."""
        for changes in tuple(self._waits):
            await changes.interrupt()
        await self._disconnect()

    async def _disconnect(self) -> None:
        socket = self._socket.here
        self._socket.clear()
        self._joined.clear()
        if socket is not None:
            await socket.close()

    def _new_socket(self) -> EventSocket:
        self._joined.clear()
        return EventSocket(self._settings, self._on_event, self._on_connection)

    def _on_event(self, name: str, payload: Any) -> None:
        self.heard = time.monotonic()
        self._pass_on(name, payload)

    def _pass_on(self, name: str, payload: Any) -> None:
        for method in self._objects:
            listener = method()
            if listener is not None:
                listener(name, payload)
        for listener in tuple(self._listeners):
            listener(name, payload)

    def _on_connection(self, connected: bool) -> None:
        self.outages += not connected
        self._pass_on("connect" if connected else "disconnect", None)
