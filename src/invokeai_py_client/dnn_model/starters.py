"""The models that InvokeAI proposes to begin with: found by name, and whether they are there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from invokeai_py_client._text import close_names, did_you_mean
from invokeai_py_client.dnn_model.start import model_of_source
from invokeai_py_client.errors import ModelNotFoundError
from invokeai_py_client.models import IvkDnnModel, StarterModel


def starter(models: Sequence[StarterModel], name: str) -> StarterModel:
    """The one that a name or a source means.

    Raises:
        ModelNotFoundError: None of them, or several.
    """
    found = [one for one in models if name in (one.name, one.source)]
    found = found or [one for one in models if one.name.casefold() == name.casefold()]
    found = found or [one for one in models if name in one.previous_names]
    if len(found) == 1:
        return found[0]
    if found:
        sources = ", ".join(repr(one.source) for one in found)
        raise ModelNotFoundError(
            f"InvokeAI proposes several models named {name!r}; give a source: {sources}."
        )
    hint = did_you_mean(close_names(name, [one.name for one in models]))
    raise ModelNotFoundError(f"InvokeAI proposes no model named {name!r}.{hint}")


def installed_starter(model: StarterModel, known: Iterable[IvkDnnModel]) -> IvkDnnModel | None:
    """The model of the server that a proposed one is: the same source, or name, base and type."""
    known = list(known)
    names = {model.name, *model.previous_names}
    return model_of_source(known, model.source) or next(
        (one for one in known if one.name in names and (one.base, one.type) == (model.base, model.type)), None
    )


def starter_config(model: StarterModel) -> dict[str, Any]:
    """What the server is told of a proposed model; the rest it finds by itself."""
    told = {
        "name": model.name,
        "description": model.description,
        "base": str(model.base),
        "type": model.type,
        "format": model.format,
        "variant": model.variant,
    }
    return {key: value for key, value in told.items() if value}
