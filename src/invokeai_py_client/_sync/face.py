"""The base of the synchronous classes: each stands before an asynchronous object and hands it the calls."""

# A face and what is behind it are one object to their users.
# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import partial
from importlib import import_module
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from invokeai_py_client._base import AsyncObject

if TYPE_CHECKING:
    from typing import Self

    from invokeai_py_client.transport.loop import LoopThread

A = TypeVar("A", bound=AsyncObject)
T = TypeVar("T")


class Face(Generic[A]):
    """A synchronous object before an asynchronous one."""

    _impl: A

    @classmethod
    def _of(cls, impl: A) -> Self:
        self = cls.__new__(cls)
        self._impl = impl
        impl.__dict__["_face"] = self
        return self

    @property
    def _loop_thread(self) -> LoopThread:
        return self._impl.connection.loop_thread

    def _call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._loop_thread.call(coroutine)

    def _iterate(self, items: AsyncIterator[Any]) -> Iterator[Any]:
        return map(wrap, self._loop_thread.iterate(items))

    async def _await(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return await self._loop_thread.await_from_elsewhere(coroutine)

    async def _follow(self, items: AsyncIterator[Any]) -> AsyncIterator[Any]:
        async for item in self._loop_thread.follow(items):
            yield wrap(item)

    def __repr__(self) -> str:
        return repr(self._impl).replace("Async", "", 1)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Face) and self._impl == cast("Face[Any]", other)._impl

    def __hash__(self) -> int:
        return hash(self._impl)

    def __reduce__(self) -> tuple[Any, ...]:
        return wrap, (self._impl,)


def wrap(value: Any) -> Any:
    """The synchronous face of a value: of an asynchronous object, or of those in a list, tuple or dict."""
    if isinstance(value, AsyncObject):
        known = value.__dict__.get("_face")
        return known if known is not None else _face_class(type(value))._of(value)
    if isinstance(value, list | tuple):
        items = [wrap(item) for item in cast("list[Any]", value)]
        return items if isinstance(value, list) else tuple(items)
    if isinstance(value, dict):
        return {key: wrap(item) for key, item in cast("dict[Any, Any]", value).items()}
    return value


def unwrap(value: Any) -> Any:
    """The asynchronous object behind a synchronous one; other values as they are.

    A callback that is to be given asynchronous objects gets their faces.
    """
    if isinstance(value, Face):
        return cast("Face[Any]", value)._impl
    if isinstance(value, FunctionType | MethodType | BuiltinFunctionType | partial):
        return _with_faces(cast("Callable[..., object]", value))
    if isinstance(value, list | tuple):
        items = [unwrap(item) for item in cast("list[Any]", value)]
        return items if isinstance(value, list) else tuple(items)
    if isinstance(value, dict):
        return {key: unwrap(item) for key, item in cast("dict[Any, Any]", value).items()}
    return value


def _with_faces(function: Callable[..., object]) -> Callable[..., object]:
    def call(*args: object) -> object:
        return function(*[wrap(arg) for arg in args])

    return call


def _face_class(kind: type[AsyncObject]) -> type[Face[Any]]:
    from invokeai_py_client._sync.table import FACES

    for base in kind.__mro__:
        where = FACES.get(base.__name__)
        if where is not None:
            return cast("type[Face[Any]]", getattr(import_module(where), base.__name__.removeprefix("Async")))
    raise TypeError(f"{kind.__name__} has no synchronous face; run tools/generate_sync.py")
