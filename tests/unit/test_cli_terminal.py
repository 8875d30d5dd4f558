"""Output to terminals and pipes: control characters, encodings, closed pipes, narrow tables and whole names."""

from __future__ import annotations

import ast
import io
import json
import logging
import os
import pickle
import re
import subprocess
import sys
import threading
import traceback
from pathlib import Path

import click
import pytest
from command import Terminal

from invokeai_py_client._text import escape_controls, printable
from invokeai_py_client.cli import output
from invokeai_py_client.cli.options import output_options
from invokeai_py_client.cli.output import run_command
from invokeai_py_client.cli.tables import Column, show_facts, show_table
from invokeai_py_client.cli.watch import QueueView
from invokeai_py_client.display.bars import BarDisplay
from invokeai_py_client.display.console import console_for
from invokeai_py_client.display.progress import LineDisplay
from invokeai_py_client.display.sweep import sweep_display
from invokeai_py_client.engine.readiness import Problem
from invokeai_py_client.errors import APIRequestError, RunFailedError, UnknownInputError
from invokeai_py_client.models import IvkJob, JobStatus, QueueStatus
from invokeai_py_client.run.events import NodeProgress, NodeStarted
from invokeai_py_client.run.status import RunStatus

EVIL = "a\x1b[2Jb\x9b5mc\x1b]0;title\x07\u202ed\u200be\u2028f\u2066g\ufeffh\U000e0041i\u200dj\r"
HARMLESS = "a�[2Jb�5mc�]0;title��d�e�f�g�h�i�j�"
CLI = Path(str(output.__file__)).parent
COLORS = re.compile(r"\x1b\[[\d;]*m")
# Codes that rich writes itself: colors, cursor movements and line deletions of its bars.
OF_RICH = re.compile(r"\x1b\[[\d;?]*[mAKlhJH]|\r")


