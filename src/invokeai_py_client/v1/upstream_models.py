"""Workflow documents as typed objects that can be read and changed, under version 1's names.

These functions only use the document, not a server. For exact results, use the server's schema through
``WorkflowHandle.list_inputs()`` and ``WorkflowHandle.list_outputs()``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from invokeai_py_client.engine.definition import WorkflowDefinition, copy_json
from invokeai_py_client.errors import UsageError, WorkflowFormatError
from invokeai_py_client.schema.reference import reference_schema

Data = dict[str, Any]


class _Part(BaseModel):
    model_config = ConfigDict(extra="allow")


class WorkflowNodeField(_Part):
    """An input of a node in the document."""

    label: str | None = None
    description: str | None = None
    value: Any = None
    required: bool | None = None
    type: Any = None
    minimum: float | None = None
    maximum: float | None = None
    options: list[Any] | None = None
    ui_choices: list[Any] | None = None


class WorkflowNodeData(_Part):
    """The type, label and inputs of a node."""

    id: str | None = None
    type: str | None = None
    label: str | None = None
    inputs: dict[str, WorkflowNodeField] = Field(default_factory=dict[str, WorkflowNodeField])


class WorkflowNode(_Part):
    """A node of the workflow."""

    id: str
    data: WorkflowNodeData


class WorkflowEdgeEndpoint(_Part):
    """The source or destination of an edge."""

    node_id: str
    field: str | None = None


class WorkflowEdge(_Part):
    """An edge between two fields."""

    source: WorkflowEdgeEndpoint
    destination: WorkflowEdgeEndpoint


class WorkflowFormElementData(_Part):
    """The contents of a form element: a field, or other elements."""

    fieldIdentifier: Data | None = None
    children: list[str] | None = None


class WorkflowFormElement(_Part):
    """An element of the form."""

    id: str
    type: str
    data: WorkflowFormElementData = Field(default_factory=WorkflowFormElementData)


class WorkflowForm(_Part):
    """The form that the workflow shows to its users."""

    elements: dict[str, WorkflowFormElement] = Field(default_factory=dict[str, WorkflowFormElement])


class WorkflowRoot(_Part):
    """A workflow document. Nodes and edges are plain dicts that can be changed in place."""

    id: str | None = None
    name: str | None = None
    description: str | None = None
    nodes: list[Data] = Field(default_factory=list[Data])
    edges: list[Data] = Field(default_factory=list[Data])
    form: WorkflowForm = Field(default_factory=WorkflowForm)

    def iter_typed_nodes(self) -> Iterator[WorkflowNode]:
        """Yield the nodes as typed copies. Invalid nodes are skipped."""
        for node in self.nodes:
            try:
                yield WorkflowNode.model_validate(node)
            except ValidationError:
                continue

    def get_typed_node(self, node_id: str) -> WorkflowNode | None:
        """Return a node as a typed copy, or None if no node has this id."""
        return next((node for node in self.iter_typed_nodes() if node.id == node_id), None)

    def replace_typed_node(self, node: WorkflowNode) -> None:
        """Replace the node with the same id, or append the node if its id is new."""
        plain = node.model_dump(exclude_none=True)
        for index, present in enumerate(self.nodes):
            if present.get("id") == node.id:
                self.nodes[index] = plain
                return
        self.nodes.append(plain)


def load_workflow_json(data: Mapping[str, Any]) -> WorkflowRoot:
    """Return a typed copy of a workflow document. Unknown content is kept, and ``data`` is not changed.

    Raises:
        WorkflowFormatError: The document is not a workflow.
    """
    document = WorkflowDefinition.from_dict(data).to_dict()
    if document.get("form") is None:
        document.pop("form", None)
    try:
        return WorkflowRoot.model_validate(document)
    except ValidationError as error:
        finding = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in finding["loc"])
        raise WorkflowFormatError(f"Cannot read the workflow: {place}: {finding['msg']}.") from None


def workflow_to_dict(root: WorkflowRoot) -> Data:
    """Return the document as JSON data, including changes. Fields that have the value None are omitted."""
    return copy_json(root.model_dump(exclude_none=True))


def iter_form_input_fields(root: WorkflowRoot) -> Iterator[tuple[str, str, str, Data | None]]:
    """Yield the fields in the form, in order: node id, field name, element id and field.

    The field is the dict in the document, or None if the node does not have it.
    """
    nodes = {node.get("id"): node for node in root.nodes}
    for element in _in_order(root.form):
        place = element.data.fieldIdentifier
        if element.type != "node-field" or place is None:
            continue
        node_id, name = str(place.get("nodeId")), str(place.get("fieldName"))
        yield node_id, name, element.id, _inputs(nodes.get(node_id) or {}).get(name)


def enumerate_output_nodes(root: WorkflowRoot) -> Iterator[tuple[str, str, bool]]:
    """Yield the nodes that save images: node id, node type, and whether the node's board is in the form."""
    shown = {node_id for node_id, name, _, _ in iter_form_input_fields(root) if name == "board"}
    for node in root.nodes:
        kind = _data(node).get("type")
        if isinstance(kind, str) and is_output_node_type(kind):
            yield str(node.get("id")), kind, node.get("id") in shown


