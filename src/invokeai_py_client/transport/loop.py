"""The bridge from synchronous callers to the asynchronous code: one background event loop.

Everything is written once, asynchronously. A synchronous client owns a :class:`LoopThread` and hands each
call to it. So a script gets live events and concurrent downloads without an event loop of its own, and the
same client works inside a running loop (Jupyter), in threads, and after a fork.
"""

from __future__ import annotations

import asyncio
import os
import queue
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextvars import ContextVar
from typing import Any, TypeVar

from invokeai_py_client.errors import UsageError

T = TypeVar("T")

_Inbox = queue.SimpleQueue["Callable[[], None] | None"]
_Answer = Callable[["BaseException | None"], None]
_Caller = Callable[[Callable[..., object], tuple[object, ...], _Answer], None]
_caller: ContextVar[_Caller | None] = ContextVar("invokeai_py_client_caller", default=None)

# A blocked thread cannot be interrupted on Windows, so there it looks up now and then.
_PATIENCE = 0.1 if sys.platform == "win32" else None


async def call_back(function: Callable[..., object], *args: object) -> None:
    """Call a user's function where the user is: in the calling thread, or in the calling event loop.

    There it may use the client again, print, or raise; what it raises comes out of the call that it
    belongs to. An asynchronous function is awaited.
    """
    caller = _caller.get()
    if caller is None:
        await _invoke(function, args)
        return
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def settle(error: BaseException | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    caller(function, args, lambda error: loop.call_soon_threadsafe(settle, error) and None)
    await done


async def _invoke(function: Callable[..., object], args: tuple[object, ...]) -> None:
    outcome = function(*args)
    if isinstance(outcome, Awaitable):
        await outcome


def _from_thread(inbox: _Inbox) -> _Caller:
    """Calls back in a thread that waits at ``inbox``."""

    def caller(function: Callable[..., object], args: tuple[object, ...], answer: _Answer) -> None:
        def job() -> None:
            error = None
            try:
                outcome = function(*args)
                if isinstance(outcome, Coroutine):
                    outcome.close()
                    raise UsageError("An asynchronous callback needs the AsyncInvokeAIClient.")
            except Exception as raised:  # noqa: BLE001 - handed to the coroutine, which raises it
                error = raised
            answer(error)

        inbox.put(job)

    return caller


def _from_loop(loop: asyncio.AbstractEventLoop) -> _Caller:
    """Calls back in another event loop."""

    def caller(function: Callable[..., object], args: tuple[object, ...], answer: _Answer) -> None:
        future = asyncio.run_coroutine_threadsafe(_invoke(function, args), loop)
        future.add_done_callback(lambda done: answer(None if done.cancelled() else done.exception()))

    return caller


class LoopThread:
    """An event loop in a daemon thread, started when it is first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._pid = 0

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop, and wait for it.

        An interruption (Ctrl-C) cancels the coroutine, waits until it has cleaned up, and goes on.

        Raises:
            UsageError: Called from the loop's own thread, where waiting would never end.
        """
        try:
            loop = self._running_loop()
        except UsageError:
            coroutine.close()
            raise
        inbox: _Inbox = queue.SimpleQueue()

        async def main() -> T:
            _caller.set(_from_thread(inbox))
            return await coroutine

        future = asyncio.run_coroutine_threadsafe(main(), loop)
        future.add_done_callback(lambda _: inbox.put(None))
        try:
            self._serve(inbox)
        except BaseException:
            self._cancel(future, inbox)
            raise
        return future.result()

    async def await_from_elsewhere(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop, awaited from another loop."""
        here = asyncio.get_running_loop()

        async def main() -> T:
            _caller.set(_from_loop(here))
            return await coroutine

        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(main(), self._running_loop()))

    async def follow(self, items: AsyncIterator[T]) -> AsyncIterator[T]:
        """Go through an asynchronous iterator that lives on the loop, from another loop."""

        async def following() -> T:
            return await anext(items)

        try:
            while True:
                try:
                    item = await self.await_from_elsewhere(following())
                except StopAsyncIteration:
                    return
                yield item
        finally:
            close = getattr(items, "aclose", None)
            if close is not None:
                await self.await_from_elsewhere(close())

    def iterate(self, items: AsyncIterator[T]) -> Iterator[T]:
        """Go through an asynchronous iterator, item by item."""

        async def following() -> T:
            return await anext(items)

        try:
            while True:
                try:
                    item = self.call(following())
                except StopAsyncIteration:
                    return
                yield item
        finally:
            close = getattr(items, "aclose", None)
            if close is not None:
                self.call(close())

    @property
    def thread(self) -> threading.Thread | None:
        """The loop's thread, if there is one."""
        return self._thread

    @property
    def is_running(self) -> bool:
        """Whether the loop runs in this process."""
        return self._pid == os.getpid() and self._thread is not None and self._thread.is_alive()

    def close(self) -> None:
        """Stop the loop and its thread. A later call starts anew."""
        with self._lock:
            loop, thread, pid = self._loop, self._thread, self._pid
            self._loop = self._thread = None
        if loop is None or thread is None or pid != os.getpid() or thread is threading.current_thread():
            return
        if thread.is_alive():
            loop.call_soon_threadsafe(loop.stop)
            thread.join()

    # ------------------------------------------------------------------ inside

    @staticmethod
    def _serve(inbox: _Inbox) -> None:
        """Run the jobs that the coroutine sends to this thread, until it has ended."""
        while True:
            try:
                job = inbox.get(timeout=_PATIENCE)
            except queue.Empty:
                continue
            if job is None:
                return
            job()

    def _cancel(self, future: Future[Any], inbox: _Inbox) -> None:
        if not future.cancel():
            return
        # The done callback has put its None already (a cancelled future is done at once), while the task
        # still cleans up: wait for the loop to have gone round with nothing of it left.
        loop = self._loop
        if loop is not None:
            settled = threading.Event()

            async def settle() -> None:
                others = [
                    t for t in asyncio.all_tasks() if t.cancelling() and t is not asyncio.current_task()
                ]
                await asyncio.wait(others, timeout=5) if others else None
                settled.set()

            asyncio.run_coroutine_threadsafe(settle(), loop)
            settled.wait(6)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._thread is threading.current_thread():
                raise UsageError(
                    "A synchronous call from the client's own event thread would wait for itself. "
                    "Call it from another thread, or use AsyncInvokeAIClient."
                )
            if self._loop is None or not self.is_running:  # after a fork, too: the loop is the parent's
                self._pid = os.getpid()
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=_run, args=(self._loop,), name="invokeai-py-client", daemon=True
                )
                self._thread.start()
            return self._loop


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
