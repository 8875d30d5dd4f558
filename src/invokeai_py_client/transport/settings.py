"""Settings of a connection: the server's address, credentials, timeouts and headers."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from invokeai_py_client.errors import UsageError
from invokeai_py_client.transport.limits import LARGEST_ANSWER
from invokeai_py_client.transport.timing import LONGEST_OUTAGE


@dataclass(frozen=True, slots=True)
class Credentials:
    """The email and password to sign in to a multi-user server with. Neither is ever shown.

    Attributes:
        email: The user's email address.
        password: The password.
        remember_me: Whether to request a token that is valid for 7 days instead of one (as of 6.14).
    """

    email: str = field(repr=False)
    password: str = field(repr=False)
    remember_me: bool = False

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        raise UsageError("Credentials cannot be pickled, because a pickle would contain the password.")


@dataclass(slots=True)
class ConnectionSettings:
    """The settings that requests and the event connection share.

    Attributes:
        address: The server's address.
        timeout: Timeout for one request, in seconds. InvokeAI may respond slowly during heavy work.
        connect_timeout: Timeout for opening a connection, in seconds.
        max_retries: How often to repeat a failed request if repeating it is safe.
        verify_ssl: Whether to verify certificates.
        token: The token to send as ``Authorization: Bearer``. Never shown.
        headers: Additional headers for every request, for example for a proxy.
        credentials: The email and password for requesting a new token when the old one has expired.
        largest_answer: The maximum size of a response that is held in memory, in bytes.
        withheld: A sentence that says why credentials in the environment are not used for this server, or "". Errors
            about a missing sign-in repeat it.
        outage_timeout: How long the server may be unreachable during a wait and during everything that follows a run
            (reading results, downloading images), in seconds.
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
    outage_timeout: float = LONGEST_OUTAGE
    withheld: str = field(default="", repr=False)
    _session: int = field(default=0, repr=False)

    def __setstate__(self, state: tuple[None, dict[str, Any]]) -> None:
        values = state[1]
        self.__init__(values["address"])  # older versions had fewer settings
        for name, value in values.items():
            setattr(self, name, value)

    def request_headers(self) -> dict[str, str]:
        """Return the headers for requests and for the handshake of the event connection."""
        headers = dict(self.headers)
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        elif self.address.userinfo:
            pair = ":".join(self.address.userinfo).encode()
            headers["Authorization"] = f"Basic {b64encode(pair).decode()}"
        return headers

    def use_token(self, token: str | None, credentials: Credentials | None = None) -> None:
        """Switch to another user's token, or sign out. Responses to requests already in flight do not change it."""
        self.token = token
        self.credentials = credentials
        self._session += 1

    def use_password(self, password: str) -> None:
        """Sign in with another password from now on, if there are credentials."""
        if self.credentials is not None:
            self.credentials = replace(self.credentials, password=password)

    @property
    def has_account(self) -> bool:
        """Whether the client signs in, so that the server may have several users."""
        return self.token is not None or self.credentials is not None

    @property
    def session(self) -> int:
        """A number that changes at each sign-in or sign-out."""
        return self._session

    def adopt_token(self, token: str | None, session: int | None = None) -> None:
        """Adopt a token that the server renewed (``X-Refreshed-Token``, InvokeAI 6.12+).

        Args:
            token: The new token, or None if the server did not renew it.
            session: The value of ``session`` when the request was sent.
        """
        if token and self.token and session in (None, self._session):
            self.token = token

    def without_secrets(self) -> ConnectionSettings:
        """Return a copy without token, password and headers, which can be stored or sent elsewhere."""
        address = ServerAddress(self.address.origin, self.address.prefix)
        return replace(self, address=address, token=None, headers={}, credentials=None)

    def __copy__(self) -> ConnectionSettings:
        return replace(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> ConnectionSettings:
        return replace(self, headers=dict(self.headers))

    def __getstate__(self) -> tuple[None, dict[str, Any]]:
        # Pickles contain no secrets.
        clean = self.without_secrets()
        return None, {one.name: getattr(clean, one.name) for one in fields(clean)}


DEFAULT_PORT = 9090
"""InvokeAI's default port."""

DEFAULT_URL = f"http://localhost:{DEFAULT_PORT}"
"""InvokeAI's default address."""

_PORT = re.compile(r":[^]:]+$")
_LONGEST_HOST = 253
_LONGEST_LABEL = 63
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_EXAMPLE = f'expected something like "{DEFAULT_URL}" or "https://example.org/invoke"'


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """A server's address.

    Attributes:
        origin: Scheme, host and port (``http://localhost:9090``), without a password.
        prefix: The path prefix of a reverse proxy (``/invoke``), or "".
        userinfo: User name and password for HTTP basic authentication, from the URL. Hidden in ``repr``.
    """

    origin: str
    prefix: str = ""
    userinfo: tuple[str, str] | None = None

    @classmethod
    def parse(cls, url: str) -> ServerAddress:
        """Parse a URL, or a host with or without a port. The path may end with a slash.

        Without a scheme, ``http`` and InvokeAI's port 9090 are the defaults: ``gpu`` is ``http://gpu:9090``.

        Raises:
            UsageError: The string is not a valid URL of a server.
        """
        text = complete_url(url)
        scheme, mark, rest = text.partition("://")
        authority, end, path = _split_path(rest)
        user, at, host = authority.rpartition("@")
        try:
            # The library quotes the user name and the password in its errors, so it does not get them.
            parts = urlsplit(f"{scheme}{mark}{host}{end}{path}")
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise UsageError(f"Invalid server URL {_shown(url)!r} ({error}): {_EXAMPLE}.") from None
        if parts.scheme not in ("http", "https") or not host or port == 0 or not _is_host(host):
            raise UsageError(f"Invalid server URL {_shown(url)!r}: {_EXAMPLE}.")
        host = f"[{host}]" if ":" in host else host
        origin = f"{parts.scheme}://{host}" + (f":{port}" if port is not None else "")
        name, _, password = user.partition(":")
        userinfo = (unquote(name), unquote(password)) if at and name else None
        return cls(origin, clean_prefix(parts.path), userinfo)

    @property
    def url(self) -> str:
        """The address as text, without a password."""
        return self.origin + self.prefix

    @property
    def is_loopback(self) -> bool:
        """Whether the server's host is this machine, by a loopback address."""
        host = urlsplit(self.origin).hostname or ""
        return host in ("localhost", "::1") or host.startswith("127.")

    def is_same(self, other: ServerAddress) -> bool:
        """Return whether two addresses are the same, no matter whether a URL names the default port of its scheme."""
        return (_with_port(self.origin), self.prefix) == (_with_port(other.origin), other.prefix)

    @property
    def socket_path(self) -> str:
        """The path of the server's Socket.IO endpoint, without a leading slash."""
        return f"{self.prefix}/ws/socket.io".lstrip("/")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return ServerAddress, (self.origin, self.prefix)  # pickles contain no secrets

    def __repr__(self) -> str:
        return f"ServerAddress({self.url!r})"


def _with_port(origin: str) -> str:
    parts = urlsplit(origin)
    return origin if parts.port is not None else f"{origin}:{443 if parts.scheme == 'https' else 80}"


def complete_url(text: str, *, scheme: str = "http", port: int | None = None) -> str:
    """Return the URL of a server for a URL, a host, or a host and a port.

    Args:
        text: ``https://example.org/invoke``, ``gpu``, ``gpu:9090``, ``127.0.0.1``, ``::1``...
        scheme: The scheme if the text has none. Defaults to ``http``.
        port: The port if the text has none. Defaults to 9090 for a text without a scheme, and to the port of the scheme
            otherwise.

    Raises:
        UsageError: The text is empty or has another port.
    """
    text = text.strip()
    if not text:
        raise UsageError(f"Invalid server URL '': {_EXAMPLE}.")
    rest = text[len(_scheme_of(text)) :]
    if "@" in rest[len(_split_path(rest)[0]) :]:
        # Otherwise, a part of the password would become the host, and the rest the path, which messages repeat.
        raise UsageError(
            f"Invalid server URL {_shown(text)!r}: there is an @ after the first /, ? or #. Replace special characters "
            "in a user name, a password or a path by their percent-encoded forms: / by %2F, ? by %3F, # by %23, @ by "
            "%40."
        )
    if not _scheme_of(text):
        text = f"{scheme}://{_bracketed(text)}"
        if port is None and not _PORT.search(_netloc(text)):
            port = DEFAULT_PORT
    if port is None:
        return text
    known = _port_of(text)
    if known is not None and known != port:
        raise UsageError(
            f"The server has two ports: {known} in {_shown(text)!r}, and {port}. Pass only one of them."
        )
    if known is not None:
        return text
    start, mark, rest = text.partition("://")
    host, *path = re.split(r"(?=[/?#])", rest, maxsplit=1)
    return f"{start}{mark}{host.removesuffix(':')}:{port}{''.join(path)}"


def _bracketed(text: str) -> str:
    """Return a text with brackets around an IPv6 address."""
    if text.count(":") < 2 or "[" in text:
        return text
    import ipaddress

    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return text
    return f"[{text}]"


def _netloc(url: str) -> str:
    """Return the host and port of a URL, without user name and password."""
    return re.split(r"[/?#]", url.partition("://")[2], maxsplit=1)[0].rpartition("@")[2]


def _port_of(url: str) -> int | None:
    try:
        return urlsplit(url).port
    except ValueError:
        return None


def _is_host(host: str) -> bool:
    """Return whether a text can be the name or the address of a host."""
    if any(c.isspace() for c in host) or host in ("http", "https"):  # as in "http:/localhost"
        return False
    try:
        name = host.encode() if host.isascii() else host.encode("idna")
    except UnicodeError:
        return False
    return len(name) <= _LONGEST_HOST and all(len(label) <= _LONGEST_LABEL for label in name.split(b"."))


def _scheme_of(url: str) -> str:
    """Return the beginning of a URL up to ``://``, or "" if it has no scheme."""
    found = _SCHEME.match(url)
    return found.group() if found else ""


def _split_path(rest: str) -> tuple[str, str, str]:
    """Split a URL without its scheme before the path, the query or the fragment."""
    found = re.search(r"[/?#]", rest)
    return (rest, "", "") if found is None else (rest[: found.start()], found.group(), rest[found.end() :])


def _shown(url: str) -> str:
    """Return a URL without user name, password and query, for error messages."""
    scheme = _scheme_of(url.strip())
    rest = url.strip()[len(scheme) :].rpartition("@")[2]
    return scheme + re.split(r"[?#]", rest)[0]


def clean_prefix(path: str) -> str:
    """Return the path prefix of a proxy without a trailing slash and without the API's ``/api/v1``.

    Version 1 expected the root of the API as ``base_path``, so that part is removed.

    Raises:
        UsageError: The string is not just a path.
    """
    if "://" in path or "?" in path or "#" in path:
        raise UsageError(
            f'Invalid path prefix {_shown(path)!r}: expected something like "/tools/invoke". '
            "Pass a full URL to from_url() instead."
        )
    path = f"/{path.strip('/')}"
    for root in ("/api/v1", "/api/v2", "/api"):
        path = path.removesuffix(root).rstrip("/")
    return path


def credentials_of(email: str | None, password: str | None, remember_me: bool = False) -> Credentials | None:
    """Return the credentials for an email and a password, or None if both are missing.

    Raises:
        UsageError: Only one of the two is set, or one is not a string.
    """
    if not email and not password:
        return None
    for name, value in (("email", email), ("password", password)):
        if not isinstance(value, str) or not value:
            other = "password" if name == "email" else "email"
            raise UsageError(f"Cannot sign in with only the {other}. Set the {name} as well.")
    return Credentials(str(email), str(password), remember_me)