def is_output_node_type(node_type: str | None) -> bool:
    """Return whether nodes of a type save images to a board, according to the schema of InvokeAI 6.14.2.

    Returns False for types that are not in that schema, such as custom nodes.
    """
    schema = reference_schema()
    return node_type is not None and node_type in schema and "board" in schema[node_type].inputs


OUTPUT_CAPABLE_TYPES: set[str] = {kind for kind in reference_schema() if is_output_node_type(kind)}
"""The types of nodes that save images to a board in InvokeAI 6.14.2."""


def update_node_input_value(root: WorkflowRoot, node_id: str, field_name: str, value: Any) -> bool:
    """Set an input of a node to a value in the server's format.

    Returns:
        Whether the input exists.
    """
    for node in root.nodes:
        if node.get("id") == node_id:
            field = _inputs(node).get(field_name)
            if isinstance(field, dict):
                field["value"] = value
                return True
    return False


def is_field_connected(root: WorkflowRoot, node_id: str, field_name: str) -> bool:
    """Return whether an input is connected to another node."""
    return any(
        edge.get("target") == node_id and edge.get("targetHandle") == field_name for edge in root.edges
    )


def update_output_boards(root: WorkflowRoot, board_id: str, override: bool = False) -> int:
    """Select a board for all nodes that save images.

    Args:
        root: The document.
        board_id: The board's id.
        override: Whether to replace boards that are already selected. Defaults to False.

    Returns:
        The number of changed nodes.
    """
    if not board_id:
        raise UsageError("The board id passed to update_output_boards() is empty.")
    changed = 0
    for node in root.nodes:
        if not is_output_node_type(_data(node).get("type")):
            continue
        inputs = _data(node).setdefault("inputs", {})
        field = inputs.setdefault("board", {"name": "board", "label": ""})
        chosen = field.get("value")
        known = cast("Data", chosen).get("board_id") if isinstance(chosen, dict) else chosen
        if override or known in (None, "auto", "none"):
            field["value"] = {"board_id": board_id}
            changed += 1
    return changed


def build_input_jsonpath(node_id: str, field_name: str) -> str:
    """Return the JSONPath of an input in the document."""
    return f"$.nodes[?(@.id='{node_id}')].data.inputs.{field_name}"


def _in_order(form: WorkflowForm) -> Iterator[WorkflowFormElement]:
    """Yield the form's elements in display order. Elements that are not displayed are skipped."""
    extra = form.model_extra or {}
    root_id = extra.get("rootElementId") or "root"
    stack, seen = [str(root_id)], set[str]()
    while stack:
        element = form.elements.get(stack.pop())
        if element is None or element.id in seen:
            continue
        seen.add(element.id)
        yield element
        stack.extend(reversed(element.data.children or []))


def _data(node: Data) -> Data:
    data = node.get("data")
    return cast("Data", data) if isinstance(data, dict) else {}


def _inputs(node: Data) -> Data:
    inputs = _data(node).get("inputs")
    return cast("Data", inputs) if isinstance(inputs, dict) else {}


__all__ = [
    "OUTPUT_CAPABLE_TYPES",
    "WorkflowEdge",
    "WorkflowEdgeEndpoint",
    "WorkflowForm",
    "WorkflowFormElement",
    "WorkflowFormElementData",
    "WorkflowNode",
    "WorkflowNodeData",
    "WorkflowNodeField",
    "WorkflowRoot",
    "build_input_jsonpath",
    "enumerate_output_nodes",
    "is_field_connected",
    "is_output_node_type",
    "iter_form_input_fields",
    "load_workflow_json",
    "update_node_input_value",
    "update_output_boards",
    "workflow_to_dict",
]
