"""Forms with files, as users pass them to ``client.request()``."""

from __future__ import annotations

import mimetypes
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, cast

from invokeai_py_client._paths import is_folder, user_path
from invokeai_py_client._text import shown
from invokeai_py_client.errors import UsageError
from invokeai_py_client.files.formats import format_of_data
from invokeai_py_client.transport.payload import Form, FormFile, Params

FormContent: TypeAlias = "str | os.PathLike[str] | bytes"
"""The path of a file, or its content."""

FormSource: TypeAlias = "FormContent | tuple[str, FormContent] | tuple[str, FormContent, str]"
"""A file of a form, if needed with the file name and the content type to send."""

_NOT_IN_HEADERS = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_UNKNOWN_TYPE = "application/octet-stream"
_HEAD = 12


def form_of_sources(
    fields: Params | None, files: Mapping[str, FormSource | Sequence[FormSource]] | None
) -> Form | None:
    """Return the form with some fields and files, or None if there are neither.

    Raises:
        UsageError: A file does not exist, or a source has an unsupported type.
    """
    if fields is None and files is None:
        return None
    found = {
        name: [_file(name, one) for one in (source if isinstance(source, list) else [source])]
        for name, source in (files or {}).items()
    }
    return Form(dict(fields or {}), found)


def _file(field: str, source: Any) -> FormFile:
    filename: str | None = None
    content_type: str | None = None
    content: Any = source
    if isinstance(source, tuple):
        parts: list[Any] = list(cast("tuple[Any, ...]", source))
        if len(parts) not in (2, 3) or not all(isinstance(one, str) for one in (parts[0], *parts[2:])):
            raise _invalid(field, cast("Any", source))
        filename, content = parts[:2]
        content_type = parts[2] if len(parts) > 2 else None
    if isinstance(content, bytes | bytearray | memoryview):
        data = bytes(cast("Any", content))
        name = filename or field
        return FormFile(data, _clean(name), content_type or _type_of(name, data))
    if not isinstance(content, str | os.PathLike):
        raise _invalid(field, cast("Any", source))
    path = user_path(cast("str | os.PathLike[str]", content))
    if is_folder(path):
        raise UsageError(f"The file {str(path)!r} for the field {field!r} is a folder; expected a file.")
    name = filename or path.name
    return FormFile(path, _clean(name), content_type or _type_of(name, _head(path, field)))


def _head(path: Path, field: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_HEAD)
    except OSError as error:
        raise UsageError(
            f"Cannot read the file {str(path)!r} for the field {field!r}: {error.strerror or error}."
        ) from None


def _type_of(filename: str, data: bytes) -> str:
    found = format_of_data(data[:_HEAD])
    return f"image/{found.lower()}" if found else mimetypes.guess_type(filename)[0] or _UNKNOWN_TYPE


def _clean(filename: str) -> str:
    return _NOT_IN_HEADERS.sub("_", filename) or "file"


def _invalid(field: str, source: object) -> UsageError:
    return UsageError(
        f"Invalid file {shown(source)} for the field {field!r}: expected a path, bytes, or a tuple of the file name to "
        "send, a path or bytes, and the content type (optional)."
    )
