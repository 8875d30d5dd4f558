"""Workflow documents written by this client: nodes, edges and a form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from invokeai_py_client.engine.form import form_with
from invokeai_py_client.schema.template import NodeTemplate


@dataclass(slots=True)
class Draft:
    """A workflow that is being written.

    Attributes:
        schema: The server's node types.
        nodes: The node type of each node.
    """

    schema: Mapping[str, NodeTemplate]
    nodes: dict[str, str] = field(default_factory=dict[str, str])
    _values: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    _titles: dict[str, str] = field(default_factory=dict[str, str])
    _labels: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    _edges: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    _form: list[tuple[str, str, dict[str, Any]]] = field(
        default_factory=list[tuple[str, str, dict[str, Any]]]
    )

    def add(self, node_id: str, kind: str, /, *, title: str = "", **values: Any) -> None:
        """Add a node.

        Args:
            node_id: The id of the node.
            kind: Its type.
            title: Its label. Defaults to the title of its type.
            **values: The values of its inputs.
        """
        self.nodes[node_id] = kind
        self._values[node_id] = values
        self._titles[node_id] = title

    def set(self, node_id: str, **values: Any) -> None:
        """Set inputs of a node."""
        self._values[node_id] |= values

    def fields(self, node_id: str) -> Mapping[str, Any]:
        """Return the templates of a node's inputs."""
        template = self.schema.get(self.nodes[node_id])
        return template.inputs if template is not None else {}

    def connect(self, start: str, end: str) -> None:
        """Connect an output to an input, each written as ``node.field``."""
        (source, output), (target, name) = start.split("."), end.split(".")
        self._edges.append(
            {
                "id": f"{start}-{end}",
                "type": "default",
                "source": source,
                "sourceHandle": output,
                "target": target,
                "targetHandle": name,
            }
        )

    def show(self, node_id: str, name: str, label: str, **settings: Any) -> None:
        """Show a field in the form.

        Args:
            node_id: The id of the node.
            name: The name of the field.
            label: The label in the form.
            **settings: The form's settings for the field.
        """
        self._labels[node_id, name] = label
        self._form.append((node_id, name, settings))

    def document(self, name: str, *, final: str, description: str = "") -> dict[str, Any]:
        """Return the workflow as the editor saves it.

        Args:
            name: The name of the workflow.
            final: The node whose image appears in the gallery.
            description: A description of the workflow. Defaults to "".
        """
        return {
            "name": name,
            "author": "",
            "description": description,
            "version": "1.0.0",
            "contact": "",
            "tags": "",
            "notes": "",
            "exposedFields": [],
            "meta": {"version": "3.0.0", "category": "user"},
            "nodes": [
                self._node(node_id, index, is_final=node_id == final)
                for index, node_id in enumerate(self.nodes)
            ],
            "edges": self._edges,
            "form": form_with(
                [(node_id, name, self.fields(node_id)[name].type, more) for node_id, name, more in self._form]
            ),
        }

    def _node(self, node_id: str, index: int, *, is_final: bool) -> dict[str, Any]:
        kind = self.nodes[node_id]
        template = self.schema.get(kind)
        values = self._values[node_id]
        return {
            "id": node_id,
            "type": "invocation",
            "position": {"x": 400 * (index % 6), "y": 600 * (index // 6)},
            "data": {
                "id": node_id,
                "type": kind,
                "version": template.version if template else "1.0.0",
                "label": self._titles[node_id],
                "notes": "",
                "isOpen": True,
                "isIntermediate": not is_final,
                "useCache": not is_final and (template is None or template.use_cache),
                "inputs": {
                    name: {
                        "name": name,
                        "label": self._labels.get((node_id, name), ""),
                        **({"value": values[name]} if name in values else {}),
                    }
                    for name in dict.fromkeys((*(template.inputs if template else ()), *values))
                },
            },
        }
