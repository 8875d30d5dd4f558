"""Models' records on the real server: changed, found, checked, related, and installations that are restarted."""

from __future__ import annotations

import io
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from command import Command, ivk_command
from model_host import ModelHost, hosted
from PIL import Image as Pillow
from tests.conftest import RealServer

from invokeai_py_client import AsyncInvokeAIClient, InvokeAIClient
from invokeai_py_client.errors import (
    InputValueError,
    ModelInstallJobFailed,
    ModelNotFoundError,
    ServerError,
    TransferError,
    UsageError,
)
from invokeai_py_client.models import BaseModelEnum, InstallStatus, IvkDnnModel

__all__ = ["ivk_command"]

PATIENCE = 60  # seconds; a tiny model takes a fraction of a second
# Older servers have no default settings of LoRAs.
NEWER = pytest.mark.since("6.14")


@pytest.fixture(scope="module")
def own(
    server: Any, tiny_models: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[IvkDnnModel]]:
    """Two LoRAs of this module. Afterwards they are deleted, and the jobs that installed them."""
    folder = tmp_path_factory.mktemp("own")
    paths = [folder / name for name in ("watercolor.safetensors", "charcoal.safetensors")]
    for path in paths:
        shutil.copy(tiny_models.folder / "tiny-lora-sd1.safetensors", path)
    with InvokeAIClient.from_url(server.url) as client:
        repo = client.models
        infos = repo.wait_all(repo.install_models(paths), PATIENCE)
        models = [repo.get_model(info.model_key or "") for info in infos]
        yield models
        for model in models:
            repo.delete_model(model)
        repo.prune_install_jobs()


@pytest.fixture
def kept(client: InvokeAIClient) -> Iterator[None]:
    """Restore the default settings of the models that all tests share."""
    before = [one for one in client.models.list_models() if one.name in ("tiny-sd1", "tiny-t5")]
    yield
    for model in before:
        if model.default_settings is not None:
            client.models.update_model(model, default_settings=model.default_settings)
        if client.models.get_model(model).cpu_only != model.cpu_only:
            client.models.update_model(model, clear="cpu_only")
        assert client.models.get_model(model) == model


def rename(path: Path, target: Path) -> None:
    path.rename(target)


# --------------------------------------------------------------------------- changing records


@NEWER
async def test_values_of_a_record_are_changed_and_removed(
    either: AsyncInvokeAIClient, own: list[IvkDnnModel]
) -> None:
    repo, [model, _] = either.models, own
    changed = await repo.update_model(
        model,
        name="Aquarelle",
        description="Loose brushes, much water.",
        trigger_phrases=["watercolor", "wet paper"],
        default_settings={"weight": 0.6},
        source_url="https://example.org/watercolor",
    )
    assert (changed.key, changed.hash, changed.path) == (model.key, model.hash, model.path)
    assert changed.description == "Loose brushes, much water."
    assert set(changed.trigger_phrases or ()) == {"watercolor", "wet paper"}
    assert changed.default_settings == {"weight": 0.6, "weight_min": None, "weight_max": None}
    assert changed.source_url == "https://example.org/watercolor"
    assert (await repo.get_model("Aquarelle")).description == changed.description
    more = await repo.update_model("aquarelle", default_settings={"weight_max": 2, "weight_min": -2})
    assert more.default_settings == {"weight": 0.6, "weight_min": -2, "weight_max": 2}
    assert more.description == changed.description
    less = await repo.update_model(model.key, default_settings={"weight": None}, clear=["source_url"])
    assert less.default_settings == {"weight": None, "weight_min": -2, "weight_max": 2}
    assert (less.source_url, less.description) == (None, changed.description)
    bare = await repo.update_model(
        model, name=model.name, clear=["description", "trigger_phrases", "default_settings"]
    )
    assert (bare.description, bare.trigger_phrases, bare.default_settings) == (None, None, None)
    assert bare.name == model.name


def test_settings_of_a_main_model(client: InvokeAIClient, kept: None) -> None:
    repo = client.models
    settings = {"steps": 12, "scheduler": "DPM++ 2M Karras", "vae": "tiny-vae-sd1", "cfg_scale": 5}
    changed = repo.update_model("tiny-sd1", default_settings=settings)
    found = changed.default_settings or {}
    assert (found["steps"], found["scheduler"], found["cfg_scale"]) == (12, "dpmpp_2m_k", 5)
    assert found["vae"] == repo.get_model("tiny-vae-sd1").key
    assert (found["width"], found["height"]) == (512, 512)


