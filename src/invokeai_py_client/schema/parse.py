"""Parses a server's OpenAPI document into node templates, by the official editor's rules."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from invokeai_py_client.errors import NotInvokeAIError
from invokeai_py_client.schema.defaults import STATEFUL, default_value
from invokeai_py_client.schema.document import (
    JsonObject,
    as_list,
    as_object,
    as_text,
    as_texts,
    is_null,
    reference_name,
)
from invokeai_py_client.schema.field_type import parse_field_type
from invokeai_py_client.schema.model_types import MODEL_FIELD, is_model_ui_type, model_filter
from invokeai_py_client.schema.shapes import Shapes, deeper_limits, stated_limits
from invokeai_py_client.schema.template import (
    UNSET,
    FieldType,
    InputKind,
    InputTemplate,
    NodeTemplate,
    OutputTemplate,
    Schema,
)

# These are not workflow nodes: the server's wrapper around graphs, and an obsolete type.
_NOT_NODES: Final = frozenset({"graph", "linear_ui_output"})
_NODE_ATTRIBUTES: Final = frozenset({"id", "type", "use_cache"})
_INTERMEDIATE: Final = "IsIntermediate"

# Lists to which only generators can be connected, and the outputs of generators.
_BATCH_INPUTS: Final = frozenset(
    {
        ("float_batch", "floats"),
        ("integer_batch", "integers"),
        ("string_batch", "strings"),
        ("image_batch", "images"),
    }
)
_BATCH_OUTPUTS: Final = frozenset(
    {
        ("float_generator", "floats"),
        ("integer_generator", "integers"),
        ("string_generator", "strings"),
        ("image_generator", "images"),
    }
)
_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def parse_schema(openapi: Mapping[str, Any], version: str = "") -> Schema:
    """Parse all node types of a server.

    As in the editor, fields whose schema it does not support are left out, and so are nodes without a usable output.

    Args:
        openapi: The server's ``/openapi.json``.
        version: The server's version, for messages.

    Raises:
        NotInvokeAIError: The document describes no InvokeAI nodes.
    """
    document = as_object(openapi)
    components = as_object(document.get("components")) if document is not None else None
    definitions = as_object(components.get("schemas")) if components is not None else None
    if definitions is None:
        raise NotInvokeAIError(
            None, None, "This is not InvokeAI's /openapi.json: it has no components.schemas."
        )
    reader = _Reader(definitions)
    nodes = {node.type: node for node in reader.nodes()}
    if not nodes:
        raise NotInvokeAIError(
            None, None, "This is not InvokeAI's /openapi.json: it describes no invocation nodes."
        )
    return Schema(nodes, version)


class _Reader:
    """Parses the nodes of one document."""

    def __init__(self, definitions: JsonObject) -> None:
        self._definitions = definitions
        self._shapes = Shapes(definitions)

    def nodes(self) -> Iterator[NodeTemplate]:
        for definition in self._definitions.values():
            schema = as_object(definition)
            if schema is not None and schema.get("class") == "invocation":
                node = self._node(schema)
                if node is not None and node.type not in _NOT_NODES:
                    yield node

    def _node(self, schema: JsonObject) -> NodeTemplate | None:
        properties = as_object(schema.get("properties")) or {}
        node_type = _type_constant(properties)
        output = as_object(self._definitions.get(reference_name(schema.get("output")) or ""))
        if node_type is None or output is None or output.get("class") != "output":
            return None
        output_properties = as_object(output.get("properties")) or {}
        use_cache = (as_object(properties.get("use_cache")) or {}).get("default")
        return NodeTemplate(
            type=node_type,
            title=as_text(schema.get("title"), node_type).replace("Invocation", "", 1),
            version=as_text(schema.get("version")),
            inputs=dict(self._inputs(node_type, properties)),
            outputs=dict(_outputs(node_type, output_properties)),
            output_type=_type_constant(output_properties) or "",
            description=as_text(schema.get("description")),
            category=as_text(schema.get("category"), "other"),
            tags=as_texts(schema.get("tags")),
            classification=as_text(schema.get("classification"), "stable"),
            node_pack=as_text(schema.get("node_pack"), "invokeai"),
            use_cache=use_cache if isinstance(use_cache, bool) else True,
        )

    def _inputs(self, node_type: str, properties: JsonObject) -> Iterator[tuple[str, InputTemplate]]:
        for name, definition in properties.items():
            schema = as_object(definition)
            if schema is None or "field_kind" not in schema or _is_reserved(node_type, name):
                continue
            try:
                template = self._input(node_type, name, schema)
            except RecursionError:
                continue  # nested deeper than any real value
            if template is not None:
                yield name, template

    def _input(self, node_type: str, name: str, schema: JsonObject) -> InputTemplate | None:
        field_type = _field_type(schema, batch=(node_type, name) in _BATCH_INPUTS)
        if field_type is None or field_type.name == _INTERMEDIATE:
            return None
        options = _options(schema) if field_type.name in ("EnumField", "SchedulerField") else None
        if field_type.name == "EnumField" and not options:
            return None  # the editor cannot show it either
        stateful = field_type.name in STATEFUL
        required = schema.get("orig_required") is True
        reduced = self._shapes.reduce(schema)
        server_input = _input_kind(schema.get("input"))
        ui_type = as_text(schema.get("ui_type")) or None
        order = schema.get("ui_order")
        return InputTemplate(
            name=name,
            title=_title(name, schema),
            type=field_type,
            input=server_input if stateful else "connection",
            required=required,
            default=default_value(field_type, schema.get("default"), required=required, options=options)
            if stateful
            else UNSET,
            description=as_text(schema.get("description")),
            limits=stated_limits(schema),
            nested_limits=deeper_limits(schema, reduced),
            options=options,
            option_labels={
                str(key): str(label)
                for key, label in (as_object(schema.get("ui_choice_labels")) or {}).items()
            },
            models=model_filter(schema, field_type, ui_type),
            ui_component=as_text(schema.get("ui_component")) or None,
            ui_hidden=schema.get("ui_hidden") is True,
            ui_order=order if isinstance(order, int) and not isinstance(order, bool) else None,
            ui_type=ui_type,
            nullable=_takes_null(reduced),
            json_schema=reduced,
            server_input=server_input,
        )


def _outputs(node_type: str, properties: JsonObject) -> Iterator[tuple[str, OutputTemplate]]:
    for name, definition in properties.items():
        schema = as_object(definition)
        if name == "type" or schema is None or "field_kind" not in schema:
            continue
        field_type = _field_type(schema, batch=(node_type, name) in _BATCH_OUTPUTS)
        if field_type is not None:
            yield name, OutputTemplate(name, _title(name, schema), field_type)


def _is_reserved(node_type: str, name: str) -> bool:
    # The server sets the index of an iteration.
    return name in _NODE_ATTRIBUTES or (node_type, name) == ("iterate", "index")


def _field_type(schema: JsonObject, *, batch: bool) -> FieldType | None:
    try:
        shape = parse_field_type(schema)
    except RecursionError:
        shape = None  # nested deeper than any real type
    ui_type = as_text(schema.get("ui_type"))
    if ui_type and is_model_ui_type(ui_type, shape):
        field_type = shape or FieldType(MODEL_FIELD)
    elif ui_type:
        named = FieldType(ui_type, "COLLECTION" if ui_type == "CollectionField" else "SINGLE")
        renamed = shape is not None and shape != named and ui_type in STATEFUL
        field_type = FieldType(named.name, named.cardinality, original=shape if renamed else None)
    else:
        field_type = shape
    if batch and field_type is not None:
        return FieldType(field_type.name, field_type.cardinality, True, field_type.original)
    return field_type


def _options(schema: JsonObject) -> tuple[Any, ...] | None:
    """Return the choices, from the top level or from the only branch that is not null."""
    if branches := [branch for branch in as_list(schema.get("anyOf")) if not is_null(branch)]:
        only = as_object(branches[0])
        if len(branches) != 1 or only is None:
            return None
        schema = only
    if constant := schema.get("const"):
        return (constant,)
    return tuple(as_list(schema.get("enum"))) or None


def _input_kind(value: Any) -> InputKind:
    return value if value in ("any", "direct", "connection") else "any"


def _type_constant(properties: JsonObject) -> str | None:
    """Return the constant value of the ``type`` property."""
    schema = as_object(properties.get("type")) or {}
    return as_text(schema.get("default")) or as_text(schema.get("const")) or None


def _title(name: str, schema: JsonObject) -> str:
    title = schema.get("title")
    if isinstance(title, str):
        return title
    words: list[str] = _WORDS.findall(name)
    return " ".join(word[0].upper() + word[1:] for word in words)


def _takes_null(reduced: JsonObject) -> bool:
    kind = reduced.get("type")
    if kind is not None:
        return kind == "null" or (isinstance(kind, list) and "null" in kind)
    branches: list[Any] = [*reduced.get("anyOf", ()), *reduced.get("oneOf", ())]
    if branches:
        return any(_takes_null(branch) for branch in branches)
    # The schema says nothing about the value, so any value is valid.
    return not {"enum", "const", "allOf", "properties"} & reduced.keys()
