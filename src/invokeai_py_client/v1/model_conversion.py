"""Version 1's functions that convert models to fields and back."""

from __future__ import annotations

from typing import Any, Protocol

from invokeai_py_client.ivk_fields.models import IvkModelIdentifierField


class ModelLike(Protocol):
    """The attributes that identify a model. Model records and other objects with these attributes match."""

    @property
    def key(self) -> str:
        """The model's key on the server."""
        ...

    @property
    def hash(self) -> str | None:
        """The hash of the weights."""
        ...

    @property
    def name(self) -> str:
        """The model's name."""
        ...

    @property
    def base(self) -> str:
        """The architecture."""
        ...

    @property
    def type(self) -> str:
        """The type: ``main``, ``vae``..."""
        ...


def to_ivk_model_field(model: ModelLike) -> IvkModelIdentifierField:
    """Return a field with a model as its value. ``wf.set(model=model)`` also accepts the model itself."""
    return IvkModelIdentifierField(model)


def from_ivk_model_field(field: IvkModelIdentifierField) -> dict[str, Any]:
    """Return the key, hash, name, base and type of a field's model. Unknown values are ""."""
    return {part: getattr(field, part) for part in ("key", "hash", "name", "base", "type")}


def is_model_compatible(model: ModelLike, base_type: str, model_type: str | None = None) -> bool:
    """Return whether a model has an architecture and, if specified, a type."""
    return str(model.base) == base_type and model_type in (None, str(model.type))
