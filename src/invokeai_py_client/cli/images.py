"""``ivk images``: the server's images."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from invokeai_py_client.cli.export import export
from invokeai_py_client.cli.group import IvkGroup
from invokeai_py_client.cli.names import (
    find_board,
    find_images,
    read_names,
    wanted_images,
)
from invokeai_py_client.cli.options import (
    board_option,
    connect,
    limit_option,
    output_options,
    time_options,
    url_option,
    yes_option,
)
from invokeai_py_client.cli.output import confirm, counted, echo, echo_bytes, emit, hint, is_watched, say
from invokeai_py_client.cli.progress import counting_bar, of_transfer, waiting
from invokeai_py_client.cli.tables import Column, screenful, show_facts, show_table, time_of
from invokeai_py_client.errors import TransferError, UsageError
from invokeai_py_client.files.names import is_image_file

if TYPE_CHECKING:
    from pathlib import Path

    from invokeai_py_client import InvokeAIClient
    from invokeai_py_client.models import IvkImage

_names = click.argument("names", metavar="NAMES...", nargs=-1, required=True)


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
    most = screenful(limit, as_json)
    with connect(url) as client:
        found = client.image_repo.list_images(
            board_id=None if board is None else find_board(client, board),
            categories=category,
            starred=True if starred else None,
            since=since,
            until=until,
            search_term=search,
            is_intermediate=intermediates,
            limit=None if most is None else most + 1,
        )
        more = most is not None and len(found) > most
        found = found[:most]
        if as_json:
            for image in found:
                emit({"event": "image", "name": image.image_name, **image.to_dict()})
            emit({"event": "result", "ok": True, "images": len(found), "more": more})
            return
        named = {one.board_id: one.board_name for one in client.board_repo.list_boards(include_archived=True)}
        columns = [
            Column("image"),
            Column("created"),
            Column("size"),
            Column("board", whole=False),
            Column("category", wide=True),
        ]
        if found or not is_watched(sys.stdout):
            show_table(columns, [_row(image, named) for image in found])
        _say_how_many(len(found), more, limit)


def _is_administrator(client: InvokeAIClient) -> bool:
    """Whether the client is signed in as an administrator, who sees the images of all users."""
    me = client.me() if client.settings.has_account else None
    return me is not None and me.is_admin


def _row(image: IvkImage, boards: dict[str, str]) -> list[str]:
    star = "★ " if image.starred else ""
    board = boards.get(image.board_id or "", image.board_id or "")
    return [
        image.image_name,
        time_of(image.created_at),
        f"{image.width}×{image.height}",
        star + board,
        str(image.image_category),
    ]


def _say_how_many(count: int, more: bool, limit: int | None) -> None:
    if not count:
        hint("No images. Upload some: ivk images put FILES...")
    elif more and limit is None:
        hint(f"Showing the newest {count}; use -n for more. Download them: ivk images get NAMES... -o DIR")
    else:
        hint(f"{counted(count, 'image')}. Download them: ivk images get NAMES... -o DIR")


@images.command("get")
@_names
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
    wanted = read_names(names)
    is_file = output == "-" or is_image_file(output)
    if is_file and (template is not None or len(wanted) != 1):
        raise UsageError(f"-o {output} is for one image and has no template. Use a folder instead: -o DIR")
    if output == "-" and as_json:
        raise UsageError("-o - writes the image to standard output, so it cannot be combined with --json.")
    with connect(url) as client:
        if is_file:
            [image] = find_images(client, wanted)
            _get_file(client, image, output, full_resolution=not thumbnails, as_json=as_json)
            return
        found = wanted_images(client, wanted)
        with counting_bar("Downloading", len(found), as_json) as advance:
            try:
                paths = client.image_repo.download_images(
                    found,
                    output,
                    template=template or "{image}",
                    full_resolution=not thumbnails,
                    overwrite=overwrite,
                    on_progress=of_transfer(advance),
                )
            except TransferError as error:
                _print_downloaded(error.done, as_json)
                raise
        _print_downloaded(dict(zip(wanted, paths, strict=True)), as_json)
        if as_json:
            emit({"event": "result", "ok": True, "images": len(paths)})


def _print_downloaded(paths: Mapping[str, Path], as_json: bool) -> None:
    for name, path in paths.items():
        if as_json:
            emit({"event": "image", "name": name, "path": str(path)})
        else:
            echo(path)


def _get_file(
    client: InvokeAIClient, image: IvkImage, output: str, *, full_resolution: bool, as_json: bool
) -> None:
    """Download one image to a file, or to standard output."""
    repo, name = client.image_repo, image.image_name
    if output == "-":
        echo_bytes(repo.download(name, full_resolution=full_resolution))
        return
    path = repo.download_to(name, output, full_resolution=full_resolution)
    if as_json:
        emit({"event": "image", "name": name, "path": str(path)})
        emit({"event": "result", "ok": True, "images": 1})
    else:
        echo(path)


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
        target = None if board is None else find_board(client, board)
        with counting_bar("Uploading", len(sources), as_json) as advance:
            try:
                uploaded = client.image_repo.upload_images(
                    sources, board_id=target, image_category=category, on_progress=of_transfer(advance)
                )
            except TransferError as error:
                for file, image in error.done.items():
                    _print_uploaded(file, image, as_json)
                raise
        for source, image in zip(sources, uploaded, strict=True):
            _print_uploaded(str(source), image, as_json)
        if as_json:
            emit({"event": "result", "ok": True, "images": len(uploaded)})
    where = f" to {board!r}" if target is not None and target.board_id != "none" else ""
    hint(
        f"Uploaded {counted(len(uploaded), 'image')}{where}. Use a name as an input: ivk run FILE -s image=NAME",
        as_json,
    )


def _print_uploaded(file: str, image: IvkImage, as_json: bool) -> None:
    if as_json:
        emit({"event": "image", "name": image.image_name, "file": file, **image.to_dict()})
    else:
        echo(image.image_name)


@images.command("info")
@click.argument("name")
@click.option("--workflow", "part", flag_value="workflow", help="Print the embedded workflow as JSON.")
@click.option("--graph", "part", flag_value="graph", help="Print the graph that made the image as JSON.")
@url_option
@output_options
def info(name: str, part: str | None, url: str | None, as_json: bool) -> None:
    """Show an image's record and generation metadata."""
    with connect(url) as client:
        [image] = find_images(client, [name])
        if part is not None:
            repo = client.image_repo
            document = repo.get_workflow(name) if part == "workflow" else repo.get_graph(name)
            if document is None:
                raise UsageError(f"The image {name} has no embedded {part}.")
            emit(document, None if as_json else 2)
            return
        metadata = client.image_repo.get_metadata(name) or {}
        if as_json:
            emit({"event": "result", "ok": True, "name": name, **image.to_dict(), "metadata": metadata})
            return
        show_facts(_facts(client, image))
        if metadata:
            echo()
            show_facts({key: value for key, value in metadata.items() if key not in ("graph", "workflow")})
        if image.has_workflow:
            hint(f"Run its workflow: ivk images get {name} && ivk run {name}")


