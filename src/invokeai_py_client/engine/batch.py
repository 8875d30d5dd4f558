"""Batch data: the lists of values that batch nodes distribute over runs.

A workflow can contain batch nodes, a graph cannot. Their lists become the request's ``data``: lists in the
same group are zipped, and the groups are combined with each other.
"""

from __future__ import annotations

import random as _random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from invokeai_py_client.editor.generators import FAMILIES, asks_server, generate, settings_of
from invokeai_py_client.editor.js import number
from invokeai_py_client.engine.definition import copy_json
from invokeai_py_client.engine.wiring import CONNECTOR_OUT, EdgeIndex, resolve_source
from invokeai_py_client.engine.workflow import Edge, Key, LoadedWorkflow, Node
from invokeai_py_client.ivk_fields.pending import LocalImage, find_pending, replace_pending
from invokeai_py_client.schema.template import UNSET

BATCH_NODES: Mapping[str, tuple[str, str]] = {
    "image_batch": ("images", "image"),
    "string_batch": ("strings", "value"),
    "integer_batch": ("integers", "value"),
    "float_batch": ("floats", "value"),
}
"""Batch node types, each with the input that holds its list and the output that yields one item of it."""

UNGROUPED = "None"


@dataclass(frozen=True, slots=True)
class ServerGenerator:
    """A generator whose values come from the server.

    Attributes:
        node_id: The generator node.
        kind: ``dynamic_prompts`` (``POST /api/v1/utilities/dynamicprompts``) or ``board_images``
            (``GET /api/v1/boards/{board_id}/image_names``).
        prompt: The text to expand.
        max_prompts: The largest number of prompts.
        combinatorial: Whether to return all combinations in order, rather than random ones.
        seed: The seed of random prompts. None draws different ones each time.
        board_id: The board. If None, there are no images.
        category: ``images`` (category general) or ``assets`` (control, mask, user and other).
    """

    node_id: str
    kind: Literal["dynamic_prompts", "board_images"]
    prompt: str = ""
    max_prompts: int = 0
    combinatorial: bool = True
    seed: int | None = None
    board_id: str | None = None
    category: Literal["images", "assets"] = "images"


@dataclass(frozen=True, slots=True)
class BatchTarget:
    """One list of a batch and the input that it feeds.

    Attributes:
        batch_id: The id of the batch node.
        node_id: The id of the node that the list feeds.
        field: The name of the field that the list feeds.
        items: The values.
    """

    batch_id: str
    node_id: str
    field: str
    items: Sequence[Any]


def value_of(node: Node, field_name: str, values: Mapping[Key, Any]) -> Any:
    """Return the current value of a field: from ``values``, else from the workflow, else ``UNSET``."""
    key = (node.id, field_name)
    if key in values:
        return values[key]
    entry = node.inputs.get(field_name)
    return UNSET if entry is None else entry.value


def batch_nodes(loaded: LoadedWorkflow) -> list[Node]:
    """Return the batch nodes of a workflow, in file order."""
    return [node for node in loaded.nodes.values() if node.type in BATCH_NODES]


def generator_of(loaded: LoadedWorkflow, edges: EdgeIndex, batch: Node) -> Node | None:
    """Return the generator node that feeds a batch node, directly or through connectors, or None."""
    incoming = edges.into(batch.id, BATCH_NODES[batch.type][0])
    if not incoming:
        return None
    source = resolve_source(incoming[0].source, incoming[0].source_field, loaded.connectors, edges)
    node = loaded.nodes.get(source[0]) if source is not None else None
    return node if node is not None and node.type in FAMILIES else None


def server_generators(loaded: LoadedWorkflow, values: Mapping[Key, Any]) -> list[ServerGenerator]:
    """Return the generators whose values must be requested from the server before a request can be built."""
    edges = EdgeIndex(loaded.edges)
    found: dict[str, ServerGenerator] = {}
    for batch in batch_nodes(loaded):
        node = generator_of(loaded, edges, batch)
        settings = settings_of(node.type, value_of(node, "generator", values)) if node is not None else None
        if node is None or settings is None:
            continue
        kind = asks_server(settings)
        if kind == "board_images":
            found[node.id] = ServerGenerator(
                node.id, kind, board_id=settings.get("board_id"), category=settings["category"]
            )
        elif kind == "dynamic_prompts":
            combinatorial = "maxPrompts" in settings
            found[node.id] = ServerGenerator(
                node.id,
                kind,
                prompt=settings["input"],
                max_prompts=int(settings["maxPrompts" if combinatorial else "count"]),
                combinatorial=combinatorial,
                seed=settings.get("seed"),
            )
    return list(found.values())


