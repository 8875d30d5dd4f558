"""The folder for the images and videos that the servers of a pool made."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from invokeai_py_client.files.atomic import write_atomically
from invokeai_py_client.image.kept import KeptFiles, is_file_name

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection


class KeptFolder:
    """A folder with the images and videos of a sweep, under the names that they have on their servers.

    A server of a pool may be gone when the images are needed, so they come with the results of the runs.

    Args:
        path: The folder. It is created with the first file. Defaults to a temporary folder, which is deleted with this
            object.
    """

    def __init__(self, path: Path | None = None) -> None:
        if path is None:
            path = Path(tempfile.mkdtemp(prefix="ivk-sweep-"))
            # A TemporaryDirectory would warn about each sweep without a manifest.
            weakref.finalize(self, shutil.rmtree, path, ignore_errors=True)
        self._path = path

    def use(self, connection: Connection) -> None:
        """Let the images and videos of a server be read from this folder if they are in it."""
        connection.part(KeptFiles).add(self._path)

    async def write(self, files: Mapping[str, bytes]) -> None:
        """Write files. A file is there only when it is complete.

        Raises:
            UsageError: A file cannot be written, for example because the disk is full.
        """
        if files:
            # Not a method: the thread keeps it for a moment, and with it the temporary folder.
            await asyncio.to_thread(_write, self._path, files)


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        if is_file_name(name):
            write_atomically(folder / name, data)
