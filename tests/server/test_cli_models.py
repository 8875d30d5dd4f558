"""``ivk models``: changing, checking, relating and restarting, against the real server."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from command import Command, ivk_command
from model_host import hosted
from multi_user import ADMIN, ANN, Users
from tests.conftest import RealServer

from invokeai_py_client import InvokeAIClient

if TYPE_CHECKING:
    from invokeai_py_client.server import TinyModels

__all__ = ["ivk_command"]

PATIENCE = 60


@pytest.fixture
def ivk(
    ivk_command: Command, client: InvokeAIClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Command]:
    """The command, in an empty folder. Afterwards the models and jobs of the test are deleted."""
    monkeypatch.setenv("INVOKEAI_URL", client.url)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(tmp_path)
    before = {model.key for model in client.models.list_models()}
    yield ivk_command
    for model in client.models.list_models():
        if model.key not in before:
            client.models.delete_model(model)
    client.models.prune_install_jobs()


@pytest.fixture
def lora(ivk: Command, client: InvokeAIClient, tiny_models: TinyModels, tmp_path: Path) -> Path:
    """The file of an installed LoRA named ``pastel``."""
    path = tmp_path / "files" / "pastel.safetensors"
    path.parent.mkdir()
    shutil.copy(tiny_models.folder / "tiny-lora-sd1.safetensors", path)
    client.models.install_model(path).wait_until(PATIENCE)
    return path


@pytest.mark.since("6.14")  # default settings of LoRAs
def test_models_edit_and_info(
    ivk: Command, lora: Path, client: InvokeAIClient, picture: bytes, tmp_path: Path
) -> None:
    (tmp_path / "cover.png").write_bytes(picture)
    edited = [
        "--description",
        "For chalk",
        "--trigger",
        "chalk",
        "--default",
        "weight=0.6",
        "--picture",
        "cover.png",
    ]
    done = ivk("models", "edit", "pastel", "--name", "chalk", *edited)
    assert (done.code, done.out) == (0, ""), done.err
    assert "Changed chalk." in done.err
    facts = dict(ivk("models", "info", "chalk").cells)
    assert (facts["description"], facts["trigger_phrases"]) == ("For chalk", '["chalk"]')
    assert facts["default_settings"] == '{"weight": 0.6, "weight_min": null, "weight_max": null}'
    assert "api/v2/models/i/" in facts["cover_image"]
    cleared = ["--clear", "trigger-phrases", "--clear", "picture", "--default", "weight="]
    [record] = ivk("models", "edit", "chalk", *cleared, "--json").objects
    assert (record["event"], record["ok"], record["description"]) == ("result", True, "For chalk")
    assert not {"trigger_phrases", "cover_image"} & record.keys()
    assert record["default_settings"]["weight"] is None
    assert client.models.get_picture("chalk") is None
    for arguments, message in (
        ([], "Nothing to change: pass at least one option"),
        (["--default", "weight"], "Invalid default setting 'weight': expected NAME=VALUE"),
        (["--default", "weight=much"], "'much' is not valid; expected a number"),
        (["--default", "steps=3"], "No default setting 'steps'"),
        (["--cpu-only"], "'chalk' has no cpu_only"),
        (["--picture", "none.png"], "none.png"),
        (["--picture", "cover.png", "--clear", "picture"], "cannot be used together"),
    ):
        refused = ivk("models", "edit", "chalk", *arguments)
        assert (refused.code, message in refused.said) == (2, True), refused.said


def test_models_are_listed_by_several_bases_and_sorted(ivk: Command) -> None:
    both = ivk(
        "models", "ls", "--base", "sd-1", "--base", "sdxl", "--sort", "size", "--desc", "--json"
    ).objects[:-1]
    assert {one["base"] for one in both} == {"sd-1", "sdxl"}
    sizes = [one["file_size"] for one in both]
    assert sizes == sorted(sizes, reverse=True)
    assert [row[2] for row in ivk("models", "ls").cells] == sorted(
        row[2] for row in ivk("models", "ls").cells
    )


@pytest.mark.since("6.9")
def test_models_related_and_reidentify(ivk: Command, lora: Path) -> None:
    added = ivk("models", "related", "pastel", "--add", "tiny-sd1", "--add", "tiny-vae-sd1")
    assert [row[0] for row in added.cells] == ["tiny-sd1", "tiny-vae-sd1"]
    assert [row[0] for row in ivk("models", "related", "tiny-sd1").cells] == ["pastel"]
    less = ivk("models", "related", "pastel", "--remove", "tiny-sd1", "--json").objects
    assert [one.get("name") for one in less] == ["tiny-vae-sd1", None]
    again = ivk("models", "reidentify", "pastel", "tiny-vae-sd1")
    assert [row[0] for row in again.cells] == ["pastel", "tiny-vae-sd1"]
    unknown = ivk("models", "related", "pastel", "--add", "tiny-sd7")
    assert (unknown.code, "'tiny-sd1'" in unknown.said) == (2, True)


@pytest.mark.since("6.12")
def test_models_check_finds_missing_and_orphaned_files(ivk: Command, lora: Path, server: Any) -> None:
    clean = ivk("models", "check")
    assert (clean.code, clean.out) == (0, ""), clean.out
    assert "All models have their files." in clean.err
    stray = server.root / "models" / "stray"
    stray.mkdir()
    shutil.copy(lora, stray / "old.safetensors")
    gone = lora.rename(lora.with_name("moved.safetensors"))
    try:
        found = ivk("models", "check")
        assert found.code == 1
        assert found.cells == [
            ["missing", "pastel", "", str(lora)],
            ["orphaned", "stray", "88.2 KB", str(stray)],
        ]
        assert "ivk models edit NAME --path PATH" in found.said
        assert ivk("models", "edit", "pastel", "--path", str(gone)).code == 0
        lines = ivk("models", "check", "--json").objects
        assert [one["event"] for one in lines] == ["orphaned", "result"]
        assert lines[-1] == {"event": "result", "ok": True, "missing": 0, "orphaned": 1, "deleted": []}
        refused = ivk("models", "check", "--delete-orphaned")
        assert (refused.code, "Permanently delete 'stray'" in refused.said) == (2, True)
        done = ivk("models", "check", "--delete-orphaned", "--yes")
        assert (done.code, done.out) == (0, ""), done.out
        assert "Deleted 1 folder." in done.err
        assert not stray.exists()
    finally:
        shutil.rmtree(stray, ignore_errors=True)


@pytest.mark.since("6.12")
def test_failed_installation_is_restarted(ivk: Command, tiny_models: TinyModels) -> None:
    with hosted(tiny_models.folder / "tiny-esrgan-x2.safetensors") as host:
        host.go_on.set()
        host.refuse = 1
        failed = ivk("models", "install", host.url)
        assert failed.code == 1
        [row] = [row for row in ivk("models", "jobs").cells if row[3] == host.url]
        assert row[1:] == ["error", "", host.url, "Service Unavailable"]
        done = ivk("models", "install", "--restart", row[0])
        assert (done.code, len(done.lines)) == (0, 1), done.err
        [again] = [one for one in ivk("models", "jobs", "--json").objects if one.get("source") == host.url]
        assert (again["status"], again["key"], again["error"]) == ("completed", done.lines[0], None)
    unknown = ivk("models", "install", "--restart", "123456")
    assert (unknown.code, "No installation 123456." in unknown.said) == (2, True)
    nothing = ivk("models", "install")
    assert (nothing.code, "expected SOURCES, --bundle BUNDLE or --restart JOB" in nothing.said) == (2, True)


def test_bundles_of_starter_models(ivk: Command, server: RealServer) -> None:
    rows = {row[0]: row[1:] for row in ivk("models", "starters", "--bundles").cells}
    assert rows["flux"][0] == ("flux" if server.is_before("6.0") else "FLUX.1 dev")
    assert int(rows["sdxl"][1]) > int(rows["sdxl"][2])
    assert ivk("models", "starters", "--bundles", "--base", "sdxl").code == 2
    unknown = ivk("models", "install", "--bundle", "sdx")
    assert (unknown.code, "Did you mean 'sdxl'" in unknown.said) == (2, True)


@pytest.mark.since("6.12")
def test_only_administrators_see_orphaned_files_and_installations(
    ivk_command: Command, users: Users, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INVOKEAI_URL", users.url)
    for (email, password), is_admin in ((ANN, False), (ADMIN, True)):
        monkeypatch.setenv("INVOKEAI_EMAIL", email)
        monkeypatch.setenv("INVOKEAI_PASSWORD", password)
        checked = ivk_command("models", "check")
        assert (checked.code, "Only administrators can see" in checked.err) == (0, not is_admin), checked.err
        assert ivk_command("models", "jobs").code == (0 if is_admin else 1)
