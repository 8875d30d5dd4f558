"""The NVIDIA GPUs of this machine, as nvidia-smi lists them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from invokeai_py_client.server.processes import output_of

MIB = 2**20


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU.

    Attributes:
        id: Its UUID, which ``CUDA_VISIBLE_DEVICES`` accepts.
        index: Its number in nvidia-smi.
        name: Its name, such as "NVIDIA GeForce RTX 4090".
        memory: Its memory in bytes.
    """

    id: str
    index: str
    name: str
    memory: int


def list_gpus(environ: Mapping[str, str] = os.environ) -> list[Gpu]:
    """Return the GPUs that programs can use. Empty without nvidia-smi, or if it fails.

    Args:
        environ: Environment variables. ``CUDA_VISIBLE_DEVICES`` limits and orders the GPUs, as a cluster's scheduler
            does.
    """
    rows = _query("--query-gpu=uuid,index,name,memory.total", columns=4)
    found = [Gpu(row[0], row[1], row[2], int(row[3]) * MIB) for row in rows if row[3].isdecimal()]
    visible = environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return found
    chosen: list[Gpu] = []
    for word in (part.strip() for part in visible.split(",")):
        gpu = next((gpu for gpu in found if word and (gpu.index == word or gpu.id.startswith(word))), None)
        if gpu is None:  # CUDA ignores the rest of the list
            break
        chosen.append(gpu)
    return chosen


def gpu_memory(processes: Iterable[int]) -> int | None:
    """Return the GPU memory that processes use, in bytes, or None if it is unknown.

    nvidia-smi does not list the processes of other containers, and Windows does not report their memory.
    """
    wanted = {str(process) for process in processes}
    rows = _query("--query-compute-apps=pid,used_memory", columns=2)
    used = [int(row[1]) * MIB for row in rows if row[0] in wanted and row[1].isdecimal()]
    return sum(used) if used else None


def _query(query: str, *, columns: int) -> list[list[str]]:
    """Return the cells of nvidia-smi's response, or nothing if it cannot be run."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    output = output_of(tool, query, "--format=csv,noheader,nounits") or ""
    rows = [[cell.strip() for cell in line.split(",")] for line in output.splitlines()]
    return [row for row in rows if len(row) == columns]
