"""``make demo`` against a running server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from PIL import Image as Pillow

REPOSITORY = Path(__file__).parents[2]


def test_demo_saves_images_with_embedded_workflows(server: Any, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(REPOSITORY / "demo" / "demo.py")],
        cwd=tmp_path,
        env={**os.environ, "INVOKEAI_URL": server.url},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ivk run" in done.stdout
    assert (tmp_path / "demo-output" / "first.png").exists()
    pictures = sorted((tmp_path / "demo-output").glob("*.png"))
    assert len(pictures) >= 9
    for path in pictures:
        with Pillow.open(path) as picture:
            picture.load()
            if path.name != "sheet.png":
                assert picture.size == (256, 256)
                assert "invokeai_workflow" in picture.info
