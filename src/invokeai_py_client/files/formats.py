"""File formats: recognizing them by extension and content, and detecting truncated files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

_PNG_HEAD = b"\x89PNG\r\n\x1a\n"
# The formats that images are saved in, by extension, as Pillow names them.
FORMATS = {
    ".png": "PNG",
    ".apng": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jfif": "JPEG",
    ".webp": "WEBP",
    ".avif": "AVIF",
}
VIDEO = ".mp4"
"""The extension of videos, which servers store as MP4 files."""

OTHER_IMAGES = (
    *(".gif", ".bmp", ".tif", ".tiff", ".ico", ".tga", ".ppm", ".psd", ".heic", ".heif", ".jxl"),
    *(".jp2", ".jpx", ".exr", ".hdr", ".dds", ".svg", ".eps", ".pdf"),
    *(VIDEO, ".mov", ".mkv", ".webm", ".avi"),
)
_NO_IMAGES = (
    *(".zip", ".txt", ".md", ".json", ".jsonl", ".csv", ".tsv"),
    *(".html", ".htm", ".xml", ".yaml", ".yml", ".py"),
)
_JPEG_HEAD = b"\xff\xd8\xff"
_JPEG_TAIL = b"\xff\xd9"
_AVIF_HEADS = (b"ftypavif", b"ftypavis")
_PNG_TAIL = b"\0\0\0\0IEND\xaeB`\x82"
_ZIP_HEADS = (b"PK\x03\x04", b"PK\x05\x06")
_ZIP_TAIL = b"PK\x05\x06"
_EDGE = 22
"""The number of bytes to examine at each end: the length of the end record of a ZIP file."""


def format_of(path: Path) -> str | None:
    """Return the image format that the extension of a file promises, or None if it does not promise any."""
    return FORMATS.get(path.suffix.casefold())


def is_other_format(path: Path) -> bool:
    """Whether the extension of a file belongs to a format that images cannot be saved in.

    An unknown extension may be part of a name, such as ``.5`` in ``cfg 7.5``.
    """
    return path.suffix.casefold() in (*OTHER_IMAGES, *_NO_IMAGES)


def format_of_data(head: bytes) -> str | None:
    """Return the format of an image file from its first 12 bytes, or None if it is not PNG, JPEG, WEBP or AVIF."""
    if head.startswith(_PNG_HEAD):
        return "PNG"
    if head.startswith(_JPEG_HEAD):
        return "JPEG"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    return "AVIF" if head[4:12] in _AVIF_HEADS else None


def needs_conversion(head: bytes, path: Path) -> bool:
    """Whether an image has another format than the extension of its file promises.

    Args:
        head: The first 12 bytes of the image.
        path: The file.
    """
    source, target = format_of_data(head), format_of(path)
    return None not in (source, target) and source != target


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
    """Whether a file is a complete PNG, JPEG, WEBP, ZIP or MP4 file of the format that its extension promises.

    AVIF files have no end, so they count as complete.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_EDGE)
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _EDGE))
            tail = file.read()
            if path.suffix.casefold() == VIDEO:
                return _is_whole_mp4(file, size)
    except OSError:
        return False
    if needs_conversion(head, path):
        return False
    match format_of_data(head):
        case "JPEG":
            return tail.endswith(_JPEG_TAIL)
        case "AVIF":
            return True
        case _:
            return has_end(head, tail, size) is True


def _is_whole_mp4(file: BinaryIO, size: int) -> bool:
    """Whether an MP4 file ends where its last box ends. Each box begins with its length and its type."""
    place, kinds = 0, set[bytes]()
    while place < size:
        file.seek(place)
        head = file.read(16)
        length, kind = int.from_bytes(head[:4]), head[4:8]
        if length == 1:
            length = int.from_bytes(head[8:16])
        elif length == 0:  # up to the end of the file
            length = size - place
        if length < len(kind) + 4:
            return False
        kinds.add(kind)
        place += length
    return place == size and {b"ftyp", b"moov"} <= kinds


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
