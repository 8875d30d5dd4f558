"""What every command shares: how results, errors and exit codes come out.

Results go to standard output, everything else to standard error. With ``--json`` standard output carries one
JSON object a line, the last of which is ``{"event": "result", ...}`` or ``{"event": "error", ...}``.

Exit codes: 0 done; 1 the server or the run failed; 2 the command was wrong; 130 interrupted.
"""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import Any

import click

from invokeai_py_client.errors import InvokeAIClientError, UsageError

OK = 0
FAILED = 1
WRONG_USE = 2
INTERRUPTED = 130


def run_command(command: click.Command, arguments: Sequence[str]) -> int:
    """Carry out a command line; gives the exit code. No traceback reaches the user."""
    as_json = "--json" in arguments
    try:
        command.main(args=list(arguments), prog_name="ivk", standalone_mode=False)
    except click.exceptions.Exit as ended:
        return ended.exit_code
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
        return WRONG_USE if isinstance(error, UsageError) else FAILED
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has gone
        return FAILED
    return OK


def emit(line: dict[str, Any]) -> None:
    """Write one JSON line to standard output."""
    click.echo(json.dumps(line, ensure_ascii=False, default=str))


def say(text: str) -> None:
    """Write a sentence for people, to standard error."""
    click.echo(text, err=True)


def _tell(code: str, message: str, as_json: bool) -> None:
    if as_json:
        emit({"event": "error", "code": code, "message": message})
    width = min(shutil.get_terminal_size().columns, 100)
    lines = message.splitlines() or [""]
    wrapped = "\n".join(textwrap.fill(line, width, subsequent_indent="  ") for line in lines)
    click.secho("Error: ", fg="red", bold=True, err=True, nl=False)
    click.echo(wrapped, err=True)
