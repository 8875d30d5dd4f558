"""Models on a server, and what its model manager says about them."""

from __future__ import annotations

from typing import Any

from pydantic import AliasChoices, Field

from invokeai_py_client.models.base import IvkModel
from invokeai_py_client.models.enums import BaseModelEnum
from invokeai_py_client.models.types import BaseModelField

_OLDER_NAMES = {
    "model_key": "key",
    "model_name": "name",
    "base_model": "base",
    "model_type": "type",
    "model_format": "format",
}


def _either(name: str, older: str) -> AliasChoices:
    return AliasChoices(name, older)


class IvkDnnModel(IvkModel):
    """A model's record.

    The names of older documents (``model_key``, ``model_name``, ``base_model``, ``model_type``,
    ``model_format``) are accepted and read as well. What else the server says about a model
    (``file_size``, ``source``, ``default_settings``...) is there as attributes of the same names.

    Attributes:
        key: Its identity on this server. Another server keys the same model differently.
        name: What people call it.
        base: The architecture; a word that this client does not know stays text.
        type: ``main``, ``vae``, ``lora``... (see :class:`~invokeai_py_client.models.ModelTypeEnum`).
        hash: Of its weights: the same on every server.
        path: Where the server keeps it.
        format: ``diffusers``, ``checkpoint``... (see :class:`~invokeai_py_client.models.ModelFormatEnum`).
        variant: ``normal``, ``inpaint``, ``schnell``..., where its type has variants.
    """

    key: str = Field(validation_alias=_either("key", "model_key"))
    name: str = Field(validation_alias=_either("name", "model_name"))
    base: BaseModelField = Field(validation_alias=_either("base", "base_model"))
    type: str = Field(validation_alias=_either("type", "model_type"))
    hash: str | None = None
    path: str | None = None
    description: str | None = None
    format: str | None = Field(default=None, validation_alias=_either("format", "model_format"))
    variant: str | None = None
    metadata: dict[str, Any] = Field(default_factory=dict[str, Any])

    # Explicit, so that type checkers take the older names too.
    def __init__(self, /, **data: Any) -> None:
        super().__init__(**data)

    @property
    def model_key(self) -> str:
        """An older name of :attr:`key`."""
        return self.key

    @property
    def model_name(self) -> str:
        """An older name of :attr:`name`."""
        return self.name

    @property
    def base_model(self) -> BaseModelEnum | str:
        """An older name of :attr:`base`."""
        return self.base

    @property
    def model_type(self) -> str:
        """An older name of :attr:`type`."""
        return self.type

    @property
    def model_format(self) -> str | None:
        """An older name of :attr:`format`."""
        return self.format

    @classmethod
    def _shape(cls, data: dict[str, Any]) -> dict[str, Any]:
        for older, name in _OLDER_NAMES.items():
            value = data.pop(older, None)
            if data.get(name) is None:
                data[name] = value
        if isinstance(data.get("key"), str):  # a record that has its identity is never refused
            for name, default in (("name", data["key"]), ("base", "unknown"), ("type", "unknown")):
                if not isinstance(data.get(name), str):
                    data[name] = default
        return data


class FoundModel(IvkModel):
    """A model file or folder that a scan came across.

    Attributes:
        path: Where it is, on the server's machine.
        is_installed: Whether the server has it already.
    """

    path: str
    is_installed: bool = False


class ModelCacheStats(IvkModel):
    """What the server's model cache did since it started.

    Attributes:
        cache_size: In bytes; as ``high_watermark``.
        in_cache: How many models it holds.
        loaded_model_sizes: In bytes, by model.
    """

    hits: int = 0
    misses: int = 0
    high_watermark: int = 0
    in_cache: int = 0
    cleared: int = 0
    cache_size: int = 0
    loaded_model_sizes: dict[str, Any] = Field(default_factory=dict[str, Any])
