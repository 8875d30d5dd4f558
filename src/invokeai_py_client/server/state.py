"""The files that tell one process about the servers that another one started."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from invokeai_py_client._atomic import write_draft
from invokeai_py_client.server.paths import running_folder
from invokeai_py_client.server.processes import identity


@dataclass(frozen=True, slots=True)
class Running:
    """A server that was started.

    Attributes:
        version: Its InvokeAI version.
        url: Its address.
        port: Its port.
        root: Its root folder.
        log: Its log file.
        pid: Its process.
        process: Which process of that number is meant.
        detached: It outlives the process that started it.
    """

    version: str
    url: str
    port: int
    root: str
    log: str
    pid: int
    process: str
    detached: bool

    def lives(self) -> bool:
        """Tell whether its process still runs."""
        return identity(self.pid) == self.process

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return asdict(self)


def _file(root: Path) -> Path:
    name = hashlib.sha256(os.fsencode(root)).hexdigest()[:16]
    return running_folder() / f"{name}.json"


def remember(server: Running) -> None:
    """Write a server down; replaced as a whole, so that a reader never sees half of it."""
    file = _file(Path(server.root))
    file.parent.mkdir(parents=True, exist_ok=True)
    write_draft(file, (json.dumps(server.to_dict(), indent=2) + "\n").encode())


def forget(root: Path) -> None:
    """Remove what is written about the server of a root."""
    _file(root).unlink(missing_ok=True)


def _read(file: Path) -> Running | None:
    try:
        data: Mapping[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return Running(**data)
    except (OSError, ValueError, TypeError):
        return None  # gone meanwhile, or of another version of this package


def at_root(root: Path) -> Running | None:
    """Return the server that runs on a root, if any."""
    server = _read(_file(root))
    return server if server is not None and server.lives() else None


def running() -> list[Running]:
    """Return all servers that run; what is written about dead ones is removed."""
    alive: list[Running] = []
    for file in sorted(running_folder().glob("*.json")):
        server = _read(file)
        if server is not None and server.lives():
            alive.append(server)
        else:
            file.unlink(missing_ok=True)
    return alive
