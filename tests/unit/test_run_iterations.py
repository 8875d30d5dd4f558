"""Iterations of servers before 6.14, derived from the executed graph."""

from __future__ import annotations

from typing import Any

from invokeai_py_client.run.iterations import iteration_paths
from invokeai_py_client.run.results import results_of_item


def edge(source: str, destination: str) -> dict[str, Any]:
    return {
        "source": {"node_id": source, "field": "x"},
        "destination": {"node_id": destination, "field": "y"},
    }


def session() -> dict[str, Any]:
    """Return two outer iterations with two inner iterations each: ``pair`` runs in each, ``all`` collects them."""
    nodes: dict[str, Any] = {"p-list": {"type": "range"}, "p-all": {"type": "collect"}}
    edges: list[dict[str, Any]] = []
    sources = {"p-list": "list", "p-all": "all"}
    for outer in (1, 0):
        nodes[f"p-outer-{outer}"] = {"type": "iterate", "index": outer}
        sources[f"p-outer-{outer}"] = "outer"
        edges.append(edge("p-list", f"p-outer-{outer}"))
        for inner in (1, 0):
            name = f"{outer}-{inner}"
            nodes[f"p-pair-{name}"] = {"type": "add"}
            nodes[f"p-inner-{name}"] = {"type": "iterate", "index": inner}
            sources |= {f"p-pair-{name}": "pair", f"p-inner-{name}": "inner"}
            edges += [
                edge(f"p-outer-{outer}", f"p-inner-{name}"),
                edge(f"p-inner-{name}", f"p-pair-{name}"),
                edge(f"p-pair-{name}", "p-all"),
            ]
    return {
        "graph": {"nodes": {name: {} for name in ("list", "inner", "outer", "pair", "all")}},
        "execution_graph": {"nodes": nodes, "edges": edges},
        "prepared_source_mapping": sources,
        "results": {node: {"type": "integer_output", "value": node} for node in nodes},
    }


def test_outer_iterations_come_before_inner_iterations() -> None:
    outputs = results_of_item({"session": session()})
    assert [output.iteration for output in outputs.of("pair")] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert outputs.values("pair") == ["p-pair-0-0", "p-pair-0-1", "p-pair-1-0", "p-pair-1-1"]
    assert [output.iteration for output in outputs.of("outer")] == [(0,), (1,)]


def test_collect_nodes_are_outside_the_iterations_they_collect() -> None:
    outputs = results_of_item({"session": session()})
    assert [output.iteration for name in ("list", "all") for output in outputs.of(name)] == [(), ()]


def test_iterations_from_the_server_are_used() -> None:
    told = session() | {"prepared_iteration_paths": {"p-all": [7]}}
    assert iteration_paths(told, {}) == {"p-all": (7,)}


def test_long_chains_and_sparse_sessions() -> None:
    chain = [f"n{number}" for number in range(5000)]
    nodes: dict[str, Any] = {name: {"type": "add"} for name in chain} | {
        "it": {"type": "iterate", "index": 3}
    }
    links = [edge(a, b) for a, b in zip(["it", *chain], chain, strict=False)]
    assert iteration_paths({"execution_graph": {"nodes": nodes, "edges": links}}, {})[chain[-1]] == (3,)
    assert iteration_paths({}, {}) == {}
    assert iteration_paths({"execution_graph": {"nodes": {}}}, {}) == {}
