"""Downloading to files: in pieces, so that memory stays flat, and each file whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from invokeai_py_client.errors import APIRequestError, ConnectionLostError
from invokeai_py_client.files.atomic import AtomicFile, has_end
from invokeai_py_client.image.transfers import AT_ONCE, TransferProgress, transfer_all
from invokeai_py_client.routes import path_part
from invokeai_py_client.transport.retry import Retries

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.transport.http import HttpTransport

# Pictures are compressed already; servers before 6.14 would compress them once more, and then not tell their length.
_AS_IT_IS = {"Accept-Encoding": "identity"}


def file_path(image_name: str, full_resolution: bool) -> str:
    """The path of an image's file on the server, or of its thumbnail's."""
    kind = "full" if full_resolution else "thumbnail"
    return f"/api/v1/images/i/{path_part(image_name, 'an image')}/{kind}"


async def download_files(
    connection: Connection,
    wanted: Sequence[tuple[str, Path]],
    *,
    there: Mapping[str, Path] | None = None,
    full_resolution: bool = True,
    concurrency: int = AT_ONCE,
    on_progress: Callable[[TransferProgress], object] | None = None,
) -> None:
    """Fetch images, each into its file, several at once; those that are ``there`` count as done.

    Raises:
        TransferError: Not all could be fetched; what could is there.
    """
    http = connection.http
    retries = connection.settings.max_retries

    async def fetch(job: tuple[str, Path]) -> tuple[Path, int]:
        name, target = job
        path = file_path(name, full_resolution)
        return target, await download_to_file(http, path, target, max_retries=retries)

    await transfer_all(
        [(name, (name, target)) for name, target in wanted],
        fetch,
        what="downloaded",
        there=there,
        concurrency=concurrency,
        on_progress=on_progress,
    )


async def download_to_file(http: HttpTransport, path: str, target: Path, *, max_retries: int) -> int:
    """Fetch a server's path into a file. A broken download starts anew, as often as requests are repeated.

    Returns:
        How many bytes the file has.

    Raises:
        APIRequestError: The server refused or failed, could not be reached, or sent a part only.
        UsageError: The file cannot be written.
    """
    retries = Retries(max_retries)
    while True:
        try:
            return await fetch_once(http, path, target)
        except APIRequestError as error:
            if not await retries.pause_after(error):
                raise


async def fetch_once(http: HttpTransport, path: str, target: Path) -> int:
    """Fetch a server's path into a file, trying once.

    Returns:
        How many bytes the file has.

    Raises:
        APIRequestError: The server refused or failed, could not be reached, or sent a part only.
        UsageError: The file cannot be written.
    """
    async with http.stream(path, headers=_AS_IT_IS) as chunks:
        # In the event loop: a thread for each step takes longer than the steps (half a millisecond a file).
        file = AtomicFile(target)
        try:
            async for chunk in chunks:
                file.write(chunk)
            # A server's promised length is kept by the HTTP library. Some proxies promise none.
            if not file.size or has_end(file.head, file.tail, file.size) is False:
                raise ConnectionLostError(
                    None,
                    None,
                    f"Only a part of {path} came from {http.url}: {file.size} bytes that have no end.",
                    method="GET",
                    path=path,
                )
            file.keep()
        finally:
            file.discard()
    return file.size
