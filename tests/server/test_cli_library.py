"""``ivk workflows`` and ``ivk models`` against the real server."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import workflows
from command import Command, ivk_command

from invokeai_py_client import InvokeAIClient

if TYPE_CHECKING:
    from tests.conftest import RealServer

    from invokeai_py_client.server import TinyModels

__all__ = ["ivk_command"]

NAME = "Saved by the command line"
DEFAULT = "Text to Image - SDXL"


@pytest.fixture
def ivk(
    ivk_command: Command, client: InvokeAIClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Command]:
    monkeypatch.setenv("INVOKEAI_URL", client.url)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(tmp_path)
    yield ivk_command
    for one in client.workflow_repo.list_workflows(NAME, categories=("user",)):
        client.workflow_repo.delete_workflow(one["workflow_id"])
    for model in client.dnn_model_repo.list_models():
        if model.name.startswith("command-line"):
            client.dnn_model_repo.delete_model(model.key)


@pytest.fixture
def saved(tmp_path: Path) -> str:
    (tmp_path / "mine.json").write_text(json.dumps({**workflows.add(), "name": NAME}))
    return "mine.json"


def test_workflows_push_pull_replace_and_rm(
    ivk: Command, saved: str, client: InvokeAIClient, tmp_path: Path
) -> None:
    [workflow_id] = ivk("workflows", "push", saved).lines
    assert [row[0] for row in ivk("workflows", "ls", NAME, "--mine").cells] == [NAME]
    assert ivk("workflows", "pull", NAME.lower()).lines == ["Saved-by-the-command-line.json"]
    document = json.loads((tmp_path / "Saved-by-the-command-line.json").read_text())
    assert (document["name"], document["id"]) == (NAME, workflow_id)
    there = ivk("workflows", "pull", NAME)
    assert there.code == 2
    assert "--overwrite" in there.said
    again = ivk("workflows", "push", saved)
    assert again.code == 2
    assert "--replace" in again.said
    (tmp_path / saved).write_text(json.dumps({**workflows.add(), "name": NAME, "author": "someone"}))
    replaced = ivk("workflows", "push", saved, "--replace", "--json").objects[-1]
    assert (replaced["workflow_id"], replaced["replaced"]) == (workflow_id, True)
    assert client.workflow_repo.get_workflow(workflow_id).to_dict()["author"] == "someone"
    [other] = ivk("workflows", "push", saved, "--new").lines
    several = ivk("workflows", "pull", NAME)
    assert several.code == 2
    assert workflow_id in several.said
    assert ivk("workflows", "rm", other).code == 2
    assert ivk("workflows", "rm", workflow_id, other, "--yes").said == "Deleted 2 workflows."
    assert ivk("workflows", "ls", NAME).out == ""


def test_push_saves_a_copy_of_a_built_in_workflow(ivk: Command, tmp_path: Path) -> None:
    ivk("workflows", "pull", DEFAULT, "-o", "theirs.json")
    document = json.loads((tmp_path / "theirs.json").read_text())
    assert document["meta"]["category"] == "default"
    (tmp_path / "theirs.json").write_text(json.dumps({**document, "name": NAME}))
    pushed = ivk("workflows", "push", "theirs.json")
    assert pushed.code == 0, pushed.said
    assert [row[:2] for row in ivk("workflows", "ls", NAME).cells] == [[NAME, "user"]]


def test_built_in_workflows_cannot_be_deleted(ivk: Command, client: InvokeAIClient) -> None:
    text = ivk("workflows", "pull", DEFAULT, "-o", "-").out
    assert json.loads(text)["name"] == DEFAULT
    done = ivk("workflows", "rm", DEFAULT, "--yes")
    assert done.code == 2
    assert "it is a default workflow of the server" in done.said
    assert len(client.workflow_repo.list_workflows(DEFAULT)) == 1
    listed = ivk("workflows", "ls", "SDXL", "--json").objects
    assert listed[-1] == {"event": "result", "ok": True, "workflows": len(listed) - 1}


def test_unknown_workflow_suggests_close_names(ivk: Command) -> None:
    done = ivk("workflows", "pull", "Text to Image SDXL", "--json")
    assert done.code == 2
    assert done.objects[-1]["code"] == "workflow_not_found"
    assert repr(DEFAULT) in done.said


def test_models_install_in_place_and_rm(
    ivk: Command, server: RealServer, tiny_models: TinyModels, tmp_path: Path
) -> None:
    file = tmp_path / "files" / "command-line.safetensors"
    file.parent.mkdir()
    shutil.copy(tiny_models.folder / "tiny-lora-sd1.safetensors", file)
    assert ivk("models", "scan", "files").cells == [[str(file), ""]]
    done = ivk("models", "install", "files/command-line.safetensors")
    assert done.code == 0, done.err
    [key] = done.lines
    assert "Installed command-line." in done.err
    assert file.exists()
    assert ivk("models", "scan", str(file.parent), "--json").objects[0]["is_installed"] is True
    again = ivk("models", "install", str(file), "--json").objects[0]
    assert (again["key"], again["reason"]) == (key, "already_installed")
    row = next(row for row in ivk("models", "ls", "--base", "sd-1", "--type", "lora").cells if row[-1] == key)
    assert row[:3] == ["command-line", "sd-1", "lora"]
    refused = ivk("models", "rm", "command-line")
    assert refused.code == 2
    assert "Their files are kept" in refused.said
    assert ivk("models", "rm", "command-line", "--yes", "--json").objects[-1]["keys"] == [key]
    assert file.exists()
    moved = ivk("models", "install", str(file), "--move")
    assert moved.code == 0, moved.err
    assert file.exists() == server.is_before("6.14")  # older servers copy it
    refused = ivk("models", "rm", moved.lines[0])
    assert "This deletes the files of 'command-line'" in refused.said


def test_models_install_failure(ivk: Command, client: InvokeAIClient) -> None:
    before = len(client.dnn_model_repo.list_models())
    done = ivk("models", "install", "/nowhere/at-all.safetensors", "--json")
    assert done.code == 1
    assert done.objects[-1]["event"] == "error"
    proposed = ivk("models", "install", "Juggernaut XL v8")
    assert proposed.code == 2
    assert "Juggernaut XL v9" in proposed.said
    assert len(client.dnn_model_repo.list_models()) == before


def test_unknown_model_suggests_close_names(ivk: Command) -> None:
    done = ivk("models", "rm", "tiny-sd7", "--yes")
    assert done.code == 2
    assert "'tiny-sd1'" in done.said


def test_starter_models(ivk: Command) -> None:
    shown = ivk("models", "starters", "--base", "sdxl", "--type", "main", terminal=True)
    assert "Juggernaut XL v9" in shown.out
    assert max(map(len, shown.shown)) <= 80
    names = {row["name"] for row in ivk("models", "starters", "--json").objects[:-1]}
    assert "Juggernaut XL v9" in names
    assert "No matching starter models" in ivk("models", "starters", "--type", "no-such-type").said
    unknown = ivk("models", "ls", "--base", "no-such-base")
    assert unknown.code == 2
    assert "'sd-1'" in unknown.said
