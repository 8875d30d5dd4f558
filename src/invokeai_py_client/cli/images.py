"""``ivk images``: the server's images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from invokeai_py_client.cli.export import export
from invokeai_py_client.cli.group import IvkGroup
from invokeai_py_client.cli.media import IMAGES, NAMES
from invokeai_py_client.cli.names import read_names
from invokeai_py_client.cli.options import (
    board_option,
    connect,
    limit_option,
    output_options,
    time_options,
    url_option,
    yes_option,
)
from invokeai_py_client.cli.output import confirm, counted, emit, hint, say
from invokeai_py_client.cli.progress import waiting
from invokeai_py_client.cli.tables import show_facts
from invokeai_py_client.errors import UsageError

if TYPE_CHECKING:
    from invokeai_py_client import InvokeAIClient


@click.group(cls=IvkGroup)
def images() -> None:
    """List, download, upload, organize, delete and export images.

    NAMES are names of images on the server. Use - to read them from standard input, as printed by `ivk images ls`.

    \b
      ivk images ls --board Portraits
      ivk images ls --since 2026-01-31 | ivk images get - -o out/
    """


images.add_command(export)


@images.command("ls")
@board_option("Only images on this board: its name, its id, or 'none'.")
@click.option("--category", metavar="WORD", help="Only this category: general, user, control, mask or other.")
@click.option("--starred", is_flag=True, help="Only starred images.")
@time_options
@click.option("--search", metavar="TEXT", help="Only images with this text in their metadata.")
@click.option("--intermediates", is_flag=True, help="Intermediate images, which the gallery hides.")
@limit_option
@url_option
@output_options
def list_(
    board: str | None,
    category: str | None,
    starred: bool,
    since: str | None,
    until: str | None,
    search: str | None,
    intermediates: bool,
    limit: int | None,
    url: str | None,
    as_json: bool,
) -> None:
    """List images, newest first."""
    with connect(url) as client:
        IMAGES.list(client, board, category, starred, since, until, search, intermediates, limit, as_json)


@images.command("get")
@NAMES
@click.option(
    "-o",
    "--output",
    metavar="PATH",
    default=".",
    help="Folder for the files. For one image, also a file ending in .png, .jpg, .webp or .avif, or - for standard "
    "output. Defaults to the current folder.",
)
@click.option(
    "--as",
    "--name",
    "template",
    metavar="TEMPLATE",
    help="File names, made of {image}, {index} and the fields of the record: {created_at:%Y-%m-%d}/{image}.jpg.",
)
@click.option("--thumbnails", is_flag=True, help="Download thumbnails instead.")
@click.option("--overwrite", is_flag=True, help="Download images again even if their files exist.")
@url_option
@output_options
def get(
    names: tuple[str, ...],
    output: str,
    template: str | None,
    thumbnails: bool,
    overwrite: bool,
    url: str | None,
    as_json: bool,
) -> None:
    """Download images. Prints the paths of the files."""
    with connect(url) as client:
        IMAGES.get(
            client, names, output, template, thumbnails=thumbnails, overwrite=overwrite, as_json=as_json
        )


@images.command("put")
@click.argument("files", metavar="FILES...", nargs=-1, required=True, type=click.Path())
@board_option("Board for the images: its name or id.")
@click.option("--category", metavar="WORD", default="user", show_default=True, help="Category of the images.")
@url_option
@output_options
def put(files: tuple[str, ...], board: str | None, category: str, url: str | None, as_json: bool) -> None:
    """Upload images. Prints their names on the server.

    FILES are images, folders of images, or patterns such as 'refs/*.png'.
    """
    from invokeai_py_client.image.upload import named_sources

    sources = [source for file in files for _, source in named_sources(file)]
    with connect(url) as client:
        IMAGES.put(client, sources, board, category, as_json)


@images.command("info")
@click.argument("name")
@click.option("--workflow", "part", flag_value="workflow", help="Print the embedded workflow as JSON.")
@click.option("--graph", "part", flag_value="graph", help="Print the graph that made the image as JSON.")
@url_option
@output_options
def info(name: str, part: str | None, url: str | None, as_json: bool) -> None:
    """Show an image's record and generation metadata."""
    with connect(url) as client:
        advice = f"Run its workflow: ivk images get {name} && ivk run {name}"
        IMAGES.info(client, name, part, as_json, advice)


