"""No wait stops listening while it waits for a response.

Each test holds back the response to one of the requests that a wait can make, and releases it only after the wait has
returned: so nothing has to be measured. Only the results are read after the end of a run, by necessity. For these the
last tests hold the read of the results itself, and measure from its response to the return of the wait.
"""

from __future__ import annotations

import asyncio
import io
import time
import zipfile
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import socketio
import workflows
from aiohttp import web
from proxy import Proxy
from tests.conftest import RealServer
from trouble import RESET, script, withhold

from invokeai_py_client import AsyncInvokeAIClient, AsyncRun, AsyncWorkflowHandle, InvokeAIClient
from invokeai_py_client.dnn_model.install import AsyncModelInstJobHandle
from invokeai_py_client.models import InstallStatus, ModelInstJobInfo, QueueStatus
from invokeai_py_client.transport import timing
from invokeai_py_client.transport.socket import queue_room

LIMIT = 60
"""Seconds after which a test fails instead of hanging."""
QUICKLY = 0.2
"""Seconds within which a wait returns after the response with its results."""


@pytest.fixture
def proxy(server: RealServer) -> Iterator[Proxy]:
    with Proxy(server.url) as proxy:
        yield proxy


@pytest.fixture
def other(server: RealServer) -> Iterator[InvokeAIClient]:
    """Someone else, not through the proxy, who has paused the queue."""
    with InvokeAIClient.from_url(server.url) as client:
        client.queue_repo.clear()
        client.queue_repo.pause()
        yield client
        client.queue_repo.clear()
        client.queue_repo.resume()


@pytest_asyncio.fixture
async def client(proxy: Proxy) -> AsyncIterator[AsyncInvokeAIClient]:
    async with AsyncInvokeAIClient.from_url(proxy.url) as client:
        yield client


@pytest_asyncio.fixture
async def wf(client: AsyncInvokeAIClient) -> AsyncWorkflowHandle:
    return await client.workflow_repo.create_workflow(workflows.add())


async def resume(other: InvokeAIClient) -> None:
    await asyncio.to_thread(other.queue_repo.resume)


@asynccontextmanager
async def held(proxy: Proxy, method: str, path: str) -> AsyncGenerator[Callable[[], Awaitable[None]]]:
    """Hold the next response to a request back to the end of the block. Yields what waits until it is held."""
    before = proxy.counts["held"]

    async def is_held() -> None:
        await asyncio.to_thread(proxy.wait_for, "held", LIMIT)

    with proxy.holding(method, path):
        async with asyncio.timeout(LIMIT):
            yield is_held
        assert proxy.counts["held"] == before + 1


# --------------------------------------------------------------------------- a run


async def test_the_length_of_the_queue(proxy: Proxy, wf: AsyncWorkflowHandle, other: InvokeAIClient) -> None:
    run = await wf.start()
    async with held(proxy, "GET", "/status$") as is_held:
        task = asyncio.create_task(run.wait())
        await is_held()
        await resume(other)
        assert (await task).ok


async def test_the_ids_of_the_queue(proxy: Proxy, wf: AsyncWorkflowHandle, other: InvokeAIClient) -> None:
    await wf.start(a=1)
    run = await wf.start(a=2)  # another item is pending, so the position of this one must be computed
    async with held(proxy, "GET", "/item_ids$") as is_held:
        task = asyncio.create_task(run.wait())
        await is_held()
        await resume(other)
        assert (await task).ok


async def test_the_item(proxy: Proxy, wf: AsyncWorkflowHandle, other: InvokeAIClient) -> None:
    run = await wf.start()
    task = asyncio.create_task(run.wait())
    async with held(proxy, "GET", f"/i/{run.item_id}$") as is_held:
        proxy.kill(sockets_only=True)
        await is_held()
        await resume(other)
        assert (await task).ok


async def test_the_summaries(proxy: Proxy, wf: AsyncWorkflowHandle, other: InvokeAIClient) -> None:
    runs = [await wf.start(a=number) for number in range(4)]
    tasks = [asyncio.create_task(run.wait()) for run in runs]
    async with held(proxy, "POST", "/item_summaries_by_ids$") as is_held:
        proxy.kill(sockets_only=True)
        await is_held()
        await resume(other)
        assert all(status.ok for status in await asyncio.gather(*tasks))


