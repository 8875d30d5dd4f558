"""The events of a real server: those of a run, and all others that ``client.watch()`` yields."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import workflows
from command import Command, ivk_command
from model_host import hosted
from tests.conftest import RealServer

from invokeai_py_client import (
    AsyncInvokeAIClient,
    BatchEnqueued,
    BulkDownloadCompleted,
    BulkDownloadEvent,
    BulkDownloadStarted,
    DownloadCompleted,
    DownloadEvent,
    DownloadFailed,
    DownloadProgress,
    DownloadStarted,
    EventsConnected,
    InstallDownloading,
    InstallFailed,
    InstallFile,
    InvokeAIClient,
    LibraryChanged,
    ModelInstallCompleted,
    ModelInstallEvent,
    ModelInstallFailed,
    ModelInstallProgress,
    ModelLoaded,
    ModelLoadEvent,
    ModelLoading,
    NodeCompleted,
    NodeEvent,
    NodeProgress,
    NodeStarted,
    OtherEvent,
    QueueCleared,
    QueueEvent,
    RunEvent,
    ServerEvent,
    StatusChanged,
    WorkflowCreated,
    WorkflowDefinition,
    WorkflowDeleted,
    WorkflowUpdated,
)
from invokeai_py_client.errors import UsageError
from invokeai_py_client.models import JobStatus

__all__ = ["ivk_command"]

PATIENCE = 60


@pytest.fixture
def ivk(ivk_command: Command, server: RealServer, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setenv("INVOKEAI_URL", server.url)
    return ivk_command


async def until(events: AsyncIterator[ServerEvent], last: Callable[[Any], bool]) -> list[ServerEvent]:
    """Return the events up to the first one that fits, without markers."""
    found: list[ServerEvent] = []
    async with asyncio.timeout(PATIENCE):
        async for event in events:
            if not isinstance(event, EventsConnected):
                found.append(event)
                if last(event):
                    return found
    raise AssertionError("the watch ended")


async def watching(client: AsyncInvokeAIClient, *kinds: type[ServerEvent]) -> AsyncIterator[ServerEvent]:
    """Return the events of some kinds, once they arrive."""
    events = client.watch(*kinds)
    first = await anext(events)
    assert isinstance(first, EventsConnected)
    assert not first.missed
    return events


def test_a_run_names_the_models_that_are_loaded_for_its_nodes(client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(workflows.sd1(steps=2, size=64))
    # A prompt of an earlier test would come from the server's cache, without loading the text encoder.
    run = wf.start(model="tiny-sd1", positive_prompt="a lighthouse that no other test asks for", seed=91)
    current: NodeEvent | None = None
    loads: list[ModelLoading] = []
    loaded: list[str] = []
    for event in run.events():
        if isinstance(event, NodeStarted):
            current = event
        elif isinstance(event, ModelLoading | ModelLoaded):
            assert current is not None
            assert (event.prepared_id, event.node_id) == (current.prepared_id, current.node_id)
            assert event.item_id == run.item_id
            assert event.model_name == "tiny-sd1"
            assert event.batch_id == run.batch_id
            if isinstance(event, ModelLoading):
                loads.append(event)
            else:
                loaded.append(event.what)
    assert {(load.node_id, load.submodel) for load in loads} >= {
        ("positive", "text_encoder"),
        ("denoise", "unet"),
        ("decode", "vae"),
    }
    assert [load.what for load in loads] == loaded
    assert run.status.loading is None


async def test_a_watch_yields_the_events_of_a_run_and_of_its_batch(async_client: AsyncInvokeAIClient) -> None:
    events = await watching(async_client)
    wf = await async_client.workflow_repo.create_workflow(workflows.sd1(steps=2, size=64))
    run = await wf.start(model="tiny-sd1", seed=92)

    def is_last(event: ServerEvent) -> bool:
        return isinstance(event, StatusChanged) and event.status.is_final and event.batch_id == run.batch_id

    found = await until(events, is_last)
    own = [event for event in found if isinstance(event, RunEvent) and event.item_id == run.item_id]
    [batch] = [one for one in found if isinstance(one, BatchEnqueued) and one.batch_id == run.batch_id]
    assert (batch.enqueued, batch.requested, batch.queue_id, batch.redacted) == (1, 1, "default", False)
    states = [event.status for event in own if isinstance(event, StatusChanged)]
    assert states[-2:] == [JobStatus.RUNNING, JobStatus.COMPLETED]
    last = own[-1]
    assert isinstance(last, StatusChanged)
    assert last.batch_status["batch_id"] == run.batch_id
    assert last.queue_status["queue_id"] == "default"
    assert last.completed_at
    started = [event.prepared_id for event in own if isinstance(event, NodeStarted)]
    assert started == [event.prepared_id for event in own if isinstance(event, NodeCompleted)]
    progress = [event for event in own if isinstance(event, NodeProgress) and event.fraction]
    assert progress
    assert {event.device for event in progress} == {None}  # the server runs on the CPU
    assert progress[-1].invocation["type"] == progress[-1].node_type
    loads = [event for event in found if isinstance(event, ModelLoadEvent)]
    assert {load.model_name for load in loads} == {"tiny-sd1"}
    assert "unet" in {load.submodel_type for load in loads}
    assert not [event for event in found if isinstance(event, OtherEvent)]


async def test_a_watch_yields_only_the_kinds_that_were_asked_for(async_client: AsyncInvokeAIClient) -> None:
    events = await watching(async_client, QueueEvent)
    wf = await async_client.workflow_repo.create_workflow(workflows.add())
    await wf.run(a=1)
    await async_client.queue_repo.clear()
    found = await until(events, lambda event: isinstance(event, QueueCleared))
    assert [type(event) for event in found] == [BatchEnqueued, QueueCleared]
    cleared = found[-1]
    assert isinstance(cleared, QueueCleared)
    assert cleared.all_users
    assert cleared.user_id is None


@pytest.mark.since("6.14")
async def test_changes_of_the_workflow_library(async_client: AsyncInvokeAIClient) -> None:
    events = await watching(async_client, LibraryChanged)
    repo = async_client.workflow_repo
    workflow_id = await repo.upload_workflow(WorkflowDefinition.from_dict(workflows.add()))
    changed = {**workflows.add(), "id": workflow_id}
    http = async_client.connection.http
    await http.json("PATCH", f"/api/v1/workflows/i/{workflow_id}", json={"workflow": changed})
    await repo.delete_workflow(workflow_id)
    found = await until(events, lambda event: isinstance(event, WorkflowDeleted))
    assert [type(event) for event in found] == [WorkflowCreated, WorkflowUpdated, WorkflowDeleted]
    assert {event["workflow_id"] for event in found} == {workflow_id}


async def test_the_zip_of_a_bulk_download_is_announced(
    async_client: AsyncInvokeAIClient, uploaded: str, tmp_path: Path
) -> None:
    events = await watching(async_client, BulkDownloadEvent)
    await async_client.image_repo.bulk_download(tmp_path / "images.zip", image_names=[uploaded])
    found = await until(events, lambda event: isinstance(event, BulkDownloadCompleted))
    assert [type(event) for event in found] == [BulkDownloadStarted, BulkDownloadCompleted]
    assert {event["bulk_download_id"] for event in found} == {"default"}


async def test_the_files_of_an_installation_are_followed(
    async_client: AsyncInvokeAIClient, tiny_models: Any
) -> None:
    events = await watching(async_client, DownloadEvent, ModelInstallEvent)
    with hosted(tiny_models.folder / "tiny-esrgan-x2.safetensors") as host:
        job = await async_client.dnn_model_repo.install_model(host.url, config={"name": "followed"})
        files: list[InstallFile] = []
        async for event in job.events():
            if isinstance(event, InstallDownloading):
                files += event.files
                host.go_on.set()
        found = await until(events, lambda event: isinstance(event, ModelInstallCompleted))
        size = len(host.data)
    assert files
    assert {(file.url, file.name, file.total_bytes) for file in files} == {(host.url, host.name, size)}
    kinds = [type(event) for event in found]
    assert next(kind for kind in kinds if issubclass(kind, DownloadEvent)) is DownloadStarted
    assert DownloadCompleted in kinds
    progress = [event for event in found if isinstance(event, DownloadProgress)]
    assert {(event.source, event.total_bytes) for event in progress} == {(host.url, size)}
    assert progress[-1].fraction == 1.0
    assert any(isinstance(event, ModelInstallProgress) and event.parts for event in found)
    completed = found[-1]
    assert isinstance(completed, ModelInstallCompleted)
    assert completed.source == host.url
    assert completed.key
    await async_client.dnn_model_repo.delete_model(completed.key)


async def test_a_file_whose_download_fails_is_named(
    async_client: AsyncInvokeAIClient, tiny_models: Any
) -> None:
    events = await watching(async_client, DownloadFailed, ModelInstallFailed)
    with hosted(tiny_models.folder / "tiny-esrgan-x2.safetensors", breaks=True) as host:
        job = await async_client.dnn_model_repo.install_model(host.url)
        last = [event async for event in job.events()][-1]
        found = await until(events, lambda event: isinstance(event, DownloadFailed))
    assert isinstance(last, InstallFailed)
    assert [(file.url, file.failed) for file in last.failed_files] == [(host.url, True)]
    assert "IncompleteRead" in (last.failed_files[0].error_type or "")
    assert {event["source"] for event in found} == {host.url}
    await async_client.dnn_model_repo.prune_install_jobs()


async def test_a_watch_ends_when_the_client_is_closed(server: RealServer) -> None:
    client = AsyncInvokeAIClient.from_url(server.url)
    events = await watching(client)
    waiting = asyncio.ensure_future(anext(events, None))
    await asyncio.sleep(0)
    await client.close()
    async with asyncio.timeout(PATIENCE):
        assert await waiting is None
    assert not client.connection.hub.connected


def test_only_kinds_of_events_can_be_watched(client: InvokeAIClient) -> None:
    with pytest.raises(UsageError, match="Invalid kind of event 'progress'"):
        next(client.watch("progress"))  # pyright: ignore[reportArgumentType]
    with pytest.raises(UsageError, match="does not yield ModelLoading"):
        next(client.watch(ModelLoading))


def test_the_synchronous_watch_is_an_iterator(client: InvokeAIClient) -> None:
    events = client.watch(BatchEnqueued)
    assert isinstance(next(events), EventsConnected)
    client.workflow_repo.create_workflow(workflows.add()).run(a=2)
    batch = next(events)
    assert isinstance(batch, BatchEnqueued)
    assert batch.enqueued == 1


def test_ivk_watch_prints_a_line_for_each_event(ivk: Command, client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(workflows.add())
    with meanwhile(lambda: wf.run(a=3)):
        done = ivk("watch", "batch_enqueued", "-n", "1")
    assert done.code == 0
    assert "Watching http" in done.err
    [line] = done.lines
    assert re.fullmatch(r"\d\d:\d\d:\d\d batch_enqueued queue_id=default batch_id=\S+ enqueued=1 .*", line)


def test_ivk_watch_writes_json(ivk: Command, client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(workflows.add())
    with meanwhile(lambda: wf.run(a=4)):
        done = ivk("watch", "queue-item-status-changed", "-n", "1", "--json")
    [connected, event, result] = done.objects
    assert (connected["event"], connected["missed"]) == ("connected", False)
    assert event["event"] == "queue_item_status_changed"
    assert event["item_id"]
    assert event["batch_id"]
    assert "raw" not in event
    assert result == {"event": "result", "ok": True}


def test_ivk_watch_suggests_kinds(ivk: Command) -> None:
    done = ivk("watch", "workflow_create")
    assert done.code == 2
    assert "No kind of event named 'workflow_create'. Did you mean 'workflow_created'" in done.said


@contextmanager
def meanwhile(action: Callable[[], object]) -> Generator[None]:
    """Repeat an action in another thread until the block ends."""
    over = threading.Event()

    def repeat() -> None:
        while not over.is_set():
            action()

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
