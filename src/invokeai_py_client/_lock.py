"""A lock between processes, released by the operating system if its owner dies."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from invokeai_py_client._atomic import open_unlinked

if sys.platform == "win32":
    import msvcrt

    def _try(file: FileIO) -> bool:
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def _try(file: FileIO) -> bool:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


@contextmanager
def locked(path: Path, waiting: Callable[[], None] | None = None) -> Generator[None]:
    """Hold the lock of a file, waiting while another process holds it.

    Args:
        path: Lock file. It is kept, empty, after the lock is released.
        waiting: Called once before waiting.

    Raises:
        OSError: The lock file cannot be created or locked, or is a symbolic link.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open_unlinked(path, "a") as file:
        file.seek(0)
        if not _try(file):
            if waiting is not None:
                waiting()
            while not _try(file):
                time.sleep(0.2)
        yield  # closing the file releases the lock
