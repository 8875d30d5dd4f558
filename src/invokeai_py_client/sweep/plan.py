"""From axes to requests: which values each run gets, and the fewest batches that say so.

Pure: axes in, parts out; each part is one request. The server multiplies the outer list of a batch's data (the last
entry varies fastest) and zips what is inside each entry. What it cannot carry there (models, boards, colours,
lists) stands in the graph itself, so each combination of those is a part of its own; they come first, so that the
server changes its model as seldom as can be.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

from invokeai_py_client._text import first_lines
from invokeai_py_client.errors import InputValueError, UsageError
from invokeai_py_client.schema.template import UNSET
from invokeai_py_client.sweep.axes import Axis, check_together, is_batchable, read_axes

if TYPE_CHECKING:
    from invokeai_py_client.engine.inputs import InputSet, WorkflowInput
    from invokeai_py_client.sweep.rows import TableRow

_SEEDS = 2**32
_LARGEST = 100_000


@dataclass(frozen=True, slots=True)
class Part:
    """The runs that one request can make.

    Attributes:
        fixed: The values that stand in the graph, by input.
        groups: All combinations of the groups, the last varying fastest; the axes inside one go side by side.
        first: The index of its first run in the sweep.
    """

    fixed: Mapping[str, Any]
    groups: tuple[tuple[Axis, ...], ...]
    first: int = 0

    @property
    def count(self) -> int:
        """How many runs it has."""
        return prod(len(group[0].values) for group in self.groups)

    def point(self, index: int) -> dict[str, Any]:
        """The values of one of its runs, by input, as the user gave them."""
        values = dict(self.fixed)
        for group, place in zip(self.groups, self.places(index), strict=True):
            values.update((axis.name, axis.values[place]) for axis in group)
        return values

    def data(self) -> list[list[dict[str, Any]]]:
        """Its batch data."""
        return [[_datum(axis) for axis in group] for group in self.groups]

    def places(self, index: int) -> list[int]:
        """Where one of its runs stands in each group."""
        return places([len(group[0].values) for group in self.groups], index)


def places(lengths: Sequence[int], index: int) -> list[int]:
    """Where the ``index``-th combination stands in each of several lists; the last varies fastest."""
    found: list[int] = []
    for length in reversed(lengths):
        index, place = divmod(index, length)
        found.append(place)
    return found[::-1]


@dataclass(frozen=True, slots=True)
class SweepPlan:
    """All runs of a sweep.

    It carries its inputs: values that are set on the workflow later do not change it.

    Attributes:
        axes: The names of the axes, outermost first.
        parts: The requests, in order.
        inputs: The inputs of the workflow with the values that hold for all runs.
        auto_board: The board (id or name) for board fields that say "auto"; None for uncategorized.
    """

    axes: tuple[str, ...]
    parts: tuple[Part, ...]
    inputs: InputSet | None = field(default=None, compare=False)
    auto_board: str | None = None

    @property
    def count(self) -> int:
        """How many runs there are."""
        return sum(part.count for part in self.parts)

    def __repr__(self) -> str:
        over = f" over {', '.join(self.axes)}" if self.axes else ""
        requests = f"{len(self.parts)} request{'s' * (len(self.parts) != 1)}"
        return f"<{type(self).__name__}: {self.count} run{'s' * (self.count != 1)}{over}, in {requests}>"

    def points(self) -> Iterator[dict[str, Any]]:
        """The values of each run."""
        for part in self.parts:
            for index in range(part.count):
                yield part.point(index)

    def inputs_with(self, values: Mapping[Any, Any] | None, now: InputSet) -> InputSet:
        """Return the inputs for the runs, with further values.

        Args:
            values: Values by input. They take precedence over the plan's, and are checked together with its axes.
            now: The workflow's inputs as they are now, for a plan that was pickled when plans had none.

        Raises:
            InputValueError: Values are of the wrong type or out of range, or a node refuses some together.
        """
        inputs = now if self.inputs is None else self.inputs
        if not values:
            return inputs
        inputs = inputs.copy()
        inputs.set(values)
        for part in self.parts:
            _check_together(inputs, part)
        return inputs

    def __setstate__(self, state: Sequence[Any]) -> None:
        # A plan that was pickled when plans had no inputs has fewer values.
        known = dict(zip((one.name for one in fields(self)), state, strict=False))
        for one in fields(self):
            object.__setattr__(self, one.name, known.get(one.name))


def plan_sweep(
    inputs: InputSet,
    axes: Mapping[Any, Any],
    *,
    mode: str = "product",
    repeat: int = 1,
    seed: Any = None,
    auto_board: str | None = None,
) -> SweepPlan:
    """Plan a sweep over axes.

    Args:
        inputs: The workflow's inputs.
        axes: For each input its values.
        mode: ``product`` or ``zip``.
        repeat: How often each combination runs, each time with another seed.
        seed: ``"random"``: a seed of its own for each run. A number: the first of the seeds.
        auto_board: The board for board fields that say "auto".

    Raises:
        UsageError: An unknown mode, a zip of different lengths, or seeds without an input for them.
        InputValueError: Values are of the wrong type or out of range, or a node refuses some together.
    """
    if mode not in ("product", "zip"):
        raise UsageError(f"mode is 'product' or 'zip', not {mode!r}.")
    read = read_axes(inputs, axes)
    if mode == "zip":
        lengths = {axis.name: len(axis.values) for axis in read}
        if len(set(lengths.values())) > 1:
            raise UsageError(f"Axes that are zipped need equally many values; these have {lengths}.")
        return _finished(inputs, read, _zipped(read), repeat, seed, auto_board)
    apart = [axis for axis in read if not axis.in_batch]
    groups = tuple((axis,) for axis in read if axis.in_batch)
    parts = [
        Part({axis.name: value for axis, value in zip(apart, values, strict=True)}, groups)
        for values in product(*(axis.values for axis in apart))
    ]
    axes_in_order = [*apart, *(group[0] for group in groups)]
    return _finished(inputs, axes_in_order, parts, repeat, seed, auto_board)


def plan_rows(
    inputs: InputSet,
    rows: Sequence[TableRow],
    *,
    repeat: int = 1,
    seed: Any = None,
    auto_board: str | None = None,
) -> SweepPlan:
    """Plan a sweep of which each run is a row: its values by input.

    An input that only some rows name keeps its own value in the others.

    Raises:
        UsageError: There are no rows.
        InputValueError: Values are of the wrong type or out of range; the error names row and column.
    """
    if not rows:
        raise UsageError("There are no rows.")
    problems: list[str] = []
    columns: dict[Any, WorkflowInput] = {}
    for row in rows:
        for name in row:
            if name not in columns:
                columns[name] = inputs.find(int(name) if isinstance(name, str) and name.isdigit() else name)
    axes: dict[Any, list[Any]] = {
        f"{item.node_id}.{item.field_name}": [_cell(item, row, name, problems) for row in rows]
        for name, item in columns.items()
    }
    if problems:
        raise InputValueError("\n".join(first_lines(problems, 10)))
    read = read_axes(inputs, axes)
    return _finished(inputs, read, _zipped(read), repeat, seed, auto_board)


def _cell(item: WorkflowInput, row: TableRow, name: Any, problems: list[str]) -> Any:
    """The value of a row for a column, checked here so that an error can name both."""
    if name not in row:
        own: Any = item.field.reusable_value
        if own is UNSET or own is None:
            problems.append(f"{row.where}: it says nothing of {name!r}, which has no value of its own.")
        return own
    given = row[name]
    try:
        value = item.field.parse_text(given) if row.is_text else given
        item.field.check(value)
    except InputValueError as error:
        problems.append(f"{row.where}, column {name!r}: {error}")
        return None
    return value


def seed_inputs(inputs: InputSet) -> list[WorkflowInput]:
    """The inputs that seeds go to: those of the form, else those of the nodes."""

    def is_seed(item: WorkflowInput) -> bool:
        return item.field_name == "seed" and item.field.type_name == "IntegerField" and not item.connected

    return [item for item in inputs if is_seed(item)] or [
        item for item in inputs.everything() if is_seed(item)
    ]


def _zipped(axes: Sequence[Axis]) -> list[Part]:
    """Parts whose rows go side by side: one for each combination of what cannot vary within a batch."""
    apart = [axis for axis in axes if not axis.in_batch]
    together = [axis for axis in axes if axis.in_batch]
    rows: dict[str, list[int]] = {}
    for row in range(len(axes[0].values) if axes else 0):
        rows.setdefault(repr([axis.values[row] for axis in apart]), []).append(row)
    parts: list[Part] = []
    for mine in rows.values():
        fixed = {axis.name: axis.values[mine[0]] for axis in apart}
        if together:
            parts.append(Part(fixed, (tuple(axis.only(mine) for axis in together),)))
        else:
            parts.extend(Part(fixed, ()) for _ in mine)
    return parts or [Part({}, ())]


def _finished(
    inputs: InputSet,
    axes: Sequence[Axis],
    parts: Sequence[Part],
    repeat: int,
    seed: Any,
    auto_board: str | None,
) -> SweepPlan:
    """Seeds added, everything that goes together checked, the parts numbered."""
    if repeat < 1:
        raise UsageError(f"repeat must be 1 or more, not {repeat}.")
    names = [axis.name for axis in axes]
    count = sum(part.count for part in parts) * repeat
    if count > _LARGEST:
        raise UsageError(f"These axes make {count} runs; a sweep has at most {_LARGEST}.")
    if repeat > 1 or seed is not None:
        seeds = _seed_targets(inputs, axes)
        # Drawn once: what is compared, models for example, is compared with the same seeds.
        first_seed = random.SystemRandom().randrange(_SEEDS - repeat) if seed is None else seed
        parts = [_seeded(inputs, part, seeds, repeat, first_seed) for part in parts]
        names += [inputs.name_of(item) for item in seeds]
    numbered: list[Part] = []
    first = 0
    for part in parts:
        _check_together(inputs, part)
        numbered.append(Part(part.fixed, part.groups, first))
        first += part.count
    return SweepPlan(tuple(names), tuple(numbered), inputs.copy(), auto_board)


def _check_together(inputs: InputSet, part: Part) -> None:
    fixed = inputs.copy()
    fixed.set(part.fixed)
    check_together(fixed, part.groups)


def _seed_targets(inputs: InputSet, axes: Sequence[Axis]) -> list[WorkflowInput]:
    found = seed_inputs(inputs)
    taken = {axis.item.key for axis in axes}
    if any(item.key in taken for item in found):
        raise UsageError(
            "The seed is an axis already; leave out repeat and seed, or take it out of the axes."
        )
    if not found:
        raise UsageError(
            "No input of the workflow is a seed that can be set (its seeds come from other nodes). Name the "
            "input that makes the runs differ as an axis."
        )
    return found


def _seeded(inputs: InputSet, part: Part, targets: Sequence[WorkflowInput], repeat: int, seed: Any) -> Part:
    if seed == "random":
        draw = random.SystemRandom()
        # A seed of its own for each run is no product: the rows are spelled out.
        rows = [row for row in range(part.count) for _ in range(repeat)]
        seeds = [draw.randrange(_SEEDS) for _ in rows]
        taken = [part.places(row) for row in rows]
        spelled = [
            axis.only([place[number] for place in taken])
            for number, group in enumerate(part.groups)
            for axis in group
        ]
        return Part(part.fixed, ((*spelled, *_seed_axes(inputs, targets, seeds)),))
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise UsageError(f"seed is a whole number or 'random', not {seed!r}; several seeds are an axis.")
    seeds = list(range(seed, seed + repeat))
    return Part(part.fixed, (*part.groups, tuple(_seed_axes(inputs, targets, seeds))))


def _seed_axes(inputs: InputSet, targets: Sequence[WorkflowInput], seeds: Sequence[int]) -> list[Axis]:
    read = read_axes(inputs, {f"{item.node_id}.{item.field_name}": seeds for item in targets})
    assert all(is_batchable(axis.item) for axis in read)
    return read


def _datum(axis: Axis) -> dict[str, Any]:
    return {"node_path": axis.item.node_id, "field_name": axis.item.field_name, "items": list(axis.wire)}
