"""``ivk images export``: mirror images to a folder, with a metadata file next to each."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from invokeai_py_client._atomic import write_draft
from invokeai_py_client._records import read_record
from invokeai_py_client._text import first_lines
from invokeai_py_client.cli.group import IvkCommand
from invokeai_py_client.cli.names import find_board
from invokeai_py_client.cli.options import (
    UserPath,
    board_option,
    connect,
    output_options,
    time_options,
    url_option,
)
from invokeai_py_client.cli.output import counted, echo, emit, hint, is_watched, say
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
"""Number of images to download before writing their metadata files. After a crash, these are checked again."""


@click.command(cls=IvkCommand)
@click.argument("output", metavar="DIR", type=UserPath(file_okay=False))
@board_option("Only images on this board: its name, its id, or 'none'.")
@time_options
@click.option("--starred", is_flag=True, help="Only starred images.")
@url_option
@output_options
def export(
    output: Path,
    board: str | None,
    since: str | None,
    until: str | None,
    starred: bool,
    url: str | None,
    as_json: bool,
) -> None:
    """Mirror images to a folder, with a metadata file next to each.

    Repeat the command to download new and missing images. Metadata files are updated if the record changed on the
    server (a star or a board, for example). Images deleted on the server are kept in the folder.
    When piped, prints the paths of the new images.

    \b
      ivk images export --board Portraits --since 2026-01-31 out/
    """
    with connect(url) as client:
        record = None if board is None else find_board(client, board)
        with waiting("Listing images", as_json):
            found = client.image_repo.list_images(
                board_id=record,
                since=since,
                until=until,
                starred=True if starred else None,
                order_dir="ASC",
            )
        wanted = [image for image in found if not is_exported(image, output)]
        fetched, renewed, failed = 0, 0, dict[str, InvokeAIClientError]()
        with counting_bar("Exporting", len(wanted), as_json) as advance:
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
                    elif is_new and not is_watched(sys.stdout):  # paths would break the progress bar
                        echo(path)
                if any(isinstance(error, ServerUnreachableError) for error in failed.values()):
                    break
        if failed:
            raise _failure(failed, len(found))
        counts = {"new": fetched, "renewed": renewed, "there": len(found) - len(wanted)}
        if as_json:
            emit({"event": "result", "ok": True, "images": len(found), **counts})
            return
        updated = f", {renewed} updated" if renewed else ""
        say(f"{counted(fetched, 'new image')}{updated}, {counts['there']} unchanged, in {output}.")
        hint("Repeat the command to export new images.")


def is_exported(image: IvkImage, folder: Path) -> bool:
    """Whether a folder has an image and its current record.

    The JSON file is written after the image. If it exists, the image is complete.
    """
    if not _picture(image, folder).is_file():
        return False
    data = read_record(_data_file(image, folder), {})
    return data is not None and metadata_record(data) == metadata_record(image.to_dict())


def metadata_record(data: dict[str, Any]) -> dict[str, Any]:
    """Return the record in a metadata file, without the metadata. Its changes decide about an update."""
    return {key: value for key, value in data.items() if key != "metadata"}


def _fetch(
    client: InvokeAIClient,
    portion: Sequence[IvkImage],
    folder: Path,
    failed: dict[str, InvokeAIClientError],
    advance: Advance,
) -> list[IvkImage]:
    """Download images and write their metadata files. Return the images for which both succeeded."""
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
            metadata = image.metadata or None  # loads that of several images at once
        except InvokeAIClientError as error:
            lost[image.image_name] = error
            continue
        _write(_data_file(image, folder), {**image.to_dict(), "metadata": metadata})
        done.append(image)
    # An image that was deleted on the server since it was listed is not a failure.
    failed |= {name: error for name, error in lost.items() if not isinstance(error, NotFoundError)}
    return done


def _failure(failed: dict[str, InvokeAIClientError], total: int) -> TransferError:
    lines = first_lines([f"{name}: {error}" for name, error in failed.items()], 5)
    sentence = f"{len(failed)} of {total} images could not be exported. Repeat the command to try again:"
    return TransferError("\n  ".join([sentence, *lines]), failed=failed)


def _picture(image: IvkImage, folder: Path) -> Path:
    """Return the path of an exported image, which is in the folder whatever the server calls the image."""
    from invokeai_py_client.files.names import paths_for

    return paths_for([image.image_name], {}, folder, "{image}", ".png")[image.image_name]


def _data_file(image: IvkImage, folder: Path) -> Path:
    return _picture(image, folder).with_suffix(".json")


def _write(path: Path, data: dict[str, Any]) -> None:
    """Write a JSON file atomically."""
    try:
        write_draft(path, json.dumps(data, ensure_ascii=False, indent=2).encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise UsageError(f"Cannot write {path}: {error.strerror}.") from None
