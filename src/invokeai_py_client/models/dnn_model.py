"""Models on a server, and records of its model manager."""

from __future__ import annotations

from typing import Any, ClassVar, cast

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
    """A model on a server.

    The names in older documents (``model_key``, ``model_name``, ``base_model``, ``model_type``, ``model_format``) are
    accepted too, and available as properties. Values that only a newer server sends are attributes with the same names.

    Attributes:
        key: The model's key on this server. Other servers have different keys for the same model.
        name: The model's name.
        base: The architecture. A base that this client does not know stays text.
        type: The type of model. A type that this client does not know stays text.
        hash: The hash of its weights, which is the same on every server.
        path: Its path on the server: absolute, or relative to the server's models folder.
        description: A description for users.
        format: The storage format. A format that this client does not know stays text.
        variant: ``normal``, ``inpaint``, ``schnell``..., if its type has variants.
        file_size: The size of its files, in bytes.
        source: The path, URL or Hugging Face repository that it was installed from.
        source_type: ``path``, ``url``, ``hf_repo_id`` or ``external``.
        source_url: The web page of the model.
        source_api_response: The response of the source about the model, as JSON text.
        cover_image: The path of its picture on the server. ``get_picture()`` of the repository downloads it.
        trigger_phrases: Words that a prompt should contain to activate it. Main models and LoRAs have them.
        default_settings: The settings that the web UI uses with it: ``steps``, ``cfg_scale``, ``scheduler``, ``width``,
            ``height``, ``vae``... for main models, ``weight`` for LoRAs, ``preprocessor`` for ControlNets.
        cpu_only: Whether it always runs on the CPU. Only encoders, VAEs and language models have this value. For main
            models, ``default_settings["cpu_only"]`` is about their text encoders.
        submodels: The parts of a main model that consists of several, by name.
        prediction_type: ``epsilon``, ``v_prediction``..., for Stable Diffusion.
        upcast_attention: Whether attention is computed in 32 bits, for Stable Diffusion.
        repo_variant: ``fp16``, ``onnx``... or an empty text, for models in the diffusers format.
        config_path: The configuration file of a checkpoint.
        image_encoder_model_id: The CLIP vision model that an IP adapter needs.
        latent_channels: The number of channels of a Wan VAE.
        expert: ``high`` or ``low``, for a part of a Wan model of two experts.
        has_dual_expert: Whether a Wan model has two experts.
        boundary_ratio: The part of the noise at which a Wan model changes from one expert to the other.
        cond_in_channels: The number of input channels of a control LoRA.
        provider_id: The provider of an external model.
        provider_model_id: The name of an external model at its provider.
        capabilities: The abilities of an external model.
        panel_schema: The controls that the web UI shows for an external model.
        tags: The tags of an external model.
        is_default: Whether an external model is the default of its provider.
    """

    _brief: ClassVar[tuple[str, ...]] = ("key", "name", "base", "type", "format")

    key: str = Field(validation_alias=_either("key", "model_key"))
    name: str = Field(validation_alias=_either("name", "model_name"))
    base: BaseModelField = Field(validation_alias=_either("base", "base_model"))
    type: ModelTypeField = Field(validation_alias=_either("type", "model_type"))
    hash: str | None = None
    path: str | None = None
    description: str | None = None
    format: ModelFormatField | None = Field(default=None, validation_alias=_either("format", "model_format"))
    variant: str | None = None
    file_size: int | None = None
    source: str | None = None
    source_type: str | None = None
    source_url: str | None = None
    source_api_response: str | None = None
    cover_image: str | None = None
    trigger_phrases: list[str] | None = None
    default_settings: dict[str, Any] | None = None
    cpu_only: bool | None = None
    submodels: dict[str, Any] | None = None
    prediction_type: str | None = None
    upcast_attention: bool | None = None
    repo_variant: str | None = None
    config_path: str | None = None
    image_encoder_model_id: str | None = None
    latent_channels: int | None = None
    expert: str | None = None
    has_dual_expert: bool | None = None
    boundary_ratio: float | None = None
    cond_in_channels: int | None = None
    provider_id: str | None = None
    provider_model_id: str | None = None
    capabilities: dict[str, Any] | None = None
    panel_schema: dict[str, Any] | None = None
    tags: list[str] | None = None
    is_default: bool | None = None
    metadata: dict[str, Any] = Field(default_factory=dict[str, Any])

    # Explicit, so that type checkers accept the older names too.
    def __init__(self, /, **data: Any) -> None:
        super().__init__(**data)

    def is_compatible_with_base(self, base_model: str) -> bool:
        """Return whether the model works with an architecture: whether it was made for it or for any."""
        return self.base in (BaseModelEnum.parse(base_model), BaseModelEnum.ANY)

    def format_file_size(self) -> str:
        """Return its size in powers of 1,024, such as ``6.9 GB``, or ``unknown`` if the server does not report it."""
        return "unknown" if self.file_size is None else _size_text(self.file_size)

    @property
    def model_key(self) -> str:
        """An older name for ``key``."""
        return self.key

    @property
    def model_name(self) -> str:
        """An older name for ``name``."""
        return self.name

    @property
    def base_model(self) -> BaseModelEnum | str:
        """An older name for ``base``."""
        return self.base

    @property
    def model_type(self) -> str:
        """An older name for ``type``."""
        return self.type

    @property
    def model_format(self) -> str | None:
        """An older name for ``format``."""
        return self.format

    @classmethod
    def _shape(cls, data: dict[str, Any]) -> dict[str, Any]:
        for older, name in _OLDER_NAMES.items():
            value = data.pop(older, None)
            if data.get(name) is None:
                data[name] = value
        if isinstance(data.get("key"), str):  # a record with an identity is never rejected
            for name, default in (("name", data["key"]), ("base", "unknown"), ("type", "unknown")):
                if not isinstance(data.get(name), str):
                    data[name] = default
        return data


