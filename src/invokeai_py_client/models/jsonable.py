"""Plain JSON data out of whatever a record holds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import date, datetime
from enum import Enum
from typing import Any, cast

_ADDRESS = re.compile(r" at 0x[0-9A-Fa-f]+")


def jsonable(value: Any) -> Any:
    """The same as dicts, lists, text, numbers, booleans and None; anything unknown as text.

    Written out rather than left to the validation library, whose serialiser raises errors of its own for
    values that records may hold beside their fields.
    """
    if value is None or type(value) in (str, int, float, bool):
        return value
    if isinstance(value, Enum):
        return jsonable(value.value)
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in cast("list[Any]", value)]
    if isinstance(value, AbstractSet):
        return sorted((jsonable(item) for item in cast("AbstractSet[Any]", value)), key=str)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, bytes | bytearray):
        return f"{len(value)} bytes"
    to_dict = getattr(value, "to_dict", None)
    if callable(to_dict):
        return jsonable(to_dict())
    name = getattr(value, "name", None)
    # An image is its name; where an object is in memory says nothing.
    return name if isinstance(name, str) and hasattr(value, "thumbnail") else _ADDRESS.sub("", str(value))
