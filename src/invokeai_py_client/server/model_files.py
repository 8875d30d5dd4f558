"""Models that local servers use in place: installing them, and sharing them between servers of this machine.

Each server has its own database of models. Servers that share models have records with the same keys and hashes, which
point to the same files. They must not share the folder ``models`` itself (6.14.2): a server deletes or resumes the
unfinished downloads that it finds there when it starts, and deletes the files in it with the record of a model.
"""

from __future__ import annotations

import json
import re
import sqlite3
import time
import urllib.parse
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from invokeai_py_client.errors import InstallError, UsageError
from invokeai_py_client.server.health import request

# What a record keeps on another server. With the hash, the server does not read the whole file to compute it.
_KEPT = (
    "key",
    "hash",
    "file_size",
    "name",
    "description",
    "base",
    "type",
    "format",
    "variant",
    "prediction_type",
    "upcast_attention",
    "config_path",
    "default_settings",
    "trigger_phrases",
    "source_url",
    "cpu_only",
)
_EXTERNAL = "external"
_MODELS_DIR = re.compile(r"^models_dir:\s*['\"]?(.+?)['\"]?\s*(?:#.*)?$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model on disk, with its record.

    Attributes:
        path: Its file or folder.
        record: Its record, as the server has it.
    """

    path: Path
    record: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The name of the model."""
        return str(self.record["name"])

    def is_same(self, other: ModelFile) -> bool:
        """Return whether two records are of the same model."""
        one, two = self.record, other.record
        if one["key"] == two["key"] or self.path == other.path:
            return True
        kind = ("hash", "base", "type")
        # The setting hashing_algorithm: random makes hashes that say nothing about the file.
        return not str(one["hash"]).startswith("random:") and [one[k] for k in kind] == [two[k] for k in kind]


def models_of(url: str, root: Path) -> list[ModelFile]:
    """Return the models of a running server.

    Args:
        url: The server's URL.
        root: Its root folder.

    Raises:
        InstallError: The server does not list its models.
    """
    status, data = request("GET", f"{url}/api/v1/app/runtime_config")
    if status != 200:
        raise InstallError(f"Cannot read the configuration of the server at {url}: status {status}.")
    return _located(list_models(url), root / data["config"]["models_dir"])


def models_in(root: Path) -> list[ModelFile]:
    """Return the models in a root folder, whether or not a server runs on it.

    Raises:
        UsageError: The folder is not the root of an InvokeAI.
    """
    database = root / "databases" / "invokeai.db"
    if not database.is_file():
        raise UsageError(
            f"Cannot read the models in {root}: there is no {database.relative_to(root)}. Pass the root folder of an "
            "InvokeAI that was started at least once."
        )
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            rows = connection.execute("SELECT config FROM models").fetchall()
        settings = root / "invokeai.yaml"
        found = _MODELS_DIR.search(settings.read_text(encoding="utf-8")) if settings.is_file() else None
    except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
        raise UsageError(f"Cannot read the models in {root}: {error}.") from None
    return _located((json.loads(row[0]) for row in rows), root / (found[1] if found else "models"))


def _located(records: Iterable[Mapping[str, Any]], folder: Path) -> list[ModelFile]:
    """Return models on disk. Relative paths start at the folder of models."""
    return [ModelFile(folder / one["path"], one) for one in records if one["base"] != _EXTERNAL]


def share_models(
    servers: Mapping[str, Path], more: Sequence[ModelFile] = (), *, timeout: float = 120.0
) -> list[str]:
    """Give each server the models of all others, in place. No file is copied or read completely.

    Records of models whose files were deleted by another of these servers are removed.

    Args:
        servers: The roots of running servers, by URL.
        more: Other models for all servers.
        timeout: Seconds to wait for each server. Defaults to 120.

    Returns:
        The names of the models that at least one server did not have.

    Raises:
        InstallError: A server rejected a model.
    """
    own = {url: models_of(url, root) for url, root in servers.items()}
    for url, models in own.items():
        others = [root for other, root in servers.items() if other != url]
        for model in [one for one in models if not one.path.exists()]:
            if any(model.path.is_relative_to(root) for root in others):
                request("DELETE", f"{url}/api/v2/models/i/{urllib.parse.quote(model.record['key'], safe='')}")
            models.remove(model)
    shared: list[ModelFile] = []
    for model in [*(model for models in own.values() for model in models), *more]:
        if model.path.exists() and not any(model.is_same(one) for one in shared):
            shared.append(model)
    missing = {
        url: [model for model in shared if not any(model.is_same(one) for one in models)]
        for url, models in own.items()
    }
    jobs = {
        url: {install_in_place(url, one.name, one.path, _kept(one)): one.name for one in models}
        for url, models in missing.items()
    }
    for url, models in missing.items():
        wait_for_installs(url, jobs[url], timeout)
        if models:
            _complete(url, models, models_of(url, servers[url]))
    return list(dict.fromkeys(model.name for models in missing.values() for model in models))


def _kept(model: ModelFile) -> dict[str, Any]:
    return {key: value for key in _KEPT if (value := model.record.get(key)) is not None}


def _complete(url: str, models: Sequence[ModelFile], present: Sequence[ModelFile]) -> None:
    """Set what an installation does not take over, such as trigger phrases and default settings (6.14.2)."""
    for model in models:
        made = next((one for one in present if one.is_same(model)), None)
        if made is None:
            raise InstallError(f"The server at {url} has no model {model.name} after its installation.")
        changes = {key: value for key, value in _kept(model).items() if made.record.get(key) != value}
        changes.pop("key", None)
        if not changes:
            continue
        key = urllib.parse.quote(made.record["key"], safe="")
        status, answer = request("PATCH", f"{url}/api/v2/models/i/{key}", changes)
        if status != 200:
            raise InstallError(
                f"The server at {url} rejected the settings of the model {model.name} ({', '.join(changes)}): {status} "
                f"{answer}"
            )


def list_models(url: str) -> list[dict[str, Any]]:
    """Return the records of a server's models.

    Raises:
        InstallError: The server does not list its models.
    """
    status, data = request("GET", f"{url}/api/v2/models/")
    if status != 200 or not isinstance(data, dict):
        raise InstallError(f"Cannot list the models of the server at {url}: status {status}.")
    return cast("list[dict[str, Any]]", data["models"])


def install_in_place(url: str, name: str, path: Path, record: Mapping[str, Any] | None = None) -> int:
    """Start to install a model without moving its files, and return the id of the installation.

    Args:
        url: The server's URL. The server must be able to read the same files.
        name: The name of the model in messages.
        path: Its file or folder.
        record: Values of its record that are known. Defaults to none.

    Raises:
        InstallError: The server rejected the model.
    """
    # With inplace=false the server would move the files into its root.
    query = urllib.parse.urlencode({"source": str(path), "inplace": "true"})
    status, job = request("POST", f"{url}/api/v2/models/install?{query}", dict(record or {}))
    if status not in (200, 201):
        raise InstallError(f"The server at {url} rejected the model {name} in {path}: {status} {job}")
    return int(job["id"])


def wait_for_installs(url: str, jobs: Mapping[int, str], timeout: float) -> None:
    """Wait until models are installed.

    Args:
        url: The server's URL.
        jobs: The names of the models by the ids of their installations.
        timeout: Seconds to wait for all of them.

    Raises:
        InstallError: A model cannot be installed, or is not installed in time.
    """
    deadline = time.monotonic() + timeout
    for number, name in jobs.items():
        while True:
            status, job = request("GET", f"{url}/api/v2/models/install/{number}")
            if status != 200 or job["status"] in ("error", "cancelled"):
                reason = job["error_reason"] if status == 200 else f"status {status}"
                raise InstallError(f"Cannot install the model {name} on the server at {url}: {reason}")
            if job["status"] == "completed":
                break
            if time.monotonic() > deadline:
                raise InstallError(
                    f"The model {name} was not installed on the server at {url} within {timeout:g} s."
                )
            time.sleep(0.05)
