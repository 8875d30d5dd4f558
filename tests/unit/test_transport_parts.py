"""The transport's pure parts: addresses, settings, retries, and the interpretation of responses."""

from __future__ import annotations

import json
import pickle
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from invokeai_py_client.errors import (
    APIRequestError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    ConnectionLostError,
    MethodNotAllowedError,
    NotFoundError,
    NotInvokeAIError,
    PermissionDeniedError,
    RequestTimeoutError,
    ServerError,
    ServerUnreachableError,
    UnprocessableError,
    UsageError,
)
from invokeai_py_client.transport import retry
from invokeai_py_client.transport.responses import check_is_ours, decode_json, error_of
from invokeai_py_client.transport.retry import Outage, Retries, is_passing, parse_retry_after, retry_delay
from invokeai_py_client.transport.settings import ConnectionSettings, ServerAddress, clean_prefix

# --------------------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    ("text", "origin", "prefix"),
    [
        ("http://localhost:9090", "http://localhost:9090", ""),
        ("http://localhost:9090/", "http://localhost:9090", ""),
        ("localhost:9090", "http://localhost:9090", ""),
        ("  http://gpu  ".strip(), "http://gpu", ""),
        (" gpu:80\n", "http://gpu:80", ""),
        ("gpu", "http://gpu:9090", ""),
        ("127.0.0.1", "http://127.0.0.1:9090", ""),
        ("gpu/invoke", "http://gpu:9090", "/invoke"),
        ("me:secret@gpu", "http://gpu:9090", ""),
        ("me:secret@gpu:80", "http://gpu:80", ""),
        ("::1", "http://[::1]:9090", ""),
        ("[::1]", "http://[::1]:9090", ""),
        ("http://127.0.0.1", "http://127.0.0.1", ""),
        ("https://gpu", "https://gpu", ""),
        ("http://bücher.example", "http://bücher.example", ""),
        ("HTTPS://Example.ORG/Invoke/", "https://example.org", "/Invoke"),
        ("https://example.org/a/b", "https://example.org", "/a/b"),
        ("http://gpu:9090/api/v1", "http://gpu:9090", ""),
        ("http://gpu:9090/invoke/api/v1/", "http://gpu:9090", "/invoke"),
        ("http://[::1]:9090/x", "http://[::1]:9090", "/x"),
        ("[::1]:9090", "http://[::1]:9090", ""),
        ("http://gpu:9090/?tab=workflows#x", "http://gpu:9090", ""),
    ],
)
def test_addresses(text: str, origin: str, prefix: str) -> None:
    address = ServerAddress.parse(text)
    assert (address.origin, address.prefix, address.url) == (origin, prefix, origin + prefix)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "http://",
        "ftp://gpu",
        "http://gpu:port",
        "gpu:port",
        "gpu:0",
        "gpu:99999",
        " ",
        "http://gpu:99999",
        "a b",
        "http://[::1",
        "file:///etc",
        "http:/gpu",
        "x" * 300,
        "http://\udcff",
        "1:2:3",
    ],
)
def test_invalid_addresses(text: str) -> None:
    with pytest.raises(UsageError, match="Invalid server URL") as caught:
        ServerAddress.parse(text)
    assert str(caught.value).count("9090") == 1  # only in the example
    assert "http://localhost:9090" in str(caught.value)


def test_user_and_password_in_url_are_hidden() -> None:
    address = ServerAddress.parse("https://me:p%40ss@example.org/invoke")
    assert address.userinfo == ("me", "p@ss")
    assert "p@ss" not in f"{address!r} {address} {address.url}"
    settings = ConnectionSettings(address, token="secret", headers={"X-Key": "hidden"})
    assert not {"p@ss", "p%40ss", "secret", "hidden"} & set(repr(settings).replace("'", " ").split())


