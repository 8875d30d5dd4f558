"""``ivk prompt``: prompts with alternatives, and prompts that language models on the server write."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from invokeai_py_client.cli.complete import complete_models, complete_system_prompts
from invokeai_py_client.cli.group import IvkGroup
from invokeai_py_client.cli.options import connect, content_of, output_options, url_option
from invokeai_py_client.cli.output import echo, emit, hint, shows_progress
from invokeai_py_client.display.console import console_for
from invokeai_py_client.errors import UsageError

if TYPE_CHECKING:
    from invokeai_py_client.events.kinds import LLMTaskProgress

_SEED = click.IntRange(0, 2**32 - 1)


@click.group(cls=IvkGroup)
def prompt() -> None:
    """Spell out prompts with alternatives, and write prompts with language models on the server.

    \b
      ivk prompt alternatives 'a {red|blue} house'
      ivk prompt expand 'a lighthouse at dusk'
      ivk prompt describe photo.jpg
    """


@prompt.command("alternatives")
@click.argument("text", metavar="PROMPT")
@click.option(
    "-n",
    "--most",
    type=click.IntRange(1, 10_000),
    default=100,
    show_default=True,
    metavar="N",
    help="The largest number of prompts.",
)
@click.option("--random", "is_random", is_flag=True, help="Draw N prompts at random.")
@click.option("--seed", type=_SEED, metavar="SEED", help="Seed for drawing prompts at random.")
@url_option
@output_options
def alternatives(
    text: str, most: int, is_random: bool, seed: int | None, url: str | None, as_json: bool
) -> None:
    """Print the prompts that a prompt with alternatives stands for.

    PROMPT has alternatives in braces, as the web UI's dynamic prompts. @FILE reads it from a file.
    """
    if seed is not None and not is_random:
        raise UsageError("--seed is for prompts that are drawn at random. Add --random, or leave out --seed.")
    with connect(url) as client:
        found = client.prompts.alternatives(
            content_of(text), most=most, combinatorial=not is_random, seed=seed
        )
    for one in found:
        if as_json:
            emit({"event": "prompt", "prompt": one})
        else:
            echo(one)
    if as_json:
        emit({"event": "result", "ok": True, "prompts": len(found)})
    hint("Use them in a sweep: ivk sweep FILE -s positive_prompt='A || B'", as_json)


@prompt.command("expand")
@click.argument("text", metavar="PROMPT")
@click.option(
    "-m",
    "--model",
    metavar="MODEL",
    shell_complete=complete_models,
    help="The text model: its name or key. Defaults to the only one on the server.",
)
@click.option(
    "--max-tokens",
    type=click.IntRange(1, 2048),
    default=300,
    show_default=True,
    metavar="N",
    help="The largest number of tokens to write.",
)
@click.option("--seed", type=_SEED, metavar="SEED", help="Seed for the same text again.")
@click.option(
    "--system-prompt",
    "saved",
    metavar="NAME",
    shell_complete=complete_system_prompts,
    help="Use this system prompt, which is saved on the server: its name or id.",
)
@click.option("--instruction", metavar="TEXT", help="Use this instruction for the model. @FILE reads a file.")
@url_option
@output_options
def expand(
    text: str,
    model: str | None,
    max_tokens: int,
    seed: int | None,
    saved: str | None,
    instruction: str | None,
    url: str | None,
    as_json: bool,
) -> None:
    """Write a detailed prompt from a short one, with a text model on the server.

    @FILE reads PROMPT from a file.
    """
    if saved is not None and instruction is not None:
        raise UsageError("Pass either --system-prompt or --instruction, not both.")
    with connect(url) as client, _progress("Writing", as_json) as on_progress:
        found = client.prompts.expand(
            content_of(text),
            model=model,
            max_tokens=max_tokens,
            seed=seed,
            system_prompt=client.prompts.get_system_prompt(saved)
            if saved is not None
            else None
            if instruction is None
            else content_of(instruction),
            on_progress=on_progress,
        )
    if as_json:
        emit({"event": "result", "ok": True, **found.to_dict()})
    else:
        echo(found.prompt)
    hint(f"The same text again: --seed {found.seed}", as_json)


@prompt.command("describe")
@click.argument("image")
@click.option(
    "-m",
    "--model",
    metavar="MODEL",
    shell_complete=complete_models,
    help="The vision model: its name or key. Defaults to the only one on the server.",
)
@click.option("--instruction", metavar="TEXT", help="Use this instruction for the model. @FILE reads a file.")
@url_option
@output_options
def describe(image: str, model: str | None, instruction: str | None, url: str | None, as_json: bool) -> None:
    """Describe an image as a prompt, with a vision model on the server.

    IMAGE is a file, or the name of an image on the server.
    """
    with connect(url) as client, _progress("Describing", as_json) as on_progress:
        found = client.prompts.describe(
            image,
            model=model,
            instruction=None if instruction is None else content_of(instruction),
            on_progress=on_progress,
        )
    if as_json:
        emit({"event": "result", "ok": True, "prompt": found})
    else:
        echo(found)


@contextmanager
def _progress(what: str, as_json: bool) -> Generator[Callable[[LLMTaskProgress], Any] | None]:
    """Show a spinner with the number of tokens, and yield the callback that updates it, if progress is shown."""
    if not shows_progress(as_json):
        yield None
        return
    with console_for(sys.stderr).status(what) as status:

        def show(progress: LLMTaskProgress) -> None:
            written, most = progress.current_tokens, progress.total_tokens
            tokens = f" ({written} of {most} tokens)" if written else ""
            status.update("Loading the model" if progress.phase == "loading_model" else f"{what}{tokens}")

        yield show
