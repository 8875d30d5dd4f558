"""Documents into plain JSON data: from text, or from what Python programs hold."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, NoReturn, cast

from invokeai_py_client.errors import WorkflowFormatError

MAX_DEPTH = 200
"""Deeper nesting than any workflow has; deeper still, and Python's own recursion limit is near."""

_SCALARS = (str, bool, int, float, type(None))


def where(source: str) -> str:
    """What a message calls a document."""
    return f"the file {source!r}" if source else "the workflow"


def parse_json(text: str, source: str) -> Any:
    """The data of a JSON text.

    Raises:
        WorkflowFormatError: It is no JSON, or holds what the server fails at.
    """
    try:
        data = json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        at = f"line {error.lineno}, column {error.colno}"
        raise WorkflowFormatError(f"{where(source)} is not JSON: {error.msg} at {at}") from error
    except RecursionError as error:
        raise _too_deep(source) from error
    except ValueError as error:
        raise WorkflowFormatError(f"{where(source)} is not JSON: {error}") from error
    if not text.isascii() or "\\ud" in text or "\\uD" in text:
        return clean(data, source)  # there may be half of a surrogate pair somewhere
    _refuse_excess(data, source)
    return data


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def _refuse_excess(data: Any, source: str) -> None:
    """Refuses what JSON's own grammar lets pass: numbers beyond a double, and too deep nesting."""
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
    """Refuses half of a surrogate pair: the server answers 500 to it, as it cannot be written as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise WorkflowFormatError(
            f"{where(source)} holds text that is not Unicode: {text[error.start]!r} without its other half"
        ) from error
    return text


def clean(value: Any, source: str, depth: int = 0) -> Any:
    """A copy made of plain JSON types only.

    Raises:
        WorkflowFormatError: It holds what JSON cannot, or is nested too deeply.
    """
    # This goes through every value of every file, so what is most common comes first, and calls nothing.
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
    if isinstance(value, _SCALARS):  # a subclass, such as a str Enum: only its value is JSON
        plain: Any = getattr(value, "value", value)
        return plain if type(plain) in _SCALARS else str(value)
    raise WorkflowFormatError(f"{where(source)} holds a {kind.__name__}, which JSON cannot")


def _clean_key(key: Any, source: str) -> str:
    if not isinstance(key, str):
        raise WorkflowFormatError(f"{where(source)} has a key that is not text: {key!r}")
    return _checked_text(str(key), source)


def _too_deep(source: str) -> WorkflowFormatError:
    return WorkflowFormatError(f"{where(source)} is nested deeper than {MAX_DEPTH} levels")


def _not_finite(value: float, source: str) -> WorkflowFormatError:
    return WorkflowFormatError(f"{where(source)} holds {value}, which JSON cannot")
