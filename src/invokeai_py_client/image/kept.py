"""Images and videos of a server that this machine has already, because a pool brought them along."""

from __future__ import annotations

import asyncio
import struct
from pathlib import Path
from typing import TYPE_CHECKING

from invokeai_py_client.files.atomic import write_atomically
from invokeai_py_client.files.convert import convert

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection

_PNG_START = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"


class KeptFiles:
    """The files of a server that are on this machine: ``connection.part(KeptFiles)``.

    Servers of a pool come and go, and so may the images on them. Their names are unique.
    """

    def __init__(self, connection: Connection) -> None:
        del connection  # the names are unique, so only the folders count
        self._folders: list[Path] = []

    def add(self, folder: Path) -> None:
        """Look for files in a folder, where they have the names that they have on the server."""
        if folder not in self._folders:
            # Temporary folders are deleted with their sweeps. A new folder may not exist yet.
            self._folders = [*filter(Path.is_dir, self._folders), folder]

    def find(self, name: str) -> Path | None:
        """Return the file of an image or a video, or None if it is not here."""
        if not is_file_name(name):
            return None
        for folder in self._folders:
            path = folder / name
            if path.is_file():
                return path
        return None

    def size(self, name: str) -> tuple[int, int] | None:
        """Return the width and the height of an image that is here, in pixels."""
        path = self.find(name)
        if path is None:
            return None
        with path.open("rb") as file:
            head = file.read(24)
        if not head.startswith(_PNG_START) or len(head) < 24:
            return None
        width, height = struct.unpack(">II", head[16:])
        return width, height

    async def read(self, name: str) -> bytes | None:
        """Return the content of a file, or None if it is not here."""
        path = self.find(name)
        return None if path is None else await asyncio.to_thread(path.read_bytes)

    async def copy(self, name: str, target: Path) -> int | None:
        """Copy a file, converted to the format that the extension of the target promises.

        Returns:
            Its size in bytes, or None if it is not here.

        Raises:
            UsageError: The file cannot be written or converted.
        """
        data = await self.read(name)
        if data is None:
            return None
        await asyncio.to_thread(lambda: write_atomically(target, convert(data, target)))
        return len(data)


def is_file_name(name: str) -> bool:
    """Return whether a name that a server sent is that of a file in a folder, and does not lead elsewhere."""
    return Path(name).name == name and name != ".."
