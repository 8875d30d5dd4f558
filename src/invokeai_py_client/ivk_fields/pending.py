"""Values that only the server can complete: a model or board by its name, an image still on this machine.

A field holds them as they are, and refuses to put them on the wire. When a run starts they are looked up or
uploaded, and what the server calls them takes their place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast


@dataclass(frozen=True, slots=True)
class ModelByName:
    """A model, by key or name."""

    text: str

    @property
    def given(self) -> Any:
        """What the user gave."""
        return self.text


@dataclass(frozen=True, slots=True)
class BoardByName:
    """A board, by id or name."""

    text: str

    @property
    def given(self) -> Any:
        """What the user gave."""
        return self.text


@dataclass(frozen=True, slots=True)
class LocalImage:
    """An image that is not on the server yet.

    Attributes:
        path: Its file, or "" where it is in memory.
        data: Its bytes, where it is in memory.
        name: What people call it.
    """

    path: str = ""
    data: bytes = field(default=b"", repr=False)
    name: str = ""

    @property
    def given(self) -> Any:
        """What the user gave, or what a field takes as the same."""
        return self.path or self


Pending = ModelByName | BoardByName | LocalImage
_PENDING = (ModelByName, BoardByName, LocalImage)


def find_pending(value: Any) -> list[Pending]:
    """The values in ``value`` that are to be completed, however deep, each once and in order."""
    found: dict[Pending, None] = {}
    stack: list[Any] = [value]
    while stack:
        one = stack.pop()
        if isinstance(one, _PENDING):
            found[one] = None
        elif isinstance(one, Mapping):
            stack.extend(reversed(list(cast("Mapping[str, Any]", one).values())))
        elif isinstance(one, list | tuple):
            stack.extend(reversed(cast("list[Any]", one)))
    return list(found)


def replace_pending(value: Any, answers: Mapping[Pending, Any]) -> Any:
    """The same value with each pending part replaced."""
    if isinstance(value, _PENDING):
        return answers[value]
    if isinstance(value, Mapping):
        return {key: replace_pending(one, answers) for key, one in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [replace_pending(one, answers) for one in cast("list[Any]", value)]
    return value
