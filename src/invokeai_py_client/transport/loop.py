"""The bridge from synchronous callers to the asynchronous code: one background event loop.

All I/O is written once, asynchronously. A synchronous client owns a ``LoopThread`` and runs each call in it. So a
script gets live events and concurrent downloads without running an event loop, and the same client works inside a
running event loop (Jupyter), in threads, and after a fork.
"""

from __future__ import annotations

import asyncio
import os
import queue
import sys
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, TypeVar
from weakref import WeakSet

from invokeai_py_client._aio import raise_if_exiting
from invokeai_py_client.errors import ConnectionLostError, UsageError

T = TypeVar("T")

_Inbox = queue.SimpleQueue["Callable[[], None] | None"]
_Report = Callable[["BaseException | None"], None]
_Caller = Callable[[Callable[..., object], tuple[object, ...], _Report], None]
_Undo = Callable[[], Coroutine[Any, Any, object]]


class _Call:
    """A call from another thread or event loop.

    Attributes:
        caller: Calls back in the thread or event loop of the caller.
        ended: Called when the call has ended.
        returned: Whether the coroutine has returned.
        undo: What to await if the caller never receives the result.
    """

    def __init__(self, caller: _Caller, ended: Callable[[], None]) -> None:
        self.caller = caller
        self.ended = ended
        self.returned = False
        self.undo: list[_Undo] = []

    async def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run the coroutine of the call."""
        _call.set(self)
        try:
            result = await coroutine
            self.returned = True
            return result
        finally:
            self.ended()

    async def undo_all(self) -> None:
        """Undo the effects of a call that has returned, because its caller was interrupted at that moment."""
        for undo in self.undo if self.returned else ():
            await undo()


_call: ContextVar[_Call | None] = ContextVar("invokeai_py_client_call", default=None)

# On Windows, a blocked thread cannot be interrupted, so it wakes up at this interval, in seconds.
_PATIENCE = 0.1 if sys.platform == "win32" else None
# How long an interrupted call may clean up before its caller continues, in seconds.
_CLEANUP = 10.0

# Event loops of the parent process, kept in a forked process. If they were garbage-collected, their tasks would log
# warnings, and their sockets would be removed from the selector that the parent still uses.
_PARENTS: list[asyncio.AbstractEventLoop] = []


async def call_back(function: Callable[..., object], *args: object) -> None:
    """Call a user's function in the thread or event loop that the user called from.

    The function may use the client, print, or raise. Its exception is raised by the call that it belongs to. An
    asynchronous function is awaited.
    """
    call = _call.get()
    if call is None:
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
        if isinstance(error, StopIteration):  # a coroutine cannot raise StopIteration
            stop, error = error, RuntimeError("The callback raised StopIteration.")
            error.__cause__ = stop
        done.set_exception(error)

    def report(error: BaseException | None) -> None:
        with suppress(RuntimeError):  # the callback closed the client, which ends this loop
            loop.call_soon_threadsafe(settle, error)

    call.caller(function, args, report)
    await done


def if_abandoned(undo: _Undo) -> None:
    """Register what to await if the caller of the current call never receives its result.

    Ctrl-C can interrupt a synchronous call at the moment when its coroutine returns. Within an event loop, this cannot
    happen, because a cancellation is raised inside the coroutine. Then this does nothing.

    Args:
        undo: A coroutine function, for example to cancel the runs that the call has started.
    """
    call = _call.get()
    if call is not None and not call.returned:
        call.undo.append(undo)


async def _invoke(function: Callable[..., object], args: tuple[object, ...]) -> None:
    outcome = function(*args)
    if isinstance(outcome, Awaitable):
        await outcome


def _from_thread(inbox: _Inbox) -> _Caller:
    """Return a function that calls back in the thread that reads ``inbox``."""

    def caller(function: Callable[..., object], args: tuple[object, ...], report: _Report) -> None:
        def job() -> None:
            error = None
            try:
                outcome = function(*args)
                if isinstance(outcome, Coroutine):
                    outcome.close()
                    raise UsageError(
                        "InvokeAIClient cannot await an asynchronous callback. "
                        "Pass a plain function, or use AsyncInvokeAIClient."
                    )
            except Exception as raised:  # noqa: BLE001 - passed to the coroutine, which raises it
                error = raised
            report(error)

        inbox.put(job)

    return caller


def _from_loop(loop: asyncio.AbstractEventLoop) -> _Caller:
    """Return a function that calls back in another event loop."""

    def caller(function: Callable[..., object], args: tuple[object, ...], report: _Report) -> None:
        future = asyncio.run_coroutine_threadsafe(_invoke(function, args), loop)
        future.add_done_callback(lambda done: report(None if done.cancelled() else done.exception()))

    return caller


class LoopThread:
    """An event loop in a daemon thread, started when it is first needed."""

    def __init__(self) -> None:
        # A `__del__` that the garbage collector calls here may use the client, too.
        self._lock = threading.RLock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._streams: WeakSet[AsyncIterator[Any]] = WeakSet()
        self._pid = os.getpid()

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and return its result.

        An interruption (Ctrl-C) cancels the coroutine, waits until it has cleaned up, and is then raised.

        Raises:
            UsageError: The call comes from the loop's thread, so it would wait for itself.
            ConnectionLostError: The loop was closed during the call.
        """
        inbox: _Inbox = queue.SimpleQueue()
        call = _Call(_from_thread(inbox), lambda: inbox.put(None))
        future = self._start(coroutine, call)
        try:
            self._serve(inbox)
            return future.result()
        except CancelledError:
            raise _closed() from None
        except BaseException:
            if future.cancel():
                self._serve(inbox, at_most=_CLEANUP)
            self._undo(call)
            raise

    def _undo(self, call: _Call) -> None:
        """Undo the effects of an interrupted call that has returned nevertheless."""
        if not (call.returned and call.undo and self.is_running):
            return
        inbox: _Inbox = queue.SimpleQueue()
        self._start(call.undo_all(), _Call(_from_thread(inbox), lambda: inbox.put(None)))
        self._serve(inbox, at_most=_CLEANUP)

    async def await_from_elsewhere(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and await its result in another loop.

        If the awaiting task is canceled, the coroutine is canceled too, and the task waits until it has cleaned up.

        Raises:
            UsageError: The call comes from the loop's thread, so it would wait for itself.
            ConnectionLostError: The loop was closed during the call.
        """
        here = asyncio.get_running_loop()
        over = asyncio.Event()

        def ended() -> None:
            with suppress(RuntimeError):  # the waiting loop is closed
                here.call_soon_threadsafe(over.set)

        call = _Call(_from_loop(here), ended)
        future = self._start(coroutine, call)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and not task.cancelling():
                raise _closed() from None
            await over.wait()
            if call.returned and call.undo and self.is_running:
                await self.await_from_elsewhere(call.undo_all())
            raise

    async def follow(self, items: AsyncIterator[T]) -> AsyncIterator[T]:
        """Yield the items of an asynchronous iterator that runs on the loop, in another loop."""

        async def following() -> T:
            self._streams.add(items)
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
        """Yield the items of an asynchronous iterator that runs on the loop."""

        async def following() -> T:
            self._streams.add(items)
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
        """The loop's thread, or None if it was not started."""
        return self._thread

    @property
    def is_running(self) -> bool:
        """Whether the loop runs in this process. It does not run while Python is exiting."""
        if sys.is_finalizing():
            return False
        return self._pid == os.getpid() and self._thread is not None and self._thread.is_alive()

    def close(self) -> None:
        """Stop the loop and its thread. A later call starts a new one. Does nothing while Python is exiting."""
        if sys.is_finalizing():
            return
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

    def _start(self, coroutine: Coroutine[Any, Any, T], call: _Call) -> Future[T]:
        """Start the coroutine of a call on the loop."""
        raise_if_exiting(coroutine)
        self._leave_parent()
        with self._lock:  # so that the loop is not closed before it receives the coroutine
            try:
                loop = self._running_loop()
            except UsageError:
                coroutine.close()
                raise
            running = call.run(coroutine)
            try:
                return asyncio.run_coroutine_threadsafe(running, loop)
            except RuntimeError:  # a `__del__` has closed the client just now
                running.close()
                coroutine.close()
                raise _closed() from None

    @staticmethod
    def _serve(inbox: _Inbox, at_most: float | None = None) -> None:
        """Run the callbacks that the coroutine sends to this thread, until it has ended."""
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
        """Reset the state after a fork. The thread does not exist in the new process, and the lock may be held."""
        if self._pid == os.getpid():
            return
        if self._loop is not None:
            _PARENTS.append(self._loop)
        self._lock = threading.RLock()
        self._loop = self._thread = None
        self._pid = os.getpid()

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._thread is threading.current_thread():
            raise UsageError(
                "A synchronous call from the client's event thread would wait for itself. "
                "Call it from another thread, or use AsyncInvokeAIClient."
            )
        if self._loop is None or not self.is_running:
            self._loop = asyncio.new_event_loop()
            self._streams = WeakSet()
            self._thread = threading.Thread(
                target=_run, args=(self._loop, self._streams), name="invokeai-py-client", daemon=True
            )
            self._thread.start()
        return self._loop


def _closed() -> ConnectionLostError:
    return ConnectionLostError(None, None, "The client was closed during this call.")


def _run(loop: asyncio.AbstractEventLoop, streams: WeakSet[AsyncIterator[Any]]) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        # Let tasks that were just created take their first step, so that they can be canceled.
        loop.run_until_complete(asyncio.sleep(0))
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        # A stream that the caller has not read to its end closes what it uses. The loop would close both at once.
        for stream in tuple(streams):
            if isinstance(stream, AsyncGenerator):
                loop.run_until_complete(stream.aclose())
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