@pytest.mark.parametrize("text", ["https://me:secret@gpu:99999", "me:secret@a b"])
def test_error_does_not_show_password(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        ServerAddress.parse(text)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "prefix"),
    [
        ("", ""),
        ("/", ""),
        ("invoke", "/invoke"),
        ("/invoke/", "/invoke"),
        ("/api/v1", ""),
        ("api/v2/", ""),
        ("/invoke/api/v1", "/invoke"),
        ("/invoke/api/", "/invoke"),
    ],
)
def test_prefixes(path: str, prefix: str) -> None:
    assert clean_prefix(path) == prefix


def test_socket_path() -> None:
    assert ServerAddress.parse("gpu").socket_path == "ws/socket.io"
    assert ServerAddress.parse("gpu/invoke").socket_path == "invoke/ws/socket.io"


# --------------------------------------------------------------------------- settings


def test_headers() -> None:
    address = ServerAddress.parse("http://me:secret@gpu")
    basic = ConnectionSettings(address, headers={"X-Key": "1"}).request_headers()
    assert basic["X-Key"] == "1"
    assert b64decode(basic["Authorization"].removeprefix("Basic ")) == b"me:secret"
    assert ConnectionSettings(address, token="t").request_headers() == {"Authorization": "Bearer t"}
    assert ConnectionSettings(ServerAddress.parse("gpu")).request_headers() == {}


def test_adopt_token_replaces_existing_token() -> None:
    settings = ConnectionSettings(ServerAddress.parse("gpu"), token="old")
    settings.adopt_token(None)
    assert settings.token == "old"
    settings.adopt_token("new")
    assert settings.token == "new"
    single_user = ConnectionSettings(ServerAddress.parse("gpu"))
    single_user.adopt_token("new")
    assert single_user.token is None


def test_without_secrets() -> None:
    settings = ConnectionSettings(
        ServerAddress.parse("http://me:secret1@gpu/x"), timeout=5, token="secret2", headers={"X": "secret3"}
    )
    data = pickle.dumps(settings.without_secrets())
    assert b"secret" not in data
    copy = pickle.loads(data)
    assert (copy.address.url, copy.timeout, copy.token) == ("http://gpu/x", 5, None)
    assert settings.token == "secret2"


# --------------------------------------------------------------------------- retries


def delay(
    error: APIRequestError,
    attempt: int = 1,
    max_retries: int = 3,
    idempotent: bool = True,
    retry_after: float | None = None,
) -> float | None:
    return retry_delay(
        error, attempt=attempt, max_retries=max_retries, idempotent=idempotent, retry_after=retry_after
    )


@pytest.mark.parametrize(
    "error",
    [
        ServerUnreachableError(),
        ConnectionLostError(),
        RequestTimeoutError(),
        ServerError(502),
        ServerError(503),
        ServerError(504),
        APIRequestError(429),
    ],
)
def test_temporary_errors_are_retried(error: APIRequestError) -> None:
    assert delay(error) is not None
    assert delay(error, attempt=3) is not None
    assert delay(error, attempt=4) is None
    assert delay(error, max_retries=0) is None


@pytest.mark.parametrize(
    "error",
    [
        BadRequestError(400),
        NotFoundError(404),
        UnprocessableError(422),
        ServerError(500),
        ServerError(501),
        NotInvokeAIError(),
    ],
)
def test_permanent_errors_are_not_retried(error: APIRequestError) -> None:
    assert delay(error) is None


def test_unsafe_requests_are_not_retried() -> None:
    for error in (ConnectionLostError(), RequestTimeoutError(), ServerError(503)):
        assert delay(error, idempotent=False) is None
    assert (
        delay(APIRequestError(429), idempotent=False) is not None
    )  # the server refused it, so it did nothing


def test_retry_after_sets_delay() -> None:
    assert delay(ServerError(503), retry_after=5) == 5
    assert delay(ServerError(503), retry_after=0) == 0
    assert delay(ServerError(503), retry_after=-1) == 0
    assert delay(ServerError(503), retry_after=86400) == 120


