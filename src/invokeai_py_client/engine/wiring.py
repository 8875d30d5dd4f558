"""Selection of the edges that the editor keeps: each edge is checked against those accepted before it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from invokeai_py_client.engine.workflow import Edge
from invokeai_py_client.schema.connect import can_connect
from invokeai_py_client.schema.template import FieldType, InputTemplate, NodeTemplate

CONNECTOR_IN = "in"
CONNECTOR_OUT = "out"
_IF_INPUTS = ("true_input", "false_input")


@dataclass(frozen=True, slots=True)
class Terminal:
    """A node as an end of edges. An invocation has a template, a connector has none.

    Attributes:
        kind: ``invocation``, ``connector`` or ``notes``.
        type: The invocation type.
        template: The template of the invocation type.
        dynamic: The node's inputs beyond those of its type.
    """

    kind: str
    type: str = ""
    template: NodeTemplate | None = None
    dynamic: Mapping[str, InputTemplate] = field(default_factory=dict[str, InputTemplate])

    def input(self, name: str) -> InputTemplate | None:
        """Return the template of an input by name."""
        found = self.dynamic.get(name)
        return found if found is not None or self.template is None else self.template.inputs.get(name)


class _Source(NamedTuple):
    """An output that produces a value, with connectors resolved."""

    node_id: str
    field: str
    type: FieldType


class EdgeIndex:
    """An index of edges by either end, in the order in which they were added."""

    def __init__(self, edges: Iterable[Edge] = ()) -> None:
        self._into: dict[tuple[str, str], list[Edge]] = {}
        self._out_of: dict[str, list[Edge]] = {}
        self._all: list[Edge] = []
        for edge in edges:
            self.add(edge)

    def add(self, edge: Edge) -> None:
        """Add an edge."""
        self._all.append(edge)
        self._into.setdefault((edge.target, edge.target_field), []).append(edge)
        self._out_of.setdefault(edge.source, []).append(edge)

    def into(self, node_id: str, field_name: str) -> Sequence[Edge]:
        """Return the edges that end at an input."""
        return self._into.get((node_id, field_name), ())

    def out_of(self, node_id: str) -> Sequence[Edge]:
        """Return the edges that start at a node."""
        return self._out_of.get(node_id, ())

    def without(self, edges: set[Edge]) -> EdgeIndex:
        """Return an index without some of the edges."""
        return EdgeIndex(edge for edge in self._all if edge not in edges)


def resolve_source(
    node_id: str, field_name: str, connectors: Mapping[str, object] | frozenset[str], edges: EdgeIndex
) -> tuple[str, str] | None:
    """Return the output behind an output, with connectors resolved, or None if they lead nowhere."""
    visited: set[str] = set()
    while node_id in connectors:
        if node_id in visited:
            return None
        visited.add(node_id)
        incoming = edges.into(node_id, CONNECTOR_IN)
        if not incoming:
            return None
        node_id, field_name = incoming[0].source, incoming[0].source_field
    return node_id, field_name


class Wiring:
    """Checks edges one after the other, and collects those that it accepts."""

    def __init__(self, nodes: Mapping[str, Terminal], candidates: Sequence[tuple[str, str]]) -> None:
        self._nodes = nodes
        self._connectors = frozenset(key for key, node in nodes.items() if node.kind == "connector")
        self._edges = EdgeIndex()
        self._arrows: dict[str, list[str]] = {}
        self._cyclic = False
        # Checking each edge costs as much as checking the whole graph. No part of an acyclic graph has a cycle.
        self._may_be_cyclic = _has_cycle(candidates)

    def refusal(self, edge: Edge | tuple[str, str]) -> str | None:
        """Accept an edge and return None, or return the reason why it cannot be kept."""
        source, target = (edge.source, edge.target) if isinstance(edge, Edge) else edge
        reason = self._dangling(source, target, edge if isinstance(edge, Edge) else None)
        if reason is None and isinstance(edge, Edge):
            reason = self._judge(edge, self._edges)
        if reason is None:
            if isinstance(edge, Edge):
                self._edges.add(edge)
            if self._may_be_cyclic:
                self._cyclic = self._cyclic or source == target or self._reaches(target, source)
            self._arrows.setdefault(source, []).append(target)
        return reason

    def _dangling(self, source: str, target: str, edge: Edge | None) -> str | None:
        start, end = self._nodes.get(source), self._nodes.get(target)
        for node, node_id, which in ((start, source, "source"), (end, target, "target")):
            if node is None:
                return f"its {which} node {node_id!r} does not exist"
            if node.template is None and node.kind == "invocation":
                return f"its {which} node has the unknown type {node.type!r}"
        if edge is None or start is None or end is None:
            return None
        if start.template is not None and edge.source_field not in start.template.outputs:
            return f"its source has no output {edge.source_field!r}"
        if end.kind == "invocation" and end.input(edge.target_field) is None:
            return f"its target has no input {edge.target_field!r}"
        return None

    def _judge(self, edge: Edge, edges: EdgeIndex) -> str | None:
        if edge.source == edge.target:
            return "it connects a node to itself"
        others = edges.into(edge.target, edge.target_field)
        if edge in others:
            return "it is a duplicate"
        source = self._effective(edge.source, edge.source_field, edges)
        if isinstance(source, str):
            return source
        target = self._nodes[edge.target]
        if target.kind == "connector":
            return self._judge_connector(edge, source, edges)
        template = target.input(edge.target_field) if target.kind == "invocation" else None
        if template is None:
            return f"its target has no input {edge.target_field!r}"
        if template.input == "direct":
            return "its target accepts a value, but not a connection"
        if source is None:
            # It starts at a connector without an input: allowed, but without effect.
            return self._judge_undriven(edge, template, edges)
        if target.type == "collect":
            reason = self._judge_collect(edge, source, edges)
        else:
            reason = self._judge_if_input(edge, source, edges) if target.type == "if" else None
        if reason is not None:
            return reason
        if others and template.type.name != "CollectionItemField":
            return "its target is already connected"
        for kind in self._possible_types(source, edges):
            if not can_connect(kind, template.type):
                return f"its source produces {kind}, but its target accepts {template.type}"
        if self._closes_cycle(edge):
            return "it would close a cycle"
        return None

    def _effective(self, node_id: str, field_name: str, edges: EdgeIndex) -> _Source | str | None:
        """Return the resolved source, None if a connector leads nowhere, or the reason why it is not a source."""
        node = self._nodes[node_id]
        if node.kind == "connector":
            if field_name != CONNECTOR_OUT:
                return f"its source has no output {field_name!r}"
            resolved = resolve_source(node_id, field_name, self._connectors, edges)
            if resolved is None:
                return None
            node_id, field_name = resolved
            node = self._nodes[node_id]
        output = node.template.outputs.get(field_name) if node.template is not None else None
        if output is None:
            return f"its source has no output {field_name!r}"
        return _Source(node_id, field_name, output.type)

    def _judge_connector(self, edge: Edge, source: _Source | None, edges: EdgeIndex) -> str | None:
        if edge.target_field != CONNECTOR_IN:
            return f"its target has no input {edge.target_field!r}"
        if edges.into(edge.target, CONNECTOR_IN):
            return "its target is already connected"
        if source is None:
            return None
        inner, ends = self._downstream(edge.target, edges)
        staged = edges.without(inner)
        for end in ends:
            reason = self._judge(Edge(edge.source, edge.source_field, end.target, end.target_field), staged)
            if reason is not None:
                return reason
        return None

    def _judge_undriven(self, edge: Edge, template: InputTemplate, edges: EdgeIndex) -> str | None:
        for end in self._downstream(edge.source, edges)[1]:
            if (end.target, end.target_field) == (edge.target, edge.target_field):
                continue
            other = self._nodes[end.target].input(end.target_field)
            if other is None or not _alike(other.type, template.type):
                return "it shares a connector with inputs of other types"
        return None

    def _downstream(self, connector_id: str, edges: EdgeIndex) -> tuple[set[Edge], list[Edge]]:
        """Return all edges that a connector leads to, and those of them that end at a node's input."""
        inner: set[Edge] = set()
        ends: list[Edge] = []
        visited: set[str] = set()
        stack = [connector_id]
        while stack:
            current = stack.pop()
            if current in visited:
                continue
            visited.add(current)
            for edge in edges.out_of(current):
                if edge.source_field != CONNECTOR_OUT:
                    continue
                inner.add(edge)
                if edge.target in self._connectors:
                    stack.append(edge.target)
                else:
                    ends.append(edge)
        return inner, ends

    def _judge_collect(self, edge: Edge, source: _Source, edges: EdgeIndex) -> str | None:
        if edge.target_field == "item":
            item = self._collected(edge.target, edges)
            if item is not None and not _same(source.type, item):
                return f"its target collects {item}, not {source.type}"
        elif (
            edge.target_field == "collection"
            and self._nodes[source.node_id].type == "collect"
            and source.field == "collection"
        ):
            given, item = self._collected(source.node_id, edges), self._collected(edge.target, edges)
            if given is not None and item is not None and not _same(given, item):
                return f"its target collects {item}, not {given}"
        return None

    def _collected(self, node_id: str, edges: EdgeIndex) -> FieldType | None:
        """Return the type of the items that a collect node collects, or None if it is unknown."""
        visited: set[str] = set()
        while node_id not in visited:
            visited.add(node_id)
            into = edges.into(node_id, "item") or edges.into(node_id, "collection")
            if not into:
                return None
            first = into[0]
            origin = self._nodes[first.source]
            if (
                first.target_field == "collection"
                and origin.type == "collect"
                and first.source_field == "collection"
            ):
                node_id = first.source
                continue
            output = origin.template.outputs.get(first.source_field) if origin.template is not None else None
            if output is None or output.type.name == "CollectionField":
                return None
            return replace(output.type, cardinality="SINGLE")
        return None

    def _judge_if_input(self, edge: Edge, source: _Source, edges: EdgeIndex) -> str | None:
        if edge.target_field not in _IF_INPUTS:
            return None
        sibling = _IF_INPUTS[1 - _IF_INPUTS.index(edge.target_field)]
        siblings = edges.into(edge.target, sibling)
        if not siblings:
            return None
        other = self._effective(siblings[0].source, siblings[0].source_field, edges)
        if isinstance(other, str):
            return other
        if other is None or not _alike(source.type, other.type):
            return "the two branches of its target would have different types"
        return None

    def _possible_types(self, source: _Source, edges: EdgeIndex) -> list[FieldType]:
        if self._nodes[source.node_id].type != "if" or source.field != "value":
            return [source.type]
        types: list[FieldType] = []
        for name in _IF_INPUTS:
            for edge in edges.into(source.node_id, name):
                branch = self._effective(edge.source, edge.source_field, edges)
                if isinstance(branch, _Source):
                    types.append(branch.type)
        return types or [source.type]

    def _closes_cycle(self, edge: Edge) -> bool:
        if not self._may_be_cyclic:
            return False
        # Connectors may form a cycle. The editor then rejects every later connection.
        return self._cyclic or edge.source == edge.target or self._reaches(edge.target, edge.source)

    def _reaches(self, start: str, goal: str) -> bool:
        stack, visited = [start], {start}
        while stack:
            node_id = stack.pop()
            if node_id == goal:
                return True
            for follower in self._arrows.get(node_id, ()):
                if follower not in visited:
                    visited.add(follower)
                    stack.append(follower)
        return False


def _same(first: FieldType, second: FieldType) -> bool:
    originals = (first.original, second.original)
    return (
        first == second
        or first == originals[1]
        or second == originals[0]
        or (originals[0] is not None and originals[0] == originals[1])
    )


def _alike(first: FieldType, second: FieldType) -> bool:
    pair = {first.cardinality, second.cardinality} == {"SINGLE", "COLLECTION"}
    return (
        can_connect(first, second)
        or can_connect(second, first)
        or (pair and first.name == second.name and first.batch == second.batch)
    )


def _has_cycle(arrows: Sequence[tuple[str, str]]) -> bool:
    followers: dict[str, list[str]] = {}
    incoming: dict[str, int] = {}
    for source, target in arrows:
        followers.setdefault(source, []).append(target)
        incoming[target] = incoming.get(target, 0) + 1
        incoming.setdefault(source, 0)
    ready = [node_id for node_id, count in incoming.items() if not count]
    done = 0
    while ready:
        node_id = ready.pop()
        done += 1
        for follower in followers.get(node_id, ()):
            incoming[follower] -= 1
            if not incoming[follower]:
                ready.append(follower)
    return done != len(incoming)
