"""``ivk codegen``: a workflow as a typed Python function."""

from __future__ import annotations

import difflib
import os
import shlex
from pathlib import Path

import click

from invokeai_py_client._paths import absolute_path, is_file
from invokeai_py_client.cli.group import IvkCommand
from invokeai_py_client.cli.options import (
    UserPath,
    connect,
    url_option,
    workflow_argument,
)
from invokeai_py_client.cli.output import FAILED, echo, echo_code, say
from invokeai_py_client.errors import UsageError
from invokeai_py_client.files.text import write_text


@click.command(cls=IvkCommand)
@workflow_argument
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=UserPath(dir_okay=False),
    help="Python module to write. Defaults to standard output.",
)
@click.option("--async", "asynchronous", is_flag=True, help="Generate an async function.")
@click.option(
    "--check",
    is_flag=True,
    help="Write nothing. Exit with code 1 if the module (-o) is out of date.",
)
@url_option
def codegen(workflow: str, output: Path | None, asynchronous: bool, check: bool, url: str | None) -> None:
    """Generate a typed Python function that runs a workflow.

    FILE is a workflow file, an image with an embedded workflow, or the name or id of a workflow in the library.
    The fields in its form become arguments with types, defaults and choices, which are read from the server.

    \b
      ivk codegen portrait.json -o portrait.py
      ivk codegen portrait.json -o portrait.py --check
    """
    if check and output is None:
        raise UsageError("--check requires -o MODULE.py, the module to compare.")
    text = _generated(workflow, output, asynchronous, url)
    if output is None:
        echo_code(text)
    elif check:
        _compare(text, output)
    else:
        write_text(output, text)
        say(f"Wrote {output}. Run again with --check to see if it is out of date.")


def _generated(workflow: str, output: Path | None, asynchronous: bool, url: str | None) -> str:
    from invokeai_py_client.engine.codegen import generate

    from_file = is_file(workflow)
    source = workflow
    if from_file:
        folder = output.parent if output else Path()
        source = Path(os.path.relpath(absolute_path(workflow), absolute_path(folder))).as_posix()
    with connect(url) as client:
        handle = client.workflow_repo.create_workflow(workflow)
        return generate(
            handle.name,
            handle.definition.description,
            handle.inputs,
            source=source,
            is_file=from_file,
            command=shlex.join(["ivk", "codegen", source, *(["--async"] if asynchronous else [])]),
            asynchronous=asynchronous,
        )


def _compare(text: str, module: Path) -> None:
    try:
        there = module.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"Cannot read {module}: {error.strerror}.") from None
    if there == text:
        say(f"{module} is up to date.")
        return
    changes = difflib.unified_diff(
        there.splitlines(), text.splitlines(), str(module), "workflow", lineterm="", n=1
    )
    for line in changes:
        echo(line)
    say(f"{module} is out of date. Update it by running the same command without --check.")
    raise click.exceptions.Exit(FAILED)
