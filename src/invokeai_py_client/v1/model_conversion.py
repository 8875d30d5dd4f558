"""From models to the fields that choose them, and back, by version 1's names."""

from __future__ import annotations

from typing import Any, Protocol

from invokeai_py_client.ivk_fields.models import IvkModelIdentifierField


class ModelLike(Protocol):
    """What identifies a model: a record of the server, or an object with the same attributes."""

    @property
    def key(self) -> str:
        """Its identity on its server."""
        ...

    @property
    def hash(self) -> str | None:
        """Of its weights."""
        ...

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    @property
    def base(self) -> str:
        """Its architecture."""
        ...

    @property
    def type(self) -> str:
        """What it does."""
        ...


def to_ivk_model_field(model: ModelLike) -> IvkModelIdentifierField:
    """A field that holds a model. ``wf.set(model=model)`` does without one."""
    return IvkModelIdentifierField(model)


def from_ivk_model_field(field: IvkModelIdentifierField) -> dict[str, Any]:
    """What a field knows of its model: key, hash, name, base and type; "" for what it does not."""
    return {part: getattr(field, part) for part in ("key", "hash", "name", "base", "type")}


def is_model_compatible(model: ModelLike, base_type: str, model_type: str | None = None) -> bool:
    """Whether a model is of an architecture, and of a type."""
    return str(model.base) == base_type and model_type in (None, str(model.type))
