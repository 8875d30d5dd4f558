"""How to reach a server: everything about a connection that is not the connection itself."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import unquote, urlsplit

from invokeai_py_client.errors import UsageError
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


DEFAULT_URL = "http://localhost:9090"
"""InvokeAI's own default address."""

_EXAMPLE = f"for example {DEFAULT_URL} or https://example.org/invoke"


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """A server's address.

    Attributes:
        origin: Scheme, host and port (``http://localhost:9090``), never with a password.
        prefix: The path that a reverse proxy puts before everything (``/invoke``), or "".
        userinfo: User and password for HTTP basic authentication, from the URL; kept out of ``repr``.
    """

    origin: str
    prefix: str = ""
    userinfo: tuple[str, str] | None = None

    @classmethod
    def parse(cls, url: str) -> ServerAddress:
        """Read a URL as people write it: the scheme may be missing, the path may end in ``/``.

        Raises:
            UsageError: The text is not the URL of a server.
        """
        text = url.strip()
        if "://" not in text:
            text = f"http://{text}"
        try:
            parts = urlsplit(text)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise UsageError(f"{_shown(url)!r} is not a server's URL ({error}); {_EXAMPLE}.") from None
        if parts.scheme not in ("http", "https") or not host or any(c.isspace() for c in host):
            raise UsageError(f"{_shown(url)!r} is not a server's URL; it should be {_EXAMPLE}.")
        host = f"[{host}]" if ":" in host else host
        origin = f"{parts.scheme}://{host}" + (f":{port}" if port is not None else "")
        userinfo = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
        return cls(origin, clean_prefix(parts.path), userinfo)

    @property
    def url(self) -> str:
        """The address as text, without a password."""
        return self.origin + self.prefix

    @property
    def socket_path(self) -> str:
        """Where the server's Socket.IO endpoint is, without a leading slash."""
        return f"{self.prefix}/ws/socket.io".lstrip("/")

    def __repr__(self) -> str:
        return f"ServerAddress({self.url!r})"


def _shown(url: str) -> str:
    """A URL without user and password, for error messages."""
    scheme, mark, rest = url.rpartition("://")
    return scheme + mark + rest.rpartition("@")[2]


def clean_prefix(path: str) -> str:
    """A proxy's path prefix: no slash at its end, and without the API's own ``/api/v1``.

    Older clients were given the API's root as ``base_path``; the prefix is what stands before it.

    Raises:
        UsageError: It is more than a path.
    """
    if "://" in path or "?" in path or "#" in path:
        raise UsageError(
            f"{path!r} is no path prefix; one looks like /tools/invoke. Whole URLs go into from_url()."
        )
    path = f"/{path.strip('/')}"
    for root in ("/api/v1", "/api/v2", "/api"):
        path = path.removesuffix(root).rstrip("/")
    return path


def proxy_for(origin: str) -> str | None:
    """The proxy that the environment (or the system's settings) names for a server, if any.

    Args:
        origin: The server's scheme, name and port.
    """
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(origin)
    return None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)


def credentials_of(email: str | None, password: str | None, remember_me: bool = False) -> Credentials | None:
    """Return an email and its password, or None if neither is given.

    Raises:
        UsageError: One of the two is missing, or is not text.
    """
    if not email and not password:
        return None
    for name, value in (("email", email), ("password", password)):
        if not isinstance(value, str) or not value:
            other = "password" if name == "email" else "email"
            raise UsageError(
                f"Signing in takes an email and a password; there is no {name} for this {other}."
            )
    return Credentials(str(email), str(password), remember_me)
