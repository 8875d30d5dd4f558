"""JSON files in which this package keeps records for itself. They may be missing, damaged, or of another version."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast


def read_record(path: Path, kinds: Mapping[str, type]) -> dict[str, Any] | None:
    """Return the JSON object in a file, or None if the file is missing or damaged.

    Args:
        path: The file.
        kinds: The type of each value that the object must have.
    """
    try:
        data: Any = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):  # ValueError includes bytes that are not text
        return None
    return cast("dict[str, Any]", data) if has_kinds(data, kinds) else None


def has_kinds(data: Any, kinds: Mapping[str, type]) -> bool:
    """Return whether JSON data is an object that has these keys, with values of these types."""
    if not isinstance(data, dict):
        return False
    known = cast("dict[str, Any]", data)
    return all(
        isinstance(known.get(key), kind) and (kind is bool or not isinstance(known[key], bool))
        for key, kind in kinds.items()
    )
