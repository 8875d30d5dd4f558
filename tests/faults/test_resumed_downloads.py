"""Large files: downloads that break and continue, and uploads that are read from disk while they are sent."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import tracemalloc
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from on_server import client
from proxy import Proxy
from tests.conftest import RealServer
from trouble import cut, script

from invokeai_py_client import AsyncInvokeAIClient, InvokeAIClient
from invokeai_py_client.errors import ConnectionLostError, NotFoundError, RequestTimeoutError, UsageError
from invokeai_py_client.files.download import fetch_to_disk
from invokeai_py_client.transport.payload import Form, FormFile

__all__ = ["client"]

DATA = bytes(range(256)) * 8192
"""The content of the file on the server: 2 MB."""
PATH = "/api/v1/videos/i/a.mp4/full"
PATIENCE = 30


class Videos:
    """A server with one large file, of which each response breaks after a number of bytes.

    Attributes:
        data: The file.
        tag: The file's ``ETag``, or "" for none.
        ranges: Whether the server supports ranges.
        most: The maximum number of bytes in a response to a request with a range.
        breaks: After how many bytes to break each response in turn. Later ones are complete.
        asked: The ``Range`` and ``If-Range`` headers of each request.
        sent: The number of bytes of each response.
    """

    def __init__(self, *breaks: int) -> None:
        self.data = DATA
        self.tag = '"1"'
        self.ranges = True
        self.most = len(DATA)
        self.breaks = list(breaks)
        self.asked: list[tuple[str | None, str | None]] = []
        self.sent: list[int] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        wanted, condition = request.headers.get("Range"), request.headers.get("If-Range")
        self.asked.append((wanted, condition))
        headers = {"Content-Type": "video/mp4"}
        if self.tag:
            headers["ETag"] = self.tag
        body, status = self.data, 200
        if self.ranges:
            headers["Accept-Ranges"] = "bytes"
            if wanted is not None and condition in (None, self.tag):
                start = int(wanted.removeprefix("bytes=").removesuffix("-"))
                if start >= len(self.data):
                    return web.Response(
                        status=416, headers=headers | {"Content-Range": f"bytes */{len(self.data)}"}
                    )
                body, status = self.data[start : start + self.most], 206
                end = start + len(body) - 1
                headers["Content-Range"] = f"bytes {start}-{end}/{len(self.data)}"
        response = web.StreamResponse(status=status, headers=headers | {"Content-Length": str(len(body))})
        await response.prepare(request)
        count = self.breaks.pop(0) if self.breaks else len(body)
        self.sent.append(min(count, len(body)))
        await response.write(body[:count])
        if count < len(body):
            assert request.transport is not None
            request.transport.close()  # after what was written, unlike abort()
        return response


@asynccontextmanager
async def served(
    handle: Any, *, retries: int = 0, timeout: float = 60
) -> AsyncGenerator[AsyncInvokeAIClient]:
    application = web.Application(client_max_size=1 << 30)
    application.router.add_route("*", "/{rest:.*}", handle)
    runner = web.AppRunner(application, shutdown_timeout=1)
    await runner.setup()
    listener = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, listener).start()
    port = listener.getsockname()[1]
    try:
        async with (
            asyncio.timeout(PATIENCE),
            AsyncInvokeAIClient("127.0.0.1", port, max_retries=retries, timeout=timeout) as client,
        ):
            yield client
    finally:
        await runner.cleanup()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# ---------------------------------------------------------------------- downloads


@pytest.mark.parametrize("tag", ['"1"', ""])
async def test_broken_download_continues_where_it_stopped(tmp_path: Path, tag: str) -> None:
    server = Videos(500_000, 300_000)
    server.tag = tag
    seen: list[tuple[int, int | None]] = []

    def report(done: int, total: int | None) -> None:
        seen.append((done, total))

    async with served(server.handle, retries=1) as client:
        size = await fetch_to_disk(client.connection, PATH, tmp_path / "a.mp4", on_progress=report)
    assert size == len(DATA)
    assert (tmp_path / "a.mp4").read_bytes() == DATA
    assert names(tmp_path) == ["a.mp4"]
    condition = tag or None
    assert server.asked == [(None, None), ("bytes=500000-", condition), ("bytes=800000-", condition)]
    assert sum(server.sent) == len(DATA), "nothing was sent twice"
    assert seen[-1] == (len(DATA), len(DATA))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


async def test_download_that_makes_progress_is_not_given_up(tmp_path: Path) -> None:
    server = Videos(*[300_000] * 6)
    async with served(server.handle, retries=1) as client:
        await fetch_to_disk(client.connection, PATH, tmp_path / "a.mp4")
    assert (tmp_path / "a.mp4").read_bytes() == DATA
    assert len(server.asked) == 7


async def test_download_without_progress_is_given_up(tmp_path: Path) -> None:
    server = Videos(500_000, *[10] * 50)
    async with served(server.handle, retries=1) as client:
        with pytest.raises(ConnectionLostError):
            await fetch_to_disk(client.connection, PATH, tmp_path / "a.mp4")
    assert len(server.asked) == 3
    assert names(tmp_path) == []


async def test_server_may_send_less_than_requested(tmp_path: Path) -> None:
    """InvokeAI 6.14 sends at most 1 MB of a video for each request with a range."""
    server = Videos(100)
    server.most = 700_000
    async with served(server.handle) as client:
        await fetch_to_disk(client.connection, PATH, tmp_path / "a.mp4")
    assert (tmp_path / "a.mp4").read_bytes() == DATA
    assert [wanted for wanted, _ in server.asked] == [
        None,
        "bytes=100-",
        "bytes=700100-",
        "bytes=1400100-",
    ]


OTHER = DATA[::-1]


@pytest.mark.parametrize(
    ("content", "tag"),
    [(OTHER, '"2"')]
    + [
        (content, tag)
        for content in (OTHER[:900_000], OTHER[:100], OTHER + b"more")
        for tag in ('"2"', "same", "")
    ],
)
async def test_file_that_changed_is_downloaded_from_the_start(
    tmp_path: Path, content: bytes, tag: str
) -> None:
    server = Videos(500_000)
    server.tag = "" if tag == "" else '"1"'
    handle = server.handle

    async def changes(request: web.Request) -> web.StreamResponse:
        if server.asked:
            server.data = content
            server.tag = tag if tag != "same" else server.tag
        return await handle(request)

    async with served(changes, retries=2) as client:
        await fetch_to_disk(client.connection, PATH, tmp_path / "a.mp4")
    assert (tmp_path / "a.mp4").read_bytes() == content
    assert names(tmp_path) == ["a.mp4"]


async def test_server_without_ranges_sends_all_again(tmp_path: Path) -> None:
    server = Videos(500_000)
    server.ranges = False
    async with served(server.handle) as client:
        await fetch_to_disk(client.connection, PATH, tmp_path / "a.mp4")
    assert (tmp_path / "a.mp4").read_bytes() == DATA
    assert server.asked == [(None, None), (None, None)]


async def test_file_that_is_deleted_during_its_download(tmp_path: Path) -> None:
    server = Videos(500_000)

    async def deleted(request: web.Request) -> web.StreamResponse:
        if server.asked:
            return web.json_response({"detail": "no such video"}, status=404)
        return await server.handle(request)

    (tmp_path / "a.mp4").write_bytes(b"old")
    async with served(deleted) as client:
        with pytest.raises(NotFoundError):
            await fetch_to_disk(client.connection, PATH, tmp_path / "a.mp4")
    assert (tmp_path / "a.mp4").read_bytes() == b"old"
    assert names(tmp_path) == ["a.mp4"]


async def test_download_replaces_a_link_and_not_the_file_it_points_to(tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / "a.mp4").symlink_to(tmp_path / "precious")
    async with served(Videos(500_000).handle) as client:
        await fetch_to_disk(client.connection, PATH, tmp_path / "a.mp4")
    assert (tmp_path / "precious").read_bytes() == b"precious"
    assert not (tmp_path / "a.mp4").is_symlink()
    assert (tmp_path / "a.mp4").read_bytes() == DATA


# ---------------------------------------------------------------------- uploads


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A file of 48 MB."""
    path = tmp_path / "large.bin"
    with path.open("wb") as file:
        file.truncate(48 << 20)
    return path


