"""Parts of local servers: processes, records, logs and ports."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from invokeai_py_client.errors import StartError, UsageError
from invokeai_py_client.server import LocalServer, state
from invokeai_py_client.server.health import answers, free_port, is_taken, request
from invokeai_py_client.server.processes import _identity_ps, end_group, identity, spawn, tail

posix = pytest.mark.skipif(os.name != "posix", reason="signals")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INVOKEAI_CLIENT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def a_server(root: Path, pid: int, process: str) -> state.Running:
    return state.Running("6.14.2", "http://127.0.0.1:1", 1, str(root), str(root / "log"), pid, process, True)


def here(root: Path) -> state.Running:
    process = identity(os.getpid())
    assert process is not None
    return a_server(root, os.getpid(), process)


# ------------------------------------------------------------------------------ state


def test_running_server_is_found_by_its_root(tmp_path: Path) -> None:
    server = here(tmp_path)
    state.remember(server)
    assert state.at_root(tmp_path) == server
    assert state.running() == [server]
    assert state.at_root(tmp_path / "other") is None
    state.forget(tmp_path)
    state.forget(tmp_path)
    assert state.at_root(tmp_path) is None and state.running() == []


def test_dead_server_and_reused_process_number_are_ignored(tmp_path: Path, cache: Path) -> None:
    state.remember(a_server(tmp_path, os.getpid(), "another life"))
    assert state.at_root(tmp_path) is None
    assert state.running() == []
    assert list((cache / "running").glob("*")) == []  # removed


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": "6.14.2"}', '{"other": 1}'])
def test_invalid_record_is_ignored(cache: Path, text: str) -> None:
    (cache / "running").mkdir(parents=True)
    (cache / "running" / "0123.json").write_text(text)
    assert state.running() == []


def test_find_returns_a_server_of_another_process(tmp_path: Path) -> None:
    assert LocalServer.find(tmp_path) is None
    state.remember(here(tmp_path))
    found = LocalServer.find(tmp_path)
    assert found is not None and found.is_running
    assert (found.url, found.port, found.pid, found.root) == ("http://127.0.0.1:1", 1, os.getpid(), tmp_path)
    assert "InvokeAI 6.14.2, at http://127.0.0.1:1" in repr(found)


def test_server_that_was_not_started(tmp_path: Path) -> None:
    server = LocalServer(root=tmp_path)
    assert not server.is_running and "not running" in repr(server)
    server.stop()
    with pytest.raises(StartError, match=r"Call start\(\)"):
        _ = server.port


def test_invalid_arguments_are_errors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Invalid InvokeAI version"):
        LocalServer("six")
    with pytest.raises(UsageError, match="always uses a new root"):
        LocalServer(root=tmp_path, temporary=True)


@posix
@pytest.mark.parametrize(("races", "starts"), [(0, True), (1, True), (4, True), (5, False)])
@pytest.mark.parametrize(
    "line",
    [
        "sqlite3.OperationalError: cannot VACUUM from within a transaction",
        "[InvokeAI]::ERROR --> Error cleaning database: cannot VACUUM - SQL statements in progress",
        "[InvokeAI]::ERROR --> Error cleaning database: database is locked",
    ],
)
def test_start_is_repeated_after_the_database_race(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, races: int, starts: bool, line: str
) -> None:
    """Use a program instead of InvokeAI that exits with its error a few times and then listens."""
    tries = tmp_path / "tries"
    program = tmp_path / "python"
    program.write_text(
        "#!/bin/sh\n"
        f"echo >> {tries}\n"
        f"[ $(wc -l < {tries}) -gt {races} ] && touch {tmp_path}/root/.ivk-ready.json && exec sleep 60\n"
        f"echo '{line}'\nexit 3\n"
    )
    program.chmod(0o755)
    installation = SimpleNamespace(python=program)
    monkeypatch.setattr("invokeai_py_client.server.local.install", lambda *_, **__: installation)  # pyright: ignore[reportUnknownLambdaType]
    monkeypatch.setattr("invokeai_py_client.server.local.answers", lambda *_, **__: "6.14.2")  # pyright: ignore[reportUnknownLambdaType]
    server = LocalServer(root=tmp_path / "root")
    try:
        if starts:
            assert server.start(20).is_running
        else:
            reason = line.split(": ")[-1]
            with pytest.raises(
                StartError, match=f"5 times, because it could not clean its database: {reason}"
            ) as caught:
                server.start(20)
            assert line in caught.value.log_tail
    finally:
        server.stop(grace=0)
    assert len(tries.read_text().splitlines()) == min(races + 1, 5)


# ------------------------------------------------------------------------------ processes


def run(code: str, log: Path, *, leashed: bool = False) -> subprocess.Popen[bytes]:
    return spawn([sys.executable, "-u", "-c", code], log=log, environ=os.environ, leashed=leashed)


@posix
def test_end_group_kills_a_process_that_ignores_sigterm(tmp_path: Path) -> None:
    code = (
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', "
        "'import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(99)'])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(99)\n"
    )
    process = run(code, tmp_path / "log")
    pause = threading.Event()
    while (
        len((tmp_path / "log").read_text().split()) < 2
    ):  # both print their process number when they are ready
        assert process.poll() is None
        pause.wait(0.02)
    child = max(int(word) for word in (tmp_path / "log").read_text().split())
    assert identity(child) is not None
    end_group(process.pid, grace=0.2, child=process)
    assert process.returncode == -9
    deadline = time.monotonic() + 20
    while identity(child) is not None:
        assert time.monotonic() < deadline, "the child goes on"
        pause.wait(0.02)


@posix
def test_leash_is_a_pipe_to_standard_input(tmp_path: Path) -> None:
    process = run("import sys; print(sys.stdin.read() == '', flush=True)", tmp_path / "log", leashed=True)
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(20) == 0
    assert (tmp_path / "log").read_text() == "True\n"


@posix
def test_ended_process_has_no_identity(tmp_path: Path) -> None:
    process = run("pass", tmp_path / "log")
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # a zombie: ended but not collected
    assert identity(process.pid) is None
    end_group(process.pid, grace=1, child=process)
    assert process.returncode == 0


@pytest.mark.skipif(shutil.which("ps") is None, reason="macOS always has ps")
def test_identity_without_proc_does_not_depend_on_the_time_zone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts: list[datetime] = []
    for zone in ("JST-9", "EST5"):
        monkeypatch.setenv("TZ", zone)
        pid, _, start = (_identity_ps(os.getpid()) or "").partition("@")
        assert pid == str(os.getpid())
        starts.append(datetime.strptime(start, "%a %b %d %H:%M:%S %Y"))
    assert abs(starts[0] - starts[1]) < timedelta(seconds=5)  # on Linux, ps itself may be off by one second

    process = run("pass", tmp_path / "log")
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert _identity_ps(process.pid) is None  # a zombie
    process.wait()
    assert _identity_ps(process.pid) is None


# ------------------------------------------------------------------------------ logs


def test_tail_returns_the_last_lines_without_colors(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert tail(log) == ""
    log.write_text("".join(f"\x1b[38;20mline {i}\x1b[0m\n" for i in range(100)) + "\n")
    assert tail(log, 2) == "line 98\nline 99"
    assert tail(log, 0) == ""
    assert len(tail(log, 1000).splitlines()) == 100
    assert tail(log, 5, at_most=20).endswith("line 99")
    log.write_bytes(b"caf\xe9\n")
    assert tail(log, 1) == "caf\ufffd"


# ------------------------------------------------------------------------------ ports, answers


def test_free_and_taken_ports() -> None:
    port = free_port()
    assert not is_taken(port)
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        assert is_taken(port)
        assert is_taken(port, "0.0.0.0")


class Pages(http.server.BaseHTTPRequestHandler):
    """Responds according to the path."""

    def do_GET(self) -> None:
        kind = self.path.split("/")[1]
        body = {
            "html": b"<html>not the API</html>",
            "list": b"[]",
            "number": b'{"version": 6}',
            "invoke": b'{"version": "6.14.2"}',
            "error": b'{"version": "6.14.2"}',
        }[kind]
        self.send_response(500 if kind == "error" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        del format, args


@pytest.fixture
def pages() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()
        thread.join()


def test_answers_returns_a_version_only_for_invokeai(pages: str) -> None:
    assert answers(f"{pages}/invoke") == answers(f"{pages}/invoke/") == "6.14.2"
    for other in ("html", "list", "number", "error"):
        assert answers(f"{pages}/{other}") is None, other
    assert answers(f"http://127.0.0.1:{free_port()}") is None
    assert answers("no address") is None
    assert request("GET", f"{pages}/error") == (500, {"version": "6.14.2"})


def test_answers_returns_none_for_other_servers() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        assert answers(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=0.2) is None
    with socket.socket() as rude:
        rude.bind(("127.0.0.1", 0))
        rude.listen()

        def talk() -> None:
            connection, _ = rude.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"220 mail.example.org ready\r\n")

        thread = threading.Thread(target=talk)
        thread.start()
        assert answers(f"http://127.0.0.1:{rude.getsockname()[1]}") is None
        thread.join()


def test_state_is_json(tmp_path: Path) -> None:
    assert json.loads(json.dumps(here(tmp_path).to_dict()))["root"] == str(tmp_path)
