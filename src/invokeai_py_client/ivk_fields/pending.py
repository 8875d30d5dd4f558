"""Values that only the server can complete: a thing on the server given by name, or a local image.

A field stores them but does not send them. When a run starts, names are looked up and images are uploaded, and the
server's ids replace them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast


@dataclass(frozen=True, slots=True)
class ByName:
    """A thing on the server to look up by its id or name."""

    text: str

    @property
    def given(self) -> Any:
        """The value as the user passed it."""
        return self.text


class ModelByName(ByName):
    """A model to look up by its key or name."""

    __slots__ = ()


class BoardByName(ByName):
    """A board to look up by its id or name."""

    __slots__ = ()


class StylePresetByName(ByName):
    """A style preset to look up by its id or name."""

    __slots__ = ()


class SystemPromptByName(ByName):
    """A system prompt to look up by its id or name."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class LocalImage:
    """A local image that has not been uploaded yet.

    Attributes:
        path: The path of its file, or "" if it is in memory.
        data: Its content, if it is in memory.
        name: Its file name.
    """

    path: str = ""
    data: bytes = field(default=b"", repr=False)
    name: str = ""

    @property
    def given(self) -> Any:
        """The value as the user passed it, or an equivalent value."""
        return self.path or self


Pending = ByName | LocalImage
_PENDING = (ByName, LocalImage)


def find_pending(value: Any) -> list[Pending]:
    """Return the pending values in ``value`` at any depth, each once and in order."""
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
    """Return a copy of a value with each pending part replaced."""
    if isinstance(value, _PENDING):
        return answers[value]
    if isinstance(value, Mapping):
        return {key: replace_pending(one, answers) for key, one in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [replace_pending(one, answers) for one in cast("list[Any]", value)]
    return value