@pytest.mark.since("6.14")
def test_models_that_always_run_on_the_cpu(client: InvokeAIClient, kept: None) -> None:
    repo = client.models
    found = repo.update_model("tiny-sd1", cpu_only=True).default_settings or {}
    assert found["cpu_only"] is True  # main models have this value among their settings
    assert (repo.update_model("tiny-sd1", clear="cpu_only").default_settings or {})["cpu_only"] is None
    assert repo.update_model("tiny-t5", cpu_only=True).cpu_only is True
    assert repo.update_model("tiny-t5", cpu_only=False).cpu_only is False


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("tiny-sd1", {}, r"Nothing to change about the model 'tiny-sd1'"),
        ("tiny-sd1", {"name": " "}, r"name: ' ' is empty; expected a text\.$"),
        ("tiny-sd1", {"description": ""}, r"description: '' is empty.* clear=\"description\"\.$"),
        ("tiny-sd1", {"trigger_phrases": []}, r"trigger_phrases: \[\] is not valid"),
        ("tiny-sd1", {"trigger_phrases": ["a", ""]}, r"trigger_phrases: \['a', ''\] is not valid"),
        ("tiny-sd1", {"source_url": "ftp://a"}, r"source_url: 'ftp://a' is not valid; expected a URL"),
        ("tiny-sd1", {"clear": "path"}, r"Cannot clear 'path': expected one of cpu_only, default_settings"),
        ("tiny-sd1", {"clear": "descripton"}, r"Did you mean 'description'\?"),
        ("tiny-sd1", {"description": "a", "clear": "description"}, r"description is to be set and cleared"),
        ("tiny-lora-sd1", {"cpu_only": True}, r"'tiny-lora-sd1' has no cpu_only: .*\(sd-1 lora lycoris\)"),
        ("tiny-vae-sd1", {"trigger_phrases": ["a"]}, r"'tiny-vae-sd1' has no trigger_phrases"),
        (
            "tiny-sd1",
            {"default_settings": {"step": 3}},
            r"No default setting 'step' .* Did you mean 'steps'\?",
        ),
        (
            "tiny-sd1",
            {"default_settings": {"weight": 1}},
            r"No default setting 'weight' of the model 'tiny-sd1'",
        ),
        pytest.param(
            "tiny-lora-sd1",
            {"default_settings": {"steps": 3}},
            r"type 'lora'; expected weight, weight_max, weight_min",
            marks=NEWER,
        ),
        (
            "tiny-sd1",
            {"default_settings": {"steps": 0}},
            r"\['steps'\] .*: 0 is not valid; expected a whole number",
        ),
        ("tiny-sd1", {"default_settings": {"steps": True}}, r"\['steps'\] .*: True is not valid"),
        ("tiny-sd1", {"default_settings": {"width": 500}}, r"500 is not valid; expected a multiple of 8"),
        (
            "tiny-sd1",
            {"default_settings": {"vae": "tiny-vae-sd7"}},
            r"No model named 'tiny-vae-sd7'.*tiny-vae-sd1",
        ),
        (
            "tiny-sd1",
            {"default_settings": {"vae": "tiny-sdxl"}},
            r"'tiny-sdxl' is of type main; expected a VAE",
        ),
        pytest.param(
            "tiny-lora-sd1",
            {"default_settings": {"weight_min": 1, "weight_max": 1}},
            r"weight_min 1 is not less than weight_max 1",
            marks=NEWER,
        ),
        ("tiny-sd7", {"name": "a"}, r"No model named 'tiny-sd7'"),
    ],
)
def test_changes_that_are_not_valid_change_nothing(
    client: InvokeAIClient, name: str, changes: dict[str, Any], message: str
) -> None:
    before = client.models.list_models()
    with pytest.raises(UsageError, match=message):
        client.models.update_model(name, **changes)
    assert client.models.list_models() == before


# --------------------------------------------------------------------------- finding


@pytest.mark.since("6.12")
async def test_models_by_hash(either: AsyncInvokeAIClient) -> None:
    repo = either.models
    model = await repo.get_model("tiny-sd1")
    assert await repo.get_model_by_hash(model.hash or "") == model
    assert await repo.get_model_by_hash("blake3:0") is None
    with pytest.raises(UsageError, match="hash: '' is empty"):
        await repo.get_model_by_hash("")


