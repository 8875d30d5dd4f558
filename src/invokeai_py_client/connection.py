"""The narrow interface through which everything talks to one server."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from invokeai_py_client._aio import cancel_and_wait, raise_if_exiting
from invokeai_py_client._base import AsyncObject
from invokeai_py_client.config import choose, choose_recorded, outage_timeout_of
from invokeai_py_client.errors import UsageError
from invokeai_py_client.transport.settings import ConnectionSettings

if TYPE_CHECKING:
    from invokeai_py_client.client import AsyncInvokeAIClient
    from invokeai_py_client.config import Profile
    from invokeai_py_client.schema.template import Schema
    from invokeai_py_client.transport.http import HttpTransport
    from invokeai_py_client.transport.hub import EventHub
    from invokeai_py_client.transport.loop import LoopThread

T = TypeVar("T")


class Connection:
    """A connection to one InvokeAI server: its requests, events, schema, and background tasks.

    Repositories and handles take a connection, not the client. No request is sent until one is needed.

    Attributes:
        settings: The settings of the connection.
        profile: The profile in the configuration file that the token came from, or None.
    """

    def __init__(
        self,
        settings: ConnectionSettings,
        *,
        profile: Profile | None = None,
        http: HttpTransport | None = None,
        hub: EventHub | None = None,
    ) -> None:
        """Create a connection.

        Args:
            settings: The settings.
            profile: The profile that the token came from. Defaults to none.
            http: Sends requests. Defaults to a new one, when it is needed.
            hub: Receives events. Defaults to a new one, when it is needed.
        """
        self.settings = settings
        self.profile = profile
        self._open = _Resources(settings, http, hub)
        self._schema: Schema | None = None
        self._schema_outages = 0
        self._parts: dict[Any, Any] = {}
        self._closing: list[Callable[[], Awaitable[None]]] = []
        self._working: set[asyncio.Task[None]] = set()

    @classmethod
    def to(
        cls,
        url: str | None = None,
        *,
        base_path: str = "",
        timeout: float = 60.0,
        api_key: str | None = None,
        verify_ssl: bool = True,
        max_retries: int = 3,
        headers: Mapping[str, str] | None = None,
        email: str | None = None,
        password: str | None = None,
        profile: str | None = None,
        outage_timeout: float | None = None,
    ) -> Connection:
        """Return a connection to the server at a URL.

        The arguments and their defaults are those of ``AsyncInvokeAIClient.from_url()``.

        Raises:
            UsageError: The address is invalid, or a number is out of range.
        """
        chosen = choose(
            url, base_path=base_path, api_key=api_key, email=email, password=password, profile=profile
        )
        if not timeout > 0:
            raise UsageError(
                f"timeout: {timeout!r} is not valid; expected a number of seconds greater than 0."
            )
        if max_retries < 0:
            raise UsageError(
                f"max_retries: {max_retries!r} is not valid; expected a whole number of at least 0."
            )
        chosen_outage = outage_timeout_of(outage_timeout)
        settings = ConnectionSettings(
            chosen.address,
            timeout=timeout,
            connect_timeout=min(timeout, 10.0),
            max_retries=max_retries,
            verify_ssl=verify_ssl,
            token=chosen.token,
            headers=dict(headers or {}),
            credentials=chosen.credentials,
            outage_timeout=chosen_outage,
            withheld=chosen.withheld,
        )
        return cls(settings, profile=chosen.profile)

    @classmethod
    def to_recorded(cls, url: str) -> Connection:
        """Return a connection to a server whose URL comes from a file, such as a manifest.

        Such a URL may be that of any server, so it gets only credentials that belong to this server.

        Raises:
            UsageError: The address is invalid.
        """
        chosen = choose_recorded(url)
        settings = ConnectionSettings(
            chosen.address,
            token=chosen.token,
            credentials=chosen.credentials,
            outage_timeout=outage_timeout_of(None),
            withheld=chosen.withheld,
        )
        return cls(settings, profile=chosen.profile)

    @property
    def url(self) -> str:
        """The server's URL, without a password."""
        return self.settings.address.url

    @property
    def http(self) -> HttpTransport:
        """Sends requests."""
        return self._open.http

    @property
    def hub(self) -> EventHub:
        """Receives events."""
        return self._open.hub

    @property
    def has_events(self) -> bool:
        """Whether the server's events can reach this process, even if there is no event connection at the moment."""
        return True

    def check_events(self) -> None:
        """Check that the server's events can reach this process.

        Raises:
            UsageError: The server is reached through a Dask worker, which does not pass events on.
        """
        if not self.has_events:
            raise UsageError(
                f"The events of {self.url} do not reach this process, because it reaches the server through a Dask "
                "worker. Use run.status for the progress of a run, and wait() for its end."
            )

    async def schema(self, *, refresh: bool = False) -> Schema:
        """Return the server's node types, read from its OpenAPI document.

        Args:
            refresh: Whether to read the document again and ignore the cache. Defaults to False: it is read once, and
                again after the event connection was lost, because the server may have been restarted.

        Raises:
            ServerUnreachableError: No server responds at the address, or it is not InvokeAI.
        """
        outages = self._open.outages
        if self._schema is None or refresh or outages != self._schema_outages:
            from invokeai_py_client.schema.source import load_schema

            self._schema = await load_schema(self.http, self.url, refresh=refresh)
            self._schema_outages = outages
        return self._schema

    async def schema_has_changed(self) -> bool:
        """Read the node types again, and return whether they differ from those that were read before.

        Raises:
            ServerUnreachableError: No server responds at the address, or it is not InvokeAI.
        """
        before = self._schema
        return before is not None and dict(await self.schema(refresh=True)) != dict(before)

    def part(self, kind: Callable[[Connection], T]) -> T:
        """Return the shared object of a class, creating it on the first call.

        Args:
            kind: A class whose constructor takes the connection, such as a repository.
        """
        part = self._parts.get(kind)
        if part is None:
            part = self._parts[kind] = kind(self)
        return cast("T", part)

    def call(self, function: Callable[[Connection], Coroutine[Any, Any, T]], timeout: float) -> T:
        """Call a coroutine function from synchronous code and wait for it, even inside a running event loop.

        Notebooks need this to display objects. It runs on the event loop of the synchronous client if that is running,
        and otherwise over a temporary connection, so that nothing stays open.

        Args:
            function: The function. It takes the connection to use.
            timeout: The longest time to wait, in seconds.

        Raises:
            TimeoutError: The call took too long.
        """
        thread = self._open.owner.loop_thread
        if thread is not None and thread.is_running:
            return thread.call(asyncio.wait_for(function(self), timeout))
        temporary = Connection(self.settings, profile=self.profile)
        try:
            return temporary.loop_thread.call(asyncio.wait_for(function(temporary), timeout))
        finally:
            temporary._open.end()

    def share_loop(self, other: Connection) -> None:
        """Use the background event loop of another connection for synchronous calls.

        The objects of a pool belong to several servers, but they wait for each other, so one loop runs all of them.
        """
        self._open.share_loop(other._open.owner)

    @property
    def loop_is_running(self) -> bool:
        """Whether synchronous calls were made, so that the background event loop runs."""
        thread = self._open.owner.loop_thread
        return thread is not None and thread.is_running

    @property
    def runs_elsewhere(self) -> bool:
        """Whether the background event loop runs, and this code does not run in it."""
        thread = self._open.owner.loop_thread
        return self.loop_is_running and thread is not None and thread.thread is not threading.current_thread()

    def background(self, task: asyncio.Task[None]) -> None:
        """Register a task that is canceled when the connection is closed, before the resources that it uses."""
        self._working.add(task)
        task.add_done_callback(self._working.discard)

    def on_close(self, function: Callable[[], Awaitable[None]]) -> None:
        """Register a function that is awaited when the connection is closed, after the background tasks have ended."""
        self._closing.append(function)

    async def renew_events(self) -> None:
        """Reconnect the event connection, if there is one, as the user who is signed in now."""
        await self._open.renew_events()

    async def close(self) -> None:
        """Close all resources. Does nothing if they are closed. They are opened again when they are needed."""
        await cancel_and_wait(self._working)
        for function in self._closing:
            await function()
        await self._open.close()

    @property
    def loop_thread(self) -> LoopThread:
        """The background event loop of the synchronous classes."""
        opened = self._open.owner
        if opened.loop_thread is None:
            raise_if_exiting()
            from invokeai_py_client.transport.loop import LoopThread

            with opened.lock:  # several threads may make the first call at the same time
                if opened.loop_thread is None:
                    opened.loop_thread = LoopThread()
                    # This lets a script that never closes its client end without errors.
                    weakref.finalize(self, opened.end)
        return opened.loop_thread

    def __getstate__(self) -> dict[str, Any]:
        # Secrets are not pickled, because every pickled run contains its connection. The process that unpickles it
        # uses the secrets that it has for this server.
        return {"settings": self.settings}

    def __setstate__(self, state: dict[str, Any]) -> None:
        settings: ConnectionSettings = state["settings"]
        chosen = choose_recorded(settings.address.url)
        settings.address = chosen.address
        settings.withheld = chosen.withheld
        settings.use_token(chosen.token, chosen.credentials)
        self.__init__(settings, profile=chosen.profile)

    def __repr__(self) -> str:
        return f"<Connection to {self.url}>"


