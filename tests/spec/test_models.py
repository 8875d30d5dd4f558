"""Rows S07 and S30 to S34: models listed, installed, monitored and removed, and the calls of the documents' samples."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from model_host import ModelHost, hosted

from invokeai_py_client import AsyncInvokeAIClient, InvokeAIClient
from invokeai_py_client.dnn_model.events import (
    InstallCancelled,
    InstallCompleted,
    InstallDownloading,
    InstallEvent,
    InstallPaused,
)
from invokeai_py_client.dnn_model.install import AsyncModelInstJobHandle
from invokeai_py_client.errors import (
    APIRequestError,
    BadRequestError,
    ModelInstallError,
    ModelInstallJobFailed,
    ModelInstallStartError,
    ModelInstallTimeout,
    ModelNotFoundError,
    NotFoundError,
    ServerError,
    UnprocessableError,
    UsageError,
)
from invokeai_py_client.models import (
    BaseModelEnum,
    FoundModel,
    InstallStatus,
    IvkDnnModel,
    ModelCacheStats,
    ModelInstJobInfo,
)

PATIENCE = 60  # seconds; a tiny model takes a fraction of a second
SELDOM = 100.0  # seconds between polls of a job, for tests in which only events are fast enough


@pytest.fixture(autouse=True)
def tidy_models(client: InvokeAIClient) -> Iterator[None]:
    """Delete the models that a test installed, and their jobs."""
    repo = client.dnn_model_repo
    before = {model.key for model in repo.list_models()}
    yield
    for job in repo.list_install_jobs():
        job.cancel()
    for model in repo.list_models():
        if model.key not in before:
            repo.delete_model(model.key)
    repo.prune_install_jobs()


@pytest.fixture
def lora(tiny_models: Any, tmp_path: Path) -> Path:
    """A LoRA with an unused name, in a separate folder."""
    path = tmp_path / "models" / f"{tmp_path.name}.safetensors"
    path.parent.mkdir()
    shutil.copy(tiny_models.folder / "tiny-lora-sd1.safetensors", path)
    return path


@pytest.fixture
def copies(lora: Path) -> list[Path]:
    """Four LoRAs with unused names."""
    paths = [lora.with_name(f"{lora.stem}-{number}.safetensors") for number in range(4)]
    for path in paths:
        shutil.copy(lora, path)
    return paths


@pytest.fixture
def host(tiny_models: Any) -> Iterator[ModelHost]:
    """A web server that offers a model, but withholds half of it."""
    with hosted(tiny_models.folder / "tiny-esrgan-x2.safetensors") as host:
        yield host


@pytest.fixture
def rows(server: Any, client: InvokeAIClient) -> Iterator[Callable[..., str]]:
    """Insert records directly into the server's database, and remove them after the test."""
    [model] = client.dnn_model_repo.list_models(name="tiny-lora-sd1")
    with closing(sqlite3.connect(server.root / "databases" / "invokeai.db", timeout=PATIENCE)) as database:

        def put(key: str, **changes: Any) -> str:
            record = {"description": None, "source_api_response": None, "trigger_phrases": None}
            record |= model.to_dict() | {"key": key, "name": key, "path": f"/nowhere/{key}"} | changes
            with database:
                database.execute("INSERT INTO models (id, config) VALUES (?, ?)", (key, json.dumps(record)))
            return key

        yield put
        with database:
            database.execute("DELETE FROM models WHERE path LIKE '/nowhere/%'")


def is_there(path: Path) -> bool:
    return path.exists()


async def installed(async_client: AsyncInvokeAIClient, path: Path, **options: Any) -> ModelInstJobInfo:
    job = await async_client.dnn_model_repo.install_model(str(path), **options)
    return await job.wait_until(timeout=PATIENCE)


# --------------------------------------------------------------------------- S07


