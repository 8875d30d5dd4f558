"""What the server says of one installation while somebody follows it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from invokeai_py_client.dnn_model.events import DOWNLOADING, after_event, concerns
from invokeai_py_client.models import ModelInstJobInfo
from invokeai_py_client.transport.socket import queue_room

if TYPE_CHECKING:
    from invokeai_py_client.transport.hub import EventHub


class InstallNews:
    """Collects the events of one job.

    Of a download's progress only the latest is kept: the server tells it many times a second.
    """

    def __init__(self, hub: EventHub, info: ModelInstJobInfo) -> None:
        self._hub = hub
        self._info = info
        self._told: deque[tuple[str, Mapping[str, Any]]] = deque()
        self._missed = False
        self._something = asyncio.Event()

    @property
    def flow(self) -> bool:
        """Whether there is a connection for events."""
        return self._hub.connected

    async def next(self, info: ModelInstJobInfo, timeout: float) -> ModelInstJobInfo | None:
        """The job after what is told next; None where it has to be read: time is up, or events were missed."""
        try:
            async with asyncio.timeout(max(timeout, 0)):
                await self._something.wait()
        except TimeoutError:
            return None
        if self._missed:
            self._missed = False
            self._told.clear()  # what is read now is newer
        told = self._told.popleft() if self._told else None
        if not self._told:
            self._something.clear()
        return None if told is None else after_event(info, *told)

    def on_event(self, name: str, payload: Any) -> None:
        """Take an event of the server's, whomever it is about."""
        if name == "connect":
            self._missed = True
        elif not concerns(self._info, name, payload):
            return
        elif name == DOWNLOADING and self._told and self._told[-1][0] == DOWNLOADING:
            self._told[-1] = (name, payload)
        else:
            self._told.append((name, payload))
        self._something.set()


@asynccontextmanager
async def news_of(hub: EventHub, info: ModelInstJobInfo) -> AsyncGenerator[InstallNews]:
    """The news of one job, for the length of an ``async with`` block.

    Nobody waits for a connection: where none comes about, there are no news.
    """
    news = InstallNews(hub, info)

    async def listen() -> None:
        # 6.12 and 6.13 tell of models only those who follow a queue.
        async with hub.listening(queue_room("default"), news.on_event):
            news.on_event("connect", None)  # what was said before is missed
            await over.wait()

    over = asyncio.Event()
    listening = asyncio.create_task(listen())
    try:
        yield news
    finally:
        over.set()  # Python 3.11 may lose a cancellation that meets the end of a wait_for, as in the library
        listening.cancel()
        await asyncio.wait([listening])
