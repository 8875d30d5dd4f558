"""The models that fit a model field, on old and new servers."""

from __future__ import annotations

from typing import Any, Final

from invokeai_py_client.schema.document import JsonObject, as_texts
from invokeai_py_client.schema.template import FieldType, ModelFilter

MODEL_FIELD: Final = "ModelIdentifierField"


def _of(kind: str, *bases: str, variant: str | None = None) -> ModelFilter:
    return ModelFilter(base=bases or None, type=(kind,), variant=None if variant is None else (variant,))


# Before InvokeAI 6.8, the ui_type of a model field says which models fit. Since then, ui_model_* says it.
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
    """Return whether a ``ui_type`` only filters the models of a model field, as before InvokeAI 6.8.

    Args:
        ui_type: The field's ``ui_type``.
        shape: The type derived from the field's schema.
    """
    if ui_type in _BY_UI_TYPE:
        return shape is None or shape.name == MODEL_FIELD
    return shape is not None and shape.name == MODEL_FIELD and ui_type.endswith("ModelField")


def model_filter(schema: JsonObject, field_type: FieldType, ui_type: str | None) -> ModelFilter | None:
    """Return the filter for models that fit, or None if the field does not take models.

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
