"""How to reach a server: everything about a connection that is not the connection itself."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from invokeai_py_client.transport.address import ServerAddress


@dataclass(slots=True)
class ConnectionSettings:
    """What requests and the event socket share.

    Attributes:
        address: The server.
        timeout: Seconds for one request. InvokeAI answers on one event loop, which heavy work can hold up.
        connect_timeout: Seconds for opening a connection.
        max_retries: How often a request that may be repeated is repeated.
        verify_ssl: Whether certificates are checked.
        token: Sent as ``Authorization: Bearer``; never shown.
        headers: Further headers for every request, for proxies.
    """

    address: ServerAddress
    timeout: float = 60.0
    connect_timeout: float = 10.0
    max_retries: int = 3
    verify_ssl: bool = True
    token: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)

    def request_headers(self) -> dict[str, str]:
        """The headers of every request and of the socket's handshake."""
        headers = dict(self.headers)
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        elif self.address.userinfo:
            pair = ":".join(self.address.userinfo).encode()
            headers["Authorization"] = f"Basic {b64encode(pair).decode()}"
        return headers

    def adopt_token(self, token: str | None) -> None:
        """Take over a token that the server renewed (``X-Refreshed-Token``, InvokeAI 6.12+)."""
        if token and self.token:
            self.token = token

    def without_secrets(self) -> ConnectionSettings:
        """The same without token, password and headers, to be stored or sent elsewhere."""
        address = ServerAddress(self.address.origin, self.address.prefix)
        return replace(self, address=address, token=None, headers={})
