"""``ivk run``: run a workflow with live progress."""

from __future__ import annotations

import shlex

import click

from invokeai_py_client.cli.group import IvkCommand
from invokeai_py_client.cli.options import (
    board_option,
    check_count,
    connect,
    count_option,
    name_option,
    output_options,
    run_option,
    seed_options,
    set_option,
    url_option,
    workflow_argument,
)
from invokeai_py_client.cli.output import say
from invokeai_py_client.cli.runner import Runner, output_template


@click.command(cls=IvkCommand)
@workflow_argument
@set_option
@count_option("Run it N times with different seeds. Defaults to 1.")
@seed_options
@run_option("output")
@name_option
@run_option("timeout")
@click.option("--prepend", is_flag=True, help="Add the run to the front of the queue.")
@board_option("Board for fields set to 'auto': its name or id.")
@run_option("preview")
@run_option("open")
@run_option("dry-run")
@url_option
@output_options
def run(
    workflow: str,
    settings: tuple[str, ...],
    count: int,
    seed: str | None,
    random_seeds: bool,
    output: str,
    name: str | None,
    timeout: float | None,
    prepend: bool,
    board: str | None,
    preview: bool,
    opens: bool,
    dry_run: bool,
    url: str | None,
    as_json: bool,
) -> None:
    """Run a workflow, show its progress and save its images.

    FILE is a workflow file, an image with an embedded workflow, or the name or id of a workflow in the library.
    The paths of the saved images are printed to standard output. Press Ctrl-C to cancel the run.

    \b
      ivk run portrait.json -s positive_prompt="a lighthouse" -s steps=30 -o out/
      ivk run portrait.json -s positive_prompt="a lighthouse" -o lighthouse.jpg
      ivk run portrait.json --seed 7 -n 4 -o out/ --name '{seed}.png'
    """
    from invokeai_py_client.display import check_preview

    check_count(
        count, preview=preview, dry_run=dry_run, timeout=timeout, instead="Leave out -n, or use ivk sweep."
    )
    template = output_template(output, name, as_json, count)
    check_preview(preview and not as_json)
    with connect(url) as client:
        handle = client.workflow_repo.create_workflow(workflow)
        for warning in handle.warnings:
            say(f"Note: {warning}")
        runner = Runner(
            client,
            handle,
            template,
            as_json,
            preview=preview,
            opens=opens,
            timeout=timeout,
            prepend=prepend,
            board=board,
            advice=f"Try several values: ivk sweep {shlex.quote(workflow)} -s NAME=1,2,3 -o DIR --grid",
        )
        if count > 1:
            runner.run_plan(runner.plan(settings, count, seed, random_seeds))
            return
        values = runner.values(settings, seed, random_seeds)
        if dry_run:
            runner.print_request(values)
        else:
            runner.run(values)
