"""What every asynchronous object of the client shares, and the marks that shape its synchronous face."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from invokeai_py_client.client import AsyncInvokeAIClient

F = TypeVar("F", bound=Callable[..., Any])


class AsyncObject:
    """An object that belongs to a client and can be pickled with it."""

    _client: AsyncInvokeAIClient

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        state.pop("_face", None)  # the synchronous face of this object, made again when asked for
        return state


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
