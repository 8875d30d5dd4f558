"""Which turn of the surrounding iterations each output came from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast


def iteration_paths(session: Mapping[str, Any], order: Mapping[str, int]) -> Mapping[str, tuple[int, ...]]:
    """The turns of the iterations around each prepared node, outermost first.

    InvokeAI 6.14 tells them. Before that they are found in the graph as it was executed, in which a node stands once
    for each turn, with the turn's number in the node ``iterate``.

    Args:
        session: A queue item's session.
        order: The place of each node in the workflow.
    """
    told = session.get("prepared_iteration_paths")
    if told is not None:
        return {node_id: tuple(path or ()) for node_id, path in cast("dict[str, list[int]]", told).items()}
    graph = cast("dict[str, Any]", session.get("execution_graph") or {})
    sources = cast("dict[str, str]", session.get("prepared_source_mapping") or {})
    nodes = cast("dict[str, dict[str, Any]]", graph.get("nodes") or {})
    turns = {node_id: int(node["index"]) for node_id, node in nodes.items() if node.get("type") == "iterate"}
    if not turns:
        return {}
    above = _iterations_above(graph, turns)
    paths: dict[str, tuple[int, ...]] = {}
    for node_id in nodes:
        # What collects the turns of an iteration stands in none of them.
        once: dict[str, list[str]] = {}
        for iteration in above[node_id]:
            once.setdefault(sources.get(iteration, iteration), []).append(iteration)
        around = [(source, several[0]) for source, several in once.items() if len(several) == 1]
        around.sort(key=lambda pair: (len(above[pair[1]]), order.get(pair[0], len(order))))
        paths[node_id] = tuple(turns[iteration] for _, iteration in around)
    return paths


def _iterations_above(graph: Mapping[str, Any], turns: Mapping[str, int]) -> dict[str, frozenset[str]]:
    """The iterations that each node depends on, itself among them if it is one."""
    parents: dict[str, set[str]] = {node_id: set() for node_id in graph["nodes"]}
    for edge in graph.get("edges") or ():
        parents[edge["destination"]["node_id"]].add(edge["source"]["node_id"])
    above: dict[str, frozenset[str]] = {}
    for start in parents:
        waiting = [start]
        while waiting:  # no recursion: chains can be long
            node_id = waiting[-1]
            missing = [parent for parent in parents[node_id] if parent not in above]
            if missing:
                waiting += missing
                continue
            own = [node_id] if node_id in turns else []
            above[node_id] = frozenset(own).union(*(above[parent] for parent in parents[node_id]))
            waiting.pop()
    return above