def _facts(client: InvokeAIClient, image: IvkImage) -> dict[str, Any]:
    board = client.board_repo.get_board_by_id(image.board_id) if image.board_id else None
    return {
        "image": image.image_name,
        "size": f"{image.width}×{image.height}",
        "created": image.created_at,
        "category": str(image.image_category),
        "origin": str(image.image_origin or ""),
        "board": board.board_name if board else None,
        "starred": image.starred,
        "has workflow": image.has_workflow,
        "session": image.session_id,
        "url": client.image_repo.image(image.image_name).url,
    }


def _change(verb: str, change: Callable[[], list[str]], as_json: bool) -> None:
    """Change images, and print which were changed, also if others were not.

    Args:
        verb: Past participle for the report, such as "Deleted".
        change: Makes the change. Returns the names of the images.
        as_json: Whether to print JSON.
    """
    try:
        names = change()
    except TransferError as error:
        _report(verb, list(error.done), as_json)
        raise
    _report(verb, names, as_json)
    if as_json:
        emit({"event": "result", "ok": True, "images": len(names)})


def _report(verb: str, names: list[str], as_json: bool) -> None:
    for name in names if as_json else ():
        emit({"event": "image", "name": name})
    if not as_json:
        say(f"{verb} {counted(len(names), 'image')}.")


@images.command("star")
@_names
@url_option
@output_options
def star(names: tuple[str, ...], url: str | None, as_json: bool) -> None:
    """Star images."""
    wanted = read_names(names)
    with connect(url) as client:
        found = find_images(client, wanted)
        _change("Starred", lambda: client.image_repo.star(found), as_json)


@images.command("unstar")
@_names
@url_option
@output_options
def unstar(names: tuple[str, ...], url: str | None, as_json: bool) -> None:
    """Unstar images."""
    wanted = read_names(names)
    with connect(url) as client:
        found = find_images(client, wanted)
        _change("Unstarred", lambda: client.image_repo.unstar(found), as_json)


@images.command("mv")
@_names
@board_option("Target board: its name or id, or 'none'.", required=True)
@url_option
@output_options
def mv(names: tuple[str, ...], board: str, url: str | None, as_json: bool) -> None:
    """Move images to a board. 'none' removes them from their board."""
    wanted = read_names(names)
    with connect(url) as client:
        target = find_board(client, board)
        found = find_images(client, wanted)
        _change("Moved", lambda: client.image_repo.move(found, target), as_json)
        hint(f"List them: ivk images ls --board {shlex.quote(board)}", as_json)


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
        repo = client.image_repo
        if intermediates:
            count = repo.count_intermediates()
            if count:
                confirm(f"Delete {counted(count, 'intermediate image')}? This cannot be undone.", yes)
                with waiting("Deleting", as_json):
                    count = repo.clear_intermediates()
            if as_json:
                emit({"event": "result", "ok": True, "images": count})
            else:
                say(f"Deleted {counted(count, 'intermediate image')}.")
            return
        found: Sequence[str | IvkImage]
        if uncategorized:
            found = repo.list_names(board_id="none", is_intermediate=None)
            whose = " of all users" if _is_administrator(client) else ""
            question = f"Delete {counted(len(found), 'image')}{whose} without a board?"
        elif board:
            record = find_board(client, board)
            found = repo.list_images(board_id=record, is_intermediate=None)
            question = f"Delete {counted(len(found), 'image')} on {record.board_name!r}?"
        else:
            found = find_images(client, wanted)
            question = f"Delete {counted(len(found), 'image')}?"
        if found:
            confirm(f"{question} This cannot be undone.", yes)
        with waiting("Deleting", as_json):
            _change("Deleted", lambda: repo.delete(found), as_json)
