"""A web server with one file that sends only half of it until it is allowed to continue, or breaks off there."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PATIENCE = 60


class ModelHost(ThreadingHTTPServer):
    """The web server.

    Attributes:
        go_on: An event that releases the rest of the file.
        breaks: Whether to close the connection after half of the file.
        ranges: The Range headers of the requests.
        refuse: The number of requests to answer with an error. It counts down.
    """

    daemon_threads = True

    def __init__(self, path: Path, *, breaks: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.name = path.name
        self.data = path.read_bytes()
        self.go_on = threading.Event()
        self.breaks = breaks
        self.ranges: list[str | None] = []
        self.refuse = 0

    @property
    def url(self) -> str:
        """The URL of the file."""
        return f"http://127.0.0.1:{self.server_address[1]}/{self.name}"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        host = self.server
        assert isinstance(host, ModelHost)
        wanted = self.headers.get("Range")
        host.ranges.append(wanted)
        if host.refuse:
            host.refuse -= 1
            self.send_error(503)
            return
        begin = int(wanted.removeprefix("bytes=").partition("-")[0]) if wanted else 0
        rest = host.data[begin:]
        self.send_response(206 if begin else 200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(rest)))
        self.send_header("ETag", '"one"')
        if begin:
            end = len(host.data) - 1
            self.send_header("Content-Range", f"bytes {begin}-{end}/{len(host.data)}")
        self.end_headers()
        half = max(len(host.data) // 2 - begin, 0)
        self.wfile.write(rest[:half])
        if host.breaks:
            self.close_connection = True
            return
        host.go_on.wait(PATIENCE)
        try:
            self.wfile.write(rest[half:])
        except ConnectionError:
            return  # the download was stopped in the meantime

    def log_message(self, format: str, *args: object) -> None:
        return


@contextmanager
def hosted(path: Path, *, breaks: bool = False) -> Generator[ModelHost]:
    """Serve a file for the duration of a ``with`` block."""
    host = ModelHost(path, breaks=breaks)
    thread = threading.Thread(target=host.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield host
    finally:
        host.go_on.set()
        host.shutdown()
        thread.join()
        host.server_close()
