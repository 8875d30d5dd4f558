"""Nodes that call a saved workflow. They have an input for each field of that workflow's form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from invokeai_py_client.editor.literals import read
from invokeai_py_client.engine.definition import WorkflowDefinition, copy_json
from invokeai_py_client.engine.form import is_empty, read_form, shown_fields
from invokeai_py_client.engine.structure import list_of, mapping_of, refuse, text
from invokeai_py_client.errors import WorkflowFormatError
from invokeai_py_client.schema.defaults import STATEFUL
from invokeai_py_client.schema.shapes import LIMIT_NAMES
from invokeai_py_client.schema.template import UNSET, FieldType, InputTemplate, Limits, NodeTemplate

CALL = "call_saved_workflow"
PREFIX = "saved_workflow_input::"

_JSON_TYPES = {
    "IntegerField": "integer",
    "FloatField": "number",
    "StringField": "string",
    "BooleanField": "boolean",
}


def callee_ids(definition: WorkflowDefinition) -> tuple[str, ...]:
    """Return the ids of the saved workflows that a workflow calls, each once."""
    found: dict[str, None] = {}
    for node in definition.view()["nodes"]:
        data: Any = cast("dict[str, Any]", node).get("data") if isinstance(node, dict) else None
        if not isinstance(data, dict) or cast("dict[str, Any]", data).get("type") != CALL:
            continue
        inputs: Any = cast("dict[str, Any]", data).get("inputs")
        entry: Any = cast("dict[str, Any]", inputs).get("workflow_id") if isinstance(inputs, dict) else None
        value: Any = cast("dict[str, Any]", entry).get("value") if isinstance(entry, dict) else None
        if isinstance(value, str) and value:
            found[value] = None
    return tuple(found)


def read_dynamic_templates(raw: Mapping[str, Any], node_id: str) -> dict[str, InputTemplate]:
    """Return the templates in a file for a single node's inputs beyond those of its type."""
    return {name: _read_template(name, value, node_id) for name, value in raw.items()}


def _read_template(name: str, value: Any, node_id: str) -> InputTemplate:
    where = f"the dynamic input {name!r} of node {node_id!r}"
    record = mapping_of(value, where)
    kind = mapping_of(record.get("type"), f"the type of {where}")
    cardinality = kind.get("cardinality")
    if cardinality not in ("SINGLE", "COLLECTION", "SINGLE_OR_COLLECTION"):
        refuse(where, "has an unknown cardinality")
    input_kind = record.get("input")
    if input_kind not in ("any", "direct", "connection"):
        refuse(where, "does not say whether it accepts a connection")
    limits = {
        ours: record[theirs]
        for theirs, ours in LIMIT_NAMES.items()
        if type(record.get(theirs)) in (int, float)
    }
    options = record.get("options")
    shape: dict[str, Any] = {key: record[key] for key in LIMIT_NAMES if type(record.get(key)) in (int, float)}
    if kind["name"] in _JSON_TYPES and cardinality == "SINGLE":
        shape["type"] = _JSON_TYPES[kind["name"]]
    if isinstance(options, list):
        shape["enum"] = options
    return InputTemplate(
        name=name,
        title=text(record, "title", where) or name,
        type=FieldType(text(kind, "name", where), cardinality, kind.get("batch") is True),
        input=input_kind,
        required=record.get("required") is True,
        default=record.get("default", UNSET),
        limits=Limits(**limits),
        options=tuple(cast("list[Any]", options)) if isinstance(options, list) else None,
        json_schema=shape,
    )


def _callee_fields(
    callee: WorkflowDefinition, schema: Mapping[str, NodeTemplate]
) -> list[tuple[str, InputTemplate, Mapping[str, Any]]]:
    """Return the fields of a callee's form: name as an input of the caller, template, and saved entry."""
    data = callee.view()
    try:
        form, _ = read_form(data.get("form"))
    except WorkflowFormatError:
        form = None  # the editor then uses only the exposed fields
    shown = [] if form is None or is_empty(form) else [(f.node_id, f.field_name) for f in shown_fields(form)]
    for item in list_of(data, "exposedFields", "the called workflow") if "exposedFields" in data else ():
        if isinstance(item, dict):
            exposed = cast("dict[str, Any]", item)
            key = (str(exposed.get("nodeId")), str(exposed.get("fieldName")))
            if key not in shown:
                shown.append(key)
    nodes: dict[str, Mapping[str, Any]] = {}
    for node in data["nodes"]:
        content: Any = cast("dict[str, Any]", node).get("data") if isinstance(node, dict) else None
        if isinstance(content, dict):
            nodes.setdefault(str(cast("dict[str, Any]", content).get("id")), cast("dict[str, Any]", content))
    fields: list[tuple[str, InputTemplate, Mapping[str, Any]]] = []
    for node_id, field_name in shown:
        content = nodes.get(node_id, {})
        inputs: Any = content.get("inputs")
        entry: Any = cast("dict[str, Any]", inputs).get(field_name) if isinstance(inputs, dict) else None
        node_template = schema.get(str(content.get("type")))
        template = node_template.inputs.get(field_name) if node_template is not None else None
        if not isinstance(entry, dict) or template is None or template.type.name not in STATEFUL:
            continue
        saved = cast("dict[str, Any]", entry)
        name = f"{PREFIX}{node_id}::{field_name}"
        title = saved.get("label") or template.title or field_name
        fields.append(
            (name, replace(template, name=name, title=str(title), input="any", ui_hidden=False), saved)
        )
    return fields


def dynamic_inputs(
    content: dict[str, Any],
    known: Mapping[str, InputTemplate],
    callee: WorkflowDefinition,
    schema: Mapping[str, NodeTemplate],
) -> dict[str, InputTemplate]:
    """Update a calling node to the current inputs of its callee.

    As in the editor, a value saved in the caller is kept only if a template of the same type was saved with it.
    Otherwise the callee's value replaces it.
    """
    fields = _callee_fields(callee, schema)
    names = {name for name, _, _ in fields}
    inputs, documents = content["inputs"], content["dynamicInputTemplates"]
    for name in [name for name in inputs if name.startswith(PREFIX) and name not in names]:
        del inputs[name]
        documents.pop(name, None)
    templates: dict[str, InputTemplate] = {}
    for order, (name, template, saved) in enumerate(fields):
        templates[name] = template
        documents[name] = _document(template, saved, order)
        label, description = template.title, documents[name]["description"]
        entry = inputs.get(name)
        before = known.get(name)
        if entry is None or before is None or before.type != template.type:
            entry = {"name": name}
            value, _ = read(saved.get("value"), template)
            if value is not UNSET:
                entry["value"] = copy_json(value)
        inputs[name] = {**entry, "label": label, "description": description}
    return templates


def _document(template: InputTemplate, saved: Mapping[str, Any], order: int) -> dict[str, Any]:
    """Return the template of a dynamic input as stored in a workflow document."""
    document: dict[str, Any] = {
        "name": template.name,
        "title": template.title,
        "description": saved.get("description") or template.description or "",
        "fieldKind": "input",
        "input": "any",
        "required": template.required,
        "ui_hidden": False,
        "ui_order": order,
        "type": {
            "name": template.type.name,
            "cardinality": template.type.cardinality,
            "batch": template.type.batch,
        },
    }
    if template.default is not UNSET:
        document["default"] = copy_json(template.default)
    if template.options is not None:
        document["options"] = list(template.options)
    for theirs, ours in LIMIT_NAMES.items():
        limit = getattr(template.limits, ours)
        if limit is not None:
            document[theirs] = limit
    return document
