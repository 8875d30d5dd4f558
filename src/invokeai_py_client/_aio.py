"""Helpers for tasks and event loops: concurrent calls, cancellation, the exit of Python, values of one event loop."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Generic, TypeVar

from invokeai_py_client.errors import UsageError

T = TypeVar("T")


async def gather_or_cancel(coroutines: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Run coroutines concurrently and return their results in order.

    If one of them raises, or the caller is canceled, cancel the others and wait for them to end before raising. No
    task keeps running in the background.
    """
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        await cancel_and_wait(tasks)
        raise


async def cancel_and_wait(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait until they have ended. Tasks of other event loops are ignored."""
    loop = asyncio.get_running_loop()
    ours = [task for task in tasks if task.get_loop() is loop]
    for task in ours:
        task.cancel()
    await asyncio.gather(*ours, return_exceptions=True)


def raise_if_exiting(coroutine: Coroutine[Any, Any, object] | None = None) -> None:
    """Raise if Python is exiting: its threads are stopped, so a call would wait forever.

    Modules can no longer be imported then, so callers and this function use only what is imported already.

    Args:
        coroutine: The coroutine that is not going to run. It is closed.

    Raises:
        UsageError: Python is exiting.
    """
    if not sys.is_finalizing():
        return
    if coroutine is not None:
        coroutine.close()
    raise UsageError(
        "The client cannot be used while Python is exiting. Make the call before, for example in a `with` block or "
        "in a function that is registered with `atexit`, instead of in `__del__`."
    )


class LoopBound(Generic[T]):
    """A value that can only be used in the event loop that created it, such as a lock or a connection.

    A client may be used from several event loops in turn (a second ``asyncio.run``, a forked process).
    """

    __slots__ = ("loop", "value")

    def __init__(self) -> None:
        self.value: T | None = None
        """The value, for any event loop."""
        self.loop: asyncio.AbstractEventLoop | None = None
        """The event loop that the value belongs to."""

    @property
    def here(self) -> T | None:
        """The value if it belongs to the running event loop, otherwise None."""
        return self.value if self.loop is asyncio.get_running_loop() else None

    def get(self, make: Callable[[], T]) -> T:
        """Return the value for the running event loop, creating it if necessary."""
        value = self.here
        if value is None:
            value = self.value = make()
            self.loop = asyncio.get_running_loop()
        return value

    def clear(self) -> None:
        """Forget the value."""
        self.value = self.loop = None
