"""Tables of a workflow's inputs in plain text and HTML."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from invokeai_py_client._text import clip, printable
from invokeai_py_client.engine.inputs import plain_value, type_word

if TYPE_CHECKING:
    from invokeai_py_client.engine.inputs import InputSet, WorkflowInput

_COLUMNS = ("#", "input", "type", "value", "allowed")
_LONGEST_VALUE = 60


def inputs_text(name: str, items: Iterable[WorkflowInput]) -> str:
    """Return a table in plain text."""
    rows = [_COLUMNS, *_rows(items)]
    widths = [min(max(len(row[i]) for row in rows), 48) for i in range(len(_COLUMNS))]
    lines = [
        "  ".join(cell[:width].ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join([printable(name), *lines])


def inputs_html(name: str, items: Iterable[WorkflowInput]) -> str:
    """Return an HTML table for a notebook."""
    return html_table(name, _COLUMNS, _rows(items))


def html_table(caption: str, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return an HTML table for a notebook, with plain text cells."""
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(
        "<tr>" + "".join(f"<td style='text-align:left'>{escape(cell)}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return f"<table><caption>{escape(caption)}</caption><tr>{head}</tr>{body}</table>"


def listed_inputs(inputs: InputSet) -> list[WorkflowInput]:
    """Return the inputs in the form, and the seed that a random node draws, if the form does not show one."""
    return inputs.listed()


def input_cells(item: WorkflowInput) -> list[str]:
    """Return the cells of an input's row: index, label, type, value and allowed values."""
    return [
        "" if item.input_index is None else str(item.input_index),
        item.label,
        type_word(item.type),
        _value(item),
        item.field.allowed,
    ]


def _rows(items: Iterable[WorkflowInput]) -> list[Sequence[str]]:
    """Return the rows of a table, without line breaks and control characters that workflow files may contain."""
    rows: list[Sequence[str]] = []
    for item in items:
        index, label, *rest = (printable(" ".join(cell.split())) for cell in input_cells(item))
        rows.append([index, label + (" *" if item.required else ""), *rest])
    return rows


def _value(item: WorkflowInput) -> str:
    if item.connected:
        return "(connected)"
    return "(random)" if item.feeds and item.value is None else _short(plain_value(item))


def _short(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return clip(" ".join(text.split()), _LONGEST_VALUE)
