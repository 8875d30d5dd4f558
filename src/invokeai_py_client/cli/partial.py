"""Commands about several things: all of them are tried, and what failed is reported together at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from invokeai_py_client._partial import is_hopeless, partial_failure
from invokeai_py_client.errors import InvokeAIClientError, NotFoundError, TransferError

T = TypeVar("T")


def try_each(
    items: Mapping[str, T], action: Callable[[T], object], *, what: str, kind: str, label: Callable[[T], str]
) -> tuple[dict[str, T], TransferError | None]:
    """Call an action for each of several things. A failure does not stop the others.

    Args:
        items: The things by id.
        action: Called with each. It returns False if the server does not have it.
        what: Past participle for the error message, such as "deleted".
        kind: The kind of thing.
        label: Returns the name of a thing for the error.

    Returns:
        The things for which it succeeded, and the error about the others, or None.
    """
    done: dict[str, T] = {}
    failed: dict[str, InvokeAIClientError] = {}
    hopeless: InvokeAIClientError | None = None
    for key, item in items.items():
        try:
            if hopeless is not None:
                raise hopeless
            if action(item) is False:
                raise NotFoundError(404, None, f"The {kind} is no longer on the server.")
        except InvokeAIClientError as error:
            failed[_unique(label(item), key, failed)] = error
            hopeless = error if is_hopeless(error) else None
        else:
            done[key] = item
    if not failed:
        return done, None
    if not done and hopeless is not None:
        raise hopeless
    return done, partial_failure(what, failed, {key: label(item) for key, item in done.items()}, kind=kind)


def _unique(name: str, key: str, taken: Mapping[str, object]) -> str:
    return f"{name} ({key})" if name in taken else name
