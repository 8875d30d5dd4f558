"""The last safety net of ``ivk``: unexpected errors, lost output, and messages of Python and of other libraries."""

from __future__ import annotations

import json
import logging
import os
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from invokeai_py_client.cli import crash
from invokeai_py_client.cli.options import output_options
from invokeai_py_client.cli.output import run_command

EVIL = "a\x1b[2Jb\u202ec"
START = """
import logging, os, sys, threading, warnings
from invokeai_py_client.cli import output
from invokeai_py_client.cli.streams import make_robust
make_robust()
output.log_to_output()
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for the cache, which has the logs."""
    monkeypatch.setenv("INVOKEAI_CLIENT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def failing(error: BaseException) -> click.Command:
    """Return a command that raises an error."""

    @click.command()
    @output_options
    def command(as_json: bool) -> None:
        raise error

    return command


def python(text: str, **options: object) -> subprocess.CompletedProcess[str]:
    """Run code after the start of ``ivk`` in another process."""
    return subprocess.run(
        [sys.executable, "-c", START + text],
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
        **options,  # pyright: ignore[reportArgumentType, reportCallIssue]
    )


UNEXPECTED = [
    KeyError(EVIL),
    RecursionError("too deep"),
    MemoryError(),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    OSError(5, "Input/output error"),
    BaseExceptionGroup("several", [ValueError(EVIL)]),
    GeneratorExit(),
]


@pytest.mark.parametrize("error", UNEXPECTED, ids=lambda error: type(error).__name__)
def test_unexpected_errors_are_one_sentence_and_a_private_file(
    error: BaseException, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(failing(error), []) == 1
    out, err = capsys.readouterr()
    (log,) = (cache / "logs").iterdir()
    crash_id = log.name.removeprefix("ivk-").removesuffix(".crash.log")
    assert err == (
        f"Error: An unexpected error occurred (id {crash_id}, {type(error).__name__}). "
        f"Please report it with the traceback in {log}.\n"
    )
    assert out == ""
    text = log.read_text(encoding="utf-8")
    assert "Traceback (most recent call last):" in text
    assert "in command" in text
    if os.name != "nt":
        assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_unexpected_errors_in_json(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(failing(KeyError("x")), ["--json"]) == 1
    line = json.loads(capsys.readouterr().out)
    assert (line["event"], line["code"]) == ("error", "internal")
    assert str(cache) in line["message"]


@pytest.mark.parametrize("error", [KeyError(EVIL), FileNotFoundError(2, "No such file", "a\x1b[2J")])
def test_debug_prints_the_traceback(
    error: Exception, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logger = logging.getLogger("invokeai_py_client")
    code = run_command(failing(error), ["--debug"])
    err = capsys.readouterr().err
    assert code == (2 if isinstance(error, OSError) else 1)
    assert ("Traceback" in err) == (code == 1)
    assert "\x1b" not in err
    assert not cache.exists()
    assert logger.level == logging.NOTSET


def test_debug_prints_log_messages(capsys: pytest.CaptureFixture[str]) -> None:
    @click.command()
    @output_options
    def command(as_json: bool) -> None:
        logging.getLogger("invokeai_py_client.transport").debug("connected to %s", EVIL)
        logging.getLogger("another.library").info("not shown")

    assert run_command(command, ["--debug"]) == 0
    assert capsys.readouterr().err == "connected to a�[2Jb�c\n"
    assert run_command(command, []) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(os.name == "nt", reason="/dev/null is a file")
def test_without_a_place_for_the_log_the_sentence_says_how_to_print_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INVOKEAI_CLIENT_CACHE", "/dev/null/cache")
    monkeypatch.setattr(tempfile, "gettempdir", lambda: "/dev/null")
    assert run_command(failing(KeyError("x")), []) == 1
    assert "Run the command again with --debug to print the traceback" in capsys.readouterr().err


def test_only_the_latest_logs_are_kept(cache: Path) -> None:
    (cache / "logs").mkdir(parents=True)
    for number in range(30):
        old = cache / "logs" / f"ivk-{number:08x}.crash.log"
        old.write_text("old")
        os.utime(old, (number, number))
    message = crash.crash_message(KeyError("x"), debug=False)
    kept = {one.name for one in (cache / "logs").iterdir()}
    assert len(kept) == 20
    assert "ivk-0000001d.crash.log" in kept
    assert any(name in message for name in kept)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has /dev/full")
@pytest.mark.parametrize(("code", "expected"), [(0, 1), (3, 3)])
def test_full_standard_output_is_reported_after_the_command(code: int, expected: int) -> None:
    text = f"""
for number in range(5000):
    output.echo(number)
print("finished", file=sys.stderr)
sys.exit(output.finish({code}))
"""
    with Path("/dev/full").open("wb") as full:
        done = python(text, stdout=full)
    assert done.returncode == expected
    assert done.stderr == (
        "finished\nError: Cannot write to standard output: No space left on device. The output is incomplete.\n"
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has /dev/full")
def test_full_standard_error_does_not_change_the_result() -> None:
    with Path("/dev/full").open("wb") as full:
        command = [
            sys.executable,
            "-c",
            START + "output.say('x'); output.echo('out'); sys.exit(output.finish(0))",
        ]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=full, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, b"out\n")


@pytest.mark.skipif(os.name == "nt", reason="standard streams are not file descriptors")
def test_closed_streams_are_empty_streams(tmp_path: Path) -> None:
    text = f"""
output.echo("x"); output.say("x"); output.emit({{}}); output.echo_code("x"); output.echo_bytes(b"x")
assert sys.stdin.read() == "" and not output.is_watched() and not output.is_watched(sys.stdout)
open({str(tmp_path / "file")!r}, "w").write("only this")
sys.exit(output.finish(7))
"""

    def close() -> None:
        for descriptor in (0, 1, 2):
            os.close(descriptor)

    command = [sys.executable, "-c", START + text]
    assert subprocess.run(command, preexec_fn=close, timeout=60, check=False).returncode == 7
    assert (tmp_path / "file").read_text() == "only this"


@pytest.mark.skipif(os.name == "nt", reason="pipes are always blocking")
def test_pipe_that_does_not_block_gets_everything() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    pieces: list[bytes] = []

    def read() -> None:
        while piece := os.read(reader, 65536):
            pieces.append(piece)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        done = python("for n in range(60_000): output.echo(n)\nsys.exit(output.finish(0))", stdout=writer)
    finally:
        os.close(writer)
        thread.join()
        os.close(reader)
    assert (done.returncode, done.stderr) == (0, "")
    assert b"".join(pieces).split() == [str(number).encode() for number in range(60_000)]


HIDDEN: dict[str, str] = {
    "a thread": "t = threading.Thread(target=lambda: 1 / 0); t.start(); t.join()",
    "a finalizer": "class A:\n    def __del__(self): 1 / 0\nA()",
    "a warning": "warnings.warn('bad \\x1b[2J name')",
    "another library": "logging.getLogger('asyncio').error('bad \\x1b[2J name')",
}


@pytest.mark.parametrize("what", HIDDEN)
def test_messages_of_python_and_libraries_have_no_traceback_or_escapes(what: str) -> None:
    done = python(HIDDEN[what])
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stderr
    expected = "ZeroDivisionError: division by zero" if "1 / 0" in HIDDEN[what] else "bad �[2J name"
    assert expected in done.stderr


def test_invalid_text_on_standard_input_is_not_a_crash() -> None:
    text = "sys.exit(0 if sys.stdin.readline() == 'a\\udcffb\\n' else 1)"
    command: Callable[..., subprocess.CompletedProcess[bytes]] = subprocess.run
    done = command([sys.executable, "-c", START + text], input=b"a\xffb\n", timeout=60, check=False)
    assert done.returncode == 0
