"""Run one test with both clients: an awaitable wrapper around synchronous objects."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from typing import Any

from invokeai_py_client._face import Face


class Awaited:
    """A wrapper that makes the blocking methods of a synchronous object awaitable, each call in a new thread.

    The asynchronous object behind it determines which methods block. Synchronous objects that they return are
    wrapped as well; other values are returned unchanged.
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


def _bare(value: Any) -> Any:
    return value.target if isinstance(value, Awaited) else value


def _awaited(function: Callable[..., Any]) -> Callable[..., Any]:
    async def call(*args: Any, **options: Any) -> Any:
        bare = {name: _bare(value) for name, value in options.items()}
        return _wrapped(await asyncio.to_thread(function, *map(_bare, args), **bare))

    return call


def _iterated(function: Callable[..., Any]) -> Callable[..., AsyncIterator[Any]]:
    async def go(*args: Any, **options: Any) -> AsyncIterator[Any]:
        items = function(*map(_bare, args), **{name: _bare(value) for name, value in options.items()})
        end = object()
        while (item := await asyncio.to_thread(next, items, end)) is not end:
            yield _wrapped(item)

    return go