def _size_text(size: float) -> str:
    for unit in ("B", "KB", "MB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GB"


class FoundModel(IvkModel):
    """A model file or folder that a scan found. It can also be read like a dictionary: ``found.get("path")``.

    Attributes:
        path: Its path on the server's machine.
        is_installed: Whether it is already installed on the server.
    """

    path: str
    is_installed: bool = False

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key, or the default if the server did not send it."""
        return self.to_dict().get(key, default)

    def __getitem__(self, key: str) -> Any:
        return self.to_dict()[key]


class ModelCacheStats(IvkModel):
    """Statistics of the server's model cache since the server started.

    Attributes:
        hits: The number of times that a model was in the cache.
        misses: The number of times that a model had to be loaded.
        high_watermark: The largest size of the cache so far, in bytes.
        in_cache: The number of models in the cache.
        cleared: The number of models removed from the cache to make room.
        cache_size: The maximum size of the cache, in bytes.
        loaded_model_sizes: The sizes of loaded models in bytes, by model.
    """

    hits: int = 0
    misses: int = 0
    high_watermark: int = 0
    in_cache: int = 0
    cleared: int = 0
    cache_size: int = 0
    loaded_model_sizes: dict[str, Any] = Field(default_factory=dict[str, Any])


class StarterModel(IvkModel):
    """A starter model: one of the models that InvokeAI suggests to new users.

    Attributes:
        name: Its name. Several starter models may have the same name, but not the same source.
        source: The source to install it from: a Hugging Face repository or a URL.
        base: The architecture. A base that this client does not know stays text.
        type: ``main``, ``vae``, ``lora``...
        format: ``diffusers``, ``checkpoint``..., if the server reports it.
        variant: ``normal``, ``inpaint``, ``schnell``..., if its type has variants.
        description: Its purpose and size.
        is_installed: Whether it is installed on the server.
        previous_names: Its earlier names.
        dependencies: Other models that it needs and that are not installed on the server.
        capabilities: The abilities of an external model.
        default_settings: The settings that the web UI uses with an external model.
        panel_schema: The controls that the web UI shows for an external model.
    """

    _brief: ClassVar[tuple[str, ...]] = ("name", "base", "type", "is_installed")

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
    capabilities: dict[str, Any] | None = None
    default_settings: dict[str, Any] | None = None
    panel_schema: dict[str, Any] | None = None

    @classmethod
    def _shape(cls, data: dict[str, Any]) -> dict[str, Any]:
        needed = data.get("dependencies")
        if isinstance(needed, list):
            data["dependencies"] = _starters(cast("list[Any]", needed))
        return data


class StarterBundle(IvkModel):
    """A bundle of starter models: all that InvokeAI suggests for one architecture.

    Attributes:
        id: Its id, which is the architecture of most bundles: ``sdxl``, ``flux``, ``wan_t2v``...
        name: Its name, such as ``FLUX.1 dev``.
        models: Its models.
    """

    _brief: ClassVar[tuple[str, ...]] = ("id", "name")

    id: str
    name: str
    models: list[StarterModel] = Field(default_factory=list[StarterModel])

    @property
    def is_installed(self) -> bool:
        """Whether all of its models are installed on the server."""
        return all(model.is_installed for model in self.models)

    @classmethod
    def _shape(cls, data: dict[str, Any]) -> dict[str, Any]:
        models = data.get("models")
        if isinstance(models, list):
            data["models"] = _starters(cast("list[Any]", models))
        return data


def _starters(records: list[Any]) -> list[StarterModel]:
    return [one if isinstance(one, StarterModel) else StarterModel.from_api_response(one) for one in records]


class HuggingFaceModels(IvkModel):
    """The models in a repository on Hugging Face.

    Attributes:
        urls: The URLs of its single-file models, each of which can be installed.
        is_diffusers: Whether the repository is a model in the diffusers format, to be installed as ``owner/name``.
    """

    urls: list[str] = Field(default_factory=list[str])
    is_diffusers: bool = False


class OrphanedModel(IvkModel):
    """A file or folder in the server's models folder that no model uses.

    Attributes:
        path: Its path in the models folder.
        absolute_path: Its path on the server's machine.
        files: The model files in it, relative to it.
        size_bytes: The size of these files.
    """

    _brief: ClassVar[tuple[str, ...]] = ("path", "size_bytes")

    path: str
    absolute_path: str = ""
    files: list[str] = Field(default_factory=list[str])
    size_bytes: int = 0

    def format_size(self) -> str:
        """Return the size of its files in powers of 1,024, such as ``6.9 GB``."""
        return _size_text(self.size_bytes)
