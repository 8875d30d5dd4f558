"""``ivk inputs``: the inputs of a workflow."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

import click

from invokeai_py_client.cli.group import IvkCommand
from invokeai_py_client.cli.options import connect, output_options, url_option, workflow_argument
from invokeai_py_client.cli.output import emit, hint, is_watched, say
from invokeai_py_client.cli.tables import Column, show_table

if TYPE_CHECKING:
    from invokeai_py_client.engine.inputs import WorkflowInput

COLUMNS = (
    Column("#", right=True),
    Column("input", key=True),
    Column("type"),
    Column("value", whole=False),
    Column("allowed", whole=False),
)


@click.command(cls=IvkCommand)
@workflow_argument
@click.option("--all", "everything", is_flag=True, help="Include fields that are not in the form.")
@click.option("--json-schema", "as_schema", is_flag=True, help="Print the JSON Schema of the inputs.")
@url_option
@output_options
def inputs(workflow: str, everything: bool, as_schema: bool, url: str | None, as_json: bool) -> None:
    """List the inputs of a workflow: names, types, values and limits.

    FILE is a workflow file, an image with an embedded workflow, or the name or id of a workflow in the library.
    Inputs marked with * are required. With --all, the list also shows the node of each field.

    With --json-schema, the inputs are described by a JSON Schema for agents, web forms and other programs. Its keys
    are names for -s of `ivk run`, and the server's models and boards are choices.
    """
    from invokeai_py_client.display.inputs import listed_inputs
    from invokeai_py_client.engine.inputs import input_row

    with connect(url) as client:
        handle = client.workflow_repo.create_workflow(workflow)
        for warning in handle.warnings:
            say(f"Note: {warning}")
        if as_schema:
            emit(handle.json_schema(everything=everything), None if as_json else 2)
            return
        listed = handle.inputs.everything() if everything else listed_inputs(handle.inputs)
        if as_json:
            for item in listed:
                emit({"event": "input", **input_row(item)})
            emit({"event": "result", "ok": True, "workflow": handle.name, "inputs": len(listed)})
            return
        columns = [*COLUMNS[:2], Column("node", whole=False), *COLUMNS[2:]] if everything else COLUMNS
        show_table(columns, [row_of(item, everything) for item in listed], title=handle.name)
        if listed:
            hint(f"Run it: ivk run {shlex.quote(workflow)} -s NAME=VALUE -o out/")
        else:
            say("The workflow's form has no fields. List every field of its nodes with: ivk inputs --all")


def row_of(item: WorkflowInput, with_node: bool = False) -> list[str]:
    """Return the cells of an input's row. In a terminal, required inputs are marked."""
    from invokeai_py_client.display.inputs import input_cells

    index, label, *rest = input_cells(item)
    mark = " *" if item.required and is_watched(sys.stdout) else ""
    return [index, label + mark, *([item.node_name] if with_node else []), *rest]
