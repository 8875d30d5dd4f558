"""The client: one server, one connection, and the repositories for each of its areas."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from invokeai_py_client._base import AsyncObject, face
from invokeai_py_client._lazy import old_names
from invokeai_py_client.connection import Connection
from invokeai_py_client.errors import APIRequestError, NotFoundError, RunError, UsageError
from invokeai_py_client.v1.client import V1ClientMethods

if TYPE_CHECKING:
    from typing import Self

    import socketio

    from invokeai_py_client.board.repository import AsyncBoardRepository
    from invokeai_py_client.dnn_model.repository import AsyncDnnModelRepository
    from invokeai_py_client.image.repository import AsyncImageRepository
    from invokeai_py_client.models import IvkJob, IvkUser
    from invokeai_py_client.queue.repository import AsyncQueueRepository
    from invokeai_py_client.run.run import AsyncRun
    from invokeai_py_client.schema.template import Schema
    from invokeai_py_client.transport.responses import Response
    from invokeai_py_client.transport.settings import ConnectionSettings
    from invokeai_py_client.workflow.repository import AsyncWorkflowRepository

logger = logging.getLogger("invokeai_py_client")

_HEALTH_PATIENCE = 10.0


class AsyncInvokeAIClient(V1ClientMethods, AsyncObject):
    """A connection to one InvokeAI server.

    Nothing is sent until something is asked for. Close it when done, or use it in a ``with`` block.

    Attributes:
        connection: The connection to the server, which repositories and handles take; for extensions.

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
        self.connection: Connection = Connection.to(
            url,
            base_path=base_path,
            timeout=timeout,
            api_key=api_key,
            verify_ssl=verify_ssl,
            max_retries=max_retries,
            headers=headers,
            email=email,
            password=password,
            profile=profile,
        )
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
    def settings(self) -> ConnectionSettings:
        """How the server is reached."""
        return self.connection.settings

    @property
    def url(self) -> str:
        """The server's URL, without a password."""
        return self.connection.url

    async def version(self) -> str:
        """The server's version, such as ``6.14.2``.

        Raises:
            ServerUnreachableError: Nothing answers there, or it is not InvokeAI.
        """
        from invokeai_py_client.schema.source import server_version

        return await server_version(self.connection.http)

    async def health_check(self) -> bool:
        """Whether an InvokeAI server answers at the address. Never raises."""
        from invokeai_py_client.schema.source import server_version

        try:
            await server_version(
                self.connection.http, timeout=min(self.settings.timeout, _HEALTH_PATIENCE), once=True
            )
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
        return await self.connection.schema(refresh=refresh)

    async def run(self, item_id: int, *, queue_id: str = "default") -> AsyncRun:
        """Pick up a run again by its queue item's id, from wherever it was started.

        Raises:
            RunError: There is no such queue item.
        """
        from invokeai_py_client.run.run import run_of_item

        return await run_of_item(self.connection, item_id, queue_id=queue_id)

    async def get_job(self, job_id: str | int, *, queue_id: str = "default") -> IvkJob:
        """A queue item as a typed record.

        Raises:
            RunError: There is no such queue item.
        """
        from invokeai_py_client.models import IvkJob
        from invokeai_py_client.run.queue_items import read_item

        try:
            item_id = int(job_id)
        except ValueError:
            raise UsageError(f"{job_id!r} is not the id of a queue item; those are whole numbers.") from None
        try:
            item = await read_item(self.connection, queue_id, item_id)
        except NotFoundError:
            raise RunError(f"The server has no queue item {item_id}.", item_id=item_id) from None
        return IvkJob.from_api_response(item)

    # ------------------------------------------------------------------ its areas

    @property
    def workflow_repo(self) -> AsyncWorkflowRepository:
        """Workflows: to run, and in the server's library."""
        from invokeai_py_client.workflow.repository import AsyncWorkflowRepository

        return self.connection.part(AsyncWorkflowRepository)

    @property
    def image_repo(self) -> AsyncImageRepository:
        """Images."""
        from invokeai_py_client.image.repository import AsyncImageRepository

        return self.connection.part(AsyncImageRepository)

    @property
    def board_repo(self) -> AsyncBoardRepository:
        """Boards, and the images on them."""
        from invokeai_py_client.board.repository import AsyncBoardRepository

        return self.connection.part(AsyncBoardRepository)

    @property
    def dnn_model_repo(self) -> AsyncDnnModelRepository:
        """Models: listed, installed, converted, removed."""
        from invokeai_py_client.dnn_model.repository import AsyncDnnModelRepository

        return self.connection.part(AsyncDnnModelRepository)

    @property
    def queue_repo(self) -> AsyncQueueRepository:
        """The queue of runs."""
        from invokeai_py_client.queue.repository import AsyncQueueRepository

        return self.connection.part(AsyncQueueRepository)

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

        await self.connection.http.auth.ensure_signed_in()
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

    # ------------------------------------------------------------------ other requests

    async def request(
        self,
        method: str,
        endpoint: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        timeout: float | None = None,
    ) -> Response:
        """Send a request for which this client has no method.

        Args:
            method: ``"GET"``, ``"POST"``...
            endpoint: The path below ``/api/v1``, or the whole of it (``/api/v2/models/stats``).
            params: Query parameters.
            json: The body, as JSON data.
            timeout: Seconds for the whole exchange; the client's timeout by default.

        Raises:
            APIRequestError: The server refused or failed, or could not be reached.
        """
        from invokeai_py_client.transport.responses import Response

        path = endpoint if endpoint.startswith("/api/") else f"/api/v1/{endpoint.lstrip('/')}"
        content, content_type = await self.connection.http.raw(
            method.upper(), path, params=params, json=json, timeout=timeout
        )
        return Response(content, content_type)

    # ------------------------------------------------------------------ users (InvokeAI 6.12+)

    async def login(self, email: str, password: str, *, remember_me: bool = False) -> IvkUser:
        """Sign in to a server with several users, and be that user from now on.

        The client keeps email and password in memory, never anywhere else, and signs in again by itself when the
        token has ended: requests are then repeated, and waits go on.

        Args:
            email: The user's email address.
            password: The password.
            remember_me: Ask for a token that lasts longer (7 days instead of one, as of 6.14).

        Returns:
            The user's record.

        Raises:
            AuthenticationError: The server knows no such user, or not with this password.
            PermissionDeniedError: The account is disabled, or the server has no users (single-user mode).
            UsageError: No email, or no password.
            APIRequestError: The server failed, has no such route (before 6.12), or could not be reached.
        """
        from invokeai_py_client.models import IvkUser
        from invokeai_py_client.transport.settings import credentials_of

        credentials = credentials_of(email, password, remember_me)
        del password  # tracebacks that show variables do not show it here
        if credentials is None:
            raise UsageError("Signing in takes an email and a password.")
        changes = self.settings.token is not None
        user = IvkUser.from_api_response(await self.connection.http.auth.sign_in(credentials))
        self.connection.profile = None
        if changes:
            await self.connection.renew_events()  # they were the previous user's
        return user

    async def logout(self) -> None:
        """Be nobody from now on: the token, email and password are forgotten.

        The server keeps no list of tokens (6.14): one that was copied elsewhere lives until it ends, or until the
        password is changed.
        """
        self.connection.profile = None
        if self.settings.token is not None:
            try:
                self.settings.credentials = None  # an ended token is no reason to sign in again
                await self.connection.http.json("POST", "/api/v1/auth/logout")
            except APIRequestError as error:
                logger.info("the server was not told of signing out: %s", error)
        self.settings.use_token(None)
        await self.connection.renew_events()

    async def has_users(self) -> bool:
        """Whether the server has users, one of whom one has to sign in as.

        Raises:
            APIRequestError: The server failed, or could not be reached.
        """
        from invokeai_py_client.transport.auth import auth_status

        return (await auth_status(self.connection.http))["multiuser_enabled"]

    async def me(self) -> IvkUser | None:
        """The user that this client is signed in as; None where the server has no users.

        Raises:
            AuthenticationError: Nobody is signed in, or the token has ended.
            APIRequestError: The server failed, or could not be reached.
        """
        from invokeai_py_client.models import IvkUser

        if not await self.has_users():
            return None
        return IvkUser.from_api_response(
            await self.connection.http.json("GET", "/api/v1/auth/me", expect={"user_id": str, "email": str})
        )

    def _keep_token(self) -> None:
        """Write a token that the server has renewed where the old one came from, for the next program."""
        from invokeai_py_client.config import Profile, keep_profile, read_profiles

        known, token = self.connection.profile, self.settings.token
        if known is None or token is None or token == known.token:
            return
        try:
            today = read_profiles().get(known.name)
            if today == known:  # otherwise someone has signed in or out in the meantime
                self.connection.profile = Profile(known.name, known.url, token, known.email)
                keep_profile(self.connection.profile)
        except UsageError as error:
            logger.warning("The renewed token could not be kept: %s", error)

    # ------------------------------------------------------------------ opening and closing

    @face(ends_loop=True)
    async def close(self) -> None:
        """Close the connections. Harmless when repeated; the client opens them again when used again."""
        await self.disconnect_socketio()
        await self.connection.close()
        self._keep_token()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {"connection": self.connection}

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "settings" in state:  # pickled before there were connections
            connection = Connection.__new__(Connection)
            connection.__setstate__(state)
            state = {"connection": connection}
        self.connection = state["connection"]
        self._sockets = []

    def __repr__(self) -> str:
        return f"<AsyncInvokeAIClient of {self.url}>"


__getattr__ = old_names(__name__)  # InvokeAIClient