def form_of(path: Path) -> Form:
    return Form({"metadata": "{}"}, {"file": FormFile(path, path.name)})


async def test_large_upload_is_never_in_memory(large: Path) -> None:
    received = 0

    async def handle(request: web.Request) -> web.StreamResponse:
        nonlocal received
        async for chunk in request.content.iter_chunked(1 << 16):
            received += len(chunk)
        return web.json_response({"ok": True}, status=201)

    async with served(handle) as client:
        await client.connection.http.raw("POST", PATH, json={})
        received = 0
        tracemalloc.start()
        try:
            response = await client.connection.http.raw("POST", PATH, form=form_of(large))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert response.status_code == 201
    assert received > 48 << 20
    assert peak < 8 << 20


async def test_upload_that_stalls_times_out(large: Path) -> None:
    over = asyncio.Event()

    async def reads_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.transport.abort()

    server = await asyncio.start_server(reads_nothing, "127.0.0.1", 0, limit=1 << 10)
    port = server.sockets[0].getsockname()[1]
    async with server, AsyncInvokeAIClient("127.0.0.1", port, timeout=0.3, max_retries=0) as client:
        with pytest.raises(RequestTimeoutError):
            await client.connection.http.raw("POST", PATH, form=form_of(large))
        over.set()


async def test_upload_may_take_longer_than_the_timeout(large: Path) -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        # A slow line: 48 parts, each of which takes a thirtieth of the timeout.
        async for _ in request.content.iter_chunked(1 << 20):
            await asyncio.sleep(0.01)
        return web.json_response({})

    async with served(handle, timeout=0.3) as client:
        await client.connection.http.raw("POST", PATH, form=form_of(large))


