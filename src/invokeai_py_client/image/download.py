"""Downloads of images to files, several at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from invokeai_py_client.errors import NotFoundError
from invokeai_py_client.files.convert import check_target
from invokeai_py_client.files.download import fetch_to_disk
from invokeai_py_client.image.transfer import AT_ONCE, TransferProgress, transfer_all
from invokeai_py_client.transport.payload import route

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.image.responses import ImageName


def file_path(image_name: ImageName, full_resolution: bool) -> str:
    """Return the server path of an image's file, or of its thumbnail."""
    kind = "full" if full_resolution else "thumbnail"
    return f"{route('/api/v1/images/i/{image}', image=image_name)}/{kind}"


async def download_files(
    connection: Connection,
    wanted: Sequence[tuple[str, Path]],
    *,
    there: Mapping[str, Path] | None = None,
    full_resolution: bool = True,
    concurrency: int = AT_ONCE,
    on_progress: Callable[[TransferProgress], object] | None = None,
) -> None:
    """Download images to files, several at a time. Images in ``there`` count as done.

    Raises:
        UsageError: An image cannot be converted to the format of its file. Nothing was downloaded.
        TransferError: Some downloads failed. The files of the others are complete.
    """
    source = "PNG" if full_resolution else "WEBP"
    for _, target in wanted:
        check_target(target, source)

    async def fetch(job: tuple[str, Path]) -> tuple[Path, int]:
        name, target = job
        try:
            return target, await fetch_to_disk(connection, file_path(name, full_resolution), target)
        except NotFoundError as error:
            error.args = ("It is not on the server.",)  # the message names the image
            raise

    await transfer_all(
        [(name, (name, target)) for name, target in wanted],
        fetch,
        what="downloaded",
        there=there,
        concurrency=concurrency,
        on_progress=on_progress,
    )
