"""Is there an NVIDIA graphics card?"""

from __future__ import annotations

import shutil
import subprocess


def has_nvidia_gpu() -> bool:
    """Tell whether an NVIDIA card with a working driver is present, by asking the driver's own tool."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return False
    try:
        found = subprocess.run(
            [tool, "-L"], capture_output=True, text=True, timeout=20, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return found.returncode == 0 and "GPU" in found.stdout
