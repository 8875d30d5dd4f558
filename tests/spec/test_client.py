"""Rows S09 to S14: jobs, the server's address, health checks, repositories, sockets, closing."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest
import socketio
import workflows
from prefix import PrefixProxy

from invokeai_py_client import AsyncInvokeAIClient, InvokeAIClient
from invokeai_py_client.errors import APIRequestError, ServerUnreachableError, UsageError
from invokeai_py_client.models import IvkJob, JobStatus

PATIENCE = 60

# --------------------------------------------------------------------------- S09


def test_S09_a_job_is_followed_by_asking_for_it(client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(workflows.add())
    [item_id] = wf.submit_sync().item_ids
    job = client.get_job(str(item_id))
    assert isinstance(job, IvkJob)
    assert job.id == str(item_id)
    deadline = time.monotonic() + PATIENCE
    while job.status not in [JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED]:
        assert time.monotonic() < deadline
        job = client.get_job(job.id)
    assert job.is_complete()
    assert job.is_successful()
    assert job.completed_at is not None
    assert job.progress == 1.0
    assert IvkJob(**job.to_dict()).id == job.id


async def test_S09_asynchronously(async_client: AsyncInvokeAIClient) -> None:
    wf = await async_client.workflow_repo.create_workflow(workflows.add())
    run = await wf.run(a=9)
    job = await async_client.get_job(run.item_id)
    assert (job.status, job.error) == (JobStatus.COMPLETED, None)
    with pytest.raises(UsageError, match="the latest"):
        await async_client.get_job("the latest")


# --------------------------------------------------------------------------- S10


def test_S10_a_client_by_url_and_by_parts(server: Any) -> None:
    address = urlsplit(server.url)
    assert address.port
    clients = [
        InvokeAIClient.from_url(server.url),
        InvokeAIClient.from_url(f"{address.hostname}:{address.port}/"),
        InvokeAIClient.from_url(server.url, timeout=20, max_retries=0, verify_ssl=False, api_key=None),
        InvokeAIClient(
            host=address.hostname,
            port=address.port,
            use_https=False,
            timeout=20.0,
            api_key=None,
            base_path="",
            verify_ssl=True,
            max_retries=1,
        ),
    ]
    for client in clients:
        with client:
            assert client.url == server.url
            assert client.version() == server.version


def test_S10_no_argument_takes_the_environment(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVOKEAI_URL", server.url)
    with InvokeAIClient() as client, InvokeAIClient.from_url() as other:
        assert client.version() == other.version() == server.version
    monkeypatch.delenv("INVOKEAI_URL")
    assert InvokeAIClient().url == "http://localhost:9090"


@pytest.mark.parametrize("way", ["url", "base_path"])
async def test_S10_below_a_path_of_a_proxy(server: Any, way: str, picture: bytes) -> None:
    async with PrefixProxy(server.url, "/tools/invoke").running() as proxy:
        if way == "url":
            client = AsyncInvokeAIClient.from_url(proxy.url, headers={"X-Passed-On": "yes"})
        else:
            port = urlsplit(proxy.url).port
            client = AsyncInvokeAIClient(
                host="127.0.0.1", port=port, base_path="tools/invoke", headers={"X-Passed-On": "yes"}
            )
        async with client:
            assert await client.health_check()
            wf = await client.workflow_repo.create_workflow(workflows.add())
            kinds = [event.event_type async for event in (await wf.start(a=10)).events()]
            assert "invocation_complete" in kinds, "events came through the proxy"
            image = await client.image_repo.upload(picture, filename="picture.png")
            assert await client.image_repo.download(image.image_name)
            await client.image_repo.delete(image.image_name)
        assert proxy.outside == [], "nothing was asked for beside the path"
        assert "/ws/socket.io/" in proxy.asked
        assert proxy.headers["X-Passed-On"] == "yes"


@pytest.mark.parametrize(
    "options",
    [{"host": "a b"}, {"port": 99999}, {"timeout": 0}, {"max_retries": -1}, {"base_path": "http://x/"}],
    ids=lambda options: next(iter(options)),
)
def test_S10_invalid_parts(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        InvokeAIClient(**options)


# --------------------------------------------------------------------------- S11


class _Everything(BaseHTTPRequestHandler):
    """A web server that responds 200 to every request."""

    def do_GET(self) -> None:
        body = b"<html>Welcome!</html>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


class _Json(_Everything):
    """A web server that responds 200 with an empty JSON object to every request."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")


@contextmanager
def web_server(handler: type[BaseHTTPRequestHandler]) -> Generator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        yield http.server_address[1]
        http.shutdown()
        thread.join()


def test_S11_a_server_is_there(client: InvokeAIClient) -> None:
    assert client.health_check() is True


