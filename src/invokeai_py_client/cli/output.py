"""What every command shares: how results, errors and exit codes come out.

Results go to standard output, everything else to standard error. With ``--json`` standard output carries one
JSON object a line, the last of which is ``{"event": "result", ...}`` or ``{"event": "error", ...}``.

Exit codes: 0 done; 1 the server or the run failed; 2 the command was wrong; 3 there is no server at the address;
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
    """Carry out a command line; gives the exit code. No traceback reaches the user."""
    as_json = "--json" in arguments
    try:
        ended = command.main(args=list(arguments), prog_name="ivk", standalone_mode=False)
    except (click.Abort, KeyboardInterrupt):
        _tell("interrupted", "Interrupted.", as_json)
        return INTERRUPTED
    except click.ClickException as error:
        if as_json:
            emit({"event": "error", "code": "usage", "message": error.format_message()})
        error.show(sys.stderr)
        return WRONG_USE
    except InvokeAIClientError as error:
        _tell(error.code, str(error), as_json)
        return exit_code_of(type(error))
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has gone
        return FAILED
    # The commands give nothing back; where one ended by click's Exit, click gives its code.
    return ended if isinstance(ended, int) else OK


def exit_code_of(kind: type[InvokeAIClientError]) -> int:
    """The exit code of a class of errors.

    A connection that broke counts as failed, not as unreachable: the request may have been carried out.
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
    """Write a sentence for people, to standard error; in a terminal none breaks within a word."""
    click.echo(textwrap.fill(text, _width(), break_on_hyphens=False) if is_watched() else text, err=True)


def is_watched(stream: TextIO | None = None) -> bool:
    """Whether a person looks at a stream; standard error by default."""
    where: TextIO = sys.stderr if stream is None else stream
    return where.isatty() and os.environ.get("TERM") != "dumb"


def paint(text: str, **style: Any) -> str:
    """A text in colour, where $NO_COLOR does not speak against it. Where nobody looks, click drops the colour."""
    return text if os.environ.get("NO_COLOR") else click.style(text, **style)


def printable(text: str) -> str:
    """A text without what would move the cursor or change colours: a server may call things what it likes."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def hint(text: str, as_json: bool = False) -> None:
    """Say what one may want to do next: to people alone, and not in the middle of a pipe."""
    if is_watched() and is_watched(sys.stdout) and not as_json:
        click.echo(paint(textwrap.fill(text, _width(), break_on_hyphens=False), dim=True), err=True)


def confirm(question: str, yes: bool) -> None:
    """Ask before something is lost for good.

    Args:
        question: What is to be done, as a question.
        yes: Whether it was answered on the command line, with ``--yes``.

    Raises:
        UsageError: Nobody is there to be asked.
        Exit: The answer was no.
    """
    if yes:
        return
    if not (sys.stdin.isatty() and is_watched()):
        raise UsageError(f"{question} Nobody is there to be asked: say --yes. Nothing was done.")
    if not click.confirm(question, err=True):
        say("Nothing was done.")
        raise click.exceptions.Exit(FAILED)


def counted(count: int, what: str) -> str:
    """A number of things: ``1 image``, ``2 images``."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _width() -> int:
    return min(shutil.get_terminal_size().columns, 100)


def _tell(code: str, message: str, as_json: bool) -> None:
    if as_json:
        emit({"event": "error", "code": code, "message": message})
    lines = [printable(line) for line in ("Error: " + message).splitlines()]
    wrapped = "\n".join(textwrap.fill(line, _width(), subsequent_indent="  ") for line in lines)
    click.echo(paint("Error:", fg="red", bold=True), err=True, nl=False)
    click.echo(wrapped.removeprefix("Error:"), err=True)
