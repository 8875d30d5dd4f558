"""Translation of the HTTP library's exceptions into this package's errors."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from invokeai_py_client.errors import (
    CertificateError,
    ConnectionLostError,
    InvokeAIClientError,
    NotInvokeAIError,
    RequestTimeoutError,
    ServerUnreachableError,
)
from invokeai_py_client.transport.limits import TooMuchError
from invokeai_py_client.transport.proxies import Proxy, via
from invokeai_py_client.transport.responses import PROXY_SIGN_IN, how_to_sign_in_to

_CHECK_ADDRESS = "Check that InvokeAI is running there, or set another address as the URL or in INVOKEAI_URL."


class translate_errors:
    """A context manager that translates the HTTP library's exceptions.

    It is a plain class because it wraps every request and every chunk of a download, and a generator-based context
    manager takes four times as long.
    """

    __slots__ = ("_hide", "_patience", "_proxy", "_url", "_where")

    def __init__(
        self,
        url: str,
        where: Mapping[str, str],
        patience: float,
        hide: Callable[[str], str],
        proxy: Proxy | None,
    ) -> None:
        """Create a context manager for one request.

        Args:
            url: The server's URL, without a password.
            where: The attributes of errors about the request.
            patience: The timeout to name in errors, in seconds.
            hide: Removes secrets from a message of the library, which may quote URLs and headers.
            proxy: The proxy that the request goes through.
        """
        self._hide = hide
        self._url = url
        self._where = where
        self._patience = patience
        self._proxy = proxy

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        if error is None or isinstance(error, InvokeAIClientError) or not isinstance(error, Exception):
            return
        import aiohttp

        if isinstance(error, aiohttp.ConnectionTimeoutError):
            raise self._unreachable("connection timed out") from None
        if isinstance(error, aiohttp.ClientProxyConnectionError | aiohttp.ClientHttpProxyError):
            raise self._proxy_failed(error) from None
        if isinstance(error, TooMuchError):
            raise NotInvokeAIError(
                None,
                None,
                f"Unexpected response of {self._url} to {self._place}: {error}. Check that it is an InvokeAI server.",
                **self._where,
            ) from None
        if isinstance(error, TimeoutError):
            raise RequestTimeoutError(
                None,
                None,
                f"{self._url} did not respond{via(self._proxy)} to {self._place} within {self._patience:g} s. "
                "If the server is just slow, raise `timeout`.",
                **self._where,
            ) from None
        if isinstance(error, aiohttp.ClientSSLError):
            raise CertificateError(
                None,
                None,
                f"No secure connection to {self._url} ({self._hide(_reason(error))}). If the certificate is "
                "self-signed, set SSL_CERT_FILE to its path, or turn off verification with verify_ssl=False.",
                **self._where,
            ) from None
        if isinstance(error, aiohttp.ClientConnectorError | aiohttp.InvalidURL):
            raise self._unreachable(_reason(error)) from None
        if isinstance(error, aiohttp.ClientError | OSError | ValueError):
            raise ConnectionLostError(
                None,
                None,
                f"The connection to {self._url}{via(self._proxy)} broke during {self._place} "
                f"({self._hide(_reason(error))}).",
                **self._where,
            ) from None

    def _unreachable(self, reason: str) -> ServerUnreachableError:
        """Return the error for a server or a proxy that cannot be connected to."""
        proxy, reason = self._proxy, self._hide(reason)
        if proxy is None:
            message = f"No server responds at {self._url} ({reason}). {_CHECK_ADDRESS}"
        else:
            message = (
                f"No server responds at {self._url}{via(proxy)} ({reason}). Check that the proxy is running. "
                f"{proxy.way_around}"
            )
        return ServerUnreachableError(None, None, message, **self._where)

    def _proxy_failed(self, error: Exception) -> ServerUnreachableError:
        """Return the error for a proxy that cannot be reached, or that refuses to connect to the server."""
        import aiohttp

        if not isinstance(error, aiohttp.ClientHttpProxyError):
            return self._unreachable(self._hide(_reason(error)))
        said = f"HTTP status {error.status}"
        hint = how_to_sign_in_to(self._proxy) if error.status == PROXY_SIGN_IN else ""
        if not hint and self._proxy is not None:
            hint = f" {self._proxy.way_around}"
        return ServerUnreachableError(
            None,
            None,
            f"No connection to {self._url}{via(self._proxy)}: it responded with {said}.{hint}",
            **self._where,
        )

    @property
    def _place(self) -> str:
        return f"{self._where['method']} {self._where['path']}"


def _reason(error: Exception) -> str:
    os_error: Any = getattr(error, "os_error", None)
    if (
        isinstance(os_error, OSError) and os_error.errno and "Connect call failed" in str(os_error)
    ):  # asyncio's text
        return os.strerror(os_error.errno)
    return str(getattr(os_error, "strerror", None) or error or type(error).__name__)
