"""``ivk run``: run a workflow with live progress."""

from __future__ import annotations

import shlex
import sys
from contextlib import nullcontext
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import click

from invokeai_py_client.cli.group import IvkCommand
from invokeai_py_client.cli.options import (
    board_option,
    check_name,
    connect,
    name_option,
    output_options,
    parse_settings,
    seed_of_options,
    seed_options,
    set_option,
    url_option,
    workflow_argument,
)
from invokeai_py_client.cli.output import after_run, echo, echo_bytes, emit, hint, is_quiet, open_file, say
from invokeai_py_client.errors import TransferError, UsageError
from invokeai_py_client.files.atomic import check_writable
from invokeai_py_client.files.names import is_image_file, literal, literal_folder

if TYPE_CHECKING:
    from invokeai_py_client import InvokeAIClient, Run
    from invokeai_py_client.run.events import RunEvent
    from invokeai_py_client.workflow import WorkflowHandle


@click.command(cls=IvkCommand)
@workflow_argument
@set_option
@click.option(
    "-n",
    "count",
    type=click.IntRange(1),
    default=1,
    metavar="N",
    help="Run it N times with different seeds. Defaults to 1.",
)
@seed_options
@click.option(
    "-o",
    "--output",
    metavar="PATH",
    default=".",
    help="Folder for the images; or a file ending in .png, .jpg, .webp or .avif; or - for standard output. "
    "Defaults to the current folder.",
)
@name_option
@click.option(
    "--timeout", type=float, metavar="SECONDS", help="Stop waiting after this time. The run continues."
)
@click.option("--prepend", is_flag=True, help="Add the run to the front of the queue.")
@board_option("Board for fields set to 'auto': its name or id.")
@click.option("--preview", is_flag=True, help="Show a live preview of the image in the terminal.")
@click.option("--open", "opens", is_flag=True, help="Open the saved images.")
@click.option("--dry-run", is_flag=True, help="Print the request instead of sending it.")
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
    from invokeai_py_client.display import check_preview, display_for

    if count > 1 and (preview or dry_run or timeout is not None):
        raise UsageError(
            "-n cannot be combined with --preview, --dry-run or --timeout. Leave out -n, or use ivk sweep."
        )
    template = _template(output, name, as_json, count)
    check_preview(preview and not as_json)
    with connect(url) as client:
        handle = client.workflow_repo.create_workflow(workflow)
        for warning in handle.warnings:
            say(f"Note: {warning}")
        if count > 1:
            _run_many(
                client, handle, settings, count, seed, random_seeds, template, prepend, board, opens, as_json
            )
            return
        if seed is not None or random_seeds:
            chosen = [f"seed={seed}"] * (seed is not None) + ["seed=random"] * random_seeds
            settings = (*settings, *chosen)
        values = parse_settings(handle, settings)
        inputs = handle.inputs.copy()
        inputs.set(values)
        example = check_name(template or "", inputs)
        if dry_run:
            body = handle.enqueue_request(values, prepend=prepend, auto_board=board)
            emit(body, None if as_json else 2)
            return
        if template is not None:
            check_writable(example)
        item_id: int | None = None

        def on_event(event: RunEvent) -> None:
            nonlocal item_id
            item_id = event.item_id
            if as_json:
                emit(_plain(event, handle))
            elif display is not None:
                display.show(event)

        shows = not as_json and not is_quiet()
        bars = display_for(handle.node_label, handle.node_count, preview=preview) if shows else nullcontext()
        try:
            with bars as display:
                done = handle.run(
                    values, timeout=timeout, progress=on_event, prepend=prepend, auto_board=board
                )
        except KeyboardInterrupt:
            say("Canceled the run." if item_id is None else f"Canceled run {item_id}.")
            raise
        if template is None:
            _write_image(done)
            if done.seed is not None:
                say(f"Seed: {done.seed}")
            return
        missing: TransferError | None = None
        names = ", ".join(image.name for image in done.images)
        with after_run(f"The run has completed, and its images are on the server: {names}."):
            try:
                paths = done.save(template)
                saved = {image.name: path for image, path in zip(done.images, paths, strict=True)}
            except TransferError as error:
                missing, saved = error, error.done
        for path in saved.values():
            if not as_json:
                echo(path)
        for path in saved.values() if opens else ():
            open_file(path)
        if as_json:
            images = [{"name": name, "path": str(path)} for name, path in saved.items()]
            facts = {"item_id": done.item_id, "seed": done.seed, "images": images}
            emit({"event": "result", "ok": missing is None, **facts})
        elif done.seed is not None:
            say(f"Seed: {done.seed}")
        if missing is not None:
            raise missing
        if as_json:
            return
        if not saved:
            say("The run produced no images.")
        else:
            hint(f"Try several values: ivk sweep {shlex.quote(workflow)} -s NAME=1,2,3 -o DIR --grid")


