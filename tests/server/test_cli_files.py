"""The files that ``ivk run`` and ``ivk sweep`` write: names, formats, and standard output."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import workflows
from PIL import Image as Pillow

from invokeai_py_client import InvokeAIClient

Ivk = Callable[..., subprocess.CompletedProcess[bytes]]

RUN = ("run", "sd1.json", "-s", "model=tiny-sd1", "-s", "steps=2", "-s", "seed=31")
SWEEP = ("sweep", "sd1.json", "-s", "model=tiny-sd1", "-s", "steps=2", "-o", "night")


@pytest.fixture
def ivk(server: Any, tmp_path: Path) -> Ivk:
    """Run ``ivk`` in a folder with workflows."""
    (tmp_path / "sd1.json").write_text(json.dumps(workflows.sd1()))
    (tmp_path / "add.json").write_text(json.dumps(workflows.add()))
    environment = {**os.environ, "INVOKEAI_URL": server.url, "NO_COLOR": "1"}

    def run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "invokeai_py_client.cli.main", *arguments]
        return subprocess.run(
            command, capture_output=True, cwd=tmp_path, env=environment, timeout=120, check=False
        )

    return run


@pytest.mark.parametrize(
    ("options", "expected", "kind"),
    [
        (["-o", "fox.png"], "fox.png", "PNG"),
        (["-o", "new/fox {1}.jpg"], "new/fox {1}.jpg", "JPEG"),
        (["-o", "out", "--name", "{seed}-{steps}"], "out/31-2.png", "PNG"),
        (["--name", "{positive_prompt}/{Seed:04}.webp"], "a lighthouse/0031.webp", "WEBP"),
    ],
)
def test_files_of_a_run(ivk: Ivk, tmp_path: Path, options: list[str], expected: str, kind: str) -> None:
    done = ivk(*RUN, *options)
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode().splitlines() == [expected]
    with Pillow.open(tmp_path / expected) as image:
        assert image.format == kind


def test_image_on_standard_output(ivk: Ivk, tmp_path: Path) -> None:
    before = set(tmp_path.iterdir())
    done = ivk(*RUN, "-o", "-")
    assert done.returncode == 0, done.stderr
    assert Pillow.open(io.BytesIO(done.stdout)).format == "PNG"
    assert set(tmp_path.iterdir()) == before
    none = ivk("run", "add.json", "-o", "-")
    assert none.returncode == 2
    assert b"produced 0 images" in none.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-o", "fox.gif"], "fox.gif: .gif is not a supported format. Use .png"),
        (["-o", "fox.png", "--name", "{seed}"], "-o fox.png is a file, so --name has no effect"),
        (["--name", "{sede}.png"], "Unknown name {sede}"),
        (["-o", "-", "--name", "{seed}.png"], "-o - writes one image to standard output"),
    ],
)
def test_invalid_names_are_rejected_before_the_run(
    ivk: Ivk, client: InvokeAIClient, options: list[str], message: str
) -> None:
    before = client.queue_repo.status().total
    done = ivk(*RUN, *options)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.decode().split())
    assert client.queue_repo.status().total == before


def test_files_of_several_runs(ivk: Ivk, tmp_path: Path) -> None:
    run = ["run", "sd1.json", "-s", "model=tiny-sd1", "-s", "steps=2"]
    done = ivk(*run, "--seed", "7", "-n", "2", "-o", "out", "--name", "{seed}-{index}.png")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["7-0.png", "8-1.png"]
    done = ivk(*run, "--seed", "7", "-n", "2", "-o", "fox.png")
    assert sorted(done.stdout.decode().split()) == ["fox-2.png", "fox.png"]


def test_files_of_a_sweep(ivk: Ivk, tmp_path: Path, client: InvokeAIClient) -> None:
    before = client.queue_repo.status().total
    unknown = ivk(*SWEEP, "-s", "seed=1,2", "--name", "{sede}")
    assert (unknown.returncode, client.queue_repo.status().total) == (2, before)
    done = ivk(*SWEEP, "-s", "seed=1,2", "--name", "{steps}.jpg")
    assert done.returncode == 0, done.stderr
    names = ["2-2.jpg", "2.jpg"]
    assert sorted(path.name for path in (tmp_path / "night" / "images").iterdir()) == names


def test_name_column_of_a_table(ivk: Ivk, tmp_path: Path, client: InvokeAIClient) -> None:
    (tmp_path / "runs.csv").write_text(
        "name,positive_prompt,seed\nred/fox,a fox,1\nhen,a hen,2\nhen,a hen,3\n,x,4\n"
    )
    done = ivk(*SWEEP, "--rows", "runs.csv")
    assert done.returncode == 0, done.stderr
    files = sorted(path.name for path in (tmp_path / "night" / "images").iterdir())
    assert files == ["0003.png", "hen-2.png", "hen.png", "red_fox.png"]
    (tmp_path / "night" / "images" / "hen.png").unlink()
    again = ivk(*SWEEP, "--rows", "runs.csv", "--resume", "--name", "{name}-{seed}.png")
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "night" / "images" / "hen-2.png").exists()
    wf = client.workflow_repo.create_workflow(tmp_path / "sd1.json")
    rows = [{"name": "one", "seed": 5}, {"name": "two", "seed": 6}]
    sweep = wf.sweep_rows(rows, values={"model": "tiny-sd1", "steps": 2})
    sweep.wait()
    assert sweep.names == ("one", "two")
    assert [path.name for path in sweep.save(f"{tmp_path}/{{name}}-{{seed}}.png")] == [
        "one-5.png",
        "two-6.png",
    ]
    assert [record["name"] for record in sweep.to_records()] == ["one", "two"]
    assert '"name":"two"' in sweep.report(tmp_path / "report").read_text(encoding="utf-8")
