"""Helpers for tasks and event loops: concurrent calls, cancellation, and values that belong to one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Generic, TypeVar

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
