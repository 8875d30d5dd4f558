"""Many runs take little memory and few requests. The server is simulated; ``benchmarks/scale.py`` measures more."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import workflows
from simulated import Simulated, simulated_server

from invokeai_py_client import AsyncInvokeAIClient
from invokeai_py_client.models.enums import JobStatus
from invokeai_py_client.schema.reference import reference_schema

MODEL: dict[str, Any] = {"model": "tiny-sd1"}
MOST = 4_000


@pytest.fixture(scope="module")
def simulated() -> Iterator[Simulated]:
    with simulated_server() as server:
        yield server


@pytest.fixture
async def wf(simulated: Simulated) -> AsyncIterator[Any]:
    simulated.change(held=False)
    async with AsyncInvokeAIClient.from_url(simulated.url) as client:
        client.connection._schema = reference_schema()
        wf = await client.workflow_repo.create_workflow(workflows.sd1(steps=20, size=1024))
        await wf.run(progress=False, **MODEL)
        yield wf


async def swept(wf: Any, count: int) -> list[Any]:
    sweep = await wf.sweep(seed=range(count), **MODEL)
    return [sweep, *await sweep.wait(progress=False)]


async def batch(wf: Any, count: int) -> list[Any]:
    runs = await wf.start_batch(runs=count, **MODEL)
    for run in runs:
        await run.wait()
    return runs


async def singly(wf: Any, count: int) -> list[Any]:
    return [await wf.run(progress=False, **MODEL) for _ in range(count)]


def traced() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


# A single run also has a batch of its own.
@pytest.mark.parametrize(
    ("way", "count", "most"), [(swept, 60, MOST), (batch, 40, MOST), (singly, 40, 5_000)]
)
async def test_ended_runs_keep_little(wf: Any, way: Any, count: int, most: int) -> None:
    tracemalloc.start()
    try:
        kept = await way(wf, 25)  # the events of the latest runs are kept, up to a limit that these reach
        before = traced()
        kept += await way(wf, count)
        each = (traced() - before) / count
    finally:
        tracemalloc.stop()
    assert each < most
    last = kept[-1]
    assert last.status.ok and last.status.preview is None
    assert last.status.nodes_done == 6
    assert len(last.outputs) == 6 and len(last.images) == 1


async def test_batch_reads_no_item_that_events_reported(wf: Any, simulated: Simulated) -> None:
    simulated.change()
    runs = await batch(wf, 200)
    together = await wf.start_batch(runs=200, **MODEL)
    await asyncio.gather(*(run.wait() for run in together))
    counts = simulated.change()
    assert counts["enqueue_batch"] == 2
    assert sum(counts.values()) <= 10
    assert "whole items" not in counts
    names = {run.images[0].name for run in (*runs, *together)}
    assert len(names) == 400
    assert set(runs[0].item["session"]) >= {"graph", "execution_graph", "results", "prepared_source_mapping"}


async def test_single_run_reads_its_whole_item(wf: Any, simulated: Simulated) -> None:
    simulated.change()
    run = await wf.run(progress=False, **MODEL)
    assert simulated.change()["whole items"] == 1
    assert run.item["user_display_name"] == "System"
    assert run.item["workflow"]["nodes"]


async def test_canceled_runs_are_not_read_whole(wf: Any, simulated: Simulated) -> None:
    simulated.change(held=True)
    sweep = await wf.sweep(seed=range(300), **MODEL)
    runs = await wf.start_batch(runs=300, **MODEL)
    waits = asyncio.gather(*(run.wait() for run in runs))
    await asyncio.sleep(0)
    simulated.change()
    await wf.connection.http.json(
        "PUT", "/api/v1/queue/default/cancel_by_batch_ids", json={"batch_ids": [runs[0].batch_id]}
    )
    await waits
    await sweep.cancel()
    ended = await sweep.wait(progress=False)
    counts = simulated.change()
    assert counts.get("whole items", 0) <= 4
    assert sum(counts.values()) <= 40
    assert {run.status.state for run in (*runs, *ended)} == {JobStatus.CANCELLED}
    assert runs[-1].images == ended[-1].images == []


async def test_events_of_the_latest_runs_are_kept(wf: Any) -> None:
    runs = await singly(wf, 20)
    last = [event async for event in runs[-1].events()]
    first = [event async for event in runs[0].events()]
    assert len(last) == 30
    assert [event["status"] for event in first] == [JobStatus.COMPLETED]
    assert first[0]["batch_id"] == runs[0].batch_id


async def test_sweep_that_nobody_waits_for_reads_its_results_later(wf: Any, simulated: Simulated) -> None:
    sweep = await wf.sweep(seed=range(600), **MODEL)
    async with asyncio.timeout(60):
        while not sweep[599].done:
            await sweep._execution._tracker.change(60)
    simulated.change()
    runs = await sweep.wait(progress=False)
    assert simulated.change()["whole items"] == 100  # the results of the latest 500 were kept
    assert len({run.images[0].name for run in runs}) == 600
