"""Requests against a server that fails in the ways that servers and networks fail."""

from __future__ import annotations

import asyncio
import gc
import socket
import sys
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from invokeai_py_client.errors import (
    APIRequestError,
    AuthenticationError,
    ConnectionLostError,
    NotFoundError,
    NotInvokeAIError,
    RequestTimeoutError,
    ServerError,
    ServerUnreachableError,
)
from invokeai_py_client.transport import retry, timing
from invokeai_py_client.transport.http import Form, FormFile, HttpTransport
from invokeai_py_client.transport.settings import ConnectionSettings, Credentials, ServerAddress


def reply(
    status: str = "200 OK", body: bytes = b"{}", kind: str = "application/json", *headers: str
) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


OK = reply(body=b'{"version": "6.14.2"}')
Handler = Callable[["Exchange"], Awaitable[None]]


class Exchange:
    """A request, with methods to respond or to break its connection."""

    def __init__(self, head: str, body: bytes, connection: int, writer: asyncio.StreamWriter) -> None:
        self.head = head
        self.body = body
        self.connection = connection
        self._writer = writer

    @property
    def line(self) -> str:
        return self.head.partition("\r\n")[0].removesuffix(" HTTP/1.1")

    def header(self, name: str) -> str | None:
        for line in self.head.split("\r\n")[1:]:
            key, _, value = line.partition(": ")
            if key.lower() == name.lower():
                return value
        return None

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    def drop(self) -> None:
        self._writer.close()

    def reset(self) -> None:
        self._writer.transport.abort()


class Faulty:
    """A server on raw sockets. Each request is handled by the next entry of ``script``, or by the last one."""

    def __init__(self) -> None:
        self.script: list[bytes | Handler] = [OK]
        self.seen: list[Exchange] = []
        self.connections = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def lines(self) -> list[str]:
        return [exchange.line for exchange in self.seen]

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        number = self.connections
        try:
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode().removesuffix("\r\n\r\n")
                exchange = Exchange(head, b"", number, writer)
                exchange.body = await reader.readexactly(int(exchange.header("Content-Length") or 0))
                self.seen.append(exchange)
                action = self.script.pop(0) if len(self.script) > 1 else self.script[0]
                if isinstance(action, bytes):
                    await exchange.send(action)
                else:
                    await action(exchange)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client disconnected, or the test has ended
        finally:
            self._tasks.discard(task)
            writer.transport.abort()


async def hang(_: Exchange) -> None:
    await asyncio.Event().wait()


async def drop(exchange: Exchange) -> None:
    exchange.drop()


async def reset(exchange: Exchange) -> None:
    exchange.reset()


async def truncated(exchange: Exchange) -> None:
    await exchange.send(OK[:-8])
    exchange.drop()


@pytest.fixture
async def server() -> AsyncIterator[Faulty]:
    server = Faulty()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses before retries, in seconds. The test skips them."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    asked: list[float] = []
    decide = retry.retry_delay

    def counted(error: APIRequestError, **options: float | None) -> float | None:
        delay = decide(error, **options)  # type: ignore[arg-type]
        if delay is None:
            return None
        asked.append(delay)
        return 0.0

    monkeypatch.setattr(retry, "retry_delay", counted)
    return asked


@pytest.fixture
async def http(server: Faulty) -> AsyncIterator[HttpTransport]:
    http = HttpTransport(settings(server.port))
    yield http
    await http.close()


def settings(port: int, **options: object) -> ConnectionSettings:
    return ConnectionSettings(ServerAddress(f"http://127.0.0.1:{port}"), **options)  # type: ignore[arg-type]


PATH = "/api/v1/app/version"


# --------------------------------------------------------------------------- success


async def test_proxy_from_environment(server: Faulty, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.port}")
    monkeypatch.setenv("no_proxy", "inside.invalid")
    outside = HttpTransport(ConnectionSettings(ServerAddress("http://outside.invalid:9090"), max_retries=0))
    assert await outside.json("GET", PATH) is not None
    assert "http://outside.invalid:9090/api" in server.seen[-1].head
    await outside.close()
    inside = HttpTransport(ConnectionSettings(ServerAddress("http://inside.invalid:9090"), max_retries=0))
    with pytest.raises(ServerUnreachableError, match="No server responds at http://inside"):
        await inside.json("GET", PATH)
    await inside.close()


