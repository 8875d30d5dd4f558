"""Where an axis' values come from: a list, a notation, a file, a folder of images, a prompt with alternatives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from invokeai_py_client.errors import UsageError

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.engine.inputs import WorkflowInput

# What has no commas of its own in its values.
_WORDS = frozenset({"EnumField", "SchedulerField", "BooleanField"})
_NUMBERS = {"IntegerField": True, "FloatField": False}


@dataclass(frozen=True, slots=True)
class DynamicPrompts:
    """A prompt with alternatives, spelled out by the server (``{red|blue} house``).

    Attributes:
        prompt: The prompt, in the language of the web UI's dynamic prompts.
        most: How many prompts at most.
        combinatorial: Every combination, in order; without it they are drawn.
        seed: What they are drawn with.
    """

    prompt: str
    most: int = 100
    combinatorial: bool = True
    seed: int | None = None


async def spelled_out(connection: Connection, axes: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return axes in which the server has replaced each ``DynamicPrompts`` by the prompts that it stands for."""
    from invokeai_py_client.engine.batch import ServerGenerator
    from invokeai_py_client.run.lookup import ServerSide

    found = dict(axes)
    for name, given in axes.items():
        if isinstance(given, DynamicPrompts):
            generator = ServerGenerator(
                "axis",
                "dynamic_prompts",
                prompt=given.prompt,
                max_prompts=given.most,
                combinatorial=given.combinatorial,
                seed=given.seed,
            )
            found[name] = (await ServerSide(connection).generated([generator]))["axis"]
    return found


def values_for(name: Any, item: WorkflowInput, given: Any) -> tuple[Any, ...]:
    """The values that an axis takes.

    Args:
        name: What the user calls the axis, for messages.
        item: The input.
        given: An iterable of values; one value; for numbers a text such as ``"1-10 (+2)"``; for texts and choices
            ``"a || b"``; a ``pathlib.Path`` of a text file, a line each; for images a folder or a pattern.

    Raises:
        UsageError: There are no values, or the notation or file cannot be read.
    """
    values = _values(item, given)
    if not values:
        raise UsageError(f"The axis {name!r} has no values.")
    return values


def values_of_text(item: WorkflowInput, text: str) -> tuple[Any, ...]:
    """The values that a text of the command line stands for.

    Args:
        item: The input.
        text: ``@FILE`` for a line each; numbers with commas or as a range; ``a || b``; choices and names with commas; a
            folder or pattern of images.

    Raises:
        UsageError: The notation or file cannot be read.
        InputValueError: A part of it is no value of the input.
    """
    kind = item.field.type_name
    if text.startswith("@"):
        return values_for(item.label, item, Path(text[1:]))
    if item.field.is_list:
        return (item.field.parse_text(text),)
    if kind in _NUMBERS or kind == "ImageField":
        return values_for(item.label, item, text)
    if kind in _WORDS and "||" not in text:
        return tuple(item.field.parse_text(word.strip()) for word in text.split(","))
    from invokeai_py_client.sweep.notation import texts

    return tuple(item.field.parse_text(part) for part in texts(text))


def _values(item: WorkflowInput, given: Any) -> tuple[Any, ...]:
    kind = item.field.type_name
    if kind == "ImageField" and not item.field.is_list and isinstance(given, str | Path):
        from invokeai_py_client.files.images import pictures_at

        found = pictures_at(given)
        return (given,) if found is None else tuple(found)
    if item.field.is_list and isinstance(given, list | tuple) and not _is_nested(cast("list[Any]", given)):
        return (cast("Any", given),)
    if isinstance(given, Path):
        from invokeai_py_client.sweep.notation import lines_of

        lines = lines_of(given)
        return tuple(item.field.parse_text(line) for line in lines)
    if isinstance(given, str):
        from invokeai_py_client.sweep.notation import numbers, texts

        if kind in _NUMBERS and not item.field.is_list:
            return tuple(numbers(given, whole=_NUMBERS[kind]))
        return tuple(texts(given))
    many = _many(given)
    return (cast("Any", given),) if many is None else many


def _many(given: Any) -> tuple[Any, ...] | None:
    """The values of an iterable; None for what is one value, however much it holds."""
    if not hasattr(given, "__iter__") or hasattr(given, "tobytes"):
        return None
    return None if isinstance(given, bytes | Mapping) else tuple(given)


def _is_nested(given: list[Any] | tuple[Any, ...]) -> bool:
    return any(isinstance(one, list | tuple) for one in given)
