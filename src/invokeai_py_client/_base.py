"""The base of every asynchronous object, and the marks that shape its synchronous face."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection

F = TypeVar("F", bound=Callable[..., Any])


class AsyncObject:
    """An object that is reached through a connection, and that can be pickled.

    Attributes:
        connection: The connection to the object's server.
    """

    connection: Connection

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        state.pop("_face", None)  # the synchronous face of this object, made again when asked for
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(with_connection(state, "connection"))


def with_connection(state: dict[str, Any], name: str) -> dict[str, Any]:
    """The state of a pickled object, which held a client before there were connections."""
    return {
        (name if key == "_client" else key): value.connection if key == "_client" else value
        for key, value in state.items()
    }


def repository_of(connection: Connection, module: str, name: str) -> Any:
    """The repository of a handle that was pickled before handles had theirs.

    It is imported by name: repositories import their handles.
    """
    from importlib import import_module

    return connection.part(getattr(import_module(f"invokeai_py_client.{module}"), name))


def face(
    *,
    sync_name: str | None = None,
    async_name: str | None = None,
    same: bool = False,
    ends_loop: bool = False,
) -> Callable[[F], F]:
    """Say how a method appears in the generated synchronous class; does nothing at run time.

    Args:
        sync_name: Its synchronous name, where it differs.
        async_name: Also keep an asynchronous version in the synchronous class, under this name.
        same: Keep it as it is: it runs in the caller's own event loop.
        ends_loop: The background loop is not needed after it.
    """
    del sync_name, async_name, same, ends_loop
    return lambda function: function
