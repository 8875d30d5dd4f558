"""Passwords and tokens never appear in errors, logs, reprs, pickles, tracebacks or output, whatever the server does."""

from __future__ import annotations

import json
import logging
import pickle
import threading
import traceback
from base64 import b64encode
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import invokeai_py_client
from invokeai_py_client import InvokeAIClient
from invokeai_py_client.cli.main import ivk
from invokeai_py_client.errors import APIRequestError, InvokeAIClientError
from invokeai_py_client.transport.secrets import redacted

PACKAGE = str(Path(invokeai_py_client.__file__).parent)
SECRETS = {
    "token": "marker-token-1",
    "password": 'marker"password\\2-é',
    "basic": "marker-basic-3",
    "header": "marker-header-4",
    "hf": "marker-hf-5",
}
BASIC = b64encode(f"me:{SECRETS['basic']}".encode()).decode()
EMAIL = "me@example.org"


class Echo(BaseHTTPRequestHandler):
    """A server that repeats all request data, as FastAPI does for invalid requests, and as debug pages do."""

    status = 422
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        sent: dict[str, Any] = {"path": self.path, "headers": dict(self.headers), "body": body}
        try:
            sent["input"] = json.loads(body)
        except ValueError:
            sent["input"] = None
        detail: Any = [{"loc": ["body"], "msg": json.dumps(sent, ensure_ascii=False), "input": sent}]
        data = json.dumps({"detail": detail}).encode()
        self.send_response(self.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def log_message(self, format: str, *args: object) -> None:
        """Silence."""


@pytest.fixture(params=[422, 401, 500, 200], ids=str)
def echo(request: pytest.FixtureRequest) -> Iterator[str]:
    """Yield the address of a server that repeats all request data."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Echo,), {"status": request.param}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(10)


def assert_clean(text: str | bytes, what: str) -> None:
    data = text.encode(errors="replace") if isinstance(text, str) else text
    for name, secret in {**SECRETS, "basic, encoded": BASIC}.items():
        for form in (secret, json.dumps(secret)[1:-1]):
            assert form.encode() not in data, f"the {name} is in {what}"


def with_variables(error: BaseException | None) -> Iterator[str]:
    """Return the variables of this package's frames, as tools that show tracebacks print them."""
    while error is not None:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if frame.f_code.co_filename.startswith(PACKAGE):
                yield from (f"{name} = {value!r}" for name, value in frame.f_locals.items())
        error = error.__cause__ or error.__context__


OPERATIONS: dict[str, Callable[[InvokeAIClient], object]] = {
    "version": lambda client: client.version(),
    "login": lambda client: client.login(EMAIL, SECRETS["password"]),
    "me": lambda client: client.me(),
    "boards": lambda client: client.board_repo.list_boards(),
    "upload": lambda client: client.image_repo.upload(b"no picture", filename="x.png"),
    "hf_login": lambda client: client.dnn_model_repo.hf_login(SECRETS["hf"]),
    "install": lambda client: client.dnn_model_repo.install_model("a/b", access_token=SECRETS["hf"]),
    "queue": lambda client: client.queue_repo.status(),
    "workflow": lambda client: client.workflow_repo.create_workflow("no-such-workflow"),
    "job": lambda client: client.get_job(1),
    "logout": lambda client: client.logout(),
}


@pytest.mark.parametrize("known", ["token", "password", "basic"])
def test_errors_and_logs_contain_no_secrets(echo: str, known: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    how: dict[str, dict[str, Any]] = {
        "token": {"api_key": SECRETS["token"]},
        "password": {"email": EMAIL, "password": SECRETS["password"]},
        "basic": {},
    }
    url = f"http://me:{SECRETS['basic']}@{echo}" if known == "basic" else f"http://{echo}"
    failed = 0
    with InvokeAIClient.from_url(
        url, headers={"X-Proxy": SECRETS["header"]}, max_retries=0, timeout=5, **how[known]
    ) as client:
        for name, operation in OPERATIONS.items():
            try:
                operation(client)
            except InvokeAIClientError as error:
                failed += 1
                assert not isinstance(error, APIRequestError) or error.request_id, name
                assert_clean(str(error) + repr(error), f"the error of {name}")
                assert_clean(repr(getattr(error, "payload", None)), f"the payload of {name}")
                assert_clean(pickle.dumps(error), f"the pickled error of {name}")
                assert_clean("".join(traceback.format_exception(error)), f"the traceback of {name}")
                # Frames may contain the arguments of a call and the data of a valid response.
                for line in with_variables(error) if getattr(error, "status_code", None) else ():
                    if not line.startswith(("password = ", "token = ", "access_token = ")):
                        assert_clean(line, f"a variable of {name}: {line[:40]}")
        for thing in (
            client,
            client.settings,
            client._impl,
            client.settings.address,
            client.settings.credentials,
        ):
            assert_clean(repr(thing), f"the repr of {type(thing)}")
        assert_clean(pickle.dumps(client), "a pickled client")
    assert failed > len(OPERATIONS) // 2
    assert_clean(caplog.text, "the log")


@pytest.mark.parametrize(
    "words", [("doctor",), ("doctor", "--json"), ("login", "--email", EMAIL)], ids=" ".join
)
def test_output_contains_no_secrets(
    echo: str, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("INVOKEAI_URL", f"http://me:{SECRETS['basic']}@{echo}")
    monkeypatch.setenv("INVOKEAI_TOKEN", SECRETS["token"])
    monkeypatch.setenv("INVOKEAI_EMAIL", EMAIL)
    monkeypatch.setenv("INVOKEAI_PASSWORD", SECRETS["password"])
    monkeypatch.setenv("INVOKEAI_CONFIG", str(tmp_path / "config.toml"))
    done = CliRunner().invoke(ivk, words)
    assert done.exit_code == 1
    assert_clean(f"{done.output}{done.stderr}{done.exception!r}", "the output")


def test_what_is_redacted() -> None:
    assert redacted(b'a "sec\\"ret" secret', {'sec"ret', "secret"}) == b'a "***" ***'
