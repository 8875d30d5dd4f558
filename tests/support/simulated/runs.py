"""The events and sessions of the runs of a simulated server.

The events of a text-to-image workflow were recorded from a real InvokeAI 6.14.2: 28 events of nodes, 15 of them with a
preview (``tests/data/text-to-image-run.json``). Those of other workflows are made from their graphs: each node starts
and completes once. Iterations and called workflows are not simulated.
"""

from __future__ import annotations

import json
import lzma
import re
from functools import cache
from pathlib import Path
from typing import Any

from simulated.queue import Item, run_id, session_id, text

_DATA = Path(__file__).parents[2] / "data"
_PREVIEW = "data:image/jpeg;base64," + "A" * 16_800  # the preview of a picture of 1024 x 1024 pixels
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_PLAIN: dict[str, Any] = {"integer": 0, "number": 0.0, "string": "", "boolean": False, "array": []}


@cache
def document() -> bytes:
    """Return the OpenAPI document of InvokeAI 6.14.2. All servers of a process share it."""
    return lzma.decompress((_DATA / "openapi-6.14.2.json.xz").read_bytes())


@cache
def _recorded() -> dict[str, Any]:
    return json.loads((_DATA / "text-to-image-run.json").read_text())


@cache
def _schemas() -> dict[str, Any]:
    return json.loads(document())["components"]["schemas"]


@cache
def _output_of(node_type: str) -> dict[str, Any]:
    """Return the schema of a node type's output. Unknown types are those of node packs: they return a number."""
    schemas = _schemas()
    for schema in schemas.values():
        if schema.get("properties", {}).get("type", {}).get("const") == node_type and "output" in schema:
            return schemas[schema["output"]["$ref"].rpartition("/")[2]]
    return schemas["IntegerOutput"]


Executed = tuple[str, dict[str, Any], dict[str, Any]]
"""The id of a node, the prepared node, and its output."""


class Template:
    """A recorded text in which the ids of the run are replaced.

    Args:
        data: The recorded JSON data.
        known: The recorded ids, in the order in which they were found. More are added.
    """

    def __init__(self, data: Any, known: list[str]) -> None:
        self._parts: list[str | int] = []
        model: str = _recorded()["item"]["session"]["graph"]["nodes"]["model"]["model"]["key"]
        for part in re.split(rf'({_UUID}|"item_id":1\b|PREVIEW)', json.dumps(data, separators=(",", ":"))):
            if part == "PREVIEW":
                self._parts.append(-1)
            elif part == '"item_id":1':
                self._parts += ['"item_id":', -2]
            elif re.fullmatch(_UUID, part) and part != model:
                if part not in known:
                    known.append(part)
                self._parts.append(known.index(part))
            else:
                self._parts.append(part)

    def filled(self, values: dict[int, str]) -> str:
        """Return the text with the values of a run."""
        return "".join([part if isinstance(part, str) else values[part] for part in self._parts])


class Recorded:
    """The runs of the text-to-image workflow.

    Args:
        port: The port of the server.
        previews: Whether the events contain previews.
    """

    def __init__(self, port: int, previews: bool) -> None:
        recorded = _recorded()
        self._port = port
        self._preview = _PREVIEW if previews else ""
        self._known: list[str] = [recorded["item"]["batch_id"], recorded["item"]["session_id"]]
        events = [event for event in recorded["events"] if event[0] != "queue_item_status_changed"]
        self._events = [Template(event, self._known) for event in events]
        self._session = Template(recorded["item"]["session"], self._known)

    @staticmethod
    def fits(nodes: dict[str, dict[str, Any]]) -> bool:
        """Return whether a graph is the one of the recorded run."""
        recorded = _recorded()["item"]["session"]["graph"]["nodes"]
        return nodes.keys() == recorded.keys() and all(
            node["type"] == recorded[node_id]["type"] for node_id, node in nodes.items()
        )

    def events(self, item: Item) -> list[str]:
        """Return the events of the nodes of an item's run."""
        values = self._values(item)
        # Not all previews are the same object, or the same text.
        values[-1] = f"{self._preview[:-8]}{item.id:08}" if self._preview else ""
        return [event.filled(values) for event in self._events]

    def session(self, item: Item) -> dict[str, Any]:
        """Return the session of a completed item."""
        return json.loads(self._session.filled(self._values(item)))

    def _values(self, item: Item) -> dict[int, str]:
        values = {number: run_id(self._port, item, number) for number in range(len(self._known))}
        return values | {0: item.batch.id, 1: session_id(self._port, item), -2: str(item.id)}


