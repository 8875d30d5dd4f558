"""One test for both clients: the synchronous one, awaited as if it were asynchronous."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from typing import Any

from invokeai_py_client._face import Face


class Awaited:
    """A synchronous object whose blocking methods are awaited: each call runs in a thread of its own.

    Which methods block, the asynchronous object behind it tells. What they give that is synchronous, too, is
    wrapped alike; everything else is as it is.
    """

    def __init__(self, target: Any) -> None:
        self.target = target

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            return getattr(self.target._impl, name)
        value = getattr(self.target, name)
        behind = inspect.getattr_static(type(self.target._impl), name, None)
        if inspect.isasyncgenfunction(behind):
            return _iterated(value)
        if inspect.iscoroutinefunction(behind):
            return _awaited(value)
        return _wrapped(value)

    def __eq__(self, other: object) -> bool:
        return self.target == (other.target if isinstance(other, Awaited) else other)

    def __hash__(self) -> int:
        return hash(self.target)


def _wrapped(value: Any) -> Any:
    return Awaited(value) if isinstance(value, Face) else value


def _awaited(function: Callable[..., Any]) -> Callable[..., Any]:
    async def call(*args: Any, **options: Any) -> Any:
        return _wrapped(await asyncio.to_thread(function, *args, **options))

    return call


def _iterated(function: Callable[..., Any]) -> Callable[..., AsyncIterator[Any]]:
    async def go(*args: Any, **options: Any) -> AsyncIterator[Any]:
        items = function(*args, **options)
        end = object()
        while (item := await asyncio.to_thread(next, items, end)) is not end:
            yield _wrapped(item)

    return go
