"""File formats of downloads: detecting truncated files."""

from __future__ import annotations

import os
from pathlib import Path

_PNG_HEAD = b"\x89PNG\r\n\x1a\n"
_PNG_TAIL = b"\0\0\0\0IEND\xaeB`\x82"
_ZIP_HEADS = (b"PK\x03\x04", b"PK\x05\x06")
_ZIP_TAIL = b"PK\x05\x06"
_EDGE = 22
"""The number of bytes to examine at each end: the length of the end record of a ZIP file."""


class Edges:
    """The first and last bytes of a file that arrives in chunks.

    Attributes:
        size: The number of bytes so far.
        head: The first 22 bytes.
        tail: The last 22 bytes.
    """

    def __init__(self) -> None:
        self.size = 0
        self.head = self.tail = b""

    def add(self, data: bytes) -> None:
        """Add the next chunk."""
        self.size += len(data)
        if len(self.head) < _EDGE:
            self.head = (self.head + data)[:_EDGE]
        self.tail = data[-_EDGE:] if len(data) >= _EDGE else (self.tail + data)[-_EDGE:]

    @property
    def truncated(self) -> bool:
        """Whether the file is empty, or lacks the ending that its format requires."""
        return not self.size or has_end(self.head, self.tail, self.size) is False


def is_whole(path: Path) -> bool:
    """Whether a file is a complete PNG, WEBP or ZIP file."""
    try:
        with path.open("rb") as file:
            head = file.read(_EDGE)
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _EDGE))
            return has_end(head, file.read(), size) is True
    except OSError:
        return False


def is_truncated(data: bytes) -> bool:
    """Whether the data of a file is empty, or lacks the ending that its format requires."""
    edges = Edges()
    edges.add(data)
    return edges.truncated


def has_end(head: bytes, tail: bytes, size: int) -> bool | None:
    """Whether a file ends as its format requires, or None if the format is unknown.

    Args:
        head: The first 22 bytes of the file.
        tail: The last 22 bytes of the file.
        size: The size of the file in bytes.
    """
    if head.startswith(_PNG_HEAD):
        return tail.endswith(_PNG_TAIL)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        length = int.from_bytes(head[4:8], "little") + 8
        return size == length + length % 2 or size == length
    if head[:4] in _ZIP_HEADS:
        return tail[-_EDGE:].startswith(_ZIP_TAIL)  # the end of a ZIP file without a comment
    return None
