"""Install an InvokeAI release into a separate virtual environment."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from invokeai_py_client._atomic import open_unlinked, write_draft
from invokeai_py_client._lock import locked
from invokeai_py_client._records import read_record
from invokeai_py_client.errors import InstallError
from invokeai_py_client.server.paths import python_in, server_folder
from invokeai_py_client.server.pip import PipSettings, find_uv, read_pip_settings
from invokeai_py_client.server.processes import tail
from invokeai_py_client.server.python import Python, find_python
from invokeai_py_client.server.releases import DEFAULT_VERSION, Release, release
from invokeai_py_client.server.torch_choice import (
    TorchChoice,
    choose_torch,
    cpu_index_reachable,
    cpu_wheels,
    find_links,
    has_nvidia_gpu,
    override_lines,
)

Say = Callable[[str], None]
MARKER = "ivk-complete.json"


@dataclass(frozen=True, slots=True)
class Installation:
    """An installed server.

    Attributes:
        version: InvokeAI version.
        folder: Virtual environment.
        details: Python, torch, installer, duration in seconds, and size in bytes.
    """

    version: str
    folder: Path
    details: Mapping[str, Any]

    @property
    def python(self) -> Path:
        """The interpreter of the virtual environment."""
        return python_in(self.folder)


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of an installation, decided before it starts."""

    release: Release
    folder: Path
    python: Python
    torch: TorchChoice
    pip: PipSettings
    uv: Path | None

    def announcement(self) -> str:
        """Return a summary of the installation and its size."""
        text = (
            f"Installing InvokeAI {self.release.version} into {self.folder}: {self.torch.note}, "
            f"{self.python}, with {'uv' if self.uv else 'pip'}. "
            f"About {self.torch.download:g} GB to download, {self.torch.disk:g} GB on disk."
        )
        return f"{text}\nIt is this large because {self.torch.warning}." if self.torch.warning else text


def installed(version: str = DEFAULT_VERSION) -> Installation | None:
    """Return the installation of a release, or None if it is not completely installed."""
    folder = server_folder(version)
    details = read_record(folder / MARKER, {})
    return (
        None if details is None or not python_in(folder).exists() else Installation(version, folder, details)
    )


def install_log(version: str) -> Path:
    """Return the log file of a release's installation."""
    return server_folder(version).with_name(f"{version}.install.log")


def plan(version: str, environ: Mapping[str, str]) -> Plan:
    """Decide how to install a release on this machine.

    Raises:
        PythonNotFoundError: No supported Python was found.
    """
    wanted = release(version)
    pip = read_pip_settings(environ)
    gpu = has_nvidia_gpu()
    wheels = [w for w in cpu_wheels(find_links(environ, pip.find_links)) if w.python in wanted.pythons]
    prefer = wheels[0].python if wheels and not gpu else None
    python = find_python(wanted.pythons, prefer=prefer)
    wheels = [wheel for wheel in wheels if wheel.python == python.minor]
    reachable = sys.platform != "darwin" and not (wheels and not gpu) and cpu_index_reachable()
    torch = choose_torch(wanted, gpu=gpu, wheels=wheels, cpu_index=reachable)
    return Plan(wanted, server_folder(version), python, torch, pip, find_uv())


def uv_command(plan: Plan, uv: Path, overrides: Path | None, environ: Mapping[str, str]) -> list[str]:
    """Return the uv command that installs everything."""
    options, _ = plan.pip.for_uv(environ)
    command = [str(uv), "pip", "install", "--python", str(python_in(plan.folder)), *options]
    if plan.torch.find_links is not None:
        command += ["--find-links", str(plan.torch.find_links)]
    if plan.torch.backend is not None:
        command += ["--torch-backend", plan.torch.backend]
    if overrides is not None:
        command += ["--override", str(overrides)]
    # With compiled bytecode the server starts in 9 s instead of 19 s.
    return [*command, "--compile-bytecode", f"invokeai=={plan.release.version}", *plan.torch.requirements]


def pip_commands(plan: Plan) -> list[list[str]]:
    """Return the pip commands that install everything. They are used if uv is not available."""
    pip = [str(python_in(plan.folder)), "-m", "pip", "install", "--no-input", "--progress-bar", "off"]
    if plan.torch.find_links is not None:
        pip += ["--find-links", str(plan.torch.find_links)]
    if plan.torch.backend == "cpu":
        from invokeai_py_client.server.torch_choice import CPU_INDEX

        pip += ["--extra-index-url", CPU_INDEX]
    overrides = override_lines(plan.release, plan.torch)
    commands = [[*pip, f"invokeai=={plan.release.version}", *plan.torch.requirements]]
    if any(line.startswith("torch==") for line in overrides):
        # pip can't override a requirement: install InvokeAI with its own torch first, then ours.
        commands = [
            [*pip, f"invokeai=={plan.release.version}"],
            [*pip, "--no-deps", *plan.torch.requirements],
        ]
    commands[0] += [line for line in overrides if not line.startswith("torch")]
    return commands


