"""From axes to one batch: which values each run gets, and how the server's batch data says it.

Pure: axes in, data out. The server multiplies the outer list (the last entry varies fastest) and zips what is
inside each entry; its items may be strings, numbers and images (InvokeAI 5.15 to 6.14; lists from 6.14).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any

from invokeai_py_client.errors import InputValueError, UsageError
from invokeai_py_client.ivk_fields.pending import find_pending

if TYPE_CHECKING:
    from invokeai_py_client.workflow.inputs import InputSet, WorkflowInput

_BATCHABLE = frozenset(
    {"StringField", "IntegerField", "FloatField", "BooleanField", "EnumField", "SchedulerField", "ImageField"}
)

_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Axis:
    """One input and the values it takes.

    Attributes:
        name: The input's name.
        item: The input.
        values: The values as the user gave them.
        wire: The same as the server takes them, images to upload as they are.
        inputs: The inputs that it is one of.
    """

    name: str
    item: WorkflowInput
    values: tuple[Any, ...]
    wire: tuple[Any, ...]
    inputs: InputSet = field(repr=False, compare=False)


def read_axes(inputs: InputSet, axes: Mapping[Any, Iterable[Any]]) -> list[Axis]:
    """Find each axis' input and check every one of its values.

    Nothing may go wrong later: the server does not check batch values against the node, and one of the wrong
    type stops its whole queue (seen on 6.14.2).

    Raises:
        UsageError: An axis without values, or of a type that the server's batches cannot carry.
        InputValueError: Values are of the wrong type or out of range; the error names axis and position.
    """
    found: list[Axis] = []
    problems: list[str] = []
    for name, given in axes.items():
        if isinstance(given, str | bytes | Mapping) or not hasattr(given, "__iter__"):
            raise UsageError(f"The axis {name!r} needs a list of values, not {given!r}.")
        values = tuple(given)
        if not values:
            raise UsageError(f"The axis {name!r} has no values.")
        item = inputs.find(name)
        if item.field.type_name not in _BATCHABLE or item.field.is_list:
            raise UsageError(
                f"{item.label!r} is of type {item.type}, which one batch cannot vary; run the workflow once for "
                "each of its values instead."
            )
        twin = next((axis for axis in found if axis.item.key == item.key), None)
        if twin is not None:
            raise UsageError(f"The axis {name!r} is the same input as the axis {twin.name!r}.")
        trial = inputs.copy()
        wire: list[Any] = []
        for position, value in enumerate(values):
            if value is None:
                problems.append(f"axis {name!r}, value {position}: None cannot be sent in a batch.")
                continue
            try:
                trial.set({name: value})
                field = trial.find(name).field
                # An image of this machine goes up when the sweep starts.
                wire.append(field.value if find_pending(field.value) else field.to_api_format())
            except InputValueError as error:
                problems.append(f"axis {name!r}, value {position}: {error}")
        found.append(Axis(inputs.name_of(item), item, values, tuple(wire), inputs))
    if problems:
        raise InputValueError("\n".join(problems))
    return found


def batch_data(axes: Sequence[Axis], mode: str) -> list[list[dict[str, Any]]]:
    """The axes as the server's batch data: a product, or one zip.

    Raises:
        UsageError: An unknown mode, or a zip of axes of different lengths.
        InputValueError: Values that a node refuses, by themselves or together.
    """
    data = [
        {"node_path": axis.item.node_id, "field_name": axis.item.field_name, "items": list(axis.wire)}
        for axis in axes
    ]
    if mode == "product":
        _check_nodes(axes, mode)
        return [[datum] for datum in data]
    if mode != "zip":
        raise UsageError(f"mode is 'product' or 'zip', not {mode!r}.")
    lengths = {axis.name: len(axis.values) for axis in axes}
    if len(set(lengths.values())) > 1:
        raise UsageError(f"Axes that are zipped need equally many values; these have {lengths}.")
    _check_nodes(axes, mode)
    return [data] if data else []


def _check_nodes(axes: Sequence[Axis], mode: str) -> None:
    """Make sure that no node refuses the values that the axes give it together.

    Nodes check more than the schema tells (a range that begins after its end). Enqueueing does not ask them, and
    a run that they refuse stops the server's queue.
    """
    problems: dict[str, None] = {}
    for node_id in dict.fromkeys(axis.item.node_id for axis in axes):
        mine = [axis for axis in axes if axis.item.node_id == node_id]
        names = [axis.item.field_name for axis in mine]
        wires = [axis.wire for axis in mine]
        for row in product(*wires) if mode == "product" else zip(*wires, strict=True):
            together = dict(zip(names, row, strict=True))
            for name, what in mine[0].inputs.refusals(node_id, together):
                shown = ", ".join(f"{one} = {value!r}" for one, value in together.items())
                problems[f"{mine[0].item.node_name} with {shown}: {name}: {what}."] = None
    if problems:
        shown = list(problems)
        more = [f"... and {len(shown) - _SHOWN} more."] if len(shown) > _SHOWN else []
        raise InputValueError("\n".join([*shown[:_SHOWN], *more]))


def points(axes: Sequence[Axis], mode: str) -> list[dict[str, Any]]:
    """The axis values of each run, in the order in which the server makes the items."""
    names = [axis.name for axis in axes]
    values = [axis.values for axis in axes]
    rows = product(*values) if mode == "product" else zip(*values, strict=True)
    return [dict(zip(names, row, strict=True)) for row in rows]
