"""Parsing of the literals in a workflow file.

The official editor parses every literal without regard to its field's type. The first matching shape of a list is
used, extra keys are dropped, and literals that match no shape are lost. ``parse()`` does the same, because a request
must not differ from the editor's. ``read()`` also considers the field's type if the editor's parsing would destroy
data that the server accepts (see ``docs/engine.md``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from invokeai_py_client.editor.js import MAX_SAFE_INTEGER, is_integer, is_number, number, trim
from invokeai_py_client.schema.fits import fits
from invokeai_py_client.schema.template import UNSET, InputTemplate

_MISSING: Any = object()
Check = Callable[[Any], bool]
Spec = tuple[tuple[str, Any, Check], ...]

IMAGES_FROM_BOARD = "image_generator_images_from_board"


def _is_text(value: Any) -> bool:
    return type(value) is str


def _is_count(value: Any) -> bool:
    return is_integer(value) and value >= 1


def _is_integer_or_null(value: Any) -> bool:
    return value is None or is_integer(value)


def _is_numbers_or_null(value: Any) -> bool:
    return value is None or (isinstance(value, list) and all(map(is_number, cast("list[Any]", value))))


def _is_category(value: Any) -> bool:
    return value in ("images", "assets")


def _spec(check: Check, parameters: Mapping[str, Any], *, values: bool = False, seed: bool = False) -> Spec:
    keys: list[tuple[str, Any, Check]] = [(name, default, check) for name, default in parameters.items()]
    keys.append(("count", 10, is_integer))
    if seed:
        keys.append(("seed", _MISSING, _is_integer_or_null))
    if values:
        keys.append(("values", _MISSING, _is_numbers_or_null))
    return tuple(keys)


def _text_spec(text: str, *, values: bool = False) -> Spec:
    spec: Spec = (("input", text, _is_text), ("splitOn", ",", _is_text))
    return (*spec, ("values", _MISSING, _is_numbers_or_null)) if values else spec


_PROMPT = "a super {cute|ferocious} {dog|cat}"

# In the editor's order: a dict without a "type" becomes the first kind that its keys do not contradict.
GENERATORS: Mapping[str, Spec] = {
    "float_generator_arithmetic_sequence": _spec(is_number, {"start": 0, "step": 0.1}, values=True),
    "float_generator_linear_distribution": _spec(is_number, {"start": 0, "end": 1}, values=True),
    "float_generator_random_distribution_uniform": _spec(
        is_number, {"min": 0, "max": 1}, values=True, seed=True
    ),
    "float_generator_parse_string": _text_spec(
        "0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1", values=True
    ),
    "integer_generator_arithmetic_sequence": _spec(is_integer, {"start": 0, "step": 1}),
    "integer_generator_linear_distribution": _spec(is_integer, {"start": 0, "end": 10}),
    "integer_generator_random_distribution_uniform": _spec(is_integer, {"min": 0, "max": 10}, seed=True),
    "integer_generator_parse_string": _text_spec("1,2,3,4,5,6,7,8,9,10"),
    "string_generator_parse_string": _text_spec("foo,bar,baz,qux"),
    "string_generator_dynamic_prompts_combinatorial": (
        ("input", _PROMPT, _is_text),
        ("maxPrompts", 10, _is_count),
    ),
    "string_generator_dynamic_prompts_random": (
        ("input", _PROMPT, _is_text),
        ("count", 10, _is_count),
        ("seed", _MISSING, _is_integer_or_null),
    ),
    IMAGES_FROM_BOARD: (("category", "images", _is_category),),
}

_INTEGER = {"type": "integer", "minimum": -MAX_SAFE_INTEGER, "maximum": MAX_SAFE_INTEGER}
_SCHEMAS: Mapping[Check, Mapping[str, Any]] = {
    is_integer: _INTEGER,
    is_number: {"type": "number"},
    _is_text: {"type": "string"},
    _is_count: {**_INTEGER, "minimum": 1},
    _is_integer_or_null: _INTEGER,
    _is_numbers_or_null: {"type": "array", "items": {"type": "number"}},
    _is_category: {"type": "string", "enum": ["images", "assets"]},
}


def generator_schema(kind: str) -> dict[str, Any]:
    """Return the JSON Schema of the settings of a kind of generator. Only its type is required."""
    known: dict[str, Any] = {"type": {"const": kind}}
    known |= {key: dict(_SCHEMAS[check]) for key, _, check in GENERATORS[kind]}
    if kind == IMAGES_FROM_BOARD:
        known["board_id"] = {"type": "string"}
    return {"type": "object", "properties": known, "required": ["type"], "additionalProperties": False}


_NAMED = ("image_name", "video_name", "board_id", "style_preset_id", "system_prompt_id")
_MODEL_KEYS = ("key", "hash", "name", "base", "type")


def parse_generator(value: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a generator's settings, with defaults filled in and unknown keys dropped, or None if invalid."""
    kind = value.get("type", _MISSING)
    if kind is _MISSING:
        candidates: Any = GENERATORS.items()
    elif isinstance(kind, str) and kind in GENERATORS:
        candidates = ((kind, GENERATORS[kind]),)
    else:
        return None
    for name, spec in candidates:
        found = _fill(name, spec, value)
        if found is not None:
            return found
    return None


