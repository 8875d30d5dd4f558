"""Images that are still on this machine: read, told apart by their content."""

from __future__ import annotations

import hashlib
from pathlib import Path

from invokeai_py_client.errors import UsageError
from invokeai_py_client.ivk_fields.pending import LocalImage


def read_local(image: LocalImage) -> bytes:
    """The bytes of a local image.

    Raises:
        UsageError: Its file cannot be read.
    """
    if not image.path:
        return image.data
    try:
        return Path(image.path).read_bytes()
    except OSError as error:
        raise UsageError(f"The image {image.path} cannot be read: {error.strerror or error}.") from None


def digest(data: bytes) -> str:
    """What tells one content from another."""
    return hashlib.sha256(data).hexdigest()
