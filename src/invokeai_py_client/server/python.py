"""Find a Python that can run InvokeAI."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from invokeai_py_client._paths import home_folder
from invokeai_py_client.errors import PythonNotFoundError
from invokeai_py_client.server.processes import output_of

_ASK = (
    "import sys,sysconfig;"
    "print(sys.version_info[0],sys.version_info[1],sys.version_info[2],sys.implementation.name,"
    "sys._base_executable if hasattr(sys,'_base_executable') else sys.executable,sep='\\t')"
)


@dataclass(frozen=True, slots=True)
class Python:
    """A working Python interpreter.

    Attributes:
        path: Interpreter outside any virtual environment.
        version: Major, minor and patch number.
    """

    path: Path
    version: tuple[int, int, int]

    @property
    def minor(self) -> tuple[int, int]:
        """The major and minor number."""
        return self.version[:2]

    def __str__(self) -> str:
        return f"Python {'.'.join(map(str, self.version))} ({self.path})"


def ask(command: Sequence[str | Path]) -> Python | None:
    """Run an interpreter and return its path and version, or None if it does not work.

    A file on the PATH may not work: pyenv installs a ``python3.12`` that only prints an error, and Windows has a
    ``python`` that opens the Microsoft Store.
    """
    try:
        response = subprocess.run(
            [*map(str, command), "-I", "-c", _ASK],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired, ValueError):
        return None
    words = response.stdout.strip().split("\t")
    if response.returncode != 0 or len(words) != 5 or words[3] != "cpython":
        return None
    major, minor, patch = (int(word) for word in words[:3])
    return Python(Path(words[4]), (major, minor, patch))


def candidates(wanted: Iterable[tuple[int, int]]) -> Iterator[Sequence[str | Path]]:
    """Yield commands that may run one of the wanted Python versions, most likely first."""
    yield [sys.executable]
    names = [f"{major}.{minor}" for major, minor in wanted]
    for name in names:
        if found := shutil.which(f"python{name}"):
            yield [found]
    for name in names:
        yield from ([path] for path in _pyenv(name))
    if os.name == "nt" and (launcher := shutil.which("py")):
        for name in names:
            yield [launcher, f"-{name}"]
    for name in names:
        yield from ([path] for path in _known_places(name))
    if uv := shutil.which("uv"):
        for name in names:
            if path := _from_uv(uv, name):
                yield [path]
    for name in ("python3", "python"):
        if found := shutil.which(name):
            yield [found]


def _pyenv(name: str) -> list[Path]:
    chosen, user = os.environ.get("PYENV_ROOT"), home_folder()
    if not chosen and user is None:
        return []
    home = Path(chosen) if chosen else (user or Path()) / ".pyenv"
    if os.name == "nt":
        return sorted(home.glob(f"pyenv-win/versions/{name}.*/python.exe"), reverse=True)
    return sorted(home.glob(f"versions/{name}.*/bin/python"), reverse=True)


def _known_places(name: str) -> list[Path]:
    places = [
        Path(f"{folder}/python{name}") for folder in ("/usr/bin", "/usr/local/bin", "/opt/homebrew/bin")
    ]
    return [place for place in places if place.exists()]


def _from_uv(uv: str, name: str) -> Path | None:
    path = (output_of(uv, "--no-python-downloads", "python", "find", "--system", name) or "").strip()
    return Path(path) if path else None


def find_python(
    wanted: Sequence[tuple[int, int]] = ((3, 11), (3, 12)), *, prefer: tuple[int, int] | None = None
) -> Python:
    """Find an interpreter of one of the wanted versions.

    Args:
        wanted: Acceptable versions. Defaults to 3.11 and 3.12.
        prefer: Version to prefer. Defaults to None.

    Raises:
        PythonNotFoundError: No such interpreter was found. The message says how to install one.
    """
    order = sorted(wanted, key=lambda version: version != prefer)
    second: Python | None = None
    seen: list[str] = []
    for command in candidates(order):
        found = ask(command)
        if found is None:
            continue
        seen.append(".".join(map(str, found.version)))
        if found.minor not in wanted:
            continue
        if prefer is None or found.minor == prefer:
            return found
        second = second or found
    if second is not None:
        return second
    raise PythonNotFoundError(_install_instructions(wanted, seen))


def _install_instructions(wanted: Sequence[tuple[int, int]], seen: Sequence[str]) -> str:
    names = " or ".join(f"{major}.{minor}" for major, minor in wanted)
    best = ".".join(map(str, wanted[-1]))
    found = f" (found: {', '.join(dict.fromkeys(seen))})" if seen else ""
    ways = [f"`uv python install {best}`"]
    if sys.platform == "win32":
        ways.append(f"`winget install Python.Python.{best}`")
    elif sys.platform == "darwin":
        ways.append(f"`brew install python@{best}`")
    else:
        ways.append(f"`apt install python{best} python{best}-venv` (or your distribution's equivalent)")
    ways.append("download it from https://www.python.org/downloads/")
    return (
        f"InvokeAI needs Python {names}, which was not found{found}. "
        f"Install it with one of these, then try again: {', '.join(ways)}."
    )
