"""Fields for models, and for the parts of models that nodes pass on."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast

from invokeai_py_client._text import shown
from invokeai_py_client.errors import InputValueError
from invokeai_py_client.ivk_fields.base import IvkField
from invokeai_py_client.ivk_fields.pending import ModelByName
from invokeai_py_client.ivk_fields.plain import (
    Mismatch,
    as_number,
    looks_like_json,
    plain_json,
    read_json,
    short_list,
    text_of,
)
from invokeai_py_client.schema.template import ModelFilter

_IDENTIFIER = ("key", "hash", "name", "base", "type")
_DEFAULT_WEIGHT = 0.75  # the editor's weight for a newly added LoRA


class _ModelChoice(IvkField[Any]):
    """The base class of fields that hold a model: filtering by base and type."""

    _any: ModelFilter = ModelFilter()

    def accepts_model(self, record: Mapping[str, Any]) -> bool:
        """Return whether a model can be selected: whether the editor's list for this field would include it."""
        return fits_filter(record, self.model_filter)

    @property
    def model_filter(self) -> ModelFilter:
        """The filter for models that fit."""
        return (self._template.models if self._template else None) or self._any

    def _error(self, value: Any, mismatch: Mismatch) -> InputValueError:
        # A record has too many attributes for a message.
        return super()._error(
            value.name if hasattr(value, "key") and hasattr(value, "name") else value, mismatch
        )

    def _model(self, value: Any) -> dict[str, Any] | ModelByName:
        model = model_identifier(value)
        if not isinstance(model, ModelByName):
            for part in ("base", "type"):
                allowed = getattr(self.model_filter, part)
                if allowed is not None and model[part] not in allowed:
                    raise Mismatch(
                        f"a model of {part} {short_list(allowed, word='or')}",
                        reason=f"{shown(model['name'])} has the {part} {model[part]!r}",
                    )
        return model


class IvkModelIdentifierField(_ModelChoice):
    """A model, given by its name or key, its record, or a dict with its five identifying values."""

    type_name_default = "ModelIdentifierField"
    _given: Mapping[str, str] = MappingProxyType({})

    @property
    def allowed(self) -> str:
        """A short description of the models that fit."""
        return f"the name or key of a model{filter_text(self.model_filter)}"

    @property
    def display_value(self) -> Any:
        """The model's name."""
        return model_name(self.value)

    def __init__(self, value: Any = None, **known: Any) -> None:
        """Create a field from a model, or from its parts (``key=``, ``name=``...)."""
        parts = {part: known.pop(part) for part in _IDENTIFIER if part in known}
        super().__init__(value, **known)
        for part, word in parts.items():
            self._set_part(part, word)

    def keep(self, checked: Any) -> None:
        """Store a value that ``check()`` returned."""
        super().keep(checked)
        self._given = {}

    # Scripts written for version 1 set the parts of a model one by one. The key identifies the model, or else the
    # name does. Other parts only describe it, and are used together with the key.

    @property
    def key(self) -> str:
        """The model's key, or "" if only its name is known."""
        return self._part("key")

    @key.setter
    def key(self, key: str) -> None:
        self._set_part("key", key)

    @property
    def hash(self) -> str:
        """The model's hash, or "" if it is not known yet."""
        return self._part("hash")

    @hash.setter
    def hash(self, hash: str) -> None:
        self._set_part("hash", hash)

    @property
    def name(self) -> str:
        """The model's name. Assigning it selects the model with that name on the server."""
        return self._part("name")

    @name.setter
    def name(self, name: str) -> None:
        self._set_part("name", name)

    @property
    def base(self) -> str:
        """The model's architecture, or "" if it is not known yet."""
        return self._part("base")

    @base.setter
    def base(self, base: str) -> None:
        self._set_part("base", base)

    @property
    def type(self) -> str:
        """The model's type, or "" if it is not known yet."""
        return self._part("type")

    @type.setter
    def type(self, type: str) -> None:
        self._set_part("type", type)

    def _part(self, part: str) -> str:
        if part in self._given:
            return self._given[part]
        value: Any = self.value
        if isinstance(value, Mapping):
            return str(cast("Mapping[str, Any]", value).get(part) or "")
        return value.text if part == "name" and isinstance(value, ModelByName) else ""

    def _set_part(self, part: str, word: Any) -> None:
        given = {**self._given, part: str(getattr(word, "value", word))}
        if given.get("key"):
            self.value = given  # a full identifier once all parts are set, until then a key to look up
        elif given.get("name"):
            self.value = given["name"]
        self._given = given  # never changed in place, so copies can share it

    def _convert(self, value: Any) -> Any:
        return self._model(value)

    def _from_text(self, text: str) -> Any:
        return read_json(text) if text.lstrip().startswith("{") else text


class IvkSDXLModelField(IvkModelIdentifierField):
    """An SDXL main model."""

    _any = ModelFilter(base=("sdxl",), type=("main",))


class IvkFluxModelField(IvkModelIdentifierField):
    """A FLUX main model."""

    _any = ModelFilter(base=("flux",), type=("main",))


class IvkT5EncoderField(IvkModelIdentifierField):
    """A T5 text encoder."""

    _any = ModelFilter(type=("t5_encoder",))


