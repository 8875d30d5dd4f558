"""Seeds on the command line, and the note about replaced random nodes, on the real server."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import workflows
from command import Command, ivk_command

from invokeai_py_client import InvokeAIClient
from invokeai_py_client.errors import UsageError

__all__ = ["ivk_command"]


def drawing() -> dict[str, Any]:
    """Return a text-to-image workflow in which a random node feeds the seed."""
    document = workflows.sd1(steps=2)
    random = workflows.workflow(
        "x", {"random": ("rand_int", {"low": 0, "high": 9}), "noise": ("noise", {})}, []
    )
    edge = workflows.workflow("x", {"noise": ("noise", {})}, ["random.value -> noise.seed"])["edges"][0]
    document["nodes"].append(random["nodes"][0])
    document["edges"].append(edge)
    return document


@pytest.fixture
def folder(client: InvokeAIClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working directory of the commands, with a workflow. Images are deleted afterwards."""
    monkeypatch.setenv("INVOKEAI_URL", client.url)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "random.json").write_text(json.dumps(drawing()))
    before = {image.image_name for image in client.image_repo.list_images()}
    yield tmp_path
    client.image_repo.delete(
        [image.image_name for image in client.image_repo.list_images() if image.image_name not in before]
    )


COMMAND = ("random.json", "-s", "model=tiny-sd1")


def test_run_prints_the_seed(folder: Path, ivk_command: Command) -> None:
    done = ivk_command("run", *COMMAND, "--seed", "7")
    assert done.code == 0
    assert "Seed: 7" in done.err
    [first] = [Path(line).read_bytes() for line in done.lines]
    [result] = ivk_command("run", *COMMAND, "-s", "seed=7", "--json").objects[-1:]
    assert result["seed"] == 7
    assert Path(result["images"][0]["path"]).read_bytes() == first
    drawn = ivk_command("run", *COMMAND, "--json").objects[-1]
    assert 0 <= drawn["seed"] < 10
    chosen = ivk_command("run", *COMMAND, "--random-seeds", "--json").objects[-1]
    assert chosen["seed"] > 9


def test_run_several_times_with_different_seeds(folder: Path, ivk_command: Command) -> None:
    done = ivk_command("run", *COMMAND, "-n", "3", "--seed", "7", "-o", "out")
    assert done.code == 0
    assert "3 runs over seed" in done.err
    assert "Seeds: 7, 8, 9" in done.err
    assert len({Path(line).read_bytes() for line in done.lines}) == 3
    many = ivk_command("run", *COMMAND, "-n", "2", "--random-seeds", "--json").objects
    seeds = [line["seed"] for line in many if line["event"] == "run"]
    assert len(set(seeds)) == 2
    assert many[-1] == {"event": "result", "ok": True, "runs": 2, "failed": 0}


def test_sweep_prints_the_seed_of_all_runs(folder: Path, ivk_command: Command) -> None:
    done = ivk_command("sweep", *COMMAND, "-s", "denoise.steps=1,2", "-o", "a")
    assert done.code == 0
    [seed] = {line["seed"] for line in manifest(folder / "a") if line["kind"] == "run"}
    assert f"Seed: {seed}" in done.err
    assert ivk_command("sweep", *COMMAND, "-s", "denoise.steps=1,2", "--seed", "7", "-o", "b").code == 0
    assert {line["seed"] for line in manifest(folder / "b") if line["kind"] == "run"} == {7}
    assert ivk_command("sweep", *COMMAND, "-n", "2", "--seed", "7", "-o", "c").code == 0
    assert {line["seed"] for line in manifest(folder / "c") if line["kind"] == "run"} == {7, 8}
    assert ivk_command("sweep", *COMMAND, "-s", "denoise.steps=1,2", "-s", "seed=random", "-o", "d").code == 0
    assert len({line["seed"] for line in manifest(folder / "d") if line["kind"] == "run"}) == 2
    assert (
        ivk_command("sweep", *COMMAND, "-s", "denoise.steps=1,2", "-s", "seed=workflow", "-o", "e").code == 0
    )
    assert all(line["seed"] < 10 for line in manifest(folder / "e") if line["kind"] == "run")


def manifest(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "sweep.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", *COMMAND, "--seed", "-1"), 'use "random"'),
        (("run", *COMMAND, "--seed", "1", "-s", "noise.seed=2"), "given twice"),
        (("run", *COMMAND, "--seed", "1", "--random-seeds"), "'seed' was given twice. Use one option"),
        (("run", *COMMAND, "-n", "2", "--seed", "1", "--random-seeds"), "2 times"),
        (("run", *COMMAND, "-n", "2", "--seed", "1", "-s", "seed=2"), "2 times"),
        (("run", *COMMAND, "-n", "2", "--seed", "many"), "first seed"),
        (("run", *COMMAND, "-n", "2", "--dry-run"), "--dry-run"),
        (("sweep", *COMMAND, "--random-seeds", "-s", "seed=random"), "2 times"),
    ],
)
def test_invalid_seed_options(
    folder: Path, ivk_command: Command, arguments: tuple[str, ...], message: str
) -> None:
    done = ivk_command(*arguments)
    assert done.code == 1 or done.code == 2
    assert message in done.said


def test_note_about_replaced_random_nodes_is_logged_once(
    client: InvokeAIClient, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wf = client.workflow_repo.create_workflow(folder / "random.json")
    wf.set(model="tiny-sd1")
    before = wf.definition.to_dict()
    with caplog.at_level(logging.WARNING, "invokeai_py_client.workflow"):
        wf.start().cancel()
        assert caplog.messages == []
        wf.start(seed=7).cancel()
        wf.start(seed=8).cancel()
    [note] = caplog.messages
    assert "'random'" in note
    assert wf.definition.to_dict() == before
    assert wf.inputs.touched().keys() == {("model", "model")}


def test_text_is_the_prompt(client: InvokeAIClient, folder: Path) -> None:
    document = workflows.sd1(steps=2)
    wf = client.workflow_repo.create_workflow(document)
    run = wf.run("a fox", model="tiny-sd1", seed=7)
    graph = run.item["session"]["graph"]["nodes"]
    assert graph["positive"]["prompt"] == "a fox"
    assert graph["negative"]["prompt"] == ""
    with pytest.raises(UsageError, match="no prompt"):
        client.workflow_repo.create_workflow(workflows.add()).run("a fox")
