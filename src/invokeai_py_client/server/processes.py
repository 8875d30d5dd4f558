"""Start processes in their own group, identify them later, and end them with their children."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from invokeai_py_client._atomic import open_unlinked


def spawn(
    command: Sequence[str | Path], *, log: Path, environ: Mapping[str, str], leashed: bool
) -> subprocess.Popen[bytes]:
    """Start a process in a new group, with its output going to a file.

    Args:
        command: Program and arguments.
        log: Output file. An existing file is overwritten.
        environ: Environment variables.
        leashed: Whether its standard input is a pipe, which closes when this process dies for any reason.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP
        if not leashed:
            flags |= subprocess.DETACHED_PROCESS
    with open_unlinked(log, "w") as out:
        return subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.PIPE if leashed else subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=dict(environ),
            start_new_session=os.name == "posix",
            creationflags=flags,
        )


def output_of(program: str | Path, *words: str) -> str | None:
    """Return the output of a program, or None if it cannot be run, fails or does not finish in time."""
    try:
        response = subprocess.run(
            [str(program), *words],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return response.stdout if response.returncode == 0 else None


def identity(pid: int) -> str | None:
    """Return a text that identifies a process, or None if the process has ended (or is a zombie).

    The process number alone is not enough, because the system reuses numbers.
    """
    if sys.platform == "win32":
        return _identity_windows(pid)
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            return None
        return (
            None if fields[0] in "ZX" else f"{pid}@{fields[19]}"
        )  # field 22: start time in ticks since boot
    return _identity_ps(pid)


def _identity_ps(pid: int) -> str | None:
    """Return a process's identity on systems without ``/proc``, such as macOS."""
    response = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        # lstart is local time in the user's language. Fix both, so that every shell sees the same text.
        env={**os.environ, "LC_ALL": "C", "TZ": "UTC0"},
    )
    state, _, started = response.stdout.strip().partition(" ")
    return None if not started or state.startswith("Z") else f"{pid}@{started.strip()}"


if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    def _identity_windows(pid: int) -> str | None:
        kernel = ctypes.windll.kernel32
        handle = kernel.OpenProcess(0x1000, False, pid)  # PROCESS_QUERY_LIMITED_INFORMATION
        if not handle:
            return None
        try:
            code = wintypes.DWORD()
            times = [wintypes.FILETIME() for _ in range(4)]
            if not kernel.GetExitCodeProcess(handle, ctypes.byref(code)) or code.value != 259:  # STILL_ACTIVE
                return None
            kernel.GetProcessTimes(handle, *(ctypes.byref(each) for each in times))
            return f"{pid}@{times[0].dwHighDateTime}.{times[0].dwLowDateTime}"
        finally:
            kernel.CloseHandle(handle)


def _group_lives(pid: int) -> bool:
    """Whether any process of a group is running. Zombies do not count."""
    try:
        os.killpg(pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    if not Path("/proc/self/stat").exists():
        return True
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            if int(fields[2]) == pid and fields[0] not in "ZX":
                return True
    return False


def end_group(pid: int, *, grace: float, child: subprocess.Popen[bytes] | None = None) -> None:
    """End a process that ``spawn()`` started and its children: first with SIGTERM, then with SIGKILL.

    Args:
        pid: Process number.
        grace: Seconds between the two signals.
        child: The process if this process started it, to collect its exit status.
    """
    if sys.platform == "win32":
        with contextlib.suppress(OSError):
            os.kill(pid, signal.CTRL_BREAK_EVENT)
        deadline = time.monotonic() + grace
        while identity(pid) is not None and time.monotonic() < deadline:
            time.sleep(0.05)
        subprocess.run(["taskkill", "/PID", str(pid), "/T", "/F"], capture_output=True, check=False)
    else:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGTERM)
        deadline = time.monotonic() + grace
        while _group_lives(pid) and time.monotonic() < deadline:
            _collect(child)
            time.sleep(0.02)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
    if child is not None:
        if child.stdin is not None:
            child.stdin.close()
        child.wait()
        return
    deadline = time.monotonic() + 10
    while identity(pid) is not None and time.monotonic() < deadline:
        time.sleep(0.02)


def _collect(child: subprocess.Popen[bytes] | None) -> None:
    if child is not None:
        child.poll()


_COLORS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def tail(path: Path, lines: int = 20, *, at_most: int = 262_144) -> str:
    """Return the last lines of a file without color codes, or "" if the file does not exist.

    Args:
        path: File.
        lines: Number of lines. Defaults to 20.
        at_most: Number of bytes at the end of the file to read.
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
    return "\n".join(_COLORS.sub("", text).rstrip().splitlines()[-lines:])
