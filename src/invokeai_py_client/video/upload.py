"""Videos to upload."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from invokeai_py_client._paths import user_path
from invokeai_py_client._text import first_lines
from invokeai_py_client.errors import InputValueError
from invokeai_py_client.image.upload import sent_name
from invokeai_py_client.transport.payload import FormFile

if TYPE_CHECKING:
    VideoSource: TypeAlias = str | os.PathLike[str] | bytes | bytearray | memoryview
    """A path, or the bytes of an MP4 file."""

_HEAD = 64 << 10  # the server looks for the file type in the first 64 KB (6.14.2)
_NAMED = 10


def read_clip(source: VideoSource, *, filename: str | None = None, label: str | None = None) -> FormFile:
    """Return a video for the upload form. A file is read while it is sent. Blocks while it reads the beginning.

    Args:
        source: The video.
        filename: The file name to send. Defaults to that of the file.
        label: The name for messages. Defaults to the file name.

    Raises:
        InputValueError: The file does not exist or is not an MP4 file, or the source has an unsupported type.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        data: bytes | Path = bytes(source)
        name, head = filename or "video.mp4", data[:_HEAD]
    elif isinstance(source, str | os.PathLike):  # pyright: ignore[reportUnnecessaryIsInstance]
        data = user_path(source, InputValueError)
        name, head = filename or data.name, _head(data)
    else:
        raise InputValueError(
            f"Invalid video of type {type(source).__name__}: expected a path or the bytes of an MP4 file."
        )
    if b"ftyp" not in head:
        raise InputValueError(
            f"{label or name} is not an MP4 file. Servers accept MP4 files with H.264 video only. Convert it, for "
            "example with: ffmpeg -i FILE -c:v libx264 -pix_fmt yuv420p video.mp4"
        )
    return FormFile(data, sent_name(name, "video.mp4"), "video/mp4")


def check_clips(named: Sequence[tuple[str, Any]]) -> None:
    """Check that all sources are MP4 files, before any is uploaded.

    Raises:
        InputValueError: Some are not. The message lists them.
    """
    problems: list[str] = []
    for label, source in named:
        try:
            read_clip(source, label=label)
        except InputValueError as error:
            problems.append(str(error))
    if problems:
        summary = f"{len(problems)} of {len(named)} videos cannot be uploaded. Nothing was uploaded."
        raise InputValueError("\n  ".join([summary, *first_lines(problems, _NAMED)]))


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_HEAD)
    except FileNotFoundError:
        raise InputValueError(f"Video file not found: {str(path)!r}.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputValueError(f"Cannot read the video file {str(path)!r}: {reason}.") from None
