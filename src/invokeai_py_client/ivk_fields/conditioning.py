"""What text encoders and other nodes make for the denoising. It normally comes over a connection."""

from __future__ import annotations

from typing import Any, ClassVar

from invokeai_py_client.ivk_fields.complex import IvkAnyField


class _MadeField(IvkAnyField):
    """Something that nodes make and keep by a name; a text is taken as that name."""

    _key: ClassVar[str] = "conditioning_name"

    @property
    def allowed(self) -> str:
        """What it may be."""
        return f"a dict with {self._key}, as a node gives it, or that name alone"

    def _convert(self, value: Any) -> Any:
        return {self._key: value} if isinstance(value, str) and value.strip() else super()._convert(value)


class IvkConditioningField(_MadeField):
    """A conditioning of SD-1, SD-2 or SDXL."""

    type_name_default = "ConditioningField"


class IvkFluxConditioningField(_MadeField):
    """A conditioning of FLUX."""

    type_name_default = "FluxConditioningField"


class IvkSD3ConditioningField(_MadeField):
    """A conditioning of SD-3."""

    type_name_default = "SD3ConditioningField"


class IvkCogView4ConditioningField(_MadeField):
    """A conditioning of CogView4."""

    type_name_default = "CogView4ConditioningField"


class IvkFluxReduxConditioningField(IvkAnyField):
    """What FLUX Redux makes of an image."""

    type_name_default = "FluxReduxConditioningField"


class IvkFluxFillConditioningField(IvkAnyField):
    """An image and a mask for FLUX Fill."""

    type_name_default = "FluxFillConditioningField"


class IvkFluxKontextConditioningField(IvkAnyField):
    """An image for FLUX Kontext."""

    type_name_default = "FluxKontextConditioningField"


class IvkDenoiseMaskField(_MadeField):
    """A mask for the denoising."""

    type_name_default = "DenoiseMaskField"
    _key = "mask_name"


class IvkMetadataField(IvkAnyField):
    """Metadata for an image: a dict."""

    type_name_default = "MetadataField"
