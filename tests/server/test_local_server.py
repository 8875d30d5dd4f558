"""Local servers: starting, stopping, and errors."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from invokeai_py_client.errors import InstallError, StartError
from invokeai_py_client.server import (
    LocalServer,
    TinyModels,
    install,
    install_tiny_models,
    installed,
    local,
    make_tiny_models,
)
from invokeai_py_client.server.health import answers, request
from invokeai_py_client.server.processes import identity

if TYPE_CHECKING:
    from tests.conftest import RealServer

# A node pack that starts a child process when InvokeAI starts, as some packs do.
PARENT_PACK = """
import pathlib, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
pathlib.Path({note!r}).write_text(str(child.pid))
"""


def until(condition: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
    pause, deadline = threading.Event(), time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        pause.wait(0.02)


@pytest.fixture
def listener() -> Iterator[int]:
    """Yield a port that another program listens on."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


@pytest.fixture
def installation(tiny_models: TinyModels) -> None:
    """Require the installation of InvokeAI, which making the tiny models needed."""
    assert tiny_models.models and installed() is not None


# ------------------------------------------------------------------------------ the session's server


def test_tiny_models_have_the_expected_types(server: RealServer) -> None:
    assert answers(server.url) == server.version == "6.14.2"
    status, data = request("GET", f"{server.url}/api/v2/models/")
    assert status == 200
    kinds = {model["name"]: (model["base"], model["type"]) for model in data["models"]}
    assert set(kinds) == set(server.models)
    assert kinds["tiny-sd1"] == ("sd-1", "main")
    assert kinds["tiny-sdxl"] == ("sdxl", "main")
    assert kinds["tiny-flux-dev"] == ("flux", "main")
    assert kinds["tiny-t5"] == ("any", "t5_encoder")
    assert kinds["tiny-lora-sd1"] == ("sd-1", "lora")
    assert kinds["tiny-controlnet-canny-sd1"] == ("sd-1", "controlnet")
    assert kinds["tiny-esrgan-x2"] == ("any", "spandrel_image_to_image")


def test_installing_the_tiny_models_twice_changes_nothing(
    server: RealServer, tiny_models: TinyModels
) -> None:
    def jobs() -> int:
        return len(request("GET", f"{server.url}/api/v2/models/install")[1])

    before = jobs()
    assert install_tiny_models(server.url, tiny_models.folder) == server.models
    assert jobs() == before


def test_a_web_page_does_not_count_as_invokeai(server: RealServer) -> None:
    # 6.12 and later respond with status 200 and the web UI's page.
    status, data = request("GET", f"{server.url}/some/prefix/api/v1/app/version")
    assert (status, data) == (200, None)
    assert answers(f"{server.url}/some/prefix") is None


def test_tiny_models_are_small_and_reused(tiny_models: TinyModels, tmp_path: Path) -> None:
    def size(*names: str) -> int:
        files = [f for m in tiny_models.models if m.name in names for f in [m.path, *m.path.rglob("*")]]
        return sum(file.stat().st_size for file in files if file.is_file())

    flux = ("tiny-flux-dev", "tiny-flux-ae", "tiny-clip-l", "tiny-t5")
    with_sd1 = ("tiny-sd1", "tiny-sdxl", "tiny-lora-sd1", "tiny-controlnet-canny-sd1", "tiny-esrgan-x2")
    assert 20e6 < size(*flux, *with_sd1) < 60e6
    assert tiny_models.skipped == {}

    said: list[str] = []
    again = make_tiny_models(install(), say=said.append)
    assert again == tiny_models
    assert said == []

    only = make_tiny_models(
        install(), tmp_path / "one", only=["tiny-lora-sd1", "tiny-ti-sd1"], say=said.append
    )
    assert only.names == ["tiny-lora-sd1", "tiny-ti-sd1"]
    for model in only.models:  # seeded: the same bytes, whatever other models are made
        assert model.path.read_bytes() == (tiny_models.folder / model.path.name).read_bytes()


def test_unknown_tiny_model_is_an_error(installation: None, tmp_path: Path) -> None:
    with pytest.raises(InstallError, match="No tiny model named tiny-sd9"):
        make_tiny_models(install(), tmp_path / "none", only=["tiny-sd9"])


# ------------------------------------------------------------------------------ start and stop


def test_stop_ends_child_processes_and_deletes_a_temporary_root(installation: None, tmp_path: Path) -> None:
    note, pack = tmp_path / "child", tmp_path / "parent_pack"
    pack.mkdir()
    (pack / "__init__.py").write_text(PARENT_PACK.format(note=str(note)))
    said: list[str] = []
    with LocalServer(
        temporary=True, node_packs=[pack], config={"log_level": "error"}, say=said.append
    ) as server:
        root, url, pid, child = server.root, server.url, server.pid, int(note.read_text())
        assert server.is_running
        assert answers(url) == "6.14.2"
        assert url == f"http://127.0.0.1:{server.port}"
        assert root.is_dir() and server.log_path.is_relative_to(root)
        assert identity(child) is not None
        assert server.start() is server  # already started: the same server
        assert server.pid == pid

        with pytest.raises(StartError, match=f"already running on {root}: {url}"):
            LocalServer(root=root).start()
        assert answers(url) == "6.14.2"

        with pytest.raises(
            StartError, match=rf"Port {server.port} is in use by another InvokeAI \(6\.14\.2\)"
        ):
            LocalServer(root=tmp_path / "second", port=server.port).start()

    assert not server.is_running
    assert identity(pid) is None and identity(child) is None
    assert answers(url) is None
    assert not root.exists()
    assert [sentence.split()[0] for sentence in said] == ["Starting", "InvokeAI"]
    server.stop()  # a second call does nothing
    with pytest.raises(StartError, match="not been started"):
        _ = server.url


