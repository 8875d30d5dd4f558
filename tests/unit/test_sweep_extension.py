"""Finding the rows of a table that a sweep does not have yet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import workflows
from fake_server import FakeServer

from invokeai_py_client.engine.definition import WorkflowDefinition
from invokeai_py_client.engine.inputs import InputSet, seed_names
from invokeai_py_client.engine.load import load_workflow
from invokeai_py_client.errors import InputValueError, UsageError
from invokeai_py_client.schema.reference import reference_schema
from invokeai_py_client.sweep.extension import extend_sweep, missing_rows, shared_seed
from invokeai_py_client.sweep.manifest import Manifest, ManifestWriter, read_manifest
from invokeai_py_client.sweep.plan import SweepPlan, plan_rows
from invokeai_py_client.sweep.requests import Request, prepare_requests
from invokeai_py_client.sweep.rows import rows_of

TABLE = "prompt,steps\na fox,4\na hen,8\n"


@pytest.fixture(scope="module")
def inputs() -> InputSet:
    schema = reference_schema()
    return InputSet(load_workflow(WorkflowDefinition.from_dict(workflows.sd1()), schema), schema)


def kept(inputs: InputSet, plan: SweepPlan) -> Manifest:
    """Return the manifest of a sweep with this plan, as it is read from a file."""
    assert plan.inputs is not None
    requests = [
        Request(
            part.first,
            part.count,
            part.fixed,
            tuple({axis.name: list(axis.values) for axis in group} for group in part.groups),
            {"batch": {"data": []}},
        )
        for part in plan.parts
    ]
    header: dict[str, Any] = {
        "axes": list(plan.axes),
        "inputs": plan.inputs.snapshot(),
        "seeds": seed_names(inputs).to_dict(),
    }
    return Manifest(
        json.loads(json.dumps(header)),
        [Request.from_dict(json.loads(json.dumps(one.to_dict()))) for one in requests],
    )


def table(folder: Path, text: str) -> list[Any]:
    path = folder / "runs.csv"
    path.write_text(text.replace("prompt", "positive_prompt"))
    return list(rows_of(path))


def missing(inputs: InputSet, folder: Path, before: str, after: str, **options: Any) -> list[dict[Any, Any]]:
    manifest = kept(inputs, plan_rows(inputs, table(folder, before), **options))
    found = missing_rows(manifest, inputs, table(folder, after), options.get("repeat", 1))
    return [dict(row) for row in found]


def test_rows_that_are_appended_or_inserted_are_new(inputs: InputSet, tmp_path: Path) -> None:
    assert missing(inputs, tmp_path, TABLE, TABLE) == []
    assert missing(inputs, tmp_path, TABLE, TABLE + "a cat,4\n") == [
        {"positive_prompt": "a cat", "steps": "4"}
    ]
    found = missing(inputs, tmp_path, TABLE, "prompt,steps\na cow,5\na hen,8\na fox,04\n")
    assert found == [{"positive_prompt": "a cow", "steps": "5"}]  # order and spelling do not matter


def test_the_same_row_twice_is_new(inputs: InputSet, tmp_path: Path) -> None:
    assert len(missing(inputs, tmp_path, TABLE, TABLE + "a fox,4\n")) == 1
    assert len(missing(inputs, tmp_path, TABLE, TABLE + "a fox,4\n", repeat=3)) == 1


@pytest.mark.parametrize(
    "options", [{"seed": "random"}, {"repeat": 3}, {"repeat": 2, "seed": 7}, {"seed": 9}]
)
def test_seeds_of_the_sweep_do_not_matter(inputs: InputSet, tmp_path: Path, options: dict[str, Any]) -> None:
    assert missing(inputs, tmp_path, TABLE, TABLE, **options) == []
    assert len(missing(inputs, tmp_path, TABLE, TABLE + "x,1\ny,2\n", **options)) == 2


def test_seeds_in_the_table_matter_unless_they_are_random(inputs: InputSet, tmp_path: Path) -> None:
    before = "prompt,seed\na,1\na,2\n"
    assert missing(inputs, tmp_path, before, before + "a,3\n") == [{"positive_prompt": "a", "seed": "3"}]
    before = "prompt,seed\na,random\nb,random\n"
    assert missing(inputs, tmp_path, before, before) == []
    assert missing(inputs, tmp_path, before, before + "c,random\n") == [
        {"positive_prompt": "c", "seed": "random"}
    ]


def test_rows_with_empty_cells(inputs: InputSet, tmp_path: Path) -> None:
    before = "prompt,steps\na,4\nb,\n"
    assert missing(inputs, tmp_path, before, before + "c,\n") == [{"positive_prompt": "c"}]


def test_other_columns_are_an_error(inputs: InputSet, tmp_path: Path) -> None:
    for after in ("prompt\na fox\n", "prompt,steps,cfg_scale\na fox,4,7\n"):
        with pytest.raises(UsageError, match="start a new sweep"):
            missing(inputs, tmp_path, TABLE, after)
    with pytest.raises(InputValueError, match=r"runs\.csv, line 2"):
        missing(inputs, tmp_path, TABLE, "prompt,steps\na fox,0\n")


def test_shared_seed(inputs: InputSet, tmp_path: Path) -> None:
    rows = table(tmp_path, TABLE)
    assert shared_seed(kept(inputs, plan_rows(inputs, rows, seed=9))) == ("seed", 9)
    assert shared_seed(kept(inputs, plan_rows(inputs, rows))) == ("seed", 7)  # the workflow's
    assert shared_seed(kept(inputs, plan_rows(inputs, rows, seed="random"))) is None
    assert shared_seed(Manifest({"axes": ["steps"], "inputs": {}})) is None  # of an older version


async def test_extending_appends_requests_to_the_manifest(tmp_path: Path) -> None:
    schema = reference_schema()
    loaded = load_workflow(WorkflowDefinition.from_dict(workflows.add()), schema)
    sums = InputSet(loaded, schema)
    connection = FakeServer().connection
    path = tmp_path / "sweep.jsonl"
    plan = plan_rows(sums, rows_of([{"a": 1, "b": 2}, {"a": 3, "b": 4}]))
    assert plan.inputs is not None
    ManifestWriter(path, create=True).begin(
        await prepare_requests(connection, loaded, schema, plan, plan.inputs),
        name="sum",
        url="http://localhost:1",
        queue="default",
        batch="b",
        labels={},
        background=False,
        axes=plan.axes,
        inputs=plan.inputs.snapshot(),
        seeds=seed_names(sums).to_dict(),
    )
    before = path.read_text()
    rows = rows_of([{"a": 5, "b": 6}, {"a": 1, "b": 2}, {"a": 3, "b": 4}, {"a": 7, "b": 8}])
    assert await extend_sweep(connection, loaded, schema, sums, path, rows) == 2
    assert path.read_text().startswith(before)
    found = read_manifest(path)
    assert [(one.first, one.count) for one in found.requests] == [(0, 2), (2, 2)]
    assert [found.requests[1].values(row) for row in (0, 1)] == [{"a": 5, "b": 6}, {"a": 7, "b": 8}]
    data = found.requests[1].body["batch"]["data"]
    assert {datum["field_name"]: datum["items"] for datum in data[0]} == {"a": [5, 7], "b": [6, 8]}
    after = path.read_text()
    assert await extend_sweep(connection, loaded, schema, sums, path, rows) == 0
    with pytest.raises(InputValueError):
        await extend_sweep(connection, loaded, schema, sums, path, rows_of([{"a": "x", "b": 2}]))
    assert path.read_text() == after
