"""The model manager of a real server: listing, installing, removing."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from invokeai_py_client import AsyncInvokeAIClient, InvokeAIClient
from invokeai_py_client.dnn_model.install import AsyncModelInstJobHandle
from invokeai_py_client.errors import (
    APIRequestError,
    BadRequestError,
    ModelInstallError,
    ModelInstallJobFailed,
    ModelInstallStartError,
    ModelInstallTimeout,
    NotFoundError,
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

PATIENCE = 60  # seconds; a tiny model takes a fraction of one


@pytest.fixture
async def client(server: Any) -> AsyncIterator[AsyncInvokeAIClient]:
    """A client; models that a test installed are removed after it."""
    async with AsyncInvokeAIClient.from_url(server.url) as client:
        before = {model.key for model in await client.dnn_model_repo.list_models()}
        yield client
        for model in await client.dnn_model_repo.list_models():
            if model.key not in before:
                await client.dnn_model_repo.delete_model(model.key)


@pytest.fixture
def lora(tiny_models: Any, tmp_path: Path) -> Path:
    """A LoRA of an unused name, in a folder of its own."""
    path = tmp_path / "models" / f"{tmp_path.name}.safetensors"
    path.parent.mkdir()
    shutil.copy(tiny_models.folder / "tiny-lora-sd1.safetensors", path)
    return path


def is_there(path: Path) -> bool:
    return path.exists()


async def installed(client: AsyncInvokeAIClient, path: Path, **options: Any) -> ModelInstJobInfo:
    job = await client.dnn_model_repo.install_model(str(path), **options)
    return await job.wait_until(timeout=PATIENCE)


async def test_S07_S30_every_model_of_the_server_is_read(client: AsyncInvokeAIClient, server: Any) -> None:
    answer = await client._http.json("GET", "/api/v2/models/")
    models = await client.dnn_model_repo.list_models()
    assert set(server.models) <= {model.name for model in models}
    for record, model in zip(answer["models"], models, strict=True):
        for name in ("key", "name", "base", "type", "format", "hash", "path", "description"):
            assert getattr(model, name) == record[name]
        assert isinstance(model.base, BaseModelEnum)
        assert {k: v for k, v in record.items() if v is not None}.items() <= model.to_dict().items()
        assert IvkDnnModel.from_api_response(model.to_dict()) == model
    assert {model.base for model in models} >= {BaseModelEnum.SD1, BaseModelEnum.SDXL, BaseModelEnum.FLUX}


async def test_S30_filters_and_lookup(client: AsyncInvokeAIClient) -> None:
    repo = client.dnn_model_repo
    mains = await repo.list_models(base="SD_1", type="main")
    assert [model.name for model in mains] == ["tiny-sd1"]
    assert await repo.list_models(name="tiny-sd1") == mains
    assert all(model.format == "diffusers" for model in await repo.list_models(format="diffusers"))
    assert await repo.get_model_by_key(mains[0].key) == mains[0]
    assert await repo.get_model_by_key("no-such-key") is None
    assert await repo.list_models(name="no such name") == []


async def test_S31_S33_installing(client: AsyncInvokeAIClient, lora: Path) -> None:
    repo = client.dnn_model_repo
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
    client: AsyncInvokeAIClient, lora: Path, tiny_models: Any, inplace: bool
) -> None:
    first = await installed(client, lora, inplace=inplace)
    if not inplace:  # the server took the file; a new one in its place must not be taken too
        assert not is_there(lora)
        shutil.copy(tiny_models.folder / "tiny-lora-sd1.safetensors", lora)
    job = await client.dnn_model_repo.install_model(lora, inplace=inplace)
    assert job.info.status is InstallStatus.COMPLETED
    assert job.info.extra["reason"] == "already_installed"
    assert job.info.model_key == first.model_key
    assert await job.wait_until(timeout=0) is job.info
    assert is_there(lora)


async def test_S31_installed_already_as_the_server_tells_it(client: AsyncInvokeAIClient, lora: Path) -> None:
    """Not known from the list beforehand: another spelling of the path, which only the server sees through."""
    first = await installed(client, lora, inplace=True)
    link = lora.parent.parent / "link"
    link.symlink_to(lora.parent)
    info = await installed(client, link / lora.name, inplace=True)
    assert info.extra["reason"] == "already_installed"
    assert info.model_key == first.model_key
    assert info.error is None


async def test_S31_a_start_that_fails(client: AsyncInvokeAIClient, tmp_path: Path) -> None:
    with pytest.raises(ModelInstallStartError, match=r"missing\.safetensors was not started") as caught:
        await client.dnn_model_repo.install_model(tmp_path / "missing.safetensors")
    assert isinstance(caught.value, ModelInstallError)
    assert isinstance(caught.value, APIRequestError)
    assert caught.value.status_code == 409
    assert caught.value.payload["detail"]
    with pytest.raises(UsageError, match="source is empty"):
        await client.dnn_model_repo.install_model(" ")
    with pytest.raises(UsageError, match="should be owner/name"):
        await client.dnn_model_repo.install_huggingface("just-a-name")


async def test_S31_a_job_that_fails(client: AsyncInvokeAIClient, lora: Path) -> None:
    """The key asked for is another model's: not installed already, but in the way."""
    [taken] = await client.dnn_model_repo.list_models(name="tiny-sd1")
    job = await client.dnn_model_repo.install_model(lora, inplace=True, config={"key": taken.key})
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


