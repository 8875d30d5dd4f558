"""HTTP requests to one server. The only file that knows the HTTP library."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from invokeai_py_client.errors import (
    APIRequestError,
    ConnectionLostError,
    NotInvokeAIError,
    RequestTimeoutError,
    ServerUnreachableError,
)
from invokeai_py_client.transport.address import proxy_for
from invokeai_py_client.transport.answers import check_is_file, check_is_ours, decode_json, error_of
from invokeai_py_client.transport.retry import parse_retry_after, retry_delay
from invokeai_py_client.transport.shapes import Shape, mismatch

if TYPE_CHECKING:
    import aiohttp

    from invokeai_py_client.transport.settings import ConnectionSettings

logger = logging.getLogger("invokeai_py_client.http")

Params = Mapping[str, str | int | float | bool | Sequence[str] | None]

_CONNECTIONS = 16
_REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_READS = frozenset({"GET", "HEAD"})
_CHUNK = 1 << 18


@dataclass(frozen=True, slots=True)
class Upload:
    """A file to send as a multipart form."""

    data: bytes
    filename: str
    content_type: str
    fields: Mapping[str, str]


class HttpTransport:
    """Sends requests to one server, over kept-alive connections.

    The connections belong to the running event loop; used from another one (a second ``asyncio.run``, a
    forked process), the transport opens new ones.
    """

    def __init__(self, settings: ConnectionSettings) -> None:
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        # Sessions of loops that run elsewhere, for example in the process that this one was forked from: closing
        # them here would take their sockets from that loop's selector, so they are only kept.
        self._orphans: list[aiohttp.ClientSession] = []
        self.sent = 0
        """How many requests were sent, repetitions included."""

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
        repeatable: bool | None = None,
        gives: Shape | None = None,
    ) -> Any:
        """Send a request and decode its JSON answer.

        Args:
            method: ``GET``, ``POST``...
            path: The path below the server's address, with its leading slash.
            params: Query parameters; None values are left out, sequences repeat.
            json: The body, as JSON data.
            upload: A file to send instead.
            timeout: Seconds for the whole exchange; the client's timeout by default.
            repeatable: Whether it may be sent again when it is unclear what became of it; by default
                for every method but POST and PATCH.
            gives: What the answer has to be: a type, or an object's keys with their types. Whoever reads into
                an answer says it, so that nothing else than InvokeAI's answers gets that far.

        Returns:
            The decoded body, or None where it is empty.

        Raises:
            APIRequestError: The server refused or failed, could not be reached, or answered something else.
        """
        body, content_type, request_id = await self._exchange(
            method, path, params=params, json=json, upload=upload, timeout=timeout, repeatable=repeatable
        )
        where = {"method": method, "path": path, "request_id": request_id}
        answer = decode_json(body, content_type, url=self.url, **where)
        wrong = None if gives is None else mismatch(answer, gives)
        if wrong is not None:
            raise NotInvokeAIError(
                None,
                answer,
                f"{self.url} answered {method} {path} with JSON that {wrong}: {answer!r:.120}. "
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
        request_id = uuid.uuid4().hex
        where = {"method": "GET", "path": path, "request_id": request_id}
        limits = aiohttp.ClientTimeout(sock_connect=self._connect_timeout(patience), sock_read=patience)
        with self._our_errors(where, patience):
            answer = await (await self._open("GET", path, request_id, headers, timeout=limits))

        async def chunks() -> AsyncIterator[bytes]:
            with self._our_errors(where, patience):
                async for chunk in answer.content.iter_chunked(_CHUNK):
                    yield chunk

        # What the caller's own block raises (a full disk, say) is not ours to translate.
        async with answer:
            with self._our_errors(where, patience):
                if answer.status >= 400:
                    raise error_of(answer.status, await answer.read(), answer.content_type, **where)
                self._check(answer, where)
                check_is_file(answer.content_type, url=self.url, **where)
            yield chunks()

    async def close(self) -> None:
        """Close the connections. The transport can be used again; it opens new ones."""
        session, loop, self._session, self._loop = self._session, self._loop, None, None
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
        repeatable: bool | None = None,
    ) -> tuple[bytes, str, str]:
        import aiohttp

        patience = timeout or self._settings.timeout
        limits = aiohttp.ClientTimeout(total=patience, sock_connect=self._connect_timeout(patience))
        may_repeat = method in _REPEATABLE if repeatable is None else repeatable
        # A server may have closed a kept connection (InvokeAI does after an unhandled error), which shows only
        # when it is used again. So a read that breaks is sent once more at once, whatever the retries.
        maybe_stale = method in _READS
        attempt = 0
        while True:
            attempt += 1
            request_id = uuid.uuid4().hex
            where = {"method": method, "path": path, "request_id": request_id}
            retry_after = None
            try:
                with self._our_errors(where, patience):
                    async with await self._open(
                        method,
                        path,
                        request_id,
                        params=_query(params),
                        json=json,
                        data=_form(upload),
                        timeout=limits,
                    ) as answer:
                        body = await answer.read()
                        logger.debug(
                            "%s %s -> %d (%d bytes) %s", method, path, answer.status, len(body), request_id
                        )
                        if answer.status < 400:
                            self._check(answer, where)
                            self._settings.adopt_token(answer.headers.get("X-Refreshed-Token"))
                            return body, answer.content_type, request_id
                        retry_after = parse_retry_after(answer.headers.get("Retry-After"))
                        error = error_of(answer.status, body, answer.content_type, **where)
                        error.retry_after = retry_after
                        raise error
            except APIRequestError as error:
                if maybe_stale and isinstance(error, ConnectionLostError):
                    maybe_stale = False
                    attempt -= 1
                    continue
                delay = retry_delay(
                    error,
                    attempt=attempt,
                    max_retries=self._settings.max_retries,
                    repeatable=may_repeat,
                    retry_after=retry_after,
                )
                if delay is None:
                    raise
                logger.info("%s %s failed (%s), again in %.2f s", method, path, error.code, delay)
                await asyncio.sleep(delay)

    async def _open(
        self,
        method: str,
        path: str,
        request_id: str,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> aiohttp.client._RequestContextManager:  # pyright: ignore[reportPrivateUsage]
        self.sent += 1
        sent_headers = {**self._settings.request_headers(), "X-Request-ID": request_id, **(headers or {})}
        if method == "DELETE":
            # 6.14.2 compresses (with starlette 1.x) even an answer without a body, a 204, and fails at it: it
            # has deleted the model by then, and says 500.
            sent_headers["Accept-Encoding"] = "identity"
        session = await self._current_session()
        return session.request(
            method, self._settings.address.url + path, headers=sent_headers, allow_redirects=False, **options
        )

    def _check(self, answer: aiohttp.ClientResponse, where: Mapping[str, str]) -> None:
        location = answer.headers.get("Location", "")
        check_is_ours(answer.status, answer.content_type, location, url=self._settings.address.url, **where)

    def _connect_timeout(self, patience: float) -> float:
        # For the connection alone: to wait for a free one of the pool (aiohttp's "connect") is no failure.
        return min(patience, self._settings.connect_timeout)

    async def _current_session(self) -> aiohttp.ClientSession:
        import aiohttp

        loop = asyncio.get_running_loop()
        if self._session is not None and self._loop is not loop:
            await self.close()
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=_CONNECTIONS, ssl=self._settings.verify_ssl)
            # Its own look at the environment ("trust_env") starts two threads for every request: half a millisecond.
            self._session = aiohttp.ClientSession(
                connector=connector,
                proxy=proxy_for(self._settings.address.origin),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
            # It would repeat PUT and DELETE too when a connection breaks; repeating is decided here.
            self._session._retry_connection = False  # pyright: ignore[reportPrivateUsage]
            self._loop = loop
        return self._session

    def _our_errors(self, where: Mapping[str, str], patience: float) -> _OurErrors:
        return _OurErrors(self._settings.address.url, where, patience)


class _OurErrors:
    """Turns the library's exceptions into ours.

    A plain class, because it wraps every request and every chunk of a download: a generator-based context
    manager costs four times as much.
    """

    __slots__ = ("_patience", "_url", "_where")

    def __init__(self, url: str, where: Mapping[str, str], patience: float) -> None:
        self._url = url
        self._where = where
        self._patience = patience

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        if error is None or isinstance(error, APIRequestError) or not isinstance(error, Exception):
            return
        import aiohttp

        if isinstance(error, aiohttp.ConnectionTimeoutError):
            raise ServerUnreachableError(
                None,
                None,
                f"Nothing answers at {self._url} (no connection in time). Is InvokeAI running there? "
                "Give its address as a URL, or in INVOKEAI_URL.",
                **self._where,
            ) from None
        if isinstance(error, TimeoutError):
            raise RequestTimeoutError(
                None,
                None,
                f"{self._url} did not answer {self._place} within {self._patience:g} s.",
                **self._where,
            ) from None
        if isinstance(error, aiohttp.ClientConnectorError | aiohttp.InvalidURL):
            raise ServerUnreachableError(
                None,
                None,
                f"Nothing answers at {self._url} ({_reason(error)}). Is InvokeAI running there? "
                "Give its address as a URL, or in INVOKEAI_URL.",
                **self._where,
            ) from None
        if isinstance(error, aiohttp.ClientError | OSError | ValueError):
            raise ConnectionLostError(
                None,
                None,
                f"The connection to {self._url} broke during {self._place} ({_reason(error)}).",
                **self._where,
            ) from None

    @property
    def _place(self) -> str:
        return f"{self._where['method']} {self._where['path']}"


def _reason(error: Exception) -> str:
    os_error = getattr(error, "os_error", None)
    return str(getattr(os_error, "strerror", None) or error or type(error).__name__)


def _query(params: Params | None) -> list[tuple[str, str]] | None:
    if not params:
        return None
    pairs: list[tuple[str, str]] = []
    for name, value in params.items():
        if value is None:
            continue
        values = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
        pairs.extend((name, _text(one)) for one in values)
    return pairs


def _text(value: str | int | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _form(upload: Upload | None) -> aiohttp.FormData | None:
    if upload is None:
        return None
    import aiohttp

    form = aiohttp.FormData()
    for name, value in upload.fields.items():
        form.add_field(name, value)
    form.add_field("file", upload.data, filename=upload.filename, content_type=upload.content_type)
    return form
