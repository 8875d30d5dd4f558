"""The queue of a real server: listing, canceling, retrying and deleting items."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest

from invokeai_py_client import AsyncInvokeAIClient, InvokeAIClient
from invokeai_py_client.errors import NotFoundError, UsageError
from invokeai_py_client.models import IvkJob, JobStatus

PATIENCE = 60  # seconds; a trivial item takes one second


@pytest.fixture
async def client(server: Any) -> AsyncIterator[AsyncInvokeAIClient]:
    async with AsyncInvokeAIClient.from_url(server.url) as client:
        yield client


@pytest.fixture
async def paused(client: AsyncInvokeAIClient) -> AsyncIterator[AsyncInvokeAIClient]:
    """Return the client while the queue is paused. The queue is empty before and after."""
    await client.queue_repo.pause()
    await client.queue_repo.clear()
    yield client
    await client.queue_repo.clear()
    await client.queue_repo.resume()


async def enqueue(client: AsyncInvokeAIClient, runs: int = 1, b: Any = 1, **batch: Any) -> list[int]:
    """Enqueue additions with a raw request, and return the items' ids."""
    graph = {
        "id": str(uuid.uuid4()),
        "nodes": {"sum": {"id": "sum", "type": "add", "a": 1, "b": b, "use_cache": False}},
        "edges": [],
    }
    answer = await client.connection.http.json(
        "POST",
        "/api/v1/queue/default/enqueue_batch",
        json={"prepend": False, "batch": {"graph": graph, "runs": runs, **batch}},
    )
    if "item_ids" not in answer:  # InvokeAI 5.15
        found = await client.queue_repo.items(batch_id=answer["batch"]["batch_id"])
        return [int(job.id) for job in found]
    return sorted(answer["item_ids"])


async def ended(client: AsyncInvokeAIClient, item_id: int) -> IvkJob:
    run = await client.run(item_id)
    await run.wait(timeout=PATIENCE)
    return await client.queue_repo.item(item_id)


async def test_status_counts_and_processor(paused: AsyncInvokeAIClient) -> None:
    queue = paused.queue_repo
    before = await queue.status()
    assert (before.total, before.pending, before.is_started) == (0, 0, False)
    ids = await enqueue(paused, runs=3)
    assert (await queue.status()).pending == 3
    assert await queue.item_ids() == ids
    assert await queue.item_ids(order_dir="DESC") == ids[::-1]
    assert await queue.current() is None
    following = await queue.next_item()
    assert following is not None
    assert following.item_id == ids[0]
    assert (await queue.resume()).is_started is True
    assert (await queue.pause()).is_started is False


async def test_S06_S09_items_as_records(client: AsyncInvokeAIClient) -> None:
    [item_id] = await enqueue(client, b=41, data=[[{"node_path": "sum", "field_name": "a", "items": [1]}]])
    job = await ended(client, item_id)
    assert job.status is JobStatus.COMPLETED
    assert job.is_successful()
    assert [output["value"] for output in job.outputs.values()] == [42]
    assert job.metadata["field_values"] == [{"node_path": "sum", "field_name": "a", "value": 1}]
    assert job.session_id
    assert job.created_at
    assert job.started_at
    assert job.completed_at
    same = await client.get_job(job.id)
    assert same == job
    [light] = await client.queue_repo.items([item_id])
    assert (light.id, light.status) == (job.id, JobStatus.COMPLETED)
    [full] = await client.queue_repo.items([item_id], outputs=True)
    assert [output["value"] for output in full.outputs.values()] == [42]


@pytest.mark.since("6.14")
async def test_items_without_their_outputs(client: AsyncInvokeAIClient) -> None:
    [item_id] = await enqueue(client)
    assert (await ended(client, item_id)).outputs
    [light] = await client.queue_repo.items([item_id])
    assert light.outputs == {}


@pytest.mark.since("6.14")
async def test_items_of_another_queue(client: AsyncInvokeAIClient) -> None:
    [item_id] = await enqueue(client)
    for call in (client.queue_repo.item, client.queue_repo.cancel):
        with pytest.raises(NotFoundError, match=f"'other' has no item {item_id}"):
            await call(item_id, queue_id="other")
    await ended(client, item_id)


async def test_items_that_do_not_exist(client: AsyncInvokeAIClient) -> None:
    [item_id] = await enqueue(client)
    missing = item_id + 1000
    for call in (client.queue_repo.item, client.queue_repo.cancel):
        with pytest.raises(NotFoundError, match=f"no item {missing}"):
            await call(missing)
    assert await client.queue_repo.delete(missing) is False
    assert [job.item_id for job in await client.queue_repo.items([item_id, missing])] == [item_id]
    assert (await client.queue_repo.batch_status("no-such-batch")).total == 0
    await ended(client, item_id)


