"""What a client holds open: requests, events, and the background loop of its synchronous face.

Apart from the client, so that they can still be closed when the client itself is gone.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from invokeai_py_client.run.feed import EventFeed
    from invokeai_py_client.transport.http import HttpTransport
    from invokeai_py_client.transport.loop import LoopThread
    from invokeai_py_client.transport.settings import ConnectionSettings


class Connections:
    """The open ends of one client, each made when it is first needed."""

    def __init__(self, settings: ConnectionSettings) -> None:
        self._settings = settings
        self._http: HttpTransport | None = None
        self._feed: EventFeed | None = None
        self._working: set[asyncio.Task[None]] = set()
        self.loop_thread: LoopThread | None = None
        self.lock = threading.Lock()

    @property
    def http(self) -> HttpTransport:
        """Requests."""
        if self._http is None:
            from invokeai_py_client.transport.http import HttpTransport

            self._http = HttpTransport(self._settings)
        return self._http

    @property
    def feed(self) -> EventFeed:
        """Events."""
        if self._feed is None:
            from invokeai_py_client.run.feed import EventFeed

            self._feed = EventFeed(self._settings, self.http.sign_in.first)
        return self._feed

    async def renew_events(self) -> None:
        """Somebody else is signed in: have events as that one, where there were any."""
        if self._feed is not None:
            await self._feed.renew()

    def work(self, task: asyncio.Task[None]) -> None:
        """Have a task ended before the connections that it uses are closed."""
        self._working.add(task)
        task.add_done_callback(self._working.discard)

    async def close(self) -> None:
        """Close what is open."""
        working = [task for task in self._working if task.get_loop() is asyncio.get_running_loop()]
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
        if self._feed is not None:
            await self._feed.close()
        if self._http is not None:
            await self._http.close()

    def end(self) -> None:
        """Close what is open, and stop the background loop; from any thread, even at the end of Python."""
        thread = self.loop_thread
        if thread is None or not thread.is_running or thread.thread is threading.current_thread():
            return
        thread.call(self.close())
        thread.close()
