"""Damaged files, as manual edits, scripts and other programs produce them."""

from __future__ import annotations

import contextlib
import copy
import json
import random
from collections.abc import Callable
from typing import Any

Document = dict[str, Any]

LITERALS: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 7, 8, 2**31, 2**53 + 1, 10**400, -0.0, 0.5, 2.5, 1e308, float("inf")),
    *("", " ", "x", "5", "auto", "none", "euler", "a,b", "{a|b} c", "\ud800", "\x00", "é\u2028"),
    *([], [1], [1, "a"], [[1]], [None], [True], ["a", "b"], [0.5, 2], [{}], [{"image_name": "a.png"}]),
    *({}, {"image_name": " a.png "}, {"image_name": 1}, {"board_id": "b"}, {"video_name": "v"}),
    {"key": "k", "hash": "h", "name": "n", "base": "sdxl", "type": "main", "path": "/"},
    {"key": "k", "hash": "h", "name": "n", "base": "sd-99", "type": "main"},
    {"model_name": "old", "base_model": "sdxl", "model_type": "main"},
    {"r": 1, "g": 2, "b": 3, "a": 4},
    {"r": 1, "g": 2, "b": 3},
    {"x_min": 0, "x_max": 8, "y_min": 0, "y_max": 8},
    {"type": "float_generator_arithmetic_sequence", "start": 0, "step": 0, "count": -3},
    {"type": "integer_generator_random_distribution_uniform", "min": 5, "max": 1, "count": 10**9, "seed": -7},
    {"type": "integer_generator_linear_distribution", "start": 0, "end": 10**15, "count": 0},
    {"type": "string_generator_parse_string", "input": "a,,b", "splitOn": '"'},
    {"type": "string_generator_dynamic_prompts_random", "input": "{a|b}", "count": 2},
    {"type": "image_generator_images_from_board", "board_id": " b ", "category": 3},
    {"type": ["list"]},
)


