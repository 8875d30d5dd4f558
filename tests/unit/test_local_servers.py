"""Several local servers: their GPUs, memory, models and ports, and what happens if one of them does not start."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest
from command import Command, ivk_command

from invokeai_py_client.errors import StartError, UsageError
from invokeai_py_client.pool_settings import PoolSettings, keep_pool, pool_names, read_pool
from invokeai_py_client.server import Installation, LocalServer, LocalServers, local_servers
from invokeai_py_client.server.gpus import Gpu, gpu_memory, list_gpus
from invokeai_py_client.server.health import free_ports
from invokeai_py_client.server.memory import memory_of
from invokeai_py_client.server.model_files import ModelFile, models_in
from invokeai_py_client.server.processes import end_group, spawn
from invokeai_py_client.server.shares import gpu_environ, ram_share, thread_environ

__all__ = ["ivk_command"]

GIB = 2**30
NVIDIA_SMI = """#!{python}
import sys
print({{
    "--query-gpu=uuid,index,name,memory.total": "GPU-aa, 0, NVIDIA H200, 143771\\nGPU-bb, 1, NVIDIA H200, 143771",
    "--query-compute-apps=pid,used_memory": "4711, 1024\\n4712, 512\\n4713, [N/A]",
}}[sys.argv[1]])
"""


@pytest.fixture
def nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for nvidia-smi, on a machine with two GPUs."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    tool = tmp_path / "bin" / "nvidia-smi"
    tool.parent.mkdir()
    tool.write_text(NVIDIA_SMI.format(python=sys.executable))
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tool.parent), prepend=os.pathsep)
    return tool


# --------------------------------------------------------------------------- GPUs and memory


@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a script")
def test_gpus_are_those_that_programs_see(nvidia_smi: Path) -> None:
    gpus = list_gpus({})
    assert gpus[0] == Gpu("GPU-aa", "0", "NVIDIA H200", 143771 * 2**20)
    for visible, ids in {
        "1,0": ["GPU-bb", "GPU-aa"],
        "GPU-b": ["GPU-bb"],
        "": [],
        "1,7,0": ["GPU-bb"],
    }.items():
        assert [gpu.id for gpu in list_gpus({"CUDA_VISIBLE_DEVICES": visible})] == ids
    assert gpu_memory([4711, 4712, 4713]) == 1536 * 2**20
    assert gpu_memory([1]) is None
    nvidia_smi.write_text("#!/bin/sh\necho 'NVIDIA-SMI has failed'\nexit 9\n")
    assert list_gpus({}) == []
    assert gpu_memory([4711]) is None


@pytest.mark.parametrize(
    ("count", "gpus", "expected"),
    [
        (2, 1, ["", ""]),
        (1, 4, [""]),  # one InvokeAI uses all GPUs by itself
        (2, 2, ["0", "1"]),
        (5, 2, ["0", "1", "0", "1", "0"]),
        (2, 4, ["0,2", "1,3"]),
        (3, 4, ["0,3", "1", "2"]),
        (2, 0, ["", ""]),
    ],
)
def test_each_server_gets_its_gpus(count: int, gpus: int, expected: list[str]) -> None:
    found = [Gpu(str(index), str(index), "GPU", 24 * GIB) for index in range(gpus)]
    environs = [gpu_environ(number, count, found) for number in range(1, count + 1)]
    assert [environ.get("CUDA_VISIBLE_DEVICES", "") for environ in environs] == expected


def test_servers_share_the_memory_that_one_server_would_use() -> None:
    big = [Gpu("a", "0", "GPU", 141 * GIB)]
    assert [thread_environ(count, 8, []).get("OMP_NUM_THREADS") for count in (1, 2, 3, 9)] == [
        None,
        "4",
        "2",
        "1",
    ]
    assert thread_environ(2, 8, big) == thread_environ(2, None, []) == {}
    assert ram_share(2, 64 * GIB, []) == 14.0
    assert ram_share(4, 64 * GIB, []) == 6.0
    assert ram_share(8, 32 * GIB, []) == 4.0  # InvokeAI's own minimum
    assert ram_share(2, 1024 * GIB, []) == 32.0  # InvokeAI's own maximum without a GPU
    assert ram_share(2, 1024 * GIB, big) == 138.0
    assert ram_share(4, 128 * GIB, big) == 14.0
    assert ram_share(2, None, []) is None


@pytest.mark.skipif(os.name == "nt", reason="memory is unknown on Windows")
def test_memory_includes_child_processes(tmp_path: Path) -> None:
    holder = (
        "import subprocess, sys; data = bytearray(60_000_000)\n"
        "if len(sys.argv) > 1:\n"
        "    child = subprocess.Popen([sys.executable, '-c', sys.argv[1]], stdin=sys.stdin)\n"
        "else: print('ready', flush=True)\n"
        "sys.stdin.read()"
    )
    log = tmp_path / "log"
    child = spawn([sys.executable, "-c", holder, holder], log=log, environ=os.environ, leashed=True)
    try:
        pause = threading.Event()
        while log.read_text() != "ready\n":
            assert child.poll() is None
            pause.wait(0.02)
        used = memory_of(child.pid).resident
        assert used is not None
        assert 120e6 < used < 250e6
    finally:
        end_group(child.pid, grace=30, child=child)
    assert memory_of(child.pid).resident is None


# --------------------------------------------------------------------------- models


def record(key: str, path: str, *, digest: str = "blake3:1", base: str = "sd-1") -> dict[str, Any]:
    return {"key": key, "name": key, "path": path, "hash": digest, "base": base, "type": "main"}


def test_models_of_a_root_that_no_server_runs_on(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no databases.invokeai\.db. Pass the root folder"):
        LocalServers(2, root=tmp_path / "new", models_from=tmp_path).start()
    assert not (tmp_path / "new").exists()
    (tmp_path / "databases").mkdir()
    with sqlite3.connect(tmp_path / "databases" / "invokeai.db") as database:
        database.execute("CREATE TABLE models (id TEXT, config TEXT)")
        for one in (record("a", "a/a.ckpt"), record("b", "/other/b"), record("c", "", base="external")):
            database.execute("INSERT INTO models VALUES (?, ?)", (one["key"], json.dumps(one)))
    database.close()
    assert [model.path for model in models_in(tmp_path)] == [tmp_path / "models/a/a.ckpt", Path("/other/b")]
    (tmp_path / "invokeai.yaml").write_text("schema_version: 4.0.2\nmodels_dir: '/big disk/models' # here\n")
    assert models_in(tmp_path)[0].path == Path("/big disk/models/a/a.ckpt")
    (tmp_path / "databases" / "invokeai.db").write_bytes(
        b"not a database, but long enough to be mistaken for one"
    )
    with pytest.raises(UsageError, match=r"Cannot read the models in .*not a database"):
        models_in(tmp_path)


def test_the_same_model_is_recognized() -> None:
    model = ModelFile(Path("/a"), record("a", "/a"))
    assert model.is_same(ModelFile(Path("/b"), record("b", "/b")))  # the same hash
    assert model.is_same(ModelFile(Path("/a"), record("b", "/a", digest="other")))  # the same file
    assert model.is_same(ModelFile(Path("/b"), record("a", "/b", digest="other")))  # the same record
    assert not model.is_same(ModelFile(Path("/b"), record("b", "/b", digest="other")))
    assert not model.is_same(ModelFile(Path("/b"), record("b", "/b", base="sdxl")))
    random = [ModelFile(Path(f"/{key}"), record(key, f"/{key}", digest="random:1")) for key in "ab"]
    assert not random[0].is_same(random[1])


# --------------------------------------------------------------------------- starting


@pytest.fixture
def no_installation(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def install(version: str, **options: Any) -> Installation:
        return Installation(version, tmp_path, {})

    monkeypatch.setattr(local_servers, "install", install)
    monkeypatch.setenv("INVOKEAI_CLIENT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch, no_installation: None) -> list[str]:
    """Return the names of the folders of the servers that are stopped from now on."""
    names: list[str] = []

    def stop(self: LocalServer, grace: float) -> None:
        names.append(self.root.name)

    monkeypatch.setattr(LocalServer, "stop", stop)
    return names


def test_if_one_server_does_not_start_the_others_are_stopped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, stopped: list[str]
) -> None:
    def start(self: LocalServer, timeout: float, *, canceled: threading.Event) -> LocalServer:
        if self.root.name == "2":
            raise StartError("InvokeAI exited. Its log ends with:", "CUDA is out of memory")
        assert canceled.wait(30)
        raise StartError("The start was canceled.")

    monkeypatch.setattr(LocalServer, "start", start)
    servers = LocalServers(3, root=tmp_path / "pool")
    with pytest.raises(
        StartError, match=r"Server 2 of 3 did not start, so the others were stopped\."
    ) as caught:
        servers.start()
    assert str(caught.value).endswith("InvokeAI exited. Its log ends with:\nCUDA is out of memory")
    assert caught.value.log_tail == "CUDA is out of memory"
    assert sorted(stopped) == ["1", "2", "3"]
    assert (servers.servers, servers.urls, servers.is_running) == ([], [], False)


def test_interruption_stops_all_servers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, stopped: list[str]
) -> None:
    def start(self: LocalServer, timeout: float, *, canceled: threading.Event) -> LocalServer:
        if self.root.name == "1":
            raise KeyboardInterrupt
        assert canceled.wait(30)
        raise StartError("The start was canceled.")

    monkeypatch.setattr(LocalServer, "start", start)
    with pytest.raises(KeyboardInterrupt):
        LocalServers(2, root=tmp_path / "pool").start()
    assert sorted(stopped) == ["1", "2"]


@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a script")
def test_settings_of_users_take_precedence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, nvidia_smi: Path, no_installation: None
) -> None:
    made: dict[str, dict[str, Any]] = {}

    class Recorder(LocalServer):
        def __init__(self, version: str, **options: Any) -> None:
            made[options["root"].name] = options
            super().__init__(version, **options)

        def start(self, timeout: float = 0, *, canceled: threading.Event | None = None) -> Self:
            raise StartError("No.")

    monkeypatch.setattr(local_servers, "LocalServer", Recorder)
    monkeypatch.setattr(local_servers, "machine_memory", lambda: 64 * GIB)

    def start(root: Path, **config: Any) -> list[Any]:
        with pytest.raises(StartError):
            LocalServers(2, root=root, config=config).start()
        return [(one["environ"], one["config"]) for _, one in sorted(made.items())]

    (tmp_path / "a" / "2").mkdir(parents=True)
    (tmp_path / "a" / "2" / "invokeai.yaml").write_text("max_cache_ram_gb: 3\n")
    assert start(tmp_path / "a") == [
        ({"CUDA_VISIBLE_DEVICES": "GPU-aa"}, {"max_cache_ram_gb": 14.0}),
        ({"CUDA_VISIBLE_DEVICES": "GPU-bb"}, {}),
    ]
    own = {"device": "cuda:1", "max_cache_ram_gb": 9}
    assert start(tmp_path / "b", **own) == [({}, own), ({}, own)]


@pytest.fixture
def taken() -> Iterator[int]:
    """Yield a port that another program listens on. The port below it is free."""
    while True:
        [port] = free_ports(1)
        with socket.socket() as other, socket.socket() as below:
            try:
                other.bind(("127.0.0.1", port))
                below.bind(("127.0.0.1", port - 1))
            except OSError:
                continue
            below.close()
            other.listen()
            yield port
            return


def test_ports_in_use_are_an_error(taken: int, tmp_path: Path, no_installation: None) -> None:
    with pytest.raises(
        StartError, match=f"Ports in use: {taken}. Choose another first port than {taken - 1}"
    ):
        LocalServers(2, root=tmp_path, port=taken - 1).start()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"count": 0}, "count: 0 is not valid; expected a whole number of at least 1"),
        ({"count": True}, "count: True is not valid"),
        ({"count": 1.5}, "count: 1.5 is not valid"),
        ({"port": 65535}, "port: 65535 is not valid for 2 servers; expected 1 to 65534"),
        ({"temporary": True, "detached": True}, "Temporary servers always use new roots"),
        ({"version": "six"}, "Invalid InvokeAI version 'six'"),
    ],
)
def test_invalid_arguments(options: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        LocalServers(**options)


# --------------------------------------------------------------------------- ivk pool up and down


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_installation: None) -> Path:
    """Return the path of a configuration file, which does not exist."""
    monkeypatch.setenv("INVOKEAI_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "config.toml"


def test_pools_of_others_are_neither_replaced_nor_stopped(ivk_command: Command, config: Path) -> None:
    keep_pool(PoolSettings("lab", ("http://gpu1:9090",)))
    for command in ("up", "down"):
        done = ivk_command("pool", command, *(["--name"] if command == "up" else []), "lab")
        assert done.code == 2
        assert "ivk pool rm lab" in done.said
    assert read_pool("lab").servers == ("http://gpu1:9090",)
    assert ivk_command("pool", "up", "-n", "0").code == 2
    assert "Invalid name of a pool 'a,b'" in ivk_command("pool", "up", "--name", "a,b").said


def test_down_without_running_servers_removes_the_pool(ivk_command: Command, config: Path) -> None:
    keep_pool(PoolSettings("local", ("http://127.0.0.1:9",), root=config.parent / "roots"))
    assert read_pool("local").root == config.parent / "roots"
    done = ivk_command("pool", "down")
    assert (done.code, done.out) == (0, "No server of pool 'local' is running.\n")
    assert pool_names() == []
    assert ivk_command("pool", "down", "--json").objects[0]["stopped"] == []


@pytest.fixture
def running(config: Path) -> Iterator[tuple[Path, list[int]]]:
    """Yield the root of two processes that are recorded as servers, and their numbers."""
    from invokeai_py_client.server import state
    from invokeai_py_client.server.processes import identity

    root = config.parent / "roots"
    waits = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    children: list[subprocess.Popen[bytes]] = []
    for number in (1, 2):
        child = spawn(waits, log=config.parent / f"{number}.log", environ=os.environ, leashed=True)
        children.append(child)
        state.remember(
            state.Running(
                version="6.14.2",
                url=f"http://127.0.0.1:{number}",
                port=number,
                root=str(root / str(number)),
                log="",
                pid=child.pid,
                process=identity(child.pid) or "",
                detached=True,
            )
        )
    yield root, [child.pid for child in children]
    for child in children:
        end_group(child.pid, grace=0, child=child)


def test_running_servers_are_found_and_not_replaced(
    ivk_command: Command, running: tuple[Path, list[int]], config: Path
) -> None:
    root, pids = running
    found = LocalServers.find(root)
    assert found is not None
    assert found.urls == ["http://127.0.0.1:1", "http://127.0.0.1:2"]
    assert [server.pid for server in found.servers] == pids
    assert (len(found), found.is_running, found.root) == (2, True, root)
    assert found.start() is found
    assert all((memory.resident or 1) > 0 for memory in found.memory())
    assert LocalServers.find(root.parent) is None

    with pytest.raises(
        StartError, match=r"2 servers are already running on .*: http://127.0.0.1:1, .* Stop them"
    ):
        LocalServers(2, root=root).start()
    with pytest.raises(StartError, match=r"2 servers of InvokeAI 6\.14\.2 are already running on"):
        LocalServers(2, "6.14.1", root=root, detached=True).start()
    with pytest.raises(StartError, match="2 servers are already running on"):
        LocalServers(2, root=root, port=2, detached=True).start()
    keep_pool(PoolSettings("local", tuple(found.urls), root=root))
    for words in (["up", "-n", "1"], ["up", "--root", str(root.parent / "other")], ["rm", "local"]):
        done = ivk_command("pool", *words)
        assert done.code == 2
        assert "Pool 'local' already has 2 running servers in" in done.said
        assert "Stop them first: ivk pool down local" in done.said

    done = ivk_command("pool", "down", "--json")
    assert [one["pid"] for one in done.objects[0]["stopped"]] == pids
    assert LocalServers.find(root) is None
    assert pool_names() == []
