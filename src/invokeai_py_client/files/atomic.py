"""Atomic writing of users' files, with errors that name the file."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from invokeai_py_client._atomic import Draft
from invokeai_py_client._paths import exists, is_folder, user_path
from invokeai_py_client.errors import UsageError


class AtomicFile(Draft):
    """A file that gets its name only when it is complete."""

    def __init__(self, target: Path) -> None:
        """Open a temporary file in the folder of the target. Missing folders are created.

        Raises:
            UsageError: The folder cannot be written to.
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
            UsageError: The data cannot be written, for example because the disk is full.
        """
        with _file_errors(self.target):
            super().write(data)

    def content(self) -> bytes:
        """Close the file and return its content.

        Raises:
            UsageError: The disk is full or broken.
        """
        with _file_errors(self.target):
            return super().content()

    def keep(self) -> None:
        """Close the file and rename it to the target, replacing an existing file.

        Raises:
            UsageError: The disk is full, or the target is a folder.
        """
        with _file_errors(self.target):
            super().keep()

    def discard(self) -> None:
        """Delete the temporary file, unless it was kept.

        Raises:
            UsageError: The temporary file cannot be deleted.
        """
        with _file_errors(self.target):
            super().discard()


def write_atomically(target: Path, data: bytes) -> None:
    """Write a file atomically. Missing folders are created.

    Raises:
        UsageError: The file cannot be written.
    """
    with AtomicFile(target) as file:
        file.write(data)
        file.keep()


def file_target(path: str | os.PathLike[str]) -> Path:
    """Return the path of a file to write.

    Raises:
        UsageError: The path is not valid, or is a folder.
    """
    target = user_path(path)
    if is_folder(target) or str(path).endswith(("/", os.sep)):
        raise UsageError(f"Cannot write the file {str(path)!r}: it is a folder. Add a file name.")
    return target


def check_writable(target: Path) -> None:
    """Check that a file can be created, before something is run whose result it will contain. Nothing is created.

    Raises:
        UsageError: The folder, or the folder in which it would be created, cannot be written to.
    """
    folder = next((one for one in target.parents if exists(one)), Path())
    with AtomicFile(folder / target.name):
        pass


@contextmanager
def _file_errors(target: Path) -> Generator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"Cannot write the file {str(target)!r}: {reason}.") from None