async def test_models_by_name_and_architecture(either: AsyncInvokeAIClient) -> None:
    repo = either.models
    model = await repo.get_model("tiny-sd1")
    assert await repo.get_model_by_name("tiny-sd1", "SD_1", "main") == model
    assert await repo.get_model_by_name("tiny-sd1", BaseModelEnum.SDXL, "main") is None


def test_lists_are_sorted_also_over_several_bases(client: InvokeAIClient) -> None:
    repo = client.models
    everything = repo.list_models()
    some = repo.list_models(base=["sdxl", BaseModelEnum.SD1])
    assert {str(model.base) for model in some} == {"sd-1", "sdxl"}
    assert [model.name for model in some] == sorted(model.name for model in some)
    sizes = [model.file_size for model in repo.list_models(order_by="size", direction="DESC")]
    assert sizes == sorted((model.file_size for model in everything), reverse=True)  # pyright: ignore[reportArgumentType]
    with pytest.raises(UsageError, match=r"order_by: 'date' is not valid; expected one of default, name"):
        repo.list_models(order_by="date")  # pyright: ignore[reportArgumentType]
    with pytest.raises(UsageError, match=r"direction: 'down' is not valid; expected 'ASC' or 'DESC'"):
        repo.list_models(direction="down")  # pyright: ignore[reportArgumentType]
    with pytest.raises(UsageError, match=r"base: \[\] is empty"):
        repo.list_models(base=[])


@pytest.mark.since("6.13")
def test_lists_are_sorted_by_date(client: InvokeAIClient, own: list[IvkDnnModel]) -> None:
    repo = client.models
    oldest = repo.list_models(order_by="created_at")
    assert {model.key for model in oldest[-2:]} == {model.key for model in own}
    newest = repo.list_models(base=["sdxl", "sd-1"], order_by="created_at", direction="DESC")
    assert [model.key for model in newest] == [
        model.key for model in reversed(oldest) if model.base in ("sd-1", "sdxl")
    ]


# --------------------------------------------------------------------------- files


@pytest.mark.since("6.12")
async def test_missing_files_are_found_and_a_new_path_repairs_the_record(
    either: AsyncInvokeAIClient, own: list[IvkDnnModel]
) -> None:
    repo, [model, _] = either.models, own
    path = Path(model.path or "")
    elsewhere = path.with_name("elsewhere.safetensors")
    assert model.key not in {one.key for one in await repo.list_missing()}
    rename(path, elsewhere)
    try:
        assert [one.key for one in await repo.list_missing()] == [model.key]
        assert (await repo.update_model(model, path=str(elsewhere))).path == str(elsewhere)
        assert await repo.list_missing() == []
    finally:
        rename(elsewhere, path)
        await repo.update_model(model, path=str(path))


@NEWER
async def test_properties_are_detected_again_and_each_failure_is_reported(
    either: AsyncInvokeAIClient, own: list[IvkDnnModel]
) -> None:
    repo, [model, other] = either.models, own
    await repo.update_model(model, description="kept", default_settings={"weight": 0.5})
    [again] = await repo.reidentify(model)
    assert (again.key, again.description, again.base) == (model.key, "kept", BaseModelEnum.SD1)
    assert (again.default_settings or {}).get("weight") is None
    path = Path(other.path or "")
    rename(path, path.with_suffix(".gone"))
    try:
        with pytest.raises(
            TransferError, match=r"1 of 2 models could not be recognized:\n  charcoal"
        ) as caught:
            await repo.reidentify([model, other.name])
        assert list(caught.value.done) == [model.key]
        assert list(caught.value.failed) == ["charcoal"]
    finally:
        rename(path.with_suffix(".gone"), path)
    with pytest.raises(ModelNotFoundError, match="No model named 'tiny-sd7'"):
        await repo.reidentify([model, "tiny-sd7"])


