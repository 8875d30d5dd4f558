"""How several servers share the GPUs, the cores and the memory of a machine."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

from invokeai_py_client.server.gpus import Gpu

RAM_SETTING = "max_cache_ram_gb"
"""The setting for the size of the model cache."""
THREADS = "OMP_NUM_THREADS"
"""The environment variable for the number of threads of PyTorch."""

_GIB = 2**30
# InvokeAI's own limits (6.14): half of the machine's memory less 2 GB, at most that of the GPU less 3 GB, or 32 GB.
_OWN_SHARE, _BASELINE, _GPU_RESERVE, _LARGEST, _SMALLEST = 0.5, 2.0, 3.0, 32.0, 4.0


def gpu_environ(number: int, count: int, gpus: Sequence[Gpu]) -> dict[str, str]:
    """Return the environment variables that select the GPUs of a server, or nothing if there is only one GPU.

    Args:
        number: Number of the server, from 1.
        count: Number of servers.
        gpus: The GPUs of the machine.
    """
    if len(gpus) < 2 or count < 2:
        return {}
    mine = gpus[(number - 1) % len(gpus) :: count]
    return {"CUDA_VISIBLE_DEVICES": ",".join(gpu.id for gpu in mine)}


def thread_environ(count: int, cores: int | None, gpus: Sequence[Gpu]) -> dict[str, str]:
    """Return the environment variable that limits the threads of a server on a machine without NVIDIA GPUs.

    Each PyTorch uses all cores, and its threads compute while they wait for each other: without a limit, two servers
    need twice as long as one for the same tiny images on two cores.

    Args:
        count: Number of servers.
        cores: Number of CPU cores, or None if it is unknown.
        gpus: The GPUs of the machine.
    """
    if count < 2 or gpus or cores is None:
        return {}
    return {THREADS: str(max(1, cores // count))}


def ram_share(count: int, memory: int | None, gpus: Sequence[Gpu]) -> float | None:
    """Return the size of the model cache of each server in GiB, or None if the machine's memory is unknown.

    Each InvokeAI assumes to be the only one, and would use up to half of the machine's memory.

    Args:
        count: Number of servers.
        memory: The machine's memory in bytes.
        gpus: The GPUs of the machine.
    """
    if memory is None:
        return None
    share = memory / _GIB * _OWN_SHARE / count - _BASELINE
    largest = max((gpu.memory / _GIB - _GPU_RESERVE for gpu in gpus), default=_LARGEST)
    return max(_SMALLEST, math.floor(min(share, largest) * 10) / 10)


def sets_ram(root: Path | None) -> bool:
    """Return whether the user has set the size of the model cache in a root's settings."""
    settings = None if root is None else root / "invokeai.yaml"
    if settings is None or not settings.is_file():
        return False
    text = settings.read_text(encoding="utf-8", errors="replace")
    return re.search(rf"^{RAM_SETTING}:", text, re.MULTILINE) is not None
