"""Sources of axis values: lists, notations, files, folders of images, and dynamic prompts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from invokeai_py_client._paths import user_path
from invokeai_py_client.errors import UsageError
from invokeai_py_client.ivk_fields.base import NO_VALUE
from invokeai_py_client.ivk_fields.plain import as_sequence
from invokeai_py_client.run.alternatives import MOST_PROMPTS

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.engine.inputs import WorkflowInput

# Types whose values contain no commas.
_WORDS = frozenset({"EnumField", "SchedulerField", "BooleanField"})
_NUMBERS = {"IntegerField": True, "FloatField": False}


@dataclass(frozen=True, slots=True)
class DynamicPrompts:
    """A prompt with alternatives such as ``{red|blue} house``, which the server expands.

    Attributes:
        prompt: The prompt, in the syntax of the web UI's dynamic prompts.
        most: The maximum number of prompts, from 1 to 10,000. Defaults to 100.
        combinatorial: Whether to use all combinations, in order. If False, prompts are drawn at random. Defaults to
            True.
        seed: The seed for drawing prompts. Defaults to a random seed.
    """

    prompt: str
    most: int = 100
    combinatorial: bool = True
    seed: int | None = None


async def spelled_out(connection: Connection, axes: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return the axes with each ``DynamicPrompts`` replaced by its prompts, which the server expands.

    Raises:
        UsageError: A number of prompts is out of range.
        NotReadyError: The server cannot expand a prompt.
    """
    from invokeai_py_client.engine.batch import ServerGenerator
    from invokeai_py_client.run.lookup import ServerSide

    prompts = {str(name): given for name, given in axes.items() if isinstance(given, DynamicPrompts)}
    for name, given in prompts.items():
        if not 1 <= given.most <= MOST_PROMPTS:
            raise UsageError(
                f"The axis {name!r}: invalid number of prompts {given.most!r}; expected 1 to {MOST_PROMPTS:,}. "
                "Change `most`."
            )
    generators = [
        ServerGenerator(
            name,
            "dynamic_prompts",
            prompt=given.prompt,
            max_prompts=given.most,
            combinatorial=given.combinatorial,
            seed=given.seed,
        )
        for name, given in prompts.items()
    ]
    if not generators:
        return dict(axes)
    places = {name: f"The axis {name!r}" for name in prompts}
    found = await ServerSide(connection).generated(generators, places)
    return {
        name: found[str(name)] if isinstance(given, DynamicPrompts) else given for name, given in axes.items()
    }


def values_for(name: Any, item: WorkflowInput, given: Any) -> tuple[Any, ...]:
    """Return the values of an axis.

    Args:
        name: The user's name for the axis, for error messages.
        item: The input.
        given: An iterable of values, such as a list, an array or a column of a data frame; a single value; for
            numbers, a text such as ``"1-10 (+2)"``; for texts and choices, ``"a || b"``; the ``pathlib.Path`` of a
            text file with a value per line; for images, a folder or a pattern.

    Raises:
        UsageError: The axis has no values, or the notation or file cannot be read.
    """
    values = _values(item, given)
    if not values:
        raise UsageError(f"The axis {name!r} has no values: expected at least one.")
    return values


def values_of_text(item: WorkflowInput, text: str) -> tuple[Any, ...]:
    """Return the values that a text on the command line stands for.

    Args:
        item: The input.
        text: ``@FILE`` for a file with a value per line; numbers separated by commas, or a range; ``a || b``; choices
            and names separated by commas; a folder or pattern of images. ``@@`` begins a value that starts with ``@``.

    Raises:
        UsageError: The notation or file cannot be read.
        InputValueError: A part of the text is not a valid value of the input.
    """
    kind = item.field.type_name
    if text.strip() == NO_VALUE:
        return (item.field.parse_text(text),)
    if text.startswith("@@"):
        text = text[1:]
    elif text.startswith("@"):
        return values_for(item.label, item, user_path(text[1:]))
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
    given = _without_array(given)
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
    """Return the values of an iterable, or None if the object is a single value."""
    if not hasattr(given, "__iter__") or isinstance(given, bytes | bytearray | memoryview | Mapping):
        return None
    return tuple(given)


def _without_array(given: Any) -> Any:
    """Return an array or a column of numpy, pandas, polars or another library as a list. Others are unchanged.

    Raises:
        UsageError: The object is a data frame, which has several columns.
    """
    if isinstance(given, bytes | bytearray | memoryview):
        return cast("Any", given)
    if hasattr(given, "columns") and hasattr(given, "__iter__"):
        raise UsageError(
            f"A {type(given).__name__} is a table: pass one of its columns as an axis, or the table to sweep_rows()."
        )
    for name in ("tolist", "to_list"):
        convert = getattr(given, name, None)
        if callable(convert):
            return convert()
    return given


def _is_nested(given: list[Any] | tuple[Any, ...]) -> bool:
    return any(as_sequence(one) is not None for one in given)