def batch_items(
    loaded: LoadedWorkflow,
    edges: EdgeIndex,
    batch: Node,
    values: Mapping[Key, Any],
    generated: Mapping[str, Sequence[Any]],
    draw: Callable[[], float] = _random.random,
) -> list[Any]:
    """Return the values of a batch node: those of the generator that feeds it, or its own list."""
    node = generator_of(loaded, edges, batch)
    if node is not None:
        if node.id in generated:
            return copy_json(list(generated[node.id]))
        settings = settings_of(node.type, value_of(node, "generator", values))
        if settings is None or asks_server(settings) is not None:
            return []
        return generate(settings, draw)
    own = value_of(batch, BATCH_NODES[batch.type][0], values)
    if not isinstance(own, (list, tuple)):
        return []
    return [_item(item) for item in cast("Sequence[Any]", own)]


def _item(item: Any) -> Any:
    # The server distinguishes 2 from 2.0 in a list of items, and JavaScript cannot write the latter.
    kind = item.__class__
    if kind is int or kind is float:
        plain = number(item)
        return item if plain is None else plain
    return copy_json(item)


def _targets(loaded: LoadedWorkflow, edges: EdgeIndex, batch: Node) -> Iterator[Edge]:
    """Yield the edges that lead from a batch node to inputs, in order, directly or through connectors."""
    output = BATCH_NODES[batch.type][1]
    visited: set[str] = set()
    stack = [edge for edge in reversed(edges.out_of(batch.id)) if edge.source_field == output]
    while stack:
        edge = stack.pop()
        if edge.target not in loaded.connectors:
            yield edge
        elif edge.target not in visited:
            # The editor sends the id of the connector itself here, which the server rejects.
            visited.add(edge.target)
            stack.extend(e for e in reversed(edges.out_of(edge.target)) if e.source_field == CONNECTOR_OUT)


def batch_groups(
    loaded: LoadedWorkflow,
    values: Mapping[Key, Any],
    generated: Mapping[str, Sequence[Any]],
    draw: Callable[[], float] = _random.random,
) -> list[tuple[str, list[BatchTarget]]]:
    """Return the targets of the batch nodes by group, in the order of the request.

    A node outside any group forms a separate group. Groups without targets are included.
    """
    batches = batch_nodes(loaded)
    if not batches:
        return []
    edges = EdgeIndex(loaded.edges)
    grouped: dict[str, list[Node]] = {}
    for batch in batches:
        grouped.setdefault(_group_of(batch, values), []).append(batch)
    groups: list[tuple[str, list[BatchTarget]]] = []
    for name in _in_order(grouped):
        together: list[BatchTarget] = []
        for batch in grouped[name]:
            targets = list(_targets(loaded, edges, batch))
            items = batch_items(loaded, edges, batch, values, generated, draw) if targets else []
            fed = [BatchTarget(batch.id, edge.target, edge.target_field, items) for edge in targets]
            if name == UNGROUPED:
                groups.append((name, fed))
            else:
                together.extend(fed)
        if name != UNGROUPED:
            groups.append((name, together))
    return groups


def _group_of(batch: Node, values: Mapping[Key, Any]) -> str:
    """Return the name of a batch node's group. As in the editor, nodes without a group name form one group."""
    group = value_of(batch, "batch_group_id", values)
    if group is UNSET:
        return "undefined"
    if isinstance(group, (int, float)) and not isinstance(group, bool):
        return str(number(group))
    return group if isinstance(group, str) else str(group).lower()


def _in_order(grouped: Mapping[str, Any]) -> list[str]:
    # In order of appearance, except that JavaScript puts keys that are array indices first.
    def is_index(name: str) -> bool:
        return (
            name.isascii() and name.isdigit() and str(int(name[:11])) == name and int(name[:11]) < 2**32 - 1
        )

    return sorted(filter(is_index, grouped), key=int) + [name for name in grouped if not is_index(name)]


def build_data(
    loaded: LoadedWorkflow,
    values: Mapping[Key, Any],
    generated: Mapping[str, Sequence[Any]],
    draw: Callable[[], float] = _random.random,
) -> list[list[dict[str, Any]]]:
    """Return the ``data`` of the request."""
    return [
        [{"node_path": t.node_id, "field_name": t.field, "items": copy_json(list(t.items))} for t in targets]
        for _, targets in batch_groups(loaded, values, generated, draw)
        if targets
    ]


def local_images(data: Sequence[Any]) -> list[LocalImage]:
    """Return the images of a batch that have not been uploaded yet, each once."""
    return [one for one in find_pending(data) if isinstance(one, LocalImage)]


def uploaded(data: Sequence[Any], names: Mapping[LocalImage, str]) -> list[Any]:
    """Return the data with local images replaced by their names on the server."""
    return replace_pending(data, {image: {"image_name": name} for image, name in names.items()})


def named_images(data: Sequence[Sequence[Mapping[str, Any]]]) -> list[str]:
    """Return the names of the server's images that a batch uses, each once."""
    values = [value for group in data for datum in group for value in datum["items"]]
    return list(dict.fromkeys(value["image_name"] for value in values if _is_image(value)))


def _is_image(value: Any) -> bool:
    return isinstance(value, Mapping) and "image_name" in value
