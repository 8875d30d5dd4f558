"""Output, errors and exit codes that all commands share.

Results go to standard output, everything else to standard error. With ``--json``, standard output has one JSON
object per line. The last one is ``{"event": "result", ...}`` or ``{"event": "error", ...}``.

Exit codes: 0 success; 1 the server, the run or this package failed; 2 invalid command line; 3 no InvokeAI at the
address; 130 interrupted.
"""

from __future__ import annotations

import io
import json
import logging
import os
import shutil
import sys
import textwrap
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import click

from invokeai_py_client._text import escape_controls, printable, shown
from invokeai_py_client.cli.crash import crash_message, crash_text, install_hooks
from invokeai_py_client.cli.streams import can_show, output_failure
from invokeai_py_client.errors import (
    APIRequestError,
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
    as_json, debug = "--json" in arguments, "--debug" in arguments
    try:
        with _notes_printed(quiet=_is_quiet(arguments), debug=debug):
            ended = command.main(args=list(arguments), prog_name="ivk", standalone_mode=False)
    except (click.Abort, CommandInterrupted, KeyboardInterrupt) as interruption:
        if as_json:
            emit({"event": "error", "code": "interrupted", "message": "Interrupted."})
        elif isinstance(interruption, click.Abort):
            echo(err=True)  # end the line of the question
        return INTERRUPTED
    except click.ClickException as error:
        if as_json:
            emit({"event": "error", "code": "usage", "message": error.format_message()})
        text = io.StringIO()
        error.show(text)
        echo(text.getvalue(), err=True, nl=False)
        return WRONG_USE
    except InvokeAIClientError as error:
        if debug:
            echo(crash_text(error), err=True, nl=False)
        _report(error.code, str(error), as_json, _failures(error))
        return _exit_code(error)
    except SystemExit:
        raise
    except OSError as error:  # of a file or folder: our own requests raise errors of the class above
        if error.filename is None:
            return _crashed(error, as_json, debug)
        _report("usage", f"Cannot use {shown(error.filename)}: {error.strerror}.", as_json)
        return WRONG_USE
    except BaseException as error:  # noqa: BLE001 - the last safety net: a traceback would not help the user
        return _crashed(error, as_json, debug)
    # Commands return None. If one ends with click's Exit, main() returns its code.
    return ended if isinstance(ended, int) else OK


def _is_quiet(arguments: Sequence[str]) -> bool:
    """Return whether a command line has ``--quiet``. In ``ivk api``, ``-q`` is a query parameter."""
    return "--quiet" in arguments or ("-q" in arguments and "api" not in arguments)


def finish(code: int) -> int:
    """Return the exit code of the process: that of the command, or ``FAILED`` if its output is incomplete."""
    failure = output_failure()
    if failure is None:
        return code
    echo(f"Error: Cannot write to standard output: {failure}. The output is incomplete.", err=True)
    return code or FAILED


def log_to_output() -> None:
    """Print log messages and warnings that come before or after the command like the command's own messages."""
    logging.lastResort = _Notes(logging.WARNING, debug=False)
    install_hooks()


def _crashed(error: BaseException, as_json: bool, debug: bool) -> int:
    if debug:
        echo(crash_text(error), err=True, nl=False)
    _report("internal", crash_message(error, debug=debug), as_json)
    return FAILED


@contextmanager
def _notes_printed(*, quiet: bool, debug: bool) -> Generator[None]:
    """Print log messages, such as notes about a replaced seed, like the command's own. Not if quiet."""
    root, ours = logging.getLogger(), logging.getLogger("invokeai_py_client")
    level = logging.DEBUG if debug else logging.ERROR if quiet else logging.WARNING
    handler, before = _Notes(level, debug=debug), ours.level
    root.addHandler(handler)
    if debug:
        ours.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        ours.setLevel(before)
        root.removeHandler(handler)


class _Notes(logging.Handler):
    def __init__(self, level: int, *, debug: bool) -> None:
        super().__init__(level)
        self._debug = debug

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
            if self._debug and record.exc_info and record.exc_info[1]:
                text = f"{text}\n{crash_text(record.exc_info[1])}"
            echo(_wrapped(text), err=True)
        except Exception:  # noqa: BLE001 - the standard way to report a message that cannot be formatted
            self.handleError(record)


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


def is_local(error: InvokeAIClientError) -> bool:
    """Return whether an error is about a local file, and not about the server."""
    return isinstance(error, UsageError) and not isinstance(error, APIRequestError)


@contextmanager
def after_run(advice: str) -> Generator[None]:
    """Convert an error about a file for the case that the server has carried out the command: it is no wrong usage.

    Args:
        advice: Sentences about what the server has, which the error ends with.

    Raises:
        TransferError: A file cannot be written.
    """
    try:
        yield
    except UsageError as error:
        raise TransferError(f"{error} {advice}") from None


def counted(count: int, what: str) -> str:
    """Return a count with its noun: ``1 image``, ``2 images``."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _write(text: str, stream: TextIO, nl: bool = True) -> None:
    click.echo(
        text, file=stream, nl=nl
    )  # without a file, click writes UTF-8 to a stream whose encoding is ASCII


def _wrapped(text: str, indent: str = "") -> str:
    """Wrap a text between words if standard error is a terminal. Names, ids and paths are never broken."""
    safe = printable(text)
    if not is_watched():
        return safe
    width = min(shutil.get_terminal_size().columns, 100)
    return "\n".join(
        textwrap.fill(line, width, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False)
        for line in safe.split("\n")
    )


def _failures(error: InvokeAIClientError) -> dict[str, Any]:
    """Return what failed, by name, if an error is about several things."""
    if not isinstance(error, TransferError):
        return {}
    return {"failed": {name: {"code": one.code, "message": str(one)} for name, one in error.failed.items()}}


def _report(code: str, message: str, as_json: bool, facts: Mapping[str, Any] | None = None) -> None:
    if as_json:
        emit({"event": "error", "code": code, "message": message, **(facts or {})})
    echo("Error:", err=True, nl=False, fg="red", bold=True)
    echo(_wrapped(f"Error: {message}", "  ").removeprefix("Error:"), err=True)
