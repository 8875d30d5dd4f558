"""Reading text files: with or without a byte order mark, with any line endings."""

from __future__ import annotations

from pathlib import Path

from invokeai_py_client._text import decode_text
from invokeai_py_client.errors import UsageError


def read_text(path: Path) -> str:
    r"""Return the text of a UTF-8 file, with ``\n`` as line endings.

    UTF-16 files are supported if they begin with a byte order mark. PowerShell 5 writes such files.

    Raises:
        UsageError: The file cannot be read, or is not UTF-8 text.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"Cannot read the file {path}: {error.strerror or error}.") from None
    try:
        text = decode_text(data)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(f"The file {path} is not UTF-8 text (line {line}). Save it as UTF-8.") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")
