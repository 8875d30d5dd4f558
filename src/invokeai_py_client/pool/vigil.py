"""Whether a server still responds while it works on orders."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from invokeai_py_client.api.app import AsyncAppApi
from invokeai_py_client.errors import APIRequestError, ServerUnreachableError
from invokeai_py_client.transport import timing

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection

# How long a server has to respond, in seconds.
_PATIENCE = 5.0
# After how many seconds without an event the server is asked. A hung server keeps its connections.
_SILENCE = 5.0
# How long a server may refuse connections while another one can do its runs, in seconds. It is being restarted at best.
_REFUSED = 3.0


async def find_trouble(connection: Connection) -> APIRequestError | None:
    """Return why a server does not respond, or None if it does."""
    try:
        await connection.part(AsyncAppApi).app_version(timeout=_PATIENCE)
    except APIRequestError as error:
        return error
    return None


class Vigil:
    """Watches whether a server responds while orders are at work there. All of them share its questions.

    Args:
        connection: The server. Its ``outage_timeout`` is the longest time that it may not respond, in seconds.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._orders = 0
        self._task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._error: APIRequestError | None = None
        self._since = 0.0

    async def until_lost(self, *, others: bool) -> APIRequestError:
        """Return why the server counts as lost, when it has not responded for too long.

        Args:
            others: Whether another server can do the runs of the order. Then refused connections are tolerated for 3
                seconds only.
        """
        self._orders += 1
        watching = self._task
        if watching is None:
            self._error = None
            watching = self._task = asyncio.create_task(self._watch())
        try:
            while True:
                await self._news.wait()
                if self._error is not None and self._is_over(self._error, others=others):
                    return self._error
        finally:
            self._orders -= 1
            if not self._orders:
                watching.cancel()
                self._task = None

    def _is_over(self, error: APIRequestError, *, others: bool) -> bool:
        longest = self._connection.settings.outage_timeout
        if others and type(error) is ServerUnreachableError:  # its subclasses are other faults than a refusal
            longest = min(longest, _REFUSED)
        return time.monotonic() - self._since >= longest

    async def _watch(self) -> None:
        hub, asked = self._connection.hub, time.monotonic()
        while True:
            await asyncio.sleep(timing.POLL)
            now = time.monotonic()
            if self._error is None and hub.connected and now - max(asked, hub.heard) < _SILENCE:
                continue
            asked, before = now, self._error
            self._error = await find_trouble(self._connection)
            if before is None:
                self._since = asked
            self._news.set()
            self._news = asyncio.Event()
