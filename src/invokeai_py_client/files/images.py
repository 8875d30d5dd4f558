"""Images on this machine, and files that a server sent: found, read, told apart, decoded."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from invokeai_py_client.errors import APIRequestError, UsageError
from invokeai_py_client.ivk_fields.pending import LocalImage

if TYPE_CHECKING:
    from PIL.Image import Image as PILImage

_PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"})
_GLOB = frozenset("*?[")


def pictures_at(place: str | Path) -> list[Path] | None:
    """The image files of a folder, or those that match a pattern, sorted; None for the path of a file.

    Raises:
        UsageError: There are none.
    """
    path = Path(place)
    if path.is_dir():
        found = sorted(one for one in path.iterdir() if one.suffix.lower() in _PICTURES)
        if not found:
            raise UsageError(f"The folder {path} has no images ({', '.join(sorted(_PICTURES))}).")
        return found
    if _GLOB & set(str(place)) and not path.exists():
        base = Path(path.anchor) if path.is_absolute() else Path()
        found = sorted(base.glob(str(path.relative_to(base))))
        if not found:
            raise UsageError(f"No file matches {str(place)!r}.")
        return found
    return None


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


def decode(data: bytes, name: str) -> PILImage:
    """A loaded Pillow image. Needs the extra ``invokeai-py-client[image]``.

    Raises:
        APIRequestError: It is none that Pillow reads, or one of far too many pixels.
    """
    from io import BytesIO

    from PIL import Image, UnidentifiedImageError

    try:
        image = Image.open(BytesIO(data))
        image.load()
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise APIRequestError(None, None, f"Pillow cannot read the image {name}: {error}.") from error
    return image
