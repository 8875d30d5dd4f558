"""Hands the server's events to whoever follows a batch."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from invokeai_py_client.errors import ServerUnreachableError
from invokeai_py_client.models.enums import JobStatus
from invokeai_py_client.run.events import StatusChanged, parse_event
from invokeai_py_client.transport.socket import EventSocket

if TYPE_CHECKING:
    from invokeai_py_client.run.tracker import BatchTracker
    from invokeai_py_client.transport.settings import ConnectionSettings

logger = logging.getLogger("invokeai_py_client.events")


class EventFeed:
    """One event connection, shared by all runs of a client.

    Trackers are held weakly: a run that nobody holds any more is not followed any more.
    """

    def __init__(self, settings: ConnectionSettings) -> None:
        self._settings = settings
        self._socket: EventSocket | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._trackers: WeakValueDictionary[str, BatchTracker] = WeakValueDictionary()
        self._begun: int | None = None

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
        loop = asyncio.get_running_loop()
        if self._socket is None or self._loop is not loop:
            # A socket of a loop that has gone can neither be used nor closed any more.
            self._socket = EventSocket(self._settings, self._on_event, self._on_connection)
            self._loop = loop
        try:
            await self._socket.subscribe(queue_id)
        except ServerUnreachableError as error:
            logger.warning("%s The status is read every second instead.", error)

    def forget(self, batch_id: str) -> None:
        """Have nobody told of a batch's events any more: all of it has ended."""
        self._trackers.pop(batch_id, None)

    async def close(self) -> None:
        """Close the event connection."""
        socket, self._socket = self._socket, None
        if socket is not None and self._loop is asyncio.get_running_loop():
            await socket.close()

    def _on_event(self, name: str, payload: Any) -> None:
        if name in ("queue_cleared", "queue_items_canceled", "queue_items_retried"):
            self._wake_all()  # they name items, or none at all: every wait reads its own item again
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
        if connected:
            self._wake_all()

    def _wake_all(self) -> None:
        for tracker in set(self._trackers.values()):
            tracker.gap()
