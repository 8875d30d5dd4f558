"""What a request carries: the parts of its path, its query, or a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from invokeai_py_client.errors import MethodNotAllowedError, NotFoundError, NotInvokeAIError, UsageError

if TYPE_CHECKING:
    from invokeai_py_client.models import IvkImage

Params = Mapping[str, str | int | float | bool | Sequence[str] | None]
"""Query parameters; None values are left out, sequences repeat."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file to send as a multipart form."""

    data: bytes
    filename: str
    content_type: str
    fields: Mapping[str, str]


class Query(list[tuple[str, str]]):
    """Pairs of texts that tracebacks do not show: one may be a token."""

    def __repr__(self) -> str:
        return f"<{len(self)} parameters>"


def query_of(params: Params | None) -> Query | None:
    """Query parameters as pairs of texts."""
    if not params:
        return None
    pairs = Query()
    for name, value in params.items():
        if value is None:
            continue
        values = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
        pairs.extend((name, _text(one)) for one in values)
    return pairs


def _text(value: str | int | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


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
