"""``ivk boards``: the boards of a server."""

from __future__ import annotations

import shlex
import sys
from typing import Any

import click

from invokeai_py_client.cli.group import IvkGroup
from invokeai_py_client.cli.names import find_board
from invokeai_py_client.cli.options import connect, json_option, url_option, yes_option
from invokeai_py_client.cli.output import confirm, counted, emit, hint, is_watched, say
from invokeai_py_client.cli.tables import Column, show_table, time_of
from invokeai_py_client.errors import UsageError

_board = click.argument("board", metavar="BOARD")


@click.group(cls=IvkGroup)
def boards() -> None:
    """List, make, rename and remove boards.

    BOARD is a board's name or id.
    """


def _done(sentence: str, as_json: bool, **facts: Any) -> None:
    if as_json:
        emit({"event": "result", "ok": True, **facts})
    else:
        say(sentence)


@boards.command("ls")
@click.option("--archived", is_flag=True, help="Also those that are archived.")
@url_option
@json_option
def list_(archived: bool, url: str | None, as_json: bool) -> None:
    """List boards, the newest first; the first line stands for the images on no board."""
    with connect(url) as client:
        found = client.board_repo.list_boards(include_uncategorized=True, include_archived=archived)
    if as_json:
        for board in found:
            emit({"event": "board", "name": board.board_name, **board.to_dict()})
        emit({"event": "result", "ok": True, "boards": len(found)})
        return
    columns = [
        Column("board", whole=False),
        Column("images", right=True),
        Column("assets", right=True),
        Column("made", wide=True),
        Column("id"),
    ]
    rows = [
        [
            board.board_name + (" (archived)" if board.archived and is_watched(sys.stdout) else ""),
            str(board.image_count),
            str(board.asset_count),
            time_of(board.created_at),
            board.board_id,
        ]
        for board in found
    ]
    show_table(columns, rows)
    hint("See a board's images: ivk images ls --board BOARD")


@boards.command("create")
@click.argument("names", metavar="NAMES...", nargs=-1, required=True)
@click.option("--exist-ok", is_flag=True, help="Take a board of that name which is there already.")
@url_option
@json_option
def create(names: tuple[str, ...], exist_ok: bool, url: str | None, as_json: bool) -> None:
    """Make boards. Their ids go to standard output."""
    with connect(url) as client:
        there = {board.board_name: board for board in client.board_repo.list_boards(include_archived=True)}
        taken = [name for name in names if name in there]
        if taken and not exist_ok:
            raise UsageError(f"There is a board {taken[0]!r} already; --exist-ok takes it. Nothing was made.")
        for name in dict.fromkeys(names):
            board = there[name] if name in there else client.board_repo.create_board(name).board
            if as_json:
                emit(
                    {"event": "board", "name": board.board_name, "new": name not in there, **board.to_dict()}
                )
            else:
                click.echo(board.board_id)
        if as_json:
            emit({"event": "result", "ok": True, "boards": len(set(names))})
    hint(f"Put images on it: ivk images put FILES... --board {shlex.quote(names[0])}", as_json)


@boards.command("rename")
@_board
@click.argument("name")
@url_option
@json_option
def rename(board: str, name: str, url: str | None, as_json: bool) -> None:
    """Give a board another name."""
    with connect(url) as client:
        record = client.board_repo.update_board(find_board(client, board).board_id, name)
    _done(f"{board!r} is {record.board_name!r} now.", as_json, **record.to_dict())


@boards.command("archive")
@_board
@url_option
@json_option
def archive(board: str, url: str | None, as_json: bool) -> None:
    """Have listings leave a board out."""
    with connect(url) as client:
        record = client.board_repo.update_board(find_board(client, board).board_id, archived=True)
    _done(f"{record.board_name!r} is archived.", as_json, **record.to_dict())
    hint(f"Bring it back: ivk boards unarchive {shlex.quote(board)}", as_json)


@boards.command("unarchive")
@_board
@url_option
@json_option
def unarchive(board: str, url: str | None, as_json: bool) -> None:
    """Have listings show a board again."""
    with connect(url) as client:
        record = client.board_repo.update_board(find_board(client, board).board_id, archived=False)
    _done(f"{record.board_name!r} is listed again.", as_json, **record.to_dict())


@boards.command("rm")
@click.argument("names", metavar="BOARDS...", nargs=-1, required=True)
@click.option("--images", "with_images", is_flag=True, help="Delete the images on them, too.")
@yes_option
@url_option
@json_option
def rm(names: tuple[str, ...], with_images: bool, yes: bool, url: str | None, as_json: bool) -> None:
    """Delete boards for good. Their images stay, on no board, unless --images is given."""
    with connect(url) as client:
        found = {board.board_id: board for board in (find_board(client, name) for name in names)}
        if "none" in found:
            raise UsageError("'none' stands for the images on no board; it cannot be deleted.")
        count = sum(board.image_count + board.asset_count for board in found.values())
        told = f"with {counted(count, 'image')}" if with_images else "without the images on it"
        listed = ", ".join(repr(board.board_name) for board in found.values())
        confirm(f"Delete {listed} for good, {told}?", yes)
        for board_id in found:
            client.board_repo.delete_board(board_id, delete_images=with_images)
    _done(
        f"Deleted {counted(len(found), 'board')}.",
        as_json,
        boards=len(found),
        names=[board.board_name for board in found.values()],
    )
