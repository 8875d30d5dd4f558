"""The data that a request carries: parts of its path, its query, a form with files, or JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, unquote

from invokeai_py_client._text import shown
from invokeai_py_client.errors import MethodNotAllowedError, NotFoundError, NotInvokeAIError, UsageError

Params = Mapping[str, str | int | float | bool | Sequence[str] | None]
"""Query parameters. None values are omitted, and sequences are repeated."""


@dataclass(frozen=True, slots=True)
class FormFile:
    """A file in a form.

    Attributes:
        data: The content, or the path of a file. A file on disk is read while it is sent, so any size can be sent.
        filename: The file name to send.
        content_type: The content type to send.
    """

    data: bytes | Path
    filename: str
    content_type: str = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Form:
    """A multipart form to send instead of JSON.

    Attributes:
        fields: The values of the fields. None values are omitted, and sequences are repeated.
        files: The files by field. Sequences of files are repeated.
    """

    fields: Params = field(default_factory=dict[str, str])
    files: Mapping[str, FormFile | Sequence[FormFile]] = field(default_factory=dict[str, FormFile])

    @property
    def has_files_on_disk(self) -> bool:
        """Whether a file is read from disk while it is sent."""
        return any(isinstance(file.data, Path) for _, file in self.parts())

    def texts(self) -> Iterator[tuple[str, str]]:
        """Yield the fields as pairs of strings.

        Raises:
            UsageError: A value contains lone surrogates.
        """
        for name, text in _pairs(self.fields):
            yield name, unicode_text(text, f"The field {name!r}")

    def parts(self) -> Iterator[tuple[str, FormFile]]:
        """Yield the files as pairs of a field and a file."""
        for name, several in self.files.items():
            for file in [several] if isinstance(several, FormFile) else several:
                yield name, file


def form_of(fields: Params, files: Mapping[str, FormFile | None]) -> Form:
    """Return a form that omits fields and files without a value."""
    return Form(fields, {name: file for name, file in files.items() if file is not None})


class Query(list[tuple[str, str]]):
    """Query parameters as pairs of strings. Their ``repr`` hides the values, because one may be a token."""

    def __repr__(self) -> str:
        return f"<{len(self)} parameters>"


def query_of(params: Params | None) -> Query | None:
    """Return query parameters as pairs of strings, or None if there are no parameters."""
    if not params:
        return None
    return Query((name, unicode_text(text, f"The parameter {name!r}")) for name, text in _pairs(params))


def _pairs(params: Params) -> Iterator[tuple[str, str]]:
    for name, value in params.items():
        if value is None:
            continue
        values = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
        yield from ((name, _text(one)) for one in values)


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


_API = "/api/v1/"
_DOCUMENT = "/openapi.json"
_METHOD = re.compile(r"[A-Za-z]+")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NOT_IN_HEADER = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")


def check_method(method: str) -> str:
    """Return an HTTP method in capitals.

    Raises:
        UsageError: The method is not valid.
    """
    if not _METHOD.fullmatch(method):
        raise UsageError(f"Invalid method {shown(method)}: expected something like 'GET' or 'POST'.")
    return method.upper()


def endpoint_path(endpoint: str) -> str:
    """Return the path of a request on the server.

    Args:
        endpoint: A path below ``/api/v1``, a full path that begins with ``/api/``, or ``/openapi.json``.

    Raises:
        UsageError: The path is not valid.
    """
    unicode_text(endpoint, shown(endpoint))
    path = endpoint.partition("?")[0]
    # ".." would leave the prefix of a reverse proxy, and send the token to another program behind it.
    parts = [unquote(part) for part in path.split("/")]
    if "://" in path or not path.strip("/") or "#" in path or ".." in parts or "." in parts:
        raise UsageError(
            f"Invalid path {shown(endpoint)}: expected a path below {_API}, such as 'app/version', a path that begins "
            f"with /api/, or {_DOCUMENT}."
        )
    is_full = path.startswith("/api/") or path == _DOCUMENT
    return endpoint if is_full else _API + endpoint.lstrip("/")


def check_headers(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Return headers that can be sent.

    Raises:
        UsageError: A name or a value is not valid.
    """
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            raise UsageError(f"Invalid header {shown(name)}: expected a name such as 'X-Name'.")
        if not isinstance(value, str) or _NOT_IN_HEADER.search(value):  # pyright: ignore[reportUnnecessaryIsInstance]
            # The value may be a secret.
            raise UsageError(f"The value of the header {name!r} is not valid: expected one line of text.")
    return headers


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
