"""A server that replays recorded responses under the recorded server's host name."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest


class Replay:
    """The server.

    Attributes:
        url: The URL of this server.
        asked: The requested paths in order.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[str] = []


@contextmanager
def replaying(responses: Mapping[str, Any]) -> Generator[Replay]:
    """Serve JSON data by path for the duration of a block. Queries are ignored; every other path is a 404."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            replay.asked.append(path)
            found = path in responses
            body = json.dumps(responses[path] if found else {"detail": "Not Found"}).encode()
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            del format, args

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        replay = Replay(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield replay
        finally:
            server.shutdown()
            thread.join()


def lead(monkeypatch: pytest.MonkeyPatch, recorded: str, url: str) -> None:
    """Redirect connections to the host of a recorded URL to another server."""
    name, target = urlsplit(recorded).hostname, urlsplit(url)
    look_up = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *args: Any, **options: Any) -> Any:
        if host == name:
            host, port = target.hostname, target.port
        return look_up(host, port, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
