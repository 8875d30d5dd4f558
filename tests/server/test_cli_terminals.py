"""``ivk`` in pipes, terminals and encodings, with names that cause trouble, against the real server."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import workflows
from command import Command, ivk_command

from invokeai_py_client import InvokeAIClient
from invokeai_py_client._text import printable

__all__ = ["ivk_command"]

FOREIGN = "夜 🦊"
EVIL = "N\x1b[2J\x1b]0;title\x07\x9b5m\u202eb\u200bc\u2028d\u2066\ufeff\x08"
# Codes that rich writes itself: colors, cursor movements and line deletions of its bars.
OF_RICH = re.compile(r"\x1b\[[\d;?]*[mAKlhJH]|\r")
Ivk = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def ivk(server: Any, tmp_path: Path) -> Ivk:
    """Run ``ivk`` in another process and another encoding."""

    def run(*arguments: str, encoding: str = "cp1252") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "invokeai_py_client.cli.main", *arguments],
            capture_output=True,
            cwd=tmp_path,
            env={**os.environ, "INVOKEAI_URL": server.url, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture
def board(client: InvokeAIClient) -> Iterator[str]:
    """Create a board whose name most encodings lack."""
    handle = client.board_repo.create_board(FOREIGN)
    yield handle.board.board_id
    client.board_repo.delete_board(handle.board.board_id, delete_images=True)


def test_names_that_the_encoding_lacks(ivk: Ivk, board: str, tmp_path: Path, nothing_left: None) -> None:
    (tmp_path / "workflow.json").write_text(
        json.dumps(workflows.picture(FOREIGN, "Prompt →", "空")), encoding="utf-8"
    )
    for words in (
        ["boards", "ls"],
        ["inputs", "workflow.json"],
        ["graph", "workflow.json"],
        ["codegen", "workflow.json"],
        ["run", "workflow.json", "-s", "0=b", "-o", "夜"],
    ):
        done = ivk(*words)
        assert (done.returncode, b"Traceback" in done.stderr) == (0, False), (words, done.stderr)
        done.stdout.decode("cp1252")
    boards = [json.loads(line) for line in ivk("boards", "ls", "--json").stdout.decode("cp1252").splitlines()]
    assert (board, FOREIGN) in [(one.get("board_id"), one.get("name")) for one in boards]
    done = ivk("run", "workflow.json", "-s", "0=a", "-o", "out", "--json")
    events = [json.loads(line) for line in done.stdout.decode("cp1252").splitlines()]
    assert events[-1]["ok"] is True
    assert "空" in [event.get("node_label") for event in events]
    compile(ivk("codegen", "workflow.json").stdout, "generated", "exec")
    assert len(list((tmp_path / "夜").glob("*.png"))) == 1


@pytest.mark.parametrize("encoding", ["latin-1", "cp932", "ascii"])
@pytest.mark.parametrize("words", [["models", "starters"], ["workflows", "ls"]], ids=" ".join)
def test_lists_of_a_stock_server_in_any_encoding(ivk: Ivk, encoding: str, words: list[str]) -> None:
    done = ivk(*words, encoding=encoding)
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(done.stdout.decode(encoding).splitlines()) > 10


@pytest.mark.parametrize("terminal", [False, True])
def test_labels_cannot_control_the_terminal(
    ivk_command: Command,
    server: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    terminal: bool,
    nothing_left: None,
) -> None:
    monkeypatch.setenv("INVOKEAI_URL", server.url)
    monkeypatch.chdir(tmp_path)
    Path("workflow.json").write_text(json.dumps(workflows.picture(EVIL, EVIL, EVIL)))
    for words in (
        ["inputs", "workflow.json"],
        ["inputs", "workflow.json", "--all"],
        ["inputs", "workflow.json", "--json"],
        ["graph", "workflow.json"],
        ["codegen", "workflow.json"],
        ["run", "workflow.json", "-o", "out"],
        ["run", "workflow.json", "-o", "out", "--json"],
        ["run", "workflow.json", "-s", f"{EVIL}=1", "-s", "0=2"],
        ["sweep", "workflow.json", "-s", "0=a || b", "-o", "sweep"],
    ):
        done = ivk_command(*words, terminal=terminal)
        text = done.out + done.err
        for harmful in ("\x1b[2J\x1b]0", "\x1b]0;", "\x9b"):
            assert harmful not in text, words
        assert terminal or printable(text) == text, words


@pytest.mark.parametrize("terminal", [False, True])
def test_names_on_the_server_cannot_control_the_terminal(
    ivk_command: Command,
    client: InvokeAIClient,
    server: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    terminal: bool,
    nothing_left: None,
) -> None:
    monkeypatch.setenv("INVOKEAI_URL", server.url)
    monkeypatch.chdir(tmp_path)
    board = client.board_repo.create_board(EVIL).board.board_id
    document = {**workflows.picture(EVIL, EVIL, EVIL), "description": EVIL, "author": EVIL, "tags": EVIL}
    run = client.workflow(document).run({0: EVIL})
    client.image_repo.move([run.images[0].name], board)
    Path("workflow.json").write_text(json.dumps(document))
    for words, code in (
        (["workflows", "push", "workflow.json"], 0),
        (["workflows", "push", "workflow.json"], 2),
        (["workflows", "ls"], 0),
        (["workflows", "ls", "--json"], 0),
        (["workflows", "show", EVIL], 0),
        (["workflows", "rm", EVIL], 1 if terminal else 2),
        (["workflows", "rm", EVIL, "--yes"], 0),
        (["boards", "ls"], 0),
        (["boards", "ls", "--json"], 0),
        (["boards", "rm", EVIL], 1 if terminal else 2),
        (["images", "ls", "--board", EVIL], 0),
        (["queue", "ls"], 0),
        (["queue", "watch", "--until-idle"], 0),
        (["run", "workflow.json", "-s", f"0={EVIL}", "-o", "out", "--debug"], 0),
        (["run", "workflow.json", "-s", f"other {EVIL}=x"], 2),
        (["images", "rm", EVIL, "--yes"], 2),
        (["images", "put", f"/nowhere/{EVIL}.png"], 2),
        (["images", "ls", "--since", EVIL], 2),
        (["images", "ls", "-n", EVIL], 2),
        (["models", "install", f"/nowhere/{EVIL}"], 1),
        (["boards", EVIL], 2),
        (["models", "ls", EVIL], 2),
    ):
        done = ivk_command(*words, terminal=terminal, stdin="n\n")
        text = OF_RICH.sub("", done.out + done.err) if terminal else done.out + done.err
        assert printable(text) == text, words
        assert done.code == code, (words, text)
        if "--json" in words:
            assert EVIL in [line.get("name") for line in done.objects]


def test_inputs_in_a_pipe_are_lines(ivk: Ivk, tmp_path: Path) -> None:
    (tmp_path / "add.json").write_text(json.dumps(workflows.add()))
    rows = [line.split("\t") for line in ivk("inputs", "add.json").stdout.decode().splitlines()]
    assert [row[:3] for row in rows] == [["0", "A", "Integer"], ["1", "B", "Integer"]]
    done = ivk("inputs", "add.json", "--all")
    assert {line.split("\t")[2] for line in done.stdout.decode().splitlines()} == {"sum"}
    assert done.stderr == b""


def test_errors_in_a_pipe_keep_names_whole(ivk: Ivk, tmp_path: Path) -> None:
    (tmp_path / "sd1.json").write_text(json.dumps(workflows.sd1()))
    name = "tiny-sdxl-and-a-rather-long-name-of-a-model.safetensors"
    done = ivk("run", "sd1.json", "-s", f"model={name}")
    assert done.returncode == 2
    assert any(name in line for line in done.stderr.decode().splitlines())


def test_run_finishes_even_if_nothing_reads_its_output(
    ivk: Ivk, server: Any, tmp_path: Path, nothing_left: None
) -> None:
    (tmp_path / "workflow.json").write_text(json.dumps(workflows.picture("w", "p", "t")))
    (tmp_path / "fails.json").write_text(
        json.dumps(workflows.workflow("Fails", {"div": ("div", {"a": 1, "b": 0})}, [], [("div", "b")]))
    )
    for file, code in (("workflow.json", 0), ("fails.json", 1)):
        with subprocess.Popen(
            [sys.executable, "-m", "invokeai_py_client.cli.main", "run", file, "-o", "out", "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
            env={**os.environ, "INVOKEAI_URL": server.url},
        ) as process:
            assert process.stdout is not None and process.stderr is not None
            process.stdout.readline()
            process.stdout.close()
            errors = process.stderr.read().decode()
        assert process.returncode == code, errors
        assert "Traceback" not in errors and "pipe" not in errors
    assert len(list((tmp_path / "out").glob("*.png"))) == 1