async def test_S07_every_model_of_the_server_is_read(async_client: AsyncInvokeAIClient, server: Any) -> None:
    answer = await async_client.connection.http.json("GET", "/api/v2/models/")
    models = await async_client.dnn_model_repo.list_models()
    assert set(server.models) <= {model.name for model in models}
    for record, model in zip(answer["models"], models, strict=True):
        for name in ("key", "name", "base", "type", "format", "hash", "path", "description"):
            assert getattr(model, name) == record[name]
            older = {"hash": "hash", "path": "path", "description": "description"}
            older |= {"key": "model_key", "base": "base_model"}
            assert getattr(model, older.get(name, f"model_{name}")) == record[name]
        assert isinstance(model.base, BaseModelEnum)
        assert {k: v for k, v in record.items() if v is not None}.items() <= model.to_dict().items()
        assert IvkDnnModel.from_api_response(model.to_dict()) == model
    assert {model.base for model in models} >= {BaseModelEnum.SD1, BaseModelEnum.SDXL}


@pytest.mark.since("6.14")
async def test_S07_the_tiny_flux_models_are_read(async_client: AsyncInvokeAIClient) -> None:
    models = await async_client.dnn_model_repo.list_models(base="flux")
    assert {"tiny-flux-dev", "tiny-flux-ae"} <= {model.name for model in models}
    assert {model.base for model in models} == {BaseModelEnum.FLUX}


def test_S07_S30_records_with_nulls_and_unknown_words(
    client: InvokeAIClient, rows: Callable[..., str]
) -> None:
    """The server (6.14.2) leaves records out of its list if it cannot read them. The client reads all others."""
    repo = client.dnn_model_repo
    there = {
        rows("null-description", description=None),
        rows("nulls", trigger_phrases=None, default_settings=None, cover_image=None, source_url=None),
    }
    unreadable = {
        rows("newer-base", base="hyper-9"),
        rows("newer-type", type="dreamer"),
        rows("newer-format", format="zip"),
    }
    models = {model.key: model for model in repo.list_models()}
    assert there <= models.keys()
    assert not unreadable & models.keys()
    assert models["null-description"].description is None
    for key in there:
        assert repo.get_model_by_key(key) == models[key]
        assert repo.delete_model(key) is True
    for key in unreadable:
        with pytest.raises(ServerError, match="HTTP status 500"):
            repo.get_model_by_key(key)
    with pytest.raises(UnprocessableError, match=r"base_models.*'sd-1'"):
        repo.list_models(base="hyper-9")


@pytest.mark.since("6.9")
def test_S07_S30_a_model_of_unknown_everything(client: InvokeAIClient, rows: Callable[..., str]) -> None:
    repo = client.dnn_model_repo
    key = rows("unknown-everything", base="unknown", type="unknown", format="unknown")
    [nobody] = repo.list_models(base="unknown")
    assert (nobody.key, nobody.base) == (key, BaseModelEnum.UNKNOWN)
    assert (nobody.type, nobody.format) == ("unknown", "unknown")
    assert repo.get_model_by_key(key) == nobody
    assert repo.delete_model(key) is True


# --------------------------------------------------------------------------- S30


def test_S30_what_the_document_calls(client: InvokeAIClient) -> None:
    repo = client.dnn_model_repo
    models = repo.list_models()
    assert len(models) > 0
    m = repo.get_model_by_key(models[0].key)
    assert m
    assert (m.name, m.base, m.type) == (models[0].name, models[0].base, models[0].type)
    assert repo.get_model_by_key("abc-123") is None


async def test_S30_filters_and_lookup(async_client: AsyncInvokeAIClient) -> None:
    repo = async_client.dnn_model_repo
    mains = await repo.list_models(base="SD_1", type="main")
    assert [model.name for model in mains] == ["tiny-sd1"]
    assert await repo.list_models(name="tiny-sd1") == mains
    assert all(model.format == "diffusers" for model in await repo.list_models(format="diffusers"))
    assert await repo.get_model_by_key(mains[0].key) == mains[0]
    assert await repo.get_model_by_key("no-such-key") is None
    assert await repo.list_models(name="no such name") == []


# --------------------------------------------------------------------------- S31


