"""Reading how queue items stand, for many waits at once."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from invokeai_py_client.errors import APIRequestError, NotFoundError
from invokeai_py_client.run import patience
from invokeai_py_client.run.again import QueueLength, queue_length
from invokeai_py_client.run.blocked import warn_if_blocked
from invokeai_py_client.run.bulk import read_item, read_items, read_states

if TYPE_CHECKING:
    from invokeai_py_client.client import AsyncInvokeAIClient

# A few are read whole, so that those that have ended need not be read again; of many the summaries.
_WHOLE = 4
# Asked for with an item's id; the length of the queue is asked for with none.
_Answers = dict[int | None, list["asyncio.Future[Any]"]]


class StateReader:
    """Gives each wait its item, in as few requests as can be.

    After a reconnect every wait of a client looks at its item. The first one asks at once; what is asked for until the
    answer is there goes into one request. The same holds for the length of the queue.
    """

    def __init__(self) -> None:
        self._asked: dict[tuple[str, bool], _Answers] = {}
        self._tasks: dict[tuple[str, bool], asyncio.Task[None]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._looked = -math.inf

    async def read(
        self, client: AsyncInvokeAIClient, queue_id: str, item_id: int
    ) -> Mapping[str, Any] | None:
        """The item, or its summary; None where it is gone.

        Raises:
            APIRequestError: The server refused or failed, or could not be reached.
        """
        return await self._ask(client, queue_id, item_id)

    async def length(self, client: AsyncInvokeAIClient, queue_id: str) -> QueueLength:
        """How long the queue is.

        Raises:
            APIRequestError: The server refused or failed, or could not be reached.
        """
        return await self._ask(client, queue_id, None)

    async def look_why(self, client: AsyncInvokeAIClient, queue_id: str) -> None:
        """Nothing has gone on for a while: say in the log if the queue is blocked. Once for all who wait."""
        if time.monotonic() - self._looked >= patience.SILENCE:
            self._looked = time.monotonic()
            await warn_if_blocked(client, queue_id)

    async def close(self) -> None:
        """Read no more: what goes on would open connections anew."""
        tasks = [task for task in self._tasks.values() if self._loop is asyncio.get_running_loop()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, client: AsyncInvokeAIClient, queue_id: str, key: int | None) -> Any:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:  # what went on in another loop has ended with it
            self._loop, self._asked, self._tasks = loop, {}, {}
        answer: asyncio.Future[Any] = loop.create_future()
        about = queue_id, key is None
        self._asked.setdefault(about, {}).setdefault(key, []).append(answer)
        task = self._tasks.get(about)
        if task is None or task.done():
            self._tasks[about] = asyncio.ensure_future(self._answer_all(client, about))
        return await answer

    async def _answer_all(self, client: AsyncInvokeAIClient, about: tuple[str, bool]) -> None:
        queue_id, is_length = about
        while asked := self._asked.pop(about, None):
            answers = [answer for several in asked.values() for answer in several]
            found: Mapping[int | None, Any]
            try:
                if is_length:
                    found = {None: await queue_length(client, queue_id)}
                else:
                    found = await _read(client, queue_id, [key for key in asked if key is not None])
            except APIRequestError as error:
                for answer in answers:
                    if not answer.done():
                        answer.set_exception(error)
            except BaseException:
                for answer in answers:
                    answer.cancel()
                raise
            else:
                for key, several in asked.items():
                    for answer in several:
                        if not answer.done():
                            answer.set_result(found.get(key))


async def _read(client: AsyncInvokeAIClient, queue_id: str, item_ids: list[int]) -> Mapping[int | None, Any]:
    if len(item_ids) > _WHOLE:
        return {**await read_states(client, queue_id, item_ids)}
    if len(item_ids) > 1:
        return {**await read_items(client, queue_id, item_ids)}
    try:
        item = await read_item(client, queue_id, item_ids[0])
    except NotFoundError:
        return {}
    return {item_ids[0]: item}