async def test_the_check_whether_the_queue_is_blocked(
    proxy: Proxy, wf: AsyncWorkflowHandle, other: InvokeAIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timing, "SILENCE", 0.5)
    run = await wf.start()
    async with held(proxy, "GET", "/next$") as is_held:
        task = asyncio.create_task(run.wait())
        await is_held()
        await resume(other)
        assert (await task).ok


async def test_the_status_of_the_batch(proxy: Proxy, wf: AsyncWorkflowHandle, other: InvokeAIClient) -> None:
    """After an enqueue request with an unclear outcome, each new connection checks for duplicate items."""
    proxy.rule("POST", "enqueue_batch$", script(RESET))
    run = await wf.start()
    task = asyncio.create_task(run.wait())
    async with held(proxy, "GET", f"/b/{run.batch_id}/status$") as is_held:
        proxy.kill(sockets_only=True)
        await is_held()
        await resume(other)
        assert (await task).ok


async def test_the_events_of_a_run(proxy: Proxy, wf: AsyncWorkflowHandle, other: InvokeAIClient) -> None:
    run = await wf.start()

    async def followed() -> int:
        return len([event async for event in run.events()])

    async with held(proxy, "GET", "/status$") as is_held:
        task = asyncio.create_task(followed())
        await is_held()
        await resume(other)
        assert await task


# --------------------------------------------------------------------------- a sweep


async def test_the_states_of_a_sweep(proxy: Proxy, wf: AsyncWorkflowHandle, other: InvokeAIClient) -> None:
    sweep = await wf.sweep(a=range(3))
    task = asyncio.create_task(sweep.wait(progress=False))
    async with held(proxy, "POST", "/item_summaries_by_ids$") as is_held:
        proxy.kill(sockets_only=True)
        await is_held()
        await resume(other)
        assert [run.outputs.of("sum")[0].data["value"] for run in await task] == [2, 3, 4]


async def test_the_results_of_a_sweep(proxy: Proxy, wf: AsyncWorkflowHandle, other: InvokeAIClient) -> None:
    """The results of the first run are delayed, and the others keep arriving."""
    proxy.frames = withhold("invocation_complete")  # otherwise the results come from events
    sweep = await wf.sweep(a=range(3))
    runs = sweep.as_completed()
    async with held(proxy, "POST", "/items_by_ids$") as is_held:
        first = asyncio.ensure_future(anext(runs))
        await resume(other)
        await is_held()
        assert (await first).outputs.of("sum")[0].data["value"] == 3
        assert (await anext(runs)).outputs.of("sum")[0].data["value"] == 4
        assert sweep.done == 2
    async with asyncio.timeout(LIMIT):
        assert [run.outputs.of("sum")[0].data["value"] async for run in runs] == [2]


# --------------------------------------------------------------------------- a queue


async def test_a_queue_that_gets_idle(
    proxy: Proxy, client: AsyncInvokeAIClient, wf: AsyncWorkflowHandle, other: InvokeAIClient
) -> None:
    await wf.start()
    async with held(proxy, "GET", "/status$") as is_held:
        task = asyncio.create_task(client.queue_repo.wait_until_idle())
        await is_held()
        await resume(other)
        assert (await task).unfinished == 0


async def test_a_queue_that_is_watched(
    proxy: Proxy, client: AsyncInvokeAIClient, wf: AsyncWorkflowHandle, other: InvokeAIClient
) -> None:
    await wf.start()
    updates = client.queue_repo.watch(interval=3600)

    async def completed() -> None:
        async for update in updates:
            if isinstance(update, QueueStatus) and not update.unfinished:
                return

    async with held(proxy, "GET", "/status$") as is_held:
        task = asyncio.create_task(completed())
        await is_held()
        await resume(other)
        await task


# --------------------------------------------------------------------------- installations and zips


