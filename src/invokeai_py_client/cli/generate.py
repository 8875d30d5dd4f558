"""``ivk generate``: make images of a prompt, without a workflow."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from invokeai_py_client._paths import exists, user_path
from invokeai_py_client.cli.complete import complete_models
from invokeai_py_client.cli.group import IvkCommand
from invokeai_py_client.cli.options import (
    RunOptions,
    UserPath,
    board_option,
    connect,
    content_of,
    run_options,
)
from invokeai_py_client.cli.output import say
from invokeai_py_client.cli.runner import Runner, check_options
from invokeai_py_client.cli.streams import read_stdin
from invokeai_py_client.engine.definition import WorkflowDefinition
from invokeai_py_client.errors import UsageError
from invokeai_py_client.files.text import write_text
from invokeai_py_client.recipes.values import STRENGTH, check_mask, image_values, parse_size

if TYPE_CHECKING:
    from invokeai_py_client.workflow import WorkflowHandle


@click.command(cls=IvkCommand)
@click.argument("prompt")
@click.option(
    "-m",
    "--model",
    metavar="MODEL",
    shell_complete=complete_models,
    help="The main model: its name or key. Defaults to the only one on the server.",
)
@click.option(
    "--size",
    metavar="WxH",
    help="Width and height in pixels, such as 1024x768. Defaults to the size of --image, or else to the model's "
    "default.",
)
@click.option(
    "--negative",
    metavar="TEXT",
    help="What the image should not show. Use @FILE to read the text from a file.",
)
@click.option(
    "--image", metavar="FILE", help="An image to start from: a file, or the name of an image on the server."
)
@click.option(
    "--mask",
    metavar="FILE",
    help="The part of --image to change: where the mask is transparent, or black if nothing in it is transparent.",
)
@click.option(
    "--strength",
    type=float,
    metavar="F",
    help=f"How much to change --image, up to 1 for a new image. Defaults to {STRENGTH}.",
)
@board_option("Board for the images: its name or id.")
@click.option(
    "--save-workflow",
    metavar="FILE",
    type=UserPath(dir_okay=False),
    help="Also write the workflow to a new JSON file, for the web UI, ivk run or ivk sweep.",
)
@run_options("Make N images with different seeds. Defaults to 1.")
def generate(
    prompt: str,
    model: str | None,
    size: str | None,
    negative: str | None,
    image: str | None,
    mask: str | None,
    strength: float | None,
    board: str | None,
    save_workflow: Path | None,
    options: RunOptions,
) -> None:
    """Make images of a prompt, without a workflow.

    PROMPT is a text, @FILE to read it from a file, or - for standard input. The paths of the saved images are printed
    to standard output. Press Ctrl-C to cancel.

    \b
      ivk generate "a lighthouse" -m "Dreamshaper 8" -n 4 -o out/
      ivk generate "a lighthouse" --size 768x512 -s steps=20 -o lighthouse.jpg
      ivk generate "a red door" --image house.jpg --mask door.png -o red.png
    """
    template = check_options(options, instead="Leave out -n.")
    parse_size(size)
    _check_images(image, mask, strength)
    if save_workflow is not None and exists(save_workflow):
        raise UsageError(f"{save_workflow} already exists. Choose another file with --save-workflow.")
    text = read_stdin().strip("\n") if prompt == "-" else content_of(prompt)
    with connect(options.url) as client:
        handle = client.workflow_repo.image_workflow(
            model, image=False if image is None else image, mask=False if mask is None else mask
        )
        more = image_values(
            handle.inputs,
            text,
            negative_prompt=None if negative is None else content_of(negative),
            size=size,
            strength=STRENGTH if strength is None else strength,
            board=board,
            image=image is not None,
            mask=mask is not None,
        )
        runner = Runner(
            client,
            handle,
            options,
            template,
            advice=f"Make more: ivk generate {shlex.quote(prompt)} -n 4 -o DIR",
        )
        runner.execute(more, prepare=lambda values: _save(handle, values, save_workflow))


def _check_images(image: str | None, mask: str | None, strength: float | None) -> None:
    check_mask(image=image is not None, mask=mask is not None)
    if strength is None:
        return
    if image is None:
        raise UsageError("--strength needs --image, the image to change. Leave it out for a new image.")
    if mask is not None:
        raise UsageError(
            "--strength cannot be combined with --mask: the masked part is always replaced. Leave out one of them."
        )


def _save(handle: WorkflowHandle, values: Mapping[Any, Any], file: Path | None) -> None:
    """Write the workflow with its values, except the seed, to a file."""
    if file is None:
        return
    body = handle.enqueue_request({name: value for name, value in values.items() if name != "seed"})
    definition = WorkflowDefinition.from_dict(body["batch"]["workflow"])
    write_text(user_path(file), definition.to_json() + "\n")
    say(f"Wrote {file}.")
