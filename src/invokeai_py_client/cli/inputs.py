"""``ivk inputs``: the inputs of a workflow."""

from __future__ import annotations

import shlex

import click

from invokeai_py_client.cli.options import (
    connect,
    json_option,
    url_option,
    workflow_argument,
)
from invokeai_py_client.cli.output import emit, say


@click.command()
@workflow_argument
@click.option("--all", "everything", is_flag=True, help="Include fields that are not in the form.")
@url_option
@json_option
def inputs(workflow: str, everything: bool, url: str | None, as_json: bool) -> None:
    """List the inputs of a workflow: names, types, values and limits.

    FILE is a workflow file, an image with an embedded workflow, or the name or id of a workflow in the library.
    """
    from invokeai_py_client.display.inputs import inputs_table
    from invokeai_py_client.engine.inputs import input_row

    with connect(url) as client:
        handle = client.workflow_repo.create_workflow(workflow)
        listed = handle.inputs.everything() if everything else handle.list_inputs()
        for warning in handle.warnings:
            say(f"Note: {warning}")
        if as_json:
            for item in listed:
                emit({"event": "input", **input_row(item)})
            emit({"event": "result", "ok": True, "workflow": handle.name, "inputs": len(listed)})
            return
        from rich.console import Console

        Console().print(inputs_table(handle.name, listed))
        if not listed:
            say("The workflow's form has no fields. List every field of its nodes with: ivk inputs --all")
        else:
            say(f"Run it: ivk run {shlex.quote(workflow)} -s NAME=VALUE -o out/")
