"""Index maps: what stood at each index of a form, kept to be compared when the workflow changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from invokeai_py_client.errors import UsageError

if TYPE_CHECKING:
    from invokeai_py_client.workflow.inputs import WorkflowInput

_IDENTITY = ("node_id", "field_name")


def export_input_index_map(inputs: Iterable[WorkflowInput]) -> list[dict[str, Any]]:
    """One JSON-ready row for each input: index, label, node and field."""
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
    inputs: Iterable[WorkflowInput], kept: Sequence[Mapping[str, Any]]
) -> dict[str, list[dict[str, Any]]]:
    """Compare a kept index map with the inputs as they are now.

    Returns:
        ``unchanged``, ``moved`` (with ``old_index`` and ``input_index``), ``missing`` and ``new`` rows.

    Raises:
        UsageError: ``kept`` is no such map.
    """
    now = {_identity(row): row for row in export_input_index_map(inputs)}
    try:
        before = {_identity(row): row for row in kept}
        indices = {key: int(row["input_index"]) for key, row in before.items()}
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(
            "That is no input index map: it should be the list that export_input_index_map() gives "
            f"({type(error).__name__}: {error})."
        ) from None
    report: dict[str, list[dict[str, Any]]] = {"unchanged": [], "moved": [], "missing": [], "new": []}
    for key, row in before.items():
        if key not in now:
            report["missing"].append(dict(row))
        elif now[key]["input_index"] == indices[key]:
            report["unchanged"].append(now[key])
        else:
            report["moved"].append({**now[key], "old_index": indices[key]})
    report["new"] = [row for key, row in now.items() if key not in before]
    return report


def _identity(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in _IDENTITY)
