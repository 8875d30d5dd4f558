"""Output, errors and exit codes that all commands share.

Results go to standard output, everything else to standard error. With ``--json``, standard output has one JSON
object per line. The last one is ``{"event": "result", ...}`` or ``{"event": "error", ...}``.

Exit codes: 0 success; 1 the server or the run failed; 2 invalid command line; 3 no InvokeAI at the address;
130 interrupted.
"""

from __future__ import annotations

import io
import json
import logging
import os
import shutil
import sys
import textwrap
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import click

from invokeai_py_client._text import escape_controls, printable
from invokeai_py_client.cli.streams import can_show
from invokeai_py_client.errors import (
    ConnectionLostError,
    InvokeAIClientError,
    ServerUnreachableError,
    TransferError,
    UsageError,
)

OK = 0
FAILED = 1
WRONG_USE = 2
UNREACHABLE = 3
INTERRUPTED = 130


class CommandInterrupted(Exception):
    """Raised instead of ``KeyboardInterrupt``, for which click prints an empty line."""


def run_command(command: click.Command, arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code. Errors are printed without a traceback."""
    as_json = "--json" in arguments
    try:
        with _notes_printed(quiet=not {"-q", "--quiet"}.isdisjoint(arguments)):
            ended = command.main(args=list(arguments), prog_name="ivk", standalone_mode=False)
    except (click.Abort, CommandInterrupted) as interruption:
        if as_json:
            emit({"event": "error", "code": "interrupted", "message": "Interrupted."})
        elif isinstance(interruption, click.Abort):
            echo(err=True)  # end the line of the question
        return INTERRUPTED
    except click.ClickException as error:
        if as_json:
            emit({"event": "error", "code": "usage", "message": error.format_message()})
        shown = io.StringIO()
        error.show(shown)
        echo(shown.getvalue(), err=True, nl=False)
        return WRONG_USE
    except InvokeAIClientError as error:
        _report(error.code, str(error), as_json)
        return _exit_code(error)
    except OSError as error:  # of a file or folder: our own requests raise errors of the class above
        if error.filename is None:
            raise
        _report("usage", f"{error.filename}: {error.strerror}.", as_json)
        return WRONG_USE
    # Commands return None. If one ends with click's Exit, main() returns its code.
    return ended if isinstance(ended, int) else OK


@contextmanager
def _notes_printed(*, quiet: bool) -> Generator[None]:
    """Print the client's log messages, such as notes about a replaced seed, like the command's own. Not if quiet."""
    logger, handler = logging.getLogger("invokeai_py_client"), _Notes(quiet)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


class _Notes(logging.Handler):
    def __init__(self, quiet: bool) -> None:
        super().__init__(logging.ERROR if quiet else logging.WARNING)

    def emit(self, record: logging.LogRecord) -> None:
        echo(_wrapped(record.getMessage()), err=True)


def exit_code_of(kind: type[InvokeAIClientError]) -> int:
    """Return the exit code for a class of errors.

    A lost connection counts as a failure, not as an unreachable server: the request may have been carried out.
    """
    if issubclass(kind, UsageError):
        return WRONG_USE
    if issubclass(kind, ServerUnreachableError) and not issubclass(kind, ConnectionLostError):
        return UNREACHABLE
    return FAILED


def _exit_code(error: InvokeAIClientError) -> int:
    """Return the exit code for an error. Transfers that failed because the server was away count as that."""
    codes = {exit_code_of(type(error))}
    if isinstance(error, TransferError):
        codes |= {exit_code_of(type(one)) for one in error.failed.values()}
    return UNREACHABLE if UNREACHABLE in codes else exit_code_of(type(error))


def echo(text: object = "", *, err: bool = False, nl: bool = True, **style: Any) -> None:
    """Print a text. Everything that commands print goes through this function or a console of `console_for`.

    Control characters are replaced: names come from workflow files and servers.

    Args:
        text: The text.
        err: Whether to print to standard error.
        nl: Whether to end the line.
        style: Styles of ``click.style``. They are ignored if ``$NO_COLOR`` is set or the stream is not a terminal.
    """
    safe = printable(str(text))
    if style and not os.environ.get("NO_COLOR"):
        safe = click.style(safe, **style)
    _write(safe, sys.stderr if err else sys.stdout, nl)


def emit(data: Any, indent: int | None = None) -> None:
    """Print JSON to standard output, by default on one line. It is valid in every encoding."""
    text = json.dumps(data, ensure_ascii=False, default=str, indent=indent)
    if not can_show(text):
        text = json.dumps(data, default=str, indent=indent)
    _write(escape_controls(text), sys.stdout)


def echo_bytes(data: bytes) -> None:
    """Write data, such as an image, to standard output."""
    click.echo(data, nl=False)


def echo_code(text: str) -> None:
    """Print Python code to standard output. In a pipe or a file it is UTF-8, which Python expects of a module."""
    if sys.stdout.isatty() or not hasattr(sys.stdout, "buffer"):
        echo(text, nl=False)
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(printable(text).encode("utf-8", "replace"))
    sys.stdout.buffer.flush()


def say(text: str) -> None:
    """Print a sentence to standard error, wrapped between words if that is a terminal. Does nothing if quiet."""
    if not is_quiet():
        echo(_wrapped(text), err=True)


def is_quiet() -> bool:
    """Return whether ``--quiet`` was passed."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get("ivk.quiet"))


def shows_progress(as_json: bool) -> bool:
    """Return whether to show progress bars: in a terminal, unless ``--json`` or ``--quiet`` was passed."""
    return is_watched() and not as_json and not is_quiet()


def is_watched(stream: TextIO | None = None) -> bool:
    """Whether a stream is a terminal that understands escape sequences. Defaults to standard error."""
    where: TextIO = sys.stderr if stream is None else stream
    return where.isatty() and os.environ.get("TERM") != "dumb"


def hint(text: str, as_json: bool = False) -> None:
    """Print a suggestion for the next step in a dim color. Does nothing if output is piped, JSON or quiet."""
    if is_watched(sys.stdout) and shows_progress(as_json):
        echo(_wrapped(text), err=True, dim=True)


def open_file(path: Path) -> None:
    """Open a file or folder with the program that the desktop uses for it."""
    if click.launch(str(path)) != 0:
        say(f"Cannot open {path}: no program was found to open it.")


def confirm(question: str, yes: bool) -> None:
    """Ask before deleting something.

    Args:
        question: The question, such as "Delete 3 images for good?".
        yes: Whether ``--yes`` was passed, which skips the question.

    Raises:
        UsageError: The session is not interactive.
        Exit: The user answered no.
    """
    if yes:
        return
    if not (sys.stdin.isatty() and is_watched()):
        raise UsageError(f"{question} Not asking in a non-interactive session; pass --yes to confirm.")
    if not click.confirm(printable(question), err=True):
        say("Canceled. Nothing was changed.")
        raise click.exceptions.Exit(FAILED)


def counted(count: int, what: str) -> str:
    """Return a count with its noun: ``1 image``, ``2 images``."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _write(text: str, stream: TextIO, nl: bool = True) -> None:
    click.echo(
        text, file=stream, nl=nl
    )  # without a file, click writes UTF-8 to a stream whose encoding is ASCII


def _wrapped(text: str, indent: str = "") -> str:
    """Wrap a text between words if standard error is a terminal. Names, ids and paths are never broken."""
    if not is_watched():
        return text
    width = min(shutil.get_terminal_size().columns, 100)
    return "\n".join(
        textwrap.fill(line, width, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False)
        for line in text.splitlines()
    )


def _report(code: str, message: str, as_json: bool) -> None:
    if as_json:
        emit({"event": "error", "code": code, "message": message})
    echo("Error:", err=True, nl=False, fg="red", bold=True)
    echo(_wrapped(f"Error: {message}", "  ").removeprefix("Error:"), err=True)
