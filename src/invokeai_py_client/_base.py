"""The base class of asynchronous objects, and the decorator that controls how their synchronous classes look."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection

F = TypeVar("F", bound=Callable[..., Any])


class AsyncObject:
    """An object that uses a connection and can be pickled.

    Attributes:
        connection: The connection to the object's server.
    """

    connection: Connection

    def __dir__(self) -> list[str]:
        return completion_names(type(self), super().__dir__())

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        state.pop("_face", None)  # the synchronous object, which is created again when needed
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(with_connection(state, "connection"))


def completion_names(kind: type, names: Iterable[str]) -> list[str]:
    """Return the names of a class's members without those of version 1, which completion does not suggest."""
    from importlib import import_module

    # Imported by name: the table is in a higher layer, and imports nothing.
    table: Mapping[str, frozenset[str]] = import_module("invokeai_py_client.v1.completion").HIDDEN
    classes = [base.__name__.removeprefix("Async") for base in kind.__mro__]
    hidden = frozenset[str]().union(*(table.get(name, frozenset()) for name in classes))
    return [name for name in names if name not in hidden]


def with_connection(state: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a pickled object's state with a connection in place of the client that older versions stored."""
    return {
        (name if key == "_client" else key): value.connection if key == "_client" else value
        for key, value in state.items()
    }


def repository_of(connection: Connection, module: str, name: str) -> Any:
    """Return the repository for a handle that was pickled without one, by an older version.

    The repository is imported by name, because repositories import their handles.
    """
    from importlib import import_module

    return connection.part(getattr(import_module(f"invokeai_py_client.{module}"), name))


def face(
    *,
    sync_name: str | None = None,
    async_name: str | None = None,
    same: bool = False,
    ends_loop: bool = False,
    after: str | None = None,
) -> Callable[[F], F]:
    """Control how a method appears in the generated synchronous class. Has no effect at run time.

    Args:
        sync_name: The method's name in the synchronous class. Defaults to the same name.
        async_name: If set, the synchronous class also has an asynchronous version under this name.
        same: Whether to keep the method asynchronous. It then runs in the caller's event loop. Defaults to False.
        ends_loop: Whether to stop the background loop after the call. Defaults to False.
        after: For a property: the name of a coroutine method to call before the property is read. Defaults to none.
    """
    del sync_name, async_name, same, ends_loop, after
    return lambda function: function


def restore_fields(record: Any, state: Sequence[Any]) -> None:
    """Restore a frozen record that was pickled by a version with fewer fields. The others have their defaults."""
    from dataclasses import MISSING, Field, fields  # not at the top: they are slow to import
    from itertools import zip_longest

    for one, value in zip_longest(fields(record), state, fillvalue=MISSING):
        assert isinstance(one, Field)
        if value is MISSING:
            value = one.default if one.default_factory is MISSING else one.default_factory()
        object.__setattr__(record, one.name, value)
