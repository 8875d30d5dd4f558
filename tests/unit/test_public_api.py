"""The public API changes only on purpose."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_public_api_is_what_is_written_down() -> None:
    """Where a change is meant: ``python tools/public_api.py``, and a line in the changelog."""
    command = [sys.executable, str(ROOT / "tools" / "public_api.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
