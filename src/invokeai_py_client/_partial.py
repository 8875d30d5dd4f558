"""Calls about several things of which only some succeeded: one error with what was done, and what was not and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from invokeai_py_client._text import first_lines, shown
from invokeai_py_client.errors import (
    AuthenticationError,
    ConnectionLostError,
    InvokeAIClientError,
    MaintenanceError,
    ServerUnreachableError,
    TransferError,
)

# The largest number of failures in a message. The error has all of them.
_NAMED = 10


def partial_failure(
    what: str,
    failed: Mapping[str, InvokeAIClientError],
    done: Mapping[str, Any],
    *,
    kind: str = "image",
    note: str = "",
) -> TransferError:
    """Return the error for a call that succeeded for some things, or for none.

    Args:
        what: Past participle of what was done, such as "deleted".
        failed: The errors of the things for which it was not done, by name.
        done: The results of the others, by name.
        kind: The kind of thing. Defaults to "image".
        note: A sentence before that. Defaults to none.
    """
    total = len(failed) + len(done)
    if total == 1:
        [(name, error)] = failed.items()
        lines = [f"The {kind} {shown(name)} could not be {what}: {error}"]
    else:
        reasons = first_lines([f"{name}: {error}" for name, error in failed.items()], _NAMED)
        lines = [f"{len(failed)} of {total} {kind}s could not be {what}:", *reasons]
    return TransferError(f"{note} ".lstrip() + "\n  ".join(lines), failed=failed, done=done)


def is_hopeless(error: InvokeAIClientError) -> bool:
    """Return whether no other request can succeed: the server is unreachable, moves images, or requires signing in."""
    if isinstance(error, ConnectionLostError):
        return False  # the cause may be this request
    return isinstance(error, ServerUnreachableError | AuthenticationError | MaintenanceError)
