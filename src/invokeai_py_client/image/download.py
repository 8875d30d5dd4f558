"""Downloads to files: streamed, so that memory stays flat, and each file whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from invokeai_py_client.errors import APIRequestError, ConnectionLostError
from invokeai_py_client.files.atomic import AtomicFile
from invokeai_py_client.files.formats import Edges
from invokeai_py_client.image.transfer import AT_ONCE, TransferProgress, transfer_all
from invokeai_py_client.transport.payload import path_part
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

    async def fetch(job: tuple[str, Path]) -> tuple[Path, int]:
        name, target = job
        return target, await fetch_to_disk(connection, file_path(name, full_resolution), target)

    await transfer_all(
        [(name, (name, target)) for name, target in wanted],
        fetch,
        what="downloaded",
        there=there,
        concurrency=concurrency,
        on_progress=on_progress,
    )


async def fetch_to_disk(connection: Connection, path: str, target: Path, *, once: bool = False) -> int:
    """Download a file from a server to a file on this machine: every download that ends on disk is this one.

    The data is written as it arrives, so no more than a chunk of it is in memory. The file appears under its name when
    it is complete; a truncated download is not kept. One that fails is repeated from its beginning, as often as other
    requests are.

    Args:
        connection: The server.
        path: The path of the file on the server.
        target: The file to write. Missing folders are created.
        once: Whether the server sends the file only once, so that repeating the request is useless. Defaults to
            False.

    Returns:
        The size of the file in bytes.

    Raises:
        APIRequestError: The server refused or failed, could not be reached, or sent only a part of the file.
        UsageError: The file cannot be written.
    """
    retries = Retries(0 if once else connection.settings.max_retries)
    # As any other read: a connection that the server had closed shows only when it is used again.
    maybe_stale = not once
    while True:
        try:
            return await _fetch(connection.http, path, target)
        except APIRequestError as error:
            if maybe_stale and isinstance(error, ConnectionLostError):
                maybe_stale = False
                continue
            if not await retries.pause_after(error):
                raise


async def _fetch(http: HttpTransport, path: str, target: Path) -> int:
    edges = Edges()
    # The file is written in the event loop: a thread for each step takes longer than the steps (half a millisecond a
    # file).
    async with http.stream(path, headers=_AS_IT_IS) as chunks:
        with AtomicFile(target) as file:
            async for chunk in chunks:
                file.write(chunk)
                edges.add(chunk)
            # The HTTP library checks the length that a server promised. Some proxies promise none.
            if edges.truncated:
                raise ConnectionLostError(
                    None,
                    None,
                    f"Only a part of {path} came from {http.url}: {edges.size} bytes that have no end.",
                    method="GET",
                    path=path,
                )
            file.keep()
    return edges.size