async def test_request_contents(server: Faulty) -> None:
    http = HttpTransport(settings(server.port, token="secret", headers={"X-Proxy": "1"}))
    params = {"a": 1, "b": True, "c": None, "d": ["x", "y z"], "e": "ü/&"}
    assert await http.json("POST", PATH, params=params, json={"k": [1, None]}) == {"version": "6.14.2"}
    (exchange,) = server.seen
    assert exchange.line == f"POST {PATH}?a=1&b=true&d=x&d=y+z&e=%C3%BC/%26"
    assert exchange.body == b'{"k": [1, null]}'
    assert exchange.header("Authorization") == "Bearer secret"
    assert exchange.header("X-Proxy") == "1"
    assert len(exchange.header("X-Request-ID") or "") == 32
    assert http.sent == 1
    await http.close()


async def test_escaped_name_stays_escaped(server: Faulty, http: HttpTransport) -> None:
    await http.json("GET", "/api/v1/images/i/a%2Fb%20c%25.png/full")
    assert server.lines == ["GET /api/v1/images/i/a%2Fb%20c%25.png/full"]


async def test_upload_is_a_form_and_can_be_repeated(server: Faulty, http: HttpTransport) -> None:
    server.script = [reply("503 Busy"), OK]
    form = Form({"metadata": "{}"}, {"file": FormFile(b"\x89PNG", "ü.png", "image/png")})
    await http.json("POST", "/api/v1/images/upload", form=form, idempotent=True)
    first, second = server.seen
    for exchange in (first, second):
        assert b"\x89PNG" in exchange.body
        assert b'name="metadata"' in exchange.body
        assert (exchange.header("Content-Type") or "").startswith("multipart/form-data")


async def test_connections_are_kept_alive(server: Faulty, http: HttpTransport) -> None:
    for _ in range(3):
        await http.json("GET", PATH)
    assert server.connections == 1


async def test_renewed_token_is_used_in_later_requests(server: Faulty) -> None:
    http = HttpTransport(settings(server.port, token="old"))
    server.script = [reply("200 OK", b"{}", "application/json", "X-Refreshed-Token: new")]
    await http.json("GET", PATH)
    await http.json("GET", PATH)
    assert [exchange.header("Authorization") for exchange in server.seen] == ["Bearer old", "Bearer new"]
    await http.close()


async def test_errors_contain_no_secrets_of_own_headers(server: Faulty, http: HttpTransport) -> None:
    server.script = [reply("400 Bad Request", b'{"detail": "bad: Bearer my-own-token, session=my-cookie"}')]
    headers = {"authorization": "Bearer my-own-token", "Cookie": "session=my-cookie", "X-Name": "bad"}
    with pytest.raises(APIRequestError, match=r"bad: \*\*\*") as caught:
        await http.raw("GET", PATH, headers=headers)
    assert "my-" not in f"{caught.value} {caught.value.payload}"


# --------------------------------------------------------------------------- invalid responses


async def test_web_page_raises_not_invokeai(server: Faulty, http: HttpTransport) -> None:
    server.script = [reply(body=b"<!doctype html>", kind="text/html; charset=utf-8")]
    with pytest.raises(NotInvokeAIError, match="web page"):
        await http.json("GET", PATH)
    with pytest.raises(NotInvokeAIError, match="web page"):
        await http.bytes("/api/v1/images/i/x.png/full")
    with pytest.raises(NotInvokeAIError, match="web page"):
        async with http.stream("/api/v1/images/i/x.png/full"):
            raise AssertionError("there is nothing to read")
    assert len(server.seen) == 3  # no request was repeated


