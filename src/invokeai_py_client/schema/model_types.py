"""Which models fit a model field, on servers old and new."""

from __future__ import annotations

from typing import Any, Final

from invokeai_py_client.schema.document import JsonObject, as_texts
from invokeai_py_client.schema.template import FieldType, ModelFilter

MODEL_FIELD: Final = "ModelIdentifierField"


def _of(kind: str, *bases: str, variant: str | None = None) -> ModelFilter:
    return ModelFilter(base=bases or None, type=(kind,), variant=None if variant is None else (variant,))


# Before InvokeAI 6.8 a model field said by its ui_type what fits it. Since then ui_model_* says it.
_BY_UI_TYPE: Final = {
    "MainModelField": _of("main", "sd-1", "sd-2"),
    "CogView4MainModelField": _of("main", "cogview4"),
    "FluxMainModelField": _of("main", "flux"),
    "SD3MainModelField": _of("main", "sd-3"),
    "SDXLMainModelField": _of("main", "sdxl"),
    "SDXLRefinerModelField": _of("main", "sdxl-refiner"),
    "ONNXModelField": _of("onnx"),
    "VAEModelField": _of("vae"),
    "FluxVAEModelField": _of("vae", "flux"),
    "LoRAModelField": _of("lora"),
    "ControlLoRAModelField": _of("control_lora"),
    "ControlNetModelField": _of("controlnet"),
    "IPAdapterModelField": _of("ip_adapter"),
    "T2IAdapterModelField": _of("t2i_adapter"),
    "T5EncoderModelField": _of("t5_encoder"),
    "CLIPEmbedModelField": _of("clip_embed"),
    "CLIPLEmbedModelField": _of("clip_embed", variant="large"),
    "CLIPGEmbedModelField": _of("clip_embed", variant="gigantic"),
    "SpandrelImageToImageModelField": _of("spandrel_image_to_image"),
    "SigLipModelField": _of("siglip"),
    "FluxReduxModelField": _of("flux_redux"),
    "LLaVAModelField": _of("llava_onevision"),
    "Imagen3ModelField": _of("main", "imagen3"),
    "Imagen4ModelField": _of("main", "imagen4"),
    "ChatGPT4oModelField": _of("main", "chatgpt-4o"),
    "FluxKontextModelField": _of("main", "flux-kontext"),
}


def is_model_ui_type(ui_type: str, shape: FieldType | None) -> bool:
    """Whether a ``ui_type`` only narrows a model field down, as before InvokeAI 6.8.

    Args:
        ui_type: The field's ``ui_type``.
        shape: The type that its schema's shape gives.
    """
    if ui_type in _BY_UI_TYPE:
        return shape is None or shape.name == MODEL_FIELD
    return shape is not None and shape.name == MODEL_FIELD and ui_type.endswith("ModelField")


def model_filter(schema: JsonObject, field_type: FieldType, ui_type: str | None) -> ModelFilter | None:
    """Which models fit; None where the field takes no models.

    Args:
        schema: The field's schema.
        field_type: The field's type.
        ui_type: Its ``ui_type``, if it has one.
    """
    stated = ModelFilter(
        base=_texts(schema.get("ui_model_base")),
        type=_texts(schema.get("ui_model_type")),
        variant=_texts(schema.get("ui_model_variant")),
        format=_texts(schema.get("ui_model_format")),
        provider_id=_texts(schema.get("ui_model_provider_id")),
    )
    if stated != ModelFilter():
        return stated
    if field_type.name != MODEL_FIELD:
        return None
    return _BY_UI_TYPE.get(ui_type or "", stated)


def _texts(value: Any) -> tuple[str, ...] | None:
    return as_texts(value) or None
