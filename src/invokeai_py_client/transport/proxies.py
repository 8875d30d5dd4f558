"""The proxy between this machine and a server, from the environment or the system settings.

Requests and events ask the same function, ``proxy_for()``. A reverse proxy in front of the server is part of its URL.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from invokeai_py_client.errors import ServerUnreachableError

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that requests and events to a server go through.

    Attributes:
        url: The proxy's URL, with a user name and password if it has them.
        source: The name of the environment variable, or "the system settings".
        target: The host and port of the server.
    """

    url: str = field(repr=False)
    source: str
    target: str

    @property
    def shown(self) -> str:
        """The proxy's URL without a user name and password, and its source."""
        scheme, mark, rest = self.url.partition("://")
        return f"{scheme}{mark}{rest.rpartition('@')[2]} ({self.source})"

    @property
    def way_around(self) -> str:
        """A sentence that describes how to connect without the proxy."""
        return f"To connect without the proxy, add {self.target} to NO_PROXY."


def proxy_for(url: str) -> Proxy | None:
    """Return the proxy for a URL, or None if the server is contacted directly.

    ``HTTP_PROXY`` and ``HTTPS_PROXY`` apply to URLs with this scheme. ``NO_PROXY`` lists exceptions: names of hosts and
    domains with or without a port, addresses, networks (``10.0.0.0/8``), or ``*``. The variables can be upper or lower
    case, and lower case takes precedence. Without them, the system settings of Windows and macOS apply.

    Raises:
        ServerUnreachableError: The proxy's URL is not valid.
    """
    from urllib.request import getproxies, getproxies_environment, proxy_bypass

    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    variables = getproxies_environment()
    # The standard library compares names, with or without a port. It does not know networks and "*.example.org".
    rules = [rule.strip().lower() for rule in variables.get("no", "").split(",")]
    if proxy_bypass(target) or any(_covers(rule, host, target) for rule in rules):
        return None
    text = getproxies().get(parts.scheme)
    source = _variable(f"{parts.scheme}_proxy") if variables else "the system settings"
    return Proxy(_checked(text, source), source, target) if text else None


def passwords(url: str) -> set[str]:
    """Return the forms of the password for the proxy of a URL's scheme, which messages must not contain."""
    from urllib.request import getproxies

    userinfo = getproxies().get(urlsplit(url).scheme, "").rpartition("@")[0]
    password = userinfo.partition("://")[2].partition(":")[2]
    return {password, unquote(password)}


def via(proxy: Proxy | None) -> str:
    """Return the part of a message that names the proxy of a connection, or "" for a direct connection."""
    return "" if proxy is None else f" through the proxy {proxy.shown}"


def _covers(rule: str, host: str, target: str) -> bool:
    """Return whether a host matches ``*``, a pattern such as ``*.example.org``, an address or a network."""
    if rule.startswith("*"):
        return rule == "*" or host.endswith(rule[1:]) or target.endswith(rule[1:])
    import ipaddress

    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(rule.strip("[]"), strict=False)
    except ValueError:
        return False


def _variable(name: str) -> str:
    return name if name in os.environ else name.upper()


def _checked(text: str, source: str) -> str:
    url = text.strip() if "://" in text else f"http://{text.strip()}"
    try:
        parts = urlsplit(url)
        valid = parts.scheme in _PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if valid:
        return url
    shown = Proxy(url, source, "").shown
    raise ServerUnreachableError(
        None, None, f"Invalid proxy {shown}: expected a URL such as http://proxy.example.org:3128."
    )