def install(version: str = DEFAULT_VERSION, *, say: Say | None = None, force: bool = False) -> Installation:
    """Install an InvokeAI release in the user's cache directory. Returns at once if it is already installed.

    Args:
        version: InvokeAI release. Defaults to 6.14.2.
        say: Called with progress messages.
        force: Whether to install it again. Defaults to False.

    Raises:
        InstallError: The installation failed. The error contains the end of the log.
        PythonNotFoundError: No supported Python was found.
    """
    tell = say or _silent
    release(version)  # reject an invalid version before doing anything
    done = installed(version)
    if done is not None and not force:
        return done
    folder = server_folder(version)
    try:
        with locked(
            folder.with_name(f"{version}.lock"),
            lambda: tell(f"Another process is installing InvokeAI {version}; waiting for it."),
        ):
            done = installed(version)
            if done is not None and not force:
                return done
            return _install(plan(version, os.environ), tell)
    except OSError as wrong:
        raise InstallError(f"Cannot install InvokeAI {version} in {folder}: {wrong}") from wrong


def _silent(sentence: str) -> None:
    del sentence


def _install(plan: Plan, say: Say) -> Installation:
    version, started = plan.release.version, time.monotonic()
    if plan.folder.exists():
        say(f"Removing an incomplete or older installation in {plan.folder}.")
        shutil.rmtree(plan.folder)
    say(plan.announcement())
    environ = {key: value for key, value in os.environ.items() if key not in _NOT_FOR_INSTALLERS}
    environ |= plan.pip.for_uv(environ)[1]
    log = install_log(version)
    with open_unlinked(log, "w") as out, _reported_regularly(say, f"installing InvokeAI {version}") as tick:
        runner = _Runner(out, log, environ, tick, version)
        uv = _make_environment(plan, runner)
        if uv is not None:
            overrides = _write_overrides(plan)
            runner.run(uv_command(plan, uv, overrides, environ))
        else:
            for command in pip_commands(plan):
                runner.run(command)
        found = runner.run([str(python_in(plan.folder)), "-I", "-c", _WHAT])
    seconds = time.monotonic() - started
    size = sum(path.lstat().st_size for path in plan.folder.rglob("*") if path.is_file())
    details = {
        "version": version,
        "packages": json.loads(found.splitlines()[-1]),
        "python": str(plan.python),
        "installer": "uv" if uv else "pip",
        "torch": plan.torch.note,
        "seconds": round(seconds, 1),
        "bytes": size,
    }
    write_draft(plan.folder / MARKER, (json.dumps(details, indent=2) + "\n").encode())
    say(f"Installed InvokeAI {version} in {seconds:.0f} s ({size / 1e9:.1f} GB on disk).")
    return Installation(version, plan.folder, details)


# Variables of our own environment that would install packages in the wrong place or skip the bytecode.
_NOT_FOR_INSTALLERS = {
    "VIRTUAL_ENV",
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONDONTWRITEBYTECODE",
    "PIP_TARGET",
    "PIP_USER",
    "PIP_PREFIX",
    "PIP_REQUIRE_VIRTUALENV",
    "UV_PYTHON",
    "UV_SYSTEM_PYTHON",
    "UV_PROJECT_ENVIRONMENT",
}
_WHAT = (
    "import importlib.metadata as m,json;"
    "names=('invokeai','torch','torchvision','transformers','diffusers');"
    "print(json.dumps({name:m.version(name) for name in names}))"
)


def _write_overrides(plan: Plan) -> Path | None:
    lines = override_lines(plan.release, plan.torch)
    if not lines:
        return None
    file = plan.folder / "ivk-overrides.txt"
    write_draft(file, ("\n".join(lines) + "\n").encode())
    return file


def _make_environment(plan: Plan, runner: _Runner) -> Path | None:
    """Create the virtual environment. Return the uv to use, or None for pip."""
    if plan.uv is not None:
        runner.run(
            [
                str(plan.uv),
                "venv",
                "--no-python-downloads",
                "--python",
                str(plan.python.path),
                str(plan.folder),
            ]
        )
        return plan.uv
    runner.run([str(plan.python.path), "-m", "venv", str(plan.folder)])
    python = str(python_in(plan.folder))
    got_uv = runner.try_to_run([python, "-m", "pip", "install", "--no-input", "uv"])
    uv = python_in(plan.folder).with_name("uv.exe" if os.name == "nt" else "uv")
    return uv if got_uv and uv.exists() else None


@dataclass(frozen=True, slots=True)
class _Runner:
    out: Any
    log: Path
    environ: Mapping[str, str]
    tick: Callable[[], None]
    version: str

    def run(self, command: Sequence[str]) -> str:
        before = self.log.stat().st_size
        if not self.try_to_run(command):
            raise InstallError(
                f"Cannot install InvokeAI {self.version}: `{' '.join(command)}` failed. "
                f"The log is in {self.log}. It ends with:",
                tail(self.log, 20),
            )
        with self.log.open("rb") as file:
            file.seek(before)
            return file.read().decode(errors="replace")

    def try_to_run(self, command: Sequence[str]) -> bool:
        self.out.write(f"$ {' '.join(command)}\n".encode())
        self.out.flush()
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=self.out,
                stderr=subprocess.STDOUT,
                env=dict(self.environ),
            )
        except OSError as wrong:
            self.out.write(f"{wrong}\n".encode())
            self.out.flush()
            return False
        try:
            while True:
                try:
                    return process.wait(timeout=1) == 0
                except subprocess.TimeoutExpired:
                    self.tick()
        except BaseException:
            process.kill()
            process.wait()
            raise


@contextmanager
def _reported_regularly(say: Say, activity: str, every: float = 20.0) -> Generator[Callable[[], None]]:
    started = last = time.monotonic()

    def tick() -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= every:
            last = now
            say(f"... still {activity} ({now - started:.0f} s)")

    yield tick
