"""Reading and writing text files: with or without a byte order mark, with any line endings."""

from __future__ import annotations

from pathlib import Path

from invokeai_py_client._paths import user_path
from invokeai_py_client._text import decode_text
from invokeai_py_client.errors import UsageError
from invokeai_py_client.files.atomic import write_atomically


def read_text(path: Path) -> str:
    r"""Return the text of a UTF-8 file, with ``\n`` as line endings.

    UTF-16 files are supported if they begin with a byte order mark. PowerShell 5 writes such files.

    Raises:
        UsageError: The file cannot be read, or is not UTF-8 text.
    """
    path = user_path(path)
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


def write_text(path: Path, text: str) -> None:
    r"""Write a text file as UTF-8. Missing folders are created, and an existing file is replaced.

    Half of a surrogate pair, which UTF-8 cannot represent, is written as an escape (``\udc80``), as JSON and Python do.

    Raises:
        UsageError: The file cannot be written.
    """
    path = user_path(path)
    write_atomically(path, text.encode("utf-8", "backslashreplace"))
