"""Whether something responds on a port."""

from __future__ import annotations

import http.client
import json
import socket
import urllib.error
import urllib.request
from typing import Any


def request(method: str, url: str, body: Any = None, *, timeout: float = 30.0) -> tuple[int, Any]:
    """Send one request with the standard library, past any proxy; return the status and the decoded answer.

    Returns:
        The status, and the JSON data or None where the answer is not JSON.

    Raises:
        OSError: No answer.
    """
    data = None if body is None else json.dumps(body).encode()
    headers = {"Accept": "application/json"} | ({"Content-Type": "application/json"} if data else {})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    call = urllib.request.Request(url, data=data, headers=headers, method=method)
    try:
        with opener.open(call, timeout=timeout) as answer:
            status, raw = int(answer.status), answer.read()
    except urllib.error.HTTPError as refusal:
        with refusal:
            status, raw = refusal.code, refusal.read()
    except http.client.HTTPException as wrong:
        raise OSError(f"no HTTP answer: {wrong!r}") from wrong
    try:
        return status, json.loads(raw)
    except ValueError:
        return status, None


def answers(url: str, *, timeout: float = 5.0) -> str | None:
    """Return the version of the InvokeAI at an address; None where none answers.

    The status alone proves nothing: InvokeAI 6.12 and later answer 200 with a web page for paths they
    do not know, and so do other servers.
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
    """Return a port that nobody listens at now."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def is_taken(port: int, host: str = "127.0.0.1") -> bool:
    """Tell whether somebody listens at a port."""
    address = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # (an address to listen at, not to call)
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((address, port)) == 0
