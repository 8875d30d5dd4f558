"""Whether a literal fits an input, as far as its type goes; limits are ``limits.py``'s.

The server validates with pydantic's lax rules (``"5"`` is taken for an integer, ``5`` not for a string),
so a literal is only called wrong here if the server would refuse it. Types this module does not know, such
as those of custom nodes, are given the benefit of the doubt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from invokeai_py_client.schema.template import InputTemplate
from invokeai_py_client.workflow.js import is_integer, is_number

Check = Callable[[Any], bool]

# The model bases and types of InvokeAI 6.14.2. A newer server's own are found in its templates' filters.
KNOWN_BASES = frozenset(
    ["any", "sd-1", "sd-2", "sd-3", "sdxl", "sdxl-refiner", "flux", "flux2", "cogview4", "qwen-image", "z-image", "ernie-image", "krea-2", "ideogram-4", "external", "anima", "wan", "unknown"]
)
KNOWN_MODEL_TYPES = frozenset(
    ["main", "vae", "lora", "llava_onevision", "text_llm", "control_lora", "controlnet", "t2i_adapter", "ip_adapter", "embedding", "onnx", "clip_vision", "spandrel_image_to_image", "t5_encoder", "qwen3_encoder", "qwen_vl_encoder", "mistral_encoder", "qwen3_vl_encoder", "wan_t5_encoder", "gemma2_encoder", "clip_embed", "siglip", "flux_redux", "prompt_enhancer", "external_image_generator", "pid_decoder", "unknown"]
)
KNOWN_SUBMODELS = frozenset(
    ["unet", "transformer", "transformer_2", "text_encoder", "text_encoder_2", "text_encoder_3", "tokenizer", "tokenizer_2", "tokenizer_3", "pe", "pe_tokenizer", "vae", "vae_decoder", "vae_encoder", "scheduler", "safety_checker"]
)
SCHEDULERS = frozenset(
    ["ddim", "ddpm", "deis", "deis_k", "lms", "lms_k", "pndm", "heun", "heun_k", "euler", "euler_k", "euler_a", "kdpm_2", "kdpm_2_k", "kdpm_2_a", "kdpm_2_a_k", "dpmpp_2s", "dpmpp_2s_k", "dpmpp_2m", "dpmpp_2m_k", "dpmpp_2m_sde", "dpmpp_2m_sde_k", "dpmpp_3m", "dpmpp_3m_k", "dpmpp_sde", "dpmpp_sde_k", "er_sde", "unipc", "unipc_k", "lcm", "tcd"]
)


def _text(value: Any) -> bool:
    return type(value) is str


def _integer(value: Any) -> bool:
    if type(value) is str:
        try:
            return float(value).is_integer()
        except (ValueError, OverflowError):
            return False
    return type(value) is int or type(value) is bool or is_integer(value)


def _float(value: Any) -> bool:
    if type(value) is str:
        try:
            float(value)
        except ValueError:
            return False
        return True
    return type(value) is bool or is_number(value)


def _boolean(value: Any) -> bool:
    if type(value) is str:
        return value.lower() in ("true", "false", "1", "0", "yes", "no", "on", "off", "y", "n", "t", "f")
    return type(value) is bool or (type(value) in (int, float) and value in (0, 1))


def _channel(value: Any) -> bool:
    return is_integer(value) and 0 <= value <= 255


def _record(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    def check(value: Any) -> bool:
        if not isinstance(value, dict):
            return False
        given = cast("dict[str, Any]", value)
        if not all(key in given and test(given[key]) for key, test in required.items()):
            return False
        return all(given.get(key) is None or test(given[key]) for key, test in (optional or {}).items())

    return check


def _list_of(item: Check, at_least: int = 0) -> Check:
    def check(value: Any) -> bool:
        return isinstance(value, list) and len(cast("list[Any]", value)) >= at_least and all(map(item, value))

    return check


def _anything(value: Any) -> bool:
    return value is not None


def _submodel(value: Any) -> bool:
    return value is None or value in KNOWN_SUBMODELS


_MODEL = _record(
    dict.fromkeys(("key", "hash", "name", "base", "type"), _text), {"submodel_type": _submodel}
)
_TENSOR = _record({"tensor_name": _text})
_SIDES = _record(dict.fromkeys(("top", "bottom", "left", "right"), _integer))
_TILE = _record({"coords": _SIDES, "overlap": _SIDES})
_METADATA_ITEM = _record({"label": _text, "value": lambda value: True})

CHECKS: Mapping[str, tuple[Check, str]] = {
    "IntegerField": (_integer, "a whole number"),
    "FloatField": (_float, "a number"),
    "StringField": (_text, "text"),
    "BooleanField": (_boolean, "true or false"),
    "EnumField": (_anything, "one of its choices"),
    "SchedulerField": (_text, "the name of a scheduler"),
    "SavedWorkflowField": (_text, "the id of a workflow"),
    "ImageField": (_record({"image_name": _text}), 'an image: {"image_name": ...}'),
    "VideoField": (_record({"video_name": _text}), 'a video: {"video_name": ...}'),
    "StylePresetField": (_record({"style_preset_id": _text}), 'a style preset: {"style_preset_id": ...}'),
    "SystemPromptField": (_record({"system_prompt_id": _text}), 'a system prompt: {"system_prompt_id": ...}'),
    "ColorField": (_record(dict.fromkeys("rgba", _channel)), "a colour: r, g, b and a from 0 to 255"),
    "ModelIdentifierField": (_MODEL, "a model: key, hash, name, base and type"),
    "LoRAField": (
        _record({"lora": _MODEL, "weight": _float}),
        'a LoRA: {"lora": a model, "weight": a number}',
    ),
    "BoundingBoxField": (
        _record(dict.fromkeys(("x_min", "x_max", "y_min", "y_max"), _integer), {"score": _float}),
        "a bounding box: x_min, x_max, y_min and y_max",
    ),
    "TensorField": (_TENSOR, 'a tensor: {"tensor_name": ...}'),
    "LatentsField": (_record({"latents_name": _text}, {"seed": _integer}), 'latents: {"latents_name": ...}'),
    "ConditioningField": (
        _record({"conditioning_name": _text}, {"mask": _TENSOR}),
        'conditioning: {"conditioning_name": ...}',
    ),
    "SAMPointsField": (
        _record({"points": _list_of(_record({"x": _integer, "y": _integer, "label": _integer}), 1)}),
        'points: {"points": [{"x", "y", "label"}...]}',
    ),
    "Tile": (_TILE, "a tile: coords and overlap, each with top, bottom, left and right"),
    "TileWithImage": (
        _record({"tile": _TILE, "image": _record({"image_name": _text})}),
        "a tile with an image",
    ),
    "Ideogram4Region": (_record({"prompt": _text}), 'a region: {"prompt": ...}'),
    "MetadataItemField": (_METADATA_ITEM, 'a metadata item: {"label": ..., "value": ...}'),
    "CollectionField": (lambda value: True, "a list"),
}


def _model_is_known(template: InputTemplate, model: Mapping[str, Any]) -> bool:
    """Whether this server knows the model's base and type, going by what its templates name."""
    filters = template.models
    bases = filters.base if filters is not None else None
    types = filters.type if filters is not None else None
    return (model["base"] in KNOWN_BASES or model["base"] in (bases or ())) and (
        model["type"] in KNOWN_MODEL_TYPES or model["type"] in (types or ())
    )


