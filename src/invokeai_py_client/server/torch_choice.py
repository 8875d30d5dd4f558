"""Choose the torch build for a server: the large CUDA one only where a card can use it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from invokeai_py_client.server.releases import Release, torchvision_for

CPU_INDEX = "https://download.pytorch.org/whl/cpu"


@dataclass(frozen=True, slots=True)
class Wheel:
    """A CPU build of torch found in a folder of wheels.

    Attributes:
        path: The file.
        version: Its version, such as ``2.13.0+cpu``.
        python: The Python it is for.
    """

    path: Path
    version: str
    python: tuple[int, int]


@dataclass(frozen=True, slots=True)
class TorchChoice:
    """Which torch a server gets, and what that costs.

    Attributes:
        kind: ``cpu`` or ``gpu`` build, or ``default`` for whatever the package index has.
        requirements: What to install.
        backend: uv's ``--torch-backend``, where it is used.
        find_links: A folder of wheels to look into.
        download: Gigabytes to download for the whole server, torch included.
        disk: Gigabytes it takes on disk.
        note: Where it comes from, for people.
        warning: What is unfortunate about it, for people.
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
    """Return the local folders of wheels that the user told pip or uv about."""
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
        folder = Path(name).expanduser()
        if folder.is_dir() and folder not in folders:
            folders.append(folder)
    return folders


def cpu_wheels(folders: Iterable[Path]) -> list[Wheel]:
    """Return the CPU builds of torch for this kind of machine in folders of wheels, newest first."""
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
    """Choose the torch for a server.

    Args:
        release: The InvokeAI release.
        gpu: Whether an NVIDIA card is present.
        wheels: CPU builds at hand, for Pythons that are at hand.
        cpu_index: Whether PyTorch's own package index can be reached.
        platform: ``sys.platform`` of the machine.
    """
    pins = (f"torch=={release.torch}", torchvision_for(release.torch))
    if platform == "darwin":
        # One build for all Macs; InvokeAI itself says which versions do.
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
        )  # PyPI's is a CPU build
    return TorchChoice(
        "default",
        pins,
        None,
        None,
        3.3,
        6.7,
        f"torch {release.torch} with CUDA",
        "there is no NVIDIA card here, but no CPU build of torch can be had: neither in a folder that pip's "
        f"or uv's find-links names, nor from {CPU_INDEX}, which cannot be reached",
    )


def cpu_index_reachable(timeout: float = 6.0) -> bool:
    """Tell whether PyTorch's own package index answers."""
    import http.client
    import urllib.request

    request = urllib.request.Request(f"{CPU_INDEX}/torch/", method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:  # (https only, a constant)
            return bool(answer.status == 200)
    except (OSError, http.client.HTTPException):
        return False


def override_lines(release: Release, choice: TorchChoice) -> tuple[str, ...]:
    """Return the requirements to put over InvokeAI's own.

    A CPU wheel at hand may be newer than what an older release asks for (``torch~=2.7.0``); it runs with it.
    """
    own = not choice.requirements[0].startswith(f"torch=={release.torch}")
    torch = choice.requirements if own and "==" in choice.requirements[0] else ()
    return (*release.overrides, *torch)


def has_nvidia_gpu() -> bool:
    """Tell whether an NVIDIA card with a working driver is present, by asking the driver's own tool."""
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