def _run_many(
    client: InvokeAIClient,
    handle: WorkflowHandle,
    settings: tuple[str, ...],
    count: int,
    seed: str | None,
    random_seeds: bool,
    template: str | None,
    prepend: bool,
    board: str | None,
    opens: bool,
    as_json: bool,
) -> None:
    """Run a workflow several times with different seeds, and save the images."""
    from invokeai_py_client.cli.sweep import announce, follow, raise_if_incomplete

    settings, plan_seed = seed_of_options(handle, settings, seed, random_seeds, count)
    values = parse_settings(handle, settings)
    plan = handle.sweep_plan(repeat=count, seed=plan_seed, values=values, auto_board=board)
    announce(client, handle, plan, as_json, prepend=prepend)
    assert plan.inputs is not None
    assert template is not None
    check_name(template, plan.inputs, plan)
    sweep = handle.start_sweep(plan, prepend=prepend)
    saved = follow(sweep, template, as_json)
    if (
        sys.stdout.isatty() and not as_json
    ):  # follow() prints the paths only if they do not break its progress bar
        for path in saved.paths.values():
            echo(path)
    for path in saved.paths.values() if opens else ():
        open_file(path)
    failed, missing = sweep.failed, saved.error()
    if as_json:
        complete = not failed and missing is None
        emit({"event": "result", "ok": complete, "runs": len(sweep), "failed": len(failed)})
    else:
        say(f"Seeds: {', '.join(str(run.seed) for run in sweep.runs)}")
    raise_if_incomplete(sweep, missing)


def _template(output: str, name: str | None, as_json: bool, count: int) -> str | None:
    """Return the template for the files of the images, or None for standard output.

    Raises:
        UsageError: The options cannot be combined, or standard output is a terminal.
    """
    if output == "-":
        if as_json or name is not None or count > 1:
            raise UsageError("-o - writes one image to standard output, so it needs no --name, --json or -n.")
        if sys.stdout.isatty():
            raise UsageError(
                "-o - would write an image to the terminal. Redirect the output: -o - > image.png"
            )
        return None
    if not is_image_file(output):
        return f"{literal_folder(output)}{name or ''}"
    if name is not None:
        raise UsageError(
            f"-o {output} is a file, so --name has no effect. Use a folder: -o DIR --name {shlex.quote(name)}"
        )
    return literal(output)


def _write_image(run: Run) -> None:
    """Write the only image of a run to standard output.

    Raises:
        UsageError: The run has no image, or several.
    """
    if len(run.images) != 1:
        names = f" ({', '.join(image.name for image in run.images)})" if run.images else ""
        raise UsageError(
            f"The run produced {len(run.images)} images{names}, but -o - writes exactly 1. Use a folder: -o DIR"
        )
    echo_bytes(run.images[0].bytes())


def _plain(event: RunEvent, handle: WorkflowHandle) -> dict[str, Any]:
    """Convert an event to a JSON object, without preview images and the raw payload."""
    line: dict[str, Any] = {"event": event.event_type}
    for field in fields(event):
        if field.name not in ("raw", "preview", "error_traceback"):
            line[field.name] = getattr(event, field.name)
    if "node_id" in line:
        line["node_label"] = handle.node_label(line["node_id"])
    return line
