"""What the repositories' requests have in common: parts of paths, portions of long lists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from invokeai_py_client.errors import MethodNotAllowedError, NotFoundError, NotInvokeAIError, UsageError

if TYPE_CHECKING:
    from invokeai_py_client.models import IvkImage

T = TypeVar("T")

ROUTE_MISSING = (NotFoundError, MethodNotAllowedError, NotInvokeAIError)
"""How a server answers that lacks a route: not found, not for this method, or from 6.12 with its web page."""


def path_part(text: str | IvkImage, what: str) -> str:
    """A name or id, made to stand in a path.

    Args:
        text: The name or id, or an image's record.
        what: What it names, for the error: ``an image``.

    Raises:
        UsageError: It names nothing. A slash cannot be part of a name: servers take it for the end of it,
            even where it is escaped.
    """
    text = getattr(text, "image_name", text)
    if not isinstance(text, str) or text in ("", ".", "..") or "/" in text:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise UsageError(f"{text!r} does not name {what}.")
    return quoted(text)


def quoted(text: str) -> str:
    """Return a text with everything escaped that means something in a path."""
    return quote(text, safe="")


def portions(items: Sequence[T], size: int) -> Iterator[list[T]]:
    """The items in portions that one request takes."""
    for start in range(0, len(items), size):
        yield list(items[start : start + size])