def terminal_for(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Replace both output streams by a terminal of 80 columns. pytest restores them after fixtures."""
    stream = Terminal()
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return stream


# ------------------------------------------------------------------------------ control characters


def test_printable_keeps_text_tabs_and_line_breaks() -> None:
    assert printable(EVIL) == HARMLESS
    for text in ("夜 🦊\té\n×", "👩‍👩‍👧 ❤️", "می‌خواهم", "क्‍ष", "שלום", "e\u0301", "Zu\u0308rich"):
        assert printable(text) == text
    assert printable("👧\u200d\u200d\u200da") == "👧\u200d��a"


def test_escape_controls_keeps_the_data_of_json() -> None:
    data = {"name": EVIL, "\u202e": [1]}
    text = escape_controls(json.dumps(data, ensure_ascii=False))
    assert json.loads(text) == data
    assert printable(text) == text


def test_messages_of_errors_cannot_control_the_terminal() -> None:
    errors = (
        APIRequestError(500, None, EVIL),
        APIRequestError(500, {"detail": EVIL}),
        UnknownInputError(EVIL),
        RunFailedError(EVIL),
    )
    for error in errors:
        assert HARMLESS in str(error) or printable(str(error)) == str(error)
        trace = "".join(traceback.format_exception(error))
        assert printable(trace) == trace
        assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert errors[1].payload == {"detail": EVIL}
    status = RunStatus(state=JobStatus.FAILED, error_type=EVIL, error_message=EVIL)
    assert str(status) == f"failed: {HARMLESS}: {HARMLESS}"
    assert str(Problem("n", EVIL, None, EVIL, "Fix it.")) == f"{HARMLESS}: {HARMLESS}. Fix it."


def test_lines_of_progress_are_one_line_each() -> None:
    stream = io.StringIO()
    lines = LineDisplay(lambda _: "label\nitem 2 completed", stream)
    lines.show(NodeStarted(item_id=1, timestamp=0, raw={}, node_id="d", node_type="t", prepared_id="p"))
    assert stream.getvalue() == "  label item 2 completed\n"


def test_only_the_output_module_prints() -> None:
    """Control characters are replaced in `output.echo` and in the consoles of `console_for` only."""
    found: list[str] = []
    for path in [*CLI.glob("*.py"), *(CLI.parent / "display").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in (
                "click.echo",
                "click.secho",
                "click.confirm",
                "print",
                "Console",
                "sys.stdout.write",
            ):
                found.append(f"{path.name}: {ast.unparse(node.func)}")
    assert set(found) == {"output.py: click.echo", "output.py: click.confirm"}


@pytest.mark.parametrize("watched", [False, True])
def test_every_kind_of_output_replaces_control_characters(
    monkeypatch: pytest.MonkeyPatch, watched: bool
) -> None:
    stream: io.StringIO = terminal_for(monkeypatch)
    if not watched:
        stream = io.StringIO()
        monkeypatch.setattr(sys, "stdout", stream)
        monkeypatch.setattr(sys, "stderr", stream)
    output.echo(EVIL)
    output.echo(EVIL, err=True, fg="red")
    output.say(EVIL)
    output.hint(EVIL)
    output.emit({"name": EVIL})
    output.echo_code(EVIL)
    show_table([Column("name"), Column("size")], [[EVIL, EVIL]], title=EVIL)
    show_facts({EVIL: EVIL})
    text = OF_RICH.sub("", stream.getvalue())
    assert printable(text) == text
    assert "b�5mc" in text


def test_progress_replaces_control_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_for(monkeypatch)
    events = [
        NodeStarted(item_id=2, timestamp=0, raw={}, node_id="d", node_type=EVIL, prepared_id="p"),
        NodeProgress(
            item_id=2,
            timestamp=0,
            raw={},
            node_id="d",
            node_type=EVIL,
            prepared_id="p",
            message=EVIL,
            fraction=0.5,
        ),
    ]
    view = QueueView("http://localhost:9090")
    job = IvkJob.from_api_response({"item_id": 2, "status": "in_progress", "error_type": EVIL})
    view.show_status(QueueStatus(is_started=True, in_progress=1), [job])
    lines = LineDisplay(lambda _: EVIL, terminal)
    with BarDisplay(lambda _: EVIL, 2, console_for(terminal)) as bars:
        for event in events:
            bars.show(event)
            lines.show(event)
            view.show_event(event)
    console_for(terminal).print(view)
    assert job.status is JobStatus.RUNNING
    text = OF_RICH.sub("", terminal.getvalue())
    assert printable(text) == text
    assert "b�5mc" in text


def test_sweep_progress_shows_the_current_run(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_for(monkeypatch)
    monkeypatch.setenv("COLUMNS", "120")
    with sweep_display(6, True, lambda: [f"run 3: {EVIL} 45%"]) as display:
        display.show(2, None)
    text = OF_RICH.sub("", terminal.getvalue())
    assert printable(text) == text
    assert "run 3: a�[2Jb�5mc" in text
    assert "2/6" in text


def test_sweep_progress_shows_a_line_for_each_server(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_for(monkeypatch)
    monkeypatch.setenv("COLUMNS", "120")
    lines = [f"gpu1: run 3: {EVIL} 45%, 1.5 runs/s", "gpu2: waiting"]
    with sweep_display(6, True, lambda: lines) as display:
        display.show(2, None)
    text = OF_RICH.sub("", terminal.getvalue())
    assert printable(text) == text
    shown = [line.strip() for line in text.splitlines()]
    assert any(line.startswith("gpu1: run 3: a�[2Jb�5mc") and "45%, 1.5" in line for line in shown)
    assert "gpu2: waiting" in shown


def test_errors_replace_control_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_for(monkeypatch)
    from invokeai_py_client.cli.main import ivk

    assert output.run_command(ivk, [EVIL]) == 2
    assert output.run_command(ivk, ["inputs", f"/nowhere/{EVIL}.json", "--url", "http://127.0.0.1:1"]) > 1
    text = COLORS.sub("", terminal.getvalue())
    assert printable(text) == text


# ------------------------------------------------------------------------------ names stay whole


def test_messages_never_break_names(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_for(monkeypatch)
    name = "tiny-sdxl-and-a-rather-long-name-of-a-model-that-is-wider-than-the-terminal.safetensors"
    output.say(f"There is no model called {name} here, and this sentence is long enough to be wrapped.")
    output._report("x", f"No model named '{name}'.\nDid you mean '{name}'?", as_json=False)  # pyright: ignore[reportPrivateUsage]
    lines = COLORS.sub("", terminal.getvalue()).splitlines()
    assert sum(name in line for line in lines) == 3
    assert all(len(line) <= 80 or name in line for line in lines)


def test_piped_messages_have_one_line_each(monkeypatch: pytest.MonkeyPatch) -> None:
    piped = io.StringIO()
    monkeypatch.setattr(sys, "stderr", piped)
    finding = (
        "a problem that is described in more words than fit on one line of a narrow terminal, with a fix"
    )
    output._report("x", f"Not ready:\n  {finding}\n  {finding}", as_json=False)  # pyright: ignore[reportPrivateUsage]
    assert piped.getvalue().splitlines() == ["Error: Not ready:", f"  {finding}", f"  {finding}"]


# ------------------------------------------------------------------------------ narrow tables

NAME = "5f15757c-3b01-4691-9cdd-2c2b14be16f5.png"
COLUMNS = [
    Column("image"),
    Column("created"),
    Column("size"),
    Column("board", whole=False),
    Column("category", wide=True),
]
ROW = [NAME, "2026-11-21 11:12", "1024×1024", "★ A board with a long name", "user"]


def shown_at(monkeypatch: pytest.MonkeyPatch, width: int) -> list[str]:
    terminal = terminal_for(monkeypatch)
    monkeypatch.setenv("COLUMNS", str(width))
    show_table(COLUMNS, [ROW])
    return COLORS.sub("", terminal.getvalue()).splitlines()


@pytest.mark.parametrize(
    ("width", "columns"),
    [
        (140, ["image", "created", "size", "board", "category"]),
        (100, ["image", "created", "size", "board"]),
        (80, ["image", "created", "size"]),
        (62, ["image", "created"]),
        (50, ["image"]),
    ],
)
def test_tables_keep_the_name_column(monkeypatch: pytest.MonkeyPatch, width: int, columns: list[str]) -> None:
    lines = shown_at(monkeypatch, width)
    assert any(NAME in line for line in lines)
    assert lines[1].split() == columns
    assert max(map(len, lines)) <= width


def test_columns_that_can_be_cut_shrink_before_others(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_for(monkeypatch)
    monkeypatch.setenv("COLUMNS", "50")
    columns = [
        Column("item", right=True),
        Column("state"),
        Column("took", right=True),
        Column("error", cut=True),
    ]
    show_table(columns, [["1234", "completed", "2.7 s", "ZeroDivisionError: division by zero"]])
    lines = COLORS.sub("", terminal.getvalue()).splitlines()
    assert lines[1].split() == ["item", "state", "took", "error"]
    assert lines[3].split()[:4] == ["1234", "completed", "2.7", "s"]
    assert lines[3].rstrip().endswith("…")
    assert max(map(len, lines)) <= 50


def test_facts_keep_urls_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_for(monkeypatch)
    url = f"http://localhost:9090/api/v1/images/i/{NAME}/full?and-a-query-that-is-long-enough"
    show_facts({"url": url, "notes": "a text that is long enough to be wrapped " * 3, "empty": None})
    lines = COLORS.sub("", terminal.getvalue()).splitlines()
    assert lines[0] == f"url    {url}"
    assert lines[1].startswith("notes  a text")
    assert all(line.startswith("       ") and len(line) <= 80 for line in lines[2:])
    assert len(lines) == 3


def test_names_wider_than_the_terminal_are_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown_at(monkeypatch, 30)
    assert max(map(len, lines)) <= 30
    assert "".join(line.strip() for line in lines[3:]) == NAME


# ------------------------------------------------------------------------------ encodings and closed pipes

SCRIPT = """
import sys
import threading
from invokeai_py_client.cli import output
from invokeai_py_client.cli.streams import make_robust, output_is_lost
from invokeai_py_client.cli.tables import Column, show_table
make_robust()
"""


def run_script(text: str, encoding: str = "utf-8") -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    return subprocess.run(
        [sys.executable, "-c", SCRIPT + text], capture_output=True, env=environment, timeout=60, check=False
    )


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "cp932", "ascii", "utf-8"])
def test_any_encoding_can_be_written(encoding: str) -> None:
    name = "夜 🦊 \\ud800"
    done = run_script(
        f"""
name = "{name}"
output.emit({{"name": name}})
show_table([Column("name"), Column("size")], [[name, "64×48"]])
output.say("64×48 — " + name)
""",
        encoding,
    )
    assert (done.returncode, done.stderr.count(b"Traceback")) == (0, 0), done.stderr
    first, row = done.stdout.decode(encoding).splitlines()
    assert json.loads(first) == {"name": "夜 🦊 \ud800"}
    assert row.split("\t")[1] in ("64×48", "64x48")


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_piped_code_is_utf8(encoding: str) -> None:
    done = run_script('output.echo("first")\noutput.echo_code("é = \'夜\'\\n")', encoding)
    assert (done.returncode, done.stdout.decode()) == (0, "first\né = '夜'\n")


def test_closed_pipe_does_not_end_a_command() -> None:
    text = """
for number in range(20_000):
    output.echo(number)
    print(number, file=sys.stderr, flush=True) if number == 0 else None
assert output_is_lost()
sys.exit(7)
"""
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT + text], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stderr.readline() == "0\n"
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 7


@pytest.mark.parametrize(
    ("words", "said"), [([], "Note: \ufffd[2J changed.\n"), (["--quiet"], ""), (["-q"], "")]
)
def test_log_messages_are_printed_like_other_output(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    @output_options
    def noted(as_json: bool) -> None:
        thread = threading.Thread(
            target=logging.getLogger("invokeai_py_client.run").warning, args=("Note: %s changed.", "\x1b[2J")
        )
        thread.start()
        thread.join()

    assert run_command(noted, words) == 0
    assert capsys.readouterr().err == said
    assert not logging.getLogger("invokeai_py_client").handlers
