"""Writing downloaded files: where to, and whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def target_path(path: str | os.PathLike[str], name: str) -> Path:
    """The file to write for an image: ``path`` itself, or ``name`` in the folder that ``path`` is.

    The name comes from a server, so only its last part is taken: it cannot lead out of the folder.
    """
    text = os.fspath(path)
    target = Path(text)
    if target.is_dir() or text.endswith(("/", os.sep)):
        return target / safe_name(name)
    return target


def safe_name(name: str) -> str:
    """A file name that stays in its folder."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1].replace("\0", "")
    return last if last not in ("", ".", "..") else "image"


class AtomicFile:
    """A file that appears under its name only when it is whole."""

    def __init__(self, target: Path) -> None:
        """Open a temporary file beside the target; its folder is made where missing."""
        target.parent.mkdir(parents=True, exist_ok=True)
        self._target = target
        self._temporary = target.with_name(f".{secrets.token_hex(8)}.part")
        self._file = self._temporary.open("xb")

    def write(self, data: bytes) -> None:
        """Add to it."""
        self._file.write(data)

    def keep(self) -> None:
        """Close it and give it its name."""
        self._file.close()
        self._temporary.replace(self._target)

    def discard(self) -> None:
        """Remove it, unless it was kept."""
        self._file.close()
        self._temporary.unlink(missing_ok=True)


def write_atomically(target: Path, data: bytes) -> None:
    """Write a file so that it is never seen half-written."""
    file = AtomicFile(target)
    try:
        file.write(data)
        file.keep()
    finally:
        file.discard()
