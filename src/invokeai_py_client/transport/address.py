"""Where a server is: the parts of its URL that requests and the event socket need."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from invokeai_py_client.errors import UsageError

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
