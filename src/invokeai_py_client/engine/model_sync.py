"""Which models of a server take the place of those that a workflow names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from invokeai_py_client.engine.batch import value_of
from invokeai_py_client.engine.model_match import find_model, identifier_of
from invokeai_py_client.engine.references import Reference, references
from invokeai_py_client.ivk_fields.pending import find_pending
from invokeai_py_client.models.row import Row

if TYPE_CHECKING:
    from invokeai_py_client.engine.inputs import InputSet
    from invokeai_py_client.engine.workflow import Key, LoadedWorkflow
    from invokeai_py_client.schema.template import NodeTemplate

Record = Mapping[str, Any]


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
    """What to change so that the workflow names models of this server.

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
