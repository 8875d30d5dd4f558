"""What the HTTP library raises, as our errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from invokeai_py_client.errors import (
    APIRequestError,
    CertificateError,
    ConnectionLostError,
    NotInvokeAIError,
    RequestTimeoutError,
    ServerUnreachableError,
)
from invokeai_py_client.transport.limits import TooMuchError


class translate_errors:
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
        if isinstance(error, TooMuchError):
            raise NotInvokeAIError(
                None,
                None,
                f"{self._url} answered {self._place}, but {error}: InvokeAI's are smaller.",
                **self._where,
            ) from None
        if isinstance(error, TimeoutError):
            raise RequestTimeoutError(
                None,
                None,
                f"{self._url} did not answer {self._place} within {self._patience:g} s.",
                **self._where,
            ) from None
        if isinstance(error, aiohttp.ClientSSLError):
            raise CertificateError(
                None,
                None,
                f"No secure connection to {self._url} ({_reason(error)}). If its certificate is one of your own, name "
                "it in SSL_CERT_FILE, or do without the check: verify_ssl=False.",
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
