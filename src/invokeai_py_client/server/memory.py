"""The memory of this machine, and of a local server's processes."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from invokeai_py_client.server.gpus import gpu_memory


@dataclass(frozen=True, slots=True)
class ServerMemory:
    """The memory that a local server uses.

    Attributes:
        resident: Memory of its processes in bytes, or None if it is unknown, as on Windows.
        gpu: GPU memory of its processes in bytes, or None if it is unknown or the server uses no GPU.
    """

    resident: int | None
    gpu: int | None


def memory_of(group: int) -> ServerMemory:
    """Return the memory of a process that ``spawn()`` started, with its child processes.

    Args:
        group: The number of the process, which is also that of its process group.
    """
    sizes = _resident_sizes(group)
    return ServerMemory(sum(sizes.values()) if sizes else None, gpu_memory([group, *sizes]))


def machine_memory() -> int | None:
    """Return this machine's memory in bytes, or None if it is unknown."""
    if sys.platform == "win32":
        return None
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return None


def _resident_sizes(group: int) -> dict[int, int]:
    """Return the resident memory of each process of a group, in bytes, by process number."""
    if Path("/proc/self/stat").exists():
        return dict(
            filter(None, (_resident_linux(stat, group) for stat in Path("/proc").glob("[0-9]*/stat")))
        )
    if sys.platform == "win32":
        return {}
    listed = subprocess.run(
        ["ps", "-axo", "pgid=,pid=,rss="],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    rows = [line.split() for line in listed.stdout.splitlines()]
    return {int(row[1]): int(row[2]) * 1024 for row in rows if len(row) == 3 and row[0] == str(group)}


def _resident_linux(stat: Path, group: int) -> tuple[int, int] | None:
    try:
        fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:  # the process has ended
        return None
    if int(fields[2]) != group or fields[0] in "ZX":  # fields 5 and 3 of the file
        return None
    return int(stat.parent.name), int(fields[21]) * os.sysconf("SC_PAGE_SIZE")  # field 24
