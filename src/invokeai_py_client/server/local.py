"""A local InvokeAI server as a Python object."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from invokeai_py_client._lock import locked
from invokeai_py_client._paths import absolute_path, user_path
from invokeai_py_client.errors import StartError, UsageError
from invokeai_py_client.server import state
from invokeai_py_client.server.health import answers, free_port, is_taken
from invokeai_py_client.server.installer import Installation, install
from invokeai_py_client.server.log_signs import cleanup_failure
from invokeai_py_client.server.memory import ServerMemory, memory_of
from invokeai_py_client.server.paths import default_root, inside_folder
from invokeai_py_client.server.processes import end_group, identity, spawn, tail
from invokeai_py_client.server.releases import DEFAULT_VERSION, release

EXIT_PORT = 65  # inside/serve.py
# InvokeAI 6.14.2 vacuums its database while its queue resumes leftover items, and sometimes exits with an error.
_STARTS = 5
_NOT_FOR_SERVERS = {"VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "INVOKEAI_ROOT"}


class LocalServer:
    """A local InvokeAI server: installed on first use, started on a free port, stopped with its child processes.

    Example:
        ```python
        with LocalServer(temporary=True) as server:
            with InvokeAIClient.from_url(server.url) as client:
                print(client.version())
        ```

    The server stops when this process ends, even if the process is killed. With ``detached=True`` it keeps
    running, and ``find()`` finds it from another process.

    Args:
        version: InvokeAI release. Defaults to 6.14.2.
        root: Folder for its database, images and models. Defaults to a folder in the user's data directory.
        port: Port to listen on. Defaults to a free port.
        host: Address to listen on. Defaults to 127.0.0.1.
        config: InvokeAI settings. They override ``invokeai.yaml``.
        environ: Environment variables of the server, in addition to those of this process.
        node_packs: Folders with custom nodes to copy into the root before the start.
        temporary: Whether to use a new root and delete it at the end. Defaults to False.
        detached: Whether to keep running when this process ends. Defaults to False.
        say: Called with progress messages of the installation and the start.
    """

    def __init__(
        self,
        version: str = DEFAULT_VERSION,
        *,
        root: str | os.PathLike[str] | None = None,
        port: int | None = None,
        host: str = "127.0.0.1",
        config: Mapping[str, Any] | None = None,
        environ: Mapping[str, str] | None = None,
        node_packs: Iterable[str | os.PathLike[str]] = (),
        temporary: bool = False,
        detached: bool = False,
        say: Callable[[str], None] | None = None,
    ) -> None:
        if temporary and (root is not None or detached):
            raise UsageError("A temporary server always uses a new root and stops with this process.")
        release(version)
        self.version = version
        self._root = None if root is None else absolute_path(root)
        self._asked_port = port
        self._host = host
        self._config = dict(config or {})
        self._environ = dict(environ or {})
        self._node_packs = [user_path(pack) for pack in node_packs]
        self._temporary = temporary
        self._detached = detached
        self._say: Callable[[str], None] = say or (lambda _: None)
        self._child: subprocess.Popen[bytes] | None = None
        self._running: state.Running | None = None

    # ------------------------------------------------------------------ properties

    @property
    def root(self) -> Path:
        """The root folder."""
        if self._root is None:
            if self._temporary:
                try:
                    self._root = Path(tempfile.mkdtemp(prefix="ivk-server-")).resolve()
                except OSError as error:
                    raise StartError(
                        f"Cannot create the root folder of a temporary server: {error}."
                    ) from error
            else:
                self._root = default_root(self.version)
        return self._root

    @property
    def log_path(self) -> Path:
        """The log file. The log of the previous start is ``server.log.1`` in the same folder."""
        return self.root / "logs" / "server.log"

    @property
    def port(self) -> int:
        """The port that the server listens on."""
        return self._started().port

    @property
    def url(self) -> str:
        """The server's URL."""
        return self._started().url

    @property
    def pid(self) -> int:
        """The process id."""
        return self._started().pid

    @property
    def is_running(self) -> bool:
        """Whether the server's process is running."""
        if self._child is not None:
            self._child.poll()  # collect an ended child, so that it does not remain a zombie
        return self._running is not None and self._running.lives()

    @property
    def state(self) -> state.Running:
        """The server's version, URL, root and process."""
        return self._started()

    def _started(self) -> state.Running:
        if self._running is None:
            raise StartError("The server has not been started. Call start() or use it in a `with` statement.")
        return self._running

    def __repr__(self) -> str:
        where = f"at {self._running.url}" if self.is_running and self._running else "not running"
        return f"<LocalServer InvokeAI {self.version}, {where}>"

    # ------------------------------------------------------------------ methods

    @classmethod
    def find(cls, root: str | os.PathLike[str]) -> LocalServer | None:
        """Return the server that runs on a root, whichever process started it. None if no server is running."""
        folder = absolute_path(root)
        found = state.at_root(folder)
        if found is None:
            return None
        server = cls(found.version, root=folder, detached=True)
        server._running = found
        return server

    def install(self) -> Installation:
        """Install the server's InvokeAI release, unless it is installed.

        Raises:
            InstallError: The installation failed.
            PythonNotFoundError: No supported Python was found.
        """
        return install(self.version, say=self._say)

    def memory(self) -> ServerMemory:
        """Return the memory that the server and its child processes use now."""
        return memory_of(self.pid)

    def start(self, timeout: float = 120.0, *, canceled: threading.Event | None = None) -> Self:
        """Start the server and return when it responds. Installs it first if necessary.

        Args:
            timeout: Seconds to wait for a response, not including the installation. Defaults to 120.
            canceled: An event that another thread sets to end the start. Defaults to none.

        Raises:
            StartError: The port is in use, another server runs on the root, the server exited or did not respond
                in time, or the start was canceled. The error contains the end of the log.
        """
        if self.is_running:
            return self
        if self._child is not None:  # a server that exited by itself
            if self._child.stdin is not None:
                self._child.stdin.close()
            self._child.wait()  # until its last thread has ended, the port is in use
        try:
            self._start(self.install(), timeout, canceled or threading.Event())
        except BaseException as error:
            self.stop(grace=0)
            if isinstance(error, OSError):
                raise StartError(f"Cannot start InvokeAI {self.version}: {error}") from error
            raise
        return self

    def _start(self, installation: Installation, timeout: float, canceled: threading.Event) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        with locked(self.root / ".ivk-start.lock"):
            other = state.at_root(self.root)
            if other is not None:
                raise StartError(
                    f"A server is already running on {self.root}: {other.url}, process {other.pid}. "
                    "Stop it first or choose another root."
                )
            port = self._asked_port or free_port(self._host)
            if is_taken(port, self._host):
                raise StartError(self._port_in_use(port))
            self._copy_node_packs()
            ready = self.root / ".ivk-ready.json"
            ready.unlink(missing_ok=True)
            started = time.monotonic()
            for left in reversed(range(_STARTS)):
                child = self._spawn(installation, port, ready)
                try:
                    self._await_response(child, port, ready, timeout, canceled)
                    break
                except StartError as error:
                    reason = cleanup_failure(self.log_path)
                    if reason is None:
                        raise
                    if not left:
                        raise StartError(
                            f"InvokeAI {self.version} exited during startup {_STARTS} times, because it could not "
                            f"clean its database: {reason}. It resumes pending queue items at the same time, which can "
                            "prevent that. End other programs that use the database in "
                            f"{self.root / 'databases'}, and start the server again. {self._log_hint()}",
                            error.log_tail,
                        ) from None
                    self._say(
                        "InvokeAI's queue interfered with the cleanup of its database. Starting it again."
                    )
                    if child.stdin is not None:
                        child.stdin.close()
            self._say(
                f"InvokeAI {self.version} is running at {self.url} ({time.monotonic() - started:.0f} s)."
            )

    def _spawn(self, installation: Installation, port: int, ready: Path) -> subprocess.Popen[bytes]:
        order = {
            "root": str(self.root),
            "settings": {**self._config, "host": self._host, "port": port},
            "ready": str(ready),
            "leashed": not self._detached,
            "temporary": self._temporary,
        }
        if self.log_path.exists():
            self.log_path.replace(self.log_path.with_suffix(".log.1"))
        environ = {key: value for key, value in os.environ.items() if key not in _NOT_FOR_SERVERS}
        environ |= self._environ
        self._say(f"Starting InvokeAI {self.version} on {self.root}.")
        child = spawn(
            [installation.python, "-u", inside_folder(), "serve", json.dumps(order)],
            log=self.log_path,
            environ=environ,
            leashed=not self._detached,
        )
        self._child = child
        shown = "127.0.0.1" if self._host in ("0.0.0.0", "::") else self._host
        self._running = state.Running(
            version=self.version,
            url=f"http://{shown}:{port}",
            port=port,
            root=str(self.root),
            log=str(self.log_path),
            pid=child.pid,
            process=identity(child.pid) or "",
            detached=self._detached,
        )
        state.remember(self._running)
        return child

    def _await_response(
        self,
        child: subprocess.Popen[bytes],
        port: int,
        ready: Path,
        timeout: float,
        canceled: threading.Event,
    ) -> None:
        deadline = time.monotonic() + timeout
        while not ready.exists():  # the server's process writes this file once it listens
            code = child.poll()
            if code == EXIT_PORT:
                raise StartError(self._port_in_use(port))
            if code is not None:
                raise StartError(
                    f"InvokeAI {self.version} exited during startup with status {code}. {self._log_hint()}",
                    tail(self.log_path),
                )
            if time.monotonic() > deadline:
                raise StartError(
                    f"InvokeAI {self.version} did not respond within {timeout:g} s. {self._log_hint()}",
                    tail(self.log_path),
                )
            if canceled.wait(0.05):
                raise StartError(f"The start of InvokeAI {self.version} on {self.root} was canceled.")
        found = answers(self.url, timeout=30)
        if found is None:
            raise StartError(
                f"InvokeAI {self.version} listens at {self.url} but does not respond. {self._log_hint()}",
                tail(self.log_path),
            )

    def _log_hint(self) -> str:
        return "Its log ends with:" if self._temporary else f"Its log is {self.log_path}. It ends with:"

    def _port_in_use(self, port: int) -> str:
        version = answers(f"http://127.0.0.1:{port}", timeout=2)
        by = f" by another InvokeAI ({version})" if version else " by another program"
        return f"Port {port} is in use{by}. Choose another port, or omit it to use a free one."

    def _copy_node_packs(self) -> None:
        for pack in self._node_packs:
            target = self.root / "nodes" / pack.name
            shutil.copytree(pack, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))

    def stop(self, grace: float = 10.0) -> None:
        """Stop the server and its child processes. Does nothing if it is not running.

        Args:
            grace: Seconds to wait for it to exit before killing it. Defaults to 10.
        """
        running, self._running = self._running, None
        child, self._child = self._child, None
        if running is not None and (child is not None or running.lives()):
            end_group(running.pid, grace=grace, child=child)
            state.forget(Path(running.root))
        if self._temporary and self._root is not None:
            shutil.rmtree(self._root, ignore_errors=True)
            self._root = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
