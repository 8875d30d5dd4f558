"""Standard input for secrets, and standard output and error that accept any text and never fail to be written."""

from __future__ import annotations

import codecs
import errno
import io
import os
import select
import sys
from pathlib import Path
from typing import Any, TextIO, cast

from invokeai_py_client._text import decode_text
from invokeai_py_client.errors import UsageError

_ERRORS = "invokeai_py_client.similar"
_SIMILAR = {
    "×": "x",
    "★": "*",
    "…": "...",
    "–": "-",
    "—": "-",
    "─": "-",
    "━": "-",
    "→": "->",
    "‘": "'",
    "’": "'",
    "“": '"',
    "”": '"',
}
"""Replacements for characters of our own output that some encodings lack."""


class _Pipe(io.FileIO):
    """A file descriptor that discards everything once it cannot be written.

    Attributes:
        lost: The first error, for example because the reader has gone, the disk is full or the terminal was closed.
    """

    lost: OSError | None = None

    def write(self, data: object, /) -> int:
        if self.lost is None:
            try:
                return self._written(data)
            except OSError as error:
                self.lost = error
        return len(memoryview(data))  # pyright: ignore[reportArgumentType]

    def _written(self, data: object) -> int:
        count: int | None = super().write(data)  # pyright: ignore[reportArgumentType]
        while count is None:  # another program that shares the pipe has made it non-blocking, and it is full
            select.select([], [self], [])
            count = super().write(data)  # pyright: ignore[reportArgumentType]
        return count


def make_robust() -> None:
    """Replace ``sys.stdout`` and ``sys.stderr`` by streams that never fail, whatever happens to what they write to.

    A command finishes its work and exits with its own result even if nothing reads its output any more. Streams that
    the caller has closed become empty streams.
    """
    codecs.register_error(_ERRORS, _similar)
    nowhere = Path(os.devnull)
    sys.stdin = sys.stdin or nowhere.open(encoding="utf-8")
    sys.stdout = _robust(sys.stdout) if sys.stdout else nowhere.open("w", encoding="utf-8")
    sys.stderr = _robust(sys.stderr) if sys.stderr else nowhere.open("w", encoding="utf-8")
    stdin: Any = sys.stdin
    if isinstance(stdin, io.TextIOWrapper):  # text that is not valid is rejected where it is used
        cast("io.TextIOWrapper[io.BufferedReader]", stdin).reconfigure(errors="surrogateescape")


def secret_line(what: str) -> str:
    """Return the first line of standard input.

    Args:
        what: The secret that the line contains, for the error.

    Raises:
        UsageError: The line is empty.
    """
    line = sys.stdin.readline().removeprefix("\ufeff").rstrip("\r\n")
    if not line:
        raise UsageError(f"No {what} on standard input.")
    return line


def output_is_lost() -> bool:
    """Return whether standard output cannot be written any more, for example because its reader has closed it."""
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return isinstance(raw, _Pipe) and raw.lost is not None


def output_failure() -> str | None:
    """Flush standard output. Return why it is incomplete, or None if it is complete or its reader did not want more."""
    sys.stdout.flush()
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    lost = raw.lost if isinstance(raw, _Pipe) else None
    # Windows reports a closed pipe as EINVAL.
    if lost is None or lost.errno == errno.EPIPE or (os.name == "nt" and lost.errno == errno.EINVAL):
        return None
    return lost.strerror or str(lost)


def can_show(text: str) -> bool:
    """Return whether standard output can encode a text."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _robust(stream: Any) -> TextIO:
    if not isinstance(stream, io.TextIOWrapper):
        return stream  # a test's buffer, or None if the process has no such stream
    stream = cast("io.TextIOWrapper[io.BufferedWriter]", stream)
    if os.name == "nt" and stream.isatty():  # the console has its own way of writing
        stream.reconfigure(errors=_ERRORS)
        return stream
    stream.flush()
    pipe = io.BufferedWriter(_Pipe(stream.fileno(), "wb", closefd=False))
    at_once = stream.line_buffering or stream.write_through
    return io.TextIOWrapper(pipe, stream.encoding, _ERRORS, line_buffering=at_once)


def _similar(error: UnicodeError) -> tuple[str, int]:
    """Replace characters that an encoding lacks by similar ones, or by question marks."""
    assert isinstance(error, UnicodeEncodeError)
    text = error.object[error.start : error.end]
    return "".join(_SIMILAR.get(character, "?") for character in text), error.end


def read_stdin() -> str:
    """Return the text on standard input, which may begin with a byte order mark.

    Raises:
        UsageError: It is not UTF-8 text.
    """
    buffer = getattr(sys.stdin, "buffer", None)
    if buffer is None:
        return "\n".join(line.rstrip("\n") for line in sys.stdin)
    try:
        return decode_text(buffer.read())
    except UnicodeDecodeError as error:
        raise UsageError(
            f"Standard input is not UTF-8 text: byte {error.start} is not valid {error.encoding.upper()}."
        ) from None
