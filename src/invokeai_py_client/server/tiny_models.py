"""Tiny models with random weights, which let a real InvokeAI generate images in about a second on a CPU."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from invokeai_py_client._atomic import write_draft
from invokeai_py_client._lock import locked
from invokeai_py_client._paths import absolute_path
from invokeai_py_client._records import has_kinds, read_record
from invokeai_py_client.errors import InstallError
from invokeai_py_client.server.installer import Installation
from invokeai_py_client.server.model_files import install_in_place, list_models, wait_for_installs
from invokeai_py_client.server.paths import cache_base, inside_folder

MANIFEST = "tiny-models.json"
# InvokeAI's default "auto" slices attention on a CPU, which is many times slower.
TINY_SETTINGS: Mapping[str, Any] = {"attention_type": "torch-sdp"}
"""The settings of a server for the tiny models."""
_KEYS = ("name", "file", "base", "type")


@dataclass(frozen=True, slots=True)
class TinyModel:
    """A tiny model.

    Attributes:
        name: Name on the server.
        path: File or folder.
        base: Base that InvokeAI detects.
        type: Type that InvokeAI detects.
    """

    name: str
    path: Path
    base: str
    type: str


@dataclass(frozen=True, slots=True)
class TinyModels:
    """A folder of tiny models.

    Attributes:
        folder: Folder with the models.
        models: Available models.
        skipped: Names of models that this InvokeAI does not support, with the reasons.
    """

    folder: Path
    models: tuple[TinyModel, ...]
    skipped: dict[str, str]

    @property
    def names(self) -> list[str]:
        """The names of the models."""
        return [model.name for model in self.models]


def tiny_flux_pack() -> Path:
    """Return the node pack that the tiny FLUX models require: ``LocalServer(node_packs=[...])``.

    It changes InvokeAI's hard-coded FLUX sizes. Full-size FLUX models do not load with it.
    """
    return inside_folder() / "tiny_flux"


def _source_hash() -> str:
    digest = hashlib.sha256()
    for file in sorted(inside_folder().rglob("*.py")):
        if file.name != "serve.py":
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def make_tiny_models(
    installation: Installation,
    out: Path | None = None,
    *,
    only: Iterable[str] | None = None,
    say: Callable[[str], None] | None = None,
) -> TinyModels:
    """Make the tiny models with an installed server's Python. Returns at once if they exist.

    Args:
        installation: The server, as returned by ``invokeai_py_client.server.install()``.
        out: Folder for the models. Defaults to a folder in the user's cache directory.
        only: Names of the models to make. Defaults to all.
        say: Called with progress messages.

    Raises:
        InstallError: The models could not be made.
    """
    names = None if only is None else sorted(set(only))
    key = f"{installation.version}-{_source_hash()}"
    if names is not None:
        key += "-" + hashlib.sha256("/".join(names).encode()).hexdigest()[:8]
    folder = absolute_path(out) if out is not None else cache_base() / "tiny-models" / key
    with locked(folder.with_name(folder.name + ".lock")):
        done = _read(folder, key)
        if done is not None:
            return done
        if say is not None:
            say(f"Making the tiny models in {folder}.")
        started = time.monotonic()
        _make(installation, folder, names, key)
        made = _read(folder, key)
    missing = sorted(set(names or ()) - {*(made.names if made else ()), *(made.skipped if made else ())})
    if made is None or missing:
        raise InstallError(f"No tiny model named {', '.join(missing) or 'so'}.")
    if say is not None:
        say(f"Made {len(made.models)} tiny models in {time.monotonic() - started:.0f} s.")
    return made


def _make(installation: Installation, folder: Path, names: Sequence[str] | None, key: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    order = {"out": str(folder), "only": names}
    environ = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    made = subprocess.run(
        [str(installation.python), str(inside_folder()), "models", json.dumps(order)],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env=environ,
    )
    if made.returncode != 0:
        shutil.rmtree(folder, ignore_errors=True)
        end = "\n".join(made.stderr.rstrip().splitlines()[-20:])
        raise InstallError("Cannot make the tiny models. The output ends with:", end)
    lines = [json.loads(line) for line in made.stdout.splitlines() if line.startswith("{")]
    folder.mkdir(parents=True, exist_ok=True)
    write_draft(folder / MANIFEST, json.dumps({"key": key, "models": lines}, indent=2).encode())


def _read(folder: Path, key: str | None = None) -> TinyModels | None:
    data = read_record(folder / MANIFEST, {"key": str, "models": list})
    if data is None or (key is not None and data["key"] != key):
        return None
    lines: list[dict[str, str]] = data["models"]
    untrusted: list[Any] = lines
    for line in untrusted:
        kinds = ("name", "skipped") if isinstance(line, dict) and "skipped" in line else _KEYS
        if not has_kinds(line, dict.fromkeys(kinds, str)):
            return None
    return TinyModels(
        folder,
        tuple(
            TinyModel(line["name"], folder / line["file"], line["base"], line["type"])
            for line in lines
            if "skipped" not in line
        ),
        {line["name"]: line["skipped"] for line in lines if "skipped" in line},
    )


def install_tiny_models(url: str, models: TinyModels | Path, *, timeout: float = 120.0) -> list[str]:
    """Install tiny models on a server in place. Models that are already installed are skipped.

    Args:
        url: Server URL. The server must be able to read the same files.
        models: The models or their folder.
        timeout: Seconds to wait for all installations. Defaults to 120.

    Returns:
        The names of all models on the server.

    Raises:
        InstallError: The server rejected a model or detected another base or type.
    """
    found = _read(models) if isinstance(models, Path) else models
    if found is None:
        raise InstallError(f"No tiny models in {models}.")
    url = url.rstrip("/")
    present = {record["name"] for record in list_models(url)}
    missing = [model for model in found.models if model.name not in present]
    jobs = {install_in_place(url, model.name, model.path): model.name for model in missing}
    wait_for_installs(url, jobs, timeout)
    kinds = {record["name"]: (record["base"], record["type"]) for record in list_models(url)}
    for model in found.models:
        if kinds.get(model.name) != (model.base, model.type):
            raise InstallError(
                f"The server detected the tiny model {model.name} as {kinds.get(model.name)}; "
                f"expected {(model.base, model.type)}."
            )
    return found.names