def _fill(name: str, spec: Spec, value: Mapping[str, Any]) -> dict[str, Any] | None:
    filled: dict[str, Any] = {"type": name}
    for key, default, check in spec:
        given = value.get(key, _MISSING)
        if given is _MISSING:
            if default is not _MISSING:
                filled[key] = default
        elif check(given):
            filled[key] = given
        else:
            return None
    return filled


def parse_model(value: Any, *, any_base: bool = False) -> dict[str, Any] | None:
    """Return a model identifier without unknown keys, or None if the value is not a model identifier."""
    if not isinstance(value, dict):
        return None
    given = cast("dict[str, Any]", value)
    model: dict[str, Any] = {}
    for key in _MODEL_KEYS:
        part = given.get(key)
        if type(part) is not str or not part:
            return None
        model[key] = part
    submodel = given.get("submodel_type", _MISSING)
    if not any_base and (model["base"] not in MODEL_BASES or model["type"] not in MODEL_TYPES):
        return None
    if submodel is not _MISSING:
        if submodel is not None and (
            type(submodel) is not str or (not any_base and submodel not in SUBMODEL_TYPES)
        ):
            return None
        model["submodel_type"] = submodel
    return model


def _parse_named(value: Mapping[str, Any], key: str) -> dict[str, Any] | None:
    name = value.get(key)
    if type(name) is not str:
        return None
    name = trim(name)
    return {key: name} if name else None


def _parse_color(value: Mapping[str, Any]) -> dict[str, Any] | None:
    color: dict[str, Any] = {}
    for channel in "rgba":
        part = value.get(channel)
        if not is_integer(part) or not 0 <= cast(int, part) <= 255:
            return None
        color[channel] = part
    return color


def _parse_dict(value: dict[str, Any]) -> Any:
    for key in _NAMED:
        if key in value:
            named = _parse_named(value, key)
            if named is not None:
                return named
    return parse_model(value) or _parse_color(value) or parse_generator(value) or UNSET


def _parse_list(value: list[Any]) -> Any:
    kinds = set(map(type, value))
    if not kinds or kinds == {str}:
        return value
    if kinds <= {int, float}:
        numbers = [number(item) for item in value]
        return UNSET if None in numbers else [_exact(item) for item in value]
    if kinds != {dict}:
        return UNSET
    items = cast("list[dict[str, Any]]", value)
    images = [_parse_named(item, "image_name") for item in items]
    if None not in images:
        return images
    loras: list[dict[str, Any]] = []
    for item in items:
        model = parse_model(item.get("lora"))
        if model is None or not is_number(item.get("weight")):
            return UNSET
        loras.append({"lora": model, "weight": item["weight"]})
    return loras