def test_port_in_use_is_an_error(installation: None, tmp_path: Path, listener: int) -> None:
    server = LocalServer(root=tmp_path / "root", port=listener)
    with pytest.raises(StartError, match=f"Port {listener} is in use by another program"):
        server.start()
    assert not server.log_path.exists()  # nothing was started


def test_port_taken_during_startup_is_an_error(
    installation: None, tmp_path: Path, listener: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # By default, InvokeAI uses the next free port, and the program on this port would respond in its place.
    def seems_free(port: int, host: str) -> bool:
        del port, host
        return False

    monkeypatch.setattr(local, "is_taken", seems_free)
    server = LocalServer(root=tmp_path / "root", port=listener)
    with pytest.raises(StartError, match=f"Port {listener} is in use"):
        server.start()
    assert f"Port {listener} is already in use" in server.log_path.read_text()
    assert not server.is_running


def test_crash_during_startup_shows_the_log(installation: None, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "invokeai.yaml").write_text("schema_version: 4.0.2\nram: [not, a, number\n")
    with pytest.raises(StartError, match=r"exited during startup with status 1") as caught:
        LocalServer(root=root).start()
    assert "invokeai.yaml" in caught.value.log_tail
    assert str(root / "logs" / "server.log") in str(caught.value)


def test_unknown_setting_is_an_error(installation: None) -> None:
    with pytest.raises(StartError, match="Unknown InvokeAI setting: atention_type"):
        LocalServer(temporary=True, config={"atention_type": "sliced"}).start()


STARTER = """
import json, sys
from invokeai_py_client.server import LocalServer
server = LocalServer(temporary=True).start()
print(json.dumps([server.pid, str(server.root), server.url]), flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX's")
def test_server_ends_with_a_killed_starter(installation: None) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STARTER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as starter:
        assert starter.stdout is not None
        pid, root, url = json.loads(starter.stdout.readline())
        assert answers(url) == "6.14.2" and Path(root).is_dir()
        starter.send_signal(signal.SIGKILL)
    until(lambda: identity(pid) is None, "the server ends")
    until(lambda: not Path(root).exists(), "its root is removed")


# ------------------------------------------------------------------------------ ivk server


def ivk(*words: str | Path) -> tuple[int, dict[str, Any], str]:
    done = subprocess.run(
        [sys.executable, "-m", "invokeai_py_client.cli.main", "server", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    data = json.loads(done.stdout) if "--json" in words else {"text": done.stdout}
    return done.returncode, data, done.stderr


def test_ivk_server_start_status_logs_and_stop(installation: None, tmp_path: Path) -> None:
    root = tmp_path / "root"
    code, started, said = ivk("start", "--root", root, "--json")
    assert code == 0, said
    try:
        assert started["event"] == "result" and not started["already"]
        assert answers(started["url"]) == "6.14.2"  # the server outlives the command that started it

        code, again, said = ivk("start", "--root", root, "--json")
        assert (code, said) == (0, "")
        assert again["already"] and again["pid"] == started["pid"]

        code, status, _ = ivk("status", "--json")
        mine = [each for each in status["running"] if each["root"] == str(root)]
        assert code == 0 and len(mine) == 1 and mine[0]["answers"]

        code, log, _ = ivk("logs", "--root", root, "-n", "3")
        assert code == 0 and len(log["text"].splitlines()) == 3

        follower = subprocess.Popen(
            [sys.executable, "-m", "invokeai_py_client.cli.main", "server", "logs", "--root", root, "-f"],
            stdout=subprocess.PIPE,
            text=True,
        )
        with follower:
            assert follower.stdout is not None
            follower.stdout.readline()
            code, stopped, _ = ivk("stop", "--root", root, "--json")
            assert code == 0 and stopped["stopped"]["pid"] == started["pid"]
            follower.stdout.read()
        assert follower.returncode == 0  # following the log ends with the server
    finally:
        ivk("stop", "--root", root)
    assert identity(started["pid"]) is None
    assert answers(started["url"]) is None
    assert (root / "invokeai.yaml").exists()  # a root that was passed is kept

    code, stopped, _ = ivk("stop", "--root", root, "--json")
    assert (code, stopped["stopped"]) == (0, None)


def test_ivk_server_reports_errors(tmp_path: Path) -> None:
    assert ivk("logs", "--root", tmp_path)[0] == 1
    code, _, said = ivk("start", "--version", "newest", "--root", tmp_path)
    assert code == 2 and "Invalid InvokeAI version 'newest'" in said and "Traceback" not in said
