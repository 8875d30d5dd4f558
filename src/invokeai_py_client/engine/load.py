"""Loading of workflows for a particular server, by the rules of the official editor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from invokeai_py_client.editor.literals import EXTRA_INPUTS, read
from invokeai_py_client.engine.definition import WorkflowDefinition
from invokeai_py_client.engine.form import form_of, is_empty, read_form, remove_element, shown_fields
from invokeai_py_client.engine.migrate import needs_update, to_current, update_inputs
from invokeai_py_client.engine.structure import list_of, read_edge, read_header, read_node, refuse
from invokeai_py_client.engine.subworkflow import dynamic_inputs, read_dynamic_templates
from invokeai_py_client.engine.wiring import Terminal, Wiring
from invokeai_py_client.engine.workflow import Edge, Key, LoadedWorkflow, Node, NodeInput
from invokeai_py_client.schema.template import UNSET, InputTemplate, NodeTemplate


@dataclass(slots=True)
class _Loading:
    """The state of loading a workflow: the document's nodes by id, and data about them."""

    schema: Mapping[str, NodeTemplate]
    nodes: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    dynamic: dict[str, dict[str, InputTemplate]] = field(default_factory=dict[str, dict[str, InputTemplate]])
    unusable: dict[Key, Any] = field(default_factory=dict[Key, Any])
    warnings: list[str] = field(default_factory=list[str])
    kinds: dict[str, NodeTemplate | None] = field(default_factory=dict[str, "NodeTemplate | None"])

    def template(self, node: Mapping[str, Any]) -> NodeTemplate | None:
        if node["type"] != "invocation":
            return None
        kind = node["data"]["type"]
        if kind not in self.kinds:  # called several times for each node and each end of an edge
            self.kinds[kind] = self.schema.get(kind)
        return self.kinds[kind]

    def name(self, node_id: str) -> str:
        node = self.nodes.get(node_id)
        if node is None or node["type"] != "invocation":
            return f"node {node_id!r}"
        template = self.template(node)
        label = node["data"]["label"] or (template.title if template is not None else node["data"]["type"])
        return f"node {label!r} ({node_id})"

    def warn(self, sentence: str) -> None:
        self.warnings.append(sentence[0].upper() + sentence[1:])

    def input_template(self, node: Mapping[str, Any], field_name: str) -> InputTemplate | None:
        dynamic = self.dynamic.get(node["id"])
        if dynamic and field_name in dynamic:
            return dynamic[field_name]
        template = self.template(node)
        return template.inputs.get(field_name) if template is not None else None


def load_workflow(
    definition: WorkflowDefinition,
    schema: Mapping[str, NodeTemplate],
    callees: Mapping[str, WorkflowDefinition | None] | None = None,
) -> LoadedWorkflow:
    """Load a workflow for a server.

    Args:
        definition: The workflow.
        schema: The server's node types.
        callees: Workflows of the server's library by id, for nodes that call them (see
            ``invokeai_py_client.engine.subworkflow.callee_ids()``). Nodes that call other workflows keep the
            inputs they were saved with. None for a workflow that is not in the library adds a warning.

    Raises:
        WorkflowFormatError: The editor would not load the document.
    """
    data = to_current(definition.view(), schema)
    header = read_header(data)
    loading = _Loading(schema)
    _read_nodes(loading, data)
    _refresh_callers(loading, callees or {})
    document_edges, edges = _read_edges(loading, data)
    _update_nodes(loading, edges)
    form = _read_form(loading, data, header)
    nodes = {
        node_id: _node(node, loading.dynamic.get(node_id, {}))
        for node_id, node in loading.nodes.items()
        if node["type"] == "invocation"
    }
    return LoadedWorkflow(
        name=header["name"],
        nodes=nodes,
        edges=edges,
        connectors=frozenset(key for key, node in loading.nodes.items() if node["type"] == "connector"),
        form=shown_fields(form),
        document={**header, "nodes": list(loading.nodes.values()), "edges": document_edges, "form": form},
        warnings=tuple(loading.warnings),
        unusable=loading.unusable,
        id=definition.id,
        description=header["description"],
    )


