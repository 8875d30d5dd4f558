"""The manifests that were written on this machine, so that nothing removes queue items that a sweep still needs.

Each manifest has a small file with its path in the user's data folder. Without such a folder, none is known.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from pathlib import Path

from invokeai_py_client._atomic import write_draft
from invokeai_py_client._paths import absolute_path, data_folder

logger = logging.getLogger("invokeai_py_client.sweep")

_FOLDER = "manifests"


def remember_manifest(path: Path) -> None:
    """Record the path of a manifest. If it cannot be recorded, the sweep goes on."""
    folder = data_folder()
    if folder is None:
        return
    text = str(absolute_path(path))
    data = text.encode("utf-8", "surrogateescape")
    target = folder / _FOLDER / hashlib.sha256(data).hexdigest()[:24]
    try:
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            write_draft(target, data)
    except OSError as error:
        logger.debug("The manifest %s is not recorded: %s", text, error)


def known_manifests() -> Iterator[Path]:
    """Yield the recorded manifests that still exist, and forget the others."""
    folder = data_folder()
    if folder is None:
        return
    try:
        entries = sorted((folder / _FOLDER).iterdir())
    except OSError:  # it does not exist yet, or cannot be read
        return
    for entry in entries:
        try:
            path = Path(entry.read_bytes().decode("utf-8", "surrogateescape"))
            if path.is_absolute() and path.is_file():
                yield path
            else:
                entry.unlink(missing_ok=True)
        except (OSError, ValueError) as error:
            logger.debug("%s is skipped: %s", entry, error)
