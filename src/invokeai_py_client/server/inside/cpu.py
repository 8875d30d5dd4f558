"""Let torch work on processors that promise more than they do."""

# pyright: basic, reportMissingImports=false

from __future__ import annotations

import os
import signal
import sys
from importlib import metadata
from pathlib import Path

_PROCESSOR = Path("/proc/cpuinfo")
_LIMIT = "ONEDNN_MAX_CPU_ISA"
_WITHOUT_AMX = "AVX512_CORE_FP16"


def avoid_broken_amx() -> bool:
    """Keep torch from AMX instructions where the processor announces them, but ends programs that use them.

    Some virtual machines do so. There the first bfloat16 product on the CPU (a FLUX model's, say) would kill the
    server with SIGILL.

    Returns:
        Whether AMX is switched off.
    """
    try:
        on_cpu = "+cpu" in metadata.version("torch")
        announced = "amx_bf16" in _PROCESSOR.read_text(encoding="ascii", errors="replace")
    except (metadata.PackageNotFoundError, OSError):
        return False
    if not (on_cpu and announced) or _LIMIT in os.environ or _multiplies():
        return False
    os.environ[_LIMIT] = _WITHOUT_AMX  # read when torch first needs it, which is later
    sys.stderr.write("This machine announces AMX, but cannot do it; torch goes without.\n")
    return True


def _multiplies() -> bool:
    """Whether a child process survives a product of bfloat16 matrices."""
    import torch

    child = os.fork()
    if child == 0:
        matrix = torch.ones(64, 64, dtype=torch.bfloat16)
        torch.mm(matrix, matrix)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != -signal.SIGILL
