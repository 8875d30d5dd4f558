"""A cache of schemas on disk, with one file for each content of a server's document.

The cache is optional. If it can't be read or written, the schema is read from the server.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from invokeai_py_client._atomic import write_draft
from invokeai_py_client._paths import cache_folder
from invokeai_py_client.errors import SchemaFormatError, UsageError
from invokeai_py_client.schema.packed import pack, unpack

if TYPE_CHECKING:
    from logging import Logger

    from invokeai_py_client.schema.template import Schema

DIRECTORY_VARIABLE: Final = "INVOKEAI_CLIENT_CACHE"
MAX_ENTRIES: Final = 20
_SUFFIX: Final = ".ivkschema"
_SAFE_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,100}")


def fingerprint(base_url: str, version: str, document: bytes = b"") -> str:
    """Return a name that identifies the state of a server's node types.

    Args:
        base_url: The server's address.
        version: The server's version.
        document: The document that describes the node types.
    """
    import hashlib
    import json

    from invokeai_py_client import __version__

    # Includes the version of this package, because another version may parse the same document differently.
    facts = [__version__, base_url.rstrip("/"), version, hashlib.sha256(document).hexdigest()]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]


class SchemaCache:
    """A cache of schemas on disk.

    Attributes:
        directory: The directory of the files, or None if there is no home directory. Then nothing is stored.
        max_entries: The largest number of schemas to keep. The oldest are removed first.
    """

    def __init__(self, directory: Path | None = None, *, max_entries: int = MAX_ENTRIES) -> None:
        """Use a directory, which is created when a schema is stored.

        Args:
            directory: The directory. Defaults to ``$INVOKEAI_CLIENT_CACHE``, or else to the user's cache directory.
            max_entries: The largest number of schemas to keep. Defaults to 20.
        """
        self.directory: Path | None = directory or _default_directory()
        # A default directory that cannot be used, as in a read-only container, needs no attention.
        self._level = "warning" if directory or os.environ.get(DIRECTORY_VARIABLE) else "info"
        self.max_entries = max_entries

    def load(self, fingerprint: str) -> Schema | None:
        """Return the schema stored under a name, or None if there is no usable schema."""
        path = self._path(fingerprint)
        if path is None:
            return None
        try:
            return unpack(path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except SchemaFormatError as error:
            _log().info("Ignoring the cached schema %s: %s", path, error)
        except OSError as error:
            self._note("Cannot read the cached schema %s: %s", path, error)
        return None

    def store(self, fingerprint: str, schema: Schema) -> None:
        """Store a schema under a name, replacing any schema that was stored there."""
        path = self._path(fingerprint)
        if path is None:
            return
        data = pack(schema)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_draft(path, data, mode=0o600)
            self._remove_oldest(keep=path)
        except OSError as error:
            self._note("Cannot store the schema in %s: %s", self.directory, error)

    def _note(self, message: str, *details: object) -> None:
        getattr(_log(), self._level)(message, *details)

    def _path(self, fingerprint: str) -> Path | None:
        if not _SAFE_NAME.fullmatch(fingerprint) or fingerprint.startswith("."):
            raise UsageError(f"Invalid fingerprint {fingerprint!r}: expected a plain file name.")
        return None if self.directory is None else self.directory / (fingerprint + _SUFFIX)

    def _remove_oldest(self, keep: Path) -> None:
        ages: list[tuple[float, Path]] = []
        for path in keep.parent.glob(f"*{_SUFFIX}*"):
            if path != keep:
                try:
                    ages.append((path.stat().st_mtime, path))
                except FileNotFoundError:
                    continue  # another process removed it first
        ages.sort(reverse=True)
        for _, path in ages[self.max_entries - 1 :]:
            path.unlink(missing_ok=True)


def _default_directory() -> Path | None:
    folder = cache_folder()
    return folder if folder is None or os.environ.get(DIRECTORY_VARIABLE) else folder / "schemas"


def _log() -> Logger:
    import logging

    return logging.getLogger("invokeai_py_client.schema")
