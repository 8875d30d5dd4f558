"""Downloads to files. Data is streamed, so memory use stays constant, and only complete files are kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from invokeai_py_client.errors import APIRequestError, ConnectionLostError, NotFoundError
from invokeai_py_client.files.atomic import AtomicFile, write_atomically
from invokeai_py_client.files.convert import check_target, convert
from invokeai_py_client.files.formats import Edges, needs_conversion
from invokeai_py_client.image.transfer import AT_ONCE, TransferProgress, transfer_all
from invokeai_py_client.transport.payload import route
from invokeai_py_client.transport.retry import Retries, patient

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.image.responses import ImageName
    from invokeai_py_client.transport.http import HttpTransport

# Images are already compressed. Servers before 6.14 would compress them again and omit the Content-Length header.
_UNCOMPRESSED = {"Accept-Encoding": "identity"}


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


@patient
async def fetch_to_disk(connection: Connection, path: str, target: Path, *, once: bool = False) -> int:
    """Download a file from the server to this machine. Every download to disk goes through this function.

    The data is written as it arrives, so at most one chunk is in memory. The file appears under its name when it is
    complete. A truncated download is not kept. A failed download starts again from the beginning, as many times as
    other requests are retried. While the server is down, it is repeated as long as waits tolerate that. An image is
    converted if the file's extension promises another format.

    Args:
        connection: The server.
        path: Path of the file on the server.
        target: File to write. Missing folders are created.
        once: Whether the server sends the file only once, so that a retry is useless. Defaults to False.

    Returns:
        The size of the file in bytes.

    Raises:
        APIRequestError: The server rejected the request or failed, could not be reached, or sent only part of the
            file.
        UsageError: The file cannot be written, or the image cannot be converted to its format.
    """
    retries = Retries(0) if once else connection.http.retries()
    # As for any other read: a connection that the server has closed is only noticed when it is used again.
    maybe_stale = not once
    while True:
        try:
            return await _fetch(connection.http, path, target, retries)
        except APIRequestError as error:
            if maybe_stale and isinstance(error, ConnectionLostError):
                maybe_stale = False
                continue
            if not await retries.pause_after(error):
                raise


async def _fetch(http: HttpTransport, path: str, target: Path, retries: Retries) -> int:
    edges = Edges()
    # The file is written in the event loop, because a thread for each step takes longer than the step itself (half a
    # millisecond per file).
    async with http.stream(path, headers=_UNCOMPRESSED) as chunks:
        retries.responded()
        with AtomicFile(target) as file:
            async for chunk in chunks:
                file.write(chunk)
                edges.add(chunk)
            # The HTTP library checks the Content-Length header. Some proxies do not send it.
            if edges.truncated:
                raise ConnectionLostError(
                    None,
                    None,
                    f"The download of {path} from {http.url} is incomplete: the file ends after {edges.size} bytes.",
                    method="GET",
                    path=path,
                )
            if not needs_conversion(edges.head, target):
                file.keep()
                return edges.size
            data = file.content()
    await asyncio.to_thread(lambda: write_atomically(target, convert(data, target)))
    return edges.size
