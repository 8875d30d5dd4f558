"""Environments in which ``ivk`` is run, from a container without users to a terminal of one column, and commands."""

from __future__ import annotations

import os
import pty
import resource
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

UID = 54321
"""A user without an entry in /etc/passwd."""
FULL = Path("/dev/full")


@dataclass(frozen=True)
class Environment:
    """How a process runs.

    Attributes:
        name: The name in test ids.
        variables: Environment variables to set, or to remove if None. ``{folder}`` is the folder of the test.
        stranger: Whether to run as a user without an entry in /etc/passwd, who can read everything and write nothing.
        terminal: Whether standard output and standard error are a terminal.
        stdout: A file for standard output. Defaults to a pipe.
        stderr: A file for standard error. Defaults to a pipe.
        closed: Whether the standard streams are closed.
        largest_file: The largest size of a file in bytes, as on a full disk.
        gone: Whether the current folder is deleted.
        writable: Whether files can be written to the current folder.
        config: Whether the configuration file can be written.
        shares: Whether the cache may be that of the user who runs the tests, in which other servers may be recorded.
        encoding: The encoding of the output.
    """

    name: str
    variables: Mapping[str, str | None] = field(default_factory=dict[str, str | None])
    stranger: bool = False
    terminal: bool = False
    stdout: Path | None = None
    stderr: Path | None = None
    closed: bool = False
    largest_file: int | None = None
    gone: bool = False
    writable: bool = True
    config: bool = True
    shares: bool = False
    encoding: str = "utf-8"


def stranger(
    name: str, *, writable: bool = False, config: bool = False, **variables: str | None
) -> Environment:
    return Environment(name, variables, stranger=True, writable=writable, config=config)


def terminal(name: str, **variables: str | None) -> Environment:
    return Environment(name, {"TERM": "xterm-256color", **variables}, terminal=True)


_NO_UTF8 = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}

ENVIRONMENTS = (
    stranger("unknown user without HOME", HOME=None),
    stranger("unknown user with an empty HOME", HOME="", TERM=None),
    stranger("unknown user with a missing HOME", HOME="/nonexistent/home", TMPDIR="/nonexistent/tmp"),
    replace(stranger("unknown user with the HOME of root", HOME="/root", LC_ALL="C"), shares=True),
    stranger("unknown user with places of its own", HOME="{folder}/own", writable=True, config=True),
    Environment(
        "HOME is a tilde",
        {"HOME": "~", "XDG_CACHE_HOME": "~/cache", "XDG_CONFIG_HOME": None},
        config=False,
        shares=True,
    ),
    Environment(
        "HOME is relative",
        {"HOME": "here", "XDG_CACHE_HOME": "{folder}/c", "XDG_DATA_HOME": "~"},
        config=False,
    ),
    Environment(
        "places are devices",
        {"HOME": "/dev/null", "INVOKEAI_CONFIG": "/dev/full/x", "INVOKEAI_CLIENT_CACHE": "/dev/full"},
        config=False,
    ),
    Environment("C locale", {**_NO_UTF8, "LC_ALL": "C", "LANG": None}, encoding="ascii"),
    Environment(
        "ASCII without replacements", {"PYTHONIOENCODING": "ascii:strict", "COLUMNS": "0"}, encoding="ascii"
    ),
    Environment("Windows code page", {**_NO_UTF8, "PYTHONIOENCODING": "cp1252"}, encoding="cp1252"),
    terminal("dumb terminal", TERM="dumb"),
    terminal("terminal of one column", COLUMNS="1", LINES="1"),
    terminal("terminal with a wrong size in ASCII", COLUMNS="-7", LINES="x", PYTHONIOENCODING="ascii"),
    terminal("very wide terminal without colors", COLUMNS="2000", NO_COLOR="1", TERM="vt100"),
    Environment("full standard output", stdout=FULL),
    Environment("full standard error", {"PYTHONUNBUFFERED": "1"}, stderr=FULL),
    Environment("closed streams", closed=True),
    Environment("full disk", largest_file=0, writable=False, config=False),
    Environment(
        "deleted folder in developer mode",
        {"PYTHONDEVMODE": "1", "PYTHONWARNINGS": "always"},
        gone=True,
        writable=False,
    ),
)


@dataclass(frozen=True)
class Case:
    """A command.

    Attributes:
        words: The command line. ``{url}``, ``{folder}`` and ``{board}`` are replaced.
        code: The exit code in an ordinary environment.
        writes: Whether the command writes files to the current folder.
        config: Whether the command writes the configuration file.
        silent: Whether the command prints nothing to standard output in an ordinary environment.
    """

    words: tuple[str, ...]
    code: int = 0
    writes: bool = False
    config: bool = False
    silent: bool = False

    def codes(self, environment: Environment) -> set[int]:
        """Return the correct exit codes in an environment."""
        if (self.writes and not environment.writable) or (self.config and not environment.config):
            return {1, 2}
        if self.words == ("server", "status") and environment.shares:
            return {0, self.code}
        if environment.stdout is not None and not self.silent:
            return {self.code or 1}
        return {self.code}


