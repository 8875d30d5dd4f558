"""The iteration that each output came from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast


def iteration_paths(session: Mapping[str, Any], order: Mapping[str, int]) -> Mapping[str, tuple[int, ...]]:
    """Return the indexes of the iterations around each prepared node, outermost first.

    InvokeAI 6.14 reports them. For older servers they are derived from the executed graph, which contains each node
    once per pass, and the index of the pass in its ``iterate`` node.

    Args:
        session: A queue item's session.
        order: The position of each node in the workflow.
    """
    reported = session.get("prepared_iteration_paths")
    if reported is not None:
        return {
            node_id: tuple(path or ()) for node_id, path in cast("dict[str, list[int]]", reported).items()
        }
    graph = cast("dict[str, Any]", session.get("execution_graph") or {})
    sources = cast("dict[str, str]", session.get("prepared_source_mapping") or {})
    nodes = cast("dict[str, dict[str, Any]]", graph.get("nodes") or {})
    turns = {node_id: int(node["index"]) for node_id, node in nodes.items() if node.get("type") == "iterate"}
    if not turns:
        return {}
    above = _iterations_above(graph, turns)
    paths: dict[str, tuple[int, ...]] = {}
    for node_id in nodes:
        # A node that collects the passes of an iteration is outside of that iteration.
        once: dict[str, list[str]] = {}
        for iteration in above[node_id]:
            once.setdefault(sources.get(iteration, iteration), []).append(iteration)
        around = [(source, several[0]) for source, several in once.items() if len(several) == 1]
        around.sort(key=lambda pair: (len(above[pair[1]]), order.get(pair[0], len(order))))
        paths[node_id] = tuple(turns[iteration] for _, iteration in around)
    return paths


def _iterations_above(graph: Mapping[str, Any], turns: Mapping[str, int]) -> dict[str, frozenset[str]]:
    """Return the iterations that each node depends on, including the node itself if it is an iteration."""
    parents: dict[str, set[str]] = {node_id: set() for node_id in graph["nodes"]}
    for edge in graph.get("edges") or ():
        parents[edge["destination"]["node_id"]].add(edge["source"]["node_id"])
    above: dict[str, frozenset[str]] = {}
    for start in parents:
        waiting = [start]
        while waiting:  # not recursive, because chains can be long
            node_id = waiting[-1]
            missing = [parent for parent in parents[node_id] if parent not in above]
            if missing:
                waiting += missing
                continue
            own = [node_id] if node_id in turns else []
            above[node_id] = frozenset(own).union(*(above[parent] for parent in parents[node_id]))
            waiting.pop()
    return above
