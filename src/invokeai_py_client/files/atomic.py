"""Writing downloaded files: where to, and whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from invokeai_py_client.errors import UsageError

_PNG_HEAD = b"\x89PNG\r\n\x1a\n"
_PNG_TAIL = b"\0\0\0\0IEND\xaeB`\x82"
_ZIP_HEADS = (b"PK\x03\x04", b"PK\x05\x06")
_ZIP_TAIL = b"PK\x05\x06"
_EDGE = 22
"""How many bytes at each end are looked at: as many as the end of a zip has."""


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


def is_whole(path: Path) -> bool:
    """Whether a file is a PNG or WEBP with a beginning and an end."""
    try:
        with path.open("rb") as file:
            head = file.read(_EDGE)
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _EDGE))
            return has_end(head, file.read(), size) is True
    except OSError:
        return False


def has_end(head: bytes, tail: bytes, size: int) -> bool | None:
    """Whether a file's last bytes are those that its format ends with; None for formats that are not known here.

    Args:
        head: Its first 22 bytes.
        tail: Its last 22 bytes.
        size: How many bytes it has.
    """
    if head.startswith(_PNG_HEAD):
        return tail.endswith(_PNG_TAIL)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        length = int.from_bytes(head[4:8], "little") + 8
        return size == length + length % 2 or size == length
    if head[:4] in _ZIP_HEADS:
        return tail[-_EDGE:].startswith(_ZIP_TAIL)  # as those who write no comment end it
    return None


class AtomicFile:
    """A file that appears under its name only when it is whole.

    Attributes:
        size: How many bytes were written.
        head: The first 22 of them.
        tail: The last 22.
    """

    def __init__(self, target: Path) -> None:
        """Open a temporary file beside the target; its folder is made where missing.

        Raises:
            UsageError: Nothing can be written there.
        """
        self._target = target
        self._temporary = target.with_name(f".{secrets.token_hex(8)}.part")
        self._kept = False
        self.size = 0
        self.head = self.tail = b""
        with self._our_errors():
            try:
                self._file = self._temporary.open("xb")
            except FileNotFoundError:
                target.parent.mkdir(parents=True, exist_ok=True)
                self._file = self._temporary.open("xb")

    def write(self, data: bytes) -> None:
        """Add to it.

        Raises:
            UsageError: The disk is full, or broken.
        """
        with self._our_errors():
            self._file.write(data)
        self.size += len(data)
        if len(self.head) < _EDGE:
            self.head = (self.head + data)[:_EDGE]
        self.tail = data[-_EDGE:] if len(data) >= _EDGE else (self.tail + data)[-_EDGE:]

    def keep(self) -> None:
        """Close it and give it its name.

        Raises:
            UsageError: The disk is full, or a folder has that name.
        """
        with self._our_errors():
            self._file.close()
            self._temporary.replace(self._target)
        self._kept = True

    def discard(self) -> None:
        """Remove it, unless it was kept."""
        if self._kept:
            return
        with self._our_errors():
            try:
                self._file.close()
            finally:
                self._temporary.unlink(missing_ok=True)

    @contextmanager
    def _our_errors(self) -> Generator[None]:
        try:
            yield
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UsageError(f"The file {str(self._target)!r} cannot be written: {reason}.") from None


def write_atomically(target: Path, data: bytes) -> None:
    """Write a file so that it is never seen half-written.

    Raises:
        UsageError: It cannot be written.
    """
    file = AtomicFile(target)
    try:
        file.write(data)
        file.keep()
    finally:
        file.discard()
