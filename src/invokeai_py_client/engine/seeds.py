"""Seeds: the fields that hold them, and the random nodes that feed those fields.

In most of InvokeAI's own workflows, a node (Random Integer) draws a new seed for each run and feeds it to the seed
field of another node. Such a random node counts as an input: if a seed is set, the request is built without the edges
of the random node, and the fields that it feeds get the value.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from invokeai_py_client.engine.wiring import EdgeIndex, resolve_source
from invokeai_py_client.engine.workflow import Edge, Key, LoadedWorkflow
from invokeai_py_client.schema.template import UNSET, FieldType, InputTemplate, Limits, NodeTemplate

SEED = "seed"
ALL_SEEDS: Key = ("", SEED)
"""The key of the input that sets all seeds of a workflow with several of them."""

LARGEST_SEED = 2**32 - 1
RANDOM = "random"
"""The value that draws a seed."""

# Nodes that pass a seed on, possibly after calculating with it.
_PASSING = frozenset(
    {"integer", "integer_math", "add", "sub", "mul", "div", "round_float", "float_to_int", "if"}
    | {"range", "range_of_size", "iterate", "collect", "integer_collection"}
)


@dataclass(frozen=True, slots=True)
class SeedNames:
    """The names of a workflow's seeds.

    Attributes:
        main: The inputs whose value is the seed of a run.
        drawn: The inputs whose value random nodes draw on the server, by node id and output.
    """

    main: tuple[str, ...] = ()
    drawn: Mapping[Key, str] = field(default_factory=dict[Key, str])

    def to_dict(self) -> dict[str, Any]:
        """Return the names as JSON data."""
        return {"main": list(self.main), "drawn": [[*key, name] for key, name in self.drawn.items()]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> SeedNames:
        """Return the names that ``to_dict()`` serialized."""
        return cls(tuple(data["main"]), {(node_id, output): name for node_id, output, name in data["drawn"]})

    def seed(self, inputs: Mapping[str, Any]) -> int | None:
        """Return the seed among the values of a run, or None if it is unknown or there are several."""
        values = {inputs[name] for name in self.main if inputs.get(name) is not None}
        return values.pop() if len(values) == 1 else None


def draw_seed() -> int:
    """Return a random seed."""
    return random.SystemRandom().randrange(LARGEST_SEED + 1)


def is_random(value: Any) -> bool:
    """Return whether a value for a seed asks for a random seed."""
    return isinstance(value, str) and value.strip().casefold() == RANDOM


def is_seed_field(name: str, template: InputTemplate | None) -> bool:
    """Return whether a field of a node holds a seed."""
    return name == SEED and template is not None and template.type == FieldType("IntegerField")


def random_seeds(
    loaded: LoadedWorkflow, schema: Mapping[str, NodeTemplate], feeds: Mapping[Key, Key]
) -> dict[Key, tuple[Key, ...]]:
    """Return the outputs of random nodes that become seeds, each with the fields that it feeds.

    Args:
        loaded: The workflow.
        schema: The server's node types.
        feeds: The output that feeds each connected input, with connectors resolved.
    """
    nodes = [node for node in loaded.nodes.values() if "rand" in node.type]
    if not nodes:
        return {}
    targets: dict[str, dict[str, list[Key]]] = {}
    for target, (node_id, output) in feeds.items():
        targets.setdefault(node_id, {}).setdefault(output, []).append(target)
    found: dict[Key, tuple[Key, ...]] = {}
    for node in nodes:
        template = schema.get(node.type)
        for output, fed in targets.get(node.id, {}).items():
            known = template.outputs.get(output) if template is not None else None
            is_integer = known is None or known.type == FieldType("IntegerField")
            if is_integer and _reaches_seed(loaded, targets, fed):
                found[node.id, output] = tuple(fed)
    return found


def _reaches_seed(
    loaded: LoadedWorkflow, targets: Mapping[str, Mapping[str, Sequence[Key]]], fed: Sequence[Key]
) -> bool:
    """Return whether one of the fields holds a seed, or belongs to a node that passes it on to a seed."""
    visited: set[str] = set()
    stack = list(fed)
    while stack:
        node_id, name = stack.pop()
        if name == SEED or name.endswith(f"::{SEED}"):  # a field of a called workflow is named after its node
            return True
        if node_id not in visited and loaded.nodes[node_id].type in _PASSING:
            visited.add(node_id)
            stack.extend(key for keys in targets.get(node_id, {}).values() for key in keys)
    return False


def seed_template(name: str, fed: Sequence[InputTemplate | None]) -> InputTemplate:
    """Return the template of a seed that several fields get: a whole number that is valid for all of them."""
    schemas = [template.json_schema for template in fed if template is not None and template.json_schema]
    whole: dict[str, Any] = {"type": "integer", "minimum": 0, "maximum": LARGEST_SEED}
    return InputTemplate(
        name=name,
        title="Seed",
        type=FieldType("IntegerField"),
        input="any",
        required=False,
        limits=Limits(minimum=0, maximum=LARGEST_SEED),
        json_schema={**whole, "allOf": schemas} if schemas else whole,
    )


def detach(
    loaded: LoadedWorkflow, seeds: Mapping[Key, tuple[Key, ...]], values: Mapping[Key, Any]
) -> tuple[LoadedWorkflow, dict[Key, Any]]:
    """Return the workflow and the values of a request, with random nodes replaced by the seeds that were set.

    Args:
        loaded: The workflow. It is not modified.
        seeds: The outputs that become seeds, each with the fields that it feeds.
        values: The values that were set. Seeds have the keys of ``seeds``.
    """
    kept = {key: value for key, value in values.items() if key not in seeds}
    chosen = {key: value for key, value in values.items() if key in seeds and value is not UNSET}
    if not chosen:
        return loaded, kept
    cut = {target for key in chosen for target in seeds[key]}
    for key, value in chosen.items():
        kept.update(dict.fromkeys(seeds[key], value))
    index = EdgeIndex(loaded.edges)
    removed = {
        edge
        for edge in loaded.edges
        if (edge.target, edge.target_field) in cut
        and resolve_source(edge.source, edge.source_field, loaded.connectors, index) in chosen
    }
    left = [edge for edge in loaded.edges if edge not in removed]
    feeding = {edge.source for edge in left}
    gone = {node_id for node_id, _ in chosen if node_id not in feeding or not _is_used(node_id, loaded, left)}
    detached = replace(
        loaded,
        nodes={node_id: node for node_id, node in loaded.nodes.items() if node_id not in gone},
        edges=tuple(left),
        document=None if loaded.document is None else _document(loaded.document, removed),
    )
    return detached, kept


def _is_used(node_id: str, loaded: LoadedWorkflow, edges: Sequence[Edge]) -> bool:
    """Return whether any node still gets a value from a node, directly or through connectors."""
    index = EdgeIndex(edges)
    sources = (
        resolve_source(edge.source, edge.source_field, loaded.connectors, index)
        for edge in edges
        if edge.target in loaded.nodes
    )
    return any(source is not None and source[0] == node_id for source in sources)


def _document(document: Mapping[str, Any], removed: set[Edge]) -> dict[str, Any]:
    """Return the document without some of its edges, and without the lines that represent them for collapsed nodes."""
    pairs = {(edge.source, edge.target) for edge in removed}

    def is_removed(edge: Mapping[str, Any]) -> bool:
        if edge["type"] != "default":
            return (edge["source"], edge["target"]) in pairs
        return Edge(edge["source"], edge["sourceHandle"], edge["target"], edge["targetHandle"]) in removed

    edges = cast("list[dict[str, Any]]", document["edges"])
    return {**document, "edges": [edge for edge in edges if not is_removed(edge)]}
