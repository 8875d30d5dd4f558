"""The graph that the server runs: a workflow without labels, notes, connectors and batch nodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from invokeai_py_client.editor.generators import FAMILIES
from invokeai_py_client.editor.literals import EXTRA_INPUTS
from invokeai_py_client.engine.batch import BATCH_NODES
from invokeai_py_client.engine.definition import copy_json
from invokeai_py_client.engine.subworkflow import CALL, PREFIX
from invokeai_py_client.engine.wiring import EdgeIndex, resolve_source
from invokeai_py_client.engine.workflow import Edge, Key, LoadedWorkflow, Node
from invokeai_py_client.schema.template import UNSET, NodeTemplate

NOT_EXECUTABLE = frozenset({*BATCH_NODES, *FAMILIES})
"""Node types that the server never runs. Their values become batch data."""


def resolved_edges(loaded: LoadedWorkflow) -> list[Edge]:
    """Return the connections between the nodes that run, with connectors replaced by the outputs that feed them."""
    index = EdgeIndex(loaded.edges) if loaded.connectors else None
    found: dict[Edge, None] = {}
    for edge in loaded.edges:
        target = loaded.nodes.get(edge.target)
        if target is None or target.type in NOT_EXECUTABLE:
            continue
        if index is not None and edge.source in loaded.connectors:
            source = resolve_source(edge.source, edge.source_field, loaded.connectors, index)
            if source is None:
                continue
            edge = Edge(source[0], source[1], edge.target, edge.target_field)
        start = loaded.nodes.get(edge.source)
        if start is not None and start.type not in NOT_EXECUTABLE:
            found[edge] = None
    return list(found)


def board_value(value: Any, auto_board: str | None) -> Any:
    """Return the value that a board field sends. "auto" and "none" exist only in the editor."""
    if value is UNSET or value is None or value == "auto":
        return UNSET if auto_board in (None, "none") else {"board_id": auto_board}
    return UNSET if value == "none" else value


def build_graph(
    loaded: LoadedWorkflow,
    schema: Mapping[str, NodeTemplate],
    values: Mapping[Key, Any],
    *,
    auto_board: str | None = None,
    graph_id: str,
) -> dict[str, Any]:
    """Return the graph of a request.

    Args:
        loaded: The workflow.
        schema: The server's node types. Nodes of other types are omitted.
        values: Values that replace those of the workflow, as the server expects them. ``UNSET`` removes a value.
        auto_board: The id of the board for fields set to "auto". Defaults to None, for no board.
        graph_id: The graph's id.
    """
    edges = resolved_edges(loaded)
    connected = {(edge.target, edge.target_field) for edge in edges}
    changed: dict[str, list[str]] = {}
    for node_id, field_name in values:
        changed.setdefault(node_id, []).append(field_name)
    nodes: dict[str, Any] = {}
    for node in loaded.nodes.values():
        template = schema.get(node.type)
        if template is not None and node.type not in NOT_EXECUTABLE:
            nodes[node.id] = _graph_node(
                node, template, values, changed.get(node.id, ()), connected, auto_board
            )
    return {
        "id": graph_id,
        "nodes": nodes,
        "edges": [
            {
                "source": {"node_id": edge.source, "field": edge.source_field},
                "destination": {"node_id": edge.target, "field": edge.target_field},
            }
            for edge in edges
        ],
    }


def _graph_node(
    node: Node,
    template: NodeTemplate,
    values: Mapping[Key, Any],
    changed: list[str] | tuple[()],
    connected: set[Key],
    auto_board: str | None,
) -> dict[str, Any]:
    graph_node: dict[str, Any] = {"type": node.type, "id": node.id}
    dynamic: dict[str, Any] | None = {} if node.type == CALL else None
    names = list(node.inputs)
    names.extend(name for name in changed if name not in node.inputs)
    for name in names:
        key = (node.id, name)
        if key in connected or (dynamic is not None and name == "workflow_inputs"):
            continue
        entry = node.inputs.get(name)
        value = values[key] if changed and key in values else entry.value if entry is not None else UNSET
        if dynamic is not None and name.startswith(PREFIX):
            if value is not UNSET:
                dynamic[name] = copy_json(value)
            continue
        field = template.inputs.get(name)
        if field is None:
            if node.type not in EXTRA_INPUTS:
                continue
        elif field.type.name == "BoardField":
            value = board_value(value, auto_board)
        if value is UNSET:
            continue
        graph_node[name] = copy_json(value) if type(value) in (dict, list) else value
    if dynamic is not None:
        graph_node["workflow_inputs"] = dynamic
    graph_node["use_cache"] = node.use_cache
    graph_node["is_intermediate"] = node.is_intermediate
    return graph_node
