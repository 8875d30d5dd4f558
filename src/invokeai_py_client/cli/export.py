"""``ivk images export``: images into a folder, each with its data beside it, again and again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from invokeai_py_client._atomic import write_draft
from invokeai_py_client.cli.names import find_board
from invokeai_py_client.cli.options import connect, json_option, url_option
from invokeai_py_client.cli.output import counted, emit, hint, say
from invokeai_py_client.cli.progress import Advance, counting_bar, of_transfer, waiting
from invokeai_py_client.errors import (
    InvokeAIClientError,
    NotFoundError,
    ServerUnreachableError,
    TransferError,
    UsageError,
)

if TYPE_CHECKING:
    from invokeai_py_client import InvokeAIClient
    from invokeai_py_client.models import IvkImage

PORTION = 100
"""How many images are fetched before their data are written: so much is looked at again after a crash."""


@click.command()
@click.argument("output", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--board", metavar="BOARD", help="Those of a board: its name or id; 'none' for those on none.")
@click.option("--since", metavar="DATE", help="Those made then or later: 2026-01-31, or '2026-01-31 18:00'.")
@click.option("--starred", is_flag=True, help="Those with a star.")
@url_option
@json_option
def export(
    output: Path, board: str | None, since: str | None, starred: bool, url: str | None, as_json: bool
) -> None:
    """Fetch images into a folder, each with a JSON file of its record and metadata.

    The next time only what is new is fetched, and after an interruption what is missing. Data that changed on the
    server (a star, a board) are written anew. What was deleted on the server stays in the folder.
    The paths of the new images go to standard output.

    \b
      ivk images export --board Portraits --since 2026-01-31 out/
    """
    with connect(url) as client:
        board_id = find_board(client, board).board_id if board else None
        with waiting("listing", as_json):
            found = client.image_repo.list_images(
                board_id=board_id, since=since, starred=True if starred else None, order_dir="ASC"
            )
        wanted = [image for image in found if not is_exported(image, output)]
        fetched, renewed, failed = 0, 0, dict[str, InvokeAIClientError]()
        with counting_bar("exporting", len(wanted), as_json) as advance:
            for start in range(0, len(wanted), PORTION):
                portion = wanted[start : start + PORTION]
                new = {image.image_name for image in portion if not _picture(image, output).exists()}
                done = _fetch(
                    client, portion, output, failed, lambda count, start=start: advance(start + count)
                )
                for image in done:
                    path = _picture(image, output)
                    is_new = image.image_name in new
                    fetched, renewed = fetched + is_new, renewed + (not is_new)
                    if as_json:
                        emit({"event": "image", "name": image.image_name, "path": str(path), "new": is_new})
                    elif is_new:
                        click.echo(path)
                if any(isinstance(error, ServerUnreachableError) for error in failed.values()):
                    break
        if failed:
            raise _failure(failed, len(found))
        counts = {"new": fetched, "renewed": renewed, "there": len(found) - len(wanted)}
        if as_json:
            emit({"event": "result", "ok": True, "images": len(found), **counts})
            return
        changed = f", {renewed} with other data" if renewed else ""
        say(f"{counted(fetched, 'new image')}{changed}, {counts['there']} there already, in {output}.")
        hint("The same command again fetches what has come meanwhile.")


def is_exported(image: IvkImage, folder: Path) -> bool:
    """Whether an image is in a folder, with its data as they are now.

    The data are written after the image: where they are, it is whole.
    """
    if not _picture(image, folder).is_file():
        return False
    try:
        data: Any = json.loads(_data_file(image, folder).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    if not isinstance(data, dict):
        return False
    return metadata_record(cast("dict[str, Any]", data)) == metadata_record(image.to_dict())


def metadata_record(data: dict[str, Any]) -> dict[str, Any]:
    """What tells whether the data of an image have changed: its record without what is beside it."""
    return {key: value for key, value in data.items() if key != "metadata"}


def _fetch(
    client: InvokeAIClient,
    portion: Sequence[IvkImage],
    folder: Path,
    failed: dict[str, InvokeAIClientError],
    advance: Advance,
) -> list[IvkImage]:
    """Fetch images and write their data; gives those for which both went well."""
    try:
        client.image_repo.download_images(portion, folder, on_progress=of_transfer(advance))
        lost: dict[str, InvokeAIClientError] = {}
    except TransferError as error:
        lost = error.failed
    done: list[IvkImage] = []
    for image in portion:
        if image.image_name in lost:
            continue
        try:
            metadata = client.image_repo.get_metadata(image.image_name)
        except InvokeAIClientError as error:
            lost[image.image_name] = error
            continue
        _write(_data_file(image, folder), {**image.to_dict(), "metadata": metadata})
        done.append(image)
    # Deleted on the server since it was listed: no failure.
    failed |= {name: error for name, error in lost.items() if not isinstance(error, NotFoundError)}
    return done


def _failure(failed: dict[str, InvokeAIClientError], total: int) -> TransferError:
    lines = [f"{name}: {error}" for name, error in list(failed.items())[:5]]
    lines += [f"and {len(failed) - 5} more"] if len(failed) > 5 else []
    sentence = f"{len(failed)} of {total} images could not be exported; the same command again goes on:"
    return TransferError("\n  ".join([sentence, *lines]), failed=failed)


def _picture(image: IvkImage, folder: Path) -> Path:
    """Where fetching puts an image: in the folder, whatever the server calls it."""
    from invokeai_py_client.files.names import paths_for

    return paths_for([image.image_name], {}, folder, "{image}", ".png")[image.image_name]


def _data_file(image: IvkImage, folder: Path) -> Path:
    return _picture(image, folder).with_suffix(".json")


def _write(path: Path, data: dict[str, Any]) -> None:
    """Write a JSON file, whole or not at all."""
    try:
        write_draft(path, json.dumps(data, ensure_ascii=False, indent=2).encode())
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from None
