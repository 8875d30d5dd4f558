"""Tables of values: CSV and JSON files, lists of dicts, pandas and polars data frames."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from numbers import Real
from pathlib import Path
from typing import Any, cast

from invokeai_py_client._paths import user_path
from invokeai_py_client._text import clip
from invokeai_py_client.errors import UsageError
from invokeai_py_client.files.text import read_text

_CSV = (".csv", ".tsv")
_JSONL = (".jsonl", ".ndjson")
_JSON = (".json",)
# The types of empty cells in pandas columns that are not numeric.
_PANDAS_MISSING = ("NAType", "NaTType")


class TableRow(dict[str | int, Any]):
    """The values of one run by input.

    Attributes:
        where: The location for error messages: ``runs.csv, line 7`` or ``row 7``.
        is_text: Whether all values are text, as in a CSV file, and have yet to be parsed for their inputs.
    """

    def __init__(self, values: Mapping[str | int, Any], where: str, *, is_text: bool = False) -> None:
        super().__init__(values)
        self.where = where
        self.is_text = is_text


def rows_of(source: Any) -> list[TableRow]:
    """Read the rows of a table.

    Cells that are empty, ``None``, ``null`` or NaN are omitted from their row. Empty lines are skipped.

    Args:
        source: An iterable of dicts, a pandas or polars data frame, or the path of a file. A CSV file needs a header
            and has commas, semicolons or tabs between its cells; its values remain text. A JSONL file has an object
            per line, a JSON file a list of objects.

    Raises:
        UsageError: The file cannot be read, or it is not a table. The error names the row and the column, and for a
            file the line.
    """
    if isinstance(source, str | os.PathLike):
        return list(_from_file(user_path(cast("str | os.PathLike[str]", source))))
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
    raise UsageError(f"Cannot read rows from {path}: expected a file whose name ends in one of {known}.")


# --------------------------------------------------------------------------- CSV


def _from_csv(path: Path, text: str) -> Iterator[TableRow]:
    first = text.lstrip("\n").partition("\n")[0]
    # Spreadsheets write semicolons in countries with decimal commas. Prompts contain both, so only the header counts.
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
        raise UsageError(f"{path.name}, line {line}: invalid CSV: {error}.") from None


def _header(where: str, cells: list[str]) -> list[str]:
    names = [cell.strip() for cell in cells]
    twice = next((name for name in names if name and names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"{where}: two columns are named {twice!r}. Rename or remove one of them.")
    return names


def _by_column(where: str, header: list[str], cells: list[str]) -> dict[str | int, Any]:
    found: dict[str | int, Any] = {}
    for place, cell in enumerate(cells):
        if not cell.strip():
            continue
        name = header[place] if place < len(header) else ""
        if not name:
            raise UsageError(
                f"{where}, column {place + 1}: {clip(cell, 60)!r} is in a column without a name. The columns are"
                f" {', '.join(filter(None, header))}. Put quotes around a value that contains a comma."
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
        raise UsageError(f"{path.name}: expected a list of objects, one for each row.")
    for number, row in enumerate(cast("list[Any]", rows), start=1):
        yield _row(row, f"{path.name}, row {number}")


def _loaded(text: str, where: str, *, first_line: int | None) -> Any:
    try:
        return json.loads(text, object_pairs_hook=lambda pairs: _without_twins(pairs, where))
    except json.JSONDecodeError as error:
        line = "" if first_line is None else f", line {error.lineno}"
        raise UsageError(f"{where}{line}, character {error.colno}: invalid JSON: {error.msg}.") from None
    except RecursionError:
        raise UsageError(f"{where}: the data is nested too deeply.") from None


def _without_twins(pairs: list[tuple[str, Any]], where: str) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise UsageError(f"{where}: the name {twice!r} appears twice. Remove one of them.")
    return found


# --------------------------------------------------------------------------- Python objects


def _records(source: Any) -> Iterable[Any]:
    polars = getattr(source, "to_dicts", None)
    if callable(polars):
        return cast("Iterable[Any]", polars())
    pandas = getattr(source, "to_dict", None)
    if callable(pandas) and hasattr(source, "columns"):
        return cast("Iterable[Any]", pandas("records"))
    if isinstance(source, Mapping) or not hasattr(source, "__iter__"):
        raise UsageError(
            f"Cannot read rows from {type(cast('Any', source)).__name__}: expected a list of dicts, a pandas or polars"
            " data frame, or the path of a CSV, JSONL or JSON file."
        )
    return cast("Iterable[Any]", source)


def _from_records(records: Iterable[Any]) -> Iterator[TableRow]:
    for number, record in enumerate(records, start=1):
        yield _row(record, f"row {number}")


def _row(record: Any, where: str) -> TableRow:
    if not isinstance(record, Mapping):
        raise UsageError(f"{where}: expected a dict of values by input, not {type(record).__name__}.")
    values = cast("Mapping[Any, Any]", record)
    for name in values:
        if not isinstance(name, str | int):
            raise UsageError(
                f"{where}: {name!r} is not the name of an input: expected text, or the input's index in the form."
            )
    return TableRow({name: value for name, value in values.items() if not _is_missing(value)}, where)


def _is_missing(value: Any) -> bool:
    if value is None or type(value).__name__ in _PANDAS_MISSING:
        return True
    return isinstance(value, Real) and bool(value != value)
