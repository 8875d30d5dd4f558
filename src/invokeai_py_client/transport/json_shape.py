"""Shapes of JSON data, which are checked before other code accesses the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Any, Union, cast

from invokeai_py_client._text import clip


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list whose elements all have the same shape."""

    element: Shape


Shape = Union[type, UnionType, ListOf, Mapping[str, "Shape"]]  # noqa: UP007 - the alias is recursive
"""A type (``list``, ``dict | None``), a mapping from an object's keys to their shapes, or a ``ListOf``."""

QUEUE_ITEM: Shape = {"item_id": int, "status": str, "batch_id": str}
"""A queue item, or its summary."""


def shape_error(data: Any, shape: Shape, place: str = "") -> str | None:
    """Return how data differs from a shape, as the end of a sentence ("has no id"), or None if it matches."""
    if isinstance(shape, ListOf):
        if not isinstance(data, list):
            return _wrong(data, place)
        for index, element in enumerate(cast("list[Any]", data)):
            wrong = shape_error(element, shape.element, f"{place}[{index}]")
            if wrong is not None:
                return wrong
        return None
    if isinstance(shape, Mapping):
        if not isinstance(data, dict):
            return _wrong(data, place)
        known = cast("dict[str, Any]", data)
        for key, kind in shape.items():
            inside = f"{place}.{key}" if place else key
            if key not in known and not (isinstance(kind, UnionType) and isinstance(None, kind)):
                return f"has no {inside}"
            wrong = shape_error(known.get(key), kind, inside)
            if wrong is not None:
                return wrong
        return None
    return None if isinstance(data, shape) else _wrong(data, place)


def as_object(value: Any) -> dict[str, Any]:
    """Return JSON data if it is an object, otherwise an empty dict."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def summarize(data: Any) -> str:
    """Return the beginning of JSON data as text. The data may be large or deeply nested."""
    import reprlib

    short = reprlib.Repr()
    short.maxlevel = short.maxlist = short.maxdict = 4
    short.maxstring = short.maxlong = 60
    return clip(short.repr(data), 120)


def _wrong(data: Any, place: str) -> str:
    return f"has {_kind(data)} for {place}" if place else f"is {_kind(data)}"


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    names = {"dict": "an object", "list": "a list", "str": "a string"}
    return names.get(type(value).__name__, "a number")
