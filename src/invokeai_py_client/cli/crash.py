"""Errors that no command expects: one sentence for the user, and a file with the traceback for the report."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import threading
import traceback
import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from invokeai_py_client import __version__
from invokeai_py_client._atomic import write_draft
from invokeai_py_client._paths import cache_folder
from invokeai_py_client.errors import UsageError

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

_LOGS = "logs"
_SUFFIX = ".crash.log"
_MOST = 20
_logger = logging.getLogger("invokeai_py_client.cli")


def crash_message(error: BaseException, *, debug: bool) -> str:
    """Write the traceback of an error to a file, and return a sentence that names the file.

    Args:
        error: The error.
        debug: Whether the traceback is printed, so that no file is needed.
    """
    crash_id = os.urandom(4).hex()
    what = f"An unexpected error occurred (id {crash_id}, {type(error).__name__})."
    if debug:
        return f"{what} Please report it with the traceback."
    path = _write(crash_id, crash_text(error))
    if path is None:
        return f"{what} Run the command again with --debug to print the traceback, and please report it."
    return f"{what} Please report it with the traceback in {path}."


def crash_text(error: BaseException) -> str:
    """Return the traceback of an error, with the versions. The command line is omitted: it may contain secrets."""
    version = ".".join(map(str, sys.version_info[:3]))
    trace = "".join(traceback.format_exception(error))
    return f"invokeai-py-client {__version__}, Python {version}, {sys.platform}\n{trace}"


def install_hooks() -> None:
    """Log warnings of Python, and errors in threads and finalizers, instead of printing them to the terminal."""

    def in_thread(arguments: threading.ExceptHookArgs) -> None:
        if arguments.exc_value is not None:
            _log_hidden(arguments.exc_value)

    def unraisable(arguments: UnraisableHookArgs) -> None:
        if arguments.exc_value is not None:
            _log_hidden(arguments.exc_value)

    def warning(message: Warning | str, category: type[Warning], *place: object) -> None:
        _logger.warning("%s: %s", category.__name__, message)
        _logger.debug("%s: %s", category.__name__, place)

    threading.excepthook = in_thread
    sys.unraisablehook = unraisable
    warnings.showwarning = warning


def _log_hidden(error: BaseException) -> None:
    _logger.warning("An error outside of the command was ignored: %s: %s", type(error).__name__, error)
    _logger.debug("%s", crash_text(error))


def _write(crash_id: str, text: str) -> Path | None:
    """Write a log to the first folder that can be written, and remove the oldest logs there."""
    for folder in _folders():
        path = folder / f"ivk-{crash_id}{_SUFFIX}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_draft(path, text.encode("utf-8", "backslashreplace"), mode=0o600)
            others = sorted(folder.glob(f"ivk-*{_SUFFIX}"), key=lambda one: one.stat().st_mtime)
            for old in others[:-_MOST]:
                old.unlink(missing_ok=True)
        except OSError:
            if path.exists():  # an older log could not be removed
                return path
            continue
        return path
    return None


def _folders() -> list[Path]:
    found: list[Path] = []
    with suppress(UsageError):  # a path in the environment is not valid
        folder = cache_folder()
        if folder is not None:
            found.append(folder / _LOGS)
    with suppress(OSError):  # no folder for temporary files can be written
        found.append(Path(tempfile.gettempdir()))
    return found
