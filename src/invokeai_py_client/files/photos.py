"""Image files checked and converted before they are uploaded."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

from invokeai_py_client._text import listed
from invokeai_py_client.errors import InputValueError, UsageError

if TYPE_CHECKING:
    from PIL.Image import Image as PILImage

logger = logging.getLogger("invokeai_py_client.images")

_AVIF = (b"ftypavif", b"ftypavis")
_HEIC = (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftyphevc")
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_SIZE_END = 24
_PNG_ALPHA = (b"\x04", b"\x06")  # the color types gray with alpha, and RGB with alpha
_OPAQUE = 255
_TEXT = 256
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Photo:
    """An image file in a form that a server can store as it looks.

    Attributes:
        data: The content of the file.
        name: The name of the original file, for messages.
        changes: The changes to the original, as past participles: ``"converted from CMYK to RGB"``.
    """

    data: bytes
    name: str
    changes: tuple[str, ...] = ()


def prepare_photo(data: bytes, name: str) -> Photo:
    """Return an image file in a form that a server can store: upright, with at most 8 bits per channel.

    Files that need no change are returned unchanged. Without Pillow, no file is changed.

    Raises:
        InputValueError: The data is not a readable image.
    """
    from invokeai_py_client._pillow import changes_for, png_bytes

    image = _opened(data, name)
    if image is None:
        return Photo(data, name)
    with image:
        changes = changes_for(image)
        if not changes:
            return Photo(data, name)
        try:
            return Photo(png_bytes(image), name, tuple(changes))
        except (OSError, SyntaxError, ValueError) as error:
            raise unreadable(name, str(error)) from None


def check_photo(data: bytes, name: str) -> None:
    """Check that an image file can be read completely. Without Pillow, only recognize empty files and text.

    Raises:
        InputValueError: The data is not a readable image.
    """
    image = _opened(data, name)
    if image is None:
        return
    with image:
        try:
            # A smaller version of a JPEG is decoded faster, and still needs all of the data.
            image.draft(image.mode, (max(1, image.width // 8), max(1, image.height // 8)))
            image.load()
        except (OSError, SyntaxError, ValueError) as error:
            raise unreadable(name, str(error)) from None


def photo_size(data: bytes, name: str) -> tuple[int, int]:
    """Return the width and the height of an image file as it looks.

    Raises:
        InputValueError: The data is not a readable image.
        UsageError: The file is not a PNG file, and Pillow is not installed.
    """
    from invokeai_py_client._pillow import upright_size

    image = _opened(data, name)
    if image is not None:
        with image:
            return upright_size(image)
    if data.startswith(_PNG) and len(data) >= _PNG_SIZE_END:
        return (int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big"))
    raise UsageError(
        f"Cannot find out the size of {name!r} without Pillow. Install it (pip install 'invokeai-py-client[image]'),"
        " or pass a size."
    )


def alpha_mask(data: bytes, name: str) -> bytes | None:
    """Return a mask whose black parts become transparent, or None if the mask has transparent parts itself.

    Raises:
        InputValueError: The data is not a readable image.
        UsageError: The mask has no transparency, and Pillow is not installed.
    """
    image = _opened(data, name)
    if image is None:
        if data.startswith(_PNG) and data[25:26] in _PNG_ALPHA:
            return None
        raise UsageError(
            f"The mask {name!r} has no transparent parts, and converting its black parts needs Pillow. Install it"
            " (pip install 'invokeai-py-client[image]'), or pass a PNG file with transparent parts."
        )
    try:
        with image:
            if image.has_transparency_data:
                low: Any = image.convert("RGBA").getchannel("A").getextrema()
                if low[0] < _OPAQUE:
                    return None
            gray = image.convert("L")
            changed = image.convert("RGB")
            changed.putalpha(gray)
            buffer = BytesIO()
            changed.save(buffer, format="PNG")
            return buffer.getvalue()
    except (OSError, SyntaxError, ValueError) as error:
        raise unreadable(name, str(error)) from None


def unreadable(name: str, reason: str) -> InputValueError:
    """Return the error for a file that is not a readable image."""
    return InputValueError(f"{name!r} is not a readable image: {reason.strip().rstrip('.')}.")


def note_changes(photos: Sequence[Photo]) -> None:
    """Log once how images were changed before their upload."""
    changed = [photo for photo in photos if photo.changes]
    if len(changed) == 1:
        how = " and ".join(changed[0].changes)
        logger.warning("Note: %r was %s for the upload. The file is not changed.", changed[0].name, how)
    elif changed:
        counts = Counter(change for photo in changed for change in photo.changes)
        how = ", ".join(f"{count} {change}" for change, count in counts.items())
        names = listed([photo.name for photo in changed], _NAMED)
        logger.warning("Note: images changed for the upload: %s (%s). The files are not changed.", how, names)


def _opened(data: bytes, name: str) -> PILImage | None:
    """Open an image without decoding it. Return None if Pillow is not installed or does not support AVIF."""
    if not data:
        raise unreadable(name, "it is empty")
    if _is_text(data):
        raise unreadable(name, "it contains text")
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        return None
    problems: tuple[type[Exception], ...] = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)
    try:
        return Image.open(BytesIO(data))
    except UnidentifiedImageError:
        if data[4:12] in _AVIF:
            return None  # supported by Pillow 11.3 and later, and perhaps by the server
        kind = "HEIC images are not supported. Convert it to JPEG or PNG" if data[4:12] in _HEIC else ""
        raise unreadable(name, kind or "unknown or damaged format") from None
    except problems as error:
        raise unreadable(name, str(error)) from None


def _is_text(data: bytes) -> bool:
    start: Any = data[:_TEXT]
    return all(byte >= 32 or byte in b"\t\n\r\f" for byte in start) and b"\xff" not in start
