"""Find uv, the fast installer, where it is at hand."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

OLDEST = (0, 6, 9)  # the first with --torch-backend


def _places() -> Iterator[str]:
    beside = Path(sys.executable).parent
    for name in ("uv", "uv.exe"):
        if (beside / name).is_file():
            yield str(beside / name)
    if found := shutil.which("uv"):
        yield found


def ask_uv(uv: str | Path, *words: str) -> str | None:
    """Return what a uv prints for a command, or None if it cannot be run, fails or does not end."""
    try:
        answer = subprocess.run(
            [str(uv), *words],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout if answer.returncode == 0 else None


def works(path: str | Path) -> bool:
    """Tell whether a uv runs and is new enough."""
    match = re.match(r"uv (\d+)\.(\d+)\.(\d+)", ask_uv(path, "--version") or "")
    return match is not None and tuple(map(int, match.groups())) >= OLDEST


def find_uv() -> Path | None:
    """Return the uv of our own Python or the one on the PATH."""
    return next((Path(place) for place in _places() if works(place)), None)
