"""``ivk workflows``: the server's workflow library."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from invokeai_py_client._paths import exists
from invokeai_py_client.cli.complete import complete_workflows
from invokeai_py_client.cli.group import IvkGroup
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
)
from invokeai_py_client.files.text import write_text

if TYPE_CHECKING:
    from invokeai_py_client import InvokeAIClient
    from invokeai_py_client.library import WorkflowOrder
    from invokeai_py_client.models import IvkUser, IvkWorkflowRecord

_LONGEST_NAME = 200


@click.group(cls=IvkGroup)
def workflows() -> None:
    """Manage the server's workflow library.

    NAME is the name or id of a workflow. Library workflows need no file: `ivk run NAME` runs one.
    """


@workflows.command("ls")
@click.argument("query", required=False)
@click.option("--mine", is_flag=True, help="Only your own saved workflows.")
@click.option("--default", is_flag=True, help="Only workflows built into InvokeAI.")
@click.option(
    "--shared", is_flag=True, help="Only saved workflows that all users can see, with their owners."
)
@click.option("--tag", "tags", metavar="TAG", multiple=True, help="Only workflows with this tag. Repeatable.")
@click.option(
    "--sort",
    "order",
    type=click.Choice(["name", "created", "saved", "opened"]),
    default="name",
    help="Sort by name, or by a time, newest first. Defaults to the name.",
)
@url_option
@output_options
def list_(
    query: str | None,
    mine: bool,
    default: bool,
    shared: bool,
    tags: tuple[str, ...],
    order: str,
    url: str | None,
    as_json: bool,
) -> None:
    """List the workflows in the library. QUERY searches names, descriptions and tags.

    On servers with user accounts these are your own workflows, those that other users share, and those built into
    InvokeAI. Administrators see those of all users.
    """
    if default and (mine or shared):
        raise UsageError("--default excludes --mine and --shared.")
    with connect(url) as client:
        found = client.workflow_repo.list_workflows(
            query,
            categories=("default",) if default else ("user",) if mine or shared else ("user", "default"),
            tags=tags or None,
            shared=True if shared else None,
            mine=mine,
            order_by=_ORDERS[order],
            direction="ASC" if order == "name" else "DESC",
        )
        me = client.me() if client.settings.has_account else None
        users = client.users.list_users() if me and me.is_admin and not as_json else []
        owners = {one.user_id: one.email for one in users}
    if as_json:
        for one in found:
            emit({"event": "workflow", **one})
        emit({"event": "result", "ok": True, "workflows": len(found)})
        return
    columns = [
        Column("workflow", whole=False),
        Column("category"),
        *([Column("owner"), Column("shared")] if me else []),
        Column("saved"),
        Column("description", whole=False, wide=True),
        Column("id", wide=True),
    ]
    if found or not is_watched(sys.stdout):
        show_table(columns, [_row(one, me, owners) for one in found])
    hint(
        "Show a workflow's inputs: ivk inputs NAME"
        if found
        else "No workflows. Save one: ivk workflows push FILE"
    )


_ORDERS: dict[str, WorkflowOrder] = {
    "name": "name",
    "created": "created_at",
    "saved": "updated_at",
    "opened": "opened_at",
}


def _row(record: IvkWorkflowRecord, me: IvkUser | None, owners: Mapping[str, str]) -> list[str]:
    whose: list[str] = []
    if me is not None:
        user_id = record.user_id or ""
        owner = "you" if user_id == me.user_id else owners.get(user_id, user_id)
        whose = ["", ""] if record.is_default else [owner, "yes" if record.is_public else "no"]
    return [
        record.name,
        record.category,
        *whose,
        time_of(record.updated_at),
        record.description,
        record.workflow_id,
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
        record = client.workflow_repo.get_record(name)
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


@workflows.command("push")
@click.argument("file", type=click.Path())
@click.option("--replace", is_flag=True, help="Replace the library workflow with the same id or name.")
@click.option("--new", is_flag=True, help="Save a new copy even if the workflow already exists.")
@click.option("--shared", is_flag=True, default=None, help="Let all users of the server see and run it.")
@_all_users
@url_option
@output_options
def push(
    file: str,
    replace: bool,
    new: bool,
    shared: bool | None,
    all_users: bool,
    url: str | None,
    as_json: bool,
) -> None:
    """Save a workflow in the library. FILE is a workflow file or an image with an embedded workflow.

    If the library already has a workflow with its id or name, pass --replace or --new. Prints the workflow's id.
    """
    from invokeai_py_client.engine.definition import WorkflowDefinition

    if replace and new:
        raise UsageError("--replace and --new cannot be used together.")
    definition = WorkflowDefinition.from_file(file)
    with connect(url) as client:
        known = client.workflow_repo.list_workflows(categories=("user",), mine=not all_users)
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
                WorkflowDefinition.from_dict(document), overwrite=True, shared=shared, mine=not all_users
            )
        else:
            saved = client.workflow_repo.upload_workflow(definition, shared=shared)
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
        library = client.workflow_repo
        found = {
            one.workflow_id: one
            for one in (library.get_record(name, to="delete", mine=not all_users) for name in names)
        }
        listed = ", ".join(repr(one.name) for one in found.values())
        confirm(f"Delete {listed} from the library?", yes)
        gone, error = try_each(
            found,
            lambda one: library.delete_workflow(one, mine=not all_users),
            what="deleted",
            kind="workflow",
            label=lambda one: one.name,
        )
    if as_json:
        emit({"event": "result", "ok": error is None, "workflows": len(gone), "ids": list(gone)})
    else:
        say(f"Deleted {counted(len(gone), 'workflow')}.")
    if error is not None:
        raise error


@workflows.command("share")
@click.argument("names", metavar="NAMES...", nargs=-1, required=True, shell_complete=complete_workflows)
@_all_users
@url_option
@output_options
def share(names: tuple[str, ...], all_users: bool, url: str | None, as_json: bool) -> None:
    """Let all users of the server see and run workflows. Only their owner can change them."""
    _set_shared(names, True, all_users, url, as_json)


@workflows.command("unshare")
@click.argument("names", metavar="NAMES...", nargs=-1, required=True, shell_complete=complete_workflows)
@_all_users
@url_option
@output_options
def unshare(names: tuple[str, ...], all_users: bool, url: str | None, as_json: bool) -> None:
    """Hide workflows from other users again."""
    _set_shared(names, False, all_users, url, as_json)


def _set_shared(
    names: tuple[str, ...], shared: bool, all_users: bool, url: str | None, as_json: bool
) -> None:
    word, mine = "share" if shared else "unshare", not all_users
    with connect(url) as client:
        library = client.workflow_repo
        found = {
            one.workflow_id: one for one in (library.get_record(name, to=word, mine=mine) for name in names)
        }
        change = library.share if shared else library.unshare
        done, error = try_each(
            found,
            lambda one: change(one, mine=mine),
            what=f"{word}d",
            kind="workflow",
            label=lambda one: one.name,
        )
    if as_json:
        emit({"event": "result", "ok": error is None, "workflows": len(done), "ids": list(done)})
    else:
        say(f"{word.capitalize()}d {counted(len(done), 'workflow')}.")
    if error is not None:
        raise error


@workflows.command("tags")
@click.option("--shared", is_flag=True, default=None, help="Only of saved workflows that all users can see.")
@url_option
@output_options
def tags(shared: bool | None, url: str | None, as_json: bool) -> None:
    """List the tags in the library, with the number of workflows that have them."""
    with connect(url) as client:
        counts = client.workflow_repo.count_by_tag(shared=shared)
    if as_json:
        for tag, count in counts.items():
            emit({"event": "tag", "name": tag, "workflows": count})
        emit({"event": "result", "ok": True, "tags": len(counts)})
        return
    columns = [Column("tag", whole=False), Column("workflows", right=True)]
    show_table(columns, [[tag, str(count)] for tag, count in counts.items()])
    hint("List the workflows with a tag: ivk workflows ls --tag TAG")
