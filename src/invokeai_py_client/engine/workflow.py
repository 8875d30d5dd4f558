"""Workflows loaded for a particular server: the plain data between the file and the request.

Loading (``engine/load.py``) converts a ``WorkflowDefinition`` to this data by the rules of the official editor. It
migrates older versions, parses values, updates nodes to the server's versions, removes invalid edges and walks the
form. The data is immutable. Values set by a user are stored separately.

The classes with thousands of instances are named tuples, as creating a frozen dataclass takes four times as long.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from invokeai_py_client._base import restore_fields
from invokeai_py_client.schema.template import InputTemplate, NodeTemplate

Key = tuple[str, str]
"""(node id, field name): the address of an input in a workflow."""


class NodeInput(NamedTuple):
    """An input of a node, as stored in the workflow.

    Attributes:
        label: The author's name for the input, or "".
        value: The literal, or ``UNSET`` if the workflow has no value.
    """

    name: str
    label: str
    description: str
    value: Any


@dataclass(frozen=True, slots=True)
class Node:
    """An invocation node.

    Attributes:
        dynamic: The node's inputs beyond those of its type. A node that calls a saved workflow has an input for
            each field of that workflow's form.
    """

    id: str
    type: str
    label: str
    version: str
    is_intermediate: bool
    use_cache: bool
    inputs: Mapping[str, NodeInput]
    dynamic: Mapping[str, InputTemplate] = field(default_factory=dict[str, InputTemplate])

    def template_of(self, name: str, template: NodeTemplate | None) -> InputTemplate | None:
        """Return the template of an input, or None if neither the node nor its type has such an input."""
        found = self.dynamic.get(name)
        return found if found is not None or template is None else template.inputs.get(name)


class Edge(NamedTuple):
    """A connection from output ``source_field`` of one node to input ``target_field`` of another."""

    source: str
    source_field: str
    target: str
    target_field: str


@dataclass(frozen=True, slots=True)
class FormField:
    """A field in the workflow's form.

    Attributes:
        settings: The form's settings of this field (min, max, options...), or empty.
        path: The ids of the containers around the field, outermost first.
    """

    node_id: str
    field_name: str
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    show_description: bool = True
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LoadedWorkflow:
    """A workflow loaded for a server.

    Attributes:
        name: The workflow's name.
        nodes: Invocation nodes by id, in file order, including batch, generator and unknown types.
        edges: The edges that the editor keeps, in file order, with connectors not yet resolved.
        connectors: Ids of connector nodes.
        form: The form's fields in the order in which the editor shows them. A field may occur twice.
        document: The workflow as the editor would save it after loading. It is attached to requests, with the
            values used written into it. None if it cannot be attached.
        warnings: Sentences about everything that loading changed or could not use, with the node's label.
        unusable: Literals in the file that the editor would lose or change, and that the server would not accept
            either. The node contains the editor's version of them.
        id: The workflow's id in the library of the server that it was saved on, or None.
        description: The author's description, or "".
        copies: Fields that always get the value of another field, by that field: the metadata of a recipe.
    """

    name: str
    nodes: Mapping[str, Node]
    edges: tuple[Edge, ...]
    connectors: frozenset[str]
    form: tuple[FormField, ...]
    document: Mapping[str, Any] | None
    warnings: tuple[str, ...] = ()
    unusable: Mapping[Key, Any] = field(default_factory=dict[Key, Any])
    id: str | None = None
    description: str = ""
    copies: Mapping[Key, tuple[Key, ...]] = field(default_factory=dict[Key, "tuple[Key, ...]"])

    def __setstate__(self, state: Sequence[Any]) -> None:
        restore_fields(self, state)

    def __repr__(self) -> str:
        return f"<LoadedWorkflow {self.name!r}: {len(self.nodes)} nodes>"
