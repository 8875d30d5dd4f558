"""A pool: several InvokeAI servers that work as one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from invokeai_py_client._base import AsyncObject, face
from invokeai_py_client._given import refuse_empty
from invokeai_py_client._text import close_names, did_you_mean, listed, shown
from invokeai_py_client.client import AsyncInvokeAIClient
from invokeai_py_client.config import read_profiles
from invokeai_py_client.connection import Connection
from invokeai_py_client.errors import UnknownNameError, UsageError
from invokeai_py_client.pool.demands import Demands
from invokeai_py_client.pool.engine import Engine, InProcessEngine
from invokeai_py_client.pool.execution import PoolExecution
from invokeai_py_client.pool.inputs import PoolInputs
from invokeai_py_client.pool.outputs import KeptFolder
from invokeai_py_client.pool.servers import PoolServer, Servers
from invokeai_py_client.pool.view import View
from invokeai_py_client.pool_settings import choose_pool, pool_addresses
from invokeai_py_client.transport.settings import ConnectionSettings, ServerAddress

if TYPE_CHECKING:
    from typing import Self

    from invokeai_py_client.engine.definition import WorkflowDefinition
    from invokeai_py_client.image.image import AsyncImage
    from invokeai_py_client.image.responses import NamedImage
    from invokeai_py_client.server.local import LocalServer
    from invokeai_py_client.sweep.plan import SweepPlan
    from invokeai_py_client.sweep.requests import Request
    from invokeai_py_client.sweep.runs import SweepRuns
    from invokeai_py_client.sweep.sweep import AsyncSweep
    from invokeai_py_client.workflow.handle import AsyncWorkflowHandle

_FOREIGN = (
    "The workflow was loaded by another client, whose calls run in another thread. Load it with "
    "pool.create_workflow()."
)
# The pool's own connection sends nothing. It has the event loop that all connections of the pool share.
_NOWHERE = "http://pool.invalid"


class AsyncInvokeAIPool(AsyncObject):
    """Several servers that share the runs of a sweep.

    Each run is delivered once. A free server that has its models and node types executes it, preferably one that has
    the models loaded. Servers may join, fail and come back at any time. The client looks up the runs of a lost server
    when it returns. Until then, it waits for some seconds, and then sends them to others. Images and videos are
    downloaded to this machine.

    Sweeps of workflows that the pool created use the pool. Everything else, such as ``run()``, uses one server, the
    first that responds.

    Example:
        ```python
        async with AsyncInvokeAIPool(["http://localhost:9090", "http://localhost:9091"]) as pool:
            wf = await pool.create_workflow("portrait.json")
            async for run in await wf.sweep(seed=range(8), manifest="night.jsonl"):
                print(run.server, run.seed, run.images)
        ```
    """

    def __init__(
        self,
        servers: Iterable[str | LocalServer],
        *,
        seconds: float = 5.0,
        patience: float = 20.0,
        keep_files: bool = True,
    ) -> None:
        """Create a pool. This sends no request.

        Args:
            servers: The names of profiles, URLs, or local servers. Each uses the credentials that belong to it.
            seconds: How much work a server gets at a time, in seconds. Defaults to 5. Each server has two such chunks.
            patience: How long a server may not respond before others do its runs, in seconds. Defaults to 20.
            keep_files: Whether to bring the images and videos to this machine, next to the manifest of a sweep or to a
                temporary folder. Defaults to True. Otherwise they are read from their servers when they are needed.

        Raises:
            UsageError: A server is not valid or is there twice, there are no servers, or a number is out of range.
        """
        if isinstance(servers, str):  # its characters would be the servers
            raise UsageError(
                f"servers: {shown(servers)} is not valid; expected a list, such as [{servers!r}]. For a pool in the "
                f"configuration file, use InvokeAIPool.from_config({servers!r})."
            )
        if not isinstance(servers, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise UsageError(
                f"servers: {shown(servers)} is not valid; expected a list, such as ['http://localhost:9090']."
            )
        names: list[Any] = [getattr(one, "url", one) for one in servers]
        addresses = pool_addresses(names, "servers")
        self._setup(seconds, keep_files, patience)
        self._engine = InProcessEngine(
            {name: (self._connection_to(name, patience), self._connection_to(name)) for name in addresses}
        )
        self._servers = Servers(self._engine, self.connection)

    @classmethod
    def from_config(
        cls, name: str, *, seconds: float = 5.0, patience: float = 20.0, keep_files: bool = True
    ) -> Self:
        """Return a pool from the configuration file, where ``ivk pool add`` writes it. This sends no request.

        Args:
            name: The name: ``lab`` for ``[pools.lab]``. Or, as for ``ivk sweep --pool``, the address of a Dask
                scheduler, or names of profiles and URLs, separated by commas.
            seconds: How much work a server gets at a time, in seconds. Defaults to 5.
            patience: How long a server may not respond before others do its runs, in seconds. Defaults to 20.
            keep_files: Whether to bring the images and videos to this machine. Defaults to True.

        Raises:
            UsageError: The file has no such pool, or the pool is not valid.
        """
        settings = choose_pool(name)
        if settings.scheduler is None:
            return cls(settings.servers, seconds=seconds, patience=patience, keep_files=keep_files)
        return cls.from_dask(settings.scheduler, security=settings, seconds=seconds, keep_files=keep_files)

    @classmethod
    def from_dask(
        cls,
        scheduler: Any,
        *,
        security: Any = None,
        seconds: float = 5.0,
        keep_files: bool = True,
    ) -> Self:
        """Return a pool of the servers that the workers of a Dask cluster have. This sends no request.

        Start the workers with ``ivk pool join``, or with ``--preload invokeai_py_client.pool.dask_worker``. They may
        come and go. Requires the extra ``invokeai-py-client[cluster]``.

        Args:
            scheduler: The address of the scheduler (``"tls://head:8786"``), or a cluster object of ``distributed``,
                ``dask-jobqueue`` or ``dask-kubernetes``.
            security: The certificates for ``tls://``: a ``distributed.Security``, or the ``PoolSettings`` of a pool in
                the configuration file. Defaults to none.
            seconds: How much work a server gets at a time, in seconds. Defaults to 5.
            keep_files: Whether to bring the images and videos to this machine. Defaults to True.

        Raises:
            UsageError: ``distributed`` is not installed, or the address is not valid.
        """
        from invokeai_py_client.pool.dask_engine import DaskEngine

        self = cls.__new__(cls)
        self._setup(seconds, keep_files)
        self._engine = DaskEngine(scheduler, home=self.connection, security=security)
        self._servers = Servers(self._engine, self.connection)
        return self

    @classmethod
    def local(
        cls,
        servers: int = 2,
        *,
        root: str | os.PathLike[str] | None = None,
        models_from: str | os.PathLike[str] | None = None,
        tiny_models: bool = False,
        temporary: bool = False,
        say: Callable[[str], None] | None = None,
        seconds: float = 5.0,
        patience: float = 20.0,
        keep_files: bool = True,
    ) -> Self:
        """Return a pool of servers on this machine. They are installed and started when they are first needed.

        They have the same models, without copies, and stop when the pool is closed or this process ends. With several
        GPUs, each has its own; otherwise they share one. ``ivk pool up`` starts servers that keep running.

        Args:
            servers: The number of servers. Defaults to 2.
            root: The folder for their databases and images. Defaults to a folder in the user's data directory.
            models_from: The root folder of an InvokeAI whose models they use as well. Defaults to none.
            tiny_models: Whether to install tiny models for tests. Defaults to False.
            temporary: Whether to use new roots and delete them at the end. Defaults to False.
            say: Called with progress messages of the installation and the start, from several threads.
            seconds: How much work a server gets at a time, in seconds. Defaults to 5.
            patience: How long a server may not respond before others do its runs, in seconds. Defaults to 20.
            keep_files: Whether to bring the images and videos to the manifest's folder. Defaults to True.

        Raises:
            UsageError: A number is out of range, or a temporary pool has a root.
        """
        from invokeai_py_client.pool.local_engine import LocalEngine
        from invokeai_py_client.server.local_servers import LocalServers

        local = LocalServers(
            servers, root=root, models_from=models_from, tiny_models=tiny_models, temporary=temporary, say=say
        )
        self = cls.__new__(cls)
        self._setup(seconds, keep_files, patience)
        self._engine = LocalEngine(
            local, lambda url: (self._connection_to(url, patience), self._connection_to(url))
        )
        self._servers = Servers(self._engine, self.connection)
        return self

    @property
    def names(self) -> list[str]:
        """The names of the servers that have been seen so far."""
        return [server.name for server in self._servers.all]

    @property
    def servers(self) -> list[PoolServer]:
        """The servers that have been seen so far, each with its state and speed. See ``start()``."""
        return self._servers.all

    async def start(self) -> list[PoolServer]:
        """Make contact with the servers. Everything else does this itself, when it is needed.

        Returns:
            The servers. Those that do not respond have a state and a reason that say so.

        Raises:
            ServerUnreachableError: No server responds. The error says why, for each.
        """
        await self._servers.start()
        return self._servers.all

    async def client(self, name: str | None = None) -> AsyncInvokeAIClient:
        """Return a client for one of the servers.

        Args:
            name: The name of the server. Defaults to the first server that responds.

        Raises:
            UnknownNameError: The pool has no server of this name.
            ServerUnreachableError: No server responds.
        """
        refuse_empty(name=name)
        await self._servers.start()
        if name is None:
            name = self._servers.ready[0].name
        elif self._servers.get(name) is None:
            close = close_names(name, self.names)
            raise UnknownNameError(
                f"No server named {name!r} in this pool.{did_you_mean(close)} It has {listed(self.names, 8)}.",
                name,
                close,
            )
        if name not in self._clients:
            self._clients[name] = AsyncInvokeAIClient.from_connection(self._engine.connection(name))
        return self._clients[name]

    async def create_workflow(
        self,
        source: WorkflowDefinition
        | str
        | bytes
        | os.PathLike[str]
        | Mapping[str, Any]
        | AsyncImage
        | NamedImage,
    ) -> AsyncWorkflowHandle:
        """Return a handle of a workflow whose sweeps use this pool.

        Its models, boards and images are looked up on the first server that responds. The other servers do a request if
        they have the same models, which are recognized by the hash of their files, and the same node types.

        Args:
            source: A definition, a file, a dict, JSON text, the content of a file, an image on that server, or the id
                or name of a workflow in its library.

        Raises:
            WorkflowFormatError: The source is not a workflow.
            WorkflowNotFoundError: No file or library workflow has this name.
            ServerUnreachableError: No server responds.
        """
        client = await self.client()
        handle = await client.workflow_repo.create_workflow(source)
        handle.pool = self
        return handle

    async def sweep(
        self,
        workflow: WorkflowDefinition
        | str
        | bytes
        | os.PathLike[str]
        | Mapping[str, Any]
        | AsyncWorkflowHandle,
        axes: Mapping[Any, Any] | None = None,
        /,
        **options: Any,
    ) -> AsyncSweep:
        """Start many runs of a workflow that differ in some inputs.

        Args:
            workflow: A handle, or what ``create_workflow()`` accepts.
            axes: The values of each input that varies.
            **options: The arguments of ``WorkflowHandle.sweep()``: axes by name, ``mode``, ``repeat``, ``seed``,
                ``values``, ``manifest``...

        Raises:
            InputValueError: Values have the wrong type or are out of range. Nothing was sent.
            NotReadyError: The workflow cannot run as it is, or no server can do it. Nothing was sent.
        """
        from invokeai_py_client.workflow.handle import AsyncWorkflowHandle

        handle = (
            workflow if isinstance(workflow, AsyncWorkflowHandle) else await self.create_workflow(workflow)
        )
        return await handle.sweep(axes, pool=self, **options)

    async def check(self, workflow: AsyncWorkflowHandle, plan: SweepPlan) -> dict[str, list[str]]:
        """Return why servers cannot do the runs of a plan. Nothing is enqueued or uploaded.

        Args:
            workflow: The workflow.
            plan: The plan that its ``sweep_plan()`` or ``sweep_rows_plan()`` returned.

        Returns:
            A sentence for each reason, by server. A server that can do all runs has none.

        Raises:
            NotReadyError: The workflow cannot run as it is, on any server.
        """
        if self.connection.loop_is_running and workflow.pool is not self:
            raise UsageError(_FOREIGN)
        await self._servers.start()
        demands = Demands(await workflow.sweep_requests(plan), workflow.connection.url)
        return {server.name: demands.problems(server) for server in self._servers.all}

    # ------------------------------------------------------------------ for sweeps

    async def check_requests(self, requests: Sequence[Request], reference: Connection) -> None:
        """Check that for each request there is a server that can do it.

        Raises:
            NotReadyError: No server can do some requests. The error says why, for each server.
            ServerUnreachableError: No server responds.
        """
        if self.connection.runs_elsewhere:
            raise UsageError(_FOREIGN)
        await self._servers.start()
        Demands(requests, reference.url).check(self._servers.all)

    def execution(self, runs: SweepRuns, reference: Connection | None = None) -> PoolExecution:
        """Return the execution of a sweep on this pool.

        Args:
            runs: The runs of the sweep.
            reference: The server that the requests were made for. Defaults to None: it is not known any more.
        """
        folder = None
        if self._keep_files:
            path = None if runs.manifest is None else runs.manifest.path
            folder = KeptFolder(None if path is None else path.with_name(f"{path.stem}-images"))
        return PoolExecution(
            self._engine,
            self._servers,
            runs,
            demands=Demands(runs.requests, "" if reference is None else reference.url),
            inputs=PoolInputs(self._engine, self._servers, reference, self.connection),
            folder=folder,
            view=View(self._engine, self._servers, self.connection),
            seconds=self._seconds,
            longest_outage=self.connection.settings.outage_timeout,
        )

    # ------------------------------------------------------------------ opening and closing

    @face(ends_loop=True)
    async def close(self) -> None:
        """Close all connections. Runs that were sent continue on their servers: resume their sweep later."""
        await self.connection.close()  # ends the background tasks that use the engine
        await self._engine.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    def __getstate__(self) -> dict[str, Any]:
        raise UsageError("A pool cannot be pickled. Create it again, or pickle the runs of a sweep.")

    def __repr__(self) -> str:
        servers = self._servers.all
        return f"<{type(self).__name__} of {len(servers)} servers, {len(self._servers.ready)} ready>"

    # ------------------------------------------------------------------ internals

    _engine: Engine
    _servers: Servers

    def _setup(self, seconds: float, keep_files: bool, patience: float = 0.0) -> None:
        if not seconds > 0:
            raise UsageError(
                f"seconds: {seconds!r} is not valid; expected a number of seconds greater than 0."
            )
        if not patience >= 0:
            raise UsageError(
                f"patience: {patience!r} is not valid; expected a number of seconds of at least 0."
            )
        self.connection: Connection = Connection(ConnectionSettings(ServerAddress.parse(_NOWHERE)))
        self._seconds = seconds
        self._keep_files = keep_files
        self._clients: dict[str, AsyncInvokeAIClient] = {}

    def _connection_to(self, name: str, patience: float | None = None) -> Connection:
        """Return a connection to a server, by the name of its profile or by its URL."""
        profile = name if name in read_profiles() else None
        connection = Connection.to(None if profile else name, profile=profile, outage_timeout=patience)
        connection.share_loop(self.connection)
        return connection
