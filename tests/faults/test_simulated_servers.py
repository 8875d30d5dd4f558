"""The simulated servers of ``tests/support/simulated`` behave as the measurements and tests with them need it."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from typing import Any

import pytest
from PIL import Image
from simulated import Behavior, SimulatedServer
from workflows import add, blank

from invokeai_py_client import AsyncInvokeAIClient
from invokeai_py_client.errors import ServerUnreachableError
from invokeai_py_client.models.enums import JobStatus


@pytest.fixture
async def server() -> AsyncIterator[SimulatedServer]:
    async with SimulatedServer() as server:
        yield server


async def test_sweep_returns_the_values_of_its_graph(server: SimulatedServer) -> None:
    async with AsyncInvokeAIClient.from_url(server.url) as client:
        wf = await client.workflow_repo.create_workflow(add())
        runs = await (await wf.sweep(a=range(5), b=[10, 20])).wait(progress=False)
    assert [run.outputs.values("sum") for run in runs] == [[a + b] for a in range(5) for b in (10, 20)]
    assert server.counts["enqueue_batch"] == 1
    assert server.counts["whole items"] == server.counts["unknown"] == 0
    assert server.state()["items"]["completed"] == 10


async def test_equal_values_have_equal_pixels_on_two_servers(server: SimulatedServer) -> None:
    async def pixels(url: str) -> list[bytes]:
        async with AsyncInvokeAIClient.from_url(url) as client:
            wf = await client.workflow_repo.create_workflow(blank())
            runs = await (await wf.sweep(width=[16, 32])).wait(progress=False)
            found = [await run.images[0].bytes() for run in runs]
            return [Image.open(io.BytesIO(data)).tobytes() for data in found]

    async with SimulatedServer() as other:
        first, second = await pixels(server.url), await pixels(other.url)
    assert first == second
    assert first[0] != first[1]


async def test_failing_and_canceled_runs(server: SimulatedServer) -> None:
    await server.change(fails=1.0)
    async with AsyncInvokeAIClient.from_url(server.url) as client:
        wf = await client.workflow_repo.create_workflow(add())
        [failed] = await (await wf.sweep(a=[1])).wait(progress=False)
        await server.change(held=True)
        sweep = await wf.sweep(a=range(3))
        await sweep.cancel()
        canceled = await sweep.wait(progress=False)
    assert "told to fail" in str(failed.status)
    assert {run.status.state for run in canceled} == {JobStatus.CANCELLED}


async def test_dead_server_refuses_and_cancels_its_current_item_when_it_is_back(
    server: SimulatedServer,
) -> None:
    await server.change(seconds=3600)
    async with AsyncInvokeAIClient.from_url(server.url, max_retries=0) as client:
        wf = await client.workflow_repo.create_workflow(add())
        sweep = await wf.sweep(a=range(3))
        await server.until(lambda: server.queue.counts["in_progress"] == 1)
        await server.change(is_alive=False)
        with pytest.raises(ServerUnreachableError):
            await client.connection.http.json("GET", "/api/v1/app/version")
        await server.change(is_alive=True, seconds=0)
        runs = await sweep.wait(progress=False)
    assert [run.status.state for run in runs] == [
        JobStatus.CANCELLED,
        JobStatus.COMPLETED,
        JobStatus.COMPLETED,
    ]


async def test_hanging_server_neither_responds_nor_works(server: SimulatedServer) -> None:
    await server.change(hangs=True)
    async with AsyncInvokeAIClient.from_url(server.url) as client:
        creating: Any = asyncio.ensure_future(client.workflow_repo.create_workflow(add()))
        await server.until(lambda: server.counts["app/version"] == 1)
        assert not creating.done()
        await server.change(hangs=False)
        assert (await (await creating).run(a=4, progress=False)).outputs.values("sum") == [6]


async def test_full_queue_takes_a_part_and_prepended_items_are_next() -> None:
    async with (
        SimulatedServer(behavior=Behavior(held=True, max_queue_size=3)) as server,
        AsyncInvokeAIClient.from_url(server.url) as client,
    ):
        http = client.connection.http
        body = await (await client.workflow_repo.create_workflow(add())).enqueue_request(a=1)

        async def send(batch_id: str, runs: int, prepend: bool) -> Any:
            batch = {**body["batch"], "batch_id": batch_id, "runs": runs}
            return await http.json(
                "POST", "/api/v1/queue/default/enqueue_batch", json={"batch": batch, "prepend": prepend}
            )

        first = await send("first", 2, False)
        second = await send("second", 2, True)
        following = await http.json("GET", "/api/v1/queue/default/next")
    assert first["item_ids"] == [2, 1]
    assert (second["enqueued"], second["requested"]) == (1, 2)
    assert following["item_id"] == 3


async def test_connections_to_servers_with_the_same_nodes_share_one_schema(server: SimulatedServer) -> None:
    async with (
        SimulatedServer() as other,
        AsyncInvokeAIClient.from_url(server.url) as first,
        AsyncInvokeAIClient.from_url(other.url) as second,
    ):
        shared = await first.connection.schema()
        assert await second.connection.schema() is shared
        await other.change(version="6.14.3")
        assert (await second.connection.schema(refresh=True)).version == "6.14.3"
        assert (await first.connection.schema()).version == "6.14.2"