def _item_fits(template: InputTemplate, value: Any) -> bool:
    name = template.type.name
    if name == "BoardField":
        return value in ("auto", "none") or _record({"board_id": _text})(value)
    known = CHECKS.get(name)
    if known is None:
        return value is not None
    if not known[0](value):
        return False
    if name in ("EnumField", "SchedulerField") and template.options is not None:
        return any(type(option) is type(value) and option == value for option in template.options)
    if name == "SchedulerField":
        return value in (template.json_schema.get("enum") or SCHEDULERS)
    if name == "ModelIdentifierField":
        return _model_is_known(template, value)
    if name == "LoRAField":
        return _model_is_known(template, value["lora"])
    return True


def expected(template: InputTemplate) -> str:
    """What the input takes, in words."""
    if template.type.name in ("EnumField", "SchedulerField") and template.options:
        what = "one of " + ", ".join(map(str, template.options))
    elif template.type.name == "BoardField":
        what = '"auto", "none" or {"board_id": ...}'
    else:
        what = CHECKS[template.type.name][1] if template.type.name in CHECKS else f"a {template.type.name}"
    if template.type.name == "CollectionField":
        return what
    match template.type.cardinality:
        case "COLLECTION":
            return f"a list, each item {what}"
        case "SINGLE_OR_COLLECTION":
            return f"{what}, or a list of such"
        case _:
            return what


def fits(template: InputTemplate, value: Any) -> bool:
    """Whether the server's schema takes the literal for this input."""
    if template.server_input == "connection":
        return False
    cardinality = template.type.cardinality
    if isinstance(value, list):
        items = cast("list[Any]", value)
        if cardinality == "SINGLE":
            return template.type.name in ("AnyField", "CollectionItemField", "MetadataExtraField")
        return all(_item_fits(template, item) for item in items)
    return cardinality != "COLLECTION" and _item_fits(template, value)