async def test_S31_S33_installing(async_client: AsyncInvokeAIClient, lora: Path) -> None:
    repo = async_client.dnn_model_repo
    job = await repo.install_model(lora, inplace=True, config={"description": "made for a test"})
    assert isinstance(job, AsyncModelInstJobHandle)
    assert job.job_id is not None
    info = await job.wait_until(timeout=PATIENCE, poll_interval=0.5)
    assert info is job.info
    assert info.status is InstallStatus.COMPLETED
    assert info.model_key
    assert (info.source, info.source_type, info.inplace) == (str(lora), "local", True)
    assert await job.status() is InstallStatus.COMPLETED
    assert await job.progress() == 1.0
    assert await job.refresh() is info
    job.raise_if_failed()
    model = await repo.get_model_by_key(info.model_key)
    assert model is not None
    assert (model.name, model.base, model.type) == (lora.stem, BaseModelEnum.SD1, "lora")
    assert model.description == "made for a test"
    assert is_there(lora)
    assert (await job.cancel()).status is InstallStatus.COMPLETED

    found = await repo.get_install_job(job.job_id)
    assert found is not None
    assert found.info.model_key == info.model_key
    assert job.job_id in [other.job_id for other in await repo.list_install_jobs()]
    assert await repo.prune_install_jobs() is True
    assert await repo.get_install_job(job.job_id) is None
    assert await repo.list_install_jobs() == []

    assert await repo.delete_model(model.key) is True
    assert await repo.delete_model(model.key) is False
    assert is_there(lora)


@pytest.mark.parametrize("inplace", [True, False])
async def test_S31_a_source_installed_already(
    async_client: AsyncInvokeAIClient, lora: Path, tiny_models: Any, inplace: bool
) -> None:
    first = await installed(async_client, lora, inplace=inplace)
    if not is_there(lora):  # the server moved the file; a new file in its place must not be moved too
        assert not inplace
        shutil.copy(tiny_models.folder / "tiny-lora-sd1.safetensors", lora)
    job = await async_client.dnn_model_repo.install_model(lora, inplace=inplace)
    assert job.info.status is InstallStatus.COMPLETED
    assert job.info.extra["reason"] == "already_installed"
    assert job.info.model_key == first.model_key
    assert await job.wait_until(timeout=0) is job.info
    assert is_there(lora)


async def test_S31_a_file_stays_where_it_is(async_client: AsyncInvokeAIClient, lora: Path) -> None:
    info = await installed(async_client, lora)
    model = await async_client.dnn_model_repo.get_model_by_key(info.model_key or "")
    assert model is not None
    assert model.path == str(lora)
    assert await async_client.dnn_model_repo.delete_model(model.key)
    assert is_there(lora)


@pytest.mark.since("6.14")
async def test_S31_a_file_that_is_moved(
    async_client: AsyncInvokeAIClient, copies: list[Path], server: Any
) -> None:
    """Older servers (6.0.2) copy the file to a folder with another name."""
    kept, given, *_ = copies
    infos = await asyncio.gather(installed(async_client, kept), installed(async_client, given, inplace=False))
    models = [await async_client.dnn_model_repo.get_model_by_key(info.model_key or "") for info in infos]
    assert [model.path for model in models if model] == [
        str(kept),
        f"{infos[1].model_key}/{given.name}",
    ]
    assert (is_there(kept), is_there(given)) == (True, False)
    for info in infos:
        assert await async_client.dnn_model_repo.delete_model(info.model_key or "")
    assert is_there(kept)
    assert not is_there(server.root / "models" / str(infos[1].model_key))


async def test_S31_installed_already_according_to_the_server(
    async_client: AsyncInvokeAIClient, lora: Path
) -> None:
    """The path has another spelling, so only the server recognizes that the model is installed."""
    first = await installed(async_client, lora, inplace=True)
    link = lora.parent.parent / "link"
    link.symlink_to(lora.parent)
    info = await installed(async_client, link / lora.name, inplace=True)
    assert info.extra["reason"] == "already_installed"
    assert info.model_key == first.model_key
    assert info.error is None


async def test_S31_a_start_that_fails(async_client: AsyncInvokeAIClient, tmp_path: Path) -> None:
    with pytest.raises(
        ModelInstallStartError, match=r"Cannot start the installation of .*missing\.safetensors"
    ) as caught:
        await async_client.dnn_model_repo.install_model(tmp_path / "missing.safetensors")
    assert isinstance(caught.value, ModelInstallError)
    assert isinstance(caught.value, APIRequestError)
    assert caught.value.status_code == 409
    assert caught.value.payload["detail"]
    with pytest.raises(UsageError, match="source is empty"):
        await async_client.dnn_model_repo.install_model(" ")
    with pytest.raises(UsageError, match="expected owner/name"):
        await async_client.dnn_model_repo.install_huggingface("just-a-name")


