"""Rows S20, S21, S22 and S24: submitting, waiting, monitoring and canceling, as in the documents."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
import workflows
from workflows import workflow

from invokeai_py_client import AsyncInvokeAIClient, InvokeAIClient, WorkflowHandle
from invokeai_py_client.errors import NotReadyError, RunError, RunTimeoutError
from invokeai_py_client.run.events import NodeCompleted, NodeProgress, NodeStarted, RunEvent
from invokeai_py_client.transport.http import HttpTransport

FAILING: dict[str, Any] = workflow(
    "Fails",
    {"zero": ("add", {"a": 0, "b": 0}), "share": ("div", {"a": 1})},
    ["zero.value -> share.b"],
)
BATCH: dict[str, Any] = workflow(
    "Two sums",
    {"numbers": ("integer_batch", {"batch_group_id": "None", "integers": [1, 2]}), "sum": ("add", {"b": 10})},
    ["numbers.value -> sum.a"],
    [("sum", "b")],
)


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The requests sent during the test: method and path."""
    made: list[str] = []
    ask = HttpTransport.json

    async def listening(self: HttpTransport, method: str, path: str, **options: Any) -> Any:
        made.append(f"{method} {path}")
        return await ask(self, method, path, **options)

    monkeypatch.setattr(HttpTransport, "json", listening)
    return made


@pytest.fixture
def wf(client: InvokeAIClient) -> WorkflowHandle:
    """A minimal workflow: a sum."""
    return client.workflow_repo.create_workflow(workflows.add())


@pytest.fixture
def endless(client: InvokeAIClient, tidy: None) -> Iterator[WorkflowHandle]:
    """A workflow that denoises until it is canceled at the end of the test."""
    wf = client.workflow_repo.create_workflow(workflows.sd1(steps=1000, size=256))
    wf.set(model="tiny-sd1", seed=20)
    yield wf
    if wf.session_id is not None:
        wf.cancel()


# --------------------------------------------------------------------------- S20


def test_S20_submit_sync_returns_the_ids(client: InvokeAIClient, wf: WorkflowHandle) -> None:
    submission = wf.submit_sync()
    item = client.queue_repo.item(submission.item_ids[0])
    assert item.batch_id == submission.batch_id == submission["batch_id"]
    assert item.session_id == submission.session_id == submission.get("session_id") == wf.session_id
    assert submission["item_ids"] == submission.item_ids
    assert len(submission.item_ids) == 1
    assert set(submission) == {"batch_id", "item_ids", "session_id"}
    assert json.loads(json.dumps(submission)) == submission
    wf.wait_for_completion_sync(timeout=30)


def test_S20_wait_returns_the_queue_item(wf: WorkflowHandle) -> None:
    wf.get_input_value(0).value = 40
    submission = wf.submit_sync()
    seen: list[dict[str, Any]] = []
    item = wf.wait_for_completion_sync(timeout=30, poll_interval=0.5, progress_callback=seen.append)
    assert item.get("status") == "completed"
    assert item["item_id"] == submission.item_ids[0]
    assert [result["value"] for result in item["session"]["results"].values()] == [42]
    words = [one.get("status") for one in seen]
    assert words[-1] == "completed"
    assert words == list(dict.fromkeys(words)), "each status comes once"
    assert {one["item_id"] for one in seen} == {item["item_id"]}


