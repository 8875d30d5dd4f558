"""Schemas kept on disk between runs, one file per server state.

Everything about it is optional: where nothing can be read or written the schema is read from the server.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from invokeai_py_client._atomic import write_draft
from invokeai_py_client.errors import SchemaFormatError, UsageError
from invokeai_py_client.schema.packed import pack, unpack

if TYPE_CHECKING:
    from logging import Logger

    from invokeai_py_client.schema.template import Schema

DIRECTORY_VARIABLE: Final = "INVOKEAI_CLIENT_CACHE"
MAX_ENTRIES: Final = 20
_SUFFIX: Final = ".ivkschema"
_SAFE_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,100}")


def fingerprint(base_url: str, version: str, custom_nodes: Any = None) -> str:
    """A name for the state of a server's nodes: another state, another name.

    Args:
        base_url: The server's address.
        version: Its version.
        custom_nodes: JSON data that changes with its custom nodes.
    """
    import hashlib
    import json

    from invokeai_py_client import __version__

    # Our own version is part of it, since another version may read the same document differently.
    facts = [__version__, base_url.rstrip("/"), version, custom_nodes]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


class SchemaCache:
    """Schemas on disk.

    Attributes:
        directory: Where they are.
        max_entries: How many are kept; the oldest go first.
    """

    def __init__(self, directory: Path | None = None, *, max_entries: int = MAX_ENTRIES) -> None:
        """Use a directory, which is made when something is stored.

        Args:
            directory: Where; by default ``$INVOKEAI_CLIENT_CACHE``, else the user's cache directory.
            max_entries: How many schemas to keep.
        """
        self.directory = directory or _default_directory()
        self.max_entries = max_entries

    def load(self, fingerprint: str) -> Schema | None:
        """The schema stored under that name; None if there is none that can be used."""
        path = self._path(fingerprint)
        try:
            return unpack(path.read_bytes())
        except FileNotFoundError:
            return None
        except SchemaFormatError as error:
            _log().info("ignored the cached schema %s: %s", path, error)
        except OSError as error:
            _log().warning("cannot read the cached schema %s: %s", path, error)
        return None

    def store(self, fingerprint: str, schema: Schema) -> None:
        """Store a schema under a name, replacing what was there."""
        path = self._path(fingerprint)
        data = pack(schema)
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            write_draft(path, data, mode=0o600)
            self._remove_oldest(keep=path)
        except OSError as error:
            _log().warning("cannot keep the schema in %s: %s", self.directory, error)

    def _path(self, fingerprint: str) -> Path:
        if not _SAFE_NAME.fullmatch(fingerprint) or fingerprint.startswith("."):
            raise UsageError(f"a fingerprint is a plain file name, not {fingerprint!r}")
        return self.directory / (fingerprint + _SUFFIX)

    def _remove_oldest(self, keep: Path) -> None:
        ages: list[tuple[float, Path]] = []
        for path in self.directory.glob(f"*{_SUFFIX}*"):
            if path != keep:
                try:
                    ages.append((path.stat().st_mtime, path))
                except FileNotFoundError:
                    continue  # another process tidied up first
        ages.sort(reverse=True)
        for _, path in ages[self.max_entries - 1 :]:
            path.unlink(missing_ok=True)


def _default_directory() -> Path:
    if chosen := os.environ.get(DIRECTORY_VARIABLE):
        return Path(chosen).expanduser()
    import platformdirs

    return platformdirs.user_cache_path("invokeai-py-client") / "schemas"


def _log() -> Logger:
    import logging

    return logging.getLogger("invokeai_py_client.schema")
