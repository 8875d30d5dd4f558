"""Writing a file so that readers see the old one or the new one, never a part of it."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Self

_LONGEST_SUFFIX = 20


class Draft:
    """A file that is written under a temporary name beside its target, and renamed when it is complete.

    Use it as a context manager: what ``keep()`` was not called for is removed at the end of the block.

    Attributes:
        target: The file that it becomes.
    """

    def __init__(self, target: Path, *, mode: int = 0o666) -> None:
        """Open the temporary file. Its folder has to exist.

        Args:
            target: The file that it becomes.
            mode: The file's permissions, less the umask. Defaults to those of any new file.

        Raises:
            OSError: Nothing can be written there.
        """
        self.target = target
        # The name is short, because the target's may be as long as names can be. It has the target's suffix, so that
        # whoever tidies up by suffix also finds what a killed process left.
        self._temporary = target.with_name(f".{os.urandom(8).hex()}{target.suffix[:_LONGEST_SUFFIX]}.part")
        self._kept = False
        self._file = open(self._temporary, "xb", opener=partial(os.open, mode=mode))  # noqa: SIM115

    def write(self, data: bytes) -> None:
        """Append data.

        Raises:
            OSError: The disk is full or broken.
        """
        self._file.write(data)

    def keep(self) -> None:
        """Close the file and give it its name, replacing what had that name.

        Raises:
            OSError: The disk is full, or a folder has that name.
        """
        self._file.close()
        self._temporary.replace(self.target)
        self._kept = True

    def discard(self) -> None:
        """Remove the file, unless it was kept.

        Raises:
            OSError: It cannot be removed.
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
    """Write a whole file at once, atomically.

    Args:
        target: The file. Its folder has to exist.
        data: The file's content.
        mode: The file's permissions, less the umask. Defaults to those of any new file.

    Raises:
        OSError: It cannot be written.
    """
    with Draft(target, mode=mode) as draft:
        draft.write(data)
        draft.keep()
