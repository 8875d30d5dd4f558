"""Writing files for users: whole or not at all, with an error that names the file."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from invokeai_py_client._atomic import Draft
from invokeai_py_client.errors import UsageError


class AtomicFile(Draft):
    """A file that appears under its name only when it is whole."""

    def __init__(self, target: Path) -> None:
        """Open a temporary file beside the target. Missing folders are created.

        Raises:
            UsageError: Nothing can be written there.
        """
        with _file_errors(target):
            try:
                super().__init__(target)
            except FileNotFoundError:
                target.parent.mkdir(parents=True, exist_ok=True)
                super().__init__(target)

    def write(self, data: bytes) -> None:
        """Append data.

        Raises:
            UsageError: The disk is full or broken.
        """
        with _file_errors(self.target):
            super().write(data)

    def keep(self) -> None:
        """Close the file and give it its name, replacing what had that name.

        Raises:
            UsageError: The disk is full, or a folder has that name.
        """
        with _file_errors(self.target):
            super().keep()

    def discard(self) -> None:
        """Remove the file, unless it was kept.

        Raises:
            UsageError: It cannot be removed.
        """
        with _file_errors(self.target):
            super().discard()


def write_atomically(target: Path, data: bytes) -> None:
    """Write a whole file at once, atomically. Missing folders are created.

    Raises:
        UsageError: It cannot be written.
    """
    with AtomicFile(target) as file:
        file.write(data)
        file.keep()


@contextmanager
def _file_errors(target: Path) -> Generator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"The file {str(target)!r} cannot be written: {reason}.") from None
