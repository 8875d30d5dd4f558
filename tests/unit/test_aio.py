"""Concurrent calls, cancellation, and values that belong to one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from invokeai_py_client._aio import LoopBound, cancel_and_wait, gather_or_cancel


class Calls:
    """Calls that run until they are canceled, and their outcomes."""

    def __init__(self) -> None:
        self.begun = asyncio.Semaphore(0)
        self.ended: list[str] = []

    async def endless(self, name: str) -> str:
        self.begun.release()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)  # a slow cleanup
            self.ended.append(name)
        return name

    async def fails(self, after: int) -> str:
        for _ in range(after):
            await self.begun.acquire()
        raise ValueError("broken")


async def test_results_are_in_order() -> None:
    first_may_end = asyncio.Event()

    async def first() -> int:
        await first_may_end.wait()
        return 1

    async def second() -> int:
        first_may_end.set()
        return 2

    assert await gather_or_cancel([first(), second()]) == [1, 2]
    nothing: list[Coroutine[Any, Any, int]] = []
    assert await gather_or_cancel(nothing) == []


async def test_failure_cancels_other_tasks() -> None:
    calls = Calls()
    with pytest.raises(ValueError, match="broken"):
        await gather_or_cancel([calls.endless("a"), calls.fails(after=2), calls.endless("b")])
    assert calls.ended == ["a", "b"]


async def test_cancellation_cancels_all_tasks() -> None:
    calls = Calls()
    task = asyncio.create_task(gather_or_cancel([calls.endless("a"), calls.endless("b")]))
    for _ in range(2):
        await calls.begun.acquire()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert calls.ended == ["a", "b"]


async def test_cancel_and_wait_waits_for_cleanup() -> None:
    calls = Calls()
    task = asyncio.create_task(calls.endless("a"))
    await calls.begun.acquire()
    await cancel_and_wait([task])
    assert task.cancelled()
    assert calls.ended == ["a"]
    await cancel_and_wait([])


def test_tasks_of_another_loop_are_ignored() -> None:
    other = asyncio.new_event_loop()
    try:
        task = other.create_task(asyncio.sleep(0))
        asyncio.run(cancel_and_wait([task]))
        other.run_until_complete(task)
        assert not task.cancelled()
    finally:
        other.close()


def test_each_event_loop_has_its_value() -> None:
    bound = LoopBound[object]()

    async def twice() -> object:
        assert bound.here is None
        value = bound.get(object)
        assert bound.get(object) is value
        assert bound.here is value
        return value

    first = asyncio.run(twice())
    assert bound.value is first  # so that its owner can close it
    assert asyncio.run(twice()) is not first
    bound.clear()
    assert bound.value is None
    assert bound.loop is None
