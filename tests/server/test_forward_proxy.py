"""Requests and events through the proxy in the environment, and the fixes that ``ivk doctor`` suggests."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import workflows
from command import Command, ivk_command
from forward_proxy import ForwardProxy
from tests.conftest import RealServer

from invokeai_py_client import AsyncInvokeAIClient, InvokeAIClient
from invokeai_py_client.doctor import Finding, examine
from invokeai_py_client.errors import APIRequestError
from invokeai_py_client.run.events import NodeStarted

__all__ = ["ivk_command"]

# A name that only the proxy can resolve.
ELSEWHERE = "http://invoke.test:9090"


@pytest.fixture
def proxy(server: RealServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[ForwardProxy]:
    """A proxy that $HTTP_PROXY names."""
    with ForwardProxy(server.url) as proxy:
        for name in ("http_proxy", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        yield proxy


def test_requests_and_events_go_through_the_proxy(proxy: ForwardProxy) -> None:
    with InvokeAIClient.from_url(ELSEWHERE) as client:
        wf = client.workflow_repo.create_workflow(workflows.add())
        run = wf.start()
        assert any(isinstance(event, NodeStarted) for event in run.events())
        assert client.connection.hub.connected
    assert len(proxy.sockets) == 1
    assert {
        url.partition("/ws")[0].partition("/api")[0] for _, url in proxy.seen if "openapi" not in url
    } == {ELSEWHERE}


def test_password_of_the_proxy_is_sent_with_requests_and_events(
    proxy: ForwardProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy.password = b64encode(b"ann:s3cret").decode()
    with (
        InvokeAIClient.from_url(ELSEWHERE) as client,
        pytest.raises(APIRequestError, match=r"requires a user name and a password: add them to its URL"),
    ):
        client.version()
    monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("//", "//ann:s3cret@"))
    with InvokeAIClient.from_url(ELSEWHERE) as client:
        run = client.workflow_repo.create_workflow(workflows.add()).start()
        assert run.wait(20).ok
        assert client.connection.hub.connected


@pytest.mark.parametrize("rules", ["{host}", "{host}:{port}", "127.0.0.0/8", "*"])
def test_exceptions_apply_to_requests_and_events(
    proxy: ForwardProxy, server: RealServer, monkeypatch: pytest.MonkeyPatch, rules: str
) -> None:
    parts = urlsplit(server.url)
    monkeypatch.setenv("NO_PROXY", rules.format(host=parts.hostname, port=parts.port))
    with InvokeAIClient.from_url(server.url) as client:
        assert client.workflow_repo.create_workflow(workflows.add()).start().wait(20).ok
        assert client.connection.hub.connected
    assert proxy.seen == []


# --------------------------------------------------------------------------- ivk doctor


def test_doctor_names_the_proxy(proxy: ForwardProxy, ivk_command: Command) -> None:
    done = ivk_command("doctor", "--url", ELSEWHERE)
    assert f"ok   proxy    requests and events go through {proxy.url} (HTTP_PROXY)" in done.lines
    assert "ok   events   connected" in done.lines


def test_doctor_finds_that_the_proxy_does_not_forward_events(
    proxy: ForwardProxy, server: RealServer, ivk_command: Command
) -> None:
    proxy.web_sockets = False
    address = urlsplit(server.url).netloc
    done = ivk_command("doctor", "--url", server.url)
    shown = f"{proxy.url} (HTTP_PROXY)"
    events = next(line for line in done.lines if line.startswith("warn events"))
    assert f"through the proxy {shown}" in events
    assert f"The server is reachable without the proxy: add {address} to NO_PROXY." in done.out
    done = ivk_command("doctor", "--url", ELSEWHERE)
    assert f"Let the proxy {shown} forward WebSockets." in done.out
    assert "reachable without" not in done.out


async def test_proxy_that_is_down_is_named(proxy: ForwardProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    async def server_of_doctor() -> Finding:
        async with AsyncInvokeAIClient.from_url(ELSEWHERE, max_retries=0) as client:
            return await anext(examine(client))

    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    found = await server_of_doctor()
    assert (found.about, found.state, found.says) == (
        "server",
        "fail",
        "No server responds at http://invoke.test:9090 through the proxy http://127.0.0.1:9 (HTTP_PROXY) (Connection "
        "refused). Check that the proxy is running. To connect without the proxy, add invoke.test:9090 to NO_PROXY.",
    )
    assert found.cure == (
        "Requests go through the proxy http://127.0.0.1:9 (HTTP_PROXY). Check that it is running and can reach the "
        "server. To connect without the proxy, add invoke.test:9090 to NO_PROXY."
    )
    monkeypatch.setenv("HTTP_PROXY", "socks5://127.0.0.1:9")
    assert "Invalid proxy socks5://127.0.0.1:9 (HTTP_PROXY)" in (await server_of_doctor()).says
    assert proxy.seen == []
