"""The one loop in which everything waits for a server: events, responses and silence, raced against each other."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Self, TypeVar

from invokeai_py_client.errors import APIRequestError
from invokeai_py_client.transport import timing

T = TypeVar("T")

# A read whose response hangs does not keep a newer read from being sent.
_AT_ONCE = 2


class Change(Enum):
    """Why a wait looks again."""

    START = auto()
    """The wait has begun: its events arrive from now on, or no connection for them could be made yet."""
    EVENT = auto()
    """Something was announced, or the event connection was lost or made."""
    RESPONSE = auto()
    """A response to one of the wait's reads was taken."""
    SILENCE = auto()
    """Nothing happened for a while."""


@dataclass(eq=False, slots=True)
class _Read:
    """A read that was asked for.

    Attributes:
        fetch: Makes the requests.
        take: Called with their result.
        key: Reads with the same key are the same.
        latest: Whether the response is of no use after that of a newer read.
        task: Runs ``fetch``.
    """

    fetch: Callable[[], Awaitable[Any]]
    take: Callable[[Any], object]
    key: Hashable
    latest: bool
    task: asyncio.Task[Any] | None = None


class Changes:
    """Yields a ``Change`` whenever something may have changed, in an ``async with`` block.

    A wait keeps its state elsewhere, and looks at it after each change. Requests are made by ``read()`` in the
    background: the loop never awaits a response, so an event that arrives meanwhile ends the wait at once.

    Failed reads are repeated while the server is away. Leaving the block cancels all reads and waits until they have
    ended.

    Attributes:
        tolerant: Whether reads are repeated while the server is away; otherwise their errors are raised at once.

    Example:
        ```python
        from invokeai_py_client.transport.socket import queue_room

        hub, statuses = client.connection.hub, []
        async with hub.changes(queue_room("default"), lambda name, payload: True, lambda: 20.0) as changes:
            async for _ in changes:
                if statuses and not statuses[-1].unfinished:
                    break
                changes.read(client.queue_repo.status, statuses.append)
        ```
    """

    def __init__(
        self,
        patience: Callable[[], float],
        *,
        join: Callable[[], Awaitable[None]] | None = None,
        is_joined: Callable[[], bool] = lambda: True,
        tolerant: bool = True,
    ) -> None:
        """Create a wait.

        Args:
            patience: Returns after how many seconds without a change ``Change.SILENCE`` is due. Asked again after
                each change.
            join: Makes events arrive. It is called in the background whenever they do not.
            is_joined: Whether events arrive, or will when the event connection is back.
            tolerant: Whether reads are repeated while the server is away.
        """
        self.tolerant = tolerant
        self._patience = patience
        self._join = join
        self._is_joined = is_joined
        self._contact = time.monotonic()
        self._started = False
        self._notified = False
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._reads: list[_Read] = []
        self._interrupted: list[_Read] = []
        self._wished: dict[Callable[[], Awaitable[Any]], _Read] = {}
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

        At most two calls of a function run at once. What is asked for beyond that becomes a single call that starts
        when one of the two returns: a flood of events cannot starve the reads, and a response that hangs cannot keep
        a newer one away.

        Args:
            fetch: Awaited in a task of its own.
            take: Called with the result, just before ``Change.RESPONSE`` is yielded.
            key: Does nothing if a read with this key has not returned yet. Defaults to None: always start.
            latest: Whether to drop the response if that of a newer call of ``fetch`` came first.
        """
        alike = [read for read in self._reads if read.fetch == fetch]
        wished = self._wished.get(fetch)
        if key is not None and any(read.key == key for read in (*alike, *([wished] if wished else []))):
            return
        read = _Read(fetch, take, key, latest)
        if len(alike) < _AT_ONCE:
            self._start(read)
        else:
            self._wished[fetch] = read

    async def interrupt(self) -> None:
        """Cancel the reads that are under way, because the connection is being closed.

        They are repeated when the wait asks for its next change. An abandoned generator never does, and so does not
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
        self._wished.clear()
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
        if not await self._something(self._patience()):
            return Change.SILENCE
        if self._returned:
            self._take(self._returned.popleft())
            return Change.RESPONSE
        self._notified = False
        self._contact = time.monotonic()
        return Change.EVENT

    # ------------------------------------------------------------------ inside

    async def _first(self) -> Change:
        """Wait until events arrive, but not for a connection that takes its time."""
        self._started = True
        with suppress(TimeoutError):
            async with asyncio.timeout(min(timing.POLL, self._patience())):
                while self._reads:
                    await self._woken()
        while self._returned:
            self._take(self._returned.popleft())
        self._notified = False
        return Change.START

    async def _something(self, patience: float) -> bool:
        """Wait for an event or a response; False if there was none for so long."""
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
                task.exception()  # retrieved here, because nobody may be left to take it
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
                await timing.tolerate_outage(error, self._contact)

    def _end(self, read: _Read) -> None:
        """Remove a read that has returned, and those that it has overtaken."""
        older = self._reads[: self._reads.index(read)]
        overtaken = [one for one in older if one.latest and one.fetch == read.fetch]
        for one in overtaken:
            if one.task is not None:
                one.task.cancel()
        self._reads = [one for one in self._reads if one is not read and one not in overtaken]
        wished = self._wished.pop(read.fetch, None)
        if wished is not None:
            self._start(wished)

    def _take(self, read: _Read) -> None:
        assert read.task is not None
        result = read.task.result()
        self._contact = time.monotonic()
        read.take(result)

    def _on_joined(self, _: None) -> None:
        self.notify()  # earlier events were missed
