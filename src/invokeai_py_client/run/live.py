"""Pass the server's events on to the trackers of the batches they concern."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakValueDictionary

from invokeai_py_client._aio import cancel_and_wait
from invokeai_py_client.errors import APIRequestError
from invokeai_py_client.models.enums import JobStatus
from invokeai_py_client.run.events import (
    NodeCompleted,
    NodeFailed,
    NodeProgress,
    NodeStarted,
    RunEvent,
    StatusChanged,
    parse_event,
)
from invokeai_py_client.run.model_loads import ModelLoads
from invokeai_py_client.run.past_events import PastEvents
from invokeai_py_client.run.states import StateReader
from invokeai_py_client.transport import timing
from invokeai_py_client.transport.changes import Changes
from invokeai_py_client.transport.json_shape import as_object
from invokeai_py_client.transport.socket import queue_room

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.run.tracker import BatchTracker

logger = logging.getLogger("invokeai_py_client.events")

_OF_ITEMS = frozenset(
    kind.event_type for kind in (StatusChanged, NodeStarted, NodeProgress, NodeCompleted, NodeFailed)
)


class LiveRuns:
    """The batches followed on a connection: ``connection.part(LiveRuns)``.

    Trackers are held weakly, so a run without references is no longer followed.

    Attributes:
        states: The reader of queue items that all waits of the connection share.
    """

    def __init__(self, connection: Connection) -> None:
        self._hub = connection.hub
        self._settings = connection.settings
        self._trackers: WeakValueDictionary[str, BatchTracker] = WeakValueDictionary()
        self._begun: int | None = None
        self._loads = ModelLoads()
        self._guards: dict[str, tuple[Callable[[], Awaitable[None]], float]] = {}
        self._guarding: set[asyncio.Task[None]] = set()
        self.states = StateReader(connection)
        self._past = PastEvents()
        self._hub.add(self._on_event)
        connection.on_close(self.close)

    @property
    def connected(self) -> bool:
        """Whether the event connection is up."""
        return self._hub.connected

    def hears(self, tracker: BatchTracker) -> bool:
        """Return whether events arrive, and one of a tracker's items had an event in the last 20 seconds."""
        return self.connected and time.monotonic() - tracker.heard < timing.SILENCE

    def patience(self, tracker: BatchTracker) -> float:
        """Return after how many seconds without an event of a tracker's items a wait checks them again."""
        if not self.connected:
            return timing.POLL
        return timing.SILENCE - (time.monotonic() - tracker.heard if self.hears(tracker) else 0.0)

    @asynccontextmanager
    async def changes(
        self,
        tracker: BatchTracker,
        queue_id: str,
        batches: Callable[[], Iterable[str]],
        patience: Callable[[], float],
        *,
        item_id: int | None = None,
        ends_only: bool = False,
    ) -> AsyncGenerator[Changes]:
        """Watch a tracker's items for changes during an ``async with`` block.

        The batches are followed again after unpickling, in another event loop, and after the connection was closed.

        Args:
            tracker: The tracker.
            queue_id: The queue.
            batches: Returns the ids of the batches to follow.
            patience: Returns the number of seconds without a change after which to check the items.
            item_id: Only changes of this item. Defaults to None: those of all items.
            ends_only: Whether only the ends of items are of interest. Defaults to False.
        """
        room = queue_room(queue_id)

        async def follow() -> None:
            tracker.past = self._past
            for batch_id in batches():
                self._trackers[batch_id] = tracker
            await self._hub.join(room)
            tracker.gap()  # events may have been missed before

        def is_followed() -> bool:
            return self._hub.has_joined(room) and all(
                self._trackers.get(batch_id) is tracker for batch_id in batches()
            )

        changes = Changes(
            patience, join=follow, is_joined=is_followed, outage_timeout=self._settings.outage_timeout
        )
        with tracker.watched(changes.notify, item_id, ends_only=ends_only):
            async with self._hub.waiting(changes):
                yield changes

    async def follow(self, tracker: BatchTracker, queue_id: str, batch_id: str | None = None) -> None:
        """Start passing a batch's events on to a tracker.

        Args:
            tracker: The tracker.
            queue_id: The queue that the batch is in.
            batch_id: The batch. Defaults to the tracker's batch.

        Raises:
            AuthenticationError: The server requires signing in.
            PermissionDeniedError: The account is disabled.
        """
        tracker.past = self._past
        self._trackers[batch_id or tracker.batch_id] = tracker
        await self._hub.join(queue_room(queue_id))

    def forget(self, batch_id: str) -> None:
        """Stop passing on the events of a batch whose items have all ended."""
        self._trackers.pop(batch_id, None)

    def on_enqueued(self, batch_id: str, guard: Callable[[], Awaitable[None]]) -> None:
        """Await a function whenever more items of a batch were enqueued, or may have been, in the next ten minutes.

        The batch need not be followed: a request that was held back may arrive after its runs have ended.
        """
        now = time.monotonic()
        self._guards = {known: kept for known, kept in self._guards.items() if kept[1] > now}
        self._guards[batch_id] = guard, now + timing.LATE_REQUEST

    async def close(self) -> None:
        """Cancel the tasks of the running event loop, because they would open connections again."""
        self._guards.clear()
        await cancel_and_wait(self._guarding)
        await self.states.close()

    def _on_event(self, name: str, payload: Any) -> None:
        if name == NodeProgress.event_type:  # most events are of this kind
            self._pass_on(name, payload)
            return
        load = self._loads.listen(name, payload)
        if name in _OF_ITEMS:
            self._pass_on(name, payload)
        elif load is not None:
            self._take(load)
        elif name == "connect":
            self._wake_all()
            for batch_id in tuple(self._guards):
                self._guard(batch_id)
        elif name == "disconnect":
            for tracker in set(self._trackers.values()):
                tracker.wake()  # until events arrive again, each wait polls
        elif name in ("queue_cleared", "queue_items_canceled", "queue_items_retried"):
            self._wake_all()  # these events name no batch, so every wait reads its item again
        elif name == "batch_enqueued" and isinstance(payload, dict):
            self._guard(str(cast("dict[str, Any]", payload).get("batch_id")))

    def _pass_on(self, name: str, payload: Any) -> None:
        data = as_object(payload)
        own = self._trackers.get(str(data.get("batch_id")))
        if name == NodeProgress.event_type and own is not None and own.defer(data):
            return
        if own is None and name != StatusChanged.event_type:
            return
        event = parse_event(name, payload, hidden=True)
        if event is None:
            return
        if own is not None:
            own.event(event)
        if not isinstance(event, StatusChanged) or event.status is not JobStatus.RUNNING:
            return
        if event.item_id == self._begun:  # 6.13 sends each event twice
            return
        self._begun = event.item_id
        for tracker in set(self._trackers.values()):
            tracker.others_moved()

    def _take(self, event: RunEvent) -> None:
        tracker = self._trackers.get(str(event["batch_id"]))
        if tracker is not None:
            tracker.event(event)

    def _guard(self, batch_id: str) -> None:
        guard, until = self._guards.get(batch_id, (None, 0.0))
        if guard is None or until < time.monotonic():
            return

        async def run() -> None:
            try:
                await guard()
            except APIRequestError as error:
                logger.warning("could not check batch %s for duplicate items: %s", batch_id, error)

        task = asyncio.ensure_future(run())
        self._guarding.add(task)
        task.add_done_callback(self._guarding.discard)

    def _wake_all(self) -> None:
        for tracker in set(self._trackers.values()):
            tracker.gap()
