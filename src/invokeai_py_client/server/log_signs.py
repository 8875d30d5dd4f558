"""Failures of a local server that only its log reports (InvokeAI 6.14.2)."""

from __future__ import annotations

import re
from pathlib import Path

from invokeai_py_client.server.processes import tail

_LINES = 5_000
_CLEANUP = re.compile(r"Error cleaning database: (.*)|OperationalError: (cannot VACUUM.*)")
_WORKER = "Fatal Error in session processor"


def cleanup_failure(log: Path) -> str | None:
    """Return why a server ended at its start while it cleaned its database, or None if it did not.

    The server resumes pending queue items before it cleans its database by VACUUM. If an item writes at the same
    moment, or another program has locked the database, the server exits.
    """
    for line in reversed(tail(log, _LINES).splitlines()):
        found = _CLEANUP.search(line)
        if found:
            return (found[1] or found[2]).strip()
    return None


def worker_failure(log: Path) -> str | None:
    """Return the error with which a worker of the session processor has ended since the server's start, or None."""
    for line in reversed(tail(log, _LINES).splitlines()):
        _, sign, error = line.partition(_WORKER)
        if sign:
            return error.strip()
    return None
