"""Events on a server with several users and two workers: who receives which, and what they reveal."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
import workflows
from multi_user import ANN, BOB, Users

from invokeai_py_client import (
    AsyncInvokeAIClient,
    BatchEnqueued,
    EventsConnected,
    ItemsCanceled,
    LibraryChanged,
    NodeEvent,
    NodeProgress,
    QueueEvent,
    RunEvent,
    ServerEvent,
    StatusChanged,
    WorkflowAccessRevoked,
    WorkflowCreated,
    WorkflowDefinition,
    WorkflowUpdated,
)
from invokeai_py_client.models import JobStatus, QueueStatus
from invokeai_py_client.transport.socket import queue_room

PATIENCE = 60
ADD = {"id": "n", "type": "add", "a": 1, "b": 2, "use_cache": False}
HOLD = {"id": "n", "type": "hold"}


@pytest_asyncio.fixture
async def ann(users: Users) -> AsyncIterator[AsyncInvokeAIClient]:
    async with AsyncInvokeAIClient.from_url(users.url, email=ANN[0], password=ANN[1]) as client:
        yield client
        await client.queue_repo.clear()


@pytest_asyncio.fixture
async def bob(users: Users) -> AsyncIterator[AsyncInvokeAIClient]:
    async with AsyncInvokeAIClient.from_url(users.url, email=BOB[0], password=BOB[1]) as client:
        yield client
        await client.queue_repo.clear()


async def enqueue(client: AsyncInvokeAIClient, node: dict[str, Any], runs: int = 1) -> list[int]:
    graph = {"id": str(uuid.uuid4()), "nodes": {"n": node}, "edges": []}
    answer = await client.connection.http.json(
        "POST", "/api/v1/queue/default/enqueue_batch", json={"batch": {"graph": graph, "runs": runs}}
    )
    return sorted(answer["item_ids"])


async def watching(client: AsyncInvokeAIClient, *kinds: type[ServerEvent]) -> AsyncIterator[ServerEvent]:
    events = client.watch(*kinds)
    assert isinstance(await anext(events), EventsConnected)
    return events


async def upcoming(events: AsyncIterator[Any]) -> Any:
    async with asyncio.timeout(PATIENCE):
        return await anext(events)


async def test_changes_of_other_users_arrive_without_details(
    ann: AsyncInvokeAIClient, bob: AsyncInvokeAIClient
) -> None:
    events = await watching(bob, QueueEvent, RunEvent)
    [item_id] = await enqueue(ann, ADD)
    found = list[ServerEvent]()
    while not (found and isinstance(found[-1], StatusChanged) and found[-1].status.is_final):
        found.append(await upcoming(events))
    batch = found[0]
    assert isinstance(batch, BatchEnqueued)
    assert (batch.redacted, batch.batch_id, batch.user_id, batch.enqueued) == (True, None, None, 1)
    states = [event for event in found if isinstance(event, StatusChanged)]
    assert {(one.item_id, one.batch_id, one.session_id, one.user_id, one.redacted) for one in states} == {
        (item_id, None, None, None, True)
    }
    assert [one.status for one in states] == [JobStatus.RUNNING, JobStatus.COMPLETED]
    assert not [event for event in found if isinstance(event, NodeEvent)]  # only the owner gets these


async def test_items_that_another_user_cancels_are_not_named(
    users: Users, ann: AsyncInvokeAIClient, bob: AsyncInvokeAIClient, held: None
) -> None:
    del held
    own, others = await watching(ann, ItemsCanceled), await watching(bob, ItemsCanceled)
    ids = await enqueue(ann, ADD, runs=2)
    await ann.queue_repo.cancel_all_except_current()
    mine, hidden = await upcoming(own), await upcoming(others)
    assert (sorted(mine.canceled_item_ids), mine.user_ids, mine.redacted) == (
        ids,
        (users.ids[ANN[0]],),
        False,
    )
    assert (hidden.canceled_item_ids, hidden.user_ids, hidden.redacted) == (None, None, True)


async def test_a_watched_queue_is_read_after_changes_of_other_users(
    ann: AsyncInvokeAIClient, bob: AsyncInvokeAIClient
) -> None:
    updates = bob.queue_repo.watch(interval=1000)
    first = await upcoming(updates)
    assert isinstance(first, QueueStatus)
    await enqueue(ann, ADD)
    while True:
        update = await upcoming(updates)
        assert isinstance(update, QueueStatus)  # others' items have no events
        if update.completed > first.completed:
            break


async def test_the_place_in_the_queue_advances_with_other_users_items(
    users: Users, ann: AsyncInvokeAIClient, bob: AsyncInvokeAIClient, held: None
) -> None:
    del held
    await enqueue(ann, HOLD, runs=4)
    wf = await bob.workflow_repo.create_workflow(workflows.add())
    run = await wf.start()
    with pytest.raises(TimeoutError, match=r"pending \(4 ahead\)"):
        await run.wait(1)
    places: list[int | None] = []

    def listen(name: str, payload: Any) -> bool:
        if name == StatusChanged.event_type and payload["status"] == "in_progress":
            places.append(run.status.position)
        return bool(places)

    # The listener is called right after the run has processed the event.
    async with bob.connection.hub.changes(queue_room("default"), listen, lambda: PATIENCE) as changes:
        await anext(changes)
        await asyncio.to_thread(users.admin.queue_repo.resume)
        async with asyncio.timeout(PATIENCE):
            while not places:
                await anext(changes)
    assert places[0] == 3


async def test_a_workflow_that_is_no_longer_shared(
    users: Users, ann: AsyncInvokeAIClient, bob: AsyncInvokeAIClient
) -> None:
    own, others = await watching(ann, LibraryChanged), await watching(bob, LibraryChanged)
    repo, http = ann.workflow_repo, ann.connection.http
    workflow_id = await repo.upload_workflow(WorkflowDefinition.from_dict(workflows.add()))
    for shared in (True, False):
        await http.json("PATCH", f"/api/v1/workflows/i/{workflow_id}/is_public", json={"is_public": shared})
    seen = [await upcoming(own) for _ in range(3)]
    assert [type(event) for event in seen] == [WorkflowCreated, WorkflowUpdated, WorkflowUpdated]
    assert [(event.old_is_public, event.new_is_public) for event in seen[1:]] == [
        (False, True),
        (True, False),
    ]
    assert {event.user_id for event in seen} == {users.ids[ANN[0]]}
    shared, revoked = await upcoming(others), await upcoming(others)
    assert isinstance(shared, WorkflowUpdated)
    assert isinstance(revoked, WorkflowAccessRevoked)
    assert revoked.workflow_id == workflow_id
    await repo.delete_workflow(workflow_id)


async def test_an_administrators_own_events_are_yielded_once(users: Users) -> None:
    admin = users.admin._impl
    events = admin.watch(LibraryChanged)

    async def create_and_delete() -> list[Any]:
        assert isinstance(await anext(events), EventsConnected)
        workflow_id = await admin.workflow_repo.upload_workflow(WorkflowDefinition.from_dict(workflows.add()))
        await admin.workflow_repo.delete_workflow(workflow_id)
        found = [await upcoming(events) for _ in range(2)]
        await events.aclose()  # pyright: ignore[reportAttributeAccessIssue]
        return found

    found = await asyncio.to_thread(users.admin._call, create_and_delete())
    assert [event.event_type for event in found] == ["workflow_created", "workflow_deleted"]


async def test_progress_names_the_gpu(ann: AsyncInvokeAIClient) -> None:
    events = await watching(ann, NodeProgress)
    for device in ("cuda:0", "cuda:1"):
        await enqueue(ann, {"id": "n", "type": "report", "device": device})
    found = [await upcoming(events) for _ in range(2)]
    assert {(event.device, event.fraction, event.message) for event in found} == {
        ("cuda:0", 0.5, "Working"),
        ("cuda:1", 0.5, "Working"),
    }
