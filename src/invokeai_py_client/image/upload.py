"""Multipart forms for uploads, made from image files, bytes or Pillow images."""

from __future__ import annotations

import json
import mimetypes
import os
from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from invokeai_py_client._paths import is_file, user_path
from invokeai_py_client._text import listed
from invokeai_py_client.errors import InputValueError, UsageError
from invokeai_py_client.transport.http import Upload

if TYPE_CHECKING:
    from PIL.Image import Image as PILImage

    ImageSource: TypeAlias = str | os.PathLike[str] | bytes | bytearray | memoryview | PILImage
    """A path, the bytes of an image file, or a Pillow image."""

# The first bytes of image files, by content type.
_MAGIC = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"BM": "image/bmp",
    b"II*\0": "image/tiff",
    b"MM\0*": "image/tiff",
}
_PNG_MODES = frozenset({"1", "L", "LA", "I;16", "P", "RGB", "RGBA"})
_NEAREST_PNG_MODE = {"I": "I;16", "PA": "RGBA", "La": "RGBA", "RGBa": "RGBA"}


def make_upload(
    source: ImageSource,
    *,
    filename: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    resize_to: tuple[int, int] | None = None,
) -> Upload:
    """Read an image and return the form for ``POST /api/v1/images/upload``. Blocks while it reads files.

    Raises:
        InputValueError: The file does not exist or is empty, or the source has an unsupported type.
    """
    data, name = _read(source)
    name = filename or name
    if not data:
        raise InputValueError(f"The image {name!r} is empty: expected the contents of an image file.")
    fields: dict[str, str] = {}
    if metadata is not None:
        fields["metadata"] = _json(metadata)
    if resize_to is not None:
        # The server's documentation says a list, but 6.14.2 rejects a list and reads an object.
        width, height = resize_to
        fields["resize_to"] = json.dumps({"width": width, "height": height})
    return Upload(data, Path(name).name or "image.png", content_type(data, name), fields)


def named_sources(
    sources: str | os.PathLike[str] | Iterable[ImageSource],
) -> list[tuple[str, ImageSource]]:
    """Return the images to upload, each with its name in messages: a path or a number. Reads folders.

    Raises:
        UsageError: No images were passed.
        InputValueError: Files are missing. The message lists them.
    """
    from invokeai_py_client.files.images import pictures_at

    if isinstance(sources, str | os.PathLike):
        several: list[Any] = [*(pictures_at(sources) or [user_path(sources)])]
    elif isinstance(sources, bytes | bytearray | memoryview) or not hasattr(sources, "__iter__"):
        several = [sources]  # one image, whatever the annotation says
    else:
        several = list(sources)
    if not several:
        raise UsageError(
            "No images to upload: expected a folder with images, a pattern, or a list of images."
        )
    missing = [path for source in several if (path := _path(source)) is not None and not is_file(path)]
    if missing:
        raise InputValueError(f"Image file not found: {listed(missing, 10)}. Nothing was uploaded.")
    named: dict[str, ImageSource] = {}
    for index, source in enumerate(several):
        name = _path(source) or f"image {index}"
        count = 1
        label = name
        while label in named:
            count += 1
            label = f"{name} ({count})"
        named[label] = source
    return list(named.items())


def _path(source: Any) -> str | None:
    if not isinstance(source, str | os.PathLike):
        return None
    return str(user_path(cast("str | os.PathLike[str]", source)))


def content_type(data: bytes, filename: str) -> str:
    """Return the content type of an image. The server only checks that it starts with ``image/``."""
    for magic, kind in _MAGIC.items():
        if data.startswith(magic):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    guess = mimetypes.guess_type(filename)[0] or ""
    return guess if guess.startswith("image/") else "image/png"


def _read(source: ImageSource) -> tuple[bytes, str]:
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source), "image.png"
    if isinstance(source, str | os.PathLike):
        path = user_path(source, InputValueError)
        try:
            return path.read_bytes(), path.name
        except FileNotFoundError:
            raise InputValueError(f"Image file not found: {str(path)!r}.") from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputValueError(f"Cannot read the image file {str(path)!r}: {reason}.") from None
    if hasattr(source, "save") and hasattr(source, "mode"):
        return _png(source), "image.png"
    raise InputValueError(
        f"Invalid image of type {type(source).__name__}: "  # pyright: ignore[reportUnknownArgumentType]
        "expected a path, the bytes of an image file, or a Pillow image."
    )


def _png(image: PILImage) -> bytes:
    if image.mode not in _PNG_MODES:  # CMYK, YCbCr, LAB, HSV, F...
        image = image.convert(_NEAREST_PNG_MODE.get(image.mode, "RGB"))
    buffer = BytesIO()
    try:
        image.save(buffer, format="PNG")
    except (OSError, ValueError) as error:
        raise InputValueError(f"Cannot convert the Pillow image to PNG: {error}.") from None
    return buffer.getvalue()


def _json(metadata: Mapping[str, Any]) -> str:
    try:
        return json.dumps(dict(metadata))
    except (TypeError, ValueError) as error:
        raise InputValueError(f"Invalid metadata: expected a mapping of JSON values ({error}).") from None
