"""The workflow inside a PNG image: InvokeAI stores it as text under ``invokeai_workflow``."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from invokeai_py_client.errors import WorkflowFormatError

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
KEYWORD = b"invokeai_workflow"
MAX_TEXT = 64 * 1024 * 1024
"""The most that a compressed text may unpack to: a few kilobytes can hold gigabytes of zeros."""


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
    """The text of a chunk if it is the one with the workflow."""
    keyword, _, rest = data.partition(b"\0")
    if keyword != KEYWORD:
        return None
    if kind == b"tEXt":
        # PNG says Latin-1; writers that put UTF-8 here all the same are the rule rather than the exception.
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
    """The JSON text of the workflow embedded in an image.

    Raises:
        WorkflowFormatError: It is not a PNG image, or it carries no workflow.
    """
    where = f"the image {source!r}" if source else "the image"
    if not content.startswith(PNG_SIGNATURE):
        raise WorkflowFormatError(
            f"{where} is not a PNG image: only PNG images of InvokeAI carry their workflow"
        )
    try:
        for kind, data in _chunks(content):
            text = _text(kind, data)
            if text is not None:
                return text
    except (ValueError, zlib.error) as error:
        raise WorkflowFormatError(f"the workflow embedded in {where} cannot be read: {error}") from error
    raise WorkflowFormatError(
        f"{where} carries no workflow. InvokeAI embeds one in what its workflow editor makes, not in what its"
        " other tabs make or in images saved by other programs"
    )
