"""Installations: the choice of Python, torch and commands."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from invokeai_py_client.errors import InstallError, PythonNotFoundError, UsageError
from invokeai_py_client.server import gpu, installer, paths, python
from invokeai_py_client.server.installer import MARKER, Plan, install, installed, pip_commands, uv_command
from invokeai_py_client.server.pip import PipSettings, read_pip_settings, works
from invokeai_py_client.server.python import Python, ask, find_python
from invokeai_py_client.server.releases import Release, release, torchvision_for
from invokeai_py_client.server.torch_choice import (
    TorchChoice,
    Wheel,
    choose_torch,
    cpu_wheels,
    find_links,
    override_lines,
)

posix = pytest.mark.skipif(os.name != "posix", reason="uses shell scripts as stand-ins")
NEW, OLD = release("6.14.2"), release("6.0.2")


def script(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["#!/bin/sh", *lines]) + "\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def only(*interpreters: Path) -> Callable[[object], list[list[Path]]]:
    """Replace the search for interpreters by a fixed list."""

    def candidates(wanted: object) -> list[list[Path]]:
        del wanted
        return [[path] for path in interpreters]

    return candidates


def answering(path: Path, version: tuple[int, int, int], kind: str = "cpython") -> Path:
    words = "\\t".join([*map(str, version), kind, str(path)])
    return script(path, f"printf '{words}\\n'")


# ------------------------------------------------------------------------------ Python


def test_ask_returns_the_version_of_an_interpreter() -> None:
    found = ask([sys.executable])
    assert found is not None
    assert found.version == sys.version_info[:3]
    assert found.path.exists()


@posix
def test_ask_returns_none_for_other_programs(tmp_path: Path) -> None:
    shim = script(tmp_path / "python3.12", "echo 'pyenv: python3.12: command not found' >&2", "exit 127")
    assert ask([shim]) is None
    assert ask([tmp_path / "missing"]) is None
    assert ask([answering(tmp_path / "pypy", (3, 11, 9), "pypy")]) is None


@posix
def test_broken_interpreter_on_the_path_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shims, pyenv = tmp_path / "shims", tmp_path / "pyenv"
    script(shims / "python3.11", "exit 127")
    script(shims / "python3.12", "exit 127")
    answering(pyenv / "versions/3.12.1/bin/python", (3, 12, 1))
    monkeypatch.setattr(sys, "executable", str(answering(tmp_path / "own", (3, 13, 0))))
    monkeypatch.setenv("PATH", f"{shims}:/usr/bin:/bin")
    monkeypatch.setenv("PYENV_ROOT", str(pyenv))
    found = find_python(((3, 12),))
    assert found.minor == (3, 12)  # from pyenv or the system
    assert not found.path.is_relative_to(shims)


@posix
def test_preferred_version_is_used_before_our_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own, other = answering(tmp_path / "own", (3, 12, 4)), answering(tmp_path / "python3.11", (3, 11, 7))
    monkeypatch.setattr(python, "candidates", only(own, other))
    assert find_python().version == (3, 12, 4)
    assert find_python(prefer=(3, 11)).version == (3, 11, 7)
    monkeypatch.setattr(python, "candidates", only(own))
    assert find_python(prefer=(3, 11)).version == (3, 12, 4)


@posix
def test_missing_python_error_explains_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = answering(tmp_path / "own", (3, 13, 2))
    monkeypatch.setattr(python, "candidates", only(own))
    with pytest.raises(
        PythonNotFoundError, match=r"needs Python 3\.11 or 3\.12.*found: 3\.13\.2.*uv python install"
    ):
        find_python()


# ------------------------------------------------------------------------------ releases


def test_invalid_version_is_an_error() -> None:
    assert release("6.15.0rc1").torch == "2.13.0"
    for wrong in ("", "newest", "6.14", "6.14.2; rm -rf /", "v6.14.2"):
        with pytest.raises(UsageError, match="Invalid InvokeAI version"):
            release(wrong)


def test_older_releases_get_older_libraries() -> None:
    assert release("5.15.0").overrides == release("6.0.2").overrides == ("transformers<5", "setuptools<81")
    assert NEW.overrides == ()
    assert torchvision_for("2.13.0+cpu") == "torchvision==0.28.*"
    assert torchvision_for("2.7.1") == "torchvision==0.22.*"


# ------------------------------------------------------------------------------ torch


def wheel(version: str = "2.13.0+cpu") -> Wheel:
    return Wheel(Path(f"/wheels/torch-{version}-cp311-cp311-linux_x86_64.whl"), version, (3, 11))


def test_gpu_gets_the_cuda_build_even_if_a_cpu_wheel_exists() -> None:
    choice = choose_torch(NEW, gpu=True, wheels=[wheel()], cpu_index=True, platform="linux")
    assert (choice.kind, choice.backend) == ("gpu", "auto")
    assert choice.requirements == ("torch==2.13.0", "torchvision==0.28.*")
    assert choice.download > 3 and choice.warning is None


def test_without_gpu_local_wheels_come_before_the_index_and_the_cuda_build() -> None:
    at_hand = choose_torch(NEW, gpu=False, wheels=[wheel()], cpu_index=True, platform="linux")
    assert at_hand.requirements == ("torch==2.13.0+cpu", "torchvision==0.28.*")
    assert at_hand.find_links == Path("/wheels") and at_hand.backend is None

    index = choose_torch(NEW, gpu=False, cpu_index=True, platform="linux")
    assert (index.kind, index.backend, index.warning) == ("cpu", "cpu", None)

    large = choose_torch(NEW, gpu=False, platform="linux")
    assert large.kind == "default" and large.backend is None
    assert large.disk > 6 and large.warning is not None and "cannot be reached" in large.warning


def test_macs_and_windows_have_a_small_build() -> None:
    assert choose_torch(NEW, gpu=False, platform="darwin").requirements == ("torch", "torchvision")
    windows = choose_torch(NEW, gpu=False, platform="win32")
    assert windows.download < 1 and windows.warning is None


def test_newer_wheel_overrides_the_requirement_of_an_older_release() -> None:
    choice = choose_torch(OLD, gpu=False, wheels=[wheel()], platform="linux")
    lines = override_lines(OLD, choice)
    assert lines == ("transformers<5", "setuptools<81", "torch==2.13.0+cpu", "torchvision==0.28.*")
    assert override_lines(OLD, choose_torch(OLD, gpu=True, platform="linux")) == OLD.overrides
    assert override_lines(NEW, choose_torch(NEW, gpu=False, wheels=[wheel()], platform="linux")) == ()
    assert override_lines(NEW, choose_torch(NEW, gpu=False, platform="darwin")) == ()


def test_wheels_are_found_in_find_links_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr(sys, "platform", "linux")
    one, two = tmp_path / "one", tmp_path / "two words"
    for folder, names in (
        (one, ["torch-2.9.0+cpu-cp312-cp312-linux_x86_64.whl", "torch-2.13.0-cp311-cp311-linux_x86_64.whl"]),
        (
            two,
            [
                "torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl",
                "torch-2.14.0+cpu-cp311-cp311-win_amd64.whl",
            ],
        ),
    ):
        folder.mkdir()
        for name in names:
            (folder / name).touch()
    environ = {
        "PIP_FIND_LINKS": f"{one}  https://example.org/wheels",
        "UV_FIND_LINKS": f"{tmp_path / 'none'},{one}",
    }
    folders = find_links(environ, [two.as_uri()])
    assert folders == [one, two]
    assert [(w.version, w.python) for w in cpu_wheels(folders)] == [
        ("2.13.0+cpu", (3, 11)),
        ("2.9.0+cpu", (3, 12)),
    ]


@posix
def test_gpu_requires_a_working_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not gpu.has_nvidia_gpu()
    script(tmp_path / "nvidia-smi", "echo 'NVIDIA-SMI has failed'", "exit 9")
    assert not gpu.has_nvidia_gpu()
    script(tmp_path / "nvidia-smi", "echo 'GPU 0: NVIDIA RTX (UUID: GPU-1)'")
    assert gpu.has_nvidia_gpu()


# ------------------------------------------------------------------------------ pip's settings, uv


def test_pip_settings_are_read_in_order_of_precedence(tmp_path: Path) -> None:
    site, user = tmp_path / "site.conf", tmp_path / "user.conf"
    site.write_text("[global]\nindex-url = https://one/simple\nfind-links = /a\n")
    user.write_text(
        "[global]\nfind-links =\n    /b\n    /c\n[install]\nextra-index-url = https://x/s https://y/s\n"
    )
    found = read_pip_settings({"PIP_CERT": "/ca.pem"}, [site, user, tmp_path / "none"])
    assert found == PipSettings("https://one/simple", ("https://x/s", "https://y/s"), ("/b", "/c"), "/ca.pem")
    assert read_pip_settings({"PIP_INDEX_URL": "https://two"}, [site]).index == "https://two"
    site.write_text("not an ini file")
    assert read_pip_settings({}, [site]) == PipSettings()


def test_uv_options_follow_pip_unless_uv_is_configured() -> None:
    pip = PipSettings("https://one", ("https://x",), ("/b",), "/ca.pem")
    options, more = pip.for_uv({})
    assert options == [
        *("--default-index", "https://one", "--index", "https://x"),
        *("--index-strategy", "unsafe-best-match", "--find-links", "/b"),
    ]
    assert more == {"SSL_CERT_FILE": "/ca.pem"}
    told = {"UV_DEFAULT_INDEX": "https://u", "UV_INDEX": "https://v", "SSL_CERT_FILE": "/other"}
    assert pip.for_uv(told) == (["--find-links", "/b"], {})


@posix
def test_old_uv_is_not_used(tmp_path: Path) -> None:
    assert not works(script(tmp_path / "old", "echo uv 0.4.30"))
    assert not works(script(tmp_path / "broken", "exit 127"))
    assert works(script(tmp_path / "new", "echo 'uv 0.13.8 (x86_64)'"))


# ------------------------------------------------------------------------------ commands


def a_plan(wanted: Release, torch: TorchChoice, folder: Path = Path("/c/servers/v")) -> Plan:
    return Plan(wanted, folder, Python(Path("/usr/bin/python3.11"), (3, 11, 7)), torch, PipSettings(), None)


def test_uv_command_installs_and_compiles_everything() -> None:
    plan = a_plan(NEW, choose_torch(NEW, gpu=False, wheels=[wheel()], platform="linux"))
    command = uv_command(plan, Path("uv"), None, {})
    python = str(paths.python_in(plan.folder))
    assert command[:5] == ["uv", "pip", "install", "--python", python]
    assert command[command.index("--find-links") + 1] == "/wheels"
    assert command[-4:] == [
        "--compile-bytecode",
        "invokeai==6.14.2",
        "torch==2.13.0+cpu",
        "torchvision==0.28.*",
    ]
    assert "--torch-backend" not in command and "--override" not in command

    plan = a_plan(NEW, choose_torch(NEW, gpu=False, cpu_index=True, platform="linux"))
    command = uv_command(plan, Path("uv"), Path("/o.txt"), {})
    assert command[command.index("--torch-backend") + 1] == "cpu"
    assert command[command.index("--override") + 1] == "/o.txt"


def test_pip_commands_replace_torch_afterwards() -> None:
    plan = a_plan(NEW, choose_torch(NEW, gpu=False, wheels=[wheel()], platform="linux"))
    (command,) = pip_commands(plan)
    assert command[-3:] == ["invokeai==6.14.2", "torch==2.13.0+cpu", "torchvision==0.28.*"]
    assert command[command.index("--find-links") + 1] == "/wheels"

    plan = a_plan(OLD, choose_torch(OLD, gpu=False, wheels=[wheel()], platform="linux"))
    first, second = pip_commands(plan)
    assert first[-3:] == ["invokeai==6.0.2", "transformers<5", "setuptools<81"]
    assert second[-3:] == ["--no-deps", "torch==2.13.0+cpu", "torchvision==0.28.*"]


def test_announcement_contains_the_sizes() -> None:
    small = a_plan(NEW, choose_torch(NEW, gpu=False, wheels=[wheel()], platform="linux")).announcement()
    assert "About 0.45 GB to download, 2.7 GB on disk" in small and "\n" not in small
    large = a_plan(NEW, choose_torch(NEW, gpu=False, platform="linux")).announcement()
    assert "About 3.3 GB to download, 6.7 GB on disk" in large and "has no NVIDIA GPU" in large


# ------------------------------------------------------------------------------ installing


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INVOKEAI_CLIENT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, install_does: str) -> list[str]:
    """Replace uv by a script that creates an environment and runs shell commands to install."""
    packages = '{"invokeai": "6.14.2", "torch": "2.13.0+cpu"}'
    answer = script(tmp_path / "answer", f"echo '{packages}'")
    uv = script(
        tmp_path / "uv",
        'if [ "$1" = venv ]; then',
        '  for last; do :; done; mkdir -p "$last/bin"',
        f'  cp {answer} "$last/bin/python"',
        f"else {install_does}; fi",
    )
    made: list[str] = []

    def plan(version: str, environ: object) -> Plan:
        del environ
        made.append(version)
        torch = choose_torch(NEW, gpu=False, wheels=[wheel()], platform="linux")
        python = Python(Path(sys.executable), (3, 11, 7))
        return Plan(release(version), paths.server_folder(version), python, torch, PipSettings(), uv)

    monkeypatch.setattr(installer, "plan", plan)
    return made


@posix
def test_incomplete_installation_is_repeated(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = stand_in(tmp_path, monkeypatch, "echo installing; exit 0")
    half = cache / "servers/6.14.2"
    (half / "lib").mkdir(parents=True)  # left behind by an interrupted installation
    assert installed("6.14.2") is None

    said: list[str] = []
    done = install("6.14.2", say=said.append)
    assert not (half / "lib").exists() and (half / MARKER).exists()
    assert said[0].startswith("Removing an incomplete") and "GB to download" in said[1]
    assert done.details["packages"]["torch"] == "2.13.0+cpu"
    assert installed("6.14.2") == done == install("6.14.2", say=said.append)
    assert made == ["6.14.2"]

    assert install("6.14.2", force=True).folder == half
    assert made == ["6.14.2", "6.14.2"]


@posix
def test_failed_installation_shows_the_end_of_the_log(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, monkeypatch, "for i in $(seq 50); do echo line $i; done; echo no such package; exit 1")
    with pytest.raises(InstallError, match="Cannot install") as caught:
        install("6.14.2")
    lines = caught.value.log_tail.splitlines()
    assert lines[-2:] == ["line 50", "no such package"] and len(lines) == 20
    assert str(cache / "servers/6.14.2.install.log") in str(caught.value)
    assert installed("6.14.2") is None


@posix
def test_unwritable_cache_is_an_install_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("INVOKEAI_CLIENT_CACHE", str(tmp_path / "file"))
    with pytest.raises(InstallError, match="Cannot install InvokeAI"):
        install("6.14.2")


@posix
def test_processes_wait_for_each_other(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl
    import threading

    made = stand_in(tmp_path, monkeypatch, "exit 0")
    lock = cache / "servers/6.14.2.lock"
    lock.parent.mkdir(parents=True)
    waits = threading.Event()

    def say(sentence: str) -> None:
        assert "Another process" in sentence or made
        waits.set()

    with lock.open("ab") as other:
        fcntl.flock(other.fileno(), fcntl.LOCK_EX)
        worker = threading.Thread(target=install, args=("6.14.2",), kwargs={"say": say})
        worker.start()
        assert waits.wait(10)
        assert made == []  # it is waiting and has not started to install
    worker.join(10)
    assert made == ["6.14.2"] and installed("6.14.2") is not None
