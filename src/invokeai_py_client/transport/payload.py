"""The data that a request carries: parts of its path, its query, or a file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote

from invokeai_py_client._text import shown
from invokeai_py_client.errors import MethodNotAllowedError, NotFoundError, NotInvokeAIError, UsageError

Params = Mapping[str, str | int | float | bool | Sequence[str] | None]
"""Query parameters. None values are omitted, and sequences are repeated."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file to send as a multipart form.

    Attributes:
        data: The content.
        filename: The name of the file.
        content_type: The media type, such as ``image/png``.
        fields: The other fields of the form.
    """

    data: bytes
    filename: str
    content_type: str
    fields: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Form:
    """A multipart form.

    Attributes:
        fields: The fields with text.
        files: The files by field.
    """

    fields: Mapping[str, str]
    files: Mapping[str, Upload]


def form_of(fields: Mapping[str, str | None], files: Mapping[str, Upload | None]) -> Form:
    """Return a form that omits fields and files without a value."""
    return Form(
        {name: value for name, value in fields.items() if value is not None},
        {name: value for name, value in files.items() if value is not None},
    )


class Query(list[tuple[str, str]]):
    """Query parameters as pairs of strings. Their ``repr`` hides the values, because one may be a token."""

    def __repr__(self) -> str:
        return f"<{len(self)} parameters>"


def query_of(params: Params | None) -> Query | None:
    """Return query parameters as pairs of strings, or None if there are no parameters."""
    if not params:
        return None
    pairs = Query()
    for name, value in params.items():
        if value is None:
            continue
        values = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
        pairs.extend((name, unicode_text(_text(one), f"The parameter {name!r}")) for one in values)
    return pairs


def _text(value: str | int | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


T = TypeVar("T")

_LONGEST_ID = 18
_ARTICLES = {"image": "an image", "item": "an item", "installation": "an installation"}

ROUTE_MISSING = (NotFoundError, MethodNotAllowedError, NotInvokeAIError)
"""The errors raised if a server does not have a route: 404, 405, or from 6.12 on its web page."""


def route(pattern: str, /, **parts: object) -> str:
    """Return the path of a request. All names and ids in paths are inserted and escaped by this function.

    Args:
        pattern: The path with the kind of each name or id in braces: ``/api/v1/boards/{board}/image_names``.
        **parts: The names and ids by kind.

    Raises:
        UsageError: A name or id is not valid, as in ``path_part()``.
    """
    written: dict[str, str] = {}
    for kind, part in parts.items():
        is_number = isinstance(part, int) and not isinstance(part, bool)
        written[kind] = str(part) if is_number else path_part(part, _ARTICLES.get(kind, f"a {kind}"))
    return pattern.format(**written)


def path_part(text: object, what: str) -> str:
    """Return a name or id, escaped for use in a path.

    Args:
        text: The name or id, or an image's record.
        what: The kind of item, for the error message: ``an image``.

    Raises:
        UsageError: The name is not valid. It cannot contain a slash, because servers end the name there even if the
            slash is escaped.
    """
    text = getattr(text, "image_name", text)
    if not isinstance(text, str) or not is_path_part(text):
        raise UsageError(
            f"{text!r} is not a valid name or id of {what}; expected a non-empty string without a slash."
        )
    return quote(unicode_text(text, shown(text)), safe="")


def path_parts(text: object, what: str) -> str:
    """Return a path below a folder, with slashes, escaped for use in a path.

    Args:
        text: The path.
        what: The kind of item, for the error message: ``a font``.

    Raises:
        UsageError: The path is not valid.
    """
    return "/".join(path_part(part, what) for part in str(text).split("/"))


def is_path_part(text: str) -> bool:
    """Whether a text can be part of a path. Nothing on a server has a name or id for which this is False."""
    return bool(text.strip()) and text not in (".", "..") and "/" not in text


def id_number(value: object, what: str) -> int:
    """Return an id that is a whole number.

    Args:
        value: The id, as a number or as text.
        what: The kind of item, for the error message: ``queue item``.

    Raises:
        UsageError: The id is not a whole number.
    """
    text = str(value).strip()
    if isinstance(value, bool) or not (text.isascii() and text.isdigit()) or len(text) > _LONGEST_ID:
        raise UsageError(f"Invalid {what} id {shown(value)}: expected a whole number.")
    return int(text)


def unicode_text(text: str, what: str) -> str:
    """Return text that can be sent to a server.

    Args:
        text: The text.
        what: The text in the error message. It may be a secret, so the message does not include the text itself.

    Raises:
        UsageError: The text contains lone surrogates, as command-line arguments that are not UTF-8 do.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{what} is not valid Unicode text: it contains a lone surrogate.") from None
    return text


def dump_json(value: Any) -> str:
    """Return data as JSON text that can be sent to a server.

    Raises:
        UsageError: A text in the data contains lone surrogates. Servers respond to them with status 500.
    """
    text = json.dumps(value)
    if "\\ud" in text:  # a surrogate, usually one of a pair, as in emoji
        unicode_text(json.dumps(value, ensure_ascii=False), "A text in the request")
    return text


def portions(items: Sequence[T], size: int) -> Iterator[list[T]]:
    """Yield the items in lists of at most ``size``, one list for each request."""
    for start in range(0, len(items), size):
        yield list(items[start : start + size])
