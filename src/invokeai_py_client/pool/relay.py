"""A connection to a server that only its agent can reach. The agent sends the requests."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from invokeai_py_client.connection import Connection
from invokeai_py_client.errors import (
    AgentLostError,
    APIRequestError,
    ConnectionLostError,
    ServerUnreachableError,
    UsageError,
)
from invokeai_py_client.transport.auth import LOGIN
from invokeai_py_client.transport.http import Form, HttpTransport, Params, Stream
from invokeai_py_client.transport.hub import EventHub
from invokeai_py_client.transport.payload import FormFile
from invokeai_py_client.transport.responses import Headers, Response, check_is_file, seconds_ahead
from invokeai_py_client.transport.retry import Retries
from invokeai_py_client.transport.settings import ConnectionSettings, ServerAddress

if TYPE_CHECKING:
    from invokeai_py_client.transport.socket import Room

T = TypeVar("T")

Ask = Callable[..., Awaitable[Any]]
"""Asks an agent: ``Engine.ask()``."""

_CHUNK = 1 << 18


class RelayedConnection(Connection):
    """A connection to a server whose requests are sent by its agent.

    It contains no secrets: the agent adds its own. Events are not relayed, so waits poll.
    """

    @classmethod
    def to_agent(cls, address: ServerAddress, ask: Ask, agent: str) -> RelayedConnection:
        """Return a connection to an agent's server.

        Args:
            address: The server's address, for messages.
            ask: Asks the agent.
            agent: The agent.
        """
        settings = ConnectionSettings(address)
        http = _RelayedHttp(settings, ask, agent)
        return cls(settings, http=http, hub=_NoEvents(settings, http.auth))

    @property
    def has_events(self) -> bool:
        """Whether the server's events reach this process. Agents do not pass them on."""
        return False

    def call(self, function: Callable[[Connection], Coroutine[Any, Any, T]], timeout: float) -> T:
        """Call a coroutine function from synchronous code, if the synchronous client is running.

        Raises:
            ServerUnreachableError: Only the asynchronous client is running. A temporary connection cannot be made.
        """
        thread = self._open.owner.loop_thread
        if thread is None or not thread.is_running:
            raise ServerUnreachableError(
                None, None, f"{self.url} is reached through its pool only. Use the asynchronous methods."
            )
        return super().call(function, timeout)

    def __setstate__(self, state: dict[str, Any]) -> None:
        # The URL may be that of another server here.
        settings: ConnectionSettings = state["settings"]
        http = _RelayedHttp(settings, _without_pool, settings.address.url)
        self.__init__(settings, http=http, hub=_NoEvents(settings, http.auth))


class _RelayedHttp(HttpTransport):
    """Sends requests through an agent.

    Args:
        settings: The settings of the connection.
        ask: Asks an agent.
        agent: The agent.
    """

    def __init__(self, settings: ConnectionSettings, ask: Ask, agent: str) -> None:
        super().__init__(settings)
        self._ask = ask
        self._agent = agent

    @asynccontextmanager
    async def stream(
        self,
        path: str,
        *,
        method: str = "GET",
        params: Params | None = None,
        json: Any = None,
        form: Form | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        any_type: bool = False,
    ) -> AsyncGenerator[Stream]:
        """Send a request once, and pass its response on in chunks. All of it is in memory.

        The arguments are those of ``HttpTransport.stream()``.
        """
        response, where = await self._exchange(
            method,
            path,
            params=params,
            json=json,
            form=form,
            headers=headers,
            timeout=timeout,
            retry=False,
        )
        if not any_type:
            check_is_file(response.content_type, url=self.url, **where)

        async def chunks() -> AsyncIterator[bytes]:
            for start in range(0, len(response.content), _CHUNK):
                yield response.content[start : start + _CHUNK]

        yield Stream(response.status_code, response.content_type, Headers(response.headers.items()), chunks())

    async def _exchange(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        json: Any = None,
        form: Form | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        idempotent: bool | None = None,
        retry: bool = True,
    ) -> tuple[Response, dict[str, str]]:
        where = {"method": method, "path": path, "request_id": uuid.uuid4().hex}
        if path == LOGIN:
            raise UsageError(
                f"Cannot sign in to {self.url}: its agent signs in, with the credentials that it finds where it runs."
            )
        options = {
            "params": params,
            "json": json,
            "form": None if form is None else _in_memory(form),
            "headers": headers,
            "timeout": timeout,
            "idempotent": idempotent,
        }
        may_repeat = method not in ("POST", "PATCH") if idempotent is None else idempotent
        retries = self.retries(idempotent=may_repeat) if retry else Retries(0)
        while True:
            self.sent += 1
            try:
                response: Response = await self._ask(self._agent, "request", method, path, options)
            except AgentLostError as lost:
                error: APIRequestError = ConnectionLostError(None, None, str(lost), **where)
            except APIRequestError as failed:
                error = failed
            else:
                self.reached = True
                self.clock_difference = seconds_ahead(response.headers.get("Date"))
                return response, where
            if not await retries.pause_after(error):
                raise error


class _NoEvents(EventHub):
    """A hub that receives no events."""

    def has_joined(self, room: Room) -> bool:
        """Return True, so that waits do not try again."""
        del room
        return True

    async def join(self, room: Room) -> None:
        """Do nothing."""


async def _without_pool(agent: str, question: str, *args: Any) -> Any:
    del question, args
    raise AgentLostError(f"{agent} can be reached only through its pool, in the process that has it.")


def _in_memory(form: Form) -> Form:
    """Return a form with the content of its files, which the agent cannot read."""
    files = {
        name: [_loaded(file) for file in ([several] if isinstance(several, FormFile) else several)]
        for name, several in form.files.items()
    }
    return Form(form.fields, files)


def _loaded(file: FormFile) -> FormFile:
    if isinstance(file.data, bytes):
        return file
    try:
        return replace(file, data=file.data.read_bytes())
    except OSError as error:
        raise UsageError(f"Cannot read the file {str(file.data)!r}: {error.strerror or error}.") from None
