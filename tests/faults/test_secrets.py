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
from invokeai_py_client import InvokeAIClient, Sweep
from invokeai_py_client._text import hide_secrets
from invokeai_py_client.cli.main import ivk
from invokeai_py_client.config import Profile, keep_profile
from invokeai_py_client.dnn_model.install import AsyncModelInstJobHandle
from invokeai_py_client.dnn_model.repository import AsyncDnnModelRepository
from invokeai_py_client.errors import (
    APIRequestError,
    AuthenticationError,
    InvokeAIClientError,
    ModelInstallJobFailed,
)
from invokeai_py_client.models import ModelInstJobInfo
from invokeai_py_client.transport.secrets import redacted

PACKAGE = str(Path(invokeai_py_client.__file__).parent)
SECRETS = {
    "token": "marker-token-1",
    "password": 'marker"password\\2-é',
    "basic": "marker-basic-3",
    "header": "marker-header-4",
    "hf": "marker-hf-5",
    "provider": "marker-provider-6",
}
BASIC = b64encode(f"me:{SECRETS['basic']}".encode()).decode()
EMAIL = "me@example.org"
ARTIFACTS = Path(__file__).parents[1] / "data" / "artifacts" / "2.0.0-dev"


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
    "provider": lambda client: client.server.set_provider("openai", api_key=SECRETS["provider"]),
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
                    if not line.startswith(("password = ", "token = ", "access_token = ", "api_key = ")):
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


# --------------------------------------------------------------------------- credentials belong to a server


@pytest.fixture
def foreign() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Yield the address of another server, and the headers of all requests that reach it."""
    received: list[dict[str, str]] = []

    class Listening(Echo):
        status = 401

        def answer(self) -> None:
            received.append(dict(self.headers))
            super().answer()

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    server = ThreadingHTTPServer(("127.0.0.1", 0), Listening)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", received
    server.shutdown()
    server.server_close()
    thread.join(10)


@pytest.mark.parametrize("names_own_server", [True, False], ids=["with INVOKEAI_URL", "without INVOKEAI_URL"])
def test_url_in_a_file_gets_no_credentials_of_another_server(
    foreign: tuple[str, list[dict[str, str]]],
    names_own_server: bool,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    url, received = foreign
    pickled = pickle.dumps(InvokeAIClient.from_url(url))
    monkeypatch.setenv("INVOKEAI_TOKEN", SECRETS["token"])
    monkeypatch.setenv("INVOKEAI_EMAIL", EMAIL)
    monkeypatch.setenv("INVOKEAI_PASSWORD", SECRETS["password"])
    monkeypatch.setenv("INVOKEAI_CONFIG", str(tmp_path / "config.toml"))
    keep_profile(Profile("default", "http://localhost:9", SECRETS["hf"]))
    if names_own_server:
        monkeypatch.setenv("INVOKEAI_URL", f"http://me:{SECRETS['basic']}@localhost:9090")
    manifest = tmp_path / "foreign.jsonl"
    recorded = ARTIFACTS / "manifests" / "killed.jsonl"
    manifest.write_text(recorded.read_text().replace("http://invokeai.example:9090", url))
    with pytest.raises(AuthenticationError, match=r"not sent to .* because this URL comes from a file"):
        Sweep.resume(manifest).wait()
    with pickle.loads(pickled) as client, pytest.raises(AuthenticationError, match=f"INVOKEAI_URL={url}"):
        client.board_repo.list_boards()
    assert received
    assert_clean(json.dumps(received), "the requests to the foreign server")
    assert not [one for one in received if "Authorization" in one]
    # The user who names the server decides.
    if not names_own_server:
        with InvokeAIClient.from_url(url) as client, pytest.raises(AuthenticationError):
            client.board_repo.list_boards()
        assert "Authorization" in received[-1]


# --------------------------------------------------------------------------- messages of libraries


@pytest.mark.parametrize(
    "proxy",
    [
        "http://me:ma/rker-proxy%zz@127.0.0.1:9",
        "http://me:marker-proxy@127.0.0.1:notaport",
        "http://me:marker proxy@127.0.0.1:9",
        "http://me:marker-proxy@[127.0.0.1",
    ],
)
def test_errors_about_a_proxy_contain_no_password(
    proxy: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.setenv("no_proxy", "")
    with InvokeAIClient.from_url("http://gpu.example:9090", max_retries=0, timeout=5) as client:
        with pytest.raises(APIRequestError) as caught:
            client.version()
        assert not client.health_check()
    for text in (str(caught.value), "".join(traceback.format_exception(caught.value)), caplog.text):
        assert "rker" not in text


def test_urls_in_texts_lose_their_secrets() -> None:
    for text, shown in {
        "Invalid URL: http://me:ma/rk%zz@host:80/x, sorry": "Invalid URL: http://***@host:80/x, sorry",
        "'https://me@host/a@b'": "'https://***@b'",
        "https://host/a@1.0?x=1": "https://host/a@1.0?x=1",
        "https://host:80/a@1.0": "https://host:80/a@1.0",
        "https://civitai.com/api/download/1?type=Model&token=marker": (
            "https://civitai.com/api/download/1?type=Model&token=***"
        ),
        "https://s3/x?X-Amz-Signature=marker&b=1 and more": "https://s3/x?X-Amz-Signature=***&b=1 and more",
        "owner/name": "owner/name",
    }.items():
        assert hide_secrets(text) == shown


# --------------------------------------------------------------------------- tokens for models


@pytest.mark.parametrize("way", ["stdin", "environment"])
def test_token_for_a_model_comes_from_standard_input_or_the_environment(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Any] = []

    async def install_models(self: object, sources: object, **options: Any) -> list[Any]:
        sent.append(options["access_token"])
        return []

    monkeypatch.setattr(AsyncDnnModelRepository, "install_models", install_models)
    command = ["models", "install", "owner/name", "--url", "http://127.0.0.1:9"]
    if way == "environment":
        monkeypatch.setenv("INVOKEAI_MODEL_TOKEN", SECRETS["hf"])
        done = CliRunner().invoke(ivk, command)
    else:
        done = CliRunner().invoke(ivk, [*command, "--token-stdin"], input=f"{SECRETS['hf']}\n")
    assert (done.exit_code, sent) == (0, [SECRETS["hf"]])
    empty = CliRunner().invoke(ivk, [*command, "--token-stdin"], input="\n")
    assert "No token on standard input" in str(empty.exception)
    twice = CliRunner().invoke(ivk, [*command, "--token", "x", "--token-stdin"], input="y\n")
    assert "cannot be used together" in str(twice.exception)


@pytest.mark.parametrize("echo", [422], indirect=True)
def test_errors_about_a_model_contain_no_token_of_its_url(echo: str) -> None:
    source = f"https://me:{SECRETS['basic']}@example.org/m.safetensors?token={SECRETS['hf']}"
    with InvokeAIClient.from_url(f"http://{echo}", max_retries=0) as client:
        with pytest.raises(InvokeAIClientError) as caught:
            client.dnn_model_repo.install_model(source)
        info = ModelInstJobInfo.from_api_response(
            {"id": 1, "source": source, "status": "error", "error": source}
        )
        handle = AsyncModelInstJobHandle(client._impl.models, info)
        with pytest.raises(ModelInstallJobFailed) as failed:
            handle.raise_if_failed()
    for text in (str(caught.value), str(failed.value), repr(handle), repr(info), str(info)):
        assert_clean(text, "an error about a model")
