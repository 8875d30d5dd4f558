"""Choose the torch build for a server: the large CUDA build only if a GPU can use it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from invokeai_py_client._paths import is_folder, user_path
from invokeai_py_client.server.releases import Release, torchvision_for

_NVIDIA_DRIVER = Path("/proc/driver/nvidia/gpus")
CPU_INDEX = "https://download.pytorch.org/whl/cpu"


@dataclass(frozen=True, slots=True)
class Wheel:
    """A CPU build of torch in a folder of wheels.

    Attributes:
        path: Wheel file.
        version: Version, such as ``2.13.0+cpu``.
        python: Python version that the wheel is for.
    """

    path: Path
    version: str
    python: tuple[int, int]


@dataclass(frozen=True, slots=True)
class TorchChoice:
    """The torch build for a server, and its size.

    Attributes:
        kind: ``cpu`` or ``gpu``, or ``default`` for the default build in the package index.
        requirements: Requirements to install.
        backend: Value of uv's ``--torch-backend``, if it is used.
        find_links: Folder of wheels to use.
        download: Gigabytes to download for the whole server, including torch.
        disk: Gigabytes on disk.
        note: Description of the build for users.
        warning: Reason for an unusually large build, for users.
    """

    kind: str
    requirements: tuple[str, ...]
    backend: str | None
    find_links: Path | None
    download: float
    disk: float
    note: str
    warning: str | None = None


def _folders(text: str) -> list[str]:
    return [word for word in re.split(r"[\s,]+", text) if word]


def find_links(environ: Mapping[str, str], configured: Iterable[str]) -> list[Path]:
    """Return the local folders of wheels that pip or uv are configured to use."""
    named = [
        *_folders(environ.get("UV_FIND_LINKS", "")),
        *_folders(environ.get("PIP_FIND_LINKS", "")),
        *configured,
    ]
    folders: list[Path] = []
    for name in named:
        if name.startswith("file:"):
            name = unquote(urlsplit(name).path)
        elif "://" in name:
            continue
        if is_folder(name) and (folder := user_path(name)) not in folders:
            folders.append(folder)
    return folders


def cpu_wheels(folders: Iterable[Path]) -> list[Wheel]:
    """Return the CPU builds of torch for this machine in folders of wheels, newest first."""
    import platform

    machine = platform.machine().lower()
    wheels: list[Wheel] = []
    for folder in folders:
        for path in sorted(folder.glob("torch-*+cpu-cp3*.whl")):
            match = re.fullmatch(r"torch-([\d.]+\+cpu)-cp3(\d+)-cp3\d+-(\S+)\.whl", path.name)
            if match is None or not _fits_machine(match[3].lower(), machine):
                continue
            wheels.append(Wheel(path, match[1], (3, int(match[2]))))
    return sorted(wheels, key=lambda wheel: [int(n) for n in re.findall(r"\d+", wheel.version)], reverse=True)


def _fits_machine(tag: str, machine: str) -> bool:
    system = {"linux": "linux", "darwin": "macosx", "win32": "win"}.get(sys.platform, sys.platform)
    names = {"x86_64": ("x86_64", "amd64"), "amd64": ("x86_64", "amd64"), "arm64": ("arm64", "aarch64")}
    return system in tag and any(name in tag for name in names.get(machine, (machine,)))


def choose_torch(
    release: Release,
    *,
    gpu: bool,
    wheels: Sequence[Wheel] = (),
    cpu_index: bool = False,
    platform: str = sys.platform,
) -> TorchChoice:
    """Choose the torch build for a server.

    Args:
        release: InvokeAI release.
        gpu: Whether the machine has an NVIDIA GPU.
        wheels: Local CPU builds for available Python versions.
        cpu_index: Whether PyTorch's package index is reachable.
        platform: ``sys.platform`` of the machine.
    """
    pins = (f"torch=={release.torch}", torchvision_for(release.torch))
    if platform == "darwin":
        # All Macs use the same build, and InvokeAI itself restricts the versions.
        return TorchChoice("default", ("torch", "torchvision"), None, None, 0.6, 1.9, "torch for macOS")
    if gpu:
        return TorchChoice(
            "gpu", pins, "auto" if cpu_index else None, None, 3.3, 6.7, f"torch {release.torch} with CUDA"
        )
    if wheels:
        wheel = wheels[0]
        return TorchChoice(
            "cpu",
            (f"torch=={wheel.version}", torchvision_for(wheel.version)),
            None,
            wheel.path.parent,
            0.45,
            2.7,
            f"the CPU torch {wheel.version} in {wheel.path.parent}",
        )
    if cpu_index:
        return TorchChoice(
            "cpu", pins, "cpu", None, 0.65, 2.7, f"the CPU torch {release.torch} from {CPU_INDEX}"
        )
    if platform == "win32":
        return TorchChoice(
            "cpu", pins, None, None, 0.7, 2.7, f"torch {release.torch}"
        )  # the build on PyPI is for CPUs
    return TorchChoice(
        "default",
        pins,
        None,
        None,
        3.3,
        6.7,
        f"torch {release.torch} with CUDA",
        "this machine has no NVIDIA GPU, but no CPU build of torch is available: neither in a find-links folder of pip "
        f"or uv, nor from {CPU_INDEX}, which cannot be reached",
    )


def cpu_index_reachable(timeout: float = 6.0) -> bool:
    """Whether PyTorch's package index responds."""
    import http.client
    import urllib.request

    request = urllib.request.Request(f"{CPU_INDEX}/torch/", method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:  # (https only, a constant)
            return bool(response.status == 200)
    except (OSError, http.client.HTTPException):
        return False


def override_lines(release: Release, choice: TorchChoice) -> tuple[str, ...]:
    """Return the requirements that replace InvokeAI's own.

    A local CPU wheel may be newer than an older release allows (``torch~=2.7.0``). The release works with it anyway.
    """
    own = not choice.requirements[0].startswith(f"torch=={release.torch}")
    torch = choice.requirements if own and "==" in choice.requirements[0] else ()
    return (*release.overrides, *torch)


def has_nvidia_gpu() -> bool:
    """Whether the machine has an NVIDIA GPU with a working driver, according to nvidia-smi."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return False
    try:
        found = subprocess.run(
            [tool, "-L"], capture_output=True, text=True, timeout=20, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return found.returncode == 0 and "GPU" in found.stdout


def find_gpu() -> str | None:
    """Return the kind of GPU that this machine has, without importing torch, or None if it has none that is known."""
    import platform

    if sys.platform == "darwin":
        return "an Apple GPU" if platform.machine() == "arm64" else None
    # In a container, the driver may be there without its tools.
    if has_nvidia_gpu() or any(_NVIDIA_DRIVER.glob("*")):
        return "an NVIDIA GPU"
    return None