def _exact(value: int | float) -> int | float:
    """Return a number unchanged, unless it is an integer that the editor's doubles cannot represent."""
    if type(value) is int and not -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER:
        return int(float(value))
    return value


def parse(value: Any) -> Any:
    """Return a literal as the official editor parses it, or ``UNSET`` if the editor loses it."""
    kind = value.__class__
    if kind is str or kind is bool:
        return value
    if kind is int or kind is float:
        return _exact(value) if is_number(value) else UNSET
    if kind is dict:
        return _parse_dict(value)
    if kind is list:
        return _parse_list(value)
    return UNSET


def is_mangled(raw: Any, value: Any) -> bool:
    """Return whether the editor lost a literal or changed it by more than dropping extra keys."""
    if value is UNSET:
        return raw is not None
    if type(raw) is not dict or type(value) is not dict:
        return False
    given = cast("dict[str, Any]", raw)
    if "type" in value and value["type"] in GENERATORS:
        return "type" not in given
    # The images of a board, saved by the editor itself, are parsed as a plain board.
    return given.get("type") == IMAGES_FROM_BOARD and "board_id" in value


def read(raw: Any, template: InputTemplate | None) -> tuple[Any, bool]:
    """Return the parsed literal of a field with a known type, and whether it was destroyed.

    The result is the editor's, unless the editor would destroy a literal that is valid for the field. In that case
    the literal is returned unchanged. The flag is True if the literal is destroyed and not valid.
    """
    value = parse(raw)
    if not is_mangled(raw, value):
        return value, False
    if template is None:
        return value, True
    if template.type.name.endswith("GeneratorField") and value is not UNSET and template.input == "direct":
        # For settings without a "type", the editor's choice applies: its first matching kind of generator.
        if isinstance(raw, dict) and cast("dict[str, Any]", raw).get("type") == IMAGES_FROM_BOARD:
            return _board_images(cast("dict[str, Any]", raw)), False
        return value, False
    if fits(template, raw):
        return _tidy(raw), False
    return value, True


def _board_images(raw: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": IMAGES_FROM_BOARD,
        "board_id": trim(cast(str, raw["board_id"])),
        "category": raw["category"] if _is_category(raw.get("category")) else "images",
    }


def _tidy(raw: Any) -> Any:
    model = parse_model(raw, any_base=True)
    return raw if model is None else model


MODEL_BASES = frozenset(
    {"any", "sd-1", "sd-2", "sd-3", "sdxl", "sdxl-refiner", "flux", "flux2", "cogview4", "qwen-image"}
    | {"z-image", "ernie-image", "krea-2", "ideogram-4", "external", "anima", "wan", "unknown"}
)
MODEL_TYPES = frozenset(
    {"main", "vae", "lora", "llava_onevision", "text_llm", "control_lora", "controlnet", "t2i_adapter"}
    | {"ip_adapter", "embedding", "onnx", "clip_vision", "spandrel_image_to_image", "t5_encoder"}
    | {"qwen3_encoder", "qwen_vl_encoder", "mistral_encoder", "qwen3_vl_encoder", "wan_t5_encoder"}
    | {"gemma2_encoder", "clip_embed", "siglip", "flux_redux", "prompt_enhancer", "unknown"}
    | {"external_image_generator", "pid_decoder"}
)
SUBMODEL_TYPES = frozenset(
    {"unet", "transformer", "transformer_2", "text_encoder", "text_encoder_2", "text_encoder_3", "vae"}
    | {"tokenizer", "tokenizer_2", "tokenizer_3", "pe", "pe_tokenizer", "vae_decoder", "vae_encoder"}
    | {"scheduler", "safety_checker"}
)
EXTRA_INPUTS = frozenset({"core_metadata"})
"""Node types that accept inputs beyond their template's. Their classes on the server allow extra fields."""
