"""Send values to the open web UI, and read what was sent last.

The server (6.14.2) looks models up by name only, and leaves out models and images that it does not have, without an
error. So models are looked up here first, and images are checked. It keeps the values as JSON texts in the
``client_state`` of the user, under keys that begin with ``recall_``. Its own operation to read them returns no values.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from invokeai_py_client._aio import gather_or_cancel
from invokeai_py_client._names import matching
from invokeai_py_client._text import listed
from invokeai_py_client.engine.models import find_model, missing_model
from invokeai_py_client.errors import ModelNotFoundError, NotFoundError, ServerTooOldError, UsageError
from invokeai_py_client.lookup import MODELS, fetch_models, unknown_image
from invokeai_py_client.models.base import as_mapping
from invokeai_py_client.recall.metadata import recallable
from invokeai_py_client.transport.json_shape import ListOf

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.models import IvkDnnModel

_PREFIX = "recall_"
# The types of models that each value accepts; the server tries them in this order.
_TYPES: Mapping[str, tuple[str, ...]] = {
    "model": ("main",),
    "refiner_model": ("main",),
    "vae_model": ("vae",),
    "loras": ("lora",),
    "control_layers": ("controlnet", "t2i_adapter", "control_lora", "lora"),
    "ip_adapters": ("ip_adapter", "flux_redux"),
}
_LISTS = ("loras", "control_layers", "ip_adapters")
_IMAGES = ("control_layers", "ip_adapters", "reference_images")
_NAMES = (
    "positive_prompt",
    "negative_prompt",
    "model",
    "refiner_model",
    "vae_model",
    "scheduler",
    "steps",
    "refiner_steps",
    "cfg_scale",
    "cfg_rescale_multiplier",
    "refiner_cfg_scale",
    "guidance",
    "width",
    "height",
    "seed",
    "denoise_strength",
    "refiner_denoise_start",
    "clip_skip",
    "seamless_x",
    "seamless_y",
    "refiner_positive_aesthetic_score",
    "refiner_negative_aesthetic_score",
    "loras",
    "control_layers",
    "ip_adapters",
    "reference_images",
)


async def send_recall(
    connection: Connection,
    values: Mapping[str, Any],
    *,
    strict: bool = False,
    append: bool = False,
    queue_id: str = "default",
) -> dict[str, Any]:
    """Send values to the web UI, and return them as the server passed them on, with the keys of models.

    Args:
        connection: The server.
        values: The values by name. None means no value.
        strict: Whether to clear what has no value.
        append: Whether to add reference images to those in the web UI.
        queue_id: The queue that the web UI shows.

    Raises:
        UsageError: There are no values, or a value is not valid.
        ModelNotFoundError: A model is not on the server, or has another type.
        UnknownNameError: An image is not on the server.
    """
    from invokeai_py_client.api.recall import AsyncRecallApi

    if strict and append:
        raise UsageError("Pass either strict=True or append=True, not both.")
    sent = {name: value for name, value in values.items() if value is not None}
    if not sent and not strict:
        raise UsageError("recall() expects at least one value, such as positive_prompt or seed.")
    for name in _LISTS:
        if name in sent:
            sent[name] = _layers(name, sent[name])
    if "reference_images" in sent:
        sent["reference_images"] = [
            {"image_name": _image_name(one)} for one in _several(sent["reference_images"])
        ]
    await _check_images(connection, sent)
    await _name_models(connection, sent)
    response = await connection.part(AsyncRecallApi).update_recall_parameters(
        queue_id, strict=strict, append=append, **sent, expect={"status": str}
    )
    return dict(as_mapping(response.get("parameters")))


async def recall_metadata(
    connection: Connection, image_name: str, metadata: Mapping[str, Any] | None, *, strict: bool
) -> dict[str, Any]:
    """Send the values in an image's metadata to the web UI, and return them like ``send_recall()``.

    Raises:
        UsageError: The image has no metadata that can be recalled.
        ModelNotFoundError: A model is not on the server.
    """
    values = recallable(metadata or {})
    if not values:
        raise UsageError(
            f"The image {image_name} has no metadata that can be recalled, such as a prompt, a model or a seed."
        )
    return await send_recall(connection, values, strict=strict)


async def fetch_recalled(connection: Connection) -> dict[str, Any]:
    """Return the values that this user has recalled, each the last one, with the names of models."""
    from invokeai_py_client.api.client_state import AsyncClientStateApi

    state = connection.part(AsyncClientStateApi)
    try:
        keys: Sequence[str] = await state.get_client_state_keys_by_prefix(
            "default", prefix=_PREFIX, expect=ListOf(str)
        )
    except ServerTooOldError:  # before InvokeAI 6.13
        keys = [f"{_PREFIX}{name}" for name in _NAMES]
    texts = await gather_or_cancel(
        state.get_client_state_by_key("default", key=key, expect=str | None) for key in keys
    )
    found = {
        key.removeprefix(_PREFIX): _value(text)
        for key, text in zip(keys, texts, strict=True)
        if text is not None
    }
    return {name: found[name] for name in (*_NAMES, *found) if found.get(name) not in (None, [])}


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text  # another program wrote it


def _several(value: Any) -> list[Any]:
    if isinstance(value, str | Mapping) or not isinstance(value, Iterable):
        return [value]
    return list(cast("Iterable[Any]", value))


def _layers(name: str, value: Any) -> list[dict[str, Any]]:
    """Return models with their settings, from a mapping of models to weights, or from a list."""
    if isinstance(value, Mapping) and not {"model", "model_name"} & cast("Mapping[str, Any]", value).keys():
        weights = cast("Mapping[Any, Any]", value)
        return [{"model": model, "weight": weight} for model, weight in weights.items()]
    layers: list[dict[str, Any]] = []
    for one in _several(value):
        layer = dict(cast("Mapping[str, Any]", one)) if isinstance(one, Mapping) else {"model": one}
        if "model_name" in layer:
            layer["model"] = layer.pop("model_name")
        if "model" not in layer:
            raise UsageError(f"{name}: {one!r} is not valid; expected a model, or a mapping with a 'model'.")
        if "image" in layer:
            layer["image_name"] = layer.pop("image")
        if layer.get("image_name") is not None:
            layer["image_name"] = _image_name(layer["image_name"])
        layers.append(layer)
    return layers


def _image_name(image: Any) -> str:
    given: Any = as_mapping(image).get("image_name") or image
    name = given if isinstance(given, str) else getattr(given, "image_name", None)
    if not isinstance(name, str) or not name:
        raise UsageError(
            f"Invalid image of type {type(image).__name__}: expected an image, its name or its record."
        )
    return name


async def _check_images(connection: Connection, sent: Mapping[str, Any]) -> None:
    from invokeai_py_client.api.images import AsyncImagesApi

    layers = [layer for name in _IMAGES for layer in sent.get(name, ())]
    names = dict.fromkeys(layer["image_name"] for layer in layers if layer.get("image_name"))
    images = connection.part(AsyncImagesApi)

    async def check(name: str) -> None:
        try:
            await images.get_image_dto(name)
        except NotFoundError:
            raise await unknown_image(connection, name) from None

    await gather_or_cancel(check(name) for name in names)


async def _name_models(connection: Connection, sent: dict[str, Any]) -> None:
    """Replace models with their names on the server, which are all that the server looks up."""
    wanted = [name for name in _TYPES if name in sent]
    if not wanted:
        return
    models = await fetch_models(connection)
    for name in wanted:
        if name in _LISTS:
            for layer in sent[name]:
                layer["model_name"] = _model_name(name, layer.pop("model"), models)
        else:
            sent[name] = _model_name(name, sent[name], models)


def _model_name(place: str, ref: Any, models: Sequence[IvkDnnModel]) -> str:
    """Return the name of a model on the server.

    Args:
        place: The name of the value.
        ref: The model: a record, a key or a name, or an identifier from metadata.
        models: The records of all models.

    Raises:
        ModelNotFoundError: The server does not have it, or it has another type.
    """
    types = _TYPES[place]
    fitting = [model for model in models if str(model.type) in types]
    if isinstance(ref, Mapping):
        identifier = cast("Mapping[str, Any]", ref)
        records = [model.to_dict() for model in fitting]
        found = find_model(identifier, records)
        if found is None:
            raise ModelNotFoundError(missing_model(identifier, records, place), str(identifier.get("name")))
        return str(found["name"])
    text = MODELS.text(ref)
    if not matching(text, fitting, lambda model: model.key, lambda model: model.name):
        other = MODELS.pick(text, models)  # raises the error for names that no model has
        raise ModelNotFoundError(
            f"{place}: the model {other.name!r} is of type {str(other.type)!r}; expected {listed(types, 4)}.",
            text,
            [model.name for model in fitting],
        )
    return _first(text, fitting).name


def _first(text: str, fitting: Sequence[IvkDnnModel]) -> IvkDnnModel:
    # The server takes the first model with a name, so that several with the same name are no problem for a name.
    return matching(text, fitting, lambda model: model.key, lambda model: model.name)[0]