class Resource(AsyncObject):
    """Base class for repositories, which use a connection to access one area of a server."""

    def __init__(self, client: AsyncInvokeAIClient | Connection) -> None:
        """Create a repository. Clients create theirs themselves, so this is rarely needed.

        Args:
            client: The client or connection to use.
        """
        self.connection = cast("Connection", getattr(client, "connection", client))

    async def _json(self, method: str, path: str, **options: Any) -> Any:
        return await self.connection.http.json(method, path, **options)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.connection.url}>"


class _Resources:
    """The open resources of a connection.

    They are separate from the connection, so that they can be closed after it has been garbage-collected.
    """

    def __init__(
        self, settings: ConnectionSettings, http: HttpTransport | None, hub: EventHub | None
    ) -> None:
        self._settings = settings
        self._http = http
        self._hub = hub
        self.loop_thread: LoopThread | None = None
        # Without a reference to itself, a connection that is dropped is closed at once.
        self._owner: _Resources | None = None
        self.guests: list[_Resources] = []
        """The resources that use this background loop."""
        self.lock = threading.RLock()  # a `__del__` that the garbage collector calls may need it again

    @property
    def owner(self) -> _Resources:
        """The resources whose background loop is used."""
        return self if self._owner is None else self._owner

    def share_loop(self, owner: _Resources) -> None:
        """Use the background loop of other resources."""
        self._owner = owner
        owner.guests.append(self)

    @property
    def http(self) -> HttpTransport:
        """Sends requests."""
        if self._http is None:
            from invokeai_py_client.transport.http import HttpTransport

            self._http = HttpTransport(self._settings)
        return self._http

    @property
    def hub(self) -> EventHub:
        """Receives events."""
        if self._hub is None:
            from invokeai_py_client.transport.hub import EventHub

            self._hub = EventHub(self._settings, self.http.auth)
        return self._hub

    @property
    def outages(self) -> int:
        """How often the event connection was lost."""
        return 0 if self._hub is None else self._hub.outages

    async def renew_events(self) -> None:
        """Reconnect the event connection, if there is one, as the user who is signed in now."""
        if self._hub is not None:
            await self._hub.renew()

    async def close(self) -> None:
        """Close all resources, and those that use this background loop."""
        for guest in self.guests:
            await guest.close()
        if self._hub is not None:
            await self._hub.close()
        if self._http is not None:
            await self._http.close()

    def end(self) -> None:
        """Close all resources and stop the background loop. Works from any thread, also when Python exits."""
        thread = self.loop_thread
        if thread is None or not thread.is_running or thread.thread is threading.current_thread():
            return
        thread.call(self.close())
        thread.close()
