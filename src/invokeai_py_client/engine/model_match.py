"""Which of a server's models a workflow or a user means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from invokeai_py_client._text import close_names, did_you_mean, listed
from invokeai_py_client.errors import ModelNotFoundError

_IDENTIFIER = ("key", "hash", "name", "base", "type")
_NAMED = 8


def identifier_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a model record that a workflow holds."""
    return {name: record[name] for name in _IDENTIFIER}


def find_model(wanted: Mapping[str, Any], models: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The server's record of a model that a workflow names: by key, then hash, then name, base and type.

    Keys are each installation's own; hashes are of the files, unless the server was told to invent them.
    """
    key, digest = wanted.get("key"), wanted.get("hash")
    for model in models:
        if key and model["key"] == key:
            return model
    for model in models:
        if digest and model["hash"] == digest and not str(digest).startswith("random:"):
            return model
    names = [wanted.get(part) for part in ("name", "base", "type")]
    for model in models:
        if [model["name"], model["base"], model["type"]] == names:
            return model
    return None


def model_by_name(
    text: str,
    fitting: Sequence[Mapping[str, Any]],
    place: str,
    others: Sequence[Mapping[str, Any]] = (),
) -> Mapping[str, Any]:
    """The model that a user's text names, by key or name, among those that fit the field.

    Args:
        text: A key or a name.
        fitting: The records of the models that fit.
        place: The field, for messages.
        others: All models of the server.

    Raises:
        ModelNotFoundError: None fits, or several have that name.
    """
    exact = [m for m in fitting if m["key"] == text] or [m for m in fitting if m["name"] == text]
    found = exact or [m for m in fitting if str(m["name"]).casefold() == text.casefold()]
    if len(found) == 1:
        return found[0]
    if found:
        keys = ", ".join(f"{m['key']} ({m['base']} {m['type']})" for m in found)
        raise ModelNotFoundError(f"{place}: {len(found)} models are called {text!r}; give a key: {keys}.")
    for model in others:
        if text in (model["key"], model["name"]):
            raise ModelNotFoundError(
                f"{place}: {text!r} is {model['base']} {model['type']}, which does not fit.{compatible_hint(fitting)}"
            )
    names = sorted({str(m["name"]) for m in fitting})
    hint = (
        did_you_mean(close_names(text, names))
        or compatible_hint(fitting)
        or " It has none that fits this field."
    )
    raise ModelNotFoundError(f"{place}: the server has no model {text!r} that fits.{hint}")


def missing_model(wanted: Mapping[str, Any], fitting: Sequence[Mapping[str, Any]], place: str) -> str:
    """A sentence about a model that the workflow names and the server lacks."""
    hint = compatible_hint(fitting) or " Install one that fits."
    kind = f"{wanted.get('base')} {wanted.get('type')}"
    return f"{place}: the server lacks the model {wanted.get('name')!r} ({kind}).{hint}"


def compatible_hint(fitting: Sequence[Mapping[str, Any]]) -> str:
    """A sentence that names models which a field takes; "" for none."""
    names = sorted({str(model["name"]) for model in fitting})
    return f" These fit: {listed(names, _NAMED)}." if names else ""
