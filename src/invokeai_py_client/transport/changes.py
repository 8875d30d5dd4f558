"""The loop that every wait for a server uses. It reacts to events, to responses, and to silence."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Self, TypeVar

from invokeai_py_client.errors import APIRequestError
from invokeai_py_client.transport import timing
from invokeai_py_client.transport.retry import Outage

T = TypeVar("T")

logger = logging.getLogger("invokeai_py_client.http")

# Two reads at once, so that a response that hangs does not delay a newer read.
_AT_ONCE = 2


async def last_look(deadline: float, look: Callable[[], Awaitable[T]]) -> T | None:
    """Read the state once more after a wait has timed out.

    A computer that slept, or a process that was stopped, wakes up after its deadline and has missed all events.

    Args:
        deadline: When the wait timed out, from ``time.monotonic()``.
        look: Reads the state.

    Returns:
        The result, or None if the server did not respond. It gets more time if the deadline is long over.
    """
    is_late = time.monotonic() - deadline > timing.POLL
    limit = timing.AFTER_SLEEP if is_late else timing.POLL
    outage = Outage(limit)
    try:
        async with asyncio.timeout(limit):
            while True:
                try:
                    return await look()
                except APIRequestError as error:
                    await outage.tolerate(error)
    except (APIRequestError, TimeoutError) as error:
        logger.info("could not read the state after the timeout: %s", error)
        return None


class Change(Enum):
    """The reason why a wait checks its state again."""

    START = auto()
    """The wait has started. Events arrive from now on, unless the event connection could not be made yet."""
    EVENT = auto()
    """An event arrived, or the event connection was made or lost."""
    RESPONSE = auto()
    """The response to one of the wait's reads was processed."""
    SILENCE = auto()
    """Nothing happened for a while."""


def ignore_response(_: object) -> None:
    """Ignore the response to a read that was made only for the log."""


@dataclass(eq=False, slots=True)
class _Read:
    """A requested read.

    Attributes:
        fetch: Sends the requests.
        take: Called with the result.
        key: Identifies duplicates: reads with the same key are the same.
        latest: Whether to drop the response after that of a newer read.
        task: The task that runs ``fetch``.
    """

    fetch: Callable[[], Awaitable[Any]]
    take: Callable[[Any], object]
    key: Hashable
    latest: bool
    task: asyncio.Task[Any] | None = None


