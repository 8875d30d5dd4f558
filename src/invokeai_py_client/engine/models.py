"""Which of a server's models a workflow or a user means, and which take the place of those that it lacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from invokeai_py_client._text import close_names, did_you_mean, listed
from invokeai_py_client.engine.batch import value_of
from invokeai_py_client.engine.references import Reference, references
from invokeai_py_client.errors import ModelNotFoundError
from invokeai_py_client.ivk_fields.pending import find_pending
from invokeai_py_client.models.base import Row

if TYPE_CHECKING:
    from invokeai_py_client.engine.inputs import InputSet
    from invokeai_py_client.engine.workflow import Key, LoadedWorkflow
    from invokeai_py_client.schema.template import NodeTemplate

Record = Mapping[str, Any]

_IDENTIFIER = ("key", "hash", "name", "base", "type")
_NAMED = 8


@dataclass(frozen=True, slots=True)
class ModelChange:
    """One model of a workflow, and the server's in its place.

    Attributes:
        key: The input.
        value: The input's whole value with the server's model in it.
        before: The model's identifier as it was, by key or by attribute.
        after: As it is now.
    """

    key: Key
    value: Any
    before: Row
    after: Row


def model_changes(
    loaded: LoadedWorkflow,
    schema: Mapping[str, NodeTemplate],
    inputs: InputSet,
    models: Sequence[Record],
    *,
    by_name: bool = True,
    by_base: bool = True,
) -> list[ModelChange]:
    """Return the changes after which the workflow names models of this server.

    A model that the server has under the same key stays, and so does one that nothing here can replace.

    Args:
        loaded: The workflow.
        schema: The server's node types.
        inputs: The workflow's inputs; nothing in them is changed.
        models: The server's model records.
        by_name: Whether a model of the same name and type that fits the field will do.
        by_base: Whether, failing that, the first model of the same base and type that fits will do.
    """
    settled = {
        key: item.field.to_api_format()
        for key, item in inputs.touched().items()
        if not find_pending(item.field.value)
    }
    found: list[ModelChange] = []
    wholes: dict[Key, Any] = {}
    for reference in references(loaded, settled, schema):
        if reference.kind != "model":
            continue
        key = (reference.node_id, reference.field)
        item = inputs.at(key)
        if item.connected or find_pending(item.field.value):
            continue
        fitting = [model for model in models if item.field.accepts_model(model)]
        record = _replacement(reference, models, fitting, by_name=by_name, by_base=by_base)
        if record is None or record["key"] == reference.value.get("key"):
            continue
        whole = wholes[key] if key in wholes else value_of(loaded.nodes[key[0]], key[1], settled)
        after = with_model(reference.value, None, identifier_of(record))
        wholes[key] = with_model(whole, reference.index, identifier_of(record))
        found.append(ModelChange(key, wholes[key], Row(reference.value), Row(after)))
    return found


def with_model(whole: Any, index: int | None, identifier: Record) -> Any:
    """A field's value with one of its models under another identifier.

    Args:
        whole: A model's identifier, a LoRA with its weight, or a list of either.
        index: The model's place in the list; None where there is no list.
        identifier: The new identifier. The part of the model that the old one named stays.
    """
    if index is not None:
        items: list[Any] = list(whole)
        items[index] = with_model(items[index], None, identifier)
        return items
    record = cast("Record", whole)
    if "lora" in record:
        return {**record, "lora": with_model(record["lora"], None, identifier)}
    part = {"submodel_type": record["submodel_type"]} if "submodel_type" in record else {}
    return {**identifier, **part}


def _replacement(
    reference: Reference,
    models: Sequence[Record],
    fitting: Sequence[Record],
    *,
    by_name: bool,
    by_base: bool,
) -> Record | None:
    wanted: Record = reference.value
    same = find_model(wanted, models)
    if same is not None:
        return same
    name, base, kind = (wanted.get(part) for part in ("name", "base", "type"))
    alike = [model for model in fitting if model["type"] == kind]
    named = [model for model in alike if model["name"] == name] if by_name else []
    of_base = [model for model in alike if model["base"] == base] if by_base else []
    return next(iter((*named, *of_base)), None)


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
