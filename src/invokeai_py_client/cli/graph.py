"""``ivk graph``: the request that a run would send."""

from __future__ import annotations

import shlex

import click

from invokeai_py_client.cli.group import IvkCommand
from invokeai_py_client.cli.options import (
    board_option,
    connect,
    output_options,
    parse_settings,
    set_option,
    url_option,
    workflow_argument,
)
from invokeai_py_client.cli.output import emit, hint, say


@click.command(cls=IvkCommand)
@workflow_argument
@set_option
@click.option("--prepend", is_flag=True, help="Build the request for the front of the queue.")
@board_option("Board for fields set to 'auto': its name or id.")
@url_option
@output_options
def graph(
    workflow: str, settings: tuple[str, ...], prepend: bool, board: str | None, url: str | None, as_json: bool
) -> None:
    """Print the request that a run would send, including the graph.

    Same as `ivk run FILE --dry-run`. Values are checked as for a run. Nothing is sent.

    \b
      ivk graph portrait.json -s steps=30 | jq .batch.graph.nodes
    """
    with connect(url) as client:
        handle = client.workflow_repo.create_workflow(workflow)
        for warning in handle.warnings:
            say(f"Note: {warning}")
        body = handle.enqueue_request(parse_settings(handle, settings), prepend=prepend, auto_board=board)
        emit(body, None if as_json else 2)
        hint(f"Run it: ivk run {shlex.quote(workflow)} -o out/", as_json)
