"""Tables of values: CSV and JSON files, lists of dicts, pandas and polars data frames."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any, cast

from invokeai_py_client._paths import user_path
from invokeai_py_client._text import clip
from invokeai_py_client.errors import UsageError
from invokeai_py_client.files.text import read_text
from invokeai_py_client.ivk_fields.plain import as_integer

_CSV = (".csv", ".tsv")
_JSONL = (".jsonl", ".ndjson")
_JSON = (".json",)
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}
_SEP = re.compile(r'\s*"?sep=([^"\s]|\t)"?[\s,;]*', re.IGNORECASE)
# A number with a decimal point, as far as a file with decimal commas has none.
_POINT = re.compile(r"\s*[+-]?\d*\.\d+\s*")
# The name of an index column in the file that pandas writes, and in the data frame that pandas reads from it.
_INDEX_NAMES = ("", "Unnamed: 0")
# The types of empty cells in pandas columns that are not numeric.
_PANDAS_MISSING = ("NAType", "NaTType")


@dataclass(frozen=True, slots=True)
class CsvHeader:
    """The header of a CSV file.

    Attributes:
        where: The location for error messages: ``runs.csv, line 1``.
        names: The names of the columns. "" for a column without a name.
        decimal_comma: Whether ``7,5`` is a number in this file, as spreadsheets write it in many countries.
    """

    where: str
    names: tuple[str, ...]
    decimal_comma: bool = False


class TableRow(dict[str | int, Any]):
    """The values of one run by input.

    Attributes:
        where: The location for error messages: ``runs.csv, line 7`` or ``row 7``.
        header: The header of its CSV file, or None. The values of a CSV file are text, and have yet to be parsed for
            their inputs.
    """

    def __init__(
        self, values: Mapping[str | int, Any], where: str, *, header: CsvHeader | None = None
    ) -> None:
        super().__init__(values)
        self.where = where
        self.header = header


def rows_of(source: Any) -> list[TableRow]:
    """Read the rows of a table.

    Cells that are empty, ``None``, ``null`` or NaN are omitted from their row. Empty lines are skipped.

    Args:
        source: An iterable of dicts, a pandas or polars data frame, or the path of a file. A CSV file needs a header
            and has commas, semicolons or tabs between its cells; its values remain text. Excel's first line ``sep=;``
            and the index column of pandas are supported. A JSONL file has an object per line, a JSON file a list of
            objects.

    Raises:
        UsageError: The file cannot be read, or it is not a table or has no rows. The error names the row and the
            column, and for a file the line.
    """
    if isinstance(source, str | os.PathLike):
        path = user_path(cast("str | os.PathLike[str]", source))
        rows = list(_from_file(path))
        what = f"The table {path}"
    else:
        rows = list(_from_records(_records(source)))
        what = "The table"
    if not rows:
        raise UsageError(f"{what} has no rows: expected at least one row of values.")
    return rows


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
    declared, first, text = _declared_delimiter(text)
    delimiter = declared or _delimiter(path, first, text)
    lines = list(_cells(path, text, delimiter, first))
    if not lines:
        return
    (number, names), *rows = lines
    # Spreadsheets write semicolons or tabs between cells in countries with decimal commas.
    decimal_comma = delimiter != "," and not any(
        _POINT.fullmatch(cell) for _, cells in rows for cell in cells
    )
    header = _header(f"{path.name}, line {number}", names, decimal_comma)
    skipped = 0 if _is_index(names[0], (cells[0] for _, cells in rows)) else None
    for number, cells in rows:
        where = f"{path.name}, line {number}"
        yield TableRow(_by_column(where, header.names, cells, skipped), where, header=header)


def _declared_delimiter(text: str) -> tuple[str, int, str]:
    """Read the line ``sep=;``, with which a file can tell Excel its delimiter.

    Returns:
        The delimiter or "", the number of the line that follows, and the text from there.
    """
    first, _, rest = text.partition("\n")
    match = _SEP.fullmatch(first)
    return (match[1], 2, rest) if match else ("", 1, text)


def _delimiter(path: Path, first: int, text: str) -> str:
    """Return the delimiter of a CSV file.

    If the header contains several, it is the one that splits all lines into the same number of cells.

    Raises:
        UsageError: There are several such delimiters, or none.
    """
    number = next((number for number, line in enumerate(text.split("\n"), first) if line.strip()), first)
    found: dict[str, bool] = {}
    for mark in _DELIMITERS:
        lines = [len(cells) for _, cells in _cells(path, text, mark, first, strict=False)]
        if lines and lines[0] > 1:
            found[mark] = len(lines) > 1 and len(set(lines)) == 1
    if len(found) < 2:
        return next(iter(found), ",")
    consistent = [mark for mark, is_consistent in found.items() if is_consistent]
    if len(consistent) != 1:
        names = " and ".join(_DELIMITERS[mark] for mark in found)
        raise UsageError(
            f"{path.name}, line {number}: the delimiter is not clear, because the header contains {names}. Put quotes"
            f" around names that contain one, or add the line sep={next(iter(found))} at the beginning of the file."
        )
    return consistent[0]


def _cells(
    path: Path, text: str, delimiter: str, first: int, *, strict: bool = True
) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the cells of each line that is not empty."""
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=strict
    )
    number = first
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield number, cells
            number = first + reader.line_num
    except csv.Error as error:
        if strict:
            raise UsageError(f"{path.name}, line {number}: invalid CSV: {error}.") from None


