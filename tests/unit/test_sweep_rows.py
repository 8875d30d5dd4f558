"""Rows of values from files and data frames."""

from __future__ import annotations

import json
import math
import pickle
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from invokeai_py_client.errors import UsageError
from invokeai_py_client.sweep.rows import CsvHeader, TableRow, rows_of


def written(folder: Path, name: str, text: str, encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


# --------------------------------------------------------------------------- CSV


def test_csv_values_remain_text(tmp_path: Path) -> None:
    path = written(tmp_path, "runs.csv", 'prompt,Steps,cfg\n"a fox, red",030,\n\nein "Fuchs", 4 ,0.5\n')
    rows = rows_of(path)
    assert rows == [
        {"prompt": "a fox, red", "Steps": "030"},
        {"prompt": 'ein "Fuchs"', "Steps": "4 ", "cfg": "0.5"},
    ]
    assert [row.where for row in rows] == ["runs.csv, line 2", "runs.csv, line 4"]
    assert {row.header for row in rows} == {CsvHeader("runs.csv, line 1", ("prompt", "Steps", "cfg"))}
    assert rows_of(str(path)) == rows


def test_csv_line_numbers_match_a_text_editor(tmp_path: Path) -> None:
    path = written(tmp_path, "runs.csv", '\ufeff\r\nprompt,seed\r\n"two\r\nlines",1\r\n\r\nlast,2\r\n')
    rows = rows_of(path)
    assert rows == [{"prompt": "two\nlines", "seed": "1"}, {"prompt": "last", "seed": "2"}]
    assert [row.where for row in rows] == ["runs.csv, line 3", "runs.csv, line 6"]


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_csv_delimiters_of_spreadsheets(tmp_path: Path, mark: str) -> None:
    text = "\n".join(mark.join(cells) for cells in (["prompt", "cfg"], ['"a; b, c\td"', '"0,5"'], ["x", ""]))
    for name in ("runs.csv", "RUNS.TSV"):
        assert rows_of(written(tmp_path, name, text)) == [
            {"prompt": "a; b, c\td", "cfg": "0,5"},
            {"prompt": "x"},
        ]


def test_empty_csv_cells_are_omitted(tmp_path: Path) -> None:
    path = written(tmp_path, "runs.csv", 'a,b,c\n1\n,2\n , ,\n"","",3,\n')
    assert rows_of(path) == [{"a": "1"}, {"b": "2"}, {"c": "3"}]


def test_csv_in_utf_16(tmp_path: Path) -> None:
    assert rows_of(written(tmp_path, "runs.csv", "\ufeffprompt\nFüchse\n", "utf-16-le")) == [
        {"prompt": "Füchse"}
    ]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (
            "a,b\n1,2\n3,4,5\n",
            r"runs\.csv, line 3, column 3: '5' is in a column without a name\. The columns are a, b\.",
        ),
        (
            "prompt\na fox, red\n",
            r"line 2, column 2: 'red' is in .* Put quotes around a value that contains a comma",
        ),
        ("a,,c\n1,2,3\n", r"line 2, column 2: '2' is in a column without a name\. The columns are a, c\."),
        ("a,b,a\n1,2,3\n", r"line 1: two columns are named 'a'"),
        ('a,b\n1,2\n"open,4\n5,6\n', r"line 3: invalid CSV"),
        ('a,b\n"x"y,4\n', r"line 2: invalid CSV"),
        (f"a\n{'x' * 140_000}\n", r"line 2: invalid CSV: field larger"),
    ],
)
def test_invalid_csv_is_rejected(tmp_path: Path, text: str, match: str) -> None:
    with pytest.raises(UsageError, match=match):
        rows_of(written(tmp_path, "runs.csv", text))


# --------------------------------------------------------------------------- CSV as spreadsheets write it


@pytest.mark.parametrize("first", ["sep=;", "SEP=;", '"sep=;"', "sep=;;", " sep=; "])
def test_first_line_that_declares_the_delimiter(tmp_path: Path, first: str) -> None:
    (row,) = rows_of(written(tmp_path, "runs.csv", f"\ufeff{first}\r\nsteps;note, mine\r\n3;a, b\r\n"))
    assert row == {"steps": "3", "note, mine": "a, b"}
    assert row.where == "runs.csv, line 3"
    assert row.header is not None
    assert row.header.where == "runs.csv, line 2"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("prompt;steps;note, mine\na fox;3;x\n", {"prompt": "a fox", "steps": "3", "note, mine": "x"}),
        ("prompt,steps,a;b\n1,3,4\n", {"prompt": "1", "steps": "3", "a;b": "4"}),
        ("a\tb, c\n1\t2\n", {"a": "1", "b, c": "2"}),
        ('"note, mine";steps\na, b;3\n', {"note, mine": "a, b", "steps": "3"}),
        ("prompt\na fox; red\n", {"prompt": "a fox; red"}),
    ],
)
def test_delimiter_is_recognized(tmp_path: Path, text: str, expected: dict[str, str]) -> None:
    assert rows_of(written(tmp_path, "runs.csv", text)) == [expected]


