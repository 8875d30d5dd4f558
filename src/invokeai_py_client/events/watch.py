"""Watch all events of a server."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from invokeai_py_client.errors import ServerUnreachableError, UsageError
from invokeai_py_client.events.kinds import EventsConnected, OtherEvent
from invokeai_py_client.events.parse import EVENTS, parse_any
from invokeai_py_client.run.events import ModelEvent, ServerEvent
from invokeai_py_client.transport.json_shape import as_object
from invokeai_py_client.transport.socket import BULK_DOWNLOADS, queue_room

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection

_MOST = 10_000
# How many of the latest events are compared with a new one: servers send some events to the owner and to administrators
# in two messages (6.13: most events; 6.14: those about workflows, language models and ZIP files).
_NEAR = 8
_LONG = 3600.0
_OTHERS = ""


class Watches:
    """The watches of a connection: ``connection.part(Watches)``. They end when the connection is closed."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._open: set[_Watch] = set()
        connection.on_close(self._close)

    async def _close(self) -> None:
        for watch in self._open:
            watch.close()

    async def events(self, kinds: Sequence[object], queue_id: str) -> AsyncGenerator[ServerEvent, None]:
        """Yield the events of ``AsyncInvokeAIClient.watch()``."""
        self._connection.check_events()
        hub, settings = self._connection.hub, self._connection.settings
        watch = _Watch(names_of(kinds), queue_id)
        rooms = (queue_room(queue_id), BULK_DOWNLOADS)
        async with hub.changes(rooms, watch.listen, watch.patience, tolerant=False) as changes:
            watch.wake = changes.notify
            self._open.add(watch)
            try:
                async for _ in changes:
                    if hub.connected:
                        watch.connected()
                    elif watch.give_up is None:
                        limits = (
                            settings.outage_timeout,
                            *(() if watch.began else (settings.connect_timeout,)),
                        )
                        watch.give_up = time.monotonic() + min(limits)
                    while watch.events and not watch.closed:
                        yield watch.events.popleft()
                    if watch.closed:
                        return
                    if not watch.patience():
                        raise ServerUnreachableError(
                            None,
                            None,
                            f"There is no event connection to {settings.address.url}, so its events cannot be watched. "
                            "Run `ivk doctor` to find out why.",
                        )
            finally:
                self._open.discard(watch)


class _Watch:
    """The events that have not been yielded yet.

    Attributes:
        events: The events.
        began: Whether events have arrived at any time.
        give_up: When to give up, from ``time.monotonic()``, or None while events arrive.
        closed: Whether the connection was closed.
        wake: Wakes the loop that yields the events.
    """

    def __init__(self, names: frozenset[str] | None, queue_id: str) -> None:
        self.events: deque[ServerEvent] = deque()
        self.began = False
        self.give_up: float | None = None
        self.closed = False
        self.wake: Callable[[], None] = lambda: None
        self._names = names
        self._queue_id = queue_id
        self._is_connected = False
        self._latest: deque[tuple[str, Any]] = deque(maxlen=_NEAR)

    def close(self) -> None:
        """End the watch."""
        self.closed = True
        self.wake()

    def patience(self) -> float:
        """Return the seconds until the watch fails, or a long time if events arrive."""
        return _LONG if self.give_up is None else max(0.0, self.give_up - time.monotonic())

    def connected(self) -> None:
        """Announce once that events arrive."""
        if not self._is_connected:
            self._announce(missed=self.began)
        self._is_connected, self.give_up = True, None

    def listen(self, name: str, payload: Any) -> bool:
        """Process an event, and return whether it was asked for."""
        if name in ("connect", "disconnect"):
            self._is_connected = False
            if name == "connect":
                self.connected()
            return False  # the hub notifies the wait by itself
        if not self._is_connected or not self._concerns(name, as_object(payload)):
            return False
        event = parse_any(name, payload)
        if isinstance(event, OtherEvent) and self._names is not None and _OTHERS not in self._names:
            return False  # an event of a known kind without the expected ids
        if len(self.events) >= _MOST:  # limits the memory that a slow reader can take
            self.events.clear()
            self._announce(missed=True)
        self.events.append(event)
        return True

    def _announce(self, *, missed: bool) -> None:
        self.began = True
        self.events.append(EventsConnected(time.time(), {}, missed))

    def _concerns(self, name: str, payload: Mapping[str, Any]) -> bool:
        if self._names is not None and (name if name in EVENTS else _OTHERS) not in self._names:
            return False
        if payload.get("queue_id", self._queue_id) != self._queue_id:
            return False
        event = (name, payload)
        if event in self._latest:
            return False
        self._latest.append(event)
        return True


def names_of(kinds: Sequence[object]) -> frozenset[str] | None:
    """Return the names of the events of some classes, with "" for unknown events. None stands for all events.

    Raises:
        UsageError: Something is not a class of events, or is a class of events that only runs have.
    """
    names: set[str] = set()
    for kind in kinds:
        if not (isinstance(kind, type) and issubclass(kind, ServerEvent)):
            raise UsageError(
                f"Invalid kind of event {kind!r}: expected a class of events, such as BatchEnqueued or LibraryChanged."
            )
        if issubclass(kind, ModelEvent):
            raise UsageError(
                f"watch() does not yield {kind.__name__}, because the server does not say for which run it loads a "
                "model. Watch ModelLoadEvent, or follow run.events()."
            )
        names |= {name for name, one in EVENTS.items() if issubclass(one, kind)}
        if issubclass(OtherEvent, kind):
            names.add(_OTHERS)
    return frozenset(names) if kinds else None
