"""``ivk`` commands that show, check, open and complete things, against the real server."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import workflows
from command import Command, ivk_command

from invokeai_py_client.cli.main import ivk as group
from invokeai_py_client.cli.output import run_command

__all__ = ["ivk_command"]

DEFAULT = "Text to Image - SDXL"


@pytest.fixture
def ivk(ivk_command: Command, server: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    monkeypatch.setenv("INVOKEAI_URL", server.url)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(tmp_path)
    Path("sd1.json").write_text(json.dumps(workflows.sd1()))
    Path("add.json").write_text(json.dumps(workflows.add()))
    return ivk_command


def test_open_the_results(ivk: Command, monkeypatch: pytest.MonkeyPatch, nothing_left: None) -> None:
    opened: list[str] = []

    def launch(path: str) -> int:
        opened.append(path)
        return 0

    monkeypatch.setattr("click.launch", launch)
    words = ["sd1.json", "-s", "model=tiny-sd1", "-s", "steps=2", "--open"]
    done = ivk("run", *words, "-o", "out")
    assert ivk("sweep", *words, "-s", "seed=1,2", "-o", "grid", "--report", "--grid").code == 0
    assert ivk("sweep", *words, "-s", "seed=1,2", "-o", "plain").code == 0
    assert opened == [*done.lines, "grid/index.html", "plain/images"]

    def fail(path: str) -> int:
        del path
        return 1

    monkeypatch.setattr("click.launch", fail)
    failed = ivk("run", *words, "-o", "out")
    assert failed.code == 0
    assert "no program was found" in failed.said


def test_show_a_workflow(ivk: Command) -> None:
    rows = dict(ivk("workflows", "show", DEFAULT).cells)
    assert rows["name"] == DEFAULT
    assert rows["category"] == "default"
    assert "sdxl_model_loader" in rows["nodes"].split(", ")
    shown = ivk("workflows", "show", "sd1.json", "--json").objects[-1]
    assert shown["inputs"] == ["Model", "Positive Prompt", "Negative Prompt", "Steps", "Seed"]
    assert "ivk inputs" in ivk("workflows", "show", DEFAULT, terminal=True).err


def test_validate_workflows(ivk: Command) -> None:
    document = workflows.add()
    document["nodes"][0]["data"]["type"] = "my_missing_node"
    Path("missing.json").write_text(json.dumps(document))
    Path("text.json").write_text("hello")
    assert ivk("workflows", "validate", "add.json").lines == ["ok   add.json"]
    done = ivk("workflows", "validate", "add.json", "sd1.json", "missing.json", "text.json", "none.json")
    assert done.code == 1
    states = [line.split() for line in done.lines if not line.startswith(" ")]
    assert states == [
        ["ok", "add.json"],
        ["fail", "sd1.json"],
        ["fail", "missing.json"],
        ["fail", "text.json"],
        ["fail", "none.json"],
    ]
    assert "my_missing_node" in done.out
    *rows, result = ivk("workflows", "validate", "add.json", "sd1.json", "--json").objects
    assert [(row["state"], row["code"]) for row in rows] == [("ok", None), ("fail", "not_ready")]
    assert result == {"event": "result", "ok": False, "workflows": 2}


def test_info_about_a_model(ivk: Command) -> None:
    rows = dict(ivk("models", "info", "tiny-sd1").cells)
    assert (rows["model"], rows["base"], rows["type"]) == ("tiny-sd1", "sd-1", "main")
    assert {"path", "hash", "source"} <= set(rows)
    record = ivk("models", "info", "TINY-SD1", "--json").objects[-1]
    assert record["key"] == rows["key"]
    wrong = ivk("models", "info", "tiny-sd7")
    assert wrong.code == 2
    assert "'tiny-sd1'" in wrong.said


def test_config_shows_the_server_and_profiles(
    ivk: Command, server: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("INVOKEAI_CONFIG", str(tmp_path / "config.toml"))
    assert dict(ivk("config").cells)["from"] == "$INVOKEAI_URL"
    assert ivk("login", server.url).code == 0
    monkeypatch.delenv("INVOKEAI_URL")
    profile, result = ivk("config", "--json").objects
    assert profile == {
        "event": "profile",
        "name": "default",
        "url": server.url,
        "email": None,
        "token": False,
    }
    assert (result["url"], result["source"], result["signed_in"]) == (server.url, "profile 'default'", False)
    assert ivk("queue", "status").code == 0
    assert (
        dict(row[:2] for row in ivk("config", "--url", "http://gpu:9090").cells)["server"]
        == "http://gpu:9090"
    )


@pytest.fixture
def completed(
    ivk: Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., list[str]]:
    """Return what zsh proposes for a command line."""
    del ivk

    def complete(*words: str) -> list[str]:
        monkeypatch.setenv("_IVK_COMPLETE", "zsh_complete")
        monkeypatch.setenv("COMP_WORDS", " ".join(["ivk", *words]))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        with pytest.raises(SystemExit):
            run_command(group, [])
        return capsys.readouterr().out.splitlines()[1::3]

    return complete


def test_completion_of_names_on_the_server(
    completed: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert DEFAULT in completed("run", "Text")
    assert completed("run", "sd1") == ["sd1"]  # a file: the shell completes it
    assert "tiny-sd1" in completed("models", "info", "tiny")
    assert completed("models", "rm", "no-such") == []
    assert completed("run", "sd1.json", "-s", "pos") == ["positive_prompt="]
    assert completed("run", "sd1.json", "-s", "model=tiny-s") == ["model=tiny-sd1"]
    monkeypatch.setenv("INVOKEAI_URL", "http://127.0.0.1:1")
    assert completed("models", "info", "tiny") == []


def test_completion_of_boards(
    completed: Callable[..., list[str]], ivk: Command, nothing_left: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ivk("boards", "create", "Completed").code == 0
    for words in (["images", "ls", "--board"], ["boards", "rename"], ["run", "x.json", "--board"]):
        assert completed(*words, "comp") == ["Completed"]


def test_sweep_progress_shows_the_current_run(ivk: Command, nothing_left: None) -> None:
    done = ivk(
        "sweep",
        "sd1.json",
        "-s",
        "model=tiny-sd1",
        "-s",
        "steps=30",
        "-s",
        "seed=1,2",
        "-o",
        "x",
        terminal=True,
    )
    assert done.code == 0, done.err
    assert "run 1: denoise" in done.err or "run 2: denoise" in done.err
