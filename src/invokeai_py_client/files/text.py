"""Text files as people have them: with or without a mark at the front, with any kind of line end."""

from __future__ import annotations

import codecs
from pathlib import Path

from invokeai_py_client.errors import UsageError

_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_text(path: Path) -> str:
    r"""The text of a file in UTF-8, its line ends as ``\n``.

    UTF-16 is read too where the file begins with its mark: PowerShell 5 writes so.

    Raises:
        UsageError: The file cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"The file {path} cannot be read: {error.strerror or error}.") from None
    encoding = "utf-16" if data.startswith(_MARKS) else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(f"The file {path} is no UTF-8 text: line {line}. Save it as UTF-8.") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")
