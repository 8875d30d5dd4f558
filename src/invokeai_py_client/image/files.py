"""Writing downloaded files: where to, and whole or not at all."""

from __future__ import annotations

import os
import tempfile
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


def write_atomically(target: Path, data: bytes) -> None:
    """Write a file so that it is never seen half-written."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        mask = os.umask(0)
        os.umask(mask)
        Path(temporary).chmod(0o666 & ~mask)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
