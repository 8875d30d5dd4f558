"""``ivk doctor``: connection problems are found, and each comes with a fix."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import workflows
from click.testing import CliRunner
from multi_user import ADMIN, ANN
from proxy import Proxy

from invokeai_py_client import AsyncInvokeAIClient, InvokeAIClient
from invokeai_py_client.administration.server import AsyncServerRepository
from invokeai_py_client.api.operations import OPERATIONS
from invokeai_py_client.cli.main import ivk
from invokeai_py_client.config import Profile, keep_profile
from invokeai_py_client.doctor import Finding, _clock, examine
from invokeai_py_client.models import IvkDevice
from invokeai_py_client.transport.responses import seconds_ahead

if TYPE_CHECKING:
    from multi_user import Users
    from tests.conftest import RealServer

Doctor = Callable[..., tuple[int, dict[str, dict[str, str]]]]


@pytest.fixture
def doctor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Doctor:
    """Run `ivk doctor` and return the exit code and the findings, keyed by subject."""
    monkeypatch.setenv("INVOKEAI_CONFIG", str(tmp_path / "config.toml"))

    def run(url: str) -> tuple[int, dict[str, dict[str, str]]]:
        done = CliRunner().invoke(ivk, ["doctor", "--json", "--url", url])
        *findings, last = [json.loads(line) for line in done.stdout.splitlines()]
        assert last == {"event": "result", "ok": done.exit_code == 0}
        return done.exit_code, {one["about"]: one for one in findings}

    return run


def test_no_problems(doctor: Doctor, server: RealServer) -> None:
    code, found = doctor(server.url)
    assert code == 0
    assert {about: one["state"] for about, one in found.items()} == dict.fromkeys(
        (
            "client",
            "config",
            "server",
            "clock",
            "sign-in",
            "api",
            "device",
            "events",
            "models",
            "queue",
            "disk",
        ),
        "ok",
    )
    assert f"InvokeAI {server.version}" in found["server"]["says"]
    assert "no sign-in required" in found["sign-in"]["says"]
    assert found["api"]["says"] == "all 191 operations of the server are known"
    assert found["device"]["says"] == "cpu (CPU)"
    assert " main" in found["models"]["says"]
    assert "GB free" in found["disk"]["says"]


def test_operations_that_this_client_does_not_know(
    doctor: Doctor, server: RealServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(OPERATIONS, "app_version")
    monkeypatch.delitem(OPERATIONS, "get_user_font_file")
    code, found = doctor(server.url)
    assert (code, found["api"]["state"]) == (0, "ok")
    assert found["api"]["says"] == (
        "2 of the server's 191 operations are unknown to this client: GET /api/v1/app/version, "
        "GET /api/v1/utilities/fonts/{font_path}"
    )
    assert "ivk api" in found["api"]["cure"]


def test_gpu_that_a_local_server_does_not_use(
    doctor: Doctor, server: RealServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("invokeai_py_client.server.torch_choice._NVIDIA_DRIVER", tmp_path)
    monkeypatch.setattr("invokeai_py_client.server.torch_choice.has_nvidia_gpu", lambda: False)
    assert doctor(server.url)[1]["device"]["state"] == "ok"
    (tmp_path / "0000:01:00.0").mkdir()  # the driver has a GPU, although nvidia-smi is not installed
    code, found = doctor(server.url)
    assert (code, found["device"]["state"]) == (0, "warn")
    assert found["device"]["says"] == "cpu (CPU), although this machine has an NVIDIA GPU"
    assert "ivk server install --force" in found["device"]["cure"]  # the test's server was started that way


@pytest.mark.parametrize(
    ("reported", "state", "says"),
    [
        (
            [IvkDevice(device="cuda:0", name="RTX", in_use=True), IvkDevice(device="cuda:1", in_use=False)],
            "ok",
            "cuda:0 (RTX)",
        ),
        (
            [IvkDevice(device="cuda:0", name="RTX", in_use=False), IvkDevice(device="cpu", in_use=True)],
            "warn",
            "cpu, although the server has cuda:0 (RTX)",
        ),
    ],
)
def test_devices_of_the_server(
    doctor: Doctor,
    server: RealServer,
    monkeypatch: pytest.MonkeyPatch,
    reported: list[IvkDevice],
    state: str,
    says: str,
) -> None:
    async def devices(_: object) -> list[IvkDevice]:
        return reported

    monkeypatch.setattr(AsyncServerRepository, "devices", devices)
    _, found = doctor(server.url)
    assert (found["device"]["state"], found["device"]["says"]) == (state, says)


def test_users_are_sent_to_an_administrator(
    doctor: Doctor, users: Users, held: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INVOKEAI_EMAIL", ANN[0])
    monkeypatch.setenv("INVOKEAI_PASSWORD", ANN[1])
    _, found = doctor(users.url)
    assert (
        found["queue"]["cure"]
        == "Ask an administrator of the server to resume the queue (`ivk queue resume`)."
    )
    assert found["models"]["cure"].startswith("Ask an administrator of the server to install a main model")
    assert found["device"]["says"] == "cpu (CPU)"
    monkeypatch.setenv("INVOKEAI_EMAIL", ADMIN[0])
    monkeypatch.setenv("INVOKEAI_PASSWORD", ADMIN[1])
    _, found = doctor(users.url)
    assert found["queue"]["cure"] == "Resume the queue: `ivk queue resume`."


def test_text_output(server: RealServer) -> None:
    done = CliRunner().invoke(ivk, ["doctor", "--url", server.url])
    assert done.exit_code == 0
    assert "ok   server   InvokeAI" in done.stdout
    done = CliRunner().invoke(ivk, ["doctor", "--url", "http://127.0.0.1:9"])
    assert done.exit_code == 1
    assert "fail server   No server responds" in done.stdout
    assert "-> Start the server (locally: `ivk server start`" in done.stdout


def test_paused_queue(doctor: Doctor, server: RealServer, held_queue: None) -> None:
    code, found = doctor(server.url)
    assert (code, found["queue"]["state"]) == (0, "warn")
    assert "ivk queue resume" in found["queue"]["cure"]


def test_long_history(
    doctor: Doctor, server: RealServer, client: InvokeAIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.workflow_repo.create_workflow(workflows.add()).run(a=1921)
    monkeypatch.setattr("invokeai_py_client.doctor._MANY_ITEMS", 0)
    code, found = doctor(server.url)
    assert (code, found["queue"]["state"]) == (0, "warn")
    assert "slow the server down" in found["queue"]["says"]
    assert "ivk queue prune" in found["queue"]["cure"]


def test_proxy_without_websockets(doctor: Doctor, server: RealServer) -> None:
    with Proxy(server.url) as proxy, proxy.away(sockets_only=True):
        code, found = doctor(proxy.url)
    assert (code, found["events"]["state"]) == (0, "warn")
    assert "WebSockets" in found["events"]["cure"]
    assert "unknown" in found["disk"]["says"]  # the server may be on another machine


def test_configuration_file(doctor: Doctor, server: RealServer) -> None:
    path = keep_profile(Profile("default", server.url, "a token"))
    code, found = doctor(server.url)
    assert (code, found["config"]["state"]) == (0, "ok")
    assert "a token" not in str(found)
    path.chmod(0o644)
    code, found = doctor("http://127.0.0.1:9")
    assert (code, found["config"]["state"], found["config"]["cure"]) == (
        1,
        "fail",
        f"Run `chmod 600 {path}`.",
    )
    path.write_text("[profiles")
    code, found = doctor(server.url)
    assert (code, list(found)) == (1, ["client", "config"])


@pytest.mark.parametrize(
    ("version", "state"),
    [("5.14.0", "warn"), ("5.15.0", "ok"), ("6.14.2", "ok"), ("6.15.0rc1", "warn"), ("7.0", "warn")],
)
async def test_supported_versions(version: str, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def server_version(*_: object, **__: object) -> str:
        return version

    monkeypatch.setattr("invokeai_py_client.schema.source.server_version", server_version)
    async with AsyncInvokeAIClient.from_url("http://127.0.0.1:9", max_retries=0) as client:
        first = await anext(examine(client))
    assert (first.about, first.state) == ("server", state)


async def test_wrong_clock(client: InvokeAIClient) -> None:
    async with AsyncInvokeAIClient.from_url(client.url) as asynchronous:
        await asynchronous.version()
        apart = asynchronous.connection.http.clock_difference
        assert apart is not None
        assert abs(apart) < 60
    assert seconds_ahead(None) is None
    assert seconds_ahead("yesterday") is None
    assert (seconds_ahead("Sat, 21 Nov 2099 11:05:48 GMT") or 0) > 1e9
    asynchronous.connection.http.clock_difference = -3600
    found = _clock(asynchronous)
    assert (found.state, found.says) == ("warn", "the server's clock is 3600 s behind this machine's")


def test_server_that_could_not_clean_its_database(
    doctor: Doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("invokeai_py_client.server.paths.default_root", lambda _: tmp_path)  # pyright: ignore[reportUnknownLambdaType]
    (tmp_path / "logs").mkdir()
    log = tmp_path / "logs" / "server.log"
    log.write_text("[InvokeAI]::INFO --> Starting\n")
    _, found = doctor("http://127.0.0.1:9")
    assert found["server"]["cure"].startswith("Start the server")
    log.write_text("[InvokeAI]::ERROR --> Error cleaning database: database is locked\nTraceback\n")
    _, found = doctor("http://127.0.0.1:9")
    assert (
        "ended at its start because it could not clean its database: database is locked"
        in found["server"]["cure"]
    )
    _, found = doctor("http://192.0.2.1:9")  # the log is not that of a server on another machine
    assert "database" not in found["server"]["cure"]


def test_server_with_a_worker_that_has_ended(tmp_path: Path, client: InvokeAIClient) -> None:
    log = tmp_path / "server.log"
    log.write_text(
        "[InvokeAI]::ERROR --> Fatal Error in session processor OperationalError: database is locked\n"
    )

    async def examined() -> list[Finding]:
        async with AsyncInvokeAIClient.from_url(client.url) as other:
            return [one async for one in examine(other, None, log) if one.about == "queue"]

    [found] = asyncio.run(examined())
    assert found.state == "warn"
    assert found.says == "a worker of the session processor has ended: OperationalError: database is locked"