async def test_early_response_to_an_upload_is_reported(large: Path) -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        return web.json_response({"detail": "Board not found"}, status=404)

    async with served(handle) as client:
        with pytest.raises(NotFoundError, match="Board not found"):
            await client.connection.http.raw("POST", PATH, form=form_of(large))


async def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    async with served(Videos().handle) as client:
        http = client.connection.http
        with pytest.raises(
            UsageError, match=r"Cannot read the file '.*gone\.mp4': No such file or directory"
        ):
            await http.raw("POST", PATH, form=form_of(tmp_path / "gone.mp4"))
        with pytest.raises(UsageError, match="Cannot read the file"):
            await http.raw("POST", PATH, form=form_of(tmp_path))


# ---------------------------------------------------------------------- the real server


@pytest.fixture
def long_video(client: InvokeAIClient, tmp_path: Path) -> Iterator[tuple[str, bytes]]:
    """The name and the content of a video on the server with 3 MB, most of which is unused space."""
    filling = 3 << 20
    data = (Path(__file__).parents[1] / "data" / "tiny.mp4").read_bytes()
    data += struct.pack(">I4s", filling, b"free") + os.urandom(filling - 8)
    path = tmp_path / "long.mp4"
    path.write_bytes(data)
    record = client.videos.upload(path)
    yield record.video_name, data
    client.videos.delete(record)


@pytest.mark.since("6.14")
async def test_video_of_the_server_resumes(
    server: RealServer, long_video: tuple[str, bytes], tmp_path: Path
) -> None:
    name, data = long_video
    with Proxy(server.url) as proxy:
        proxy.rule("GET", "/full$", script(cut(700_000), cut(900_000)))
        async with AsyncInvokeAIClient.from_url(proxy.url, max_retries=1) as client:
            await client.videos.download_to(name, tmp_path / "got" / "a.mp4")
        # Two broken responses, then the rest in parts of 1 MB. A download from the start would be one response. What
        # has not been read when a connection breaks is lost, so it is not determined how much is left.
        assert proxy.counts["cut 700000"] == proxy.counts["cut 900000"] == 1
        assert proxy.counts["passed"] >= 2
    assert (tmp_path / "got" / "a.mp4").read_bytes() == data
    assert names(tmp_path / "got") == ["a.mp4"]