async def test_S33_a_wait_that_runs_out(client: AsyncInvokeAIClient, lora: Path) -> None:
    job = await client.dnn_model_repo.install_model(lora, inplace=True)
    # The server takes jobs up once a second, so this one is hardly ever done at once.
    try:
        await job.wait_until(timeout=0)
    except ModelInstallTimeout as error:
        assert error.timeout == 0
        assert error.last_info is job.info
        assert isinstance(error, TimeoutError)
    assert (await job.wait_until(timeout=PATIENCE)).is_successful()
    with pytest.raises(UsageError, match="poll_interval"):
        await job.wait_until(poll_interval=0)


async def test_S32_a_pruned_job_is_not_lost(client: AsyncInvokeAIClient, lora: Path) -> None:
    repo = client.dnn_model_repo
    job = await repo.install_model(lora, inplace=True)
    again = await repo.get_install_job(job.job_id or 0)
    assert again is not None
    await again.wait_until(timeout=PATIENCE)
    await repo.prune_install_jobs()
    info = await job.wait_until(timeout=PATIENCE)
    assert (info.status, info.model_key) == (InstallStatus.COMPLETED, again.info.model_key)


async def test_S33_a_job_and_its_model_both_gone(client: AsyncInvokeAIClient, lora: Path) -> None:
    repo = client.dnn_model_repo
    job = await repo.install_model(lora, inplace=True)
    again = await repo.get_install_job(job.job_id or 0)
    assert again is not None
    info = await again.wait_until(timeout=PATIENCE)
    await repo.prune_install_jobs()
    await repo.delete_model(info.model_key or "")
    with pytest.raises(ModelInstallJobFailed, match="no longer knows the installation job"):
        await job.wait_until(timeout=PATIENCE)


async def test_S34_converting_what_cannot_be_converted(client: AsyncInvokeAIClient) -> None:
    [model] = await client.dnn_model_repo.list_models(name="tiny-sd1")
    with pytest.raises(BadRequestError, match="not a main SD 1/2/XL checkpoint"):
        await client.dnn_model_repo.convert_model(model.key)
    with pytest.raises(NotFoundError):
        await client.dnn_model_repo.convert_model("no-such-key")


async def test_S34_scanning(client: AsyncInvokeAIClient, lora: Path, tmp_path: Path) -> None:
    [found] = await client.dnn_model_repo.scan_folder(lora.parent)
    assert found == FoundModel(path=str(lora), is_installed=False)
    await installed(client, lora, inplace=True)
    [found] = await client.dnn_model_repo.scan_folder(str(lora.parent))
    assert found.is_installed is True
    with pytest.raises(BadRequestError):
        await client.dnn_model_repo.scan_folder(tmp_path / "missing")


async def test_S34_cache_and_hugging_face(client: AsyncInvokeAIClient) -> None:
    assert await client.dnn_model_repo.empty_model_cache() is True
    stats = await client.dnn_model_repo.get_stats()
    assert stats is None or isinstance(stats, ModelCacheStats)
    assert await client.dnn_model_repo.hf_status() in ("valid", "invalid", "unknown")


async def test_several_installations_at_once(client: AsyncInvokeAIClient, lora: Path) -> None:
    paths = [lora.with_name(f"{lora.stem}-{number}.safetensors") for number in range(4)]
    for path in paths:
        shutil.copy(lora, path)
    infos = await asyncio.gather(*(installed(client, path, inplace=True) for path in paths))
    assert len({info.model_key for info in infos}) == 4


def test_the_synchronous_client_does_the_same(server: Any, lora: Path) -> None:
    with InvokeAIClient.from_url(server.url) as client:
        repo = client.dnn_model_repo
        handle = repo.install_model(str(lora), inplace=True)
        info = handle.wait_until(timeout=None)
        key = getattr(info, "model_key", None)
        assert key
        model = repo.get_model_by_key(key)
        assert model
        assert (model.name, model.base.value, model.type) == (lora.stem, "sd-1", "lora")  # pyright: ignore[reportAttributeAccessIssue]
        again = repo.install_model(str(lora), inplace=True)
        assert again.info.extra["reason"] == "already_installed"
        assert [
            getattr(h.info, "status", None) for h in repo.list_install_jobs() if h.job_id == handle.job_id
        ] == [InstallStatus.COMPLETED]
        assert repo.delete_model(key) is True
