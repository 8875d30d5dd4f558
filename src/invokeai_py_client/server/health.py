"""HTTP requests with the standard library, and checks of ports."""

from __future__ import annotations

import http.client
import json
import socket
import urllib.error
import urllib.request
from contextlib import ExitStack
from typing import Any


def request(method: str, url: str, body: Any = None, *, timeout: float = 30.0) -> tuple[int, Any]:
    """Send a request without a proxy and decode its JSON response.

    Returns:
        The status code and the JSON data, or None as data if the response is not JSON.

    Raises:
        OSError: There was no response.
    """
    data = None if body is None else json.dumps(body).encode()
    headers = {"Accept": "application/json"} | ({"Content-Type": "application/json"} if data else {})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    call = urllib.request.Request(url, data=data, headers=headers, method=method)
    try:
        with opener.open(call, timeout=timeout) as response:
            status, raw = int(response.status), response.read()
    except urllib.error.HTTPError as error:
        with error:
            status, raw = error.code, error.read()
    except http.client.HTTPException as error:
        raise OSError(f"Invalid HTTP response: {error!r}") from error
    try:
        return status, json.loads(raw)
    except ValueError:
        return status, None


def answers(url: str, *, timeout: float = 5.0) -> str | None:
    """Return the version of the InvokeAI server at a URL, or None if nothing responds.

    A status of 200 is not enough: InvokeAI 6.12 and later, and many other servers, respond to unknown paths with
    status 200 and a web page.
    """
    try:
        status, data = request("GET", f"{url.rstrip('/')}/api/v1/app/version", timeout=timeout)
    except (OSError, ValueError):
        return None
    if status != 200 or not isinstance(data, dict):
        return None
    version: object = data.get("version")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return version if isinstance(version, str) else None


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port that is not in use."""
    return free_ports(1, host)[0]


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """Return different ports that are not in use."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((host, 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def is_taken(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a port is in use."""
    address = (
        "127.0.0.1" if host in ("0.0.0.0", "::") else host
    )  # these can be listened on, but not connected to
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((address, port)) == 0
