"""Standard output and standard error that accept any text, and stay quiet if their reader has gone."""

from __future__ import annotations

import codecs
import errno
import io
import os
import sys
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
    """A file descriptor that discards everything once its reader has gone."""

    reader_has_gone = False

    def write(self, data: object, /) -> int:
        if not self.reader_has_gone:
            try:
                return super().write(data)  # pyright: ignore[reportArgumentType]
            except OSError as error:
                # Windows reports a closed pipe as EINVAL.
                if error.errno != errno.EPIPE and not (os.name == "nt" and error.errno == errno.EINVAL):
                    raise
                self.reader_has_gone = True
        return len(memoryview(data))  # pyright: ignore[reportArgumentType]


def make_robust() -> None:
    """Replace ``sys.stdout`` and ``sys.stderr`` by streams that never fail because of a character or a closed pipe.

    A command finishes its work and exits with its own result even if nothing reads its output any more.
    """
    codecs.register_error(_ERRORS, _similar)
    sys.stdout = _robust(sys.stdout)
    sys.stderr = _robust(sys.stderr)


def reader_has_gone() -> bool:
    """Return whether the program that read our standard output has closed it."""
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return isinstance(raw, _Pipe) and raw.reader_has_gone


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
    if stream.isatty():
        stream.reconfigure(errors=_ERRORS)
        return stream
    stream.flush()
    pipe = io.BufferedWriter(_Pipe(stream.fileno(), "wb", closefd=False))
    return io.TextIOWrapper(pipe, stream.encoding, _ERRORS, line_buffering=stream.line_buffering)


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