class Made:
    """The runs of any workflow without iterations and called workflows.

    Args:
        port: The port of the server.
    """

    def __init__(self, port: int) -> None:
        self._port = port

    def events(self, item: Item) -> list[str]:
        """Return the events of the nodes of an item's run."""
        body, found = item.batch.body, list[str]()
        shared = {
            "timestamp": 1795716400,
            "queue_id": "default",
            "item_id": item.id,
            "batch_id": item.batch.id,
            "origin": body.get("origin"),
            "destination": body.get("destination"),
            "user_id": "system",
            "session_id": session_id(self._port, item),
        }
        for node_id, node, output in self._executed(item):
            of_node = {**shared, "invocation": node, "invocation_source_id": node_id}
            found += [
                text("invocation_started", of_node),
                text("invocation_complete", {**of_node, "result": output}),
            ]
        return found

    def session(self, item: Item) -> dict[str, Any]:
        """Return the session of a completed item."""
        return session_of(self._executed(item))

    def _executed(self, item: Item) -> list[Executed]:
        """Return the nodes in the order of their execution."""
        nodes = item.batch.nodes(item.row)
        edges = [
            (edge["source"], edge["destination"]) for edge in item.batch.body["graph"].get("edges") or ()
        ]
        inputs = {node_id: [edge for edge in edges if edge[1]["node_id"] == node_id] for node_id in nodes}
        done: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
        while len(done) < len(nodes):
            ready = [
                node_id
                for node_id in nodes
                if node_id not in done and all(source["node_id"] in done for source, _ in inputs[node_id])
            ]
            for node_id in ready:
                prepared = run_id(self._port, item, len(done))
                values = {
                    target["field"]: done[source["node_id"]][1].get(source["field"])
                    for source, target in inputs[node_id]
                }
                node = {**nodes[node_id], **values, "id": prepared}
                done[node_id] = node, self._output(node)
        return [(node_id, node, output) for node_id, (node, output) in done.items()]

    def _output(self, node: dict[str, Any]) -> dict[str, Any]:
        schema, found = _output_of(node["type"]), dict[str, Any]()
        size = {side: node.get(side) or 64 for side in ("width", "height")}
        for name, field in schema["properties"].items():
            if name in ("type", "output_meta"):
                continue
            if "ImageField" in json.dumps(field) and field.get("type") != "array":
                found[name] = {"image_name": f"{node['id']}.png"}
            elif name in size:
                found[name] = size[name]
            else:
                found[name] = node.get(name, _PLAIN.get(field.get("type", "")))
        if node["type"] == "add":
            found["value"] = node["a"] + node["b"]
        return {"output_meta": None, **found, "type": schema["properties"]["type"]["const"]}


def session_of(executed: list[Executed]) -> dict[str, Any]:
    """Return the session in which nodes were executed."""
    prepared = {node["id"]: node_id for node_id, node, _ in executed}
    return {
        "execution_graph": {"nodes": {node["id"]: node for _, node, _ in executed}, "edges": []},
        "executed": [*prepared, *prepared.values()],
        "executed_history": [*prepared.values()],
        "results": {node["id"]: output for _, node, output in executed},
        "prepared_source_mapping": prepared,
        "source_prepared_mapping": {node_id: [key] for key, node_id in prepared.items()},
        "prepared_iteration_paths": {key: [] for key in prepared},
        "ready_order": [],
        "indegree": dict.fromkeys(prepared, 0),
        "workflow_call_stack": [],
        "workflow_call_history": [],
        "max_workflow_call_depth": 4,
    }


def image_names(session: dict[str, Any]) -> list[str]:
    """Return the names of the images that the nodes of a session made."""
    return [
        output["image"]["image_name"]
        for output in session["results"].values()
        if isinstance(output.get("image"), dict)
    ]