def test_delays_grow_with_jitter() -> None:
    for attempt, middle in enumerate((0.25, 0.5, 1, 2, 4, 8, 8, 8), start=1):
        several = {delay(ServerError(503), attempt=attempt, max_retries=9) for _ in range(20)}
        assert len(several) > 1
        assert all(one is not None and middle * 0.75 <= one <= middle * 1.25 for one in several)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5", 5.0),
        ("0", 0.0),
        ("1.5", 1.5),
        (None, None),
        ("", None),
        ("Wed, 21 Oct 2020 07:28:00 GMT", 0.0),  # in the past
        ("Wed, 21 Oct 2020 07:28:00", 0.0),
        ("soon", None),
        ("nan", None),
        ("-1", None),
    ],
)
def test_retry_after(text: str | None, seconds: float | None) -> None:
    assert parse_retry_after(text) == seconds


def test_retry_after_a_date() -> None:
    seconds = parse_retry_after(format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True))
    assert seconds is not None
    assert 60 < seconds <= 90


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (ServerUnreachableError(), True),
        (ConnectionLostError(), True),
        (RequestTimeoutError(), True),
        (ServerError(502), True),
        (ServerError(503), True),
        (ServerError(504), True),
        (APIRequestError(429), True),
        (ServerError(500), False),
        (NotFoundError(404), False),
    ],
    ids=repr,
)
def test_is_passing(error: APIRequestError, passes: bool) -> None:
    assert is_passing(error) is passes


async def test_retries_count_attempts_and_respect_retry_after() -> None:
    busy = ServerError(503)
    busy.retry_after = 0.0
    retries = Retries(2)
    assert await retries.pause_after(busy)
    assert retries.delay_after(busy) == 0.0
    assert not await retries.pause_after(busy)
    assert not await Retries(2, idempotent=False).pause_after(busy)
    assert not await Retries(0).pause_after(busy)


