"""Models on a server, and what its model manager says about them."""

from __future__ import annotations

from typing import Any, cast

from pydantic import AliasChoices, Field

from invokeai_py_client.models.base import BaseModelField, IvkModel, ModelFormatField, ModelTypeField
from invokeai_py_client.models.enums import BaseModelEnum

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
        type: What it does; a word that this client does not know stays text.
        hash: Of its weights: the same on every server.
        path: Where the server keeps it.
        format: How it is stored; as with the type.
        variant: ``normal``, ``inpaint``, ``schnell``..., where its type has variants.
    """

    key: str = Field(validation_alias=_either("key", "model_key"))
    name: str = Field(validation_alias=_either("name", "model_name"))
    base: BaseModelField = Field(validation_alias=_either("base", "base_model"))
    type: ModelTypeField = Field(validation_alias=_either("type", "model_type"))
    hash: str | None = None
    path: str | None = None
    description: str | None = None
    format: ModelFormatField | None = Field(default=None, validation_alias=_either("format", "model_format"))
    variant: str | None = None
    metadata: dict[str, Any] = Field(default_factory=dict[str, Any])

    # Explicit, so that type checkers take the older names too.
    def __init__(self, /, **data: Any) -> None:
        super().__init__(**data)

    def is_compatible_with_base(self, base_model: str) -> bool:
        """Whether it is made for an architecture, or belongs to none."""
        return self.base in (BaseModelEnum.parse(base_model), BaseModelEnum.ANY)

    def format_file_size(self) -> str:
        """Its size as people read it, in powers of 1,024: ``6.9 GB``; ``unknown`` where the server does not tell."""
        size: Any = getattr(self, "file_size", None)
        if not isinstance(size, int | float):
            return "unknown"
        for unit in ("B", "KB", "MB"):
            if size < 1024:
                return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
            size /= 1024
        return f"{size:.1f} GB"

    @property
    def model_key(self) -> str:
        """An older name of ``key``."""
        return self.key

    @property
    def model_name(self) -> str:
        """An older name of ``name``."""
        return self.name

    @property
    def base_model(self) -> BaseModelEnum | str:
        """An older name of ``base``."""
        return self.base

    @property
    def model_type(self) -> str:
        """An older name of ``type``."""
        return self.type

    @property
    def model_format(self) -> str | None:
        """An older name of ``format``."""
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
    """A model file or folder that a scan came across. It reads like a dictionary, too: ``found.get("path")``.

    Attributes:
        path: Where it is, on the server's machine.
        is_installed: Whether the server has it already.
    """

    path: str
    is_installed: bool = False

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key, or the default where the server said nothing of it."""
        return self.to_dict().get(key, default)

    def __getitem__(self, key: str) -> Any:
        return self.to_dict()[key]


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


class StarterModel(IvkModel):
    """A model that InvokeAI proposes to begin with.

    Attributes:
        name: What it is called; a source tells models of one name apart.
        source: Where it is installed from: a repository on Hugging Face or a URL.
        base: The architecture; a word that this client does not know stays text.
        type: ``main``, ``vae``, ``lora``...
        format: ``diffusers``, ``checkpoint``..., where the server says it.
        description: What it is good for, and how large it is.
        is_installed: Whether the server has it.
        previous_names: Names that it had earlier.
        dependencies: What it needs besides, as far as the server does not have it.
    """

    name: str
    source: str
    base: BaseModelField = BaseModelEnum.UNKNOWN
    type: str = "unknown"
    format: str | None = None
    variant: str | None = None
    description: str = ""
    is_installed: bool = False
    previous_names: list[str] = Field(default_factory=list[str])
    dependencies: list[StarterModel] = Field(default_factory=list["StarterModel"])

    @classmethod
    def _shape(cls, data: dict[str, Any]) -> dict[str, Any]:
        needed = data.get("dependencies")
        if isinstance(needed, list):
            data["dependencies"] = [
                one if isinstance(one, StarterModel) else cls.from_api_response(one)
                for one in cast("list[Any]", needed)
            ]
        return data
