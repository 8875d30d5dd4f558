"""A workflow's references to objects on the server: models, images, videos, boards, workflows, presets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from invokeai_py_client.editor.generators import FAMILIES, settings_of
from invokeai_py_client.engine.batch import BATCH_NODES, generator_of, value_of
from invokeai_py_client.engine.graph import resolved_edges
from invokeai_py_client.engine.subworkflow import CALL
from invokeai_py_client.engine.wiring import EdgeIndex
from invokeai_py_client.engine.workflow import Key, LoadedWorkflow, Node
from invokeai_py_client.schema.template import UNSET, InputTemplate, NodeTemplate

Kind = Literal["model", "image", "video", "board", "workflow", "style_preset", "system_prompt"]

_KEYS: Mapping[str, Kind] = {
    "image_name": "image",
    "video_name": "video",
    "board_id": "board",
    "style_preset_id": "style_preset",
    "system_prompt_id": "system_prompt",
}


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference from a value to an object on the server.

    Attributes:
        kind: The kind of object.
        node_id: The id of the node.
        field: The name of the field that contains the reference.
        value: The reference: a model's identifier, ``{"image_name": ...}``, ``{"video_name": ...}``,
            ``{"board_id": ...}`` and the like, or a workflow's id.
        index: The position in the field's list. None if the value of the field is not a list.
    """

    kind: Kind
    node_id: str
    field: str
    value: Any
    index: int | None = None


def references(
    loaded: LoadedWorkflow,
    values: Mapping[Key, Any],
    schema: Mapping[str, NodeTemplate] | None = None,
) -> list[Reference]:
    """Return all references in a workflow's values, except in connected inputs.

    Args:
        loaded: The workflow.
        values: Values that replace those of the workflow.
        schema: The server's node types. If given, inputs that are not sent are skipped. Defaults to None.
    """
    connected = {(edge.target, edge.target_field) for edge in resolved_edges(loaded)}
    edges = EdgeIndex(loaded.edges)
    found: list[Reference] = []
    for node in loaded.nodes.values():
        if node.type in FAMILIES:
            continue
        if node.type in BATCH_NODES:
            found.extend(_batch_references(loaded, edges, node, values))
            continue
        template = schema.get(node.type) if schema is not None else None
        names = dict.fromkeys([*node.inputs, *(field for node_id, field in values if node_id == node.id)])
        for name in names:
            if (node.id, name) in connected or (
                template is not None and node.template_of(name, template) is None
            ):
                continue
            if node.type == CALL and name == "workflow_id":
                workflow_id = value_of(node, name, values)
                if isinstance(workflow_id, str) and workflow_id:
                    found.append(Reference("workflow", node.id, name, workflow_id))
                continue
            value = value_of(node, name, values)
            if (node.id, name) in loaded.unusable and (node.id, name) not in values:
                value = old_model(loaded.unusable[node.id, name], node.template_of(name, template)) or value
            found.extend(_in_value(node.id, name, value))
    return found


def old_model(raw: Any, template: InputTemplate | None) -> dict[str, Any] | None:
    """Return the identifier of a model in a literal of InvokeAI 3 and older, or None if it is not such a literal.

    These versions identified models by name and base: ``{"model_name": ..., "base_model": ...}``, in some files with
    a ``model_type``. The key and the hash of the result are empty.

    Args:
        raw: The literal in the file.
        template: The template of the field.
    """
    if template is None or template.type.name != "ModelIdentifierField" or not isinstance(raw, dict):
        return None
    literal = cast("dict[str, Any]", raw)
    name, base, kind = (literal.get(part) for part in ("model_name", "base_model", "model_type"))
    if not (isinstance(name, str) and isinstance(base, str)):
        return None
    types = (template.models.type if template.models is not None else None) or ()
    if not isinstance(kind, str):
        kind = types[0] if len(types) == 1 else ""
    return {"key": "", "hash": "", "name": name, "base": base, "type": kind}


def _batch_references(
    loaded: LoadedWorkflow, edges: EdgeIndex, batch: Node, values: Mapping[Key, Any]
) -> Iterator[Reference]:
    generator = generator_of(loaded, edges, batch)
    if generator is None:
        field = BATCH_NODES[batch.type][0]
        yield from _in_value(batch.id, field, value_of(batch, field, values))
        return
    settings = settings_of(generator.type, value_of(generator, "generator", values))
    if settings is not None and settings.get("board_id", "none") != "none":
        yield Reference("board", generator.id, "generator", {"board_id": settings["board_id"]})


def _in_value(node_id: str, field: str, value: Any) -> Iterator[Reference]:
    if isinstance(value, list):
        for index, item in enumerate(cast("list[Any]", value)):
            kind, part = _refers_to(item)
            if kind is not None:
                yield Reference(kind, node_id, field, part, index)
    elif value is not UNSET:
        kind, part = _refers_to(value)
        if kind is not None:
            yield Reference(kind, node_id, field, part)


def _refers_to(value: Any) -> tuple[Kind | None, Any]:
    if not isinstance(value, dict):
        return None, None
    record = cast("dict[str, Any]", value)
    for key, kind in _KEYS.items():
        if key in record:
            return kind, record
    if "key" in record and "base" in record:
        return "model", record
    if isinstance(record.get("lora"), dict):
        return "model", record["lora"]
    return None, None
