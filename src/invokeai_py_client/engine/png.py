"""Workflows embedded in images.

InvokeAI stores them in PNG images, as text with the keyword ``invokeai_workflow``. In JPEG, WEBP and AVIF images, this
client stores them as JSON in the EXIF tag UserComment when it converts a PNG image.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from typing import Any

from invokeai_py_client.errors import WorkflowFormatError

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
KEYWORD = b"invokeai_workflow"
_ASCII = b"ASCII\0\0\0"
_COMMENT = _ASCII + b'{"invokeai_'
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


def _from_comment(content: bytes) -> str | None:
    """Return the workflow in the comment of a JPEG, WEBP or AVIF image, or None if there is no such comment."""
    start = content.find(_COMMENT)
    if start < 0:
        return None
    text = content[start + len(_ASCII) : start + MAX_TEXT].decode("latin-1")
    found: dict[str, Any] = json.JSONDecoder().raw_decode(text)[0]
    workflow = found.get(KEYWORD.decode())
    return None if workflow is None else workflow if isinstance(workflow, str) else json.dumps(workflow)


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


def is_image(content: bytes) -> bool:
    """Whether data is a PNG, JPEG, WEBP or AVIF image."""
    return content.startswith((PNG_SIGNATURE, b"\xff\xd8\xff")) or (
        (content[:4] == b"RIFF" and content[8:12] == b"WEBP") or content[4:12] in (b"ftypavif", b"ftypavis")
    )


def embedded_workflow(content: bytes, source: str = "") -> str:
    """Return the JSON text of the workflow embedded in an image.

    Raises:
        WorkflowFormatError: The content is not a PNG, JPEG, WEBP or AVIF image, or the image has no embedded workflow.
    """
    where = f"image {source!r}" if source else "image"
    if not is_image(content):
        raise WorkflowFormatError(f"The {where} is not a PNG, JPEG, WEBP or AVIF image.")
    try:
        is_png = content.startswith(PNG_SIGNATURE)
        texts = (_text(kind, data) for kind, data in _chunks(content)) if is_png else [_from_comment(content)]
        found = next((text for text in texts if text is not None), None)
        if found is not None:
            return found
    except (ValueError, RecursionError, zlib.error) as error:
        raise WorkflowFormatError(f"Cannot read the workflow embedded in the {where}: {error}.") from error
    raise WorkflowFormatError(
        f"The {where} has no embedded workflow. InvokeAI embeds workflows in images made in its workflow"
        " editor, but not in images from its other tabs. Saving an image in another program can remove it."
    )
