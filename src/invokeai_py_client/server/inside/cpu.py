"""Let torch work on processors that report instructions they do not support."""

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
    """Disable AMX instructions in torch if the processor reports them but does not support them.

    Some virtual machines have such processors. There, the first bfloat16 product on the CPU (of a FLUX model, for
    example) would kill the server with SIGILL.

    Returns:
        Whether AMX was disabled.
    """
    try:
        on_cpu = "+cpu" in metadata.version("torch")
        announced = "amx_bf16" in _PROCESSOR.read_text(encoding="ascii", errors="replace")
    except (metadata.PackageNotFoundError, OSError):
        return False
    if not (on_cpu and announced) or _LIMIT in os.environ or _multiplies():
        return False
    os.environ[_LIMIT] = _WITHOUT_AMX  # torch reads it later
    sys.stderr.write("This machine reports AMX but does not support it. torch runs without it.\n")
    return True


def _multiplies() -> bool:
    """Whether a child process can multiply bfloat16 matrices."""
    import torch

    child = os.fork()
    if child == 0:
        matrix = torch.ones(64, 64, dtype=torch.bfloat16)
        torch.mm(matrix, matrix)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != -signal.SIGILL