class Slow:
    """A server whose responses to the first reads come when ``released`` is set, with its events as usual."""

    def __init__(self) -> None:
        self.released = asyncio.Event()
        self.reads = 0
        self.sockets: Any = socketio.AsyncServer(async_mode="aiohttp")
        for request in ("subscribe_queue", "subscribe_bulk_download"):
            self.sockets.on(request, self._subscribed)

    async def _subscribed(self, sid: str, data: Any) -> None:
        return None

    async def event(self, name: str, payload: dict[str, Any]) -> None:
        await self.sockets.emit(name, payload)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        raise NotImplementedError

    @asynccontextmanager
    async def client(self) -> AsyncGenerator[AsyncInvokeAIClient]:
        application = web.Application()
        self.sockets.attach(application, socketio_path="/ws/socket.io")
        application.router.add_route("*", "/api/{rest:.*}", self.handle)
        runner = web.AppRunner(application, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port: int = runner.addresses[0][1]
        try:
            async with asyncio.timeout(LIMIT), AsyncInvokeAIClient("127.0.0.1", port) as client:
                yield client
        finally:
            self.released.set()
            await runner.cleanup()


def a_job(status: str) -> dict[str, Any]:
    return {"id": 3, "status": status, "source": {"type": "url", "url": "https://x/y"}}


class SlowInstall(Slow):
    """An installation that ends while the first read of it hangs."""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.reads += 1
        if self.reads == 1:
            await self.event("model_install_complete", a_job("completed") | {"key": "k"})
            await self.released.wait()
            return web.json_response(a_job("running"))
        return web.json_response(a_job("completed") | {"config_out": {"key": "k"}})


async def test_an_installation() -> None:
    server = SlowInstall()
    async with server.client() as client:
        await client.connection.hub.join(queue_room("default"))
        job = AsyncModelInstJobHandle(
            client.dnn_model_repo, ModelInstJobInfo.from_api_response(a_job("waiting"))
        )
        info = await job.wait_until(poll_interval=3600)
        assert info.status is InstallStatus.COMPLETED
        assert (server.reads, server.released.is_set()) == (2, False)


class SlowZip(Slow):
    """A zip that is ready while the first check for it hangs."""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.method == "POST":
            return web.json_response({"bulk_download_item_name": "a.zip"}, status=202)
        self.reads += 1
        if self.reads == 1:
            await self.event("bulk_download_complete", {"bulk_download_item_name": "a.zip"})
            await self.released.wait()
            return web.json_response({"detail": "not yet"}, status=404)
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("a.txt", "a")
        return web.Response(body=buffer.getvalue(), content_type="application/zip")


async def test_a_zip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "ZIP_SILENCE", 0.01)
    server = SlowZip()
    async with server.client() as client:
        path = await client.image_repo.bulk_download(tmp_path / "a.zip", ["a.png"])
        assert zipfile.is_zipfile(path)
        assert (server.reads, server.released.is_set()) == (2, False)


# --------------------------------------------------------------------------- the results


async def returned(task: Awaitable[Any]) -> float:
    """Await a wait, and return the time at which it returned."""
    await task
    return time.monotonic()


async def test_a_run_ends_with_the_response_that_has_its_results(
    proxy: Proxy, wf: AsyncWorkflowHandle, other: InvokeAIClient
) -> None:
    run: AsyncRun = await wf.start()
    task = asyncio.create_task(returned(run.result()))
    async with held(proxy, "GET", f"/i/{run.item_id}$") as is_held:
        await resume(other)
        await is_held()
        assert run.done
        assert not task.done()
        released = time.monotonic()
    assert await task - released < QUICKLY
    assert run.outputs.of("sum")[0].data["value"] == 3


async def test_a_sweep_ends_with_the_response_that_has_its_results(
    proxy: Proxy, wf: AsyncWorkflowHandle, other: InvokeAIClient
) -> None:
    proxy.frames = withhold("invocation_complete")
    sweep = await wf.sweep(a=[1])
    task = asyncio.create_task(returned(sweep.wait(progress=False)))
    async with held(proxy, "POST", "/items_by_ids$") as is_held:
        await resume(other)
        await is_held()
        assert not task.done()
        released = time.monotonic()
    assert await task - released < QUICKLY
    assert sweep.runs[0].outputs.of("sum")[0].data["value"] == 3
