"""Rows of tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import workflows

from invokeai_py_client.errors import InputValueError, UnknownInputError, UsageError
from invokeai_py_client.schema.reference import reference_schema
from invokeai_py_client.sweep.rows import read_rows
from invokeai_py_client.workflow.definition import WorkflowDefinition
from invokeai_py_client.workflow.inputs import InputSet
from invokeai_py_client.workflow.load import load_workflow


@pytest.fixture(scope="module")
def inputs() -> InputSet:
    schema = reference_schema()
    return InputSet(load_workflow(WorkflowDefinition.from_dict(workflows.sd1()), schema), schema)


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_csv(inputs: InputSet, tmp_path: Path) -> None:
    path = written(
        tmp_path, "runs.csv", '\ufeffPositive Prompt,steps,1\n"a fox, red",12,\n"two\nlines",,other\n'
    )
    assert read_rows(path, inputs) == [
        {"Positive Prompt": "a fox, red", "steps": 12},
        {"Positive Prompt": "two\nlines", 1: "other"},
    ]
    assert read_rows(str(written(tmp_path, "runs.tsv", "steps\tseed\n3\t4\n")), inputs) == [
        {"steps": 3, "seed": 4}
    ]


def test_json_files(inputs: InputSet, tmp_path: Path) -> None:
    rows = [{"steps": 1}, {"seed": 2}]
    assert (
        read_rows(written(tmp_path, "r.jsonl", '{"steps": 1}\n\n{"seed": 2, "steps": null}\n'), inputs)
        == rows
    )
    assert read_rows(written(tmp_path, "r.json", '[{"steps": 1}, {"seed": 2}]'), inputs) == rows


def test_tables_by_their_methods(inputs: InputSet) -> None:
    class Pandas:
        def to_dict(self, orient: str) -> list[dict[str, Any]]:
            assert orient == "records"
            return [{"steps": 1, "seed": float("nan")}]

    class Polars:
        def to_dicts(self) -> list[dict[str, Any]]:
            return [{"steps": 1, "seed": None}]

    assert read_rows(Pandas(), inputs) == read_rows(Polars(), inputs) == [{"steps": 1}]


@pytest.mark.parametrize(
    ("name", "text", "kind", "match"),
    [
        ("a.csv", "steps\nmany\n", InputValueError, r"a\.csv, line 2, column 'steps': .*'many'"),
        ("a.csv", "steps\n1,2\n", InputValueError, "line 2: more cells than columns"),
        ("a.csv", "stepz\n1\n", UnknownInputError, "stepz"),
        ("a.csv", "steps\n", UsageError, "There are no rows"),
        ("a.jsonl", '{"steps": 1}\nnope\n', UsageError, "line 2: this is no JSON"),
        ("a.jsonl", "5\n", UsageError, "Row 0 is 5"),
        ("a.json", "5", UsageError, "a list of dicts"),
        ("a.xlsx", "", UsageError, "is none of them"),
    ],
)
def test_rows_that_cannot_be(
    inputs: InputSet, tmp_path: Path, name: str, text: str, kind: type[Exception], match: str
) -> None:
    with pytest.raises(kind, match=match):
        read_rows(written(tmp_path, name, text), inputs)


def test_a_file_that_is_not_there(inputs: InputSet, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_rows(tmp_path / "nowhere.csv", inputs)
    with pytest.raises(UsageError, match="a list of dicts"):
        read_rows({"steps": 1}, inputs)
