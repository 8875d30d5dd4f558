"""How to reach a server: everything about a connection that is not the connection itself."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from invokeai_py_client.transport.address import ServerAddress
from invokeai_py_client.transport.limits import LARGEST_ANSWER


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who signs in to a multi-user server; neither is ever shown.

    Attributes:
        email: The user's email address.
        password: The password.
        remember_me: Whether the token is to last seven days instead of one (as of 6.14).
    """

    email: str = field(repr=False)
    password: str = field(repr=False)
    remember_me: bool = False


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
        credentials: What a new token is asked for with when the server takes the old one no more.
        largest_answer: The most bytes of an answer that is held in memory.
    """

    address: ServerAddress
    timeout: float = 60.0
    connect_timeout: float = 10.0
    max_retries: int = 3
    verify_ssl: bool = True
    token: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    credentials: Credentials | None = field(default=None, repr=False)
    largest_answer: int = LARGEST_ANSWER
    _session: int = field(default=0, repr=False)

    def request_headers(self) -> dict[str, str]:
        """The headers of every request and of the socket's handshake."""
        headers = dict(self.headers)
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        elif self.address.userinfo:
            pair = ":".join(self.address.userinfo).encode()
            headers["Authorization"] = f"Basic {b64encode(pair).decode()}"
        return headers

    def use_token(self, token: str | None, credentials: Credentials | None = None) -> None:
        """Be somebody else from now on, or nobody; answers to what was asked before change nothing of it."""
        self.token = token
        self.credentials = credentials
        self._session += 1

    @property
    def session(self) -> int:
        """Changes whenever somebody signs in or out."""
        return self._session

    def adopt_token(self, token: str | None, session: int | None = None) -> None:
        """Take over a token that the server renewed (``X-Refreshed-Token``, InvokeAI 6.12+).

        Args:
            token: The token; None for none.
            session: What ``session`` was when the request was sent.
        """
        if token and self.token and session in (None, self._session):
            self.token = token

    def without_secrets(self) -> ConnectionSettings:
        """The same without token, password and headers, to be stored or sent elsewhere."""
        address = ServerAddress(self.address.origin, self.address.prefix)
        return replace(self, address=address, token=None, headers={}, credentials=None)