async def test_S31_a_job_that_fails(async_client: AsyncInvokeAIClient, lora: Path) -> None:
    """The requested key belongs to another model, so the installation fails."""
    [taken] = await async_client.dnn_model_repo.list_models(name="tiny-sd1")
    job = await async_client.dnn_model_repo.install_model(lora, inplace=True, config={"key": taken.key})
    with pytest.raises(ModelInstallJobFailed, match=r"failed: DuplicateModelException: .*already") as caught:
        await job.wait_until(timeout=PATIENCE)
    info = caught.value.info
    assert info is job.info
    assert info is not None
    assert info.status is InstallStatus.ERROR
    assert info.error
    assert info.extra == {}
    with pytest.raises(ModelInstallJobFailed):
        job.raise_if_failed()


def test_S31_what_the_document_calls(client: InvokeAIClient, lora: Path, tmp_path: Path) -> None:
    repo = client.dnn_model_repo
    handle = repo.install_model(str(lora), inplace=True)
    info = handle.wait_until(timeout=None)
    key = getattr(info, "model_key", None)
    assert key
    again = repo.install_model(str(lora), inplace=True)
    assert again.wait_until(timeout=None).extra["reason"] == "already_installed"
    assert getattr(again.info, "model_key", None) == key
    with pytest.raises(ModelInstallStartError) as caught:
        repo.install_model("/nope.safetensors")
    assert (caught.value.status_code, caught.value.payload["detail"]) == (
        409,
        "Unsupported model source: '/nope.safetensors'",
    )
    with pytest.raises(ModelInstallJobFailed) as failed:
        repo.install_model(str(lora.parent / "."), inplace=True, config={"key": key}).wait_until(timeout=None)
    assert getattr(failed.value.info, "error", None)


# --------------------------------------------------------------------------- S32


def test_S32_what_the_document_calls(client: InvokeAIClient, lora: Path) -> None:
    repo = client.dnn_model_repo
    repo.prune_install_jobs()  # jobs of other tests
    handle = repo.install_model(lora)
    handle.wait_until(timeout=PATIENCE)
    told = [(h.job_id, getattr(h.info, "status", None)) for h in repo.list_install_jobs()]
    assert told == [(handle.job_id, InstallStatus.COMPLETED)]
    found = repo.get_install_job(handle.job_id or 0)
    assert found is not None
    assert found.info.model_key == handle.info.model_key
    assert repo.prune_install_jobs() is True
    assert repo.get_install_job(handle.job_id or 0) is None
    assert repo.list_install_jobs() == []


async def test_S32_a_pruned_job_is_not_lost(async_client: AsyncInvokeAIClient, lora: Path) -> None:
    repo = async_client.dnn_model_repo
    job = await repo.install_model(lora, inplace=True)
    again = await repo.get_install_job(job.job_id or 0)
    assert again is not None
    await again.wait_until(timeout=PATIENCE)
    await repo.prune_install_jobs()
    info = await job.wait_until(timeout=PATIENCE)
    assert (info.status, info.model_key) == (InstallStatus.COMPLETED, again.info.model_key)


# --------------------------------------------------------------------------- S33


def test_S33_what_the_document_calls(client: InvokeAIClient, lora: Path) -> None:
    h = client.dnn_model_repo.install_model(str(lora))
    assert h.job_id is not None
    assert h.info.source == str(lora)
    info = h.wait_until(timeout=None)
    assert h.refresh() == info
    assert h.status() is InstallStatus.COMPLETED
    assert h.progress() == 1.0
    h.raise_if_failed()


async def test_S33_a_wait_that_runs_out(async_client: AsyncInvokeAIClient, lora: Path) -> None:
    job = await async_client.dnn_model_repo.install_model(lora, inplace=True)
    # The server starts jobs once a second, so this job is almost never done immediately.
    try:
        await job.wait_until(timeout=0)
    except ModelInstallTimeout as error:
        assert error.timeout == 0
        assert error.last_info is job.info
        assert isinstance(error, TimeoutError)
    assert (await job.wait_until(timeout=PATIENCE)).is_successful()
    with pytest.raises(UsageError, match="poll_interval"):
        await job.wait_until(poll_interval=0)