@pytest.mark.since("6.12")
def test_orphaned_folders_are_listed_and_only_those_are_deleted(
    client: InvokeAIClient, server: Any, tiny_models: Any, own: list[IvkDnnModel], tmp_path: Path
) -> None:
    repo, folder = client.models, server.root / "models"
    file = tiny_models.folder / "tiny-lora-sd1.safetensors"
    moved = shutil.copy(file, tmp_path / "moved.safetensors")
    installed = repo.install_model(moved, inplace=False).wait_until(PATIENCE).model_key or ""
    (folder / "stray").mkdir()
    for path in (folder / "stray" / "old.safetensors", folder / "single.safetensors"):
        shutil.copy(file, path)
    try:
        single, stray = repo.list_orphaned()
        assert (single.path, stray.path) == ("single.safetensors", "stray")
        assert (stray.files, stray.size_bytes) == (["old.safetensors"], file.stat().st_size)
        assert stray.absolute_path == str(folder / "stray")
        for path in (installed, ".", "../databases"):
            with pytest.raises(UsageError, match=r"is not orphaned: expected a path in list_orphaned\(\)"):
                repo.delete_orphaned([stray, path])
        assert (folder / installed).exists()
        with pytest.raises(TransferError, match=r"1 of 2 folders could not be deleted:\n  single") as caught:
            repo.delete_orphaned([stray, "single.safetensors"])
        assert list(caught.value.done) == ["stray"]
        assert [one.path for one in repo.list_orphaned()] == ["single.safetensors"]
    finally:
        (folder / "single.safetensors").unlink()
        shutil.rmtree(folder / "stray", ignore_errors=True)
        repo.delete_model(installed)
    assert repo.list_orphaned() == []


