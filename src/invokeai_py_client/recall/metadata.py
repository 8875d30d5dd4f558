"""Values to recall from the metadata of an image. No I/O.

The names of metadata are those that the web UI and the node "Core Metadata" write (6.14.2). Metadata may contain
anything, so values of other types are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from invokeai_py_client.models.base import as_mapping

_TEXTS = ("positive_prompt", "negative_prompt", "scheduler")
_WHOLE = ("steps", "width", "height", "seed", "clip_skip", "refiner_steps")
_NUMBERS = (
    "cfg_scale",
    "cfg_rescale_multiplier",
    "guidance",
    "refiner_cfg_scale",
    "refiner_positive_aesthetic_score",
    "refiner_negative_aesthetic_score",
)
_SWITCHES = ("seamless_x", "seamless_y")
# The names of recall that metadata calls otherwise.
_RENAMED = {"strength": "denoise_strength", "refiner_start": "refiner_denoise_start"}
_MODELS = {"model": "model", "refiner_model": "refiner_model", "vae": "vae_model"}
# What steers the image, with the name of its model in metadata, and the names of its other values.
_STEERED = {
    "controlnets": (
        "control_layers",
        "control_model",
        {"control_weight": "weight", "control_mode": "control_mode"},
    ),
    "t2iAdapters": ("control_layers", "t2i_adapter_model", {"weight": "weight"}),
    "ipAdapters": ("ip_adapters", "ip_adapter_model", {"weight": "weight", "method": "method"}),
}
_RANGE = ("begin_step_percent", "end_step_percent")


def recallable(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values in an image's metadata that can be recalled, by the names of ``client.recall()``.

    Models are identifiers as in the metadata: mappings with a key, a hash, a name, a base and a type.
    """
    found: dict[str, Any] = {}
    for name in _TEXTS:
        if isinstance(metadata.get(name), str):
            found[name] = metadata[name]
    for name in _WHOLE:
        if is_whole(metadata.get(name)):
            found[name] = metadata[name]
    for name in (*_NUMBERS, *_RENAMED):
        if is_number(metadata.get(name)):
            found[_RENAMED.get(name, name)] = metadata[name]
    for name in _SWITCHES:
        if isinstance(metadata.get(name), bool):
            found[name] = metadata[name]
    for name, ours in _MODELS.items():
        if as_mapping(metadata.get(name)):
            found[ours] = metadata[name]
    loras = [_lora(one) for one in _items(metadata.get("loras"))]
    if kept := [one for one in loras if one is not None]:
        found["loras"] = kept
    for name, (ours, model, names) in _STEERED.items():
        layers = [_layer(one, model, names) for one in _items(metadata.get(name))]
        if kept := [one for one in layers if one is not None]:
            found.setdefault(ours, []).extend(kept)
    return found


def _lora(item: Mapping[str, Any]) -> dict[str, Any] | None:
    model = as_mapping(item.get("model")) or as_mapping(item.get("lora"))
    if not model:
        return None
    weight = item.get("weight")
    return {"model": model, **({"weight": weight} if is_number(weight) else {})}


def _layer(item: Mapping[str, Any], model_name: str, names: Mapping[str, str]) -> dict[str, Any] | None:
    model = as_mapping(item.get(model_name))
    if not model:
        return None
    layer: dict[str, Any] = {"model": model}
    image = as_mapping(item.get("image")).get("image_name")
    if isinstance(image, str):
        layer["image_name"] = image
    for name in (*names, *_RANGE):
        value = item.get(name)
        if isinstance(value, str) if name in ("method", "control_mode") else is_number(value):
            layer[names.get(name, name)] = value
    return layer


def is_whole(value: Any) -> bool:
    """Return whether a value is a whole number."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Return whether a value is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _items(value: Any) -> list[Mapping[str, Any]]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        return []
    return [as_mapping(one) for one in cast("Sequence[Any]", value)]
