"""Workflows embedded in PNG images. InvokeAI stores them as text with the keyword ``invokeai_workflow``."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from invokeai_py_client.errors import WorkflowFormatError

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
KEYWORD = b"invokeai_workflow"
MAX_TEXT = 64 * 1024 * 1024
"""The limit on decompressed text in bytes. A few kilobytes can decompress to gigabytes of zeros."""


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = len(PNG_SIGNATURE)
    while position + 12 <= len(content):
        length: int
        kind: bytes
        length, kind = struct.unpack_from(">I4s", content, position)
        start = position + 8
        if start + length > len(content):
            return
        yield kind, content[start : start + length]
        position = start + length + 4


def _inflate(data: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    text = unpacker.decompress(data, MAX_TEXT)
    if unpacker.unconsumed_tail:
        raise ValueError(f"more than {MAX_TEXT} bytes of text")
    return text


def _text(kind: bytes, data: bytes) -> str | None:
    """Return the text of a chunk if the chunk contains the workflow, else None."""
    keyword, _, rest = data.partition(b"\0")
    if keyword != KEYWORD:
        return None
    if kind == b"tEXt":
        # The PNG standard says Latin-1, but most programs write UTF-8.
        try:
            return rest.decode("utf-8")
        except UnicodeDecodeError:
            return rest.decode("latin-1")
    if kind == b"zTXt":
        return _inflate(rest[1:]).decode("latin-1")
    if kind == b"iTXt":
        compressed = rest[:1] == b"\1"
        _, _, rest = rest[2:].partition(b"\0")  # language
        _, _, rest = rest.partition(b"\0")  # translated keyword
        return (_inflate(rest) if compressed else rest).decode("utf-8")
    return None


def embedded_workflow(content: bytes, source: str = "") -> str:
    """Return the JSON text of the workflow embedded in an image.

    Raises:
        WorkflowFormatError: The content is not a PNG image, or the image has no embedded workflow.
    """
    where = f"image {source!r}" if source else "image"
    if not content.startswith(PNG_SIGNATURE):
        raise WorkflowFormatError(
            f"The {where} is not a PNG image. Only PNG images made by InvokeAI contain their workflow."
        )
    try:
        for kind, data in _chunks(content):
            text = _text(kind, data)
            if text is not None:
                return text
    except (ValueError, zlib.error) as error:
        raise WorkflowFormatError(f"Cannot read the workflow embedded in the {where}: {error}.") from error
    raise WorkflowFormatError(
        f"The {where} has no embedded workflow. InvokeAI embeds workflows in images made in its workflow"
        " editor, but not in images from its other tabs. Saving an image in another program can remove it."
    )
