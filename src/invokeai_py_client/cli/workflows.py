"""``ivk workflows``: the server's workflow library."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from invokeai_py_client._paths import exists
from invokeai_py_client.cli.complete import complete_workflows
from invokeai_py_client.cli.group import IvkGroup
from invokeai_py_client.cli.names import find_workflow, own_workflows
from invokeai_py_client.cli.options import (
    UserPath,
    connect,
    output_options,
    url_option,
    workflow_argument,
    yes_option,
)
from invokeai_py_client.cli.output import FAILED, confirm, counted, echo, emit, hint, is_watched, say
from invokeai_py_client.cli.partial import try_each
from invokeai_py_client.cli.tables import Column, show_facts, show_table, time_of
from invokeai_py_client.errors import (
    InvokeAIClientError,
    ServerUnreachableError,
    UsageError,
    WorkflowNotFoundError,
)
from invokeai_py_client.files.text import write_text
from invokeai_py_client.lookup import WORKFLOWS

if TYPE_CHECKING:
    from invokeai_py_client import InvokeAIClient

_LONGEST_NAME = 200


@click.group(cls=IvkGroup)
def workflows() -> None:
    """Manage the server's workflow library.

    NAME is the name or id of a workflow. Library workflows need no file: `ivk run NAME` runs one.
    """


@workflows.command("ls")
@click.argument("query", required=False)
@click.option("--mine", "category", flag_value="user", help="Only saved (not built-in) workflows.")
@click.option("--default", "category", flag_value="default", help="Only workflows built into InvokeAI.")
@url_option
@output_options
def list_(query: str | None, category: str | None, url: str | None, as_json: bool) -> None:
    """List the workflows in the library. QUERY searches names, descriptions and tags."""
    with connect(url) as client:
        categories = (category,) if category else ("user", "default")
        found = client.workflow_repo.list_workflows(query, categories=categories)
    if as_json:
        for one in found:
            emit({"event": "workflow", **one})
        emit({"event": "result", "ok": True, "workflows": len(found)})
        return
    columns = [
        Column("workflow", whole=False),
        Column("category"),
        Column("saved"),
        Column("description", whole=False, wide=True),
        Column("id", wide=True),
    ]
    if found or not is_watched(sys.stdout):
        show_table(columns, [_row(one) for one in found])
    hint(
        "Show a workflow's inputs: ivk inputs NAME"
        if found
        else "No workflows. Save one: ivk workflows push FILE"
    )


def _row(record: dict[str, Any]) -> list[str]:
    return [
        str(record["name"]),
        str(record.get("category") or ""),
        time_of(record.get("updated_at")),
        str(record.get("description") or ""),
        str(record["workflow_id"]),
    ]


@workflows.command("show")
@workflow_argument
@url_option
@output_options
def show(workflow: str, url: str | None, as_json: bool) -> None:
    """Show a workflow: its description, author, nodes and inputs.

    FILE is a workflow file, an image with an embedded workflow, or the name or id of a workflow in the library.
    """
    with connect(url) as client:
        handle = client.workflow_repo.create_workflow(workflow)
        definition = handle.definition
        facts: dict[str, Any] = {
            "name": handle.name,
            "id": definition.id,
            "category": definition.meta.get("category"),
            "description": definition.description,
            "author": definition.author,
            "contact": definition.contact,
            "version": definition.version,
            "tags": definition.tags,
            "notes": definition.notes,
            "inputs": [item.label for item in handle.inputs],
            "nodes": sorted(definition.node_types),
        }
        for warning in handle.warnings:
            say(f"Note: {warning}")
        if as_json:
            emit({"event": "result", "ok": True, **facts})
            return
        show_facts({**facts, **{name: ", ".join(facts[name]) for name in ("inputs", "nodes")}})
        hint(f"List its inputs: ivk inputs {shlex.quote(workflow)}")


@workflows.command("validate")
@click.argument("files", metavar="FILES...", nargs=-1, required=True, shell_complete=complete_workflows)
@url_option
@output_options
def validate(files: tuple[str, ...], url: str | None, as_json: bool) -> None:
    """Check that workflows can run on the server as they are.

    FILES are workflow files, images with an embedded workflow, or names or ids of workflows in the library. Prints one
    line per workflow, followed by its problems. Nothing is sent. Exits with code 1 if a workflow cannot run.
    """
    valid = True
    with connect(url) as client:
        for file in files:
            error, warnings = _problem_of(client, file)
            valid = valid and error is None
            state = "fail" if error else "warn" if warnings else "ok"
            problems = [*warnings, *([str(error)] if error else [])]
            if as_json:
                code = error.code if error else None
                emit({"event": "workflow", "name": file, "state": state, "code": code, "problems": problems})
                continue
            echo(f"{state:<5}", nl=False, fg={"ok": "green", "warn": "yellow", "fail": "red"}[state])
            echo(file)
            for line in "\n".join(problems).splitlines():
                echo(f"      {line.strip()}")
    if as_json:
        emit({"event": "result", "ok": valid, "workflows": len(files)})
    if not valid:
        raise click.exceptions.Exit(FAILED)


def _problem_of(client: InvokeAIClient, source: str) -> tuple[InvokeAIClientError | None, list[str]]:
    """Return the error that running a workflow would raise, and the warnings of loading it."""
    warnings: list[str] = []
    try:
        handle = client.workflow_repo.create_workflow(source)
        warnings += handle.warnings
        handle.enqueue_request({})
    except ServerUnreachableError:
        raise
    except InvokeAIClientError as error:
        return error, warnings
    return None, warnings


@workflows.command("pull")
@click.argument("name", shell_complete=complete_workflows)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=UserPath(dir_okay=False, allow_dash=True),
    help="File to write, or - for standard output. Defaults to NAME.json.",
)
@click.option("--overwrite", is_flag=True, help="Replace an existing file.")
@url_option
@output_options
def pull(name: str, output: Path | None, overwrite: bool, url: str | None, as_json: bool) -> None:
    """Download a workflow from the library."""
    with connect(url) as client:
        record = find_workflow(client, name)
        definition = client.workflow_repo.get_workflow(record)
    if output is not None and str(output) == "-":
        emit(definition.to_dict(), None if as_json else 2)
        return
    path = output or Path(file_name(record["name"]))
    if exists(path) and not overwrite:
        raise UsageError(
            f"{path} already exists. Pass --overwrite to replace it, or -o to choose another file."
        )
    write_text(path, definition.to_json() + "\n")
    if as_json:
        facts = {"name": record["name"], "workflow_id": record["workflow_id"], "path": str(path)}
        emit({"event": "result", "ok": True, **facts})
    else:
        echo(path)
    hint(f"Show its inputs: ivk inputs {shlex.quote(str(path))}", as_json)


def file_name(name: str) -> str:
    """Return a file name for a workflow, made of the letters and digits in its name, with at most 200 bytes."""
    plain = re.sub(r"[^\w.]+", "-", name).encode()[:_LONGEST_NAME].decode(errors="ignore").strip("-.")
    return f"{plain or 'workflow'}.json"


_all_users = click.option(
    "--all-users",
    is_flag=True,
    help="Include the workflows of other users, which an administrator can change. Defaults to your own.",
)


def _find_own(client: InvokeAIClient, names: Sequence[str]) -> list[dict[str, Any]]:
    """Return workflows by their ids or names, none of which belongs to another user.

    Raises:
        WorkflowNotFoundError: A workflow does not exist, or several workflows have the name.
        UsageError: A workflow belongs to another user.
    """
    known = client.workflow_repo.list_workflows()
    own = own_workflows(client, known)
    found: list[dict[str, Any]] = []
    for name in names:
        try:
            found.append(WORKFLOWS.pick(name, own))
        except WorkflowNotFoundError:
            if len(own) == len(known) or any(name in (one["workflow_id"], one["name"]) for one in own):
                raise
            other = WORKFLOWS.pick(name, known)
            raise UsageError(
                f"The workflow {other['name']!r} (id {other['workflow_id']}) belongs to another user. Pass "
                "--all-users to include the workflows of other users. Nothing was changed."
            ) from None
    return found


@workflows.command("push")
@click.argument("file", type=click.Path())
@click.option("--replace", is_flag=True, help="Replace the library workflow with the same id or name.")
@click.option("--new", is_flag=True, help="Save a new copy even if the workflow already exists.")
@_all_users
@url_option
@output_options
def push(file: str, replace: bool, new: bool, all_users: bool, url: str | None, as_json: bool) -> None:
    """Save a workflow in the library. FILE is a workflow file or an image with an embedded workflow.

    If the library already has a workflow with its id or name, pass --replace or --new. Prints the workflow's id.
    """
    from invokeai_py_client.engine.definition import WorkflowDefinition

    if replace and new:
        raise UsageError("--replace and --new cannot be used together.")
    definition = WorkflowDefinition.from_file(file)
    with connect(url) as client:
        known = client.workflow_repo.list_workflows(categories=("user",))
        known = known if all_users else own_workflows(client, known)
        alike = [one for one in known if one["workflow_id"] == definition.id]
        alike = alike or [one for one in known if one["name"] == definition.name]
        if alike and not (replace or new):
            raise UsageError(
                f"The library already has a workflow named {alike[0]['name']!r} (id {alike[0]['workflow_id']}). "
                "Pass --replace to replace it, or --new to save a copy."
            )
        if replace and len(alike) > 1:
            ids = ", ".join(one["workflow_id"] for one in alike)
            raise UsageError(
                f"{len(alike)} workflows are named {definition.name!r}: {ids}. Delete all but one of them first."
            )
        if replace and alike:
            document = {**definition.to_dict(), "id": alike[0]["workflow_id"]}
            saved = client.workflow_repo.upload_workflow(
                WorkflowDefinition.from_dict(document), overwrite=True
            )
        else:
            saved = client.workflow_repo.upload_workflow(definition)
    if as_json:
        replaced = bool(replace and alike)
        emit(
            {
                "event": "result",
                "ok": True,
                "name": definition.name,
                "workflow_id": saved,
                "replaced": replaced,
            }
        )
    else:
        echo(saved)
    hint(f"Run it: ivk run {shlex.quote(definition.name)}", as_json)


@workflows.command("rm")
@click.argument("names", metavar="NAMES...", nargs=-1, required=True, shell_complete=complete_workflows)
@_all_users
@yes_option
@url_option
@output_options
def rm(names: tuple[str, ...], all_users: bool, yes: bool, url: str | None, as_json: bool) -> None:
    """Delete workflows from the library. Built-in workflows cannot be deleted."""
    with connect(url) as client:
        chosen = [find_workflow(client, name) for name in names] if all_users else _find_own(client, names)
        found = {one["workflow_id"]: one for one in chosen}
        fixed = [one["name"] for one in found.values() if one.get("category") == "default"]
        if fixed:
            raise UsageError(
                f"{fixed[0]!r} is built into InvokeAI and cannot be deleted. Nothing was changed."
            )
        listed = ", ".join(repr(one["name"]) for one in found.values())
        confirm(f"Delete {listed} from the library?", yes)
        gone, error = try_each(
            found,
            client.workflow_repo.delete_workflow,
            what="deleted",
            kind="workflow",
            label=lambda one: str(one["name"]),
        )
    if as_json:
        emit({"event": "result", "ok": error is None, "workflows": len(gone), "ids": list(gone)})
    else:
        say(f"Deleted {counted(len(gone), 'workflow')}.")
    if error is not None:
        raise error