async def test_S33_a_job_and_its_model_both_gone(async_client: AsyncInvokeAIClient, lora: Path) -> None:
    repo = async_client.dnn_model_repo
    job = await repo.install_model(lora, inplace=True)
    again = await repo.get_install_job(job.job_id or 0)
    assert again is not None
    info = await again.wait_until(timeout=PATIENCE)
    await repo.prune_install_jobs()
    await repo.delete_model(info.model_key or "")
    with pytest.raises(ModelInstallJobFailed, match="no longer has job"):
        await job.wait_until(timeout=PATIENCE)


@pytest.mark.since("6.12")
async def test_S33_events_of_a_download_that_is_paused_and_resumed(
    async_client: AsyncInvokeAIClient, host: ModelHost
) -> None:
    """The job is polled so rarely that only events can report its state."""
    job = await async_client.dnn_model_repo.install_model(host.url, config={"name": "by events"})
    half = len(host.data) // 2
    seen: list[InstallEvent] = []
    async with asyncio.timeout(PATIENCE):
        async for event in job.events(poll_interval=SELDOM):
            seen.append(event)
            if isinstance(event, InstallDownloading) and event.bytes and not host.go_on.is_set():
                assert 0 < event.bytes <= half
                assert event.total_bytes == len(host.data)
                assert event.fraction == event.bytes / event.total_bytes
                assert (await job.pause()).status is InstallStatus.PAUSED
                host.go_on.set()
                assert (await job.resume()).status is not InstallStatus.PAUSED
    last = seen[-1]
    assert isinstance(last, InstallCompleted)
    assert (last.job_id, last.source, last.status) == (job.job_id, host.url, InstallStatus.COMPLETED)
    assert last.model_key == job.info.model_key
    assert host.ranges[0] is None
    assert (host.ranges[1] or "").startswith("bytes=")
    assert [type(event) async for event in job.events()] == [InstallCompleted]


def test_S33_a_download_that_is_canceled(client: InvokeAIClient, host: ModelHost) -> None:
    job = client.dnn_model_repo.install_model(host.url)

    def on_progress(info: ModelInstJobInfo) -> None:
        if info.bytes and not info.is_complete():
            assert job.cancel().status is InstallStatus.CANCELLED
            host.go_on.set()

    with pytest.raises(ModelInstallJobFailed, match="was canceled") as caught:
        job.wait_until(timeout=PATIENCE, poll_interval=SELDOM, on_progress=on_progress)
    assert caught.value.info is job.info
    assert [type(event) for event in job.events()] == [InstallCancelled]


@pytest.mark.since("6.12")
def test_S33_a_paused_download_that_is_canceled(client: InvokeAIClient, host: ModelHost) -> None:
    job = client.dnn_model_repo.install_model(host.url)
    told: list[ModelInstJobInfo] = []

    def on_progress(info: ModelInstJobInfo) -> None:
        told.append(info)
        if info.bytes and not info.is_complete():
            assert job.pause().status is InstallStatus.PAUSED  # the client can be used in callbacks
            assert job.cancel().status is InstallStatus.CANCELLED

    with pytest.raises(ModelInstallJobFailed, match="was canceled") as caught:
        job.wait_until(timeout=PATIENCE, poll_interval=SELDOM, on_progress=on_progress)
    assert caught.value.info is job.info
    assert told[-1].status is InstallStatus.CANCELLED
    assert [type(event) for event in job.events()] == [InstallCancelled]
    assert job.pause().status is InstallStatus.CANCELLED


@pytest.mark.since("6.12")
async def test_S33_paused_by_another_client(async_client: AsyncInvokeAIClient, host: ModelHost) -> None:
    """The server sends no event for this, so only polling can detect it."""
    job = await async_client.dnn_model_repo.install_model(host.url)
    other = await async_client.dnn_model_repo.get_install_job(job.job_id or 0)
    assert other is not None
    async with asyncio.timeout(PATIENCE):
        async for event in job.events(poll_interval=0.05):
            if isinstance(event, InstallDownloading) and event.bytes:
                await other.pause()
            elif isinstance(event, InstallPaused):
                await other.cancel()
    assert job.info.status is InstallStatus.CANCELLED


