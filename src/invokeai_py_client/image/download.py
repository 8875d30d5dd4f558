"""Downloads of images and videos to files, several at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from invokeai_py_client.api.videos import AsyncVideosApi
from invokeai_py_client.errors import NotFoundError
from invokeai_py_client.files.convert import check_target
from invokeai_py_client.files.download import fetch_to_disk
from invokeai_py_client.files.formats import is_whole
from invokeai_py_client.files.names import needs_records, paths_for, target_path
from invokeai_py_client.image.kept import KeptFiles
from invokeai_py_client.image.responses import (
    ImageNames,
    Kind,
    VideoNames,
    file_list,
    file_path,
    name_list,
    name_of,
)
from invokeai_py_client.image.transfer import AT_ONCE, TransferProgress, transfer_all
from invokeai_py_client.models.media import MediaRecord
from invokeai_py_client.transport.payload import ROUTE_MISSING

if TYPE_CHECKING:
    import os

    from invokeai_py_client.connection import Connection


@dataclass(frozen=True, slots=True)
class WantedFile:
    """A file to download.

    Attributes:
        name: The name of the image or video.
        target: The file to write.
        kind: What it is. Defaults to ``"image"``.
        full_resolution: Whether to download the image or video itself rather than its thumbnail. Defaults to True.
        source: The server that has it. Defaults to the one that the others come from.
    """

    name: str
    target: Path
    kind: Kind = "image"
    full_resolution: bool = True
    source: Connection | None = None

    @property
    def path(self) -> str:
        """The path of the file on the server."""
        return file_path(self.kind, self.name, "full" if self.full_resolution else "thumbnail")

    def check(self) -> None:
        """Check that the file can be written in the format that its extension promises.

        Raises:
            UsageError: The format is not supported.
        """
        stored = "PNG" if self.kind == "image" else "MP4"
        check_target(self.target, stored if self.full_resolution else "WEBP")

    async def fetch(self, connection: Connection) -> int:
        """Download the file, unless this machine has it, and return its size in bytes."""
        if self.full_resolution:
            kept = await connection.part(KeptFiles).copy(self.name, self.target)
            if kept is not None:
                return kept
        try:
            return await fetch_to_disk(connection, self.path, self.target)
        except ROUTE_MISSING:
            if self.kind == "video":  # raises an error that says which version of InvokeAI has videos
                await connection.part(AsyncVideosApi).get_video_dto(self.name)
            raise


async def download_files(
    connection: Connection,
    wanted: Sequence[WantedFile],
    *,
    there: Mapping[str, Path] | None = None,
    concurrency: int = AT_ONCE,
    on_progress: Callable[[TransferProgress], object] | None = None,
) -> None:
    """Download images and videos to files, several at a time. Those in ``there`` count as done.

    Raises:
        UsageError: One cannot be converted to the format of its file. Nothing was downloaded.
        TransferError: Some downloads failed. The files of the others are complete.
    """
    for one in wanted:
        one.check()

    async def fetch(one: WantedFile) -> tuple[Path, int]:
        try:
            return one.target, await one.fetch(one.source or connection)
        except NotFoundError as error:
            error.args = ("It is not on the server.",)  # the message names the image or video
            raise

    kinds = {one.kind for one in wanted}
    await transfer_all(
        [(one.name, one) for one in wanted],
        fetch,
        what="downloaded",
        kind=kinds.pop() if len(kinds) == 1 else "file",
        there=there,
        concurrency=concurrency,
        on_progress=on_progress,
    )


async def download_file(
    connection: Connection,
    name: str,
    path: str | os.PathLike[str],
    kind: Kind = "image",
    *,
    full_resolution: bool = True,
) -> Path:
    """Download an image or a video, or its thumbnail, to a file or into a folder. Return the path of the file.

    Raises:
        NotFoundError: It is not on the server.
        UsageError: The file cannot be written, or not in the format of its extension.
    """
    target = target_path(path, name if full_resolution else f"{name}.thumbnail.webp")
    wanted = WantedFile(name, target, kind, full_resolution)
    wanted.check()
    await wanted.fetch(connection)
    return target


async def download_all(
    connection: Connection,
    files: ImageNames | VideoNames,
    fetch: Callable[[list[str]], Awaitable[Sequence[MediaRecord]]],
    folder: str | os.PathLike[str],
    template: str,
    kind: Kind = "image",
    *,
    full_resolution: bool,
    overwrite: bool,
    concurrency: int,
    on_progress: Callable[[TransferProgress], object] | None,
) -> list[Path]:
    """Download images or videos into a folder. Existing files are kept if they are complete and named after them.

    Args:
        connection: The server.
        files: The images or videos.
        fetch: Fetches the records that the template needs, by name.
        folder: The folder.
        template: The template for the names of the files.
        kind: What they are. Defaults to ``"image"``.
        full_resolution: Whether to download them rather than their thumbnails.
        overwrite: Whether to download existing files again.
        concurrency: The largest number of downloads at a time.
        on_progress: Called with the progress after each file.

    Returns:
        The files' paths, in the order of the images or videos.

    Raises:
        UsageError: The template contains an unknown field, or its format is not supported.
        TransferError: Some downloads failed. ``failed`` has their errors, ``done`` the paths of the others.
    """
    given = file_list(files, kind)
    names = name_list(given, kind)
    for name in names:
        file_path(kind, name, "full")
    records = {name_of(one, kind): one for one in given if isinstance(one, MediaRecord)}
    unknown = [name for name in names if name not in records] if needs_records(template) else []
    if unknown:
        records |= {name_of(record, kind): record for record in await fetch(unknown)}
    suffix = ".webp" if not full_resolution else ".png" if kind == "image" else ".mp4"
    paths = paths_for(names, records, folder, template, suffix, kind)
    kept: set[str] = set()
    if f"{{{kind}" in template and not overwrite:
        kept = await asyncio.to_thread(lambda: {name for name in names if is_whole(paths[name])})
    await download_files(
        connection,
        [WantedFile(name, paths[name], kind, full_resolution) for name in names if name not in kept],
        there={name: paths[name] for name in names if name in kept},
        concurrency=concurrency,
        on_progress=on_progress,
    )
    return [paths[name_of(one, kind)] for one in given]
