"""The base class of the synchronous classes. Each object passes its calls on to an asynchronous object."""

# A synchronous object and its asynchronous object are one unit, so they use each other's private attributes.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from operator import attrgetter
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from invokeai_py_client._base import AsyncObject, completion_names

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from typing import Self

    from invokeai_py_client.transport.loop import LoopThread

A = TypeVar("A", bound=AsyncObject)
T = TypeVar("T")


class Face(Generic[A]):
    """A synchronous object that passes its calls on to an asynchronous object, ``_impl``."""

    _impl: A

    if not TYPE_CHECKING:

        def __class_getitem__(cls, item: str) -> type[Face[Any]]:
            """Return the class itself: resolving type arguments would double the time to import ``_sync.py``."""
            return cls

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
        try:
            return self._loop_thread.call(coroutine)
        except Exception as error:
            if sys.is_finalizing():  # the call was refused, and nothing can be imported
                coroutine.close()
                raise
            # Not at the top: the module is loaded with the first error.
            from invokeai_py_client.errors import RunError, TransferError

            if isinstance(error, TransferError):
                error.done = wrap(error.done)  # the records of uploads
            elif isinstance(error, RunError) and error.images:
                error.images = wrap(error.images)
            raise

    def _end(self, coroutine: Coroutine[Any, Any, object]) -> None:
        """Make the last call and stop the background loop. Does nothing while Python is exiting."""
        if sys.is_finalizing():
            coroutine.close()
            return
        self._call(coroutine)
        self._loop_thread.close()

    def _iterate(self, items: AsyncIterator[Any]) -> Iterator[Any]:
        return map(wrap, self._loop_thread.iterate(items))

    @contextmanager
    def _open(self, manager: AbstractAsyncContextManager[Any]) -> Generator[Any]:
        opened = self._call(manager.__aenter__())
        try:
            yield wrap(opened)
        finally:
            self._call(_leave(manager, *sys.exc_info()))

    async def _await(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return await self._loop_thread.await_from_elsewhere(coroutine)

    async def _follow(self, items: AsyncIterator[Any]) -> AsyncIterator[Any]:
        async for item in self._loop_thread.follow(items):
            yield wrap(item)

    def __repr__(self) -> str:
        return repr(self._impl).replace("Async", "", 1)

    def __dir__(self) -> list[str]:
        return completion_names(type(self), super().__dir__())

    def __eq__(self, other: object) -> bool:
        if isinstance(other, AsyncObject):
            return False
        return self._impl == (cast("Face[Any]", other)._impl if isinstance(other, Face) else other)

    def __hash__(self) -> int:
        return hash(self._impl)

    def __reduce__(self) -> tuple[Any, ...]:
        return wrap, (self._impl,)


async def _leave(manager: AbstractAsyncContextManager[Any], *exception: Any) -> None:
    await manager.__aexit__(*exception)


class LazyConstant:
    """A default value in a signature whose module is imported only when the value is needed."""

    def __init__(self, module: str, path: str = "") -> None:
        self._module = module
        self._path = path

    def __getattr__(self, name: str) -> LazyConstant:
        if name.startswith("__"):  # inspect and copy look for special attributes
            raise AttributeError(name)
        return LazyConstant(self._module, f"{self._path}.{name}" if self._path else name)

    def load(self) -> Any:
        """Return the value."""
        module = import_module(self._module)
        return attrgetter(self._path)(module) if self._path else module

    def __repr__(self) -> str:
        return repr(self.load())


def wrap(value: Any) -> Any:
    """Convert a value for synchronous code.

    An asynchronous object is replaced with its synchronous object, the same one each time. This includes objects in a
    list, in a tuple, or in the values of a dict. Other values are returned unchanged.
    """
    if isinstance(value, AsyncObject):
        known = value.__dict__.get("_face")
        return known if known is not None else _face_class(type(value))._of(value)
    if isinstance(value, list | tuple):
        items = [wrap(item) for item in cast("list[Any]", value)]
        return items if isinstance(value, list) else tuple(items)
    if isinstance(value, dict):
        return {key: wrap(item) for key, item in cast("dict[Any, Any]", value).items()}
    convert = getattr(cast("type[object]", type(value)), "__face__", None)
    return value if convert is None else convert(value)


def unwrap(value: Any) -> Any:
    """Convert a value for asynchronous code.

    A synchronous object is replaced with its asynchronous object. This includes objects in a list, in a tuple, or in
    the values of a dict. A function is wrapped so that it receives synchronous objects. Other values are returned
    unchanged.
    """
    if isinstance(value, Face):
        return cast("Face[Any]", value)._impl
    if isinstance(value, LazyConstant):
        return value.load()
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
    # Imported by name: the generated modules are in the top layer and this one in the bottom layer.
    home = "_sync_api" if kind.__module__.startswith("invokeai_py_client.api.") else "_sync"
    faces = import_module(f"invokeai_py_client.{home}")
    for base in kind.__mro__:
        name = base.__name__
        found = getattr(faces, name.removeprefix("Async"), None) if name.startswith("Async") else None
        if isinstance(found, type) and issubclass(found, Face):
            return cast("type[Face[Any]]", found)
    raise TypeError(f"{kind.__name__} has no synchronous class. Run tools/generate_sync.py.")
