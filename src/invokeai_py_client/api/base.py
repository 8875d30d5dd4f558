"""The base class of the generated classes: sends the requests and explains failures."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, cast

from invokeai_py_client._base import AsyncObject
from invokeai_py_client.connection import Resource
from invokeai_py_client.errors import APIRequestError, NotFoundError
from invokeai_py_client.transport.payload import ROUTE_MISSING

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.transport.http import Stream
    from invokeai_py_client.transport.json_shape import Shape
    from invokeai_py_client.transport.payload import Form, Params

T = TypeVar("T")


class RequestOptions(TypedDict, total=False):
    """Options that every operation takes.

    Attributes:
        timeout: Timeout for the request and its response, in seconds. Defaults to the client's timeout.
        idempotent: Whether the request may be repeated if its outcome is unknown. Defaults to what is known about the
            operation.
        expect: The shape of the response. A response with another shape raises ``NotInvokeAIError``. Defaults to
            None: any JSON.
        extra: More fields of the body. They are sent as they are: pass a field here to send null, or if the operation
            does not have it yet.
        params: More parameters of the query, as for ``extra``.
        raise_failure: Whether to raise an error if a response with status 200 reports a failure. Defaults to True.
        explain: Whether to ask for the server's version if the server does not have the operation, to say which version
            has. Defaults to True. Pass False if you handle this error.
    """

    timeout: float | None
    idempotent: bool | None
    expect: Shape | None
    extra: Mapping[str, Any]
    params: Params
    raise_failure: bool
    explain: bool


class FileOptions(TypedDict, total=False):
    """Options of operations that return a file.

    Attributes:
        timeout: Timeout for the request and its response, in seconds. Defaults to the client's timeout.
        explain: As in ``RequestOptions``.
    """

    timeout: float | None
    explain: bool


class StreamOptions(FileOptions, total=False):
    """Options of operations that stream a file.

    Attributes:
        timeout: How many seconds to wait for the next bytes. Defaults to the client's timeout.
        headers: Headers of the request, such as ``Range``.
    """

    headers: Mapping[str, str] | None


def given(**fields: Any) -> dict[str, Any]:
    """Return the fields of a body that are not None."""
    return {name: value for name, value in fields.items() if value is not None}


class AsyncDownload(AsyncObject):
    """A file that is being downloaded. Iterate over it once to get its content in chunks.

    Attributes:
        status_code: The HTTP status: 200, or 206 for a part of the file.
        content_type: The media type, such as ``video/mp4``.
        headers: The headers of the response, such as ``Content-Range``. Their names are case-insensitive.
    """

    def __init__(self, connection: Connection, stream: Stream) -> None:
        self.connection = connection
        self._stream = stream
        self.status_code: int = stream.status_code
        self.content_type: str = stream.content_type
        self.headers: Mapping[str, str] = stream.headers

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._stream

    def __repr__(self) -> str:
        return f"<AsyncDownload of {self.content_type}, status {self.status_code}>"


class ApiResource(Resource):
    """Base class of the classes that have one method for each operation of a router."""

    async def _call(
        self,
        operation: str,
        method: str,
        path: str,
        options: RequestOptions,
        *,
        params: Params | None = None,
        json: Any = None,
        form: Form | None = None,
        idempotent: bool | None = None,
        fails: str | None = None,
    ) -> Any:
        """Send a request and return its decoded response.

        Args:
            operation: The operation, for errors.
            method: The HTTP method.
            path: The path.
            options: The caller's options.
            params: The query.
            json: The body.
            form: The form, instead of a body.
            idempotent: Whether the request may be repeated. Defaults to None: the method decides.
            fails: The key of the response that says whether the operation failed. Defaults to none.
        """
        more: dict[str, Any] = dict(options)
        explain: bool = more.pop("explain", True)
        extra = more.pop("extra", None)
        added: Params | None = more.pop("params", None)
        if added:
            params = {**(params or {}), **added}
        if not more.pop("raise_failure", True):
            fails = None
        if extra:
            json = type(json)({**json, **extra}) if json else dict(extra)
        if more.get("idempotent") is None:
            more["idempotent"] = idempotent
        try:
            response = await self.connection.http.json(
                method, path, params=params, json=json, form=form, **more
            )
        except ROUTE_MISSING as error:
            if explain:
                await self._raise_if_too_old(operation, error)
            raise
        if fails is not None:
            _raise_if_failed(response, fails, operation, method, path)
        return response

    async def _text(
        self,
        operation: str,
        method: str,
        path: str,
        options: FileOptions,
        *,
        params: Params | None = None,
        idempotent: bool | None = None,
    ) -> bytes:
        """Send a request and return the text of its response as bytes."""
        timeout = options.get("timeout")
        try:
            response = await self.connection.http.raw(
                method, path, params=params, timeout=timeout, idempotent=idempotent
            )
        except ROUTE_MISSING as error:
            if options.get("explain", True):
                await self._raise_if_too_old(operation, error)
            raise
        return response.content

    async def _file(self, operation: str, path: str, options: FileOptions) -> bytes:
        """Download a file into memory."""
        try:
            return await self.connection.http.bytes(path, timeout=options.get("timeout"))
        except ROUTE_MISSING as error:
            if options.get("explain", True):
                await self._raise_if_too_old(operation, error)
            raise

    async def _head(self, operation: str, path: str, options: FileOptions) -> Mapping[str, str]:
        """Return the headers of the response to ``HEAD``."""
        try:
            response = await self.connection.http.raw("HEAD", path, timeout=options.get("timeout"))
        except ROUTE_MISSING as error:
            if options.get("explain", True):
                await self._raise_if_too_old(operation, error)
            raise
        return response.headers

    @asynccontextmanager
    async def _stream(
        self, operation: str, path: str, options: StreamOptions
    ) -> AsyncGenerator[AsyncDownload]:
        """Download a file in chunks."""
        opened = False
        try:
            async with self.connection.http.stream(
                path, headers=options.get("headers"), timeout=options.get("timeout")
            ) as stream:
                opened = True
                yield AsyncDownload(self.connection, stream)
        except ROUTE_MISSING as error:
            if not opened and options.get("explain", True):
                await self._raise_if_too_old(operation, error)
            raise

    async def _raise_if_too_old(self, operation: str, error: APIRequestError) -> None:
        """Raise an error that names the version that has an operation, if the server's version is older.

        Args:
            operation: The operation.
            error: The error of the request. If it is about an item that does not exist, no request is sent.
        """
        from invokeai_py_client.api.operations import OPERATIONS
        from invokeai_py_client.errors import ServerTooOldError
        from invokeai_py_client.schema.source import server_version

        since = OPERATIONS[operation].since
        if since is None or _is_about_an_item(error):
            return
        # A 404 may also be about an item that does not exist, so the version is asked for only once.
        seen = self.connection.part(_SeenVersion)
        version = seen.version
        if _numbers(version) < _numbers(since):
            version = seen.version = await server_version(self.connection.http)
        if _numbers(version) < _numbers(since):
            raise ServerTooOldError(
                f"`{operation}` needs InvokeAI {since} or later; this server is {version}.",
                since=since,
                version=version,
                method=error.method,
                path=error.path,
            ) from None


class _SeenVersion:
    """The server's version, after it was asked for.

    Attributes:
        version: The version, or "" before.
    """

    def __init__(self, connection: Connection) -> None:
        del connection
        self.version = ""


def _is_about_an_item(error: APIRequestError) -> bool:
    """Whether a server that has the route sent this 404. Without the route, the detail is always "Not Found"."""
    payload = error.payload
    if not isinstance(error, NotFoundError) or not isinstance(payload, dict):
        return False
    return cast("dict[str, Any]", payload).get("detail") != "Not Found"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _raise_if_failed(response: Any, key: str, operation: str, method: str, path: str) -> None:
    """Raise the error that a response with status 200 reports.

    Args:
        response: The response.
        key: ``error``, which has a text if the operation failed, or ``success``, which is False.
        operation: The operation.
        method: The request's method.
        path: The request's path.
    """
    if not isinstance(response, dict):
        return
    data = cast("dict[str, Any]", response)
    reason = data.get("error") if key == "error" else data.get("message")
    if data.get("success") is False if key == "success" else reason:
        reason = str(reason or "the server gave no reason").rstrip(".")
        raise APIRequestError(200, data, f"`{operation}` failed: {reason}.", method=method, path=path)