async def test_canceling(paused: AsyncInvokeAIClient) -> None:
    queue = paused.queue_repo
    batch = str(uuid.uuid4())
    [first, second, third] = await enqueue(paused, runs=3, batch_id=batch)
    job = await queue.cancel(first)
    assert job.status is JobStatus.CANCELLED
    assert (await queue.cancel(first)).status is JobStatus.CANCELLED  # the second time changes nothing
    status = await queue.batch_status(batch)
    assert (status.canceled, status.cancelled, status.pending, status.unfinished) == (1, 1, 2, 2)
    assert await queue.cancel_batches(batch) == 2
    assert {job.status for job in await queue.items([second, third])} == {JobStatus.CANCELLED}
    assert await queue.cancel_batches([batch, "no-such-batch"]) == 0
    await enqueue(paused, runs=2, destination="here")
    await enqueue(paused, runs=1, destination="there")
    assert await queue.cancel_destination("here") == 2
    assert await queue.cancel_all_except_current() == 1


async def test_items_by_state_batch_and_destination(paused: AsyncInvokeAIClient) -> None:
    queue = paused.queue_repo
    batch = str(uuid.uuid4())
    first, second = await enqueue(paused, runs=2, batch_id=batch, destination="here")
    [third] = await enqueue(paused, destination="there")
    await queue.cancel(second)

    async def found(**which: Any) -> list[int | None]:
        return [job.item_id for job in await queue.items(**which)]

    assert await found(status="pending") == [first, third]
    assert await found(status=JobStatus.CANCELLED) == [second]
    assert await found(status=["canceled", "completed"], batch_id=batch) == [second]
    assert await found(status=[]) == []
    assert await found(destination="there") == [third]
    assert await found(batch_id=batch, outputs=True) == [first, second]
    with pytest.raises(UsageError, match="Unknown state 'dreaming' of a queue item: expected one of pending"):
        await queue.items(status="dreaming")
    status = await queue.destination_status("here")
    assert (status.destination, status.pending, status.canceled, status.total) == ("here", 1, 1, 2)


@pytest.mark.since("6.0")
async def test_removing_by_destination(paused: AsyncInvokeAIClient) -> None:
    queue = paused.queue_repo
    await enqueue(paused, runs=2, destination="here")
    [third] = await enqueue(paused, destination="there")
    assert await queue.delete_destination("here") == 2
    assert await queue.item_ids() == [third]
    with pytest.raises(UsageError, match="not a valid name or id of a destination"):
        await queue.delete_destination("a/b")
    assert await queue.delete_all_except_current() == 1
    assert (await queue.wait_until_idle(timeout=PATIENCE)).total == 0


async def test_retrying(paused: AsyncInvokeAIClient) -> None:
    queue = paused.queue_repo
    [first, second] = await enqueue(paused, runs=2)
    assert await queue.retry(first) == {}  # it is still pending
    await queue.cancel(first)
    retried = await queue.retry([first, second, second + 1000])
    [new] = set(await queue.item_ids()) - {first, second}
    assert retried == {first: new}
    job = await queue.item(new)
    assert job.status is JobStatus.PENDING
    assert job.metadata["retried_from_item_id"] == first
    assert await queue.retry([]) == await queue.retry(second + 1000) == {}


async def test_retrying_a_retry(paused: AsyncInvokeAIClient) -> None:
    """The server reports the first item of such a chain, no matter which item it retries."""
    queue = paused.queue_repo
    [first] = await enqueue(paused)
    await queue.cancel(first)
    second = (await queue.retry(first))[first]
    third = (await queue.retry(first))[first]
    await queue.cancel(second)
    run = await (await paused.run(second)).retry()
    assert first < second < third < run.item_id
    assert run.status.state is JobStatus.PENDING
    await queue.cancel_all_except_current()
    assert await queue.retry([third, run.item_id]) == {third: run.item_id + 1, run.item_id: run.item_id + 2}


@pytest.mark.since("6.0")
async def test_removing(paused: AsyncInvokeAIClient) -> None:
    queue = paused.queue_repo
    [first, second, third, fourth] = await enqueue(paused, runs=4)
    assert await queue.delete(first) is True
    assert await queue.delete(first) is False
    assert await queue.item_ids() == [second, third, fourth]
    await queue.cancel(second)
    assert await queue.prune() == 1
    assert await queue.item_ids() == [third, fourth]
    assert await queue.clear() == 2
    assert await queue.item_ids() == []
    assert await queue.items() == []


async def test_queues_are_separate(paused: AsyncInvokeAIClient) -> None:
    await enqueue(paused)
    assert (await paused.queue_repo.status(queue_id="another one?ü")).total == 0
    with pytest.raises(UsageError, match="not a valid name or id of a queue"):
        await paused.queue_repo.status(queue_id="")


def test_the_synchronous_client_does_the_same(server: Any) -> None:
    with InvokeAIClient.from_url(server.url) as client:
        assert client.queue_repo.status().queue_id == "default"
        ids = client.queue_repo.item_ids()
        assert [job.item_id for job in client.queue_repo.items(ids[:2])] == ids[:2]
        assert client.queue_repo.wait_until_idle(timeout=PATIENCE).unfinished == 0
        assert client.queue_repo.cancel_current() is None
