"""HTTP requests to one server. With ``http_errors`` the only file that knows the HTTP library."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from invokeai_py_client._aio import LoopBound
from invokeai_py_client.errors import (
    APIRequestError,
    ConnectionLostError,
    NotInvokeAIError,
)
from invokeai_py_client.transport.auth import LOGIN, Auth, AuthFlow
from invokeai_py_client.transport.http_errors import translate_errors
from invokeai_py_client.transport.json_shape import Shape, shape_error, shortly
from invokeai_py_client.transport.limits import LARGEST_ERROR, LARGEST_FILE, read_all, watched
from invokeai_py_client.transport.payload import Params, Upload, query_of
from invokeai_py_client.transport.responses import (
    check_is_file,
    check_is_ours,
    decode_json,
    error_of,
    seconds_ahead,
)
from invokeai_py_client.transport.retry import Retries, parse_retry_after
from invokeai_py_client.transport.secrets import Hidden, redacted, secrets_of
from invokeai_py_client.transport.settings import proxy_for

if TYPE_CHECKING:
    import aiohttp

    from invokeai_py_client.transport.settings import ConnectionSettings

logger = logging.getLogger("invokeai_py_client.http")

__all__ = ["HttpTransport", "Params", "Upload", "session_for_events"]

_CONNECTIONS = 16
_REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_READS = frozenset({"GET", "HEAD"})
_CHUNK = 1 << 18


class HttpTransport:
    """Sends requests to one server, over kept-alive connections.

    The connections belong to the running event loop; used from another one (a second ``asyncio.run``, a
    forked process), the transport opens new ones.
    """

    def __init__(self, settings: ConnectionSettings) -> None:
        self._settings = settings
        self._session: LoopBound[aiohttp.ClientSession] = LoopBound()
        # Sessions of loops that run elsewhere, for example in the process that this one was forked from: closing
        # them here would take their sockets from that loop's selector, so they are only kept.
        self._orphans: list[aiohttp.ClientSession] = []
        self.auth = Auth(self, settings)
        """Signs in."""
        self.sent = 0
        """How many requests were sent, repetitions included."""
        self.clock_difference: float | None = None
        """How many seconds the server's clock was ahead at its last answer; None where it does not tell."""

    @property
    def url(self) -> str:
        """The server's URL, without a password."""
        return self._settings.address.url

    async def json(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        json: Any = None,
        upload: Upload | None = None,
        timeout: float | None = None,
        idempotent: bool | None = None,
        expect: Shape | None = None,
    ) -> Any:
        """Send a request and decode its JSON answer.

        Args:
            method: ``GET``, ``POST``...
            path: The path below the server's address, with its leading slash.
            params: Query parameters; None values are left out, sequences repeat.
            json: The body, as JSON data.
            upload: A file to send instead.
            timeout: Seconds for the whole exchange; the client's timeout by default.
            idempotent: Whether it may be sent again when it is unclear what became of it; by default
                for every method but POST and PATCH.
            expect: What the answer has to be: a type, or an object's keys with their types. Whoever reads into
                an answer says it, so that nothing else than InvokeAI's answers gets that far.

        Returns:
            The decoded body, or None where it is empty.

        Raises:
            APIRequestError: The server refused or failed, could not be reached, or answered something else.
        """
        body, content_type, request_id = await self._exchange(
            method, path, params=params, json=json, upload=upload, timeout=timeout, idempotent=idempotent
        )
        where = {"method": method, "path": path, "request_id": request_id}
        answer = decode_json(body, content_type, url=self.url, **where)
        wrong = None if expect is None else shape_error(answer, expect)
        if wrong is not None:
            body = redacted(body, secrets_of(self._settings, params, json))
            answer = "***" if path == LOGIN else decode_json(body, content_type, url=self.url, **where)
            raise NotInvokeAIError(
                None,
                answer,
                f"{self.url} answered {method} {path} with JSON that {wrong}: {shortly(answer)}. "
                "Is it an InvokeAI server, of 5.15 or later?",
                **where,
            )
        return answer

    async def bytes(self, path: str, *, params: Params | None = None, timeout: float | None = None) -> bytes:
        """Get a file.

        Raises:
            APIRequestError: The server refused or failed, or could not be reached.
        """
        body, content_type, request_id = await self._exchange("GET", path, params=params, timeout=timeout)
        where = {"method": "GET", "path": path, "request_id": request_id}
        check_is_file(content_type, url=self.url, **where)
        return body

    async def raw(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        json: Any = None,
        timeout: float | None = None,
    ) -> tuple[bytes, str]:
        """Send a request, and leave its answer as it is.

        Returns:
            The answer's body, and its content type.

        Raises:
            APIRequestError: The server refused or failed, or could not be reached.
        """
        body, content_type, _ = await self._exchange(method, path, params=params, json=json, timeout=timeout)
        return body, content_type

    @asynccontextmanager
    async def stream(
        self, path: str, *, headers: Mapping[str, str] | None = None, timeout: float | None = None
    ) -> AsyncGenerator[AsyncIterator[bytes]]:
        """Get a file in pieces, so that it never stands in memory as a whole.

        Args:
            path: The path below the server's address.
            headers: Further headers.
            timeout: Seconds without any byte before giving up; the client's timeout by default.

        Raises:
            APIRequestError: The server refused or failed, or could not be reached.
        """
        import aiohttp

        patience = timeout or self._settings.timeout
        limits = aiohttp.ClientTimeout(sock_connect=self._connect_timeout(patience), sock_read=patience)
        flow = self.auth.flow(path)
        while True:
            try:
                answer, where = await self._send(
                    flow, "GET", path, patience=patience, headers=headers, timeout=limits
                )
                break
            except APIRequestError:
                if not await flow.renewed():
                    raise

        async def chunks() -> AsyncIterator[bytes]:
            with self._our_errors(where, patience):
                async for chunk in watched(answer.content.iter_chunked(_CHUNK), patience, LARGEST_FILE):
                    yield chunk

        # What the caller's own block raises (a full disk, say) is not ours to translate.
        async with answer:
            with self._our_errors(where, patience):
                self._check(answer, where)
                check_is_file(answer.content_type, url=self.url, **where)
            yield chunks()

    async def close(self) -> None:
        """Close the connections. The transport can be used again; it opens new ones."""
        session, loop = self._session.value, self._session.loop
        self._session.clear()
        if session is None or loop is None:
            return
        if loop is asyncio.get_running_loop() or loop.is_closed():
            await session.close()
        else:
            self._orphans.append(session)

    # ------------------------------------------------------------------ inside

    async def _exchange(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        json: Any = None,
        upload: Upload | None = None,
        timeout: float | None = None,
        idempotent: bool | None = None,
    ) -> tuple[bytes, str, str]:
        import aiohttp

        patience = timeout or self._settings.timeout
        limits = aiohttp.ClientTimeout(total=patience, sock_connect=self._connect_timeout(patience))
        may_repeat = method in _REPEATABLE if idempotent is None else idempotent
        # A server may have closed a kept connection (InvokeAI does after an unhandled error), which shows only
        # when it is used again. So a read that breaks is sent once more at once, whatever the retries.
        maybe_stale = method in _READS
        retries = Retries(self._settings.max_retries, idempotent=may_repeat)
        flow = self.auth.flow(path)
        while True:
            try:
                answer, where = await self._send(
                    flow,
                    method,
                    path,
                    params,
                    json,
                    patience=patience,
                    params=query_of(params),
                    json=json,
                    data=_form(upload),
                    timeout=limits,
                )
                with self._our_errors(where, patience):
                    async with answer:
                        self._check(answer, where)
                        limit = self._settings.largest_answer
                        chunks = answer.content.iter_chunked(_CHUNK)
                        body = await read_all(chunks, answer.content_length, limit)
                request_id = where["request_id"]
                logger.debug("%s %s -> %d (%d bytes) %s", method, path, answer.status, len(body), request_id)
                self.clock_difference = seconds_ahead(answer.headers.get("Date"))
                return body, answer.content_type, request_id
            except APIRequestError as error:
                if await flow.renewed():
                    continue
                if maybe_stale and isinstance(error, ConnectionLostError):
                    maybe_stale = False
                    continue
                if not await retries.pause_after(error):
                    raise

    async def _send(
        self, flow: AuthFlow, method: str, path: str, *sent: Any, patience: float, **options: Any
    ) -> tuple[aiohttp.ClientResponse, dict[str, str]]:
        """Send a request once.

        Args:
            flow: Authenticates the request.
            method: ``GET``, ``POST``...
            path: The path below the server's address.
            sent: What the server may repeat in an error.
            patience: The timeout that errors name.
            options: Those of ``_open()``.

        Returns:
            The response, which the caller closes, and what errors say about the request.

        Raises:
            APIRequestError: The server refused or failed, or could not be reached.
        """
        where = {"method": method, "path": path, "request_id": uuid.uuid4().hex}
        flow.begin()
        with self._our_errors(where, patience):
            answer = await (await self._open(method, path, where["request_id"], **options))
            flow.received(answer.status, answer.headers)
            if answer.status >= 400:
                async with answer:
                    error = await self._error(answer, where, *sent)
                    error.retry_after = parse_retry_after(answer.headers.get("Retry-After"))
                    raise error
        return answer, where

    async def _open(
        self,
        method: str,
        path: str,
        request_id: str,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> aiohttp.client._RequestContextManager:  # pyright: ignore[reportPrivateUsage]
        self.sent += 1
        sent_headers = Hidden(self._settings.request_headers()) | {
            "X-Request-ID": request_id,
            **(headers or {}),
        }
        if method == "DELETE":
            # 6.14.2 compresses (with starlette 1.x) even an answer without a body, a 204, and fails at it: it
            # has deleted the model by then, and says 500.
            sent_headers["Accept-Encoding"] = "identity"
        session = await self._current_session()
        return session.request(
            method, self._settings.address.url + path, headers=sent_headers, allow_redirects=False, **options
        )

    async def _error(
        self, answer: aiohttp.ClientResponse, where: Mapping[str, str], *sent: Any
    ) -> APIRequestError:
        chunks = answer.content.iter_chunked(_CHUNK)
        body = await read_all(chunks, answer.content_length, LARGEST_ERROR, cut=True)
        body = redacted(body, secrets_of(self._settings, *sent))
        logger.debug("%s %s -> %d %s", where["method"], where["path"], answer.status, where["request_id"])
        challenge = answer.headers.get("WWW-Authenticate", "")
        return error_of(answer.status, body, answer.content_type, challenge=challenge, **where)

    def _check(self, answer: aiohttp.ClientResponse, where: Mapping[str, str]) -> None:
        location = answer.headers.get("Location", "").partition("?")[0]  # what comes after it may be a token
        check_is_ours(answer.status, answer.content_type, location, url=self._settings.address.url, **where)

    def _connect_timeout(self, patience: float) -> float:
        # For the connection alone: to wait for a free one of the pool (aiohttp's "connect") is no failure.
        return min(patience, self._settings.connect_timeout)

    async def _current_session(self) -> aiohttp.ClientSession:
        if self._session.here is None:
            await self.close()  # the one of another loop
        return self._session.get(self._new_session)

    def _new_session(self) -> aiohttp.ClientSession:
        import aiohttp

        # Its own look at the environment ("trust_env") starts two threads for every request: half a millisecond.
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_CONNECTIONS, ssl=self._settings.verify_ssl),
            proxy=proxy_for(self._settings.address.origin),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        # It would repeat PUT and DELETE too when a connection breaks; repeating is decided here.
        session._retry_connection = False  # pyright: ignore[reportPrivateUsage]
        return session

    def _our_errors(self, where: Mapping[str, str], patience: float) -> translate_errors:
        return translate_errors(self._settings.address.url, where, patience)


def session_for_events() -> aiohttp.ClientSession:
    """What the event connection is opened with: it follows no redirect, for the token would be sent after it."""
    import aiohttp

    async def refuse(_: object, __: object, redirect: aiohttp.TraceRequestRedirectParams) -> None:
        to = redirect.response.headers.get("Location", "nowhere")
        raise aiohttp.ClientConnectionError(f"it redirects to {to}")

    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(refuse)
    return aiohttp.ClientSession(trace_configs=[trace], cookie_jar=aiohttp.DummyCookieJar())


def _form(upload: Upload | None) -> aiohttp.FormData | None:
    if upload is None:
        return None
    import aiohttp

    form = aiohttp.FormData()
    for name, value in upload.fields.items():
        form.add_field(name, value)
    form.add_field("file", upload.data, filename=upload.filename, content_type=upload.content_type)
    return form
