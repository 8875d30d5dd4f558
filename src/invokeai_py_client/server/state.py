"""Files in which processes record the servers they started, so that other processes can find them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from invokeai_py_client._atomic import write_draft
from invokeai_py_client._records import read_record
from invokeai_py_client.server.paths import running_folder
from invokeai_py_client.server.processes import identity


@dataclass(frozen=True, slots=True)
class Running:
    """A running server.

    Attributes:
        version: InvokeAI version.
        url: Server URL.
        port: Port.
        root: Root folder.
        log: Log file.
        pid: Process id.
        process: Text that tells the process from others with the same id.
        detached: Whether the server outlives the process that started it.
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
        """Return whether the server's process is still running."""
        return identity(self.pid) == self.process

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes as JSON data."""
        return asdict(self)


_KINDS: Mapping[str, type] = {
    **dict.fromkeys(("version", "url", "root", "log", "process"), str),
    "port": int,
    "pid": int,
    "detached": bool,
}


def _file(root: Path) -> Path | None:
    folder = running_folder()
    return None if folder is None else folder / f"{hashlib.sha256(os.fsencode(root)).hexdigest()[:16]}.json"


def remember(server: Running) -> None:
    """Record a server. The file is replaced atomically. Does nothing without a home directory."""
    file = _file(Path(server.root))
    if file is None:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    write_draft(file, (json.dumps(server.to_dict(), indent=2) + "\n").encode())


def forget(root: Path) -> None:
    """Remove the record of the server on a root."""
    file = _file(root)
    if file is not None:
        file.unlink(missing_ok=True)


def _read(file: Path) -> Running | None:
    data = read_record(file, _KINDS)  # None if it was removed in the meantime
    return None if data is None or data.keys() != _KINDS.keys() else Running(**data)


def at_root(root: Path) -> Running | None:
    """Return the server that is running on a root, or None."""
    file = _file(root)
    server = None if file is None else _read(file)
    return server if server is not None and server.lives() else None


def running() -> list[Running]:
    """Return all running servers, and remove the records of others."""
    alive: list[Running] = []
    folder = running_folder()
    for file in sorted(folder.glob("*.json")) if folder is not None else ():
        server = _read(file)
        if server is not None and server.lives():
            alive.append(server)
        else:
            file.unlink(missing_ok=True)
    return alive
