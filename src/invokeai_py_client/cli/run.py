"""``ivk run``: run a workflow with live progress."""

from __future__ import annotations

import shlex

import click

from invokeai_py_client.cli.group import IvkCommand
from invokeai_py_client.cli.options import (
    RunOptions,
    board_option,
    connect,
    run_options,
    workflow_argument,
)
from invokeai_py_client.cli.output import say
from invokeai_py_client.cli.runner import Runner, check_options


@click.command(cls=IvkCommand)
@workflow_argument
@click.option("--prepend", is_flag=True, help="Add the run to the front of the queue.")
@board_option("Board for fields set to 'auto': its name or id.")
@run_options("Run it N times with different seeds. Defaults to 1.")
def run(workflow: str, prepend: bool, board: str | None, options: RunOptions) -> None:
    """Run a workflow, show its progress and save its images.

    FILE is a workflow file, an image with an embedded workflow, or the name or id of a workflow in the library.
    The paths of the saved images are printed to standard output. Press Ctrl-C to cancel the run.

    \b
      ivk run portrait.json -s positive_prompt="a lighthouse" -s steps=30 -o out/
      ivk run portrait.json -s positive_prompt="a lighthouse" -o lighthouse.jpg
      ivk run portrait.json --seed 7 -n 4 -o out/ --name '{seed}.png'
    """
    template = check_options(options, instead="Leave out -n, or use ivk sweep.")
    with connect(options.url) as client:
        handle = client.workflow_repo.create_workflow(workflow)
        for warning in handle.warnings:
            say(f"Note: {warning}")
        runner = Runner(
            client,
            handle,
            options,
            template,
            prepend=prepend,
            board=board,
            advice=f"Try several values: ivk sweep {shlex.quote(workflow)} -s NAME=1,2,3 -o DIR --grid",
        )
        runner.execute()
