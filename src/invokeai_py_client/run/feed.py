"""Hands the server's events to whoever follows a batch."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakValueDictionary

from invokeai_py_client.errors import (
    APIRequestError,
    AuthenticationError,
    PermissionDeniedError,
    ServerUnreachableError,
)
from invokeai_py_client.models.enums import JobStatus
from invokeai_py_client.run.events import StatusChanged, parse_event
from invokeai_py_client.run.states import StateReader
from invokeai_py_client.transport.socket import EventSocket, Listener, Room, queue_room

if TYPE_CHECKING:
    from invokeai_py_client.run.tracker import BatchTracker
    from invokeai_py_client.transport.settings import ConnectionSettings

logger = logging.getLogger("invokeai_py_client.events")


class EventFeed:
    """One event connection, shared by all runs of a client.

    Trackers are held weakly: a run that nobody holds any more is not followed any more.
    """

    def __init__(
        self, settings: ConnectionSettings, sign_in: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        """Say how the server is reached, and what is to be done before, so that it knows whose events to send."""
        self._settings = settings
        self._sign_in = sign_in
        self._socket: EventSocket | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._trackers: WeakValueDictionary[str, BatchTracker] = WeakValueDictionary()
        self._listeners: set[Listener] = set()
        self._begun: int | None = None
        self.states = StateReader()
        self._guards: dict[str, Callable[[], Awaitable[None]]] = {}
        self._guarding: set[asyncio.Task[None]] = set()

    @property
    def connected(self) -> bool:
        """Whether events flow."""
        return self._socket is not None and self._socket.connected

    def follows(self, tracker: BatchTracker, batch_id: str) -> bool:
        """Whether a tracker is told of a batch's events, by a socket of the running loop."""
        return (
            self._trackers.get(batch_id) is tracker
            and self._socket is not None
            and self._loop is asyncio.get_running_loop()
        )

    async def follow(self, tracker: BatchTracker, queue_id: str, batch_id: str | None = None) -> None:
        """Have a tracker told of its batch's events from now on.

        Args:
            tracker: The tracker.
            queue_id: The queue whose events it needs.
            batch_id: Another batch that it follows, too.

        Without an event connection (a proxy that does not let WebSockets through) the run still ends: its
        status is then read by HTTP now and then. That is slower, so it is logged as a warning.
        """
        self._trackers[batch_id or tracker.batch_id] = tracker
        await self._join(queue_room(queue_id))

    @asynccontextmanager
    async def listening(self, room: Room, listener: Listener) -> AsyncGenerator[None]:
        """Have a function called with every event that comes, by its name and what it carries.

        It is called with ``connect`` whenever the connection has been made anew: what came in between is lost.
        Without an event connection nothing comes.
        """
        self._listeners.add(listener)
        try:
            await self._join(room)
            yield
        finally:
            self._listeners.discard(listener)

    async def _join(self, room: Room) -> None:
        loop = asyncio.get_running_loop()
        if self._socket is None or self._loop is not loop:
            # A socket of a loop that has gone can neither be used nor closed any more.
            self._socket = EventSocket(self._settings, self._on_event, self._on_connection)
            self._loop = loop
        socket = self._socket
        if self._sign_in is not None:
            try:
                await self._sign_in()
            except (AuthenticationError, PermissionDeniedError):
                raise
            except APIRequestError as error:
                logger.info("not signed in yet: %s", error)
        try:
            await socket.subscribe(room)
        except ServerUnreachableError as error:
            logger.warning("%s The status is read every second instead.", error)

    def on_enqueued(self, batch_id: str, guard: Callable[[], Awaitable[None]]) -> None:
        """Have a function called whenever something more of a followed batch was enqueued, or may have been."""
        self._guards = {known: one for known, one in self._guards.items() if known in self._trackers}
        self._guards[batch_id] = guard

    def forget(self, batch_id: str) -> None:
        """Have nobody told of a batch's events any more: all of it has ended."""
        self._trackers.pop(batch_id, None)

    async def renew(self) -> None:
        """Have events as whoever is signed in by now; waits look for themselves, and connect anew."""
        await self.close()
        self._on_connection(False)

    async def close(self) -> None:
        """Close the event connection."""
        socket, self._socket = self._socket, None
        self._guards.clear()
        guarding = [task for task in self._guarding if task.get_loop() is asyncio.get_running_loop()]
        for task in guarding:
            task.cancel()
        await asyncio.gather(*guarding, return_exceptions=True)
        await self.states.close()
        if socket is not None and self._loop is asyncio.get_running_loop():
            await socket.close()

    def _on_event(self, name: str, payload: Any) -> None:
        for listener in tuple(self._listeners):
            listener(name, payload)
        if name in ("queue_cleared", "queue_items_canceled", "queue_items_retried"):
            self._wake_all()  # they name items, or none at all: every wait reads its own item again
            return
        if name == "batch_enqueued" and isinstance(payload, dict):
            self._guard(str(cast("dict[str, Any]", payload).get("batch_id")))
            return
        event = parse_event(name, payload)
        if event is None:
            return
        own = self._trackers.get(str(event.raw.get("batch_id")))
        if own is not None:
            own.event(event)
        if not isinstance(event, StatusChanged) or event.status is not JobStatus.RUNNING:
            return
        if event.item_id == self._begun:  # 6.13 sends each event twice
            return
        self._begun = event.item_id
        for tracker in set(self._trackers.values()):
            tracker.others_moved()

    def _on_connection(self, connected: bool) -> None:
        if not connected:
            for tracker in set(self._trackers.values()):
                tracker.wake()  # whoever waits for events is to look by itself meanwhile
        if connected:
            self._wake_all()
            for batch_id in tuple(self._guards):
                self._guard(batch_id)
            for listener in tuple(self._listeners):
                listener("connect", None)

    def _guard(self, batch_id: str) -> None:
        guard = self._guards.get(batch_id)
        if guard is None or batch_id not in self._trackers:
            return

        async def run() -> None:
            try:
                await guard()
            except APIRequestError as error:
                logger.warning("batch %s could not be looked after: %s", batch_id, error)

        task = asyncio.ensure_future(run())
        self._guarding.add(task)
        task.add_done_callback(self._guarding.discard)

    def _wake_all(self) -> None:
        for tracker in set(self._trackers.values()):
            tracker.gap()