@pytest.mark.parametrize("body", [b"", b"<html>sign in</html>"])
async def test_redirects_are_not_followed(server: Faulty, http: HttpTransport, body: bytes) -> None:
    server.script = [reply("302 Found", body, "text/html", "Location: https://sso.example.org/login")]
    for asking in (http.json("GET", PATH), http.json("POST", PATH, json={}), http.bytes(PATH)):
        with pytest.raises(
            NotInvokeAIError, match=r"redirects .* to https://sso\.example\.org/login"
        ) as caught:
            await asking
        assert caught.value.status_code == 302
    with pytest.raises(NotInvokeAIError, match="redirects"):
        async with http.stream(PATH):
            raise AssertionError("there is nothing to read")
    assert len(server.seen) == 4


async def test_invalid_json_raises_not_invokeai(server: Faulty, http: HttpTransport) -> None:
    server.script = [reply(body=b'{"version": "6.1')]
    with pytest.raises(NotInvokeAIError, match="invalid JSON"):
        await http.json("GET", PATH)


async def test_server_that_does_not_speak_http(server: Faulty, http: HttpTransport) -> None:
    async def banner(exchange: Exchange) -> None:
        await exchange.send(b"SSH-2.0-OpenSSH_9.7\r\n")
        exchange.drop()

    server.script = [banner]
    with pytest.raises(ConnectionLostError, match="broke during GET"):
        await http.json("GET", PATH)


async def test_empty_response_is_none(server: Faulty, http: HttpTransport) -> None:
    server.script = [b"HTTP/1.1 204 No Content\r\n\r\n"]
    assert await http.json("DELETE", "/api/v2/models/i/x") is None


# --------------------------------------------------------------------------- connections that break


@pytest.mark.parametrize("fault", [truncated, drop, reset])
async def test_read_is_repeated_after_broken_connection(
    server: Faulty, http: HttpTransport, fault: Handler
) -> None:
    server.script = [fault, fault, OK]
    assert await http.json("GET", PATH) == {"version": "6.14.2"}
    assert len(server.seen) == http.sent == 3


@pytest.mark.parametrize("fault", [truncated, drop, reset])
@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE"])
async def test_write_is_not_repeated_after_broken_connection(
    server: Faulty, http: HttpTransport, fault: Handler, method: str
) -> None:
    server.script = [fault]
    with pytest.raises(ConnectionLostError, match=f"broke during {method} {PATH}") as caught:
        await http.json(method, PATH, json={}, idempotent=None if method in ("POST", "PATCH") else False)
    assert len(server.seen) == 1
    assert caught.value.request_id == server.seen[0].header("X-Request-ID")
    assert isinstance(caught.value, ConnectionError)


async def test_read_fails_after_all_retries(server: Faulty, http: HttpTransport, waits: list[float]) -> None:
    server.script = [drop]
    with pytest.raises(ConnectionLostError):
        await http.json("GET", PATH)
    assert len(server.seen) == 5  # once at once, in case the connection was stale, and three retries
    assert len(waits) == 3
    ids = {exchange.header("X-Request-ID") for exchange in server.seen}
    assert len(ids) == 5


async def test_stale_connection_is_replaced_without_retries(server: Faulty) -> None:
    http = HttpTransport(settings(server.port, max_retries=0))
    server.script = [OK, drop, OK]
    for _ in range(2):
        assert await http.json("GET", PATH) == {"version": "6.14.2"}
    assert [exchange.connection for exchange in server.seen] == [1, 1, 2]
    await http.close()


async def test_read_that_is_not_idempotent_is_never_repeated(server: Faulty, http: HttpTransport) -> None:
    server.script = [OK, drop, OK]
    await http.json("GET", PATH)
    with pytest.raises(ConnectionLostError):
        await http.json("GET", PATH, idempotent=False)
    assert len(server.seen) == 2


async def test_stale_connection_after_500_is_replaced(server: Faulty, http: HttpTransport) -> None:
    """InvokeAI closes the connection after an unhandled error without announcing it."""
    answered = asyncio.Event()
    closing = asyncio.Event()

    async def dies(exchange: Exchange) -> None:
        await exchange.send(
            reply("500 Internal Server Error", b"Internal Server Error", "text/plain; charset=utf-8")
        )
        answered.set()
        await closing.wait()
        exchange.drop()

    server.script = [dies, OK]
    with pytest.raises(ServerError, match="Internal Server Error") as caught:
        await http.json("GET", PATH)
    assert (caught.value.status_code, caught.value.payload) == (500, "Internal Server Error")
    assert len(server.seen) == 1  # a 500 is final
    await answered.wait()
    closing.set()
    # Sent immediately, while the connection is still in the pool, so it breaks during the request.
    assert await http.json("GET", PATH) == {"version": "6.14.2"}
    assert server.connections == 2