def _read_nodes(loading: _Loading, data: Mapping[str, Any]) -> None:
    returns = 0
    for index, raw in enumerate(list_of(data, "nodes", "it")):
        node = read_node(raw, index)
        if node["id"] in loading.nodes:
            loading.warn(f"Two nodes have the id {node['id']!r}; the first one is ignored.")
        loading.nodes[node["id"]] = node
        if node["type"] != "invocation":
            continue
        content = node["data"]
        returns += content["type"] == "workflow_return"
        if content["dynamicInputTemplates"]:
            loading.dynamic[node["id"]] = read_dynamic_templates(content["dynamicInputTemplates"], node["id"])
        if content["type"] not in loading.schema:
            loading.warn(
                f"The node type {content['type']!r} is not on the server: {loading.name(node['id'])} cannot run."
            )
        _read_values(loading, node)
    if returns > 1:
        refuse("it", "has more than one workflow_return node")


def _read_values(loading: _Loading, node: Mapping[str, Any]) -> None:
    content = node["data"]
    keeps_extras = content["type"] in EXTRA_INPUTS
    template = loading.template(node)
    known: Mapping[str, InputTemplate] = template.inputs if template is not None else {}
    if node["id"] in loading.dynamic:
        known = {**known, **loading.dynamic[node["id"]]}
    for field_name, entry in content["inputs"].items():
        if "value" not in entry:
            continue
        raw = entry["value"]
        value, destroyed = read(raw, known.get(field_name))
        if keeps_extras and (destroyed or value is UNSET):
            value, destroyed = raw, False
        if destroyed:
            loading.unusable[(node["id"], field_name)] = raw
        if value is UNSET:
            del entry["value"]
        else:
            entry["value"] = value


def _refresh_callers(loading: _Loading, callees: Mapping[str, WorkflowDefinition | None]) -> None:
    for node_id, node in loading.nodes.items():
        if node["type"] != "invocation" or node["data"]["type"] != "call_saved_workflow":
            continue
        workflow_id = node["data"]["inputs"].get("workflow_id", {}).get("value")
        callee = callees.get(workflow_id) if isinstance(workflow_id, str) else None
        if callee is not None:
            known = loading.dynamic.get(node_id, {})
            loading.dynamic[node_id] = dynamic_inputs(node["data"], known, callee, loading.schema)
        elif isinstance(workflow_id, str) and workflow_id in callees:
            loading.warn(
                f"{loading.name(node_id)} calls the workflow {workflow_id!r}, which is not in the server's library."
                " Choose another workflow in the editor, or set its input 'workflow_id'."
            )


def _read_edges(loading: _Loading, data: Mapping[str, Any]) -> tuple[list[dict[str, Any]], tuple[Edge, ...]]:
    candidates = [read_edge(raw, index) for index, raw in enumerate(list_of(data, "edges", "it"))]
    terminals = {
        node_id: Terminal(
            node["type"],
            node["data"]["type"],
            loading.template(node),
            loading.dynamic.get(node_id, {}),
        )
        for node_id, node in loading.nodes.items()
    }
    wiring = Wiring(terminals, [(edge["source"], edge["target"]) for edge in candidates])
    kept: list[dict[str, Any]] = []
    edges: list[Edge] = []
    for candidate in candidates:
        if candidate["type"] == "collapsed":
            reason = wiring.refusal((candidate["source"], candidate["target"]))
        else:
            edge = Edge(
                candidate["source"], candidate["sourceHandle"], candidate["target"], candidate["targetHandle"]
            )
            reason = wiring.refusal(edge)
            if reason is None:
                edges.append(edge)
        if reason is None:
            kept.append(candidate)
        elif candidate["type"] == "default":
            loading.warn(
                f"The connection from {candidate['sourceHandle']!r} of {loading.name(candidate['source'])}"
                f" to {candidate['targetHandle']!r} of {loading.name(candidate['target'])} is ignored:"
                f" {reason}."
            )
    return kept, tuple(edges)


