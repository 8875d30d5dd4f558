"""HTTP requests to one server. Only this module and ``http_errors`` use the HTTP library."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Self

from invokeai_py_client._aio import LoopBound
from invokeai_py_client._text import shown
from invokeai_py_client.errors import (
    APIRequestError,
    ConnectionLostError,
    NotInvokeAIError,
)
from invokeai_py_client.transport.auth import LOGIN, Auth, AuthFlow
from invokeai_py_client.transport.http_errors import translate_errors
from invokeai_py_client.transport.json_shape import Shape, shape_error, summarize
from invokeai_py_client.transport.limits import LARGEST_ERROR, LARGEST_FILE, check_pace, read_all
from invokeai_py_client.transport.payload import Form, FormFile, Params, dump_json, query_of, unicode_text
from invokeai_py_client.transport.proxies import Proxy, proxy_for
from invokeai_py_client.transport.responses import (
    Headers,
    Response,
    check_is_file,
    check_is_ours,
    decode_json,
    error_of,
    seconds_ahead,
)
from invokeai_py_client.transport.retry import Outage, Retries, is_patient, parse_retry_after
from invokeai_py_client.transport.secrets import Hidden, redacted, redacted_text, secrets_of
from invokeai_py_client.transport.sent_files import SentFiles

if TYPE_CHECKING:
    import aiohttp

    from invokeai_py_client.transport.settings import ConnectionSettings

logger = logging.getLogger("invokeai_py_client.http")

__all__ = ["Form", "FormFile", "HttpTransport", "Params", "Stream", "session_for_events"]

_CONNECTIONS = 16
_REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_READS = frozenset({"GET", "HEAD"})
_CHUNK = 1 << 18


class Stream:
    """A response whose body arrives in chunks. Iterate over it once.

    Attributes:
        status_code: The HTTP status.
        content_type: The media type of the body.
        headers: The headers of the response.
    """

    def __init__(
        self, status_code: int, content_type: str, headers: Headers, chunks: AsyncIterator[bytes]
    ) -> None:
        self.status_code = status_code
        self.content_type = content_type
        self.headers = headers
        self._chunks = chunks

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        return await anext(self._chunks)


class HttpTransport:
    """Sends requests to one server over persistent connections.

    The connections belong to the running event loop. If the transport is used in another event loop (a second
    ``asyncio.run``, a forked process), it opens new connections.
    """

    def __init__(self, settings: ConnectionSettings) -> None:
        self._settings = settings
        self._is_local = settings.address.is_loopback
        self._session: LoopBound[aiohttp.ClientSession] = LoopBound()
        # Sessions of event loops that run elsewhere, for example in the parent of a forked process. Closing them here
        # would remove their sockets from that loop's selector, so they are only kept.
        self._orphans: list[aiohttp.ClientSession] = []
        self._proxy: Proxy | None = None
        self.auth = Auth(self, settings)
        """The authentication of the requests."""
        self.sent = 0
        """The number of requests sent, including repetitions."""
        self.reached = False
        """Whether the server has responded to a request. Before that, an error probably means a wrong address."""
        self.clock_difference: float | None = None
        """Seconds by which the server's clock was ahead in its last response, or None if it does not send a date."""

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
        form: Form | None = None,
        timeout: float | None = None,
        idempotent: bool | None = None,
        retry: bool = True,
        expect: Shape | None = None,
    ) -> Any:
        """Send a request and decode its JSON response.

        Args:
            method: The HTTP method, such as ``GET`` or ``POST``.
            path: The path below the server's address, with its leading slash.
            params: Query parameters. None values are omitted, and sequences are repeated.
            json: The body, as JSON data.
            form: A form with fields and files, to send instead of JSON. Files on disk are read while they are sent.
            timeout: Timeout for the request and its response, in seconds. For a form with files on disk, how long
                nothing may be sent or received. Defaults to the client's timeout.
            idempotent: Whether the request may be repeated if its outcome is unknown. Defaults to True for all methods
                except POST and PATCH.
            retry: Whether to repeat the request if the server is busy or does not respond. Defaults to True. In any
                case, an idempotent read is sent again if the server had closed the connection.
            expect: The shape of the response. Pass it if you access the response's content, so that the response of
                a server that is not InvokeAI raises ``NotInvokeAIError``. Defaults to None: any JSON.

        Returns:
            The decoded body, or None if it is empty.

        Raises:
            APIRequestError: The server rejected the request or failed, could not be reached, or sent an unexpected
                response.
        """
        response, where = await self._exchange(
            method,
            path,
            params=params,
            json=json,
            form=form,
            timeout=timeout,
            idempotent=idempotent,
            retry=retry,
        )
        body, content_type = response.content, response.content_type
        data = decode_json(body, content_type, url=self.url, **where)
        wrong = None if expect is None else shape_error(data, expect)
        if wrong is not None:
            body = redacted(body, secrets_of(self._settings, params, json))
            data = "***" if path == LOGIN else decode_json(body, content_type, url=self.url, **where)
            raise NotInvokeAIError(
                None,
                data,
                f"Unexpected response of {self.url} to {method} {path}: the JSON {wrong}: {summarize(data)}. "
                "Check that the address is that of an InvokeAI server, version 5.15 or later.",
                **where,
            )
        return data

    async def bytes(self, path: str, *, params: Params | None = None, timeout: float | None = None) -> bytes:
        """Download a file into memory.

        Raises:
            APIRequestError: The server rejected the request or failed, or could not be reached.
        """
        response, where = await self._exchange("GET", path, params=params, timeout=timeout)
        check_is_file(response.content_type, url=self.url, **where)
        return response.content

    async def raw(
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
    ) -> Response:
        """Send a request and return the response without decoding it.

        The arguments are those of ``json()``.

        Args:
            method: The HTTP method.
            path: The path below the server's address.
            params: Query parameters.
            json: The body, as JSON data.
            form: A form to send instead of JSON.
            headers: Additional headers. They replace those of the client.
            timeout: Timeout in seconds. Defaults to the client's timeout.
            idempotent: Whether the request may be repeated if its outcome is unknown.
            retry: Whether to repeat the request if the server is busy or does not respond. Defaults to True.

        Raises:
            APIRequestError: The server rejected the request or failed, or could not be reached.
        """
        response, _ = await self._exchange(
            method,
            path,
            params=params,
            json=json,
            form=form,
            headers=headers,
            timeout=timeout,
            idempotent=idempotent,
            retry=retry,
        )
        return response

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
        """Send a request once, and receive the body of the response in chunks, without holding all of it in memory.

        The request is repeated only if its token was rejected. ``fetch_to_disk()`` repeats and resumes downloads.

        Args:
            path: The path below the server's address.
            method: The HTTP method. Defaults to GET.
            params: Query parameters.
            json: The body, as JSON data.
            form: A form to send instead of JSON.
            headers: Additional headers, such as ``Range``. They replace those of the client.
            timeout: How many seconds to wait for the next bytes. Defaults to the client's timeout.
            any_type: Whether to accept text and JSON. Defaults to False: they raise an error, because an error of a
                proxy would be mistaken for a file.

        Yields:
            The response. Iterate over it for the chunks of its body.

        Raises:
            APIRequestError: The server rejected the request or failed, or could not be reached.
        """
        import aiohttp

        patience = timeout or self._settings.timeout
        limits = aiohttp.ClientTimeout(sock_connect=self._connect_timeout(patience), sock_read=patience)
        flow = self.auth.flow(path)
        async with SentFiles(form, patience) as files:
            while True:
                try:
                    response, where = await self._send(
                        flow,
                        method,
                        path,
                        params,
                        json,
                        patience=patience,
                        params=query_of(params),
                        json=json,
                        form=form,
                        files=files,
                        headers=headers,
                        timeout=limits,
                    )
                    break
                except APIRequestError:
                    if not await flow.renewed():
                        raise

            async def chunks() -> AsyncIterator[bytes]:
                with self._our_errors(where, patience):
                    async for chunk in check_pace(
                        response.content.iter_chunked(_CHUNK), patience, LARGEST_FILE
                    ):
                        yield chunk

            # Errors of the caller's block (a full disk, for example) are not translated.
            async with response:
                with self._our_errors(where, patience):
                    self._check(response, where)
                    if not any_type:
                        check_is_file(response.content_type, url=self.url, **where)
                yield Stream(
                    response.status, response.content_type, Headers(response.headers.items()), chunks()
                )

    def retries(self, *, idempotent: bool = True) -> Retries:
        """Return the counter of attempts for a request.

        Reads that follow a run tolerate outages: see ``patient()`` in ``retry.py``.

        Args:
            idempotent: Whether sending the request twice has the same effect as sending it once. Defaults to True.
        """
        outage = Outage(self._settings.outage_timeout) if is_patient() and self.reached else None
        return Retries(self._settings.max_retries, idempotent=idempotent, outage=outage)

    async def close(self) -> None:
        """Close the connections. If the transport is used again, it opens new ones."""
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
        form: Form | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        idempotent: bool | None = None,
        retry: bool = True,
    ) -> tuple[Response, dict[str, str]]:
        import aiohttp

        patience = timeout or self._settings.timeout
        connect = self._connect_timeout(patience)
        # Sending a large file takes as long as it takes. SentFiles watches that it goes on.
        limits = (
            aiohttp.ClientTimeout(sock_connect=connect, sock_read=patience)
            if form is not None and form.has_files_on_disk
            else aiohttp.ClientTimeout(total=patience, sock_connect=connect)
        )
        may_repeat = method in _REPEATABLE if idempotent is None else idempotent
        # A server may have closed an idle connection (InvokeAI does so after an unhandled error), which is noticed
        # only when the connection is used again. So a read that breaks is repeated once at once, even without retries.
        maybe_stale = method in _READS and may_repeat
        retries = self.retries(idempotent=may_repeat) if retry else Retries(0)
        flow = self.auth.flow(path)
        while True:
            try:
                async with SentFiles(form, patience) as files:
                    response, where = await self._send(
                        flow,
                        method,
                        path,
                        params,
                        json,
                        patience=patience,
                        params=query_of(params),
                        json=json,
                        form=form,
                        files=files,
                        headers=headers,
                        timeout=limits,
                    )
                    with self._our_errors(where, patience):
                        async with response:
                            self._check(response, where)
                            retries.responded()
                            limit = self._settings.largest_answer
                            chunks = response.content.iter_chunked(_CHUNK)
                            # The length in a response to HEAD is that of a body that is not sent.
                            length = None if method == "HEAD" else response.content_length
                            body = await read_all(chunks, length, limit)
                logger.debug(
                    "%s %s -> %d (%d bytes) %s", method, path, response.status, len(body), where["request_id"]
                )
                self.clock_difference = seconds_ahead(response.headers.get("Date"))
                sent_back = Headers(response.headers.items())
                return Response(body, response.content_type, response.status, sent_back), where
            except APIRequestError as error:
                if await flow.renewed():
                    continue
                if maybe_stale and isinstance(error, ConnectionLostError):
                    maybe_stale = False
                    continue
                if not await retries.pause_after(error):
                    raise

    async def _send(
        self,
        flow: AuthFlow,
        method: str,
        path: str,
        *sent: Any,
        patience: float,
        form: Form | None,
        files: SentFiles,
        headers: Mapping[str, str] | None,
        **options: Any,
    ) -> tuple[aiohttp.ClientResponse, dict[str, str]]:
        """Send a request once.

        Args:
            flow: The authentication of the request.
            method: The HTTP method.
            path: The path below the server's address.
            sent: Request data that the server may repeat in an error. Secrets in it are redacted.
            patience: The timeout to name in errors, in seconds.
            form: A form to send, or None.
            files: The open files of the form.
            headers: Additional headers.
            options: The options of ``_open()``.

        Returns:
            The response, which the caller must close, and the attributes of errors about the request.

        Raises:
            APIRequestError: The server rejected the request or failed, or could not be reached.
        """
        where = {"method": method, "path": path, "request_id": uuid.uuid4().hex}
        await self._current_session()  # errors name its proxy
        flow.begin()
        with self._our_errors(where, patience):
            data = None if form is None else _form_data(form, files)
            async with files.watched():
                opening = self._open(method, path, where["request_id"], headers, data=data, **options)
                response = await (await opening)
            flow.received(response.status, response.headers)
            if response.status >= 400:
                async with response:
                    fields = None if form is None else form.fields
                    error = await self._error(response, where, *sent, fields, headers)
                    error.retry_after = parse_retry_after(response.headers.get("Retry-After"))
                    raise error
        return response, where

    async def _open(
        self,
        method: str,
        path: str,
        request_id: str,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Awaitable[aiohttp.ClientResponse]:
        self.sent += 1
        sent_headers = Hidden(self._settings.request_headers()) | {
            "X-Request-ID": request_id,
            **(headers or {}),
        }
        if self._is_local or method == "DELETE":
            # Compressing a response takes the server longer than sending it on the same machine. And after DELETE,
            # 6.14.2 (with starlette 1.x) tries to compress even a 204, which has no body, and fails: it responds with
            # 500 although it has deleted the model.
            sent_headers["Accept-Encoding"] = "identity"
        session = await self._current_session()
        return session.request(
            method, self._settings.address.url + path, headers=sent_headers, allow_redirects=False, **options
        )

    async def _error(
        self, response: aiohttp.ClientResponse, where: Mapping[str, str], *sent: Any
    ) -> APIRequestError:
        chunks = response.content.iter_chunked(_CHUNK)
        body = await read_all(chunks, response.content_length, LARGEST_ERROR, cut=True)
        body = redacted(body, secrets_of(self._settings, *sent))
        logger.debug("%s %s -> %d %s", where["method"], where["path"], response.status, where["request_id"])
        challenge = response.headers.get("WWW-Authenticate", "")
        note = self._settings.withheld
        return error_of(
            response.status,
            body,
            response.content_type,
            challenge=challenge,
            proxy=self._proxy,
            note=note,
            **where,
        )

    def _check(self, response: aiohttp.ClientResponse, where: Mapping[str, str]) -> None:
        # The query may contain a token, and the rest a password.
        location = self._hide(response.headers.get("Location", "").partition("?")[0])
        check_is_ours(
            response.status, response.content_type, location, url=self._settings.address.url, **where
        )
        self.reached = True

    def _connect_timeout(self, patience: float) -> float:
        # This limits opening a connection only. Waiting for a free one in the pool (aiohttp's "connect") is normal.
        return min(patience, self._settings.connect_timeout)

    async def _current_session(self) -> aiohttp.ClientSession:
        if self._session.here is None:
            await self.close()  # the session of another event loop
        return self._session.get(self._new_session)

    def _new_session(self) -> aiohttp.ClientSession:
        import aiohttp

        self._proxy = proxy_for(self._settings.address.origin)
        # aiohttp's "trust_env" starts two threads for every request, which takes half a millisecond.
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_CONNECTIONS, ssl=self._settings.verify_ssl),
            proxy=None if self._proxy is None else self._proxy.url,
            cookie_jar=aiohttp.DummyCookieJar(),
            json_serialize=dump_json,
        )
        # aiohttp would repeat PUT and DELETE if a connection breaks. This module decides about retries instead.
        session._retry_connection = False  # pyright: ignore[reportPrivateUsage]
        return session

    def _our_errors(self, where: Mapping[str, str], patience: float) -> translate_errors:
        return translate_errors(self._settings.address.url, where, patience, self._hide, self._proxy)

    def _hide(self, text: str) -> str:
        return redacted_text(text, self._settings)


def session_for_events(proxy: Proxy | None) -> aiohttp.ClientSession:
    """Return an HTTP session for the event connection that follows no redirects, which would leak the token."""
    import aiohttp

    async def refuse(_: object, __: object, redirect: aiohttp.TraceRequestRedirectParams) -> None:
        # The query may contain a token.
        to = redirect.response.headers.get("Location", "an unknown address").partition("?")[0]
        raise aiohttp.ClientConnectionError(f"the server redirects to {to}")

    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(refuse)
    return aiohttp.ClientSession(
        trace_configs=[trace],
        cookie_jar=aiohttp.DummyCookieJar(),
        proxy=None if proxy is None else proxy.url,
    )


def _form_data(form: Form, files: SentFiles) -> aiohttp.FormData:
    import aiohttp

    data = aiohttp.FormData()
    for name, text in form.texts():
        data.add_field(name, text)
    for name, part in form.parts():
        filename = unicode_text(part.filename, shown(part.filename))
        content = part.data if isinstance(part.data, bytes) else files.open(part.data)
        data.add_field(name, content, filename=filename, content_type=part.content_type)
    return data