async def test_port_without_server(waits: list[float]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    http = HttpTransport(settings(port, max_retries=2))
    with pytest.raises(
        ServerUnreachableError,
        match=rf"No server responds at http://127\.0\.0\.1:{port} \(Connection refused\)",
    ) as caught:
        await http.json("GET", PATH)
    assert not isinstance(caught.value, ConnectionLostError)
    assert "INVOKEAI_URL" in str(caught.value)
    assert len(waits) == 2
    await http.close()


async def test_unknown_host() -> None:
    http = HttpTransport(ConnectionSettings(ServerAddress("http://no-such-host.invalid"), max_retries=0))
    with pytest.raises(ServerUnreachableError, match="No server responds at http://no-such-host"):
        await http.json("GET", PATH)
    await http.close()


# --------------------------------------------------------------------------- slow servers


async def test_server_that_hangs(server: Faulty) -> None:
    server.script = [hang]
    http = HttpTransport(settings(server.port, timeout=0.25, max_retries=1))
    with pytest.raises(RequestTimeoutError, match=r"did not respond to GET .* within 0\.25 s") as caught:
        await http.json("GET", PATH)
    assert isinstance(caught.value, TimeoutError)
    assert len(server.seen) == 2
    with pytest.raises(RequestTimeoutError, match=r"within 0\.2 s"):
        await http.json("POST", PATH, json={}, timeout=0.2)
    assert len(server.seen) == 3
    await http.close()


async def test_connection_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    from aiohttp import ClientTimeout, ConnectionTimeoutError, TCPConnector

    limits: list[ClientTimeout] = []

    async def connect(_: object, __: object, timeout: ClientTimeout, **___: object) -> None:
        limits.append(timeout)
        raise ConnectionTimeoutError("Connection timeout to host")

    monkeypatch.setattr(TCPConnector, "connect", connect)
    http = HttpTransport(settings(9, timeout=60, connect_timeout=7, max_retries=0))
    with pytest.raises(ServerUnreachableError, match="connection timed out"):
        await http.json("GET", PATH)
    # The limit applies to opening a connection, not to waiting for a free one in the pool.
    assert (limits[0].total, limits[0].sock_connect, limits[0].connect) == (60, 7, None)
    await http.close()


async def test_retry_after_header_is_respected(
    server: Faulty, http: HttpTransport, waits: list[float]
) -> None:
    server.script = [reply("503 Service Unavailable", b"", "text/plain", "Retry-After: 7"), OK]
    assert await http.json("GET", PATH) == {"version": "6.14.2"}
    assert waits == [7.0]


async def test_429_is_repeated_even_for_a_write(
    server: Faulty, http: HttpTransport, waits: list[float]
) -> None:
    server.script = [
        reply("429 Too Many Requests", b'{"detail": "later"}', "application/json", "Retry-After: 5"),
        OK,
    ]
    assert await http.json("POST", PATH, json={}) == {"version": "6.14.2"}
    assert waits == [5.0]
    assert len(server.seen) == 2


async def test_gateway_errors(server: Faulty, http: HttpTransport) -> None:
    server.script = [reply("502 Bad Gateway", b"<html>nginx</html>", "text/html")]
    with pytest.raises(ServerError) as caught:
        await http.json("POST", PATH, json={})
    assert str(caught.value) == f"POST {PATH} failed with HTTP status 502."
    assert len(server.seen) == 1


# --------------------------------------------------------------------------- streams


def chunked(*chunks: bytes, whole: bool = True) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n"
    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return head + body + (b"0\r\n\r\n" if whole else b"")


async def test_stream_yields_chunks(server: Faulty, http: HttpTransport) -> None:
    server.script = [chunked(b"abc", b"def")]
    async with http.stream("/f", headers={"Range": "bytes=0-"}) as chunks:
        assert b"".join([chunk async for chunk in chunks]) == b"abcdef"
    assert server.seen[0].header("Range") == "bytes=0-"


async def test_broken_stream(server: Faulty, http: HttpTransport) -> None:
    async def breaks(exchange: Exchange) -> None:
        await exchange.send(chunked(b"abc", whole=False))
        exchange.drop()

    server.script = [breaks]
    got: list[bytes] = []
    with pytest.raises(ConnectionLostError, match="broke during GET /f"):
        async with http.stream("/f") as chunks:
            async for chunk in chunks:
                got.append(chunk)
    assert b"".join(got) == b"abc"


async def test_stalled_stream(server: Faulty, http: HttpTransport) -> None:
    async def stalls(exchange: Exchange) -> None:
        await exchange.send(chunked(b"abc", whole=False))
        await hang(exchange)

    server.script = [stalls]
    with pytest.raises(RequestTimeoutError, match=r"within 0\.25 s"):
        async with http.stream("/f", timeout=0.25) as chunks:
            async for _ in chunks:
                continue


async def test_rejected_stream(server: Faulty, http: HttpTransport) -> None:
    server.script = [reply("404 Not Found", b'{"detail": "no such image"}')]
    with pytest.raises(NotFoundError, match="no such image"):
        async with http.stream("/f"):
            raise AssertionError("there is nothing to read")


@pytest.mark.parametrize("kind", [OSError, ValueError, TimeoutError])
async def test_errors_of_the_callers_block_are_not_translated(
    server: Faulty, http: HttpTransport, kind: type[Exception]
) -> None:
    server.script = [chunked(b"abc")]
    with pytest.raises(kind, match="No space left on device") as caught:
        async with http.stream("/f") as chunks:
            async for _ in chunks:
                raise kind("No space left on device")
    assert type(caught.value) is kind


async def test_leaving_a_stream_early_frees_its_connection(server: Faulty, http: HttpTransport) -> None:
    async def endless(exchange: Exchange) -> None:
        await exchange.send(chunked(b"abc", whole=False))
        await hang(exchange)

    server.script = [endless, OK]
    async with http.stream("/f") as chunks:
        assert await anext(chunks) == b"abc"
    assert await http.json("GET", PATH) == {"version": "6.14.2"}


# --------------------------------------------------------------------------- loops


async def test_transport_can_be_closed_twice_and_reused(server: Faulty, http: HttpTransport) -> None:
    await http.close()
    await http.json("GET", PATH)
    await http.close()
    await http.close()
    await http.json("GET", PATH)
    assert server.connections == 2


@pytest.mark.skipif(sys.platform == "win32", reason="the other loop's transports complain differently there")
async def test_second_event_loop_gets_new_connections(server: Faulty) -> None:
    http = HttpTransport(settings(server.port))
    complaints: list[str] = []

    def two_loops() -> None:
        for _ in range(2):
            loop = asyncio.new_event_loop()
            loop.set_exception_handler(lambda _, context: complaints.append(context["message"]))
            loop.run_until_complete(http.json("GET", PATH))
            loop.close()
        asyncio.run(http.close())

    with warnings.catch_warnings():
        # If a loop is closed before its connections, Python closes their sockets. That is up to the owner of the loop.
        warnings.filterwarnings("ignore", "unclosed transport", ResourceWarning)
        warnings.filterwarnings("ignore", "unclosed <socket", ResourceWarning)
        await asyncio.to_thread(two_loops)
        assert http._session.value is None
        gc.collect()
    assert server.connections == 2
    assert complaints == []


async def test_two_loops_at_once_do_not_close_each_others_connections(server: Faulty) -> None:
    """As after a fork, the session of the other loop cannot be closed here, so it is only kept."""
    http = HttpTransport(settings(server.port))
    await http.json("GET", PATH)
    mine = http._session.value
    assert mine is not None

    async def elsewhere() -> None:
        await http.json("GET", PATH)
        await http.close()

    await asyncio.to_thread(asyncio.run, elsewhere())
    assert not mine.closed
    assert mine in http._orphans
    await mine.close()


# --------------------------------------------------------------------------- signing in

REFUSED = reply("401 Unauthorized", b'{"detail": "Invalid or expired token"}')


def signed_in(token: str) -> bytes:
    return reply(body=b'{"token": "%b", "user": {}}' % token.encode())


def may_sign_in(port: int, **options: object) -> ConnectionSettings:
    return settings(port, token="old", credentials=Credentials("ann@example.org", "secret"), **options)


async def by_request(http: HttpTransport) -> bytes:
    return await http.bytes("/f")


async def by_stream(http: HttpTransport) -> bytes:
    async with http.stream("/f") as chunks:
        return b"".join([chunk async for chunk in chunks])


FETCHES = pytest.mark.parametrize("fetch", [by_request, by_stream])
Fetch = Callable[[HttpTransport], Awaitable[bytes]]


@FETCHES
async def test_rejected_tokens_are_renewed_repeatedly(server: Faulty, fetch: Fetch) -> None:
    http = HttpTransport(may_sign_in(server.port))
    server.script = [REFUSED, signed_in("2"), REFUSED, signed_in("3"), chunked(b"abc")]
    assert await fetch(http) == b"abc"
    sent = [exchange.header("Authorization") for exchange in server.seen if "login" not in exchange.line]
    assert sent == ["Bearer old", "Bearer 2", "Bearer 3"]
    assert server.connections == 1  # each response was read to its end
    await http.close()


@FETCHES
async def test_token_renewals_are_limited(server: Faulty, fetch: Fetch) -> None:
    http = HttpTransport(may_sign_in(server.port))
    server.script = [one for n in range(8) for one in (REFUSED, signed_in(str(n)))]
    with pytest.raises(AuthenticationError, match="Invalid or expired token") as caught:
        await fetch(http)
    assert caught.value.path == "/f"
    assert server.lines.count("GET /f") == 4
    await http.close()


@FETCHES
async def test_basic_challenge_of_proxy_does_not_renew_token(server: Faulty, fetch: Fetch) -> None:
    http = HttpTransport(may_sign_in(server.port))
    server.script = [reply("401 Unauthorized", b"", "text/plain", "WWW-Authenticate: Basic realm=x")]
    with pytest.raises(AuthenticationError, match="A proxy requires"):
        await fetch(http)
    assert server.lines == ["GET /f"]
    await http.close()


@FETCHES
async def test_rejected_requests_free_their_connections_for_signing_in(server: Faulty, fetch: Fetch) -> None:
    async def answer(exchange: Exchange) -> None:
        if "login" in exchange.line:
            await exchange.send(signed_in("new"))
        else:
            new = exchange.header("Authorization") == "Bearer new"
            await exchange.send(chunked(b"abc") if new else REFUSED)

    server.script = [answer]
    http = HttpTransport(may_sign_in(server.port))
    many = 40  # more requests than connections
    assert await asyncio.wait_for(asyncio.gather(*(fetch(http) for _ in range(many))), 20) == [b"abc"] * many
    assert sum("login" in line for line in server.lines) == 1
    await http.close()


@FETCHES
async def test_token_renewed_by_server_is_used(server: Faulty, fetch: Fetch) -> None:
    http = HttpTransport(settings(server.port, token="old"))
    server.script = [reply("200 OK", b"abc", "image/png", "X-Refreshed-Token: new"), chunked(b"abc")]
    assert await fetch(http) == await fetch(http) == b"abc"
    assert [exchange.header("Authorization") for exchange in server.seen] == ["Bearer old", "Bearer new"]
    await http.close()


async def test_outage_may_last_for_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "POLL", 0.0)
    outage = retry.Outage(3600)
    for _ in range(1100):
        await outage.tolerate(ServerUnreachableError(None, None, "down"))
    delay = retry.retry_delay(RequestTimeoutError(), attempt=1100, max_retries=2000, idempotent=True)
    assert delay is not None
    assert delay < 11
