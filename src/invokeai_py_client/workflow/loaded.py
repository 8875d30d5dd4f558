"""A workflow made ready for one server: plain data, between the file and the request.

Loading (``workflow/load.py``) turns a :class:`WorkflowDefinition` into this by the rules of the official
editor: older versions migrated, values parsed, nodes brought to the server's versions, edges that do not
fit removed, the form walked. Nothing here changes afterwards; values set by a user live beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Key = tuple[str, str]
"""(node id, field name): the address of one input in a workflow."""


@dataclass(frozen=True, slots=True)
class NodeInput:
    """One input of a node, as the workflow holds it.

    Attributes:
        value: The literal; ``UNSET`` where the workflow has none.
        label: The name its author gave it, or "".
    """

    name: str
    label: str
    description: str
    value: Any


@dataclass(frozen=True, slots=True)
class Node:
    """An invocation node."""

    id: str
    type: str
    label: str
    version: str
    is_intermediate: bool
    use_cache: bool
    inputs: Mapping[str, NodeInput]


@dataclass(frozen=True, slots=True)
class Edge:
    """A connection: output ``source_field`` of one node to input ``target_field`` of another."""

    source: str
    source_field: str
    target: str
    target_field: str


@dataclass(frozen=True, slots=True)
class FormField:
    """A field that the workflow's form shows.

    Attributes:
        settings: The form's own settings of this field (min, max, options...), or empty.
        path: Headings of nothing; the ids of the containers around it, outermost first.
    """

    node_id: str
    field_name: str
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    show_description: bool = True
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LoadedWorkflow:
    """The result of loading.

    Attributes:
        name: The workflow's name.
        nodes: Invocation nodes by id, in file order; batch, generator and unknown types included.
        edges: Edges that the editor keeps, in file order, connectors not yet resolved.
        connectors: Ids of connector nodes.
        form: The form's fields in the order the editor shows them (a field may occur twice).
        document: The workflow as the editor would save it after loading: what is attached to a request,
            before the values used are written into it. None where it cannot be attached.
        warnings: What loading changed or could not use, one sentence each, with the node's label.
    """

    name: str
    nodes: Mapping[str, Node]
    edges: tuple[Edge, ...]
    connectors: frozenset[str]
    form: tuple[FormField, ...]
    document: Mapping[str, Any] | None
    warnings: tuple[str, ...] = ()
