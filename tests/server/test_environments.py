"""``ivk`` in odd environments: no home directory, unknown users, full disks, closed streams, encodings and terminals.

Each environment runs some of the commands. With ``ALL_ENVIRONMENTS=1``, it runs all of them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import workflows
from environments import CASES, ENVIRONMENTS, Case, Environment, run_in
from photos import png

from invokeai_py_client import InvokeAIClient

if TYPE_CHECKING:
    from tests.conftest import RealServer

ALL = bool(os.environ.get("ALL_ENVIRONMENTS"))
SOME = 2


def chosen() -> list[tuple[Environment, list[Case]]]:
    """Return the environments with the commands to run in them. Together, they use each command at least twice."""
    count = len(CASES)
    return [
        (environment, list(CASES) if ALL else [CASES[(SOME * number + one) % count] for one in range(SOME)])
        for number, environment in enumerate(ENVIRONMENTS)
    ]


@pytest.fixture(scope="module")
def board(server: RealServer) -> Iterator[str]:
    """A board with one image."""
    with InvokeAIClient.from_url(server.url) as client:
        handle = client.board_repo.create_board("夜 × environments")
        client.image_repo.upload(png(), board_id=handle.board.board_id, image_category="general")
        yield handle.board.board_id
        client.board_repo.delete_board(handle.board.board_id, delete_images=True)


@pytest.mark.parametrize(("environment", "cases"), chosen(), ids=[one.name for one in ENVIRONMENTS])
def test_commands_end_with_the_right_exit_code_and_without_a_traceback(
    environment: Environment,
    cases: list[Case],
    server: RealServer,
    board: str,
    tmp_path: Path,
    nothing_left: None,
) -> None:
    wrong: list[str] = []
    for case in cases:
        folder = tmp_path / f"{case.words[0]}-{len(list(tmp_path.iterdir()))}"
        (folder / "place").mkdir(parents=True)
        (folder / "workflow.json").write_text(json.dumps(workflows.picture()), encoding="utf-8")
        for place in (folder, *folder.parents):
            if place.stat().st_uid == os.getuid() and place.is_relative_to(tmp_path):
                place.chmod(0o755)
        words = [word.format(folder=folder, board=board, url=server.url) for word in case.words]
        done = run_in(environment, words, folder, server.url)
        said = f"{words}: exit code {done.code}, {done.out[-1500:]!r} {done.err[-1500:]!r}"
        text = done.out + done.err
        if done.code not in case.codes(environment):
            wrong.append(f"expected {case.codes(environment)}: {said}")
        for sign in (
            "Traceback",
            "Exception ignored",
            "unexpected error",
            "ResourceWarning",
            "never awaited",
        ):
            if sign in text:
                wrong.append(f"{sign}: {said}")
        if "--json" in words and not environment.terminal:
            for line in done.out.splitlines():
                json.loads(line)
        if strange := [str(one) for one in folder.rglob("*") if one.name.startswith("~")]:
            wrong.append(f"creates {strange}: {said}")
    assert not wrong, "\n".join(wrong)


def environment_of(folder: Path, url: str) -> dict[str, str]:
    """Return the variables of an ordinary environment below a folder."""
    return {"HOME": str(folder), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "INVOKEAI_URL": url}


def test_concurrent_sign_ins_keep_every_profile(server: RealServer, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "invokeai_py_client.cli.main", "login", server.url, "--profile"]
    variables = environment_of(tmp_path, server.url)
    names = [f"profile-{number}" for number in range(6)]
    processes = [
        subprocess.Popen([*command, name], env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for name in names
    ]
    for process in processes:
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    with (tmp_path / ".config/invokeai-py-client/config.toml").open("rb") as file:
        assert sorted(tomllib.load(file)["profiles"]) == names


def test_full_disk_after_a_run_names_the_images_on_the_server(
    server: RealServer, tmp_path: Path, nothing_left: None
) -> None:
    (tmp_path / "place").mkdir()
    (tmp_path / "workflow.json").write_text(json.dumps(workflows.picture()), encoding="utf-8")
    full = next(one for one in ENVIRONMENTS if one.name == "full disk")
    done = run_in(full, ["run", str(tmp_path / "workflow.json"), "-o", "out"], tmp_path, server.url)
    assert done.code == 1
    assert "The run has completed, and its images are on the server." in done.err
    assert "could not be downloaded: Cannot write the file" in done.err
    assert not list((tmp_path / "place").rglob("*.*"))


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["inputs", b"\xff.json"], 2),
        (["run", "workflow.json", "-s", b"prompt=a\xff"], 2),
        (["run", "workflow.json", "-o", b"out-\xff"], 0),
        (["boards", "create", b"a\xff"], 2),
        (["images", "ls", "--board", b"\xff"], 2),
        (["images", "put", b"\xff.png"], 2),
        (["login", "--profile", b"\xff"], 2),
        (["config", "--url", b"http://x/\xff"], 0),
        ([b"\xff"], 2),
    ],
)
def test_arguments_that_are_not_text(
    words: list[str | bytes], code: int, server: RealServer, tmp_path: Path, nothing_left: None
) -> None:
    (tmp_path / "workflow.json").write_text(json.dumps(workflows.picture()), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "invokeai_py_client.cli.main", *words],
        env=environment_of(tmp_path, server.url),
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
        check=False,
    )
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == code, said
    assert "Traceback" not in said
    assert "unexpected error" not in said
