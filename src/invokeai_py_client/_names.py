"""Matching of ids and names, and the errors for names that match nothing or several things."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from invokeai_py_client._text import close_names, did_you_mean, shown

T = TypeVar("T")


class ExactId(str):
    """An id taken from an object, which is never looked up as a name."""

    __slots__ = ()


def matching(
    text: str, items: Sequence[T], id_of: Callable[[T], str], name_of: Callable[[T], str]
) -> list[T]:
    """Return the items that a text refers to: an exact name, an id, or a name in another case, in this order.

    Names come first because people type names. A name in the form of an id, or one that equals another item's id, still
    means the item with that name.

    Args:
        text: An id or a name.
        items: The known items.
        id_of: Returns an item's id.
        name_of: Returns an item's name.

    Returns:
        The matches. Several items have the same name if there is more than one.
    """
    found = [item for item in items if name_of(item) == text]
    found = found or [item for item in items if id_of(item) == text]
    return found or [item for item in items if name_of(item).casefold() == text.casefold()]


def unknown(kind: str, name: str, names: Iterable[str], *, is_id: bool = False) -> tuple[str, list[str]]:
    """Return the message for a name that nothing has, and similar names, best first.

    Args:
        kind: The kind of thing, such as ``"board"``.
        name: The name or id.
        names: All known names.
        is_id: Whether the name is an id. Defaults to False.
    """
    close = close_names(name, names)
    return f"No {kind} {'with id' if is_id else 'named'} {shown(name)}.{did_you_mean(close)}", close


def ambiguous(kind: str, name: str, ids: Sequence[str]) -> str:
    """Return the message for a name that several things have."""
    return f"{len(ids)} {kind}s are named {shown(name)}. Use an id instead: {', '.join(ids)}."
