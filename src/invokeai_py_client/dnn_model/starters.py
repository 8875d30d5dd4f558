"""Starter models: found by name, and matched with installed models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from invokeai_py_client._text import close_names, did_you_mean
from invokeai_py_client.dnn_model.start import model_of_source
from invokeai_py_client.errors import ModelNotFoundError
from invokeai_py_client.models import IvkDnnModel, StarterBundle, StarterModel
from invokeai_py_client.models.base import as_mapping


def starter(models: Sequence[StarterModel], name: str) -> StarterModel:
    """Return the starter model with a name or source.

    Raises:
        ModelNotFoundError: No starter model matches, or several do.
    """
    found = [model for model in models if name in (model.name, model.source)]
    found = found or [model for model in models if model.name.casefold() == name.casefold()]
    found = found or [model for model in models if name in model.previous_names]
    if len(found) == 1:
        return found[0]
    if found:
        sources = ", ".join(repr(model.source) for model in found)
        raise ModelNotFoundError(
            f"Several starter models are named {name!r}. Use a source instead: {sources}."
        )
    hint = did_you_mean(close_names(name, [model.name for model in models]))
    raise ModelNotFoundError(f"No starter model named {name!r}.{hint}")


def starter_bundles(response: Mapping[str, Any]) -> list[StarterBundle]:
    """Return the bundles in a response, by id. Those of older servers are lists of models without a name (5.15.0)."""
    return [StarterBundle.from_api_response(_bundle_record(id, record)) for id, record in response.items()]


def _bundle_record(id: str, record: Any) -> Any:
    if isinstance(record, list):
        return {"id": id, "name": id, "models": cast("list[Any]", record)}
    return {**as_mapping(record), "id": id} if isinstance(record, Mapping) else record


def bundle(bundles: Sequence[StarterBundle], name: str) -> StarterBundle:
    """Return the bundle of starter models with an id or name.

    Raises:
        ModelNotFoundError: No bundle matches.
    """
    wanted = name.casefold()
    for one in bundles:
        if wanted in (one.id.casefold(), one.name.casefold()):
            return one
    names = [known for one in bundles for known in (one.id, one.name)]
    hint = (
        did_you_mean(close_names(name, names)) or f" Expected one of {', '.join(one.id for one in bundles)}."
    )
    raise ModelNotFoundError(f"No bundle of starter models named {name!r}.{hint}")


def installed_starter(model: StarterModel, known: Iterable[IvkDnnModel]) -> IvkDnnModel | None:
    """Return the installed model of a starter model (same source, or same name, base and type), or None."""
    known = list(known)
    names = {model.name, *model.previous_names}
    return model_of_source(known, model.source) or next(
        (item for item in known if item.name in names and (item.base, item.type) == (model.base, model.type)),
        None,
    )


def starter_config(model: StarterModel) -> dict[str, Any]:
    """Return the properties of a starter model to send with its installation. The server detects the rest."""
    config = {
        "name": model.name,
        "description": model.description,
        "base": str(model.base),
        "type": model.type,
        "format": model.format,
        "variant": model.variant,
    }
    return {key: value for key, value in config.items() if value}
