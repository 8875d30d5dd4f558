"""Planning a sweep: the values of each run, in as few requests as possible.

A plan consists of parts, and each part becomes one request. The server runs all combinations of the entries of a
batch's data (the last entry varies fastest) and zips the values within an entry. A batch cannot carry some types
(models, boards, colors, lists). Their values are written to the graph, so each combination of them needs its own
part. These axes come first, so that the server switches models as rarely as possible.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

from invokeai_py_client._base import restore_fields
from invokeai_py_client.engine.seeds import LARGEST_SEED, draw_seed, is_random
from invokeai_py_client.errors import InputError, InputValueError, UnknownInputError, UsageError
from invokeai_py_client.files.labels import label_of
from invokeai_py_client.ivk_fields.plain import as_integer, as_sequence
from invokeai_py_client.schema.template import UNSET
from invokeai_py_client.sweep.axes import (
    Axis,
    check_rows,
    check_together,
    is_batchable,
    raise_for,
    read_axes,
)

if TYPE_CHECKING:
    from invokeai_py_client.engine.inputs import InputSet, WorkflowInput
    from invokeai_py_client.engine.workflow import Key
    from invokeai_py_client.sweep.rows import TableRow

# One number with a comma in it, or two numbers.
_WITH_COMMA = re.compile(r"\s*[+-]?[\d.]*,[\d.]+\s*")
# A number with a decimal comma, and perhaps with points between thousands.
_DECIMAL_COMMA = re.compile(r"\s*[+-]?(?:\d{1,3}(?:\.\d{3})+|\d*),\d+\s*")
_THOUSANDS = re.compile(r"\s*[+-]?\d{1,3},\d{3}\s*")
_NAME = "name"
_SEEDS = LARGEST_SEED + 1
_LARGEST = 100_000


@dataclass(frozen=True, slots=True)
class Part:
    """The runs of one request.

    Attributes:
        fixed: The values in the graph, by input.
        groups: The groups of axes. All combinations of groups are run, and the last group varies fastest. The axes
            within a group are zipped.
        first: The index of the first run in the sweep.
        rows: The rows of the table, for each value of the first group. Empty if the plan has no table.
    """

    fixed: Mapping[str, Any]
    groups: tuple[tuple[Axis, ...], ...]
    first: int = 0
    rows: tuple[int, ...] = ()

    @property
    def count(self) -> int:
        """The number of runs."""
        return prod(len(group[0].values) for group in self.groups)

    def point(self, index: int) -> dict[str, Any]:
        """Return the values of a run by input, as the user passed them."""
        values = dict(self.fixed)
        for group, place in zip(self.groups, self.places(index), strict=True):
            values.update((axis.name, axis.values[place]) for axis in group)
        return values

    def data(self) -> list[list[dict[str, Any]]]:
        """Return the batch data."""
        return [[datum for axis in group for datum in _data_of(axis)] for group in self.groups]

    def places(self, index: int) -> list[int]:
        """Return the position of a run in each group."""
        return places([len(group[0].values) for group in self.groups], index)

    def row(self, index: int) -> int:
        """Return the row of a run in the table."""
        return self.rows[0] if len(self.rows) == 1 else self.rows[self.places(index)[0]]

    def __setstate__(self, state: Sequence[Any]) -> None:
        restore_fields(self, state)


def places(lengths: Sequence[int], index: int) -> list[int]:
    """Return the position in each list of the combination with this index. The last list varies fastest."""
    found: list[int] = []
    for length in reversed(lengths):
        index, place = divmod(index, length)
        found.append(place)
    return found[::-1]


@dataclass(frozen=True, slots=True)
class SweepPlan:
    """The planned runs of a sweep.

    A plan has a copy of the inputs. Setting values on the workflow later does not change the plan.

    Attributes:
        axes: The names of the axes, outermost first.
        parts: The parts of the plan. Each part becomes one request.
        inputs: The inputs of the workflow with the values that all runs share.
        auto_board: The board (id or name) for board fields set to "auto". None means uncategorized.
        names: The names of the table's rows, from its column ``name``. Empty if it has no such column.
    """

    axes: tuple[str, ...]
    parts: tuple[Part, ...]
    inputs: InputSet | None = field(default=None, compare=False)
    auto_board: str | None = None
    names: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """The number of runs."""
        return sum(part.count for part in self.parts)

    def __repr__(self) -> str:
        over = f" over {', '.join(self.axes)}" if self.axes else ""
        requests = f"{len(self.parts)} request{'s' * (len(self.parts) != 1)}"
        return f"<{type(self).__name__}: {self.count} run{'s' * (self.count != 1)}{over}, in {requests}>"

    def points(self) -> Iterator[dict[str, Any]]:
        """Iterate over the axis values of each run, by input."""
        for part in self.parts:
            for index in range(part.count):
                yield part.point(index)

    def inputs_with(self, values: Mapping[Any, Any] | None, now: InputSet) -> InputSet:
        """Return the inputs of the runs, with additional values.

        Args:
            values: Values by input. They override those of the plan and are checked together with its axes.
            now: The workflow's current inputs, for a plan pickled by a version whose plans had no inputs.

        Raises:
            InputValueError: Values have the wrong type or are out of range, or a node rejects a combination of values.
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
        restore_fields(self, state)


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
        axes: The values by input.
        mode: ``"product"`` to run all combinations, or ``"zip"`` to run the axes side by side. Defaults to
            ``"product"``.
        repeat: How many times to run each combination, each time with another seed. Defaults to 1.
        seed: ``"random"`` for a different seed in each run, ``"workflow"`` to leave random nodes alone, or a number
            for the first seed. Defaults to the same seed in all runs: the workflow's, or a random one if the workflow
            draws its seeds. With ``repeat``, defaults to a random first seed.
        auto_board: The board (id or name) for board fields set to "auto". Defaults to none.

    Raises:
        UsageError: The mode is unknown, zipped axes have different lengths, or seeds are requested but the workflow
            has no seed input.
        InputValueError: Values have the wrong type or are out of range, or a node rejects a combination of values.
    """
    if mode not in ("product", "zip"):
        raise UsageError(f"Invalid mode {mode!r}: expected 'product' or 'zip'.")
    read = read_axes(inputs, axes)
    if mode == "zip":
        lengths = {axis.name: len(axis.values) for axis in read}
        if len(set(lengths.values())) > 1:
            raise UsageError(
                f"Axes have different numbers of values: {_counts(lengths)}. With mode='zip', all axes need the"
                " same number."
            )
        return _finished(
            inputs, read, _zipped(read, len(read[0].values) if read else 0), repeat, seed, auto_board
        )
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
    """Plan a sweep with one run for each row.

    An input that a row does not set keeps the workflow's value in that run.

    Args:
        inputs: The workflow's inputs.
        rows: The values of each run, by input.
        repeat: How many times to run each row, each time with another seed. Defaults to 1.
        seed: ``"random"`` for a different seed in each run, ``"workflow"`` to leave random nodes alone, or a number
            for the first seed. Defaults to the same seed in all runs: the workflow's, or a random one if the workflow
            draws its seeds. With ``repeat``, defaults to a random first seed.
        auto_board: The board (id or name) for board fields set to "auto". Defaults to none.

    Raises:
        InputValueError: Values have the wrong type or are out of range. The error names the row and the column.
    """
    names = names_of(inputs, rows)
    problems: list[str] = []
    pin = draw_seed()
    values = {
        item.key: [
            _cell(inputs, item, row, columns, problems, None if seed == "workflow" else pin) for row in rows
        ]
        for item, columns in columns_of(inputs, rows, skip=_NAME if names else "")
    }
    raise_for(problems)
    read = read_axes(inputs, values)
    check_rows(inputs, read, [row.where for row in rows])
    plan = _finished(inputs, read, _zipped(read, len(rows)), repeat, seed, auto_board, pin)
    return replace(plan, names=names)


def names_of(inputs: InputSet, rows: Sequence[TableRow]) -> tuple[str, ...]:
    """Return the names of rows from the column ``name``, "" for those without one.

    Empty if the table lacks this column, or if the workflow has an input of that name.
    """
    if not any(_NAME in row for row in rows):
        return ()
    try:
        inputs.find_settable(_NAME)
    except UnknownInputError:
        return tuple(label_of(row.get(_NAME)).strip() for row in rows)
    except InputError:
        return ()  # several inputs have this name
    return ()


def columns_of(
    inputs: InputSet, rows: Sequence[TableRow], skip: str = ""
) -> list[tuple[WorkflowInput, list[str | int]]]:
    """Return the inputs that the columns of a table set, each with the names of its columns.

    Args:
        inputs: The workflow's inputs.
        rows: The rows.
        skip: A column that is not an input. Defaults to "" for none.

    Raises:
        InputError: A column is not an input. The error names the location.
        UsageError: Two columns of a file, or two values of a row, set the same input.
    """
    found: dict[str | int, WorkflowInput] = {}
    columns: dict[Any, tuple[WorkflowInput, list[str | int]]] = {}
    sources: dict[tuple[str, Any], str | int] = {}
    for row in rows:
        where = row.where if row.header is None else row.header.where
        for name in row:
            if name == skip:
                continue
            if name not in found:
                item = found[name] = _column(inputs, name, where)
                columns.setdefault(item.key, (item, []))[1].append(name)
            other = sources.setdefault((where, found[name].key), name)
            if other != name:
                raise UsageError(
                    f"{where}: the columns {other!r} and {name!r} set the same input. Remove one of them."
                )
    return list(columns.values())


def _column(inputs: InputSet, name: str | int, where: str) -> WorkflowInput:
    try:
        return inputs.find_settable(int(name) if isinstance(name, str) and name.isdecimal() else name)
    except InputError as error:
        error.args = (f"{where}, column {name!r}: {error}",)
        raise


def _cell(
    inputs: InputSet,
    item: WorkflowInput,
    row: TableRow,
    names: Sequence[str | int],
    problems: list[str],
    pin: int | None,
) -> Any:
    """Return the value of a cell. It is checked here, so that an error can name the row and the column."""
    name = next((one for one in names if one in row), None)
    if name is None:
        own: Any = item.field.reusable_value
        if own in (UNSET, None) and item.feeds:
            own = pin
        if own is UNSET or own is None:
            problems.append(
                f"{row.where}: {names[0]!r} has no value, neither in this row nor in the workflow."
            )
        return own
    given = row[name]
    try:
        if item.is_seed and is_random(given):
            return draw_seed()
        value = given if row.header is None else _parsed(item, given, row.header.decimal_comma)
        item.check(value)
    except InputValueError as error:
        is_number = _has_comma(item, given) and not item.field.type_text.endswith("[]")
        hint = f" Write {_without_comma(given)}." if is_number else ""
        problems.append(f"{row.where}, column {name!r}: {error}{hint}")
        return None
    return value


def _parsed(item: WorkflowInput, text: str, decimal_comma: bool) -> Any:
    """Parse the text of a cell. ``7,5`` can be a number with a decimal comma or a list of two numbers.

    Raises:
        InputValueError: The text cannot be parsed, or is ambiguous.
    """
    field, takes_both = item.field, item.field.type_text.endswith("|[]")
    if not _has_comma(item, text):
        return field.parse_text(text)
    if decimal_comma and not field.is_list and _DECIMAL_COMMA.fullmatch(text):
        return field.parse_text(_with_point(text))
    if takes_both or (decimal_comma and field.is_list):
        pair = text.strip().replace(",", ", ")
        raise InputValueError(
            f"{text!r} is ambiguous. Write {_with_point(text)} for a number, or [{pair}] for a list."
        )
    return field.parse_text(text)


def _has_comma(item: WorkflowInput, value: Any) -> bool:
    """Whether a value for a numeric input is text that could be one number with a comma in it."""
    return (
        isinstance(value, str)
        and item.field.type_name in ("IntegerField", "FloatField")
        and _WITH_COMMA.fullmatch(value) is not None
    )


def _without_comma(text: str) -> str:
    """Return the numbers that a text with a comma may stand for, as a phrase: ``1,000`` is ``1000 or 1.000``."""
    joined = f"{text.strip().replace(',', '')} or " if _THOUSANDS.fullmatch(text) else ""
    return f"{joined}{_with_point(text)}"


def _with_point(text: str) -> str:
    """Return a number with a decimal point, without separators between thousands."""
    if _DECIMAL_COMMA.fullmatch(text):
        return text.strip().replace(".", "").replace(",", ".")
    return text.strip().replace(",", "")


def is_single_seed(seed: Any) -> bool:
    """Whether a seed is a whole number, ``"random"`` or ``"workflow"``, and not the values of an axis."""
    if isinstance(seed, str):
        return seed in ("random", "workflow")
    return as_sequence(seed) is None and as_integer(seed) is not None


def _zipped(axes: Sequence[Axis], count: int) -> list[Part]:
    """Return parts of zipped axes: one for each combination of the values that a batch cannot carry.

    Args:
        axes: The axes.
        count: The number of values that each axis has.
    """
    apart = [axis for axis in axes if not axis.in_batch]
    together = [axis for axis in axes if axis.in_batch]
    rows: dict[str, list[int]] = {}
    for row in range(count):
        rows.setdefault(repr([axis.values[row] for axis in apart]), []).append(row)
    parts: list[Part] = []
    for mine in rows.values():
        fixed = {axis.name: axis.values[mine[0]] for axis in apart}
        if together:
            parts.append(Part(fixed, (tuple(axis.only(mine) for axis in together),), rows=tuple(mine)))
        else:
            parts.extend(Part(fixed, (), rows=(row,)) for row in mine)
    return parts or [Part({}, ())]


def _finished(
    inputs: InputSet,
    axes: Sequence[Axis],
    parts: Sequence[Part],
    repeat: int,
    seed: Any,
    auto_board: str | None,
    pin: int | None = None,
) -> SweepPlan:
    """Add seeds, check combinations of values, and number the parts.

    Random nodes that are not varied get the seed ``pin``, or a random one.
    """
    if repeat < 1:
        raise UsageError(f"Invalid repeat {repeat}: expected a whole number of at least 1.")
    names = [axis.name for axis in axes]
    count = sum(part.count for part in parts) * repeat
    if count > _LARGEST:
        raise UsageError(
            f"The sweep would have {count:,} runs, but the maximum is {_LARGEST:,}. Split it into several sweeps."
        )
    if seed == "workflow" and repeat > 1:
        raise UsageError(
            "repeat needs a different seed for each run, but seed='workflow' leaves the seeds to the workflow. Leave"
            " out one of them."
        )
    varied = {key for axis in axes for key in axis.fields}
    if repeat > 1 or seed not in (None, "workflow"):
        seeds = _seed_targets(inputs, axes)
        varied.update(key for item in seeds for key in item.feeds)
        # Seeds are drawn once, so that all combinations (of models, for example) use the same seeds.
        first_seed = random.SystemRandom().randrange(_SEEDS - repeat) if seed is None else seed
        parts = [_seeded(inputs, part, seeds, repeat, first_seed) for part in parts]
        names += [inputs.name_of(item) for item in seeds]
    if seed != "workflow":
        inputs = _pinned(inputs, varied, draw_seed() if pin is None else pin)
    numbered: list[Part] = []
    first = 0
    for part in parts:
        _check_together(inputs, part)
        numbered.append(replace(part, first=first))
        first += part.count
    return SweepPlan(tuple(names), tuple(numbered), inputs.copy(), auto_board)


def _check_together(inputs: InputSet, part: Part) -> None:
    fixed = inputs.copy()
    fixed.set(part.fixed)
    check_together(fixed, part.groups)


def _pinned(inputs: InputSet, varied: set[Key], seed: int) -> InputSet:
    """Return the inputs with one seed for all random nodes, except those that the sweep varies."""
    drawn = [item for item in inputs.random_seeds(unset=True) if not varied.issuperset(item.feeds)]
    if not drawn:
        return inputs
    pinned = inputs.copy()
    pinned.set({item.key: seed for item in drawn})
    return pinned


def _seed_targets(inputs: InputSet, axes: Sequence[Axis]) -> list[WorkflowInput]:
    found = inputs.main_seeds()
    taken = {key for axis in axes for key in axis.fields}
    if any(not taken.isdisjoint(item.feeds or (item.key,)) for item in found):
        raise UsageError(
            "The seed is both an axis and set by repeat or seed. Remove the axis, or leave out repeat and seed."
        )
    if not found:
        raise UsageError(
            "The workflow has no seed that can be set. Use another input as an axis to make the runs differ."
        )
    return found


def _seeded(inputs: InputSet, part: Part, targets: Sequence[WorkflowInput], repeat: int, seed: Any) -> Part:
    if seed == "random":
        draw = random.SystemRandom()
        # With a different seed in each run, the runs are not a product. So each axis lists its value for every run.
        rows = [row for row in range(part.count) for _ in range(repeat)]
        seeds = [draw.randrange(_SEEDS) for _ in rows]
        taken = [part.places(row) for row in rows]
        spelled = [
            axis.only([place[number] for place in taken])
            for number, group in enumerate(part.groups)
            for axis in group
        ]
        together = ((*spelled, *_seed_axes(inputs, targets, seeds)),)
        return Part(part.fixed, together, rows=tuple(map(part.row, rows)) if part.rows else ())
    first = as_integer(seed) if is_single_seed(seed) else None
    if first is None:
        raise UsageError(
            f"Invalid seed {seed!r}: expected a whole number, 'random' or 'workflow'. Pass several seeds as an axis."
        )
    seeds = list(range(first, first + repeat))
    return replace(part, groups=(*part.groups, tuple(_seed_axes(inputs, targets, seeds))))


def _seed_axes(inputs: InputSet, targets: Sequence[WorkflowInput], seeds: Sequence[int]) -> list[Axis]:
    read = read_axes(inputs, {inputs.name_of(item): seeds for item in targets})
    assert all(is_batchable(axis.item) for axis in read)
    return read


def _counts(lengths: Mapping[str, int]) -> str:
    return ", ".join(f"{name} has {length}" for name, length in lengths.items())


def _data_of(axis: Axis) -> list[dict[str, Any]]:
    return [
        {"node_path": node_id, "field_name": name, "items": list(axis.wire)} for node_id, name in axis.fields
    ]
