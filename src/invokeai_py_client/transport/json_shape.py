"""What JSON data has to look like before anything reads into it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Any, Union, cast

from invokeai_py_client._text import clip


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list whose elements all have one shape."""

    element: Shape


Shape = Union[type, UnionType, ListOf, Mapping[str, "Shape"]]  # noqa: UP007 - it names itself
"""A type (``list``, ``dict | None``), an object with these keys of these shapes, or a list of a shape."""

QUEUE_ITEM: Shape = {"item_id": int, "status": str, "batch_id": str}
"""A queue item, or its summary."""


def shape_error(data: Any, shape: Shape, place: str = "") -> str | None:
    """What is wrong with data, in words that follow "with JSON that"; None where it has the shape."""
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
    """Return JSON data if it is an object, else an empty one."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def shortly(data: Any) -> str:
    """The beginning of JSON data as text, however large or deep it is."""
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
    names = {"dict": "an object", "list": "a list", "str": "a text"}
    return names.get(type(value).__name__, "a number")
