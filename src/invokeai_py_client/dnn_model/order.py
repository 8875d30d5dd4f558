"""The order of a list of models."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from invokeai_py_client._text import close_names, did_you_mean, shown
from invokeai_py_client.errors import UsageError

if TYPE_CHECKING:
    from invokeai_py_client.models import IvkDnnModel

ModelOrder: TypeAlias = Literal[
    "default", "name", "type", "base", "format", "size", "path", "created_at", "updated_at"
]
"""A value to sort models by. ``default`` sorts by type, base, name and format."""

Direction: TypeAlias = Literal["ASC", "DESC"]

ON_SERVER = ("created_at", "updated_at")
"""Values that are not in the records, so that only servers can sort by them."""

ON_SERVER_SINCE = "6.13"
"""The first version that sorts. Older servers ignore the parameter."""

_KEYS: dict[str, Callable[[IvkDnnModel], Any]] = {
    "default": lambda model: (
        str(model.type),
        str(model.base).casefold(),
        model.name.casefold(),
        str(model.format),
    ),
    "name": lambda model: model.name.casefold(),
    "type": lambda model: str(model.type),
    "base": lambda model: str(model.base).casefold(),
    "format": lambda model: str(model.format or ""),
    "size": lambda model: model.file_size or 0,
    "path": lambda model: model.path or "",
}
ORDERS = (*_KEYS, *ON_SERVER)


def sorts_on_server(version: str) -> bool:
    """Whether a server of a version of InvokeAI sorts models."""
    return _numbers(version) >= _numbers(ON_SERVER_SINCE)


def _numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)[:2]]


def check_order(order_by: str | None, direction: str) -> str:
    """Check the arguments of a sorted list, and return the direction in capitals.

    Raises:
        UsageError: One of them is not valid.
    """
    if order_by is not None and order_by not in ORDERS:
        hint = did_you_mean(close_names(str(order_by), ORDERS))
        raise UsageError(
            f"order_by: {shown(order_by)} is not valid; expected one of {', '.join(ORDERS)}.{hint}"
        )
    word = str(direction).upper()
    if word not in ("ASC", "DESC"):
        raise UsageError(f"direction: {shown(direction)} is not valid; expected 'ASC' or 'DESC'.")
    return word


def sorted_models(models: Sequence[IvkDnnModel], order_by: str, direction: str) -> list[IvkDnnModel]:
    """Return models in an order. Models that are equal in it are sorted by name."""
    by_name = sorted(models, key=_KEYS["name"])
    return sorted(by_name, key=_KEYS[order_by], reverse=direction == "DESC")
