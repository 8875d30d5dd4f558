"""The HTTP session of version 1's client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from invokeai_py_client._base import AsyncObject
from invokeai_py_client.errors import UsageError

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.transport.responses import Response


class AsyncSession(AsyncObject):
    """The HTTP session of version 1's client, which sends requests to full URLs. Prefer ``client.request()``.

    A response with an error status raises an error immediately, not only in ``raise_for_status()``.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.connection.url}>"

    async def get(
        self, url: str, *, params: Mapping[str, Any] | None = None, timeout: float | None = None
    ) -> Response:
        """Send a GET request."""
        return await self.request("GET", url, params=params, timeout=timeout)

    async def post(
        self,
        url: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        timeout: float | None = None,
    ) -> Response:
        """Send a POST request."""
        return await self.request("POST", url, params=params, json=json, timeout=timeout)

    async def put(
        self,
        url: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        timeout: float | None = None,
    ) -> Response:
        """Send a PUT request."""
        return await self.request("PUT", url, params=params, json=json, timeout=timeout)

    async def patch(
        self,
        url: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        timeout: float | None = None,
    ) -> Response:
        """Send a PATCH request."""
        return await self.request("PATCH", url, params=params, json=json, timeout=timeout)

    async def delete(
        self, url: str, *, params: Mapping[str, Any] | None = None, timeout: float | None = None
    ) -> Response:
        """Send a DELETE request."""
        return await self.request("DELETE", url, params=params, timeout=timeout)

    async def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        timeout: float | None = None,
    ) -> Response:
        """Send a request.

        Args:
            method: The HTTP method, such as ``"GET"``.
            url: A URL of the client's server, such as ``f"{client.base_url}/app/version"``.
            params: Query parameters.
            json: The body, as JSON data.
            timeout: Timeout in seconds. Defaults to the client's timeout.

        Raises:
            UsageError: The URL belongs to another server.
            APIRequestError: The server rejected the request or failed, or could not be reached.
        """
        root = self.connection.url
        path = url.removeprefix(root)
        if not path.startswith("/api/") or (path == url and "://" in url):
            raise UsageError(f"Invalid URL {url!r}: expected a URL that starts with {root}/api/.")
        return await self.connection.http.raw(method.upper(), path, params=params, json=json, timeout=timeout)
