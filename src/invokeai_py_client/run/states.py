"""Reading how queue items stand, for many waits at once."""

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
from invokeai_py_client.run.queue_items import cheap_item_ids, pending_count, read_item, read_states
from invokeai_py_client.transport import timing

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection

# What was sent first ends first, most often: a few are read whole, so that those that have ended need not be read
# again; of some more the summaries. Neither waits for the summaries of all others, which take a busy server a while.
_WHOLE = 2
_NEAR = 20

_Kind = Literal["pending", "ids", "near", "again", "far"]
# Items are asked for with their ids, what concerns the whole queue with None.
_Asked = dict[int | None, list["asyncio.Future[Any]"]]


class StateReader:
    """Gives each wait its item, in as few requests as can be.

    After a reconnect every wait of a client looks at its item. The first one asks at once; what is asked for until the
    answer is there goes into one request. The same holds for what concerns the whole queue.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._asked: dict[tuple[str, _Kind], _Asked] = {}
        self._tasks: dict[tuple[str, _Kind], asyncio.Task[None]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._looked = -math.inf

    async def read(self, queue_id: str, item_id: int) -> Mapping[str, Any] | None:
        """The item, or its summary; None where it is gone.

        Raises:
            APIRequestError: The server refused or failed, or could not be reached.
        """
        # An answer that is on its way may be from before what made somebody ask: then it is asked for at once again.
        near = queue_id, "near"
        task = self._tasks.get(near)
        busy = near not in self._asked and task is not None and not task.done()
        return await self._ask(queue_id, "again" if busy else "near", item_id)

    async def pending(self, queue_id: str) -> int:
        """Return how many items of a queue are pending.

        Raises:
            APIRequestError: The server refused or failed, or could not be reached.
        """
        return await self._ask(queue_id, "pending", None)

    async def item_ids(self, queue_id: str) -> Sequence[int]:
        """Return the ids of all items of a queue, or nothing from a server that does not list them alone (before 6.7).

        Raises:
            APIRequestError: The server refused or failed, or could not be reached.
        """
        return await self._ask(queue_id, "ids", None) or ()

    async def warn_if_blocked(self, queue_id: str) -> None:
        """Nothing has gone on for a while: say in the log if the queue is blocked. Once for all who wait."""
        if time.monotonic() - self._looked >= timing.SILENCE:
            self._looked = time.monotonic()
            await warn_if_blocked(self._connection, queue_id)

    async def close(self) -> None:
        """Read no more: what goes on would open connections anew."""
        await cancel_and_wait(self._tasks.values())

    async def _ask(self, queue_id: str, kind: _Kind, key: int | None) -> Any:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:  # what went on in another loop has ended with it
            self._loop, self._asked, self._tasks = loop, {}, {}
        answer: asyncio.Future[Any] = loop.create_future()
        self._put((queue_id, kind), {key: [answer]})
        return await answer

    def _put(self, about: tuple[str, _Kind], asked: _Asked) -> None:
        """Have something answered, together with what else is asked for by then."""
        for key, answers in asked.items():
            self._asked.setdefault(about, {}).setdefault(key, []).extend(answers)
        task = self._tasks.get(about)
        if task is None or task.done():
            self._tasks[about] = asyncio.ensure_future(self._answer_all(about))

    async def _answer_all(self, about: tuple[str, _Kind]) -> None:
        queue_id, kind = about
        while asked := self._asked.pop(about, None):
            ids = sorted(key for key in asked if key is not None)
            try:
                if kind == "pending":
                    await _answer(asked, partial(pending_count, self._connection, queue_id))
                elif kind == "ids":
                    await _answer(asked, partial(cheap_item_ids, self._connection, queue_id))
                elif kind == "far":
                    await _answer(asked, partial(read_states, self._connection, queue_id, ids))
                else:
                    whole, near, far = ids[:_WHOLE], ids[_WHOLE : _WHOLE + _NEAR], ids[_WHOLE + _NEAR :]
                    if far:
                        self._put((queue_id, "far"), {key: asked[key] for key in far})
                    parts = [
                        ({key: asked[key]}, partial(_read_whole, self._connection, queue_id, key))
                        for key in whole
                    ]
                    parts.append(
                        (
                            {key: asked[key] for key in near},
                            partial(read_states, self._connection, queue_id, near),
                        )
                    )
                    await asyncio.gather(*(_answer(*part) for part in parts))
            except BaseException:  # nobody is to wait for an answer that will not come
                for answers in asked.values():
                    for answer in answers:
                        answer.cancel()
                raise


async def _answer(asked: Mapping[Any, list[asyncio.Future[Any]]], read: Callable[[], Awaitable[Any]]) -> None:
    """Give what is read to those who asked for it; many items come as a mapping of their ids."""
    found, trouble = None, None
    try:
        found = await read()
    except APIRequestError as error:
        trouble = error
    for key, answers in asked.items():
        for answer in answers:
            if answer.done():
                continue
            if trouble is not None:
                answer.set_exception(trouble)
            else:
                answer.set_result(found if key is None or found is None else found.get(key))


async def _read_whole(connection: Connection, queue_id: str, item_id: int) -> Mapping[int, Mapping[str, Any]]:
    try:
        return {item_id: await read_item(connection, queue_id, item_id)}
    except NotFoundError:
        return {}