async def test_S11_asynchronously(async_client: AsyncInvokeAIClient) -> None:
    assert await async_client.health_check() is True


def test_S11_nothing_listens() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
    with InvokeAIClient("127.0.0.1", port) as client:
        assert client.health_check() is False


@pytest.mark.parametrize("handler", [_Everything, _Json])
def test_S11_another_web_server(handler: type[BaseHTTPRequestHandler]) -> None:
    with web_server(handler) as port, InvokeAIClient("127.0.0.1", port) as client:
        assert client.health_check() is False


async def test_S11_a_silent_socket() -> None:
    """The check ends within the client's timeout: the test's limit is far above it, and far below any default."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
        async with asyncio.timeout(8), AsyncInvokeAIClient("127.0.0.1", port, timeout=0.5) as client:
            assert await client.health_check() is False


def test_S11_unknown_host_names() -> None:
    with InvokeAIClient("no-such-host.invalid", timeout=2) as client:
        assert client.health_check() is False


# --------------------------------------------------------------------------- S12

REPOSITORIES = ["board_repo", "workflow_repo", "dnn_model_repo", "queue_repo", "image_repo"]


@pytest.mark.parametrize("name", REPOSITORIES)
def test_S12_repositories_are_made_once(client: InvokeAIClient, name: str) -> None:
    assert getattr(client, name) is getattr(client, name)
    with InvokeAIClient.from_url(client.url) as other:
        assert getattr(other, name) is not getattr(client, name)


async def test_S12_no_requests_are_sent_for_them() -> None:
    async with AsyncInvokeAIClient.from_url("http://127.0.0.1:9") as client:
        for name in REPOSITORIES:
            assert getattr(client, name) is getattr(client, name)


# --------------------------------------------------------------------------- S13


async def _heard(sio: socketio.AsyncClient, wf: Any) -> int:
    """Start a run, wait for the event that it ended, and return the id of its queue item."""
    ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def on_status(event: dict[str, Any]) -> None:
        if event["status"] == "completed" and not ended.done():
            ended.set_result(event["item_id"])

    sio.on("queue_item_status_changed", on_status)
    [item_id] = wf.submit_sync().item_ids
    async with asyncio.timeout(PATIENCE):
        assert await ended == item_id
    return item_id


async def test_S13_a_new_socket(client: InvokeAIClient) -> None:
    wf = await asyncio.to_thread(client.workflow_repo.create_workflow, workflows.add())
    async with client.socketio_session() as sio:
        assert isinstance(sio, socketio.AsyncClient)
        assert sio.connected
        assert sio.connection_url.startswith(client.url)
        await _heard(sio, wf)
    assert not sio.connected


async def test_S13_connect_and_disconnect(client: InvokeAIClient, async_client: AsyncInvokeAIClient) -> None:
    for each in (client, async_client):
        sio = await each.connect_socketio()
        assert sio.connected
        await each.disconnect_socketio()
        assert not sio.connected
        await each.disconnect_socketio()


async def test_S13_no_server() -> None:
    async with AsyncInvokeAIClient.from_url("http://127.0.0.1:9", timeout=2) as client:
        with pytest.raises(ServerUnreachableError):
            await client.connect_socketio()


# --------------------------------------------------------------------------- S14


def test_S14_closing_leaves_nothing(server: Any) -> None:
    before = set(threading.enumerate())
    with InvokeAIClient.from_url(server.url) as client:
        client.workflow_repo.create_workflow(workflows.add()).run(a=14)
        assert set(threading.enumerate()) > before
    client.close()
    client.close()
    gc.collect()
    assert set(threading.enumerate()) <= before
    assert client.version() == server.version, "a closed client opens again when it is used"
    client.close()


async def test_S14_asynchronously(server: Any) -> None:
    before = asyncio.all_tasks()
    async with AsyncInvokeAIClient.from_url(server.url) as client:
        wf = await client.workflow_repo.create_workflow(workflows.add())
        await wf.run(a=15)
        assert asyncio.all_tasks() > before, "the socket's tasks"
    await client.close()
    assert asyncio.all_tasks() <= before


# --------------------------------------------------------------------------- S35


def test_S35_errors_of_one_tree_from_every_repository(client: InvokeAIClient) -> None:
    with pytest.raises(APIRequestError) as refused:
        client.image_repo.download("no-such-image.png")
    assert refused.value.status_code == 404
    assert refused.value.payload
    with InvokeAIClient.from_url("http://127.0.0.1:9", max_retries=0) as nowhere:
        for ask in (
            nowhere.board_repo.list_boards,
            nowhere.dnn_model_repo.list_models,
            nowhere.image_repo.list_images,
            nowhere.queue_repo.status,
            lambda: nowhere.workflow_repo.create_workflow(workflows.add()),
        ):
            with pytest.raises(ServerUnreachableError):
                ask()
