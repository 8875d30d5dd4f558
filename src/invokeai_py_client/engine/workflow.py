"""A workflow made ready for one server: plain data, between the file and the request.

Loading (``workflow/load.py``) turns a ``WorkflowDefinition`` into this by the rules of the official
editor: older versions migrated, values parsed, nodes brought to the server's versions, edges that do not
fit removed, the form walked. Nothing here changes afterwards; values set by a user live beside it.

What a workflow has thousands of is a named tuple: making a frozen dataclass takes four times as long.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from invokeai_py_client.schema.template import InputTemplate, NodeTemplate

Key = tuple[str, str]
"""(node id, field name): the address of one input in a workflow."""


class NodeInput(NamedTuple):
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
    """An invocation node.

    Attributes:
        dynamic: Inputs that this one node has beyond those of its type: a node that calls a saved
            workflow has one for each field of that workflow's form.
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
        """The template of one of its inputs, or None where neither it nor its type has such an input."""
        found = self.dynamic.get(name)
        return found if found is not None or template is None else template.inputs.get(name)


class Edge(NamedTuple):
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
        unusable: Literals that the editor would lose or turn into something else, and that the server
            would not take either: as the file has them. The node holds what the editor makes of them.
        id: The workflow's id in the library of the server it was saved on, if any.
        description: What its author says about it.
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
