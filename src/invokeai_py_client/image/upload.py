"""Multipart forms for uploads, made from image files, bytes or Pillow images."""

from __future__ import annotations

import json
import mimetypes
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from invokeai_py_client._paths import is_file, user_path
from invokeai_py_client._pillow import changes_for, png_bytes
from invokeai_py_client._text import first_lines, listed
from invokeai_py_client.errors import InputValueError, UsageError
from invokeai_py_client.files.photos import Photo, check_photo, prepare_photo
from invokeai_py_client.image.responses import Kind
from invokeai_py_client.transport.payload import Form, FormFile

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
_NAMED = 10
_NOT_IN_HEADERS = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


def read_photo(source: ImageSource, *, filename: str | None = None, label: str | None = None) -> Photo:
    """Read an image, and convert it if servers cannot store it as it is. Blocks while it reads files.

    Args:
        source: The image.
        filename: The file name to send. Defaults to that of the file.
        label: The name for messages. Defaults to the file name.

    Raises:
        InputValueError: The file does not exist or is not an image, or the source has an unsupported type.
    """
    name = filename or "image.png"
    if isinstance(source, bytes | bytearray | memoryview):
        data = bytes(source)
    elif isinstance(source, str | os.PathLike):
        path = user_path(source, InputValueError)
        name = filename or path.name
        data = _read(path)
    elif hasattr(source, "save") and hasattr(source, "mode"):
        return Photo(_png(source), label or name, tuple(changes_for(source)))
    else:
        raise InputValueError(
            f"Invalid image of type {type(source).__name__}: "  # pyright: ignore[reportUnknownArgumentType]
            "expected a path, the bytes of an image file, or a Pillow image."
        )
    return prepare_photo(data, label or name)


def make_upload(
    photo: Photo,
    *,
    filename: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    resize_to: tuple[int, int] | None = None,
) -> Form:
    """Return the form for ``POST /api/v1/images/upload``.

    Raises:
        InputValueError: The metadata is not a mapping of JSON values.
    """
    fields: dict[str, str] = {}
    if metadata is not None:
        fields["metadata"] = metadata_text(metadata)
    if resize_to is not None:
        # The server's documentation says a list, but 6.14.2 rejects a list and reads an object.
        width, height = resize_to
        fields["resize_to"] = json.dumps({"width": width, "height": height})
    return Form(fields, {"file": form_file(photo, filename=filename)})


def form_file(photo: Photo, *, filename: str | None = None) -> FormFile:
    """Return an image to send in a form.

    Args:
        photo: The image.
        filename: The file name to send. Defaults to that of the image.
    """
    name = sent_name(filename or photo.name, "image.png")
    return FormFile(photo.data, name, content_type(photo.data, name))


def sent_name(filename: str, default: str) -> str:
    """Return the last part of a file name as it can be sent, or else the default."""
    return _NOT_IN_HEADERS.sub("_", Path(filename).name) or default


def named_sources(sources: Any, kind: Kind = "image") -> list[tuple[str, Any]]:
    """Return the images or videos to upload, each with its name in messages: a path or a number. Reads folders.

    Args:
        sources: A folder, a pattern or a file. Or a list of sources.
        kind: What to upload. Defaults to ``"image"``.

    Raises:
        UsageError: No images or videos were passed.
        InputValueError: Files are missing. The message lists them.
    """
    from invokeai_py_client.files.images import files_at

    if isinstance(sources, str | os.PathLike):
        place = cast("str | os.PathLike[str]", sources)
        several: list[Any] = [*(files_at(place, kind) or [user_path(place)])]
    elif isinstance(sources, bytes | bytearray | memoryview) or not hasattr(sources, "__iter__"):
        several = [sources]  # a single one, whatever the annotation says
    else:
        several = list(sources)
    if not several:
        raise UsageError(
            f"No {kind}s to upload: expected a folder with {kind}s, a pattern, or a list of {kind}s."
        )
    missing = [path for source in several if (path := _path(source)) is not None and not is_file(path)]
    if missing:
        raise InputValueError(
            f"{kind.capitalize()} file not found: {listed(missing, 10)}. Nothing was uploaded."
        )
    named: dict[str, Any] = {}
    for index, source in enumerate(several):
        name = _path(source) or f"{kind} {index}"
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


def check_sources(named: Sequence[tuple[str, ImageSource]]) -> None:
    """Check that all images can be read, before any is uploaded. Blocks while it decodes them.

    Raises:
        InputValueError: Some images cannot be read. The message lists them.
    """
    problems: list[str] = []
    for label, source in named:
        try:
            if isinstance(source, str | os.PathLike):
                check_photo(_read(user_path(source, InputValueError)), label)
            elif isinstance(source, bytes | bytearray | memoryview):
                check_photo(bytes(source), label)
        except InputValueError as error:
            problems.append(str(error))
    if problems:
        lines = first_lines(problems, _NAMED)
        raise InputValueError(
            "\n  ".join(
                [f"{len(problems)} of {len(named)} images cannot be uploaded. Nothing was uploaded.", *lines]
            )
        )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise InputValueError(f"Image file not found: {str(path)!r}.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputValueError(f"Cannot read the image file {str(path)!r}: {reason}.") from None


def _png(image: PILImage) -> bytes:
    try:
        return png_bytes(image)
    except (OSError, ValueError) as error:
        raise InputValueError(f"Cannot convert the Pillow image to PNG: {error}.") from None


def metadata_text(metadata: Mapping[str, Any]) -> str:
    """Return metadata as JSON text.

    Raises:
        InputValueError: It is not a mapping of JSON values.
    """
    try:
        return json.dumps(dict(metadata))
    except (TypeError, ValueError) as error:
        raise InputValueError(f"Invalid metadata: expected a mapping of JSON values ({error}).") from None
