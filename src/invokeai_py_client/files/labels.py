"""Input values as text for file names, contact sheets and reports."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from pathlib import PurePath
from typing import Any, cast

from invokeai_py_client.ivk_fields.pending import find_pending
from invokeai_py_client.ivk_fields.plain import as_number, as_sequence, is_truth
from invokeai_py_client.models.base import jsonable

# The keys that identify a model, an image or a board, the best known first.
_NAMES = ("name", "image_name", "board_name", "board_id", "key")


def label_of(value: Any) -> str:
    """Return a value as text. Models, images and files are shown by name, whole numbers without a decimal point."""
    if value is None:
        return ""
    if isinstance(value, Enum):
        return label_of(value.value)
    if isinstance(value, str):
        return value
    if is_truth(value):
        return "true" if value else "false"
    number = as_number(value)
    if number is not None:
        return str(number).removesuffix(".0")
    if isinstance(value, PurePath):
        return value.name
    if find_pending(value) == [value]:
        return _pending(value)
    many = as_sequence(value)
    if many is not None:
        return ", ".join(map(label_of, many))
    if isinstance(value, Mapping):
        return _mapping(cast("Mapping[Any, Any]", value))
    name = getattr(value, "name", None)
    if isinstance(name, str) and name:
        return name
    plain = jsonable(value)
    return _mapping(cast("Mapping[Any, Any]", plain)) if isinstance(plain, Mapping) else str(plain)


def _pending(value: Any) -> str:
    path = getattr(value, "path", "")
    return PurePath(path).name if path else str(getattr(value, "name", "") or getattr(value, "text", ""))


def _mapping(value: Mapping[Any, Any]) -> str:
    for name in _NAMES:
        if isinstance(value.get(name), str) and value[name]:
            return cast("str", value[name])
    return ", ".join(f"{name} {label_of(part)}" for name, part in value.items())
