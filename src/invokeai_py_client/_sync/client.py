"""The client: one server, one connection, and the repositories for each of its areas."""

# Written by tools/generate_sync.py from src/invokeai_py_client/client.py:
# change that, and run it again.
# pyright: reportPrivateUsage=false, reportIncompatibleVariableOverride=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from invokeai_py_client._sync.face import Face, wrap
from invokeai_py_client.client import AsyncInvokeAIClient

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractAsyncContextManager

    import socketio

    from invokeai_py_client._sync.board_repository import BoardRepository
    from invokeai_py_client._sync.dnn_model_repository import DnnModelRepository
    from invokeai_py_client._sync.image_repository import ImageRepository
    from invokeai_py_client._sync.queue_repository import QueueRepository
    from invokeai_py_client._sync.run_run import Run
    from invokeai_py_client._sync.workflow_repository import WorkflowRepository
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.models import IvkJob, IvkUser
    from invokeai_py_client.schema.schema import Schema
    from invokeai_py_client.transport.settings import ConnectionSettings
    from invokeai_py_client.v1.client import Answer


class InvokeAIClient(Face[AsyncInvokeAIClient]):
    """A connection to one InvokeAI server.

    Nothing is sent until something is asked for. Close it when done, or use it in a ``with`` block.

    Attributes:
        connection: The connection to the server, which repositories and handles take; for extensions.

    Example:
        ```python
        with InvokeAIClient.from_url("http://localhost:9090") as client:
            wf = client.workflow_repo.create_workflow("portrait.json")
            run = wf.run(positive_prompt="a lighthouse at dusk")
            run.images[0].save("lighthouse.png")
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
        self._impl = AsyncInvokeAIClient(
            host,
            port,
            use_https=use_https,
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
        self._impl.__dict__["_face"] = self

    @property
    def connection(self) -> Connection:
        """The connection to the server, which repositories and handles take; for extensions."""
        return self._impl.connection

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
        return cls._of(
            AsyncInvokeAIClient.from_url(
                url,
                timeout=timeout,
                api_key=api_key,
                verify_ssl=verify_ssl,
                max_retries=max_retries,
                headers=headers,
                base_path=base_path,
                email=email,
                password=password,
                profile=profile,
            )
        )

    @property
    def settings(self) -> ConnectionSettings:
        """How the server is reached."""
        return self._impl.settings

    @property
    def url(self) -> str:
        """The server's URL, without a password."""
        return self._impl.url

    def version(self) -> str:
        """The server's version, such as ``6.14.2``.

        Raises:
            ServerUnreachableError: Nothing answers there, or it is not InvokeAI.
        """
        return self._call(self._impl.version())

    def health_check(self) -> bool:
        """Whether an InvokeAI server answers at the address. Never raises."""
        return self._call(self._impl.health_check())

    def schema(self, *, refresh: bool = False) -> Schema:
        """The server's node types, from its own OpenAPI document.

        Read once for each server, version and set of custom nodes, and kept on disk.

        Args:
            refresh: Read it again, for example after custom nodes were installed.

        Raises:
            ServerUnreachableError: Nothing answers there, or it is not InvokeAI.
        """
        return self._call(self._impl.schema(refresh=refresh))

    def run(self, item_id: int, *, queue_id: str = "default") -> Run:
        """Pick up a run again by its queue item's id, from wherever it was started.

        Raises:
            RunError: There is no such queue item.
        """
        return wrap(self._call(self._impl.run(item_id, queue_id=queue_id)))

    def get_job(self, job_id: str | int, *, queue_id: str = "default") -> IvkJob:
        """A queue item as a typed record.

        Raises:
            RunError: There is no such queue item.
        """
        return self._call(self._impl.get_job(job_id, queue_id=queue_id))

    @property
    def workflow_repo(self) -> WorkflowRepository:
        """Workflows: to run, and in the server's library."""
        return wrap(self._impl.workflow_repo)

    @property
    def image_repo(self) -> ImageRepository:
        """Images."""
        return wrap(self._impl.image_repo)

    @property
    def board_repo(self) -> BoardRepository:
        """Boards, and the images on them."""
        return wrap(self._impl.board_repo)

    @property
    def dnn_model_repo(self) -> DnnModelRepository:
        """Models: listed, installed, converted, removed."""
        return wrap(self._impl.dnn_model_repo)

    @property
    def queue_repo(self) -> QueueRepository:
        """The queue of runs."""
        return wrap(self._impl.queue_repo)

    async def connect_socketio(self) -> socketio.AsyncClient:
        """A connected python-socketio client of one's own, in the running event loop.

        It is subscribed to the default queue. Disconnect it with ``disconnect_socketio()``. Runs need none
        of this; they follow their events by themselves.

        Raises:
            ServerUnreachableError: No connection.
        """
        return await self._impl.connect_socketio()

    async def disconnect_socketio(self) -> None:
        """Disconnect the clients that ``connect_socketio()`` made in the running event loop."""
        return await self._impl.disconnect_socketio()

    def socketio_session(self) -> AbstractAsyncContextManager[socketio.AsyncClient]:
        """A connected python-socketio client for the length of an ``with`` block.

        Raises:
            ServerUnreachableError: No connection.
        """
        return self._impl.socketio_session()

    def request(
        self,
        method: str,
        endpoint: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        timeout: float | None = None,
    ) -> Answer:
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
        return self._call(self._impl.request(method, endpoint, params=params, json=json, timeout=timeout))

    def login(self, email: str, password: str, *, remember_me: bool = False) -> IvkUser:
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
        return self._call(self._impl.login(email, password, remember_me=remember_me))

    def logout(self) -> None:
        """Be nobody from now on: the token, email and password are forgotten.

        The server keeps no list of tokens (6.14): one that was copied elsewhere lives until it ends, or until the
        password is changed.
        """
        self._call(self._impl.logout())

    def has_users(self) -> bool:
        """Whether the server has users, one of whom one has to sign in as.

        Raises:
            APIRequestError: The server failed, or could not be reached.
        """
        return self._call(self._impl.has_users())

    def me(self) -> IvkUser | None:
        """The user that this client is signed in as; None where the server has no users.

        Raises:
            AuthenticationError: Nobody is signed in, or the token has ended.
            APIRequestError: The server failed, or could not be reached.
        """
        return self._call(self._impl.me())

    def close(self) -> None:
        """Close the connections. Harmless when repeated; the client opens them again when used again."""
        self._call(self._impl.close())
        self._loop_thread.close()

    def __enter__(self) -> Self:
        self._call(self._impl.__aenter__())
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
