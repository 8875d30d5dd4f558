"""``ivk presets``: the server's style presets."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from invokeai_py_client.cli.complete import complete_presets
from invokeai_py_client.cli.group import IvkGroup
from invokeai_py_client.cli.options import (
    UserPath,
    connect,
    content_of,
    output_options,
    url_option,
    yes_option,
)
from invokeai_py_client.cli.output import confirm, counted, echo, emit, hint, say
from invokeai_py_client.cli.partial import try_each
from invokeai_py_client.cli.tables import Column, show_facts, show_table
from invokeai_py_client.errors import UsageError

_preset = click.argument("preset", metavar="PRESET", shell_complete=complete_presets)


@click.group(cls=IvkGroup)
def presets() -> None:
    """Manage style presets: texts around prompts.

    PRESET is a preset's name or id. Workflows with a Prompt Template node take it as an input.

    \b
      ivk presets add Sketch --positive '{prompt}, pencil sketch'
      ivk run FILE -s style_preset=Sketch
    """


@presets.command("ls")
@click.option("--mine", is_flag=True, help="Leave out the presets that come with the server.")
@url_option
@output_options
def list_(mine: bool, url: str | None, as_json: bool) -> None:
    """List style presets, sorted by name."""
    with connect(url) as client:
        found = client.presets.list_presets(include_default=not mine)
    if as_json:
        for preset in found:
            emit({"event": "preset", **preset.to_dict()})
        emit({"event": "result", "ok": True, "presets": len(found)})
        return
    columns = [
        Column("preset", whole=False),
        Column("type"),
        Column("positive", whole=False),
        Column("negative", whole=False, wide=True),
        Column("id"),
    ]
    rows = [
        [
            one.name,
            one.type,
            " ".join(one.positive_prompt.split()),
            " ".join(one.negative_prompt.split()),
            one.id,
        ]
        for one in found
    ]
    show_table(columns, rows)
    if not found:
        hint("No style presets. Add one: ivk presets add NAME --positive '{prompt}, pencil sketch'")


@presets.command("show")
@_preset
@url_option
@output_options
def show(preset: str, url: str | None, as_json: bool) -> None:
    """Show the texts of a style preset."""
    with connect(url) as client:
        found = client.presets.get_preset(preset)
    if as_json:
        emit({"event": "result", "ok": True, **found.to_dict()})
        return
    show_facts(
        {
            "preset": found.name,
            "type": found.type,
            "positive": found.positive_prompt,
            "negative": found.negative_prompt,
            "shared": found.is_public,
            "picture": found.image is not None,
            "id": found.id,
        }
    )


@presets.command("add")
@click.argument("name")
@click.option("--positive", metavar="TEXT", default="", help="Text around the prompt, with {prompt} in it.")
@click.option("--negative", metavar="TEXT", default="", help="Text around the negative prompt.")
@click.option("--image", type=UserPath(), metavar="FILE", help="A picture.")
@click.option("--shared", is_flag=True, help="Show it to all users.")
@url_option
@output_options
def add(
    name: str,
    positive: str,
    negative: str,
    image: Path | None,
    shared: bool,
    url: str | None,
    as_json: bool,
) -> None:
    """Create a style preset. Prints its id.

    @FILE reads a text from a file.
    """
    if not positive and not negative:
        raise UsageError("The preset has no texts. Pass --positive, --negative or both.")
    with connect(url) as client:
        preset = client.presets.create_preset(
            name, content_of(positive), content_of(negative), image=image, shared=shared
        )
    if as_json:
        emit({"event": "result", "ok": True, **preset.to_dict()})
    else:
        echo(preset.id)
    hint(f"Use it: ivk run FILE -s style_preset={shlex.quote(name)}", as_json)


@presets.command("rm")
@click.argument("names", metavar="PRESETS...", nargs=-1, required=True, shell_complete=complete_presets)
@yes_option
@url_option
@output_options
def rm(names: tuple[str, ...], yes: bool, url: str | None, as_json: bool) -> None:
    """Delete style presets permanently."""
    with connect(url) as client:
        found = {preset.id: preset for preset in (client.presets.get_preset(name) for name in names)}
        listed = ", ".join(repr(preset.name) for preset in found.values())
        confirm(f"Delete {listed}? This cannot be undone.", yes)
        gone, error = try_each(
            found,
            client.presets.delete_preset,
            what="deleted",
            kind="style preset",
            label=lambda preset: preset.name,
        )
    if as_json:
        deleted = [preset.name for preset in gone.values()]
        emit({"event": "result", "ok": error is None, "presets": len(gone), "names": deleted})
    else:
        say(f"Deleted {counted(len(gone), 'style preset')}.")
    if error is not None:
        raise error


@presets.command("export")
@click.argument("file", type=UserPath(), default="style-presets.csv")
@url_option
@output_options
def export(file: Path, url: str | None, as_json: bool) -> None:
    """Write the presets of all users to a CSV file. Only administrators may do this.

    Pictures, and presets that come with the server, are left out. FILE defaults to style-presets.csv.
    """
    with connect(url) as client:
        path = client.presets.export_to(file)
    if as_json:
        emit({"event": "result", "ok": True, "path": str(path)})
    else:
        echo(path)
    hint(f"Import it on another server: ivk presets import {shlex.quote(str(path))} --url URL", as_json)


@presets.command("import")
@click.argument("file", type=UserPath())
@url_option
@output_options
def import_(file: Path, url: str | None, as_json: bool) -> None:
    """Create presets from a CSV or JSON file. Only administrators may do this.

    The columns are name, prompt and negative_prompt, as `ivk presets export` writes them.
    """
    with connect(url) as client:
        created = client.presets.import_from(file)
    for preset in created if as_json else ():
        emit({"event": "preset", **preset.to_dict()})
    if as_json:
        emit({"event": "result", "ok": True, "presets": len(created)})
    else:
        say(f"Imported {counted(len(created), 'style preset')}.")