@images.command("star")
@NAMES
@url_option
@output_options
def star(names: tuple[str, ...], url: str | None, as_json: bool) -> None:
    """Star images."""
    with connect(url) as client:
        IMAGES.star(client, names, as_json)


@images.command("unstar")
@NAMES
@url_option
@output_options
def unstar(names: tuple[str, ...], url: str | None, as_json: bool) -> None:
    """Unstar images."""
    with connect(url) as client:
        IMAGES.unstar(client, names, as_json)


@images.command("mv")
@NAMES
@board_option("Target board: its name or id, or 'none'.", required=True)
@url_option
@output_options
def mv(names: tuple[str, ...], board: str, url: str | None, as_json: bool) -> None:
    """Move images to a board. 'none' removes them from their board."""
    with connect(url) as client:
        IMAGES.move(client, names, board, as_json)


@images.command("recall")
@click.argument("name")
@click.option("--strict", is_flag=True, help="Clear the web UI's other settings.")
@url_option
@output_options
def recall(name: str, strict: bool, url: str | None, as_json: bool) -> None:
    """Put the prompts, model, seed and other settings of an image into the open web UI."""
    with connect(url) as client:
        sent = client.image_repo.get_image(name).recall(strict=strict)
        known = client.recalled()  # with the names of models instead of their keys
        values = {key: known[key] for key in sent if key in known}
    if as_json:
        emit({"event": "result", "ok": True, "name": name, "values": values})
        return
    show_facts({key.replace("_", " "): value for key, value in values.items()})
    hint(f"The web UI has these values now, if it is open at {client.url}.")


@images.command("rm")
@click.argument("names", metavar="[NAMES]...", nargs=-1)
@board_option("Delete all images on this board: its name, its id, or 'none'.")
@click.option("--uncategorized", is_flag=True, help="Delete all images that are on no board.")
@click.option(
    "--intermediates", is_flag=True, help="Delete all intermediate images, which the gallery hides."
)
@yes_option
@url_option
@output_options
def rm(
    names: tuple[str, ...],
    board: str | None,
    uncategorized: bool,
    intermediates: bool,
    yes: bool,
    url: str | None,
    as_json: bool,
) -> None:
    """Delete images permanently.

    \b
      ivk images ls --since yesterday | ivk images rm - --yes
    """
    if sum(map(bool, (names, board, uncategorized, intermediates))) != 1:
        raise UsageError("Specify what to delete: NAMES, --board BOARD, --uncategorized or --intermediates.")
    wanted = read_names(names) if names else []
    with connect(url) as client:
        if uncategorized:
            found = client.images.list_names(board_id="none", is_intermediate=None)
            whose = " of all users" if _is_administrator(client) else ""
            what = f"{counted(len(found), 'image')}{whose} without a board"
            IMAGES.delete_found(client, found, what, yes, as_json)
            return
        if not intermediates:
            IMAGES.delete(client, wanted, board, yes, as_json)
            return
        repo = client.image_repo
        count = repo.count_intermediates()
        if count:
            confirm(f"Delete {counted(count, 'intermediate image')}? This cannot be undone.", yes)
            with waiting("Deleting", as_json):
                count = repo.clear_intermediates()
        if as_json:
            emit({"event": "result", "ok": True, "images": count})
        else:
            say(f"Deleted {counted(count, 'intermediate image')}.")


def _is_administrator(client: InvokeAIClient) -> bool:
    """Whether the client is signed in as an administrator, who sees the images of all users."""
    me = client.me() if client.settings.has_account else None
    return me is not None and me.is_admin
