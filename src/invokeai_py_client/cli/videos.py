"""``ivk videos``: the server's videos."""

from __future__ import annotations

import click

from invokeai_py_client.cli.group import IvkGroup
from invokeai_py_client.cli.media import NAMES, VIDEOS
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
from invokeai_py_client.cli.output import counted
from invokeai_py_client.errors import UsageError


@click.group(cls=IvkGroup)
def videos() -> None:
    """List, download, upload, organize and delete videos (InvokeAI 6.14+).

    NAMES are names of videos on the server. Use - to read them from standard input, as printed by `ivk videos ls`.

    \b
      ivk videos ls --board Clips
      ivk videos ls --since 2026-01-31 | ivk videos get - -o out/
    """


@videos.command("ls")
@board_option("Only videos on this board: its name, its id, or 'none'.")
@click.option("--category", metavar="WORD", help="Only this category: general, user, control, mask or other.")
@click.option("--starred", is_flag=True, help="Only starred videos.")
@time_options
@click.option("--search", metavar="TEXT", help="Only videos with this text in their metadata.")
@click.option("--intermediates", is_flag=True, help="Intermediate videos, which the gallery hides.")
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
    """List videos, newest first."""
    with connect(url) as client:
        VIDEOS.list(client, board, category, starred, since, until, search, intermediates, limit, as_json)


@videos.command("get")
@NAMES
@click.option(
    "-o",
    "--output",
    metavar="PATH",
    default=".",
    help="Folder for the files. For one video, also a file ending in .mp4, or - for standard output. "
    "Defaults to the current folder.",
)
@click.option(
    "--as",
    "--name",
    "template",
    metavar="TEMPLATE",
    help="File names, made of {video}, {index} and the fields of the record: {created_at:%Y-%m-%d}/{video}.",
)
@click.option("--thumbnails", is_flag=True, help="Download thumbnails instead.")
@click.option("--overwrite", is_flag=True, help="Download videos again even if their files exist.")
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
    """Download videos. Prints the paths of the files."""
    with connect(url) as client:
        VIDEOS.get(
            client, names, output, template, thumbnails=thumbnails, overwrite=overwrite, as_json=as_json
        )


@videos.command("put")
@click.argument("files", metavar="FILES...", nargs=-1, required=True, type=click.Path())
@board_option("Board for the videos: its name or id.")
@click.option("--category", metavar="WORD", default="user", show_default=True, help="Category of the videos.")
@url_option
@output_options
def put(files: tuple[str, ...], board: str | None, category: str, url: str | None, as_json: bool) -> None:
    """Upload videos. Prints their names on the server.

    FILES are MP4 files with H.264 video of at most 1 GB, folders of such files, or patterns such as 'clips/*.mp4'.
    """
    from invokeai_py_client.image.upload import named_sources

    sources = [source for file in files for _, source in named_sources(file, "video")]
    with connect(url) as client:
        VIDEOS.put(client, sources, board, category, as_json)


@videos.command("info")
@click.argument("name")
@click.option("--workflow", "part", flag_value="workflow", help="Print the stored workflow as JSON.")
@click.option("--graph", "part", flag_value="graph", help="Print the graph that made the video as JSON.")
@url_option
@output_options
def info(name: str, part: str | None, url: str | None, as_json: bool) -> None:
    """Show a video's record and generation metadata."""
    with connect(url) as client:
        advice = f"Run its workflow: ivk videos info {name} --workflow > FILE && ivk run FILE"
        VIDEOS.info(client, name, part, as_json, advice)


@videos.command("star")
@NAMES
@url_option
@output_options
def star(names: tuple[str, ...], url: str | None, as_json: bool) -> None:
    """Star videos."""
    with connect(url) as client:
        VIDEOS.star(client, names, as_json)


@videos.command("unstar")
@NAMES
@url_option
@output_options
def unstar(names: tuple[str, ...], url: str | None, as_json: bool) -> None:
    """Unstar videos."""
    with connect(url) as client:
        VIDEOS.unstar(client, names, as_json)


@videos.command("mv")
@NAMES
@board_option("Target board: its name or id, or 'none'.", required=True)
@url_option
@output_options
def mv(names: tuple[str, ...], board: str, url: str | None, as_json: bool) -> None:
    """Move videos to a board. 'none' removes them from their board."""
    with connect(url) as client:
        VIDEOS.move(client, names, board, as_json)


@videos.command("rm")
@click.argument("names", metavar="[NAMES]...", nargs=-1)
@board_option("Delete all videos on this board: its name, its id, or 'none'.")
@click.option(
    "--intermediates", is_flag=True, help="Delete all intermediate videos, which the gallery hides."
)
@yes_option
@url_option
@output_options
def rm(
    names: tuple[str, ...], board: str | None, intermediates: bool, yes: bool, url: str | None, as_json: bool
) -> None:
    """Delete videos permanently.

    \b
      ivk videos ls --since yesterday | ivk videos rm - --yes
    """
    if sum(map(bool, (names, board, intermediates))) != 1:
        raise UsageError("Specify what to delete: NAMES, --board BOARD or --intermediates.")
    wanted = read_names(names) if names else []
    with connect(url) as client:
        if not intermediates:
            VIDEOS.delete(client, wanted, board, yes, as_json)
            return
        found = client.videos.list_videos(is_intermediate=True)
        VIDEOS.delete_found(client, found, counted(len(found), "intermediate video"), yes, as_json)
