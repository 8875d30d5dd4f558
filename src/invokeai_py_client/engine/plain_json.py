"""Conversion of documents to plain JSON data, from text or from Python objects."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, NoReturn, cast

from invokeai_py_client.errors import WorkflowFormatError

MAX_DEPTH = 200
"""The limit on nesting: deeper than any workflow, and safely below Python's recursion limit."""

_SCALARS = (str, bool, int, float, type(None))


def where(source: str) -> str:
    """Return the words for a document at the start of a message."""
    return f"The file {source!r}" if source else "The workflow"


def parse_json(text: str, source: str) -> Any:
    """Parse JSON text.

    Raises:
        WorkflowFormatError: The text is not JSON, or contains values at which the server fails.
    """
    try:
        data = json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        start = text.lstrip()[:1]
        if not start:
            raise WorkflowFormatError(f"{where(source)} is empty; expected a workflow in JSON.") from error
        if start == "<":
            raise WorkflowFormatError(
                f"{where(source)} is a web page (HTML) or XML; expected a workflow in JSON. The link may lead to a page"
                " about the file: download the file itself."
            ) from error
        if error.msg == "Extra data" and error.lineno > 1:
            raise WorkflowFormatError(
                f"{where(source)} is a list of JSON documents, such as the manifest of a sweep or a table; expected one"
                " workflow in JSON."
            ) from error
        at = f"line {error.lineno}, column {error.colno}"
        problem = error.msg.removesuffix(" at")
        raise WorkflowFormatError(f"{where(source)} is not valid JSON: {problem} at {at}.") from error
    except RecursionError as error:
        raise _too_deep(source) from error
    except _NotJsonError as error:
        raise WorkflowFormatError(f"{where(source)} is not valid JSON: {error}.") from error
    except ValueError as error:  # Python limits the digits of whole numbers
        raise WorkflowFormatError(f"{where(source)} contains a number with thousands of digits.") from error
    if not text.isascii() or "\\ud" in text or "\\uD" in text:
        return clean(data, source)  # the text may contain a lone surrogate
    _refuse_excess(data, source)
    return data


class _NotJsonError(Exception):
    """A value that Python's parser accepts, but that is not JSON."""


def _refuse_constant(name: str) -> NoReturn:
    raise _NotJsonError(f"{name} is not a JSON value")


def _refuse_excess(data: Any, source: str) -> None:
    """Reject what JSON's grammar allows but the server does not: numbers beyond a double, deep nesting."""
    level: list[Any] = [[data]]
    for _ in range(MAX_DEPTH + 2):
        deeper: list[Any] = []
        for container in level:
            for item in container.values() if container.__class__ is dict else container:
                kind = item.__class__
                if kind is dict or kind is list:
                    deeper.append(item)
                elif kind is float and not math.isfinite(item):
                    raise _not_finite(item, source)
        if not deeper:
            return
        level = deeper
    raise _too_deep(source)


def _checked_text(text: str, source: str) -> str:
    """Reject lone surrogates. They have no UTF-8 encoding, and the server responds to them with status 500."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise WorkflowFormatError(
            f"{where(source)} contains invalid Unicode: the lone surrogate {text[error.start]!r}."
        ) from error
    return text


def clean(value: Any, source: str, depth: int = 0) -> Any:
    """Return a copy that consists only of plain JSON types.

    Raises:
        WorkflowFormatError: The data contains values that JSON cannot represent, or is nested too deeply.
    """
    # This visits every value of every file, so the most common types come first, without function calls.
    kind = value.__class__
    if kind is dict:
        if depth > MAX_DEPTH:
            raise _too_deep(source)
        copied: dict[str, Any] = {}
        for key, item in cast("dict[Any, Any]", value).items():
            if key.__class__ is not str or not key.isascii():
                key = _clean_key(key, source)
            of = item.__class__
            if of is str:
                copied[key] = item if item.isascii() else _checked_text(item, source)
            elif of is bool or of is int or item is None:
                copied[key] = item
            else:
                copied[key] = clean(item, source, depth + 1)
        return copied
    if kind is str:
        return value if value.isascii() else _checked_text(value, source)
    if kind is bool or kind is int or value is None:
        return value
    if kind is float:
        if not math.isfinite(value):
            raise _not_finite(value, source)
        return value
    if depth > MAX_DEPTH:
        raise _too_deep(source)
    if isinstance(value, Mapping):
        return clean(dict(cast("Mapping[Any, Any]", value)), source, depth)
    if isinstance(value, (list, tuple)):
        return [clean(item, source, depth + 1) for item in cast("list[Any]", value)]
    if isinstance(value, _SCALARS):  # a subclass, such as a str Enum: only its value can be written as JSON
        plain: Any = getattr(value, "value", value)
        return plain if type(plain) in _SCALARS else str(value)
    raise WorkflowFormatError(
        f"{where(source)} contains a value of type {kind.__name__}, which JSON cannot represent."
    )


def _clean_key(key: Any, source: str) -> str:
    if not isinstance(key, str):
        raise WorkflowFormatError(f"{where(source)} has a key that is not text: {key!r}.")
    return _checked_text(str(key), source)


def _too_deep(source: str) -> WorkflowFormatError:
    return WorkflowFormatError(f"{where(source)} is nested more than {MAX_DEPTH} levels deep.")


def _not_finite(value: float, source: str) -> WorkflowFormatError:
    return WorkflowFormatError(f"{where(source)} contains {value}, which JSON cannot represent.")