@pytest.mark.parametrize(
    "text",
    ["a;b, c\n1\n", "a;b, c\n1;2\n3, 4\n", "a;b, c\n1, 2;3\n", "a,b\tc,d\n1;2\n"],
)
def test_unclear_delimiter_is_rejected(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match=r"runs\.csv, line 2: the delimiter is not clear.* sep="):
        rows_of(written(tmp_path, "runs.csv", f"\n{text}"))


@pytest.mark.parametrize("name", ["", "Unnamed: 0"])
def test_index_column_of_pandas_is_ignored(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, "runs.csv", f"{name},steps,cfg\n0,3,7.5\n7,4,6\n")
    assert rows_of(path) == [{"steps": "3", "cfg": "7.5"}, {"steps": "4", "cfg": "6"}]


def test_first_column_without_a_name_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"runs\.csv, line 2, column 1: 'fox' .*index=False"):
        rows_of(written(tmp_path, "runs.csv", ",steps\nfox,3\n"))


@pytest.mark.parametrize(
    ("text", "decimal_comma"),
    [
        ("a;b\n1;7,5\n", True),
        ("a\tb\n1\t7,5\n", True),
        ("a;b\n1.5;7,5\n", False),
        ('a,b\n1,"7,5"\n', False),
        ('sep=,\na\n"7,5"\n', False),
    ],
)
def test_files_with_decimal_commas(tmp_path: Path, text: str, decimal_comma: bool) -> None:
    (row,) = rows_of(written(tmp_path, "runs.csv", text))
    assert row.header is not None
    assert row.header.decimal_comma == decimal_comma


# --------------------------------------------------------------------------- JSON


def test_jsonl(tmp_path: Path) -> None:
    text = '{"prompt": "a\u2028b", "seed": 1}\r\n\n  {"cfg": NaN, "seed": null, "model": {"name": "x"}}\n{}\n'
    rows = rows_of(written(tmp_path, "runs.jsonl", text))
    assert rows == [{"prompt": "a\u2028b", "seed": 1}, {"model": {"name": "x"}}, {}]
    assert [row.where for row in rows] == ["runs.jsonl, line 1", "runs.jsonl, line 3", "runs.jsonl, line 4"]
    assert not any(row.header for row in rows)


def test_json_list(tmp_path: Path) -> None:
    rows = rows_of(written(tmp_path, "runs.json", '[{"seed": 1},\n {"flag": false, "zero": 0, "text": ""}]'))
    assert rows == [{"seed": 1}, {"flag": False, "zero": 0, "text": ""}]
    assert rows[1].where == "runs.json, row 2"


@pytest.mark.parametrize(
    ("name", "text", "match"),
    [
        ("r.jsonl", '{"a": 1}\n\n{"a": }\n', r"r\.jsonl, line 3, character 7: invalid JSON"),
        ("r.jsonl", '{"a": 1}\n[1]\n', r"r\.jsonl, line 2: expected a dict of values by input, not list"),
        ("r.jsonl", '{"a": 1, "a": 2}\n', r"r\.jsonl, line 1: the name 'a' appears twice"),
        ("r.json", '[{"a": 1},\n{"a" 2}]', r"r\.json, line 2, character 6: invalid JSON"),
        ("r.json", '{"a": 1}', r"r\.json: expected a list of objects"),
        ("r.json", '[{"a": 1}, 2]', r"r\.json, row 2: expected a dict of values by input, not int"),
        ("r.json", "[" * 100_000, r"r\.json: the data is nested too deeply"),
        ("r.xlsx", "", r"r\.xlsx: expected a file whose name ends in one of \.csv, \.tsv, \.jsonl"),
        ("r.csv", None, r"Cannot read the file .*r\.csv"),
    ],
)
def test_invalid_files_are_rejected(tmp_path: Path, name: str, text: str | None, match: str) -> None:
    path = tmp_path / name if text is None else written(tmp_path, name, text)
    with pytest.raises(UsageError, match=match):
        rows_of(path)


# --------------------------------------------------------------------------- Python objects


class NAType:
    """A value like pandas.NA, which has no truth value, not even when compared with itself."""

    def __ne__(self, other: object) -> Any:
        return self

    def __eq__(self, other: object) -> Any:
        return self

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise TypeError("boolean value of NA is ambiguous")


