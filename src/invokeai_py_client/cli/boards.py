"""``ivk boards``: the server's boards."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Any

import click

from invokeai_py_client.cli.complete import complete_boards
from invokeai_py_client.cli.group import IvkGroup
from invokeai_py_client.cli.names import find_board
from invokeai_py_client.cli.options import connect, output_options, url_option, yes_option
from invokeai_py_client.cli.output import confirm, counted, echo, emit, hint, is_watched, say
from invokeai_py_client.cli.partial import try_each
from invokeai_py_client.cli.tables import Column, show_table, time_of
from invokeai_py_client.errors import UsageError
from invokeai_py_client.models.enums import BoardVisibility

if TYPE_CHECKING:
    from invokeai_py_client.models import IvkBoard, IvkUser

_board = click.argument("board", metavar="BOARD", shell_complete=complete_boards)


@click.group(cls=IvkGroup)
def boards() -> None:
    """Manage boards.

    BOARD is a board's name or id.
    """


def _done(sentence: str, as_json: bool, **facts: Any) -> None:
    if as_json:
        emit({"event": "result", "ok": True, **facts})
    else:
        say(sentence)


@boards.command("ls")
@click.option("--archived", is_flag=True, help="Include archived boards.")
@url_option
@output_options
def list_(archived: bool, url: str | None, as_json: bool) -> None:
    """List boards, newest first. The first line counts the images without a board.

    On servers with user accounts, these are your boards and those that other users share. Administrators see the boards
    of all users, and their first line counts the images of all users.
    """
    with connect(url) as client:
        found = client.board_repo.list_boards(include_uncategorized=True, include_archived=archived)
        me = client.me() if client.settings.has_account and not as_json else None
    if as_json:
        for board in found:
            emit({"event": "board", "name": board.board_name, **board.to_dict()})
        emit({"event": "result", "ok": True, "boards": len(found)})
        return
    columns = [
        Column("board", whole=False),
        Column("images", right=True),
        Column("assets", right=True),
        *([Column("owner"), Column("visibility")] if me else []),
        Column("created", wide=True),
        Column("id"),
    ]
    rows = [
        [
            board.board_name + (" (archived)" if board.archived and is_watched(sys.stdout) else ""),
            str(board.image_count),
            str(board.asset_count),
            *([] if me is None else [_owner(board, me), str(board.board_visibility or "")]),
            time_of(board.created_at),
            board.board_id,
        ]
        for board in found
    ]
    show_table(columns, rows)
    hint("List a board's images: ivk images ls --board BOARD")


def _owner(board: IvkBoard, me: IvkUser) -> str:
    """Return the owner of a board, as far as the server reports it."""
    if board.user_id == me.user_id:
        return "you"
    return board.owner_username or board.user_id or ""


@boards.command("create")
@click.argument("names", metavar="NAMES...", nargs=-1, required=True)
@click.option("--exist-ok", is_flag=True, help="Succeed if a board with this name already exists.")
@click.option(
    "--visibility",
    type=click.Choice([one.value for one in BoardVisibility]),
    help="Who can see the boards: only you, all users, or all users, who can also add images. Defaults to private.",
)
@url_option
@output_options
def create(
    names: tuple[str, ...], exist_ok: bool, visibility: str | None, url: str | None, as_json: bool
) -> None:
    """Create boards. Prints their ids."""
    with connect(url) as client:
        there = {board.board_name: board for board in client.board_repo.list_boards(include_archived=True)}
        taken = [name for name in names if name in there]
        if taken and not exist_ok:
            raise UsageError(
                f"A board named {taken[0]!r} already exists. Pass --exist-ok to use it. Nothing was changed."
            )
        for name in dict.fromkeys(names):
            board = (
                there[name]
                if name in there
                else client.board_repo.create_board(name, board_visibility=visibility).board
            )
            if as_json:
                emit(
                    {"event": "board", "name": board.board_name, "new": name not in there, **board.to_dict()}
                )
            else:
                echo(board.board_id)
        if as_json:
            emit({"event": "result", "ok": True, "boards": len(set(names))})
    hint(f"Upload images to it: ivk images put FILES... --board {shlex.quote(names[0])}", as_json)


@boards.command("rename")
@_board
@click.argument("name")
@url_option
@output_options
def rename(board: str, name: str, url: str | None, as_json: bool) -> None:
    """Rename a board."""
    with connect(url) as client:
        record = client.board_repo.update_board(find_board(client, board), name)
    _done(f"Renamed {board!r} to {record.board_name!r}.", as_json, **record.to_dict())


@boards.command("archive")
@_board
@url_option
@output_options
def archive(board: str, url: str | None, as_json: bool) -> None:
    """Archive a board (hide it from listings)."""
    with connect(url) as client:
        record = client.board_repo.update_board(find_board(client, board), archived=True)
    _done(f"Archived {record.board_name!r}.", as_json, **record.to_dict())
    hint(f"Restore it: ivk boards unarchive {shlex.quote(board)}", as_json)


@boards.command("unarchive")
@_board
@url_option
@output_options
def unarchive(board: str, url: str | None, as_json: bool) -> None:
    """Restore an archived board."""
    with connect(url) as client:
        record = client.board_repo.update_board(find_board(client, board), archived=False)
    _done(f"Restored {record.board_name!r}.", as_json, **record.to_dict())


@boards.command("share")
@click.argument("names", metavar="BOARDS...", nargs=-1, required=True, shell_complete=complete_boards)
@click.option("--public", is_flag=True, help="Also let all users add images.")
@url_option
@output_options
def share(names: tuple[str, ...], public: bool, url: str | None, as_json: bool) -> None:
    """Let all users of the server see boards and their images. Only their owner can change them."""
    _set_visibility(names, BoardVisibility.PUBLIC if public else BoardVisibility.SHARED, url, as_json)


@boards.command("unshare")
@click.argument("names", metavar="BOARDS...", nargs=-1, required=True, shell_complete=complete_boards)
@url_option
@output_options
def unshare(names: tuple[str, ...], url: str | None, as_json: bool) -> None:
    """Hide boards from other users again."""
    _set_visibility(names, BoardVisibility.PRIVATE, url, as_json)


def _set_visibility(
    names: tuple[str, ...], visibility: BoardVisibility, url: str | None, as_json: bool
) -> None:
    what = "unshared" if visibility is BoardVisibility.PRIVATE else "shared"
    with connect(url) as client:
        found = {board.board_id: board for board in (find_board(client, name) for name in names)}
        done, error = try_each(
            found,
            lambda board: client.board_repo.update_board(board, board_visibility=visibility),
            what=what,
            kind="board",
            label=lambda board: board.board_name,
        )
    changed = [board.board_name for board in done.values()]
    if as_json:
        facts = {"boards": len(done), "names": changed, "board_visibility": visibility.value}
        emit({"event": "result", "ok": error is None, **facts})
    else:
        say(f"{what.capitalize()} {counted(len(done), 'board')}.")
    if error is not None:
        raise error


@boards.command("rm")
@click.argument("names", metavar="BOARDS...", nargs=-1, required=True, shell_complete=complete_boards)
@click.option("--images", "with_images", is_flag=True, help="Also delete the images on the boards.")
@yes_option
@url_option
@output_options
def rm(names: tuple[str, ...], with_images: bool, yes: bool, url: str | None, as_json: bool) -> None:
    """Delete boards. Their images are kept without a board, unless --images is given."""
    with connect(url) as client:
        found = {board.board_id: board for board in (find_board(client, name) for name in names)}
        if "none" in found:
            raise UsageError("'none' means the images without a board. It cannot be deleted.")
        count = sum(board.image_count + board.asset_count for board in found.values())
        images = f"and {counted(count, 'image')}" if with_images else "and keep the images"
        listed = ", ".join(repr(board.board_name) for board in found.values())
        confirm(f"Delete {listed} {images}?", yes)
        gone, error = try_each(
            found,
            lambda board: client.board_repo.delete_board(board, delete_images=with_images),
            what="deleted completely" if with_images else "deleted",
            kind="board",
            label=lambda board: board.board_name,
        )
    deleted = [board.board_name for board in gone.values()]
    if as_json:
        emit({"event": "result", "ok": error is None, "boards": len(gone), "names": deleted})
    else:
        say(f"Deleted {counted(len(gone), 'board')}.")
    if error is not None:
        raise error
