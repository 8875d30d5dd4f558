"""Malicious servers cannot exhaust memory or time, and cannot write files outside the target folder."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import json
import sys
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from invokeai_py_client import AsyncInvokeAIClient
from invokeai_py_client.doctor import examine
from invokeai_py_client.errors import (
    APIRequestError,
    CertificateError,
    InvokeAIClientError,
    NotInvokeAIError,
    RequestTimeoutError,
    ServerError,
    ServerUnreachableError,
    UsageError,
)
from invokeai_py_client.files.names import safe_name
from invokeai_py_client.image.image import AsyncImage
from invokeai_py_client.transport import http as http_module
from invokeai_py_client.transport import limits

MB = 1 << 20
TOKEN = "marker-token"
Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


class Hostile:
    """A server that responds to every request in the same way and counts the bytes that it could send.

    Attributes:
        heads: The heads of all requests.
        sent: Bytes that went out before the client hung up.
    """

    def __init__(self) -> None:
        self.heads: list[str] = []
        self.sent = 0
        self.answer: Answer = self.whole(b"{}")
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.heads.append(head)
            await self.answer(writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client hung up, or the test is over
        finally:
            self._tasks.discard(task)
            writer.transport.abort() if sys.exc_info()[0] else writer.close()

    async def write(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        writer.write(data)
        await writer.drain()
        self.sent += len(data)

    # ------------------------------------------------------------------ responses

    def whole(
        self, body: bytes, *headers: str, status: str = "200 OK", kind: str = "application/json"
    ) -> Answer:
        async def answer(writer: asyncio.StreamWriter) -> None:
            lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *headers]
            await self.write(writer, "\r\n".join((*lines, "Connection: close", "", "")).encode() + body)

        return answer

    def endless(
        self, piece: bytes, *, status: str = "200 OK", kind: str = "application/json", pause: float = 0
    ) -> Answer:
        async def answer(writer: asyncio.StreamWriter) -> None:
            await self.write(writer, f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n\r\n".encode())
            while True:
                await self.write(writer, piece)
                await asyncio.sleep(pause)

        return answer

    def raw(self, data: bytes, *, then_hang: bool = False) -> Answer:
        async def answer(writer: asyncio.StreamWriter) -> None:
            await self.write(writer, data)
            if then_hang:
                await asyncio.Event().wait()

        return answer


@pytest_asyncio.fixture
async def hostile() -> AsyncIterator[Hostile]:
    server = Hostile()
    await server.start()
    yield server
    await server.stop()


@pytest_asyncio.fixture
async def elsewhere() -> AsyncIterator[Hostile]:
    server = Hostile()
    await server.start()
    yield server
    await server.stop()


@pytest_asyncio.fixture
async def client(hostile: Hostile) -> AsyncIterator[AsyncInvokeAIClient]:
    """A client with a short timeout and a small limit for responses."""
    async with AsyncInvokeAIClient.from_url(
        hostile.url, api_key=TOKEN, headers={"X-Proxy-Secret": TOKEN}, timeout=1, max_retries=0
    ) as client:
        client.settings.largest_answer = 2 * MB
        yield client


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def ask(client: AsyncInvokeAIClient) -> Any:
    return await client.connection.http.json("GET", "/api/v1/app/version", expect={"version": str})


# --------------------------------------------------------------------------- too much


async def test_body_with_huge_content_length_is_not_read(
    hostile: Hostile, client: AsyncInvokeAIClient
) -> None:
    huge = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n"
    hostile.answer = hostile.raw(huge, then_hang=True)
    with pytest.raises(NotInvokeAIError, match="more than 2 MB"):
        await ask(client)


@pytest.mark.parametrize("status", ["200 OK", "500 Internal Server Error", "401 Unauthorized"])
async def test_endless_body_is_cut_off(
    hostile: Hostile, client: AsyncInvokeAIClient, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_module, "LARGEST_ERROR", 2 * MB)
    hostile.answer = hostile.endless(b"[" * 65536, status=status)
    with pytest.raises(APIRequestError) as caught:
        await ask(client)
    assert isinstance(caught.value, NotInvokeAIError) is status.startswith("200")
    assert caught.value.request_id
    assert len(str(caught.value)) < 2000
    assert hostile.sent < 16 * MB  # including the socket buffers on both sides


async def test_zip_bomb_does_not_fill_memory(hostile: Hostile, client: AsyncInvokeAIClient) -> None:
    resource = pytest.importorskip("resource")
    bomb = gzip.compress(bytes(256 * MB), 1)
    hostile.answer = hostile.whole(bomb, "Content-Encoding: gzip")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(3):
        with pytest.raises(ServerUnreachableError):
            await ask(client)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * (
        1 if sys.platform == "darwin" else 1024
    )
    assert grown < 64 * MB


async def test_endless_file_is_cut_off_and_removed(
    hostile: Hostile, client: AsyncInvokeAIClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_module, "LARGEST_FILE", 4 * MB)
    hostile.answer = hostile.endless(b"\x89PNG" * 16384, kind="image/png")
    with pytest.raises(InvokeAIClientError):
        await client.image_repo.download_images(["a.png"], tmp_path)
    with pytest.raises(NotInvokeAIError, match="more than 2 MB"):
        await AsyncImage(client.connection, "a.png").bytes()
    assert files(tmp_path) == []


async def test_image_with_a_billion_pixels_is_not_decoded(
    hostile: Hostile, client: AsyncInvokeAIClient
) -> None:
    # Only the header and the end of a PNG, because Pillow checks its size first.
    head = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (60000).to_bytes(4) * 2 + b"\x08\x02\0\0\0"
    png = head + zlib.crc32(head[12:]).to_bytes(4) + b"\0\0\0\0IEND\xaeB`\x82"
    hostile.answer = hostile.whole(png, kind="image/png")
    with pytest.raises(APIRequestError, match="cannot read the image"):
        await AsyncImage(client.connection, "a.png").pil()


# --------------------------------------------------------------------------- too slow


async def test_slow_response_times_out(hostile: Hostile, client: AsyncInvokeAIClient) -> None:
    client.settings.timeout = 0.5
    hostile.answer = hostile.endless(b" ", pause=0.05)
    with pytest.raises(RequestTimeoutError):
        await ask(client)


async def test_slow_file_times_out(hostile: Hostile, client: AsyncInvokeAIClient, tmp_path: Path) -> None:
    client.settings.timeout = 0.5
    hostile.answer = hostile.endless(b"\x89", kind="image/png", pause=0.05)
    async with asyncio.timeout(20):
        with pytest.raises(InvokeAIClientError):
            await client.image_repo.download_images(["a.png"], tmp_path)
    assert files(tmp_path) == []


async def test_slow_disk_does_not_count_as_slow_server() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(4):
            yield b"x"

    taken = 0
    async for _ in limits.check_pace(chunks(), 0.01, MB):
        await asyncio.sleep(0.02)  # longer than the interval over which the speed is measured
        taken += 1
    assert taken == 4


# --------------------------------------------------------------------------- nonsense


DEEP = {"as deep as can be read": 400, "deeper": 200_000}
NONSENSE = {
    **{name: b'{"version": ' + b"[" * depth + b"]" * depth + b"}" for name, depth in DEEP.items()},
    "objects all the way down": b'{"version": ' * 400 + b"1" + b"}" * 400,
    "a number without end": b'{"version": ' + b"9" * 100_000 + b"}",
    "no text": b'{"version": "\xff\xfe"}',
    "half a surrogate": b'{"version": ["\\ud800"]}',
    "another type": b"[1, 2]",
    "nothing": b"null",
    "a wide list": json.dumps({"version": list(range(200_000))}).encode(),
}


@pytest.mark.parametrize("what", NONSENSE)
@pytest.mark.parametrize("status", ["200 OK", "422 Unprocessable Entity", "500 Internal Server Error"])
async def test_nonsense_response_raises_client_error(
    hostile: Hostile, client: AsyncInvokeAIClient, what: str, status: str
) -> None:
    hostile.answer = hostile.whole(NONSENSE[what], status=status)
    with pytest.raises(APIRequestError) as caught:
        await ask(client)
    assert len(str(caught.value)) < 2000
    str(caught.value).encode("utf-8", "backslashreplace")
    if status.startswith("500"):
        assert isinstance(caught.value, ServerError)


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 200_000,
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 99 No\r\n\r\n",
        b"",
    ],
)
async def test_response_that_is_not_http_raises_client_error(
    hostile: Hostile, client: AsyncInvokeAIClient, data: bytes
) -> None:
    hostile.answer = hostile.raw(data)
    with pytest.raises(APIRequestError) as caught:
        await ask(client)
    assert TOKEN not in str(caught.value)


async def test_invalid_renewed_token_fails_one_request_only(
    hostile: Hostile, client: AsyncInvokeAIClient
) -> None:
    hostile.answer = hostile.whole(b'{"version": "1"}', "X-Refreshed-Token: \u00e9\x01")
    await ask(client)
    try:
        await ask(client)
    except InvokeAIClientError as error:
        assert TOKEN not in str(error)


# --------------------------------------------------------------------------- elsewhere


@pytest.mark.parametrize(
    "status", ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"]
)
async def test_redirects_are_never_followed(
    hostile: Hostile, elsewhere: Hostile, client: AsyncInvokeAIClient, status: str, tmp_path: Path
) -> None:
    hostile.answer = hostile.whole(b"", f"Location: {elsewhere.url}/api/v1/app/version", status=status)
    with pytest.raises(NotInvokeAIError, match="redirects"):
        await ask(client)
    with pytest.raises(NotInvokeAIError, match="redirects"):
        await client.login("me@example.org", "marker-password")
    with pytest.raises(InvokeAIClientError):
        await client.image_repo.download_images(["a.png"], tmp_path)
    with pytest.raises(ServerUnreachableError, match="Could not open an event connection"):
        await client.connect_socketio()
    assert elsewhere.heads == []
    assert sum(TOKEN in head for head in hostile.heads) >= 3


# --------------------------------------------------------------------------- events


WEB_SOCKET = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: %s\r\n\r\n"
)


def frame(text: str) -> bytes:
    data = text.encode()
    size = len(data)
    head = (
        bytes((0x81, size))
        if size < 126
        else b"\x81\x7e" + size.to_bytes(2)
        if size < 65536
        else b"\x81\x7f" + size.to_bytes(8)
    )
    return head + data


OPEN = '0{"sid":"x","upgrades":[],"pingTimeout":20000,"pingInterval":25000}'


@pytest.mark.parametrize(
    "frames",
    [
        [],
        ["0[]"],
        ["0{}"],
        ['0{"sid":1,"upgrades":[],"pingTimeout":"x","pingInterval":null}'],
        ["0" + "[" * 100_000],
        ["6"],
        ["x"],
        [OPEN],
        [OPEN, "44{}"],
        [OPEN, "40" + "[" * 20_000],
        [OPEN, "4"],
        [OPEN, "451-[]"],
        [OPEN, "40" + "x" * 6 * MB],
    ],
    ids=lambda frames: "+".join(one[:12] for one in frames) or "silence",
)
async def test_nonsense_event_connection_raises_client_error(
    hostile: Hostile, client: AsyncInvokeAIClient, frames: list[str]
) -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        lines = hostile.heads[-1].split("\r\n")
        [key] = [line.partition(": ")[2] for line in lines if line.lower().startswith("sec-websocket-key")]
        accept = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        await hostile.write(writer, WEB_SOCKET % base64.b64encode(accept))
        for text in frames:
            await hostile.write(writer, frame(text))
        await asyncio.Event().wait()

    hostile.answer = answer
    client.settings.connect_timeout = 0.5
    async with asyncio.timeout(15):
        with pytest.raises(ServerUnreachableError, match="Could not open an event connection"):
            await client.connect_socketio()


async def test_https_to_port_without_tls() -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with AsyncInvokeAIClient.from_url(url) as client:
            with pytest.raises(CertificateError, match=r"No secure connection to https://.* SSL_CERT_FILE"):
                await client.version()
            [found] = [one async for one in examine(client)]
    assert (found.about, found.state) == ("server", "fail")
    assert "SSL_CERT_FILE" in (found.cure or "")


# --------------------------------------------------------------------------- names


NAMES = [
    "../../evil.png",
    "/etc/evil.png",
    "..\\..\\evil.png",
    "C:\\evil.png",
    "..",
    ".",
    "",
    "a/../../evil.png",
    "\0",
    "x" * 5000,
]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: repr(name)[:20])
async def test_image_name_cannot_escape_folder(
    hostile: Hostile, client: AsyncInvokeAIClient, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "in" / "here"
    folder.mkdir(parents=True)
    hostile.answer = hostile.whole(b"\x89PNG\r\n\x1a\n" + b"\0\0\0\0IEND\xaeB`\x82", kind="image/png")
    assert "/" not in safe_name(name)
    for save in (
        lambda: AsyncImage(client.connection, name).save(folder),
        lambda: client.image_repo.download_images([name], folder),
    ):
        try:
            await save()
        except InvokeAIClientError:
            continue  # an empty name, or a name that no file system accepts
    assert [path for path in files(tmp_path) if folder not in path.parents] == []


async def test_zip_name_cannot_escape_folder(
    hostile: Hostile, client: AsyncInvokeAIClient, tmp_path: Path
) -> None:
    hostile.answer = hostile.whole(b'{"bulk_download_item_name": "../../evil.zip"}')
    with pytest.raises((UsageError, APIRequestError)):
        await client.image_repo.bulk_download(tmp_path / "in", image_names=["a.png"], timeout=2)
    assert files(tmp_path) == []