class IvkCLIPEmbedField(IvkModelIdentifierField):
    """A standalone CLIP text encoder."""

    _any = ModelFilter(type=("clip_embed",))


class IvkVAEModelField(IvkModelIdentifierField):
    """A standalone VAE."""

    _any = ModelFilter(type=("vae",))


class IvkLoRAField(_ModelChoice):
    """A LoRA and its weight: ``{"lora": model, "weight": 0.75}``, a pair, or only the name of the LoRA."""

    type_name_default = "LoRAField"
    _any = ModelFilter(type=("lora",))

    @property
    def allowed(self) -> str:
        """A short description of the valid values."""
        return f"the name of a LoRA{filter_text(self.model_filter)}, or (name, weight)"

    @property
    def display_value(self) -> Any:
        """The name and the weight of the LoRA."""
        value: Any = self.value
        if not isinstance(value, Mapping):
            return value
        lora = cast("Mapping[str, Any]", value)
        return (model_name(lora.get("lora")), lora.get("weight"))

    def _convert(self, value: Any) -> Any:
        given: Any = _DEFAULT_WEIGHT
        if isinstance(value, Mapping) and "lora" in value:
            record = cast("Mapping[str, Any]", value)
            value, given = record["lora"], record.get("weight", given)
        elif isinstance(value, tuple | list) and len(cast("list[Any]", value)) == 2:
            value, given = cast("list[Any]", value)
        weight = as_number(given)
        if weight is None:
            raise Mismatch("a number as the weight", reason=f"the weight is {shown(given)}")
        return {"lora": self._model(value), "weight": weight}

    def _from_text(self, text: str) -> Any:
        if looks_like_json(text):
            return read_json(text)
        name, colon, weight = text.rpartition(":")
        if not colon:
            return text
        try:
            return name, float(weight)
        except ValueError:
            return text


def is_lora_pair(value: Any) -> bool:
    """Return whether a value is one LoRA with its weight, rather than a list of two LoRAs."""
    if not isinstance(value, tuple | list):
        return False
    parts = cast("list[Any]", value)
    return len(parts) == 2 and as_number(parts[1]) is not None


class _PartField(IvkField[Any]):
    """A part of a model that a loader node passes on, normally over a connection."""

    @property
    def allowed(self) -> str:
        """A short description of the valid values."""
        return "a dict as returned by a loader node"

    def _convert(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return plain_json(value)
        raise Mismatch(self.allowed)

    def _from_text(self, text: str) -> Any:
        return read_json(text)


class IvkUNetField(_PartField):
    """A UNet."""

    type_name_default = "UNetField"


class IvkCLIPField(_PartField):
    """A CLIP text encoder."""

    type_name_default = "CLIPField"


class IvkTransformerField(_PartField):
    """A transformer."""

    type_name_default = "TransformerField"


class IvkVAEField(_PartField):
    """A VAE."""

    type_name_default = "VAEField"


def model_identifier(value: Any) -> dict[str, Any] | ModelByName:
    """Convert a value to a model as fields store it: its identifier, or the name to look up.

    Raises:
        Mismatch: The value does not identify a model.
    """
    if isinstance(value, ModelByName):
        return value
    if isinstance(value, str):
        if not value.strip():
            raise Mismatch("the name or key of a model")
        return ModelByName(text_of(value).strip())
    if isinstance(value, Mapping):
        given = cast("Mapping[str, Any]", value)
        record = {name: given.get(name) for name in (*_IDENTIFIER, "submodel_type") if name in given}
    else:
        record = {name: getattr(value, name, None) for name in _IDENTIFIER}
    record = {
        name: getattr(part, "value", part) for name, part in record.items()
    }  # enums become their values
    missing = [name for name in _IDENTIFIER if not isinstance(record.get(name), str)]
    if not missing:
        return record
    key = record.get("key")
    if isinstance(key, str) and key.strip():
        return ModelByName(key)  # the key is enough: the server knows the other parts
    raise Mismatch(
        "the name or key of a model, or an identifier with key, hash, name, base and type "
        f"(missing: {', '.join(missing)})"
    )


def model_name(value: Any) -> Any:
    """Return the name of a model in any of the forms that fields store."""
    if isinstance(value, ModelByName):
        return value.text
    if isinstance(value, Mapping):
        return cast("Mapping[str, Any]", value).get("name")
    return value


def fits_filter(record: Mapping[str, Any], models: ModelFilter) -> bool:
    """Return whether a model passes a field's filter, so that the editor's list would include it."""
    provider = record.get("provider_id")
    variant = record.get("variant")
    return (
        (models.base is None or record.get("base") in models.base)
        and (models.type is None or record.get("type") in models.type)
        and (models.variant is None or variant is None or variant in models.variant)
        and (models.format is None or record.get("format") in models.format)
        and (models.provider_id is None or provider in models.provider_id)
    )


def filter_text(models: ModelFilter) -> str:
    """Return the filter as words to follow "model", or "" if every model fits."""
    parts = ["|".join(part) for part in (models.base, models.type) if part]
    return f" ({', '.join(parts)})" if parts else ""
