"""The bridge from synchronous callers to the asynchronous code: one background event loop.

Everything is written once, asynchronously. A synchronous client owns a ``LoopThread`` and hands each
call to it. So a script gets live events and concurrent downloads without an event loop of its own, and the
same client works inside a running loop (Jupyter), in threads, and after a fork.
"""

from __future__ import annotations

import asyncio
import os
import queue
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, TypeVar

from invokeai_py_client.errors import ConnectionLostError, UsageError

T = TypeVar("T")

_Inbox = queue.SimpleQueue["Callable[[], None] | None"]
_Answer = Callable[["BaseException | None"], None]
_Caller = Callable[[Callable[..., object], tuple[object, ...], _Answer], None]
_caller: ContextVar[_Caller | None] = ContextVar("invokeai_py_client_caller", default=None)

# A blocked thread cannot be interrupted on Windows, so there it looks up now and then.
_PATIENCE = 0.1 if sys.platform == "win32" else None
# How long an interrupted call may clean up before its caller goes on.
_CLEANUP = 5.0

# Loops of a parent process, in a forked one. They are kept: were they collected, their tasks would complain,
# and their sockets would be taken out of the selector that the parent still waits on.
_PARENTS: list[asyncio.AbstractEventLoop] = []


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
            return
        if isinstance(error, StopIteration):  # it cannot be raised into a coroutine
            stop, error = error, RuntimeError("The callback raised StopIteration.")
            error.__cause__ = stop
        done.set_exception(error)

    def answer(error: BaseException | None) -> None:
        with suppress(RuntimeError):  # the callback closed the client, and so this loop
            loop.call_soon_threadsafe(settle, error)

    caller(function, args, answer)
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
        self._pid = os.getpid()

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop, and wait for it.

        An interruption (Ctrl-C) cancels the coroutine, waits until it has cleaned up, and goes on.

        Raises:
            UsageError: Called from the loop's own thread, where waiting would never end.
            ConnectionLostError: The loop was closed meanwhile.
        """
        inbox: _Inbox = queue.SimpleQueue()
        future = self._start(coroutine, _from_thread(inbox), lambda: inbox.put(None))
        try:
            self._serve(inbox)
        except BaseException:
            if future.cancel():
                self._serve(inbox, at_most=_CLEANUP)
            raise
        try:
            return future.result()
        except CancelledError:
            raise _closed() from None

    async def await_from_elsewhere(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop, awaited from another loop.

        When the awaiting task is cancelled, so is the coroutine, and its cleanup is waited for.

        Raises:
            UsageError: Called from the loop's own thread, where waiting would never end.
            ConnectionLostError: The loop was closed meanwhile.
        """
        here = asyncio.get_running_loop()
        over = asyncio.Event()

        def ended() -> None:
            with suppress(RuntimeError):  # nobody waits any more: that loop is closed
                here.call_soon_threadsafe(over.set)

        future = self._start(coroutine, _from_loop(here), ended)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and not task.cancelling():
                raise _closed() from None
            await over.wait()
            raise

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
            if close is not None and self.is_running:  # closing the loop has closed the iterator
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
            if close is not None and self.is_running:  # closing the loop has closed the iterator
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
        self._leave_parent()
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
            if loop is None or thread is None or not thread.is_alive():
                return
            loop.call_soon_threadsafe(loop.stop)
        if thread is not threading.current_thread():
            thread.join()

    # ------------------------------------------------------------------ inside

    def _start(
        self, coroutine: Coroutine[Any, Any, T], caller: _Caller, ended: Callable[[], None]
    ) -> Future[T]:
        """Hand a coroutine to the loop; ``ended`` is called there when nothing of it is left."""

        async def main() -> T:
            _caller.set(caller)
            try:
                return await coroutine
            finally:
                ended()

        self._leave_parent()
        with self._lock:  # so that the loop is not closed before it has the coroutine
            try:
                loop = self._running_loop()
            except UsageError:
                coroutine.close()
                raise
            return asyncio.run_coroutine_threadsafe(main(), loop)

    @staticmethod
    def _serve(inbox: _Inbox, at_most: float | None = None) -> None:
        """Run the jobs that the coroutine sends to this thread, until it has ended."""
        until = None if at_most is None else time.monotonic() + at_most
        while True:
            try:
                job = inbox.get(timeout=_PATIENCE if until is None else max(0.0, until - time.monotonic()))
            except queue.Empty:
                if until is not None:
                    return
                continue
            if job is None:
                return
            job()

    def _leave_parent(self) -> None:
        """After a fork there is neither the thread nor, perhaps, an open lock: begin anew."""
        if self._pid == os.getpid():
            return
        if self._loop is not None:
            _PARENTS.append(self._loop)
        self._lock = threading.Lock()
        self._loop = self._thread = None
        self._pid = os.getpid()

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._thread is threading.current_thread():
            raise UsageError(
                "A synchronous call from the client's own event thread would wait for itself. "
                "Call it from another thread, or use AsyncInvokeAIClient."
            )
        if self._loop is None or not self.is_running:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(
                target=_run, args=(self._loop,), name="invokeai-py-client", daemon=True
            )
            self._thread.start()
        return self._loop


def _closed() -> ConnectionLostError:
    return ConnectionLostError(None, None, "The client was closed while this call went on.")


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        # What came just before the end takes its first step, so that there is something to cancel.
        loop.run_until_complete(asyncio.sleep(0))
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
