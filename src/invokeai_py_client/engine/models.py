"""Lookup of a server's models by a workflow's references or a user's text, and replacement of missing models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from invokeai_py_client._names import matching
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
_NAMED = 5


@dataclass(frozen=True, slots=True)
class ModelChange:
    """A model in a workflow, and the server's model that replaces it.

    Attributes:
        key: The node id and field name of the input.
        value: The complete new value of the input.
        before: The previous identifier of the model, readable by key or by attribute.
        after: The new identifier of the model.
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
    """Return the changes that make a workflow use models of this server.

    A model does not change if the server has a model with the same key, or no suitable replacement.

    Args:
        loaded: The workflow.
        schema: The server's node types.
        inputs: The workflow's inputs. They are not modified.
        models: The server's model records.
        by_name: Whether to accept a compatible model with the same name and type. Defaults to True.
        by_base: Whether to accept, as a last resort, the first compatible model with the same base and type.
            Defaults to True.
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
        if inputs.template(key) is None:  # a node type or a field that the server does not have
            continue
        item = inputs.at(key)
        if item.connected or find_pending(item.field.value):
            continue
        fitting = [model for model in models if item.field.accepts_model(model)]
        record = _replacement(reference, models, fitting, by_name=by_name, by_base=by_base)
        if record is None or record["key"] == reference.value.get("key"):
            continue
        whole = wholes[key] if key in wholes else whole_value(loaded, reference, settled)
        after = with_model(reference.value, None, identifier_of(record))
        wholes[key] = with_model(whole, reference.index, identifier_of(record))
        found.append(ModelChange(key, wholes[key], Row(reference.value), Row(after)))
    return found


def whole_value(loaded: LoadedWorkflow, reference: Reference, values: Mapping[Key, Any]) -> Any:
    """Return the value of the field that contains a reference, for ``with_model()``.

    Args:
        loaded: The workflow.
        reference: The reference.
        values: Values that replace those of the workflow.
    """
    key = (reference.node_id, reference.field)
    if key in loaded.unusable and key not in values:  # a model in an old format
        return reference.value
    return value_of(loaded.nodes[reference.node_id], reference.field, values)


def with_model(whole: Any, index: int | None, identifier: Record) -> Any:
    """Return the value of a field with one of its models replaced.

    Args:
        whole: A model's identifier, a LoRA with its weight, or a list of either.
        index: The position of the model in the list. None if the value is not a list.
        identifier: The new identifier. The submodel that the old identifier names is kept.
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
    alike = [model for model in fitting if not kind or model["type"] == kind]
    named = [model for model in alike if model["name"] == name] if by_name else []
    of_base = [model for model in alike if model["base"] == base] if by_base else []
    return next(iter((*named, *of_base)), None)


def identifier_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a model record that workflows store."""
    return {name: record[name] for name in _IDENTIFIER}


def find_model(wanted: Mapping[str, Any], models: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the server's record of a model in a workflow: by key, then hash, then name, base and type.

    Each installation has different keys. Hashes are computed from the files, unless the server is configured
    to use random ones. Workflows of InvokeAI 3 and older have neither, and some have no type. Returns None if no
    model matches.
    """
    key, digest = wanted.get("key"), wanted.get("hash")
    for model in models:
        if key and model["key"] == key:
            return model
    for model in models:
        if digest and model["hash"] == digest and not str(digest).startswith("random:"):
            return model
    name, base, kind = (wanted.get(part) for part in ("name", "base", "type"))
    for model in models:
        if model["name"] == name and model["base"] == base and kind in ("", model["type"]):
            return model
    return None


def model_by_name(
    text: str,
    fitting: Sequence[Mapping[str, Any]],
    place: str,
    others: Sequence[Mapping[str, Any]] = (),
) -> Mapping[str, Any]:
    """Return the model with a key or name, among the models that are compatible with a field.

    Args:
        text: The key or the name.
        fitting: The records of the compatible models.
        place: The name of the field, for messages.
        others: All models of the server. Used to say why a model is not compatible.

    Raises:
        ModelNotFoundError: No compatible model has that key or name, or several do.
    """
    found = matching(text, fitting, lambda model: model["key"], lambda model: str(model["name"]))
    if len(found) == 1:
        return found[0]
    if found:
        keys = ", ".join(f"{m['key']} ({m['base']} {m['type']})" for m in found)
        raise ModelNotFoundError(
            f"{place}: the model name {text!r} is ambiguous: {len(found)} models have it. Use a key: {keys}."
        )
    for model in others:
        if text in (model["key"], model["name"]):
            raise ModelNotFoundError(
                f"{place}: the model {text!r} ({model['base']} {model['type']}) is not compatible with this field."
                f"{compatible_hint(fitting)}"
            )
    names = sorted({str(m["name"]) for m in fitting})
    hint = (
        did_you_mean(close_names(text, names))
        or compatible_hint(fitting)
        or " The server has no model that is compatible with this field. Install one."
    )
    raise ModelNotFoundError(f"{place}: no compatible model named {text!r}.{hint}")


def missing_model(wanted: Mapping[str, Any], fitting: Sequence[Mapping[str, Any]], place: str) -> str:
    """Return a message about a model in the workflow that is not on the server."""
    hint = compatible_hint(fitting) or " Install a compatible model."
    kind = f"{wanted.get('base')} {wanted.get('type')}".rstrip()
    return f"{place}: the model {wanted.get('name')!r} ({kind}) is not on the server.{hint}"


def compatible_hint(fitting: Sequence[Mapping[str, Any]]) -> str:
    """Return a sentence that lists compatible models, or "" for an empty sequence."""
    names = sorted({str(model["name"]) for model in fitting})
    return f" Compatible models: {listed(names, _NAMED)}." if names else ""