WORKFLOW = "{folder}/workflow.json"
CASES = (
    Case(("inputs", WORKFLOW)),
    Case(("graph", WORKFLOW)),
    Case(("codegen", WORKFLOW, "-o", "module.py"), writes=True, silent=True),
    Case(("run", WORKFLOW, "-o", "out"), writes=True),
    Case(("sweep", WORKFLOW, "-s", "0=a || b", "-o", "sweep"), writes=True),
    Case(("images", "ls", "--board", "{board}", "--json")),
    Case(("images", "export", "exported", "--board", "{board}"), writes=True),
    Case(("boards", "ls")),
    Case(("queue", "status")),
    Case(("doctor",)),
    Case(("config",)),
    Case(("login", "{url}", "--profile", "fuzz"), config=True),
    Case(("server", "status"), 1),
    Case(("inputs", "~nobody-of-that-name/x.json"), 2, silent=True),
    Case(("queue", "status", "--url", "http://127.0.0.1:1", "--json"), 3),
)


@dataclass(frozen=True)
class Done:
    """The result of a process: its exit code and everything that it printed."""

    code: int
    out: str
    err: str


def can_be_another_user() -> bool:
    """Return whether this process can start others as another user that can still read our Python."""
    return os.getuid() == 0 and shutil.which("setpriv") is not None


def run_in(environment: Environment, words: list[str], folder: Path, url: str) -> Done:
    """Run ``ivk`` in an environment.

    Args:
        environment: The environment.
        words: The arguments.
        folder: The folder of the test. The process runs in a new folder below it.
        url: The server.
    """
    if environment.stranger and not can_be_another_user():
        pytest.skip("only root can start a process as another user")
    if FULL in (environment.stdout, environment.stderr) and not FULL.exists():
        pytest.skip("there is no /dev/full")
    place = folder / "place"
    if environment.stranger and environment.writable:
        os.chown(place, UID, UID)
        (folder / "own").mkdir(exist_ok=True)
        os.chown(folder / "own", UID, UID)
    command = [sys.executable, "-m", "invokeai_py_client.cli.main", *words]
    if environment.stranger:
        ids = ["--reuid", str(UID), "--regid", str(UID), "--clear-groups"]
        # It may read everything, because our Python may be in a private folder, but not write.
        command = [
            "setpriv",
            *ids,
            "--inh-caps",
            "+dac_read_search",
            "--ambient-caps",
            "+dac_read_search",
            *command,
        ]
    return _run(environment, command, place, _variables(environment, folder, url))


def _variables(environment: Environment, folder: Path, url: str) -> dict[str, str]:
    home = {"HOME": str(folder / "home"), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "INVOKEAI_URL": url}
    chosen = {**home, "PYTHONPATH": os.environ.get("PYTHONPATH"), **environment.variables}
    return {name: text.replace("{folder}", str(folder)) for name, text in chosen.items() if text is not None}


def _run(environment: Environment, command: list[str], place: Path, variables: dict[str, str]) -> Done:
    before = _preparation(environment, place)
    if environment.terminal:
        return _in_terminal(command, place, variables, before)
    streams = [
        path.open("wb") if path else subprocess.PIPE for path in (environment.stdout, environment.stderr)
    ]
    if environment.closed:
        streams = [None, None]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=streams[0],
            stderr=streams[1],
            cwd=place,
            env=variables,
            preexec_fn=before,
            timeout=120,
            check=False,
        )
    finally:
        for stream in streams:
            if not isinstance(stream, int | None):
                stream.close()
    encoding = environment.encoding
    return Done(done.returncode, (done.stdout or b"").decode(encoding), (done.stderr or b"").decode(encoding))


def _preparation(environment: Environment, place: Path) -> Callable[[], None]:
    def prepare() -> None:
        if environment.largest_file is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (environment.largest_file, environment.largest_file))
        if environment.gone:
            shutil.rmtree(place)
        if environment.closed:
            for descriptor in (0, 1, 2):
                os.close(descriptor)

    return prepare


def _in_terminal(
    command: list[str], place: Path, variables: dict[str, str], before: Callable[[], None]
) -> Done:
    master, slave = pty.openpty()
    pieces: list[bytes] = []

    def read() -> None:
        while True:
            try:
                piece = os.read(master, 65536)
            except OSError:  # Linux reports the end of a terminal as EIO
                return
            if not piece:
                return
            pieces.append(piece)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        done = subprocess.run(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=place,
            env=variables,
            preexec_fn=before,
            timeout=120,
            check=False,
        )
    finally:
        os.close(slave)
        reader.join()
        os.close(master)
    text = b"".join(pieces).decode("utf-8", "replace")
    return Done(done.returncode, text, text)
