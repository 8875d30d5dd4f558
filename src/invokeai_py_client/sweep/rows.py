"""Rows of values from where people keep them: CSV and JSON files, dicts, tables of pandas and polars."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from numbers import Real
from pathlib import Path
from typing import Any, cast

from invokeai_py_client._text import clip
from invokeai_py_client.errors import UsageError
from invokeai_py_client.files.text import read_text

_CSV = (".csv", ".tsv")
_JSONL = (".jsonl", ".ndjson")
_JSON = (".json",)
# What pandas has in an empty cell of a column that is not of numbers.
_PANDAS_MISSING = ("NAType", "NaTType")


class TableRow(dict[str | int, Any]):
    """The values of one run by input.

    Attributes:
        where: Where it comes from, for messages: ``runs.csv, line 7`` or ``row 7``.
        is_text: Whether all values are text, as in a CSV file, and still to be read as what their input takes.
    """

    def __init__(self, values: Mapping[str | int, Any], where: str, *, is_text: bool = False) -> None:
        super().__init__(values)
        self.where = where
        self.is_text = is_text


def rows_of(source: Any) -> list[TableRow]:
    """The rows of a table.

    A cell that is empty, ``None``, ``null`` or not a number (NaN) means that the row does not give that value. Empty
    lines of a file are no rows.

    Args:
        source: Dicts; a pandas or polars table; or the path of a file. CSV needs a header row, has commas, semicolons
            or tabs between its cells, and its values stay text. JSONL has an object in each line, JSON a list of them.

    Raises:
        UsageError: The file cannot be read, or is of another shape; the error names row and column, in a file its
            line.
    """
    if isinstance(source, str | os.PathLike):
        return list(_from_file(Path(cast("str | os.PathLike[str]", source))))
    return list(_from_records(_records(source)))


def _from_file(path: Path) -> Iterable[TableRow]:
    suffix = path.suffix.casefold()
    if suffix in _CSV:
        return _from_csv(path, read_text(path))
    if suffix in _JSONL:
        return _from_jsonl(path, read_text(path))
    if suffix in _JSON:
        return _from_json(path, read_text(path))
    known = ", ".join((*_CSV, *_JSONL, *_JSON))
    raise UsageError(f"Rows cannot be read from {path}: its name ends in none of {known}.")


# --------------------------------------------------------------------------- CSV


def _from_csv(path: Path, text: str) -> Iterator[TableRow]:
    first = text.lstrip("\n").partition("\n")[0]
    # Spreadsheets write semicolons where the comma is in numbers; prompts are full of both, the header is not.
    delimiter = next((mark for mark in "\t;" if mark in first and "," not in first), ",")
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True
    )
    header: list[str] | None = None
    line = 1
    try:
        for cells in reader:
            where, line = f"{path.name}, line {line}", reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if header is None:
                header = _header(where, cells)
                continue
            yield TableRow(_by_column(where, header, cells), where, is_text=True)
    except csv.Error as error:
        raise UsageError(f"{path.name}, line {line}: this is no CSV: {error}.") from None


def _header(where: str, cells: list[str]) -> list[str]:
    names = [cell.strip() for cell in cells]
    twice = next((name for name in names if name and names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"{where}: two columns are called {twice!r}.")
    return names


def _by_column(where: str, header: list[str], cells: list[str]) -> dict[str | int, Any]:
    found: dict[str | int, Any] = {}
    for place, cell in enumerate(cells):
        if not cell.strip():
            continue
        name = header[place] if place < len(header) else ""
        if not name:
            raise UsageError(
                f"{where}, column {place + 1}: {clip(cell, 60)!r} stands under no name; the columns are"
                f" {', '.join(filter(None, header))}. A value with a comma in it needs quotes around it."
            )
        found[name] = cell
    return found


# --------------------------------------------------------------------------- JSON


def _from_jsonl(path: Path, text: str) -> Iterator[TableRow]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path.name}, line {number}"
        yield _row(_loaded(line, where, first_line=None), where)


def _from_json(path: Path, text: str) -> Iterator[TableRow]:
    rows = _loaded(text, path.name, first_line=1)
    if not isinstance(rows, list):
        raise UsageError(f"{path.name}: it should be a list of objects, one for each row.")
    for number, row in enumerate(cast("list[Any]", rows), start=1):
        yield _row(row, f"{path.name}, row {number}")


def _loaded(text: str, where: str, *, first_line: int | None) -> Any:
    try:
        return json.loads(text, object_pairs_hook=lambda pairs: _without_twins(pairs, where))
    except json.JSONDecodeError as error:
        line = "" if first_line is None else f", line {error.lineno}"
        raise UsageError(f"{where}{line}, character {error.colno}: this is no JSON: {error.msg}.") from None
    except RecursionError:
        raise UsageError(f"{where}: it is nested too deeply.") from None


def _without_twins(pairs: list[tuple[str, Any]], where: str) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise UsageError(f"{where}: {twice!r} is there twice.")
    return found


# --------------------------------------------------------------------------- what Python holds


def _records(source: Any) -> Iterable[Any]:
    polars = getattr(source, "to_dicts", None)
    if callable(polars):
        return cast("Iterable[Any]", polars())
    pandas = getattr(source, "to_dict", None)
    if callable(pandas) and hasattr(source, "columns"):
        return cast("Iterable[Any]", pandas("records"))
    if isinstance(source, Mapping) or not hasattr(source, "__iter__"):
        raise UsageError(
            f"Rows cannot be read from {type(cast('Any', source)).__name__}; they are a list of dicts, a pandas or"
            " polars table, or the path of a CSV, JSONL or JSON file."
        )
    return cast("Iterable[Any]", source)


def _from_records(records: Iterable[Any]) -> Iterator[TableRow]:
    for number, record in enumerate(records, start=1):
        yield _row(record, f"row {number}")


def _row(record: Any, where: str) -> TableRow:
    if not isinstance(record, Mapping):
        raise UsageError(f"{where}: a row should be values by name, not {type(record).__name__}.")
    values = cast("Mapping[Any, Any]", record)
    for name in values:
        if not isinstance(name, str | int):
            raise UsageError(
                f"{where}: {name!r} is no name of an input; that is a text, or an index in the form."
            )
    return TableRow({name: value for name, value in values.items() if not _is_missing(value)}, where)


def _is_missing(value: Any) -> bool:
    if value is None or type(value).__name__ in _PANDAS_MISSING:
        return True
    return isinstance(value, Real) and bool(value != value)
