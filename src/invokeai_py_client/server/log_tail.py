"""The end of a log file."""

from __future__ import annotations

import os
import re
from pathlib import Path

_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def tail(path: Path, lines: int = 20, *, at_most: int = 262_144) -> str:
    """Return the last lines of a file, without colour codes; empty where there is no file.

    Args:
        path: The file.
        lines: How many lines.
        at_most: How many bytes from the end are looked at.
    """
    if lines <= 0:
        return ""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - at_most))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
    return "\n".join(_COLOURS.sub("", text).rstrip().splitlines()[-lines:])