async def test_S33_a_path_has_nothing_to_pause(async_client: AsyncInvokeAIClient, lora: Path) -> None:
    job = await async_client.dnn_model_repo.install_model(lora)
    with pytest.raises(UsageError, match="only downloads can be paused"):
        await job.pause()
    with pytest.raises(UsageError, match="Cannot resume"):
        await job.resume()
    with pytest.raises(UsageError, match="Cannot restart"):
        await job.restart_failed()
    await job.wait_until(timeout=PATIENCE)


# --------------------------------------------------------------------------- S34


async def test_S34_converting_what_cannot_be_converted(async_client: AsyncInvokeAIClient) -> None:
    [model] = await async_client.dnn_model_repo.list_models(name="tiny-sd1")
    with pytest.raises(BadRequestError, match=r"not a main (SD 1/2/XL )?checkpoint"):
        await async_client.dnn_model_repo.convert_model(model.key)
    with pytest.raises(NotFoundError):
        await async_client.dnn_model_repo.convert_model("no-such-key")


async def test_S34_scanning(async_client: AsyncInvokeAIClient, lora: Path, tmp_path: Path) -> None:
    [found] = await async_client.dnn_model_repo.scan_folder(lora.parent)
    assert found == FoundModel(path=str(lora), is_installed=False)
    await installed(async_client, lora, inplace=True)
    [found] = await async_client.dnn_model_repo.scan_folder(str(lora.parent))
    assert found.is_installed is True
    with pytest.raises(BadRequestError):
        await async_client.dnn_model_repo.scan_folder(tmp_path / "missing")


async def test_S34_cache_and_hugging_face(async_client: AsyncInvokeAIClient) -> None:
    assert await async_client.dnn_model_repo.empty_model_cache() is True
    stats = await async_client.dnn_model_repo.get_stats()
    assert stats is None or isinstance(stats, ModelCacheStats)
    assert await async_client.dnn_model_repo.hf_status() in ("valid", "invalid", "unknown")


@pytest.mark.parametrize("readable", [True, False])
async def test_S34_removing_all_models(
    async_client: AsyncInvokeAIClient,
    copies: list[Path],
    rows: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    readable: bool,
) -> None:
    """Deletes only the models that this test installed, because other tests need theirs."""
    repo = async_client.dnn_model_repo
    jobs = await repo.install_models(copies)
    mine = {info.model_key for info in await repo.wait_all(jobs, timeout=PATIENCE)}
    ours = [model for model in await repo.list_models() if model.key in mine]
    if not readable:  # the server fails and closes the connection, which the next request notices
        key = rows("newer-base", base="hyper-9")
        ours.insert(1, IvkDnnModel(key=key, name=key, base="hyper-9", type="lora"))

    async def listed() -> list[IvkDnnModel]:
        return ours

    with monkeypatch.context() as patch:
        patch.setattr(repo, "list_models", listed)
        summary = await repo.delete_all_models()
    assert summary["total"] == len(ours)
    assert set(summary["deleted"]) == mine
    assert [failure["key"] for failure in summary["failed"]] == ([] if readable else ["newer-base"])
    assert not mine & {model.key for model in await repo.list_models()}
    assert all(is_there(path) for path in copies)


def test_S34_what_the_document_calls(client: InvokeAIClient, lora: Path, copies: list[Path]) -> None:
    repo = client.dnn_model_repo
    entries = repo.scan_folder(str(lora.parent))
    assert {os.fspath(path) for path in (lora, *copies)} == {e.get("path") for e in entries}
    keys: list[str] = []
    for e in entries[:2]:
        path = getattr(e, "path", None) or e.get("path")
        assert path
        h = repo.install_model(path, inplace=True)
        info = h.wait_until(timeout=None)
        keys.append(getattr(info, "model_key", None) or "")
    assert [e.is_installed for e in repo.scan_folder(str(lora.parent))].count(True) == 2
    assert [repo.delete_model(key) for key in keys] == [True, True]
    assert [repo.delete_model(key) for key in keys] == [False, False]
    assert repo.empty_model_cache() is True
    assert repo.get_stats() is None or isinstance(repo.get_stats(), ModelCacheStats)
    assert repo.hf_status() in ("valid", "invalid", "unknown")
    with pytest.raises(NotFoundError):
        repo.convert_model("no-such-key")


