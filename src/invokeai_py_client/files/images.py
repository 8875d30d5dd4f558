"""Image files: finding, reading, hashing and decoding them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from invokeai_py_client._paths import exists, is_folder, user_path
from invokeai_py_client.errors import APIRequestError, UsageError
from invokeai_py_client.files.formats import VIDEO
from invokeai_py_client.ivk_fields.pending import LocalImage

if TYPE_CHECKING:
    from PIL.Image import Image as PILImage

_PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"})
_VIDEOS = frozenset({VIDEO})
_GLOB = frozenset("*?[")


def files_at(place: str | os.PathLike[str], kind: Literal["image", "video"] = "image") -> list[Path] | None:
    """Return the images or videos in a folder, or the files that match a pattern, sorted. None for the path of a file.

    Raises:
        UsageError: The folder contains none, or no file matches the pattern.
    """
    path = user_path(place)
    suffixes = _PICTURES if kind == "image" else _VIDEOS
    if is_folder(path):
        try:
            found = sorted(one for one in path.iterdir() if one.suffix.lower() in suffixes)
        except OSError as error:
            raise UsageError(f"Cannot list the folder {path}: {error.strerror or error}.") from None
        if not found:
            raise UsageError(
                f"The folder {path} contains no {kind}s: expected {', '.join(sorted(suffixes))}."
            )
        return found
    if _GLOB & set(str(place)) and not exists(path):
        base = Path(path.anchor) if path.is_absolute() else Path()
        try:
            found = sorted(base.glob(str(path.relative_to(base))))
        except (OSError, ValueError) as error:
            raise UsageError(f"Invalid pattern {str(place)!r}: {error}.") from None
        if not found:
            raise UsageError(f"No file matches the pattern {str(place)!r}.")
        return found
    return None


def read_local(image: LocalImage) -> bytes:
    """Return the content of a local image.

    Raises:
        UsageError: The file cannot be read.
    """
    if not image.path:
        return image.data
    try:
        return user_path(image.path).read_bytes()
    except OSError as error:
        raise UsageError(f"Cannot read the image {image.path}: {error.strerror or error}.") from None


def digest(data: bytes) -> str:
    """Return the SHA-256 hash of data, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def decode(data: bytes, name: str) -> PILImage:
    """Decode an image with Pillow. Requires the extra ``invokeai-py-client[image]``.

    Raises:
        APIRequestError: Pillow cannot read the image, or the image has too many pixels.
    """
    from io import BytesIO

    from PIL import Image, UnidentifiedImageError

    try:
        image = Image.open(BytesIO(data))
        image.load()
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise APIRequestError(None, None, f"Pillow cannot read the image {name}: {error}.") from error
    return image
