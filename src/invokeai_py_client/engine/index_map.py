"""Index maps: the input at each index of a form, saved for comparison after the workflow changes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from invokeai_py_client._atomic import write_draft
from invokeai_py_client._paths import user_path
from invokeai_py_client._text import decode_text
from invokeai_py_client.errors import UsageError

if TYPE_CHECKING:
    from invokeai_py_client.engine.inputs import WorkflowInput

_IDENTITY = ("node_id", "field_name")


def export_input_index_map(inputs: Iterable[WorkflowInput]) -> list[dict[str, Any]]:
    """Return a JSON-ready row for each input: index, label, node and field."""
    return [
        {
            "input_index": item.input_index,
            "label": item.label,
            "node_id": item.node_id,
            "node_name": item.node_name,
            "field_name": item.field_name,
            "type": item.type,
        }
        for item in inputs
    ]


def verify_input_index_map(
    inputs: Iterable[WorkflowInput], kept: str | os.PathLike[str] | Sequence[Mapping[str, Any]]
) -> dict[str, list[dict[str, Any]]]:
    """Compare a saved index map, or a file that contains one, with the current inputs.

    Returns:
        ``unchanged``, ``moved`` (with ``name``, ``old_index`` and ``new_index``), ``missing`` and ``new`` rows.

    Raises:
        UsageError: ``kept`` is not an index map, or its file cannot be read.
    """
    now = {_identity(row): row for row in export_input_index_map(inputs)}
    rows = _checked(_read(kept), str(kept)) if isinstance(kept, str | os.PathLike) else _checked(kept)
    before = {_identity(row): row for row in rows}
    indices = {key: int(row["input_index"]) for key, row in before.items()}
    report: dict[str, list[dict[str, Any]]] = {"unchanged": [], "moved": [], "missing": [], "new": []}
    for key, row in before.items():
        if key not in now:
            report["missing"].append(dict(row))
        elif now[key]["input_index"] == indices[key]:
            report["unchanged"].append(now[key])
        else:
            new = now[key]
            move = {"name": new["label"], "old_index": indices[key], "new_index": new["input_index"]}
            report["moved"].append({**new, **move})
    report["new"] = [row for key, row in now.items() if key not in before]
    return report


def write_index_map(path: str | os.PathLike[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Write an index map to a file, as JSON.

    Raises:
        UsageError: The file cannot be written.
    """
    file = user_path(path)
    try:
        text = json.dumps(rows, indent=2, ensure_ascii=False) + "\n"
        write_draft(file, text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise UsageError(f"Cannot write the index map {str(path)!r}: {error.strerror or error}.") from error


def _read(path: str | os.PathLike[str]) -> Any:
    file = user_path(path)
    try:
        return json.loads(decode_text(file.read_bytes()))
    except OSError as error:
        raise UsageError(f"Cannot read the index map {str(path)!r}: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"The index map {str(path)!r} is not valid JSON: {error}.") from error


def _checked(data: Any, path: str = "") -> list[Mapping[str, Any]]:
    """Return the rows of an index map.

    Raises:
        UsageError: The data is not an index map.
    """
    place = f" in {path!r}" if path else ""
    if isinstance(data, str | Mapping) or not isinstance(data, Iterable):
        raise UsageError(
            f"Invalid input index map{place}: expected the list that export_input_index_map() returns."
        )
    rows = list(cast("Iterable[Any]", data))
    for number, row in enumerate(rows, 1):
        for name in (*_IDENTITY, "input_index"):
            value: Any = cast("Mapping[str, Any]", row).get(name) if isinstance(row, Mapping) else None
            try:
                _ = int(value) if name == "input_index" else hash(value)
            except (TypeError, ValueError, OverflowError):
                value = None
            if value is None:
                raise UsageError(
                    f"Invalid input index map{place}: row {number} has no valid {name!r}. "
                    "Expected the list that export_input_index_map() returns. Export the map again."
                )
    return rows


def _identity(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in _IDENTITY)
