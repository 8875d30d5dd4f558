"""Axes of a sweep: the input that each axis varies, and its checked values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any

from invokeai_py_client._text import first_lines
from invokeai_py_client.engine.seeds import draw_seed, is_random
from invokeai_py_client.errors import InputValueError, UsageError
from invokeai_py_client.ivk_fields.kinds import FIELD_KINDS
from invokeai_py_client.ivk_fields.pending import find_pending
from invokeai_py_client.sweep.sources import values_for

if TYPE_CHECKING:
    from invokeai_py_client.engine.inputs import InputSet, WorkflowInput
    from invokeai_py_client.engine.workflow import Key

_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Axis:
    """One input and the values that it takes in a sweep.

    Attributes:
        name: The input's name.
        item: The input.
        values: The values as the user passed them.
        wire: The values in the server's format. Images to upload are unchanged. Empty if a batch cannot carry
            the values.
    """

    name: str
    item: WorkflowInput
    values: tuple[Any, ...]
    wire: tuple[Any, ...]

    @property
    def in_batch(self) -> bool:
        """Whether a single request can vary this input."""
        return is_batchable(self.item)

    @property
    def fields(self) -> tuple[Key, ...]:
        """The fields that get the values: the input itself and its copies, or all fields that a seed replaces."""
        return self.item.feeds or (self.item.key, *self.item.copies)

    def only(self, positions: Sequence[int]) -> Axis:
        """Return the axis with only the values at these positions."""
        return replace(
            self,
            values=tuple(self.values[index] for index in positions),
            wire=tuple(self.wire[index] for index in positions) if self.wire else (),
        )


def is_batchable(item: WorkflowInput) -> bool:
    """Whether the server's batch data can carry the values of an input."""
    kind = FIELD_KINDS.get(item.field.type_name)
    return kind is not None and kind.in_batch and not item.field.is_list and not item.only_in_graph


def read_axes(inputs: InputSet, axes: Mapping[Any, Any]) -> list[Axis]:
    """Find the input of each axis and check all of its values.

    The server does not check batch values against the node, and a value of the wrong type stops its whole queue
    (seen on 6.14.2). So every value is checked here.

    Args:
        inputs: The workflow's inputs.
        axes: The values by input: a list, or any other source that ``values_for()`` accepts.

    Raises:
        UsageError: An axis has no values, or two axes vary the same input.
        InputValueError: Values have the wrong type or are out of range. The error names the axis and the position.
    """
    found: list[Axis] = []
    problems: list[str] = []
    for name, given in axes.items():
        item = inputs.find_settable(name)
        fields = set(item.feeds or (item.key,))
        twin = next((axis for axis in found if fields & set(axis.fields)), None)
        if twin is not None:
            raise UsageError(
                f"The axis {name!r} varies the same input as the axis {twin.name!r}. Remove one of them."
            )
        values = values_for(name, item, given)
        if item.is_seed:
            values = tuple(draw_seed() if is_random(value) else value for value in values)
        wire = _wire(inputs, name, item, values, problems)
        found.append(Axis(inputs.name_of(item), item, values, wire))
    raise_for(problems)
    return found


def _wire(
    inputs: InputSet, name: Any, item: WorkflowInput, values: Sequence[Any], problems: list[str]
) -> tuple[Any, ...]:
    trial = inputs.copy()
    batchable = is_batchable(item)
    wire: list[Any] = []
    for position, value in enumerate(values):
        if value is None:
            problems.append(f"Axis {name!r}, value {position}: None is not a value. Remove it from the axis.")
            continue
        try:
            trial.set({name: value})
        except InputValueError as error:
            problems.append(f"Axis {name!r}, value {position}: {error}")
            continue
        if batchable:
            # A local image is uploaded when the sweep starts.
            checked = trial.at(item.key).field
            wire.append(checked.value if find_pending(checked.value) else checked.to_api_format())
    return tuple(wire)


def check_together(inputs: InputSet, groups: Sequence[Sequence[Axis]]) -> None:
    """Check that every node accepts each combination of values from its axes.

    Nodes have rules beyond the schema, for example that a range must not begin after its end. The server does not
    check them when it enqueues a batch, and a run that breaks one stops its queue.

    Args:
        inputs: The workflow's inputs, including the values that hold for all runs.
        groups: The groups of axes. All combinations of groups are run; the axes within a group are zipped.

    Raises:
        InputValueError: A node rejects a combination of values.
    """
    problems: dict[str, None] = {}
    for node_id in _nodes_with_rules(inputs, [axis for group in groups for axis in group]):
        mine = [[axis for axis in group if axis.item.node_id == node_id and axis.wire] for group in groups]
        mine = [group for group in mine if group]
        axes = [axis for group in mine for axis in group]
        rows = [list(zip(*(axis.wire for axis in group), strict=True)) for group in mine]
        for combination in product(*rows):
            values = [value for part in combination for value in part]
            problems.update(dict.fromkeys(_rejections(inputs, node_id, axes, values)))
    raise_for(problems)


def check_rows(inputs: InputSet, axes: Sequence[Axis], places: Sequence[str]) -> None:
    """Check that every node accepts the values of each row of a table.

    Args:
        inputs: The workflow's inputs, including the values that hold for all runs.
        axes: The columns. All have one value per row.
        places: The location of each row, for error messages.

    Raises:
        InputValueError: A node rejects a combination of values. The error names the row.
    """
    problems: list[str] = []
    for node_id in _nodes_with_rules(inputs, axes):
        mine = [axis for axis in axes if axis.item.node_id == node_id and axis.wire]
        for place, *values in zip(places, *(axis.wire for axis in mine), strict=True):
            problems += [f"{place}: {problem}" for problem in _rejections(inputs, node_id, mine, values)]
    raise_for(problems)


def _nodes_with_rules(inputs: InputSet, axes: Sequence[Axis]) -> list[str]:
    nodes = dict.fromkeys(axis.item.node_id for axis in axes if axis.wire)
    return [node_id for node_id in nodes if inputs.has_rules(node_id)]


def _rejections(inputs: InputSet, node_id: str, axes: Sequence[Axis], values: Sequence[Any]) -> Iterator[str]:
    together = dict(zip((axis.item.field_name for axis in axes), values, strict=True))
    for name, expected in inputs.refusals(node_id, together):
        others = ", ".join(f"{one} = {value!r}" for one, value in together.items() if one != name)
        value = repr(together[name]) if name in together else "its value"
        place = inputs.at((node_id, name)).field.place
        yield f"{place}: {value} is not valid{others and f' with {others}'}; expected {expected}."


def raise_for(problems: Iterable[str]) -> None:
    """Raise an ``InputValueError`` that lists problems, if there are any."""
    shown = list(problems)
    if shown:
        raise InputValueError("\n".join(first_lines(shown, _SHOWN)))
