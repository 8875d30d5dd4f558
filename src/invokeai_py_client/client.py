"""The client: one server, one connection, and the repositories for each of its areas."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from invokeai_py_client._base import face
from invokeai_py_client.account import AsyncAccountClient
from invokeai_py_client.config import choose
from invokeai_py_client.connections import Connections
from invokeai_py_client.errors import APIRequestError, NotFoundError, RunError, UsageError
from invokeai_py_client.transport.settings import ConnectionSettings

if TYPE_CHECKING:
    from typing import Self

    import socketio

    from invokeai_py_client.board.repository import AsyncBoardRepository
    from invokeai_py_client.dnn_model.repository import AsyncDnnModelRepository
    from invokeai_py_client.image.repository import AsyncImageRepository
    from invokeai_py_client.models import IvkJob
    from invokeai_py_client.queue.repository import AsyncQueueRepository
    from invokeai_py_client.run.feed import EventFeed
    from invokeai_py_client.run.run import AsyncRun
    from invokeai_py_client.schema.schema import Schema
    from invokeai_py_client.transport.http import HttpTransport
    from invokeai_py_client.transport.loop import LoopThread
    from invokeai_py_client.workflow.repository import AsyncWorkflowRepository

_HEALTH_PATIENCE = 10.0


class AsyncInvokeAIClient(AsyncAccountClient):
    """A connection to one InvokeAI server.

    Nothing is sent until something is asked for. Close it when done, or use it in a ``with`` block.

    Attributes:
        settings: How the server is reached.

    Example:
        ```python
        async with AsyncInvokeAIClient.from_url("http://localhost:9090") as client:
            wf = await client.workflow_repo.create_workflow("portrait.json")
            run = await wf.run(positive_prompt="a lighthouse at dusk")
            await run.images[0].save("lighthouse.png")
        ```
    """

    def __init__(
        self,
        host: str | None = None,
        port: int | None = None,
        *,
        use_https: bool = False,
        timeout: float = 60.0,
        api_key: str | None = None,
        base_path: str = "",
        verify_ssl: bool = True,
        max_retries: int = 3,
        headers: Mapping[str, str] | None = None,
        email: str | None = None,
        password: str | None = None,
        profile: str | None = None,
    ) -> None:
        """Say which server, and how to reach it.

        Args:
            host: The server's name or address, or its whole URL. Without it as in ``from_url()``.
            port: Its port; 9090 by default.
            use_https: Whether to speak HTTPS.
            timeout: Seconds for one request.
            api_key: The token of a multi-user server (6.12+), as ``POST /api/v1/auth/login`` gives it;
                without it the one in ``INVOKEAI_TOKEN``, or in the configuration file for this server.
            base_path: The path prefix that a reverse proxy puts before the server's routes.
            verify_ssl: Whether certificates are checked.
            max_retries: How often a request that does no harm when repeated is repeated.
            headers: Further headers for every request, for proxies.
            email: Who signs in to a multi-user server, when it first asks for that; else ``INVOKEAI_EMAIL``.
            password: The password; else ``INVOKEAI_PASSWORD``.
            profile: A profile of the configuration file.

        Raises:
            UsageError: The address is none, or a number is out of range.
        """
        url = host
        if port is not None or (host is not None and "://" not in host):
            name = f"[{host}]" if host and ":" in host and not host.startswith("[") else host or "localhost"
            url = f"{'https' if use_https else 'http'}://{name}:{9090 if port is None else port}"
        chosen = choose(
            url, base_path=base_path, api_key=api_key, email=email, password=password, profile=profile
        )
        if not timeout > 0:
            raise UsageError(f"timeout must be a positive number of seconds, not {timeout!r}.")
        if max_retries < 0:
            raise UsageError(f"max_retries must be 0 or more, not {max_retries!r}.")
        self.settings: ConnectionSettings = ConnectionSettings(
            chosen.address,
            timeout=timeout,
            connect_timeout=min(timeout, 10.0),
            max_retries=max_retries,
            verify_ssl=verify_ssl,
            token=chosen.token,
            headers=dict(headers or {}),
            credentials=chosen.credentials,
        )
        self._profile = chosen.profile
        self._parts: dict[str, Any] = {}
        self._connections = Connections(self.settings)
        self._uploads: dict[str, str] = {}  # names of images that this client uploaded, by their content
        self._sockets: list[tuple[asyncio.AbstractEventLoop, socketio.AsyncClient]] = []

    @classmethod
    def from_url(
        cls,
        url: str | None = None,
        *,
        timeout: float = 60.0,
        api_key: str | None = None,
        verify_ssl: bool = True,
        max_retries: int = 3,
        headers: Mapping[str, str] | None = None,
        base_path: str = "",
        email: str | None = None,
        password: str | None = None,
        profile: str | None = None,
    ) -> Self:
        """A client for the server at a URL.

        Args:
            url: The server's URL, with a proxy's path prefix if there is one; without it the URL of ``profile``,
                that in ``INVOKEAI_URL``, that of the configuration file's profile, or ``http://localhost:9090``.
            timeout: Seconds for one request.
            api_key: The token of a multi-user server; else the one in ``INVOKEAI_TOKEN``, or in the configuration
                file for this server.
            verify_ssl: Whether certificates are checked.
            max_retries: How often a request that does no harm when repeated is repeated.
            headers: Further headers for every request, for proxies.
            base_path: A path prefix, if it is not part of the URL.
            email: Who signs in to a multi-user server, when it first asks for that; else ``INVOKEAI_EMAIL``.
            password: The password; else ``INVOKEAI_PASSWORD``.
            profile: A profile of the configuration file.

        Raises:
            UsageError: It is not a server's URL.
        """
        return cls(
            url if url is None or "://" in url else f"http://{url}",
            timeout=timeout,
            api_key=api_key,
            base_path=base_path,
            verify_ssl=verify_ssl,
            max_retries=max_retries,
            headers=headers,
            email=email,
            password=password,
            profile=profile,
        )

    # ------------------------------------------------------------------ the server

    @property
    def url(self) -> str:
        """The server's URL, without a password."""
        return self.settings.address.url

    async def version(self) -> str:
        """The server's version, such as ``6.14.2``.

        Raises:
            ServerUnreachableError: Nothing answers there, or it is not InvokeAI.
        """
        from invokeai_py_client.schema.source import server_version

        return await server_version(self._http)

    async def health_check(self) -> bool:
        """Whether an InvokeAI server answers at the address. Never raises."""
        from invokeai_py_client.schema.source import server_version

        try:
            await server_version(self._http, timeout=min(self.settings.timeout, _HEALTH_PATIENCE), once=True)
        except APIRequestError:
            return False
        return True

    async def schema(self, *, refresh: bool = False) -> Schema:
        """The server's node types, from its own OpenAPI document.

        Read once for each server, version and set of custom nodes, and kept on disk.

        Args:
            refresh: Read it again, for example after custom nodes were installed.

        Raises:
            ServerUnreachableError: Nothing answers there, or it is not InvokeAI.
        """
        from invokeai_py_client.schema.source import load_schema

        known: Schema | None = self._parts.get("schema")
        if known is None or refresh:
            known = self._parts["schema"] = await load_schema(self._http, self.url, refresh=refresh)
        return known

    async def run(self, item_id: int, *, queue_id: str = "default") -> AsyncRun:
        """Pick up a run again by its queue item's id, from wherever it was started.

        Raises:
            RunError: There is no such queue item.
        """
        from invokeai_py_client.run.run import AsyncRun
        from invokeai_py_client.run.tracker import BatchTracker

        item = await self._queue_item(item_id, queue_id)
        tracker = BatchTracker(item["batch_id"])
        await self._feed.follow(tracker, queue_id)
        inputs = {f"{f['node_path']}.{f['field_name']}": f["value"] for f in item.get("field_values") or ()}
        run = AsyncRun(self, item_id, tracker, queue_id=queue_id, inputs=inputs)
        await run.refresh()
        return run

    async def get_job(self, job_id: str | int, *, queue_id: str = "default") -> IvkJob:
        """A queue item as a typed record.

        Raises:
            RunError: There is no such queue item.
        """
        from invokeai_py_client.models import IvkJob

        try:
            item_id = int(job_id)
        except ValueError:
            raise UsageError(f"{job_id!r} is not the id of a queue item; those are whole numbers.") from None
        return IvkJob.from_api_response(await self._queue_item(item_id, queue_id))

    async def _queue_item(self, item_id: int, queue_id: str) -> dict[str, Any]:
        from invokeai_py_client.run.bulk import read_item

        try:
            return await read_item(self, queue_id, item_id)
        except NotFoundError:
            raise RunError(f"The server has no queue item {item_id}.", item_id=item_id) from None

    # ------------------------------------------------------------------ its areas

    @property
    def workflow_repo(self) -> AsyncWorkflowRepository:
        """Workflows: to run, and in the server's library."""
        from invokeai_py_client.workflow.repository import AsyncWorkflowRepository

        return self._part("workflow_repo", AsyncWorkflowRepository)

    @property
    def image_repo(self) -> AsyncImageRepository:
        """Images."""
        from invokeai_py_client.image.repository import AsyncImageRepository

        return self._part("image_repo", AsyncImageRepository)

    @property
    def board_repo(self) -> AsyncBoardRepository:
        """Boards, and the images on them."""
        from invokeai_py_client.board.repository import AsyncBoardRepository

        return self._part("board_repo", AsyncBoardRepository)

    @property
    def dnn_model_repo(self) -> AsyncDnnModelRepository:
        """Models: listed, installed, converted, removed."""
        from invokeai_py_client.dnn_model.repository import AsyncDnnModelRepository

        return self._part("dnn_model_repo", AsyncDnnModelRepository)

    @property
    def queue_repo(self) -> AsyncQueueRepository:
        """The queue of runs."""
        from invokeai_py_client.queue.repository import AsyncQueueRepository

        return self._part("queue_repo", AsyncQueueRepository)

    def _part(self, name: str, make: type[Any]) -> Any:
        part = self._parts.get(name)
        if part is None:
            part = self._parts[name] = make(self)
        return part

    # ------------------------------------------------------------------ raw events

    @face(same=True)
    async def connect_socketio(self) -> socketio.AsyncClient:
        """A connected python-socketio client of one's own, in the running event loop.

        It is subscribed to the default queue. Disconnect it with ``disconnect_socketio()``. Runs need none
        of this; they follow their events by themselves.

        Raises:
            ServerUnreachableError: No connection.
        """
        from invokeai_py_client.transport.socket import connect, enter, new_socket, queue_room

        await self._http.sign_in.first()
        socket = new_socket(self.settings)
        await connect(socket, self.settings)
        await enter(socket, queue_room("default"))
        self._sockets.append((asyncio.get_running_loop(), socket))
        return socket

    @face(same=True)
    async def disconnect_socketio(self) -> None:
        """Disconnect the clients that ``connect_socketio()`` made in the running event loop."""
        loop = asyncio.get_running_loop()
        mine = [entry for entry in self._sockets if entry[0] is loop]
        for entry in mine:
            self._sockets.remove(entry)
            await entry[1].shutdown()

    @face(same=True)
    @asynccontextmanager
    async def socketio_session(self) -> AsyncGenerator[socketio.AsyncClient]:
        """A connected python-socketio client for the length of an ``async with`` block.

        Raises:
            ServerUnreachableError: No connection.
        """
        socket = await self.connect_socketio()
        try:
            yield socket
        finally:
            self._sockets = [entry for entry in self._sockets if entry[1] is not socket]
            await socket.shutdown()

    # ------------------------------------------------------------------ opening and closing

    @face(ends_loop=True)
    async def close(self) -> None:
        """Close the connections. Harmless when repeated; the client opens them again when used again."""
        await self.disconnect_socketio()
        await self._connections.close()
        self._keep_token()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    @property
    def _client(self) -> AsyncInvokeAIClient:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self

    @property
    def _http(self) -> HttpTransport:
        return self._connections.http

    @property
    def _feed(self) -> EventFeed:
        return self._connections.feed

    @property
    def _loop_thread(self) -> LoopThread:
        """The background loop of the synchronous face."""
        if self._connections.loop_thread is None:
            from invokeai_py_client.transport.loop import LoopThread

            with self._connections.lock:  # several threads may make the first call at once
                if self._connections.loop_thread is None:
                    self._connections.loop_thread = LoopThread()
                    # A script that never closes its client ends quietly all the same.
                    weakref.finalize(self, self._connections.end)
        return self._connections.loop_thread

    def __getstate__(self) -> dict[str, Any]:
        # Connections are made anew where it is unpickled. Secrets stay behind, because they would travel in
        # every pickled run; the other side takes those that it knows for this server.
        return {"settings": self.settings.without_secrets()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.settings = state["settings"]
        chosen = choose(self.url)
        self.settings.use_token(chosen.token, chosen.credentials)
        self._profile = chosen.profile
        self._parts = {}
        self._connections = Connections(self.settings)
        self._uploads = {}
        self._sockets = []

    def __repr__(self) -> str:
        return f"<AsyncInvokeAIClient of {self.url}>"


def __getattr__(name: str) -> Any:
    # Version 1 had the synchronous client in this module.
    if name != "InvokeAIClient":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from invokeai_py_client._sync import InvokeAIClient

    return InvokeAIClient
