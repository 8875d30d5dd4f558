"""Ids of batches, by which a client recognizes the queue items that it sent."""

from __future__ import annotations

import getpass
import hashlib
import socket
import uuid
from functools import cache


def new_batch_id() -> str:
    """Return a random UUID whose last twelve digits identify the user and the machine."""
    return str(uuid.uuid4())[:-12] + _sender()


def is_sent_from_here(batch_id: str | None) -> bool:
    """Return whether this user sent a batch from this machine, with this package."""
    return batch_id is not None and len(batch_id) == 36 and batch_id.endswith(f"-{_sender()}")


@cache
def _sender() -> str:
    """Return twelve hexadecimal digits for the user and the machine. They reveal neither name."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):
        user = ""  # in a container, the user may have no name
    return hashlib.sha256(f"{user}@{socket.gethostname()}".encode(errors="replace")).hexdigest()[:12]