class Changes:
    """An iterator, for use in an ``async with`` block, that yields a ``Change`` whenever something may have changed.

    A wait keeps its state elsewhere and checks it after each change. ``read()`` sends requests in the background. The
    loop never awaits a response, so an event that arrives in the meantime can end the wait at once.

    Failed reads are repeated while the server is down. Leaving the block cancels all reads and waits until they have
    ended.

    Attributes:
        tolerant: Whether to repeat reads while the server is down. If False, errors are raised at once until the
            server has responded for the first time.

    Example:
        ```python
        from invokeai_py_client.transport.socket import queue_room

        hub, statuses = client.connection.hub, []
        async with hub.changes(queue_room("default"), lambda name, payload: True, lambda: 20.0) as changes:
            async for _ in changes:
                if statuses and not statuses[-1].unfinished:
                    break
                changes.read(client.queue.status, statuses.append)
        ```
    """

    def __init__(
        self,
        patience: Callable[[], float],
        *,
        join: Callable[[], Awaitable[None]] | None = None,
        is_joined: Callable[[], bool] = lambda: True,
        outage_timeout: float = timing.LONGEST_OUTAGE,
        tolerant: bool = True,
    ) -> None:
        """Create a wait.

        Args:
            patience: Returns the number of seconds without a change after which ``Change.SILENCE`` is yielded. Called
                again after each change.
            join: Subscribes to the events. Called in the background whenever they do not arrive.
            is_joined: Returns whether events arrive, or will arrive when the event connection is back.
            outage_timeout: How long the server may be down, in seconds. Defaults to five minutes.
            tolerant: Whether to repeat reads while the server is down, even if it has not responded yet. Defaults to
                True.
        """
        self.tolerant = tolerant
        self._patience = patience
        self._join = join
        self._is_joined = is_joined
        self._outage = Outage(outage_timeout)
        self._started = False
        self._notified = False
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._reads: list[_Read] = []
        self._interrupted: list[_Read] = []
        self._waiting: dict[Callable[[], Awaitable[Any]], _Read] = {}
        self._ending: set[asyncio.Task[Any]] = set()
        self._returned: deque[_Read] = deque()
        self._waker: asyncio.Future[None] | None = None

    def notify(self) -> None:
        """Yield ``Change.EVENT``: something may have changed."""
        self._notified = True
        self._wake()

    def read(
        self,
        fetch: Callable[[], Awaitable[T]],
        take: Callable[[T], object],
        *,
        key: Hashable = None,
        latest: bool = True,
    ) -> None:
        """Start a read in the background.

        At most two calls of a function run at once. Any further reads become a single call, which starts when one of
        the two returns. A flood of events therefore cannot starve the reads, and a response that hangs cannot delay
        a newer one.

        Args:
            fetch: The function to await, in a separate task.
            take: Called with the result, just before ``Change.RESPONSE`` is yielded.
            key: If a read with this key has not returned yet, do nothing. Defaults to None: always start.
            latest: Whether to drop the response if that of a newer call of ``fetch`` arrived first. Defaults to True.
        """
        alike = [read for read in self._reads if read.fetch == fetch]
        waiting = self._waiting.get(fetch)
        if key is not None and any(read.key == key for read in (*alike, *([waiting] if waiting else []))):
            return
        read = _Read(fetch, take, key, latest)
        if len(alike) < _AT_ONCE:
            self._start(read)
        else:
            self._waiting[fetch] = read

    async def interrupt(self) -> None:
        """Cancel the running reads, because the connection is being closed.

        They are repeated when the wait requests its next change. An abandoned generator never does, so it does not
        open the connection again.
        """
        if self._loop is not asyncio.get_running_loop():
            return
        reads, self._reads = self._reads, []
        self._interrupted += reads
        tasks = [read.task for read in reads if read.task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def close(self) -> None:
        """Cancel all reads, and wait until they have ended."""
        self._closed = True  # Python 3.11 may lose a cancellation that meets the end of a wait_for
        self._waiting.clear()
        self._reads.clear()
        for task in self._ending:
            task.cancel()
        if self._ending:
            await asyncio.wait(tuple(self._ending))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Change:
        interrupted, self._interrupted = self._interrupted, []
        for read in interrupted:
            self._start(read)
        if self._join is not None and not self._is_joined():
            self.read(self._join, self._on_joined, key="join")
        if not self._started:
            return await self._first()
        if not await self._wait_for_change(self._patience()):
            return Change.SILENCE
        if self._returned:
            self._take(self._returned.popleft())
            return Change.RESPONSE
        self._notified = False
        self._outage.end()
        return Change.EVENT

    # ------------------------------------------------------------------ inside

    async def _first(self) -> Change:
        """Wait until events arrive, but only briefly if the connection is slow."""
        self._started = True
        with suppress(TimeoutError):
            async with asyncio.timeout(min(timing.POLL, self._patience())):
                while self._reads:
                    await self._woken()
        while self._returned:
            self._take(self._returned.popleft())
        self._notified = False
        return Change.START

    async def _wait_for_change(self, patience: float) -> bool:
        """Wait for an event or a response. Return False if neither arrives in time."""
        try:
            async with asyncio.timeout(patience):
                while not (self._notified or self._returned):
                    await self._woken()
        except TimeoutError:
            return False
        return True

    async def _woken(self) -> None:
        self._waker = asyncio.get_running_loop().create_future()
        await self._waker

    def _wake(self) -> None:
        if self._waker is not None and not self._waker.done():
            self._waker.set_result(None)

    def _start(self, read: _Read) -> None:
        read.task = asyncio.create_task(self._run(read.fetch))
        self._reads.append(read)

        def returned(task: asyncio.Task[Any]) -> None:
            self._ending.discard(task)
            if not task.cancelled():
                task.exception()  # marks the error as retrieved, because the wait may have ended
            if read in self._reads:
                self._end(read)
                self._returned.append(read)
                self._wake()

        self._ending.add(read.task)
        read.task.add_done_callback(returned)

    async def _run(self, fetch: Callable[[], Awaitable[Any]]) -> Any:
        while True:
            try:
                return await fetch()
            except APIRequestError as error:
                if self._closed or not self.tolerant:
                    raise
                await self._outage.tolerate(error)

    def _end(self, read: _Read) -> None:
        """Remove a read that has returned, and the older reads that it makes obsolete."""
        older = self._reads[: self._reads.index(read)]
        overtaken = [one for one in older if one.latest and one.fetch == read.fetch]
        for one in overtaken:
            if one.task is not None:
                one.task.cancel()
        self._reads = [one for one in self._reads if one is not read and one not in overtaken]
        waiting = self._waiting.pop(read.fetch, None)
        if waiting is not None:
            self._start(waiting)

    def _take(self, read: _Read) -> None:
        assert read.task is not None
        result = read.task.result()
        if read.fetch != self._join:  # which also returns if the wait starts without an event connection
            self._outage.end()
            self.tolerant = True
        read.take(result)

    def _on_joined(self, _: None) -> None:
        self.notify()  # earlier events were missed