def _header(where: str, cells: list[str], decimal_comma: bool) -> CsvHeader:
    names = tuple(cell.strip() for cell in cells)
    twice = _first_twice([name for name in names if name])
    if twice is not None:
        raise UsageError(f"{where}: two columns are named {twice!r}. Rename or remove one of them.")
    return CsvHeader(where, names, decimal_comma)


def _by_column(
    where: str, header: tuple[str, ...], cells: list[str], skipped: int | None
) -> dict[str | int, Any]:
    found: dict[str | int, Any] = {}
    for place, cell in enumerate(cells):
        if not cell.strip() or place == skipped:
            continue
        name = header[place] if place < len(header) else ""
        if not name:
            raise UsageError(_no_name(where, place, cell, header))
        found[name] = cell
    return found


def _no_name(where: str, place: int, cell: str, header: tuple[str, ...]) -> str:
    problem = f"{where}, column {place + 1}: {clip(cell, 60)!r} is in a column without a name."
    if place == 0:
        return (
            f"{problem} Name the column, or delete it. If it is the index of a pandas data frame, write the file with"
            " index=False."
        )
    named = ", ".join(filter(None, header))
    return f"{problem} The columns are {named}. Put quotes around a value that contains a comma."


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
    twice = _first_twice([name for name, _ in pairs])
    if twice is not None:
        raise UsageError(f"{where}: the name {twice!r} appears twice. Remove one of them.")
    return dict(pairs)


# --------------------------------------------------------------------------- Python objects


def _records(source: Any) -> Iterable[Any]:
    polars = getattr(source, "to_dicts", None)
    if callable(polars):
        return _without_index(getattr(source, "columns", ()), cast("list[dict[Any, Any]]", polars()))
    pandas = getattr(source, "to_dict", None)
    if callable(pandas) and hasattr(source, "columns"):
        columns = list(source.columns)
        twice = _first_twice(columns)
        if twice is not None:
            raise UsageError(
                f"Two columns of the data frame are named {twice!r}. Rename or remove one of them."
            )
        return _without_index(columns, cast("list[dict[Any, Any]]", pandas("records")))
    if isinstance(source, Mapping) or not hasattr(source, "__iter__"):
        raise UsageError(
            f"Cannot read rows from {type(cast('Any', source)).__name__}: expected a list of dicts, a pandas or polars"
            " data frame, or the path of a CSV, JSONL or JSON file."
        )
    return cast("Iterable[Any]", source)


def _without_index(columns: Sequence[Any], records: list[dict[Any, Any]]) -> list[dict[Any, Any]]:
    """Remove the index column that pandas added when it wrote the file from which a data frame was read."""
    first = next(iter(columns), None)
    if not isinstance(first, str) or not _is_index(first, (record[first] for record in records)):
        return records
    return [{name: value for name, value in record.items() if name != first} for record in records]


def _from_records(records: Iterable[Any]) -> Iterator[TableRow]:
    for number, record in enumerate(records, start=1):
        yield _row(record, f"row {number}")


def _row(record: Any, where: str) -> TableRow:
    if not isinstance(record, Mapping):
        raise UsageError(f"{where}: expected a dict of values by input, not {type(record).__name__}.")
    values = cast("Mapping[Any, Any]", record)
    found: dict[str | int, Any] = {}
    for name, value in values.items():
        address = name if isinstance(name, str) else as_integer(name)
        if address is None:
            raise UsageError(
                f"{where}: {name!r} is not the name of an input: expected text, or the input's index in the form."
            )
        if not _is_missing(value):
            found[address] = value
    return TableRow(found, where)


def _is_missing(value: Any) -> bool:
    if value is None or type(value).__name__ in _PANDAS_MISSING:
        return True
    return isinstance(value, Real) and bool(value != value)


def _is_index(name: str, values: Iterable[Any]) -> bool:
    """Whether a first column is the index of a pandas data frame: without a name, and with whole numbers."""
    return name.strip() in _INDEX_NAMES and all(
        value.strip().isdecimal() if isinstance(value, str) else as_integer(value) is not None
        for value in values
    )


def _first_twice(names: Sequence[Any]) -> Any:
    """Return the first name that occurs more than once, or None."""
    return None if len(set(names)) == len(names) else next(name for name in names if names.count(name) > 1)