def _update_nodes(loading: _Loading, edges: tuple[Edge, ...]) -> None:
    connected: dict[str, set[str]] = {}
    for edge in edges:
        connected.setdefault(edge.target, set()).add(edge.target_field)
    for node_id, node in loading.nodes.items():
        template = loading.template(node)
        if template is None:
            continue
        content = node["data"]
        if needs_update(content, template):
            if update_inputs(content, template, connected.get(node_id, set())):
                for key in [key for key in loading.unusable if key[0] == node_id]:
                    if key[1] not in content["inputs"]:
                        del loading.unusable[key]
            else:
                loading.warn(
                    f"{loading.name(node_id)} has version {content['version']}, which cannot be updated to the"
                    f" server's version {template.version}; inputs that are not on the server are ignored."
                )
        elif content["type"] not in EXTRA_INPUTS:
            unknown = [
                key
                for key in content["inputs"]
                if key not in template.inputs
                and loading.input_template(node, key) is None
                and not key.startswith("saved_workflow_input::")
            ]
            if unknown:
                loading.warn(
                    f"{loading.name(node_id)} has inputs that are not on the server and are ignored:"
                    f" {', '.join(unknown)}."
                )


def _renamed(loading: _Loading, identifier: Mapping[str, Any]) -> dict[str, Any]:
    """Return the identifier of a field after InvokeAI's own renames (image_collection in 6.14)."""
    node = loading.nodes.get(identifier["nodeId"])
    if (
        node is not None
        and node["type"] == "invocation"
        and node["data"]["type"] == "image_collection"
        and identifier["fieldName"] == "collection"
        and "images" in node["data"]["inputs"]
    ):
        return {"nodeId": identifier["nodeId"], "fieldName": "images"}
    return dict(identifier)


def _read_form(loading: _Loading, data: Mapping[str, Any], header: dict[str, Any]) -> dict[str, Any]:
    form, warnings = read_form(data.get("form"))
    loading.warnings.extend(warnings)
    header["exposedFields"] = [_renamed(loading, item) for item in header["exposedFields"]]
    elements = cast("dict[str, dict[str, Any]]", form["elements"])
    for element in elements.values():
        if element["type"] == "node-field":
            element["data"]["fieldIdentifier"] = _renamed(loading, element["data"]["fieldIdentifier"])
    if header["exposedFields"] and is_empty(form):
        exposed = [(item["nodeId"], item["fieldName"]) for item in header["exposedFields"]]
        templates = {key: _exposed_template(loading, *key) for key in exposed}
        form = form_of([(*key, found.type) for key in exposed if (found := templates[key]) is not None])
        elements = cast("dict[str, dict[str, Any]]", form["elements"])
    for element_id, element in list(elements.items()):
        if element["type"] != "node-field":
            continue
        identifier = element["data"]["fieldIdentifier"]
        node = loading.nodes.get(identifier["nodeId"])
        if (
            node is None
            or node["type"] != "invocation"
            or identifier["fieldName"] not in node["data"]["inputs"]
        ):
            remove_element(form, element_id)
            loading.warn(
                f"The form shows {identifier['fieldName']!r} of {loading.name(identifier['nodeId'])}, which"
                " does not exist; it is removed from the form."
            )
    return form


def _exposed_template(loading: _Loading, node_id: str, field_name: str) -> InputTemplate | None:
    node = loading.nodes.get(node_id)
    if node is None or node["type"] != "invocation" or loading.template(node) is None:
        return None
    return loading.input_template(node, field_name)


def _node(node: Mapping[str, Any], dynamic: Mapping[str, InputTemplate]) -> Node:
    content = node["data"]
    inputs = {
        key: NodeInput(entry["name"], entry["label"], entry["description"], entry.get("value", UNSET))
        for key, entry in content["inputs"].items()
    }
    return Node(
        node["id"],
        content["type"],
        content["label"],
        content["version"],
        content["isIntermediate"],
        content["useCache"],
        inputs,
        dynamic,
    )
