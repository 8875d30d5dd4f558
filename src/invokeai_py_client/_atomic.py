"""Atomic writing of files: readers see the old content or the new content, never a part of it."""

from __future__ import annotations

import errno
import os
from functools import partial
from io import FileIO
from pathlib import Path
from typing import Self

_LONGEST_SUFFIX = 20
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0)  # Windows has no such flag


class Draft:
    """A file that is written under a temporary name next to its target and renamed when it is complete.

    Use it as a context manager. Unless ``keep()`` is called, the temporary file is removed at the end of the block.

    Attributes:
        target: The final path of the file.
    """

    def __init__(self, target: Path, *, mode: int = 0o666) -> None:
        """Open the temporary file. The folder must exist.

        Args:
            target: The final path of the file.
            mode: The file's permissions, before the umask. Defaults to those of any new file.

        Raises:
            OSError: The folder does not exist or is not writable, or the target is a device or a pipe.
        """
        if target.exists() and not (target.is_file() or target.is_dir()):
            # Renaming a file to /dev/null or to a named pipe would replace the device.
            raise OSError(errno.EINVAL, "Not a regular file", str(target))
        self.target = target
        # The temporary name is short, because the target's name may have the maximum length. It contains the target's
        # suffix, so that cleaning up by suffix also finds files that a killed process left behind.
        self._temporary = target.with_name(f".{os.urandom(8).hex()}{target.suffix[:_LONGEST_SUFFIX]}.part")
        self._kept = False
        self._file = open(self._temporary, "xb", opener=partial(os.open, mode=mode))  # noqa: SIM115

    def write(self, data: bytes) -> None:
        """Append data.

        Raises:
            OSError: The disk is full or broken.
        """
        self._file.write(data)

    def content(self) -> bytes:
        """Close the file and return its content. Nothing can be written afterwards.

        Raises:
            OSError: The disk is full or broken.
        """
        self._file.close()
        return self._temporary.read_bytes()

    def keep(self) -> None:
        """Close the file and rename it to the target, replacing an existing file.

        Raises:
            OSError: The disk is full, or the target is a folder.
        """
        self._file.close()
        self._temporary.replace(self.target)
        self._kept = True

    def discard(self) -> None:
        """Remove the temporary file, unless ``keep()`` was called.

        Raises:
            OSError: The file cannot be removed.
        """
        if self._kept:
            return
        try:
            self._file.close()
        finally:
            self._temporary.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.discard()


def write_draft(target: Path, data: bytes, *, mode: int = 0o666) -> None:
    """Write a whole file atomically.

    Args:
        target: The path of the file. Its folder must exist.
        data: The file's content.
        mode: The file's permissions, before the umask. Defaults to those of any new file.

    Raises:
        OSError: The file cannot be written.
    """
    with Draft(target, mode=mode) as draft:
        draft.write(data)
        draft.keep()


def open_unlinked(path: Path, mode: str, *, create: bool = True) -> FileIO:
    """Open a file that is written in place, such as a log or a lock. Symbolic links are not followed.

    Args:
        path: The path of the file.
        mode: The mode, as for ``open()``. Files are binary and not buffered.
        create: Whether to create a missing file if the mode does. Defaults to True.

    Raises:
        OSError: The file cannot be opened, or is a symbolic link.
    """

    def opener(name: str, flags: int) -> int:
        try:
            return os.open(name, (flags if create else flags & ~os.O_CREAT) | _NO_LINKS, 0o666)
        except OSError as error:
            if error.errno == errno.ELOOP and path.is_symlink():
                raise OSError(errno.ELOOP, "it is a symbolic link", name) from None
            raise

    return FileIO(path, mode, opener=opener)
