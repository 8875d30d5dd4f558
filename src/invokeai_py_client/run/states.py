"""Read the status of queue items for many concurrent waits."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from invokeai_py_client._aio import cancel_and_wait
from invokeai_py_client.errors import APIRequestError, NotFoundError
from invokeai_py_client.run.blockage import warn_if_blocked
from invokeai_py_client.run.queue_items import (
    cheap_item_ids,
    of_batch,
    pending_count,
    read_item,
    read_items,
    read_states,
)
from invokeai_py_client.transport import timing

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection

# Items usually end in the order in which they were sent. The first few are read whole, so that those that have ended
# need not be read again, and the next ones as summaries. Neither waits for the summaries of the remaining items, which
# take a busy server a while.
_WHOLE = 2
_NEAR = 20

# How many whole items are read per request.
_ITEMS = 100

_Kind = Literal["pending", "ids", "near", "again", "far", "items", "items again"]
# The key is an item's id, or None for reads that concern the whole queue.
_Requested = dict[int | None, list["asyncio.Future[Any]"]]


class StateReader:
    """Reads items for all waits of a connection in as few requests as possible.

    After a reconnect, every wait of a client reads its item. The first read starts at once. All reads that are
    requested until its response arrives are combined into one request. The same applies to reads of the whole queue.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._requested: dict[tuple[str, _Kind], _Requested] = {}
        self._tasks: dict[tuple[str, _Kind], asyncio.Task[None]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._checked = -math.inf
        self._blockages: dict[str, str | None] = {}

    async def read(self, queue_id: str, item_id: int, batch_id: str) -> Mapping[str, Any] | None:
        """Return the item or its summary, or None if its batch no longer has it.

        Raises:
            APIRequestError: The server refused the request, failed, or could not be reached.
        """
        # A response that is on its way may be older than the change that caused this call, so read again at once.
        kind: _Kind = "again" if self._is_busy(queue_id, "near") else "near"
        return of_batch(await self._request(queue_id, kind, item_id), batch_id)

    async def read_whole(self, queue_id: str, item_id: int, batch_id: str) -> Mapping[str, Any] | None:
        """Return the whole item, or None if it no longer exists or belongs to another batch.

        Raises:
            APIRequestError: The server refused the request, failed, or could not be reached.
        """
        # A response that hangs must not delay other reads.
        kind: _Kind = "items again" if self._is_busy(queue_id, "items") else "items"
        return of_batch(await self._request(queue_id, kind, item_id), batch_id)

    def _is_busy(self, queue_id: str, kind: _Kind) -> bool:
        task = self._tasks.get((queue_id, kind))
        return (queue_id, kind) not in self._requested and task is not None and not task.done()

    async def pending(self, queue_id: str) -> int:
        """Return how many items of a queue are pending.

        Raises:
            APIRequestError: The server refused the request, failed, or could not be reached.
        """
        return await self._request(queue_id, "pending", None)

    async def item_ids(self, queue_id: str) -> Sequence[int]:
        """Return the ids of all items of a queue, or an empty list if the server can't list ids alone (before 6.7).

        Raises:
            APIRequestError: The server refused the request, failed, or could not be reached.
        """
        return await self._request(queue_id, "ids", None) or ()

    async def warn_if_blocked(self, queue_id: str) -> None:
        """Log a warning if the queue is blocked. Called after a period of silence; checks once for all waits.

        A blockage is logged once.
        """
        if time.monotonic() - self._checked >= timing.SILENCE:
            self._checked = math.inf  # a check takes several seconds
            try:
                known = self._blockages.get(queue_id)
                self._blockages[queue_id] = await warn_if_blocked(self._connection, queue_id, known)
            finally:
                self._checked = time.monotonic()

    async def close(self) -> None:
        """Cancel all reads, because they would open connections again."""
        await cancel_and_wait(self._tasks.values())

    async def _request(self, queue_id: str, kind: _Kind, key: int | None) -> Any:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:  # reads in another loop ended with it
            self._loop, self._requested, self._tasks = loop, {}, {}
        future: asyncio.Future[Any] = loop.create_future()
        self._add((queue_id, kind), {key: [future]})
        return await future

    def _add(self, target: tuple[str, _Kind], requested: _Requested) -> None:
        """Add to the reads that the next request combines."""
        for key, futures in requested.items():
            self._requested.setdefault(target, {}).setdefault(key, []).extend(futures)
        task = self._tasks.get(target)
        if task is None or task.done():
            self._tasks[target] = asyncio.ensure_future(self._read_all(target))

    async def _read_all(self, target: tuple[str, _Kind]) -> None:
        queue_id, kind = target
        while requested := self._requested.pop(target, None):
            ids = sorted(key for key in requested if key is not None)
            try:
                if kind == "pending":
                    await _fulfill(requested, partial(pending_count, self._connection, queue_id))
                elif kind == "ids":
                    await _fulfill(requested, partial(cheap_item_ids, self._connection, queue_id))
                elif kind == "far":
                    await _fulfill(requested, partial(read_states, self._connection, queue_id, ids))
                elif kind in ("items", "items again"):
                    ids = ids[:_ITEMS]
                    later = {key: requested.pop(key) for key in requested.keys() - set(ids)}
                    if later:
                        self._requested.setdefault(target, {}).update(later)
                    await _fulfill(requested, partial(_read_items, self._connection, queue_id, ids))
                else:
                    whole, near, far = ids[:_WHOLE], ids[_WHOLE : _WHOLE + _NEAR], ids[_WHOLE + _NEAR :]
                    if far:
                        self._add((queue_id, "far"), {key: requested[key] for key in far})
                    parts = [
                        ({key: requested[key]}, partial(_read_whole, self._connection, queue_id, key))
                        for key in whole
                    ]
                    parts.append(
                        (
                            {key: requested[key] for key in near},
                            partial(read_states, self._connection, queue_id, near),
                        )
                    )
                    await asyncio.gather(*(_fulfill(*part) for part in parts))
            except BaseException:  # the futures must not wait for a response that will not come
                for futures in requested.values():
                    for future in futures:
                        future.cancel()
                raise


async def _fulfill(
    requested: Mapping[Any, list[asyncio.Future[Any]]], read: Callable[[], Awaitable[Any]]
) -> None:
    """Read, and set the result of each future. Reads of several items return a mapping by id."""
    found, failure = None, None
    try:
        found = await read()
    except APIRequestError as error:
        failure = error
    for key, futures in requested.items():
        for future in futures:
            if future.done():
                continue
            if failure is not None:
                future.set_exception(failure)
            else:
                future.set_result(found if key is None or found is None else found.get(key))


async def _read_items(
    connection: Connection, queue_id: str, ids: Sequence[int]
) -> Mapping[int, Mapping[str, Any]]:
    if len(ids) == 1:
        return await _read_whole(connection, queue_id, ids[0])
    return await read_items(connection, queue_id, ids)


async def _read_whole(connection: Connection, queue_id: str, item_id: int) -> Mapping[int, Mapping[str, Any]]:
    try:
        return {item_id: await read_item(connection, queue_id, item_id)}
    except NotFoundError:
        return {}
