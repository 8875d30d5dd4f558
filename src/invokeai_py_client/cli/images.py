"""``ivk images``: the images of a server."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from invokeai_py_client.cli.export import export
from invokeai_py_client.cli.group import IvkGroup
from invokeai_py_client.cli.names import find_board, find_images, read_names
from invokeai_py_client.cli.options import connect, json_option, limit_option, url_option, yes_option
from invokeai_py_client.cli.output import confirm, counted, emit, hint, is_watched, say
from invokeai_py_client.cli.progress import counting_bar, of_transfer, waiting
from invokeai_py_client.cli.tables import Column, screenful, show_facts, show_table, time_of
from invokeai_py_client.errors import UsageError

if TYPE_CHECKING:
    from invokeai_py_client import InvokeAIClient
    from invokeai_py_client.models import IvkImage

_names = click.argument("names", metavar="NAMES...", nargs=-1, required=True)


@click.group(cls=IvkGroup)
def images() -> None:
    """List, fetch, bring, sort, remove and export images.

    NAMES are names of images on the server; a single - reads them from standard input, as the lists print them.

    \b
      ivk images ls --board Portraits
      ivk images ls --since 2026-01-31 | ivk images get - -o out/
    """


images.add_command(export)


@images.command("ls")
@click.option("--board", metavar="BOARD", help="Those of a board: its name or id; 'none' for those on none.")
@click.option("--category", metavar="WORD", help="Those of a category: general, user, control, mask, other.")
@click.option("--starred", is_flag=True, help="Those with a star.")
@click.option("--since", metavar="DATE", help="Those made then or later: 2026-01-31, or '2026-01-31 18:00'.")
@click.option("--search", metavar="TEXT", help="Those whose metadata contain this.")
@click.option("--intermediates", is_flag=True, help="By-products, which the gallery does not show.")
@limit_option
@url_option
@json_option
def list_(
    board: str | None,
    category: str | None,
    starred: bool,
    since: str | None,
    search: str | None,
    intermediates: bool,
    limit: int | None,
    url: str | None,
    as_json: bool,
) -> None:
    """List images, the newest first."""
    most = screenful(limit, as_json)
    with connect(url) as client:
        found = client.image_repo.list_images(
            board_id=find_board(client, board).board_id if board else None,
            categories=category,
            starred=True if starred else None,
            since=since,
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
            Column("made"),
            Column("size"),
            Column("board", whole=False),
            Column("category", wide=True),
        ]
        if found or not is_watched(sys.stdout):
            show_table(columns, [_row(image, named) for image in found])
        _say_how_many(len(found), more, limit)


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
        hint("No images. Bring some with: ivk images put FILES...")
    elif more and limit is None:
        hint(f"The newest {count}; more with -n. Fetch them: ivk images get NAMES... -o DIR")
    else:
        hint(f"{counted(count, 'image')}. Fetch them: ivk images get NAMES... -o DIR")


@images.command("get")
@_names
@click.option(
    "-o", "--output", metavar="DIR", type=click.Path(file_okay=False, path_type=Path), default=Path()
)
@click.option(
    "--as",
    "template",
    metavar="TEMPLATE",
    default="{image}",
    help="What to call the files: {image}, {index} and every field of the record, "
    "as in {created_at:%Y-%m-%d}/{image}.",
)
@click.option("--thumbnails", is_flag=True, help="Their thumbnails instead.")
@click.option("--overwrite", is_flag=True, help="Fetch again what is there already.")
@url_option
@json_option
def get(
    names: tuple[str, ...],
    output: Path,
    template: str,
    thumbnails: bool,
    overwrite: bool,
    url: str | None,
    as_json: bool,
) -> None:
    """Fetch images into a folder. Their paths go to standard output."""
    wanted = read_names(names)
    with connect(url) as client:
        found = find_images(client, wanted)
        with counting_bar("fetching", len(found), as_json) as advance:
            paths = client.image_repo.download_images(
                found,
                output,
                template=template,
                full_resolution=not thumbnails,
                overwrite=overwrite,
                on_progress=of_transfer(advance),
            )
        for image, path in zip(found, paths, strict=True):
            if as_json:
                emit({"event": "image", "name": image.image_name, "path": str(path)})
            else:
                click.echo(path)
        if as_json:
            emit({"event": "result", "ok": True, "images": len(paths)})


@images.command("put")
@click.argument("files", metavar="FILES...", nargs=-1, required=True, type=click.Path())
@click.option("--board", metavar="BOARD", help="The board to put them on: its name or id.")
@click.option("--category", metavar="WORD", default="user", show_default=True, help="What they are for.")
@url_option
@json_option
def put(files: tuple[str, ...], board: str | None, category: str, url: str | None, as_json: bool) -> None:
    """Bring images to the server. Their names there go to standard output.

    FILES are images, folders of images, or patterns such as 'refs/*.png'.
    """
    from invokeai_py_client.image.upload import named_sources

    sources = [source for file in files for _, source in named_sources(file)]
    with connect(url) as client:
        board_id = find_board(client, board).board_id if board else None
        with counting_bar("bringing", len(sources), as_json) as advance:
            brought = client.image_repo.upload_images(
                sources, board_id=board_id, image_category=category, on_progress=of_transfer(advance)
            )
        for source, image in zip(sources, brought, strict=True):
            if as_json:
                emit({"event": "image", "name": image.image_name, "file": str(source), **image.to_dict()})
            else:
                click.echo(image.image_name)
        if as_json:
            emit({"event": "result", "ok": True, "images": len(brought)})
    where = f" on {board!r}" if board else ""
    hint(
        f"Brought {counted(len(brought), 'image')}{where}. A workflow's image input takes such a name.",
        as_json,
    )


@images.command("info")
@click.argument("name")
@click.option(
    "--workflow", "part", flag_value="workflow", help="Print the workflow that it carries, as JSON."
)
@click.option("--graph", "part", flag_value="graph", help="Print the graph that made it, as JSON.")
@url_option
@json_option
def info(name: str, part: str | None, url: str | None, as_json: bool) -> None:
    """Show what is known of an image: its record, and what it was made with."""
    with connect(url) as client:
        [image] = find_images(client, [name])
        if part is not None:
            repo = client.image_repo
            document = repo.get_workflow(name) if part == "workflow" else repo.get_graph(name)
            if document is None:
                raise UsageError(f"The image {name} carries no {part}.")
            click.echo(json.dumps(document, ensure_ascii=False, indent=None if as_json else 2))
            return
        metadata = client.image_repo.get_metadata(name) or {}
        if as_json:
            emit({"event": "result", "ok": True, "name": name, **image.to_dict(), "metadata": metadata})
            return
        show_facts(_facts(client, image))
        if metadata:
            click.echo()
            show_facts({key: value for key, value in metadata.items() if key not in ("graph", "workflow")})
        if image.has_workflow:
            hint(f"Run its workflow again: ivk images get {name} && ivk run {name}")


def _facts(client: InvokeAIClient, image: IvkImage) -> dict[str, Any]:
    board = client.board_repo.get_board_by_id(image.board_id) if image.board_id else None
    return {
        "image": image.image_name,
        "size": f"{image.width}×{image.height}",
        "made": image.created_at,
        "category": str(image.image_category),
        "origin": str(image.image_origin or ""),
        "board": board.board_name if board else None,
        "starred": image.starred,
        "carries its workflow": image.has_workflow,
        "session": image.session_id,
        "url": client.image_repo.image(image.image_name).url,
    }


def _report(did: str, names: list[str], as_json: bool) -> None:
    if as_json:
        for name in names:
            emit({"event": "image", "name": name})
        emit({"event": "result", "ok": True, "images": len(names)})
    else:
        say(f"{did} {counted(len(names), 'image')}.")


@images.command("star")
@_names
@url_option
@json_option
def star(names: tuple[str, ...], url: str | None, as_json: bool) -> None:
    """Star images."""
    wanted = read_names(names)
    with connect(url) as client:
        _report("Starred", client.image_repo.star(find_images(client, wanted)), as_json)


@images.command("unstar")
@_names
@url_option
@json_option
def unstar(names: tuple[str, ...], url: str | None, as_json: bool) -> None:
    """Take the star from images."""
    wanted = read_names(names)
    with connect(url) as client:
        _report("Unstarred", client.image_repo.unstar(find_images(client, wanted)), as_json)


@images.command("mv")
@_names
@click.option("--board", metavar="BOARD", required=True, help="Its name or id; 'none' takes them off theirs.")
@url_option
@json_option
def mv(names: tuple[str, ...], board: str, url: str | None, as_json: bool) -> None:
    """Put images on a board."""
    wanted = read_names(names)
    with connect(url) as client:
        target = find_board(client, board)
        moved = client.image_repo.move(find_images(client, wanted), target.board_id)
        _report("Moved", moved, as_json)
        hint(f"See them: ivk images ls --board {shlex.quote(board)}", as_json)


@images.command("rm")
@_names
@yes_option
@url_option
@json_option
def rm(names: tuple[str, ...], yes: bool, url: str | None, as_json: bool) -> None:
    """Delete images for good."""
    wanted = read_names(names)
    with connect(url) as client:
        found = find_images(client, wanted)
        confirm(f"Delete {counted(len(found), 'image')} for good?", yes)
        with waiting("deleting", as_json):
            deleted = client.image_repo.delete(found)
        _report("Deleted", deleted, as_json)