class Clock:
    """A clock that the test moves, and that passes while code sleeps.

    Attributes:
        now: The time.
        suspended: How many seconds the next sleep takes longer, because the computer sleeps.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.suspended = 0.0

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds + self.suspended
        self.suspended = 0.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(retry, "time", clock)
    monkeypatch.setattr(retry, "asyncio", clock)
    return clock


async def test_outage_is_tolerated_until_it_is_too_long(clock: Clock) -> None:
    outage, away = Outage(10.0), ServerUnreachableError()
    with pytest.raises(ServerUnreachableError):
        while True:
            await outage.tolerate(away)
    assert 10 <= clock.now < 12
    outage.end()
    await outage.tolerate(away)
    with pytest.raises(ServerError):
        await outage.tolerate(ServerError(500))


async def test_outage_does_not_include_the_sleep_of_the_computer(clock: Clock) -> None:
    outage, away = Outage(10.0), ServerUnreachableError()
    await outage.tolerate(away)
    clock.suspended = 3600.0
    await outage.tolerate(away)
    await outage.tolerate(away)
    assert clock.now > 3600


async def test_attempts_without_a_response_count_as_an_outage(clock: Clock) -> None:
    retries, lost = Retries(1, outage=Outage(60.0)), ConnectionLostError()
    for _ in range(9):
        assert await retries.pause_after(lost)
    retries.responded()  # and then the connection broke
    assert await retries.pause_after(lost)
    retries.responded()
    assert not await retries.pause_after(lost)
    assert not await Retries(0, idempotent=False, outage=Outage(60.0)).pause_after(lost)
    assert clock.now > 0


# --------------------------------------------------------------------------- responses


WHERE: dict[str, Any] = {"method": "POST", "path": "/api/v1/x", "request_id": "r1"}
JSON = "application/json"


def refused(status: int, body: Any, content_type: str = JSON) -> APIRequestError:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return error_of(status, data, content_type, **WHERE)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, BadRequestError),
        (401, AuthenticationError),
        (403, PermissionDeniedError),
        (404, NotFoundError),
        (405, MethodNotAllowedError),
        (409, ConflictError),
        (415, APIRequestError),
        (422, UnprocessableError),
        (424, APIRequestError),
        (429, APIRequestError),
        (500, ServerError),
        (503, ServerError),
    ],
)
def test_each_status_has_its_error(status: int, kind: type[APIRequestError]) -> None:
    error = refused(status, {"detail": "Because."})
    assert type(error) is kind
    assert (error.status_code, error.payload) == (status, {"detail": "Because."})
    assert (error.method, error.path, error.request_id) == ("POST", "/api/v1/x", "r1")
    assert str(error).startswith(f"POST /api/v1/x failed with HTTP status {status}: Because.")


def test_422_message_contains_locations_but_not_input() -> None:
    finding = {
        "type": "int_type",
        "loc": ["body", "batch", "graph", "nodes", "n1", "add", "a"],
        "msg": "Input should be a valid integer",
        "input": {"the whole graph": "x" * 100_000},
    }
    error = refused(422, {"detail": [finding, "odd"]})
    assert "body.batch.graph.nodes.n1.add.a: Input should be a valid integer; odd" in str(error)
    assert len(str(error)) < 1000
    assert error.payload["detail"][0]["input"]["the whole graph"]


def test_422_message_with_many_findings_is_short() -> None:
    finding = {"loc": ["body"], "msg": "Node type unknown, " + "known are: " * 1000}
    assert len(str(refused(422, {"detail": [finding] * 300}))) < 1000


@pytest.mark.parametrize(
    ("body", "content_type", "payload", "detail"),
    [
        (b"Internal Server Error", "text/plain", "Internal Server Error", ": Internal Server Error."),
        (b"<html><h1>502</h1></html>", "text/html", "<html><h1>502</h1></html>", "500."),
        (b"", "text/plain", "", "500."),
        (b"{broken", JSON, "{broken", ": {broken."),
        (b'{"detail": {"deleted": 1}}', JSON, {"detail": {"deleted": 1}}, ": {'deleted': 1}."),
        (b'["a", "list"]', JSON, ["a", "list"], ": ['a', 'list']."),
        (b"null", JSON, None, ": None."),
        (b"\xff\xfe", "text/plain", "\ufffd\ufffd", ": \ufffd\ufffd."),
    ],
)
def test_error_with_any_body(body: bytes, content_type: str, payload: Any, detail: str) -> None:
    error = error_of(500, body, content_type, **WHERE)
    assert error.payload == payload
    assert str(error) == f"POST /api/v1/x failed with HTTP status 500{detail.removeprefix('500')}"


def test_401_message_explains_how_to_sign_in() -> None:
    assert "api_key" in str(refused(401, {"detail": "Not authenticated"}))


def decoded(body: bytes, content_type: str = JSON) -> Any:
    return decode_json(body, content_type, url="http://gpu", **WHERE)


def test_successful_json_responses() -> None:
    assert decoded(b'{"version": "6.14.2"}') == {"version": "6.14.2"}
    assert decoded(b"null") is None
    assert decoded(b"", "application/octet-stream") is None
    assert decoded(b"[]", "application/problem+json") == []


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"<!doctype html>", "text/html"),
        (b"{}", "text/plain"),
        (b'{"version": "6.1', JSON),
        (b"\xff\xff", JSON),
        (b"[" * 100_000, JSON),
    ],
)
def test_responses_that_are_not_json(body: bytes, content_type: str) -> None:
    with pytest.raises(NotInvokeAIError, match="/api/v1/x") as caught:
        decoded(body, content_type)
    assert "http://gpu" in str(caught.value)
    assert caught.value.status_code is None


def test_redirects_and_web_pages_raise_not_invokeai() -> None:
    check_is_ours(200, JSON, "", url="http://gpu", **WHERE)
    check_is_ours(204, "", "", url="http://gpu", **WHERE)
    with pytest.raises(NotInvokeAIError, match=r"redirects POST /api/v1/x to https://sso/login"):
        check_is_ours(302, JSON, "https://sso/login", url="http://gpu", **WHERE)
    with pytest.raises(NotInvokeAIError, match="web page"):
        check_is_ours(200, "text/html", "", url="http://gpu", **WHERE)