def mutate(document: Document, rng: random.Random, node_types: list[str]) -> Document:
    """Return a copy with one to four random defects."""
    damaged = copy.deepcopy(document)
    for _ in range(rng.randint(1, 4)):
        rng.choice(_MUTATIONS)(damaged, rng, node_types)
    return damaged


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Yield every position in a document as its container and key."""
    places: list[tuple[Any, Any]] = []
    stack = [value]
    while stack:
        container = stack.pop()
        keys = list(container) if isinstance(container, dict) else range(len(container))
        for key in keys:
            places.append((container, key))
            if isinstance(container[key], dict | list):
                stack.append(container[key])
    return places


def _any_place(document: Document, rng: random.Random, node_types: list[str]) -> None:
    container, key = rng.choice(_places(document))
    container[key] = copy.deepcopy(rng.choice(LITERALS))


def _drop(document: Document, rng: random.Random, node_types: list[str]) -> None:
    container, key = rng.choice(_places(document))
    del container[key]


def _inputs(document: Document) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for node in _list(document, "nodes"):
        data = node.get("data")
        inputs = data.get("inputs") if isinstance(data, dict) else None
        if isinstance(inputs, dict):
            found.extend(entry for entry in inputs.values() if isinstance(entry, dict))
    return found


def _list(document: Document, key: str) -> list[dict[str, Any]]:
    value = document.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _value(document: Document, rng: random.Random, node_types: list[str]) -> None:
    inputs = _inputs(document)
    if inputs:
        rng.choice(inputs)["value"] = copy.deepcopy(rng.choice(LITERALS))


def _swap_values(document: Document, rng: random.Random, node_types: list[str]) -> None:
    inputs = [entry for entry in _inputs(document) if "value" in entry]
    if len(inputs) > 1:
        first, second = rng.sample(inputs, 2)
        first["value"], second["value"] = second["value"], first["value"]


def _rewire(document: Document, rng: random.Random, node_types: list[str]) -> None:
    edges = _list(document, "edges")
    if len(edges) > 1:
        first, second = rng.sample(edges, 2)
        end = rng.choice(("source", "target", "sourceHandle", "targetHandle"))
        if end in second:
            first[end] = second[end]


def _repeat_edge(document: Document, rng: random.Random, node_types: list[str]) -> None:
    edges = _list(document, "edges")
    if edges:
        document["edges"].append(copy.deepcopy(rng.choice(edges)))


def _turn_edge(document: Document, rng: random.Random, node_types: list[str]) -> None:
    edges = _list(document, "edges")
    if edges:
        edge = rng.choice(edges)
        edge["source"], edge["target"] = edge.get("target"), edge.get("source")


def _node_type(document: Document, rng: random.Random, node_types: list[str]) -> None:
    nodes = [node for node in _list(document, "nodes") if isinstance(node.get("data"), dict)]
    if nodes:
        rng.choice(nodes)["data"]["type"] = rng.choice([*node_types, "no_such_node", "current_image"])


def _node_version(document: Document, rng: random.Random, node_types: list[str]) -> None:
    nodes = [node for node in _list(document, "nodes") if isinstance(node.get("data"), dict)]
    if nodes:
        rng.choice(nodes)["data"]["version"] = rng.choice(
            ["0.0.1", "1.0.0", "9.9.9", "1..", "1.0.0-rc", "v1.0.0"]
        )


def _format(document: Document, rng: random.Random, node_types: list[str]) -> None:
    document["meta"] = {
        "version": rng.choice(["1.0.0", "2.0.0", "3.0.0", "4.0.0", "5.0.0"]),
        "category": "user",
    }


def _same_ids(document: Document, rng: random.Random, node_types: list[str]) -> None:
    nodes = _list(document, "nodes")
    if len(nodes) > 1:
        first, second = rng.sample(nodes, 2)
        first["id"] = second.get("id")


def _form(document: Document, rng: random.Random, node_types: list[str]) -> None:
    elements = document.get("form", {}).get("elements") if isinstance(document.get("form"), dict) else None
    if isinstance(elements, dict) and elements:
        containers = [
            element
            for element in elements.values()
            if isinstance(element, dict)
            and isinstance((element.get("data") or {}), dict)
            and isinstance((element.get("data") or {}).get("children"), list)
        ]
        if containers:
            rng.choice(containers)["data"]["children"].append(rng.choice(list(elements)))


def _deep(document: Document, rng: random.Random, node_types: list[str]) -> None:
    inputs = _inputs(document)
    if inputs:
        text = "[" * 150 + "]" * 150
        rng.choice(inputs)["value"] = json.loads(text)


_MUTATIONS: tuple[Callable[[Document, random.Random, list[str]], None], ...] = (
    _any_place,
    _any_place,
    _drop,
    _value,
    _value,
    _value,
    _swap_values,
    _rewire,
    _rewire,
    _repeat_edge,
    _turn_edge,
    _node_type,
    _node_version,
    _format,
    _same_ids,
    _form,
    _deep,
)


def damage_values(lines: bytes, rng: random.Random) -> bytes:
    """Return JSON lines with one to three values, keys or lines changed, repeated or removed."""
    documents: list[Any] = []
    for line in lines.splitlines():
        with contextlib.suppress(ValueError):
            documents.append(json.loads(line))
    for _ in range(rng.randint(1, 3)):
        number = rng.randrange(len(documents))
        if rng.random() < 0.2:
            documents[number : number + 1] = rng.choice(
                [[], [documents[number]] * 2, [rng.choice(LITERALS)], [rng.choice(documents)]]
            )
        elif isinstance(documents[number], dict) and documents[number]:
            documents[number] = copy.deepcopy(documents[number])
            # Short lists of keys first, so that values near the surface are changed as often as deep ones.
            container: Any = documents[number]
            key = rng.choice(list(container))
            while isinstance(container[key], dict | list) and container[key] and rng.random() < 0.7:
                container = container[key]
                key = rng.choice(list(container) if isinstance(container, dict) else range(len(container)))
            if rng.random() < 0.3:
                del container[key]
            else:
                container[key] = copy.deepcopy(rng.choice(LITERALS))
        if not documents:
            break
    return b"".join(json.dumps(one).encode() + b"\n" for one in documents)


def damage_bytes(data: bytes, rng: random.Random) -> bytes:
    """Return data with some bytes changed, removed or repeated, as by a broken disk or a crash."""
    damaged = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        start = rng.randrange(len(damaged) + 1)
        end = start + rng.choice([0, 1, 8, 100, len(damaged)])
        damaged[start:end] = rng.choice(
            [
                b"",
                b"\0" * (end - start),
                rng.randbytes(4),
                damaged[start:end] * 2,
                b"\n",
                b'"',
                b"{",
                b"[" * 5000,
            ]
        )
    return bytes(damaged)
