"""The fields of ``ivk api``: ``NAME=VALUE`` options become JSON data, a form or a query."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

from invokeai_py_client._text import shown
from invokeai_py_client.errors import UsageError

_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_KEY = re.compile(r"\[([^\[\]]*)\]")
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})", re.ASCII)
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?", re.ASCII)
_MISSING: Any = object()
_WORDS = {"true": True, "false": False, "null": None}


def split_pair(text: str, option: str) -> tuple[str, str]:
    """Return the name and the value of an option ``NAME=VALUE``.

    Raises:
        UsageError: It has no ``=``, or no name.
    """
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(f"Invalid option {option} {shown(text)}: expected NAME=VALUE.")
    return name, value


def typed(text: str, read: Callable[[str], str]) -> Any:
    """Return the value of ``-F``: true, false, null, a number, the content of ``@FILE``, or a text.

    Args:
        text: The value. ``@@`` begins a text that starts with ``@``.
        read: Returns the text of a file, or of standard input for ``-``.
    """
    if text.startswith("@@"):
        return text[1:]
    if text.startswith("@"):
        return read(text[1:])
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text


def nested(fields: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return the JSON object of some fields: ``a[b]=1`` is ``{"a": {"b": 1}}``, and ``a[]=1`` appends to a list.

    Raises:
        UsageError: A name is not valid, or a field is given twice.
    """
    root: dict[str, Any] = {}
    for name, value in fields:
        found = _NAME.fullmatch(name)
        if found is None:
            raise UsageError(f"Invalid field {shown(name)}: expected a name such as a, a[b] or a[].")
        root = _with(root, [found[1], *_KEY.findall(found[2])], value, name)
    return root


def _with(known: Any, keys: Sequence[str], value: Any, name: str) -> Any:
    """Return data with a value at the place that some keys name. The key "" appends to a list."""
    if not keys:
        if known is not _MISSING:
            raise _twice(name)
        return value
    key, rest = keys[0], keys[1:]
    if key:
        data: dict[str, Any] = {} if known is _MISSING else known
        if not isinstance(data, dict):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise _twice(name)
        data[key] = _with(data.get(key, _MISSING), rest, value, name)
        return data
    items: list[Any] = [] if known is _MISSING else known
    if not isinstance(items, list):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise _twice(name)
    # a[][b]=1 a[][c]=2 is one element, and a[][b]=1 a[][b]=2 are two.
    if rest and items and isinstance(items[-1], dict) and rest[0] not in items[-1]:
        items[-1] = _with(items[-1], rest, value, name)
    else:
        items.append(_with(_MISSING, rest, value, name))
    return items


def _twice(name: str) -> UsageError:
    return UsageError(f"The field {shown(name)} was given twice, or with another structure. Give it once.")


def form_fields(data: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a form. Objects are sent as JSON text, and lists of texts and numbers are repeated."""
    return {name: _form_value(value) for name, value in data.items()}


def _form_value(value: Any) -> Any:
    if isinstance(value, list):
        items = cast("list[Any]", value)
        if any(isinstance(one, dict | list) for one in items):
            return json.dumps(items)
        return [_text(one) for one in items if one is not None]
    if isinstance(value, dict):
        return json.dumps(value)
    return value


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def query_of_options(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return query parameters. A name that is given several times is repeated."""
    query: dict[str, Any] = {}
    for name, value in pairs:
        if value is None:
            continue
        query.setdefault(name, []).append(_text(value))
    return query


def headers_of_options(lines: Iterable[str]) -> dict[str, str]:
    """Return the headers of ``-H 'NAME: VALUE'`` options.

    Raises:
        UsageError: An option has no colon.
    """
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            # The line may be a secret.
            raise UsageError("Invalid option -H: expected 'NAME: VALUE'.")
        headers[name.strip()] = value.strip()
    return headers