# --------------------------------------------------------------------------- beyond the rows


async def test_several_installations_at_once(async_client: AsyncInvokeAIClient, copies: list[Path]) -> None:
    repo = async_client.dnn_model_repo
    jobs = await repo.install_models([*copies[:2], "/nope.safetensors", *copies[2:]])
    told: list[ModelInstJobInfo] = []
    infos = await repo.wait_all(jobs, timeout=PATIENCE, check=False, on_progress=told.append)
    assert [info.source for info in infos] == [job.info.source for job in jobs]
    assert [info.is_successful() for info in infos] == [True, True, False, True, True]
    assert len({info.model_key for info in infos}) == 5
    assert {info.source for info in told if info.is_complete()} == {info.source for info in infos}
    with pytest.raises(ModelInstallJobFailed, match=r"1 of 5 installations failed.*nope\.safetensors"):
        await repo.wait_all(jobs)


def test_several_installations_of_the_synchronous_client(client: InvokeAIClient, copies: list[Path]) -> None:
    repo = client.dnn_model_repo
    jobs = repo.install_models(copies)
    infos = repo.wait_all(jobs, PATIENCE)
    assert [info.source for info in infos] == [str(path) for path in copies]
    assert all(info.is_successful() for info in infos)
    assert [again.info.extra["reason"] for again in repo.install_models(copies)] == ["already_installed"] * 4
    assert repo.install_models([]) == []
    assert repo.wait_all([]) == []


def test_several_installations_time_out(client: InvokeAIClient, copies: list[Path], host: ModelHost) -> None:
    repo = client.dnn_model_repo
    jobs = repo.install_models([copies[0], host.url])
    with pytest.raises(ModelInstallTimeout, match=r"still running") as caught:
        repo.wait_all(jobs, timeout=0)
    assert caught.value.timeout == 0
    jobs[1].cancel()
    with pytest.raises(ModelInstallJobFailed, match=r"1 of 2 installations failed.*was canceled"):
        repo.wait_all(jobs, timeout=PATIENCE)


def test_starter_models(client: InvokeAIClient) -> None:
    repo = client.dnn_model_repo
    models = repo.list_starter_models()
    assert len(models) > 50
    for model in models:
        assert model.name
        assert model.source
        assert isinstance(model.base, BaseModelEnum)
        assert isinstance(model.description, str)
        assert model.is_installed is False
    mains = repo.list_starter_models(base="sdxl", type="main")
    assert {(model.base, model.type) for model in mains} == {(BaseModelEnum.SDXL, "main")}
    assert any(one.type == "t5_encoder" for model in models for one in model.dependencies)
    with pytest.raises(
        ModelNotFoundError, match=r"No starter model named 'Juggernaut XL v8'.*'Juggernaut XL v9'"
    ):
        repo.install_starter_model("Juggernaut XL v8")
    with pytest.raises(
        ModelNotFoundError, match=r"Several starter models are named 'Tile'\. Use a source instead: 'lllyas"
    ):
        repo.install_starter_model("Tile")


def test_installed_starter_model(client: InvokeAIClient, lora: Path, host: ModelHost) -> None:
    """Nothing is downloaded from the internet: the starter models of this test are local files."""
    repo = client.dnn_model_repo
    proposed = repo.list_starter_models()[0].model_copy(
        update={"source": host.url, "name": "proposed", "description": "made up", "base": BaseModelEnum.ANY}
    )
    proposed.type, proposed.format, proposed.variant = "spandrel_image_to_image", "checkpoint", None
    proposed.dependencies = [
        proposed.model_copy(update={"source": str(lora), "name": "needed", "base": "sd-1"})
    ]
    proposed.dependencies[0].type, proposed.dependencies[0].format = "lora", "lycoris"
    host.go_on.set()
    needed, itself = repo.wait_all(repo.install_starter_model(proposed), timeout=PATIENCE)
    assert (needed.source, itself.source) == (str(lora), host.url)
    model = repo.get_model_by_key(itself.model_key or "")
    assert model is not None
    assert (model.name, model.description, model.type) == ("proposed", "made up", "spandrel_image_to_image")
    again = repo.install_starter_model(proposed)
    assert [job.info.extra["reason"] for job in again] == ["already_installed"] * 2