def test_models_are_deleted_together_and_each_failure_is_reported(
    client: InvokeAIClient,
    server: Any,
    tiny_models: Any,
    tmp_path: Path,
    ivk_command: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("INVOKEAI_URL", client.url)
    repo = client.models
    paths = [tmp_path / f"{name}.safetensors" for name in ("first", "second", "third", "fifth")]
    for path in paths:
        shutil.copy(tiny_models.folder / "tiny-lora-sd1.safetensors", path)
    keys = [info.model_key or "" for info in repo.wait_all(repo.install_models(paths), PATIENCE)]
    with pytest.raises(ModelNotFoundError, match="'fourth'"):
        repo.delete_models(["first", "fourth"])
    with closing(
        sqlite3.connect(server.root / "databases" / "invokeai.db", timeout=PATIENCE, isolation_level=None)
    ) as database:
        several = ["first", keys[1], repo.get_model("third")]
        database.execute(
            f"CREATE TRIGGER failing BEFORE DELETE ON models WHEN OLD.id = '{keys[1]}' "
            "BEGIN SELECT RAISE(ABORT, 'a fault of the test'); END"
        )
        try:
            with pytest.raises(TransferError, match=r"1 of 3 models .*deleted:\n  second: ") as caught:
                repo.delete_models(several)
            assert list(caught.value.done) == [keys[0], keys[2]]
            done = ivk_command("models", "rm", "second", "fifth", "--yes", "--json")
            assert done.code == 1
            [result, error] = done.objects
            assert (result["ok"], result["keys"]) == (False, [keys[3]])
            assert (error["code"], list(error["failed"])) == ("transfer", ["second"])
            assert "1 of 2 models could not be deleted: second: " in done.said
        finally:
            database.execute("DROP TRIGGER failing")
    assert repo.delete_models(several[1]) == [keys[1]]
    assert all(path.exists() for path in paths)
    repo.prune_install_jobs()


# --------------------------------------------------------------------------- pictures and relationships


async def test_pictures(either: AsyncInvokeAIClient, own: list[IvkDnnModel], picture: bytes) -> None:
    repo, [model, _] = either.models, own
    assert await repo.get_picture(model) is None
    assert await repo.delete_picture(model.name) is False
    await repo.set_picture(model.name, picture)
    assert (await repo.get_model(model)).cover_image
    data = await repo.get_picture(model.key)
    assert data is not None
    with Pillow.open(io.BytesIO(data)) as image:
        assert (image.format, image.size) == ("WEBP", (64, 64))
    assert await repo.delete_picture(model) is True
    assert await repo.get_picture(model) is None
    with pytest.raises(InputValueError):
        await repo.set_picture(model, b"no picture")
    with pytest.raises(ModelNotFoundError):
        await repo.get_picture("tiny-sd7")


async def test_relationships(either: AsyncInvokeAIClient, own: list[IvkDnnModel]) -> None:
    repo, [model, other] = either.models, own
    await repo.relate("tiny-sd1", model)
    await repo.relate(model.name, "tiny-sd1")  # once more, from the other side
    await repo.relate(other, "tiny-sd1")
    assert [one.name for one in await repo.related_to("tiny-sd1")] == ["charcoal", "watercolor"]
    assert [one.name for one in await repo.related_to(model)] == ["tiny-sd1"]
    assert [one.name for one in await repo.related_to([model, "tiny-sd1"])] == [
        "charcoal",
        "tiny-sd1",
        "watercolor",
    ]
    for one in own:
        await repo.unrelate("tiny-sd1", one)
        await repo.unrelate("tiny-sd1", one)
    assert await repo.related_to("tiny-sd1") == []
    with pytest.raises(UsageError, match="are the same model"):
        await repo.relate("tiny-sd1", "TINY-SD1")
    with pytest.raises(ModelNotFoundError, match="'tiny-sd7'"):
        await repo.relate("tiny-sd1", "tiny-sd7")


# --------------------------------------------------------------------------- installing


@pytest.fixture
def host(tiny_models: Any, client: InvokeAIClient) -> Iterator[ModelHost]:
    """A web server that offers a model. Afterwards what was installed from it is deleted."""
    with hosted(tiny_models.folder / "tiny-esrgan-x2.safetensors") as host:
        yield host
    for job in client.models.list_install_jobs():
        job.cancel()
        if job.info.source == host.url and job.info.model_key:
            client.models.delete_model(job.info.model_key)
    client.models.prune_install_jobs()


@pytest.mark.since("6.12")
async def test_failed_download_is_restarted(either: AsyncInvokeAIClient, host: ModelHost) -> None:
    host.go_on.set()
    host.refuse = 2
    job = await either.models.install_model(host.url, config={"name": "at last"})
    with pytest.raises(ModelInstallJobFailed, match="Service Unavailable"):
        await job.wait_until(PATIENCE)
    with pytest.raises(UsageError, match=r"has no file 'https://example.org/a'; expected one of 'http://127"):
        await job.restart_file("https://example.org/a")
    await job.restart_failed()
    with pytest.raises(ModelInstallJobFailed, match="Service Unavailable"):
        await job.wait_until(PATIENCE)
    await job.restart_file(host.url)
    info = await job.wait_until(PATIENCE)
    assert (info.status, info.error, host.refuse) == (InstallStatus.COMPLETED, None, 0)
    assert len(host.ranges) == 3
    assert (await either.models.get_model(info.model_key or "")).name == "at last"
    assert (await job.restart_failed()).is_successful()
    assert (await job.restart_file("whatever")).is_successful()
    assert len(host.ranges) == 3


@pytest.mark.since("6.12")
def test_installation_in_progress_is_not_orphaned_and_a_canceled_one_is_not_restarted(
    client: InvokeAIClient, host: ModelHost
) -> None:
    repo = client.models
    job = repo.install_model(host.url)
    for event in job.events():
        if event.info.bytes:
            assert repo.list_orphaned() == []
            job.cancel()
    with pytest.raises(UsageError, match=r"Cannot restart .*: it was canceled\. Install the model again\."):
        job.restart_failed()


def test_bundles_of_starter_models(client: InvokeAIClient, server: RealServer) -> None:
    bundles = {bundle.id: bundle for bundle in client.models.list_starter_bundles()}
    # 5.15.0 has no names of bundles.
    assert bundles["flux"].name == ("flux" if server.is_before("6.0") else "FLUX.1 dev")
    assert not bundles["flux"].is_installed
    assert {model.base for model in bundles["sdxl"].models} >= {BaseModelEnum.SDXL}
    known = {model.source for model in client.models.list_starter_models()}
    assert {model.source for bundle in bundles.values() for model in bundle.models} <= known
    with pytest.raises(
        ModelNotFoundError, match=r"No bundle of starter models named 'flux1'\. Did you mean 'flux'"
    ):
        client.models.install_starter_bundle("flux1")


def test_server_without_internet_cannot_look_into_hugging_face(client: InvokeAIClient) -> None:
    with pytest.raises(UsageError, match=r"Invalid Hugging Face repository 'name': expected owner/name\."):
        client.models.list_hugging_face("name")
    with pytest.raises((ServerError, UsageError)):
        client.models.list_hugging_face("no-such-owner-at-all/no-such-model")