def test_S20_a_failed_run_is_an_item_too(client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(FAILING)
    wf.submit_sync()
    item = wf.wait_for_completion_sync(timeout=30)
    assert item.get("status") == "failed"
    assert "zero" in item["error_message"]


def test_S20_what_cannot_run_is_not_submitted(client: InvokeAIClient) -> None:
    document = workflow("No image", {"load": ("image", {"image": {"image_name": "none.png"}})}, [])
    wf = client.workflow_repo.create_workflow(document)
    with pytest.raises(NotReadyError, match=r"none\.png"):
        wf.submit_sync()
    assert wf.session_id is None


def test_S20_a_timeout_does_not_stop_the_run(endless: WorkflowHandle) -> None:
    submission = endless.submit_sync()
    with pytest.raises(TimeoutError) as caught:
        endless.wait_for_completion_sync(timeout=0.2)
    assert isinstance(caught.value, RunTimeoutError)
    assert caught.value.item_id == submission.item_ids[0]
    assert caught.value.batch_id == submission.batch_id
    assert endless.cancel() is True


def test_S20_all_runs_of_a_batch_are_waited_for(client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(BATCH)
    submission = wf.submit_sync()
    assert len(submission.item_ids) == 2
    ended: list[int] = []

    def note(item: dict[str, Any]) -> None:
        if item["status"] == "completed":
            ended.append(item["item_id"])

    item = wf.wait_for_completion_sync(timeout=30, progress_callback=note)
    assert item["item_id"] == submission.item_ids[0]
    assert ended == submission.item_ids
    sums = [next(iter(client.run(one).result(10).outputs)).value for one in submission.item_ids]
    assert sums == [11, 12]


def test_S20_without_a_submission(wf: WorkflowHandle) -> None:
    assert wf.session_id is None
    for call in (wf.wait_for_completion_sync, wf.map_outputs_to_images, wf.cancel):
        with pytest.raises(RunError, match="submit_sync"):
            call()
    with pytest.raises(RunError, match="submit_sync"):
        asyncio.run(wf.wait_for_completion())


# --------------------------------------------------------------------------- S21


async def test_S21_submit_and_wait_by_events(client: InvokeAIClient, requests: list[str], tidy: None) -> None:
    wf = client.workflow_repo.create_workflow(workflows.sd1(steps=6))
    wf.set(model="tiny-sd1", seed=2101)
    seen: list[RunEvent] = []

    async def note(event: RunEvent) -> None:
        await asyncio.sleep(0)
        assert asyncio.get_running_loop() is loop
        seen.append(event)

    loop = asyncio.get_running_loop()
    submission = await wf.submit(
        subscribe_events=True,
        on_invocation_started=seen.append,
        on_invocation_progress=note,
        on_invocation_complete=seen.append,
    )
    requests.clear()
    done = await wf.wait_for_completion(timeout=60)
    assert done.get("status") == "completed"
    item = f"GET /api/v1/queue/default/i/{submission.item_ids[0]}"
    assert requests.count(item) <= 2  # to read the results, and once more if it was in a queue
    steps = [event for event in seen if isinstance(event, NodeProgress) and event.node_id == "denoise"]
    assert [event.get("progress") for event in steps][-1] == 1.0
    assert {event.get("session_id") for event in seen} == {submission.session_id}
    assert {type(event) for event in seen} == {NodeStarted, NodeProgress, NodeCompleted}


async def test_S21_the_asynchronous_client(async_client: AsyncInvokeAIClient) -> None:
    wf = await async_client.workflow_repo.create_workflow(workflows.add())
    wf.set(a=2100, b=1)
    ended: list[Any] = []
    submission = await wf.submit(
        subscribe_events=True, on_invocation_complete=lambda event: ended.append(event["output"]["value"])
    )
    done = await wf.wait_for_completion(timeout=30)
    assert done["item_id"] == submission["item_ids"][0]
    assert ended == [2101]


def test_S21_a_loop_for_each_call(wf: WorkflowHandle) -> None:
    submission = asyncio.run(wf.submit(subscribe_events=True))
    done = asyncio.run(wf.wait_for_completion(timeout=30))
    assert done["batch_id"] == submission.batch_id
    assert wf.wait_for_completion_sync(timeout=1)["item_id"] == done["item_id"]


async def test_S21_error_callback(client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(FAILING)
    failed: list[RunEvent] = []
    await wf.submit(on_invocation_error=failed.append)
    done = await wf.wait_for_completion(timeout=30)
    assert done["status"] == "failed"
    assert [event["node_id"] for event in failed] == ["share"]
    assert done["error_message"] == failed[0].get("error_message")


# --------------------------------------------------------------------------- S22


async def test_S22_a_stream_of_events(wf: WorkflowHandle) -> None:
    wf.set(a=2200, b=2)
    kinds: list[str] = []
    statuses: list[str] = []
    async for evt in wf.submit_sync_monitor_async():
        assert dict(evt)["event_type"] == evt["event_type"]
        assert "event_type" in evt
        kinds.append(evt.get("event_type"))
        if evt.get("status"):
            statuses.append(evt["status"])
    assert statuses[-1] == "completed"
    assert kinds.index("invocation_started") < kinds.index("invocation_complete")
    assert kinds[-1] == "queue_item_status_changed"
    assert wf.wait_for_completion_sync(timeout=1)["status"] == "completed"


async def test_S22_all_runs_of_a_batch(client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(BATCH)
    wf.set(b=2230)
    values = [
        evt["output"]["value"]
        async for evt in wf.submit_sync_monitor_async()
        if evt.get("event_type") == "invocation_complete"
    ]
    assert values == [2231, 2232]


async def test_S22_asynchronous_client_and_synchronous_loop(
    client: InvokeAIClient, async_client: AsyncInvokeAIClient
) -> None:
    ours = await async_client.workflow_repo.create_workflow(workflows.add())
    assert [evt["event_type"] async for evt in ours.submit_and_monitor()][-1] == "queue_item_status_changed"
    wf = client.workflow_repo.create_workflow(workflows.add())
    assert [evt["event_type"] for evt in wf.submit_and_monitor()][-1] == "queue_item_status_changed"


# --------------------------------------------------------------------------- S24


def test_S24_cancel(client: InvokeAIClient, endless: WorkflowHandle) -> None:
    submission = endless.submit_sync()
    assert endless.cancel() is True
    assert endless.wait_for_completion_sync(timeout=30).get("status") == "canceled"
    assert client.get_job(submission.item_ids[0]).status == "cancelled"


async def test_S24_cancel_async_while_it_denoises(endless: WorkflowHandle) -> None:
    async for event in endless.submit_sync_monitor_async():
        if isinstance(event, NodeProgress) and event.node_id == "denoise":
            break
    assert await endless.cancel_async() is True
    assert (await endless.wait_for_completion(timeout=30))["status"] == "canceled"


def test_S24_ended_items_cannot_be_canceled(wf: WorkflowHandle) -> None:
    wf.submit_sync()
    wf.wait_for_completion_sync(timeout=30)
    assert wf.cancel() is False


def test_S24_validate_inputs(client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(workflows.sd1())
    errors = wf.validate_inputs()
    assert list(errors) == [0], "the model is missing"
    assert all(isinstance(message, str) for message in errors[0])
    wf.get_input_value(0).value = "tiny-sd1"
    assert wf.validate_inputs() == {}
