"""Convert the payloads of all events into typed events. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, fields
from functools import cache
from typing import Any, cast

from invokeai_py_client.events import kinds
from invokeai_py_client.events.kinds import GeneralEvent, OtherEvent
from invokeai_py_client.models.install import source_text, without_secrets
from invokeai_py_client.run.events import (
    NodeCompleted,
    NodeFailed,
    NodeProgress,
    NodeStarted,
    ServerEvent,
    StatusChanged,
    parse_event,
    text_or_none,
    time_of,
    whole_number,
)
from invokeai_py_client.transport.json_shape import as_object

_REDACTED = "redacted"
_RUN_EVENTS = (NodeStarted, NodeProgress, NodeCompleted, NodeFailed, StatusChanged)
_GENERAL_EVENTS: dict[str, type[GeneralEvent]] = {
    kind.event_type: kind
    for kind in vars(kinds).values()
    if isinstance(kind, type) and issubclass(kind, GeneralEvent) and kind.event_type
}

EVENTS: Mapping[str, type[ServerEvent]] = {
    **{kind.event_type: kind for kind in _RUN_EVENTS},
    **_GENERAL_EVENTS,
}
"""The class of each event, by the event's name."""


def parse_any(name: str, payload: Any) -> ServerEvent:
    """Convert an event of any kind. Unknown events, and events without the expected ids, become ``OtherEvent``."""
    data = as_object(payload)
    kind = _GENERAL_EVENTS.get(name)
    if kind is not None:
        return _general(kind, data)
    return parse_event(name, payload, hidden=True) or OtherEvent(time_of(data), data, name)


def _general(kind: type[GeneralEvent], data: Mapping[str, Any]) -> GeneralEvent:
    if issubclass(kind, kinds.ModelInstallEvent):
        data = cast("dict[str, Any]", without_secrets(data))
    values: dict[str, Any] = {}
    for name, read in _readers(kind).items():
        value = read(data.get(name))
        if value is not None:
            values[name] = value
    return kind(time_of(data), data, **values)


@cache
def _readers(kind: type[GeneralEvent]) -> Mapping[str, Callable[[Any], Any]]:
    """Return the function that reads each attribute of a class from the payload."""
    own = [
        field
        for field in fields(kind)
        if field.default is not MISSING or field.default_factory is not MISSING
    ]
    readers = {field.name: _READERS[str(field.type)] for field in own}
    if issubclass(kind, kinds.ModelInstallEvent):
        readers["source"] = _source
    return readers


def _text(value: Any) -> str | None:
    return None if value == _REDACTED else text_or_none(value)


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _object(value: Any) -> Mapping[str, Any] | None:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def _texts(value: Any) -> tuple[str, ...] | None:
    found = tuple(one for one in _list(value) if isinstance(one, str))
    return found or None


def _numbers(value: Any) -> tuple[int, ...] | None:
    found = tuple(one for one in _list(value) if whole_number(one) is not None)
    return found or None


def _numbers_by_user(value: Any) -> Mapping[str, tuple[int, ...]] | None:
    return {user: _numbers(ids) or () for user, ids in as_object(value).items()} or None


def _objects(value: Any) -> tuple[Mapping[str, Any], ...] | None:
    return tuple(as_object(one) for one in _list(value)) or None


def _source(value: Any) -> str | None:
    return source_text(cast("dict[str, Any]", value))[0] if isinstance(value, dict) else _text(value)


def _list(value: Any) -> Iterable[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else ()


# By the annotation of the attribute.
_READERS: dict[str, Callable[[Any], Any]] = {
    "str | None": _text,
    "int | None": whole_number,
    "float | None": _number,
    "bool | None": _flag,
    "bool": _flag,
    "str": _text,
    "Mapping[str, Any]": _object,
    "tuple[str, ...] | None": _texts,
    "tuple[int, ...] | None": _numbers,
    "tuple[Mapping[str, Any], ...]": _objects,
    "Mapping[str, tuple[int, ...]] | None": _numbers_by_user,
}
