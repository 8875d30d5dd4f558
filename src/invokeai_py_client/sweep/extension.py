"""Adding rows to a sweep that has already been started, through its manifest."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invokeai_py_client.errors import UsageError
from invokeai_py_client.models.base import jsonable
from invokeai_py_client.sweep.manifest import Manifest, ManifestWriter, read_manifest
from invokeai_py_client.sweep.plan import SweepPlan, plan_rows

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.engine.inputs import InputSet
    from invokeai_py_client.engine.workflow import LoadedWorkflow
    from invokeai_py_client.schema.template import Schema
    from invokeai_py_client.sweep.rows import TableRow


async def extend_sweep(
    connection: Connection,
    loaded: LoadedWorkflow,
    schema: Schema,
    inputs: InputSet,
    path: Path,
    rows: Sequence[TableRow],
    *,
    repeat: int = 1,
    seed: Any = None,
    auto_board: str | None = None,
) -> int:
    """Add the rows of a table that a sweep does not have yet to its manifest.

    Resuming the sweep sends them.

    Args:
        connection: The server.
        loaded: The workflow.
        schema: The server's node types.
        inputs: The inputs with the values that all runs share.
        path: The manifest.
        rows: All rows of the table, including those that the sweep has.
        repeat: How many times to run each new row. Defaults to 1.
        seed: See ``plan_rows()``. Defaults to the seed that all runs of the sweep share, if there is one.
        auto_board: The board (id or name) for board fields set to "auto". Defaults to none.

    Returns:
        The number of runs that were added.

    Raises:
        UsageError: The manifest cannot be read, or the table does not have the columns of the sweep.
        NotReadyError: The workflow cannot run with the new rows. The manifest was not changed.
        InputValueError: A row has invalid values. The manifest was not changed.
    """
    from invokeai_py_client.sweep.requests import prepare_requests

    kept = read_manifest(path)
    new = missing_rows(kept, inputs, rows, repeat)
    if not new:
        return 0
    shared = shared_seed(kept)
    if seed is None and repeat == 1 and shared is not None:
        inputs = inputs.copy()
        inputs.set({shared[0]: shared[1]})
    plan = plan_rows(inputs, new, repeat=repeat, seed=seed, auto_board=auto_board)
    assert plan.inputs is not None
    first = sum(request.count for request in kept.requests)
    requests = await prepare_requests(connection, loaded, schema, plan, plan.inputs)
    writer = ManifestWriter(path, create=False)
    for request in requests:
        writer.write("request", **replace(request, first=first + request.first).to_dict())
    return plan.count


def missing_rows(
    kept: Manifest, inputs: InputSet, rows: Sequence[TableRow], repeat: int = 1
) -> list[TableRow]:
    """Return the rows of a table that a sweep does not have, in the order of the table.

    Args:
        kept: The manifest of the sweep.
        inputs: The workflow's inputs.
        rows: The table.
        repeat: How many runs the sweep has for each row. Defaults to 1.

    Raises:
        UsageError: The table does not have the columns of the sweep.
        InputValueError: A row has invalid values.
    """
    # Without seeds, so that the axes are the columns of the table.
    plan = plan_rows(inputs, rows, seed="workflow")
    seeds = _check_columns(kept, plan, rows)
    points = sorted(_points(plan), key=lambda found: found[0])
    # The manifest has the seeds that were drawn for "random" in the table.
    names = [name for name in plan.axes if name not in seeds or not _has_random_seeds(inputs, rows)]
    known = Counter(
        _key(request.values(row), names) for request in kept.requests for row in range(request.count)
    )
    new: list[TableRow] = []
    for index, values in points:
        key = _key(values, names)
        if known[key] > 0:
            known[key] -= repeat
        else:
            new.append(rows[index])
    return new


def shared_seed(kept: Manifest) -> tuple[str, int] | None:
    """Return the input and the value of the seed that all runs share. None if they differ."""
    from invokeai_py_client.engine.seeds import SeedNames

    if "seeds" not in kept.header:
        return None
    names = SeedNames.from_dict(kept.header["seeds"])
    found = {
        names.seed({**kept.header["inputs"], **request.values(row)})
        for request in kept.requests
        for row in range(request.count)
    }
    seed = found.pop() if len(found) == 1 else None
    return None if seed is None else (names.main[0], seed)


def _has_random_seeds(inputs: InputSet, rows: Sequence[TableRow]) -> bool:
    """Return whether a table asks for random seeds."""
    from invokeai_py_client.engine.seeds import is_random

    return any(
        is_random(value) and str(column).casefold() != "name" and inputs.find_settable(column).is_seed
        for row in rows
        for column, value in row.items()
    )


def _check_columns(kept: Manifest, plan: SweepPlan, rows: Sequence[TableRow]) -> set[str]:
    """Check that a table has the columns of a sweep, and return the names of the seeds.

    Raises:
        UsageError: The columns differ.
    """
    from invokeai_py_client.engine.seeds import SeedNames

    seeds = set(SeedNames.from_dict(kept.header["seeds"]).main) if "seeds" in kept.header else set[str]()
    had, has = set(kept.header["axes"]), set(plan.axes)
    if has - had or (had - has) - seeds:
        raise UsageError(
            f"The table ({rows[0].where}) has the columns {', '.join(plan.axes)}, but the sweep varies "
            f"{', '.join(kept.header['axes'])}. To run other columns, start a new sweep."
        )
    return seeds


def _points(plan: SweepPlan) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the row and the values of each run."""
    for part in plan.parts:
        for index in range(part.count):
            yield part.row(index), part.point(index)


def _key(values: Mapping[str, Any], names: Iterable[str]) -> str:
    """Return a text that is the same for equal values."""
    return json.dumps(jsonable({name: values.get(name) for name in names}), sort_keys=True)