class PandasLike:
    columns = ("prompt", "seed", "flag")

    def to_dict(self, orient: str) -> list[dict[str, Any]]:
        assert orient == "records"
        return [
            {"prompt": "a", "seed": math.nan, "flag": NAType()},
            {"prompt": "b", "seed": 2.0, "flag": True},
        ]


class SeriesLike:
    def to_dict(self) -> dict[int, Any]:
        return {0: "a"}


class PolarsLike:
    def to_dict(self) -> dict[str, Any]:
        raise AssertionError("this returns columns, not rows")

    def to_dicts(self) -> list[dict[str, Any]]:
        return [{"prompt": "a", "seed": None}, {"prompt": "b", "seed": 2}]


def test_data_frames() -> None:
    assert rows_of(PandasLike()) == [{"prompt": "a"}, {"prompt": "b", "seed": 2.0, "flag": True}]
    assert rows_of(PolarsLike()) == [{"prompt": "a"}, {"prompt": "b", "seed": 2}]


def test_data_frames_of_pandas(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    numpy = pytest.importorskip("numpy")
    frame = pandas.DataFrame({"prompt": ["a", None], "steps": [3, 4], "cfg": [7.5, numpy.nan]})
    expected = [{"prompt": "a", "steps": 3, "cfg": 7.5}, {"steps": 4}]
    assert rows_of(frame) == rows_of(frame[frame.steps > 0]) == expected
    frame.to_csv(tmp_path / "runs.csv")
    texts = [{"prompt": "a", "steps": "3", "cfg": "7.5"}, {"steps": "4"}]
    assert rows_of(tmp_path / "runs.csv") == texts
    assert rows_of(pandas.read_csv(tmp_path / "runs.csv")) == expected  # with a column "Unnamed: 0"
    frame.to_csv(tmp_path / "runs.csv", sep=";", decimal=",", index=False)
    assert rows_of(tmp_path / "runs.csv") == [{**texts[0], "cfg": "7,5"}, texts[1]]
    assert rows_of(pandas.DataFrame([[3, 7.5]], columns=numpy.array([0, 1]))) == [{0: 3, 1: 7.5}]
    with pytest.raises(UsageError, match="Two columns of the data frame are named 'a'"):
        rows_of(pandas.DataFrame([[1, 2]], columns=["a", "a"]))


def test_data_frames_of_polars(tmp_path: Path) -> None:
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"prompt": ["a", None], "steps": [3, 4]})
    assert rows_of(frame) == [{"prompt": "a", "steps": 3}, {"steps": 4}]
    (tmp_path / "runs.csv").write_text(",steps\n0,3\n")
    assert rows_of(polars.read_csv(tmp_path / "runs.csv")) == [{"steps": 3}]


def test_lists_of_dicts() -> None:
    source = [
        {"seed": 1, 0: "by index"},
        {"seed": None, "cfg": math.nan},
        {"list": [math.nan], "path": Path("x.png")},
    ]
    rows = rows_of(row for row in source)
    assert rows == [{"seed": 1, 0: "by index"}, {}, {"list": [math.nan], "path": Path("x.png")}]
    assert [row.where for row in rows] == ["row 1", "row 2", "row 3"]
    kept = [{"a": Decimal("1.5"), "b": Fraction(1, 2), "c": math.inf, "d": True}]
    assert rows_of(kept) == kept


def test_arrays_in_cells_are_not_compared() -> None:
    class Array:
        def __ne__(self, other: object) -> Any:
            return [False, True]

        __hash__ = None  # type: ignore[assignment]

    array = Array()
    assert rows_of([{"a": array}])[0]["a"] is array


@pytest.mark.parametrize(
    ("source", "match"),
    [
        ([{"a": 1}, 5], "row 2: expected a dict of values by input, not int"),
        ([{None: 1}], "row 1: None is not the name of an input"),
        ({"a": [1, 2]}, "Cannot read rows from dict: expected a list of dicts"),
        (5, "Cannot read rows from int"),
        (SeriesLike(), "Cannot read rows from SeriesLike"),
    ],
)
def test_invalid_sources_are_rejected(source: Any, match: str) -> None:
    with pytest.raises(UsageError, match=match):
        rows_of(source)


def test_rows_can_be_pickled_and_written() -> None:
    header = CsvHeader("runs.csv, line 1", ("a",))
    row = pickle.loads(pickle.dumps(TableRow({"a": 1}, "row 1", header=header)))
    assert (row, row.where, row.header) == ({"a": 1}, "row 1", header)
    assert json.dumps(row) == '{"a": 1}'
