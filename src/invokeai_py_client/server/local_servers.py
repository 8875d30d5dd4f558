"""Several local InvokeAI servers as one Python object."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from invokeai_py_client._lock import locked
from invokeai_py_client._paths import absolute_path
from invokeai_py_client._text import shown
from invokeai_py_client.errors import InvokeAIClientError, StartError, UsageError
from invokeai_py_client.server import state
from invokeai_py_client.server.gpus import Gpu, list_gpus
from invokeai_py_client.server.health import free_ports, is_taken
from invokeai_py_client.server.installer import install
from invokeai_py_client.server.local import LocalServer
from invokeai_py_client.server.memory import ServerMemory, machine_memory
from invokeai_py_client.server.model_files import models_in, share_models
from invokeai_py_client.server.paths import default_pool_root
from invokeai_py_client.server.releases import DEFAULT_VERSION, release
from invokeai_py_client.server.shares import (
    RAM_SETTING,
    THREADS,
    gpu_environ,
    ram_share,
    sets_ram,
    thread_environ,
)
from invokeai_py_client.server.tiny_models import (
    TINY_SETTINGS,
    install_tiny_models,
    make_tiny_models,
    tiny_flux_pack,
)

_DEVICE_SETTINGS = {"device", "generation_devices"}


class LocalServers:
    """Several local InvokeAI servers that start and stop together, and have the same models.

    Example:
        ```python
        with LocalServers(2, temporary=True, tiny_models=True) as local:
            print(local.urls)
        ```

    Server 1 uses the folder ``1`` in the root, server 2 the folder ``2``, and so on. Each has its own database, images
    and queue. Models are shared without copying: after the start, each server has records of the models of all others,
    with the same keys and hashes, which point to the same files.

    With several GPUs, each server uses its own: server 1 the first one, server 2 the second one, and so on. If there
    are more servers than GPUs, several share a GPU, and if there are fewer, each uses several. With the settings
    ``device`` or ``generation_devices`` in ``config``, all servers use those devices. Without an NVIDIA GPU, the
    servers share the CPU cores, unless the environment variable ``OMP_NUM_THREADS`` is set.

    Servers stop when this process ends, even if it is killed. With ``detached=True`` they keep running, and
    ``find()`` finds them from another process.

    Args:
        count: Number of servers. Defaults to 2.
        version: InvokeAI release. Defaults to 6.14.2.
        root: Folder with the roots of the servers. Defaults to a folder in the user's data directory.
        port: Port of server 1. Server 2 listens on the next one, and so on. Defaults to free ports.
        host: Address to listen on. Defaults to 127.0.0.1.
        config: InvokeAI settings of all servers. They override ``invokeai.yaml``. Unless ``max_cache_ram_gb`` is set
            in either, the servers share the memory that InvokeAI would use for models.
        node_packs: Folders with custom nodes to copy into each root before the start.
        models_from: Root folder of an InvokeAI whose models the servers use as well. It may be running.
        tiny_models: Whether to install tiny models for tests. Defaults to False.
        temporary: Whether to use new roots and delete them at the end. Defaults to False.
        detached: Whether to keep running when this process ends. Then ``start()`` also accepts servers that are running
            already. Defaults to False.
        say: Called with progress messages, from several threads.
    """

    def __init__(
        self,
        count: int = 2,
        version: str = DEFAULT_VERSION,
        *,
        root: str | os.PathLike[str] | None = None,
        port: int | None = None,
        host: str = "127.0.0.1",
        config: Mapping[str, Any] | None = None,
        node_packs: Iterable[str | os.PathLike[str]] = (),
        models_from: str | os.PathLike[str] | None = None,
        tiny_models: bool = False,
        temporary: bool = False,
        detached: bool = False,
        say: Callable[[str], None] | None = None,
    ) -> None:
        untyped: Any = count
        if not isinstance(untyped, int) or isinstance(untyped, bool) or count < 1:
            raise UsageError(f"count: {shown(count)} is not valid; expected a whole number of at least 1.")
        if temporary and (root is not None or detached):
            raise UsageError("Temporary servers always use new roots and stop with this process.")
        if port is not None and not 1 <= port <= 65536 - count:
            raise UsageError(
                f"port: {shown(port)} is not valid for {count} servers; expected 1 to {65536 - count}."
            )
        release(version)
        self.version = version
        self._count = count
        self._root = None if root is None else absolute_path(root)
        self._port = port
        self._host = host
        self._config = {**(TINY_SETTINGS if tiny_models else {}), **(config or {})}
        self._node_packs = [*([tiny_flux_pack()] if tiny_models else []), *node_packs]
        self._models_from = None if models_from is None else absolute_path(models_from)
        self._tiny_models = tiny_models
        self._temporary = temporary
        self._detached = detached
        self._say: Callable[[str], None] = say or (lambda _: None)
        self._servers: list[LocalServer] = []

    # ------------------------------------------------------------------ properties

    @property
    def root(self) -> Path | None:
        """The folder with the roots of the servers, or None for temporary servers."""
        if self._root is None and not self._temporary:
            self._root = default_pool_root()
        return self._root

    @property
    def servers(self) -> list[LocalServer]:
        """The servers, in order. Empty before the start."""
        return list(self._servers)

    @property
    def urls(self) -> list[str]:
        """The URLs of the servers, in order. Empty before the start."""
        return [server.url for server in self._servers]

    @property
    def is_running(self) -> bool:
        """Whether all servers have been started and are running."""
        return bool(self._servers) and all(server.is_running for server in self._servers)

    def __len__(self) -> int:
        return self._count

    def __repr__(self) -> str:
        where = f"at {', '.join(self.urls)}" if self.is_running else "not running"
        return f"<LocalServers {self._count} x InvokeAI {self.version}, {where}>"

    # ------------------------------------------------------------------ methods

    @classmethod
    def find(cls, root: str | os.PathLike[str]) -> LocalServers | None:
        """Return the servers that run on the folders in a root, whichever process started them.

        Args:
            root: Folder with the roots of the servers.

        Returns:
            The servers that are running, or None if none of them is.
        """
        folder = absolute_path(root)
        running = _running_in(folder)
        if not running:
            return None
        servers = [running[number] for number in sorted(running)]
        found = cls(len(servers), servers[0].version, root=folder, detached=True)
        found._servers = servers
        return found

    def memory(self) -> list[ServerMemory]:
        """Return the memory that each server uses now, in the order of the servers."""
        return [server.memory() for server in self._servers]

    def share_models(self) -> list[str]:
        """Give each server the models of all others, without copying files.

        ``start()`` does this. Call it after installing a model on one of the servers.

        Returns:
            The names of the models that at least one server did not have.

        Raises:
            UsageError: The folder ``models_from`` is not the root of an InvokeAI.
            InstallError: A server rejected a model.
        """
        more = [] if self._models_from is None else models_in(self._models_from)
        return share_models({server.url: server.root for server in self._servers}, more)

    def start(self, timeout: float = 120.0) -> Self:
        """Start all servers at the same time, share their models, and return when all respond.

        If a server does not start, those that this call started are stopped. Installs InvokeAI first if necessary.

        Args:
            timeout: Seconds to wait for a response of each server, not including the installation. Defaults to 120.

        Raises:
            StartError: A server did not start. The error names the server, and contains the end of its log.
            InstallError: The installation failed, or a server rejected a model.
            PythonNotFoundError: No supported Python was found.
        """
        if self.is_running:
            return self
        if self._models_from is not None:
            models_in(self._models_from)  # report a wrong folder before anything is started
        installation = install(self.version, say=self._say)
        tiny = make_tiny_models(installation, say=self._say) if self._tiny_models else None
        started: list[LocalServer] = []
        before = self._servers
        try:
            with self._locked():
                running = self._adopt()
                servers = self._prepare(running)
                started = [server for number, server in servers.items() if number not in running]
                self._start(servers, started, timeout)
                self._servers = [servers[number] for number in sorted(servers)]
                if tiny is not None:
                    install_tiny_models(self._servers[0].url, tiny)
                self.share_models()
        except BaseException as error:
            _stop(started, grace=0)
            self._servers = before
            if isinstance(error, OSError):
                raise StartError(f"Cannot start the servers on {self.root}: {error}") from error
            raise
        return self

    @contextlib.contextmanager
    def _locked(self) -> Generator[None]:
        """Let one process at a time start servers on the root."""
        if self.root is None:
            yield
            return
        self.root.mkdir(parents=True, exist_ok=True)
        with locked(self.root / ".ivk-start.lock"):
            yield

    def _adopt(self) -> dict[int, LocalServer]:
        """Return the servers that are running already, by number.

        Raises:
            StartError: They are not those that were asked for.
        """
        own = {number: server for number, server in self._own().items() if server.is_running}
        found = {} if self.root is None else _running_in(self.root)
        others = {number: server for number, server in found.items() if number not in own}
        wrong = [server.version for server in others.values() if server.version != self.version]
        first = self._port
        moved = first is not None and any(one.port != first + n - 1 for n, one in others.items())
        if others and (not self._detached or max(others) > self._count or wrong or moved):
            version = f" of InvokeAI {wrong[0]}" if wrong else ""
            several = len(others) > 1
            raise StartError(
                f"{f'{len(others)} servers' if several else 'A server'}{version} {'are' if several else 'is'} already "
                f"running on {self.root}: {', '.join(server.url for server in others.values())}. "
                f"Stop {'them' if several else 'it'} first, or choose another root."
            )
        return own | others

    def _own(self) -> dict[int, LocalServer]:
        """Return the servers that this object has started, by number. They may have ended."""
        return {} if self._detached else dict(enumerate(self._servers, 1))

    def _prepare(self, running: Mapping[int, LocalServer]) -> dict[int, LocalServer]:
        """Return all servers by number, with those that are not running ready to start."""
        servers = {**self._own(), **running}
        new = [number for number in range(1, self._count + 1) if number not in servers]
        if self._port is None:
            ports = dict(zip(new, free_ports(len(new), self._host), strict=True))
        else:
            ports = {number: self._port + number - 1 for number in new}
            taken = [str(port) for port in ports.values() if is_taken(port, self._host)]
            if taken:
                raise StartError(
                    f"Ports in use: {', '.join(taken)}. Choose another first port than {self._port}, or omit it to use "
                    "free ports."
                )
        gpus = list_gpus()
        servers |= {number: self._server(number, ports[number], gpus) for number in new}
        return dict(sorted(servers.items()))

    def _server(self, number: int, port: int, gpus: Sequence[Gpu]) -> LocalServer:
        root = None if self.root is None else self.root / str(number)
        config = dict(self._config)
        if self._count > 1 and RAM_SETTING not in config and not sets_ram(root):
            share = ram_share(self._count, machine_memory(), gpus)
            config |= {} if share is None else {RAM_SETTING: share}
        environ = {} if _DEVICE_SETTINGS & config.keys() else gpu_environ(number, self._count, gpus)
        if THREADS not in os.environ:
            environ |= thread_environ(self._count, os.cpu_count(), gpus)
        return LocalServer(
            self.version,
            root=root,
            port=port,
            host=self._host,
            config=config,
            environ=environ,
            node_packs=self._node_packs,
            temporary=self._temporary,
            detached=self._detached,
            say=self._say,
        )

    def _start(
        self, servers: Mapping[int, LocalServer], started: Sequence[LocalServer], timeout: float
    ) -> None:
        """Start servers at the same time.

        Raises:
            StartError: A server did not start.
        """
        canceled = threading.Event()
        failed: list[tuple[int, InvokeAIClientError]] = []

        def start(number: int) -> None:
            try:
                servers[number].start(timeout, canceled=canceled)
            except InvokeAIClientError as error:
                if not canceled.is_set():  # otherwise it was canceled because another one failed
                    failed.append((number, error))
                canceled.set()

        with ThreadPoolExecutor(len(servers)) as pool:
            try:
                todo = [pool.submit(start, number) for number, one in servers.items() if one in started]
                for each in todo:
                    each.result()
            finally:  # interrupted, by Ctrl-C for example
                canceled.set()
        if failed:
            number, error = failed[0]
            others = "" if len(started) == 1 else ", so the others were stopped"
            raise StartError(
                f"Server {number} of {self._count} did not start{others}. {_without_tail(error)}",
                getattr(error, "log_tail", ""),
            ) from error

    def stop(self, grace: float = 10.0) -> None:
        """Stop all servers at the same time. Does nothing if they are not running.

        Args:
            grace: Seconds to wait for each server to exit before killing it. Defaults to 10.
        """
        servers, self._servers = self._servers, []
        _stop(servers, grace)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def _running_in(folder: Path) -> dict[int, LocalServer]:
    """Return the servers that run on the numbered folders in a folder, by number."""
    found: dict[int, LocalServer] = {}
    for each in state.running():
        root = Path(each.root)
        if root.parent == folder and root.name.isdecimal():
            server = LocalServer.find(root)
            if server is not None:
                found[int(root.name)] = server
    return dict(sorted(found.items()))


def _stop(servers: Sequence[LocalServer], grace: float) -> None:
    """Stop servers at the same time."""

    def stop(server: LocalServer) -> None:
        server.stop(grace)

    with ThreadPoolExecutor(max(len(servers), 1)) as pool:
        list(pool.map(stop, servers))


def _without_tail(error: InvokeAIClientError) -> str:
    """Return the message of an error without the log that it ends with."""
    tail = getattr(error, "log_tail", "")
    return str(error).removesuffix(f"\n{tail}") if tail else str(error)
