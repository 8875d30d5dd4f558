"""Output, errors and exit codes that all commands share.

Results go to standard output, everything else to standard error. With ``--json``, standard output has one JSON
object per line. The last one is ``{"event": "result", ...}`` or ``{"event": "error", ...}``.

Exit codes: 0 success; 1 the server or the run failed; 2 invalid command line; 3 no InvokeAI at the address;
130 interrupted.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import Any, TextIO

import click

from invokeai_py_client.errors import (
    ConnectionLostError,
    InvokeAIClientError,
    ServerUnreachableError,
    UsageError,
)

OK = 0
FAILED = 1
WRONG_USE = 2
UNREACHABLE = 3
INTERRUPTED = 130

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def run_command(command: click.Command, arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code. Errors are printed without a traceback."""
    as_json = "--json" in arguments
    try:
        ended = command.main(args=list(arguments), prog_name="ivk", standalone_mode=False)
    except (click.Abort, KeyboardInterrupt) as interruption:
        if as_json:
            emit({"event": "error", "code": "interrupted", "message": "Interrupted."})
        elif isinstance(interruption, click.Abort):
            click.echo(err=True)  # end the line of the question
        return INTERRUPTED
    except click.ClickException as error:
        if as_json:
            emit({"event": "error", "code": "usage", "message": error.format_message()})
        error.show(sys.stderr)
        return WRONG_USE
    except InvokeAIClientError as error:
        _report(error.code, str(error), as_json)
        return exit_code_of(type(error))
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone
        return FAILED
    # Commands return None. If one ends with click's Exit, main() returns its code.
    return ended if isinstance(ended, int) else OK


def exit_code_of(kind: type[InvokeAIClientError]) -> int:
    """Return the exit code for a class of errors.

    A lost connection counts as a failure, not as an unreachable server: the request may have been carried out.
    """
    if issubclass(kind, UsageError):
        return WRONG_USE
    if issubclass(kind, ServerUnreachableError) and not issubclass(kind, ConnectionLostError):
        return UNREACHABLE
    return FAILED


def emit(line: dict[str, Any]) -> None:
    """Write one JSON line to standard output."""
    click.echo(json.dumps(line, ensure_ascii=False, default=str))


def say(text: str) -> None:
    """Print a sentence to standard error, wrapped between words if that is a terminal."""
    click.echo(textwrap.fill(text, _width(), break_on_hyphens=False) if is_watched() else text, err=True)


def is_watched(stream: TextIO | None = None) -> bool:
    """Whether a stream is a terminal that understands escape sequences. Defaults to standard error."""
    where: TextIO = sys.stderr if stream is None else stream
    return where.isatty() and os.environ.get("TERM") != "dumb"


def paint(text: str, **style: Any) -> str:
    """Style a text, unless ``$NO_COLOR`` is set. click removes the style if the output is not a terminal."""
    return text if os.environ.get("NO_COLOR") else click.style(text, **style)


def printable(text: str) -> str:
    """Replace control characters, so that a name from a server or a file can't control the terminal."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def hint(text: str, as_json: bool = False) -> None:
    """Print a suggestion for the next step in a dim color. Does nothing if output is piped or JSON."""
    if is_watched() and is_watched(sys.stdout) and not as_json:
        click.echo(paint(textwrap.fill(text, _width(), break_on_hyphens=False), dim=True), err=True)


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
    if not click.confirm(question, err=True):
        say("Canceled. Nothing was changed.")
        raise click.exceptions.Exit(FAILED)


def counted(count: int, what: str) -> str:
    """Return a count with its noun: ``1 image``, ``2 images``."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _width() -> int:
    return min(shutil.get_terminal_size().columns, 100)


def _report(code: str, message: str, as_json: bool) -> None:
    if as_json:
        emit({"event": "error", "code": code, "message": message})
    lines = [printable(line) for line in ("Error: " + message).splitlines()]
    wrapped = "\n".join(textwrap.fill(line, _width(), subsequent_indent="  ") for line in lines)
    click.echo(paint("Error:", fg="red", bold=True), err=True, nl=False)
    click.echo(wrapped.removeprefix("Error:"), err=True)
