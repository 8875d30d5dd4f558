"""Checks for problems that keep the server from running a workflow.

The editor disables its Invoke button for some of these problems and sends the rest. The server then rejects the
request or, worse, accepts it: a value of the wrong type in batch data blocks the whole queue, because InvokeAI 6.14
checks batch values only when it starts the item.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from invokeai_py_client._text import printable, shown
from invokeai_py_client.editor.generators import FAMILIES
from invokeai_py_client.editor.literals import EXTRA_INPUTS
from invokeai_py_client.engine.batch import batch_groups, value_of
from invokeai_py_client.engine.batch_check import batch_findings
from invokeai_py_client.engine.graph import NOT_EXECUTABLE, resolved_edges
from invokeai_py_client.engine.references import old_model
from invokeai_py_client.engine.server_rules import node_findings, wiring_findings
from invokeai_py_client.engine.subworkflow import CALL, PREFIX
from invokeai_py_client.engine.workflow import Key, LoadedWorkflow, Node
from invokeai_py_client.errors import NotReadyError, UnknownNodeError
from invokeai_py_client.ivk_fields.base import field_place
from invokeai_py_client.ivk_fields.kinds import make_field
from invokeai_py_client.schema.fits import explain_mismatch
from invokeai_py_client.schema.template import UNSET, InputTemplate, NodeTemplate


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem that keeps a workflow from running.

    Attributes:
        node_id: The id of the node, or "" if the problem concerns the whole workflow.
        node_label: The label of the node, or the title of its type.
        field: The field's name in requests, or None if the problem concerns the whole node.
        what: The problem.
        cure: The fix.
        title: The field's label in the editor, or "" if it has none.
        ambiguous: Whether several nodes of the workflow share this label. The message then includes the node's id.
    """

    node_id: str
    node_label: str
    field: str | None
    what: str
    cure: str
    title: str = ""
    ambiguous: bool = False

    def __str__(self) -> str:
        """Return the message: where the problem is, what is wrong, and what to do about it."""
        node = f"{self.node_label}, node {self.node_id}" if self.ambiguous else self.node_label
        where = node or "The workflow"
        if self.field is not None:
            where = field_place(self.title or self.field, node)
        return printable(f"{where}: {self.what}. {self.cure}".rstrip())


def label_of(node: Node, schema: Mapping[str, NodeTemplate]) -> str:
    """Return a node's label, or the title of its type."""
    template = schema.get(node.type)
    return node.label or (template.title if template is not None else node.type)


def find_problems(
    loaded: LoadedWorkflow,
    schema: Mapping[str, NodeTemplate],
    values: Mapping[Key, Any],
    generated: Mapping[str, Sequence[Any]] | None = None,
) -> list[Problem]:
    """Return everything that keeps a workflow from running, as far as it can be checked without the server.

    Args:
        loaded: The workflow.
        schema: The server's node types.
        values: Values that replace those of the workflow.
        generated: The server's values for the workflow's generators, by node id. Defaults to None: the lists of
            those generators are not checked.

    Returns:
        The problems in the order of the workflow's nodes. Problems with batches come last.
    """
    problems: list[Problem] = []
    runnable = [node for node in loaded.nodes.values() if node.type not in NOT_EXECUTABLE]
    if not runnable:
        problems.append(
            Problem("", "", None, "it has no nodes that the server can run", "Add a node in the editor.")
        )
    edges = resolved_edges(loaded)
    connected = {(edge.target, edge.target_field) for edge in edges}
    fed = {
        (target.node_id, target.field)
        for _, targets in batch_groups(loaded, {}, _nothing(loaded))
        for target in targets
    }
    for node in loaded.nodes.values():
        template = schema.get(node.type)
        if template is None:
            problems.append(_unknown(node, schema))
        elif node.type not in NOT_EXECUTABLE:
            problems.extend(_node_problems(loaded, node, template, values, connected, fed))
    for node_id, name, what in wiring_findings(loaded, schema, edges):
        label = label_of(loaded.nodes[node_id], schema)
        title = _title(loaded.nodes[node_id], schema, name)
        problems.append(Problem(node_id, label, name, what, "Correct the connection in the editor.", title))
    for finding in batch_findings(loaded, schema, values, generated):
        node = loaded.nodes[finding.node_id]
        title = _title(node, schema, finding.field)
        problems.append(
            Problem(node.id, label_of(node, schema), finding.field, finding.what, finding.cure, title)
        )
    labels = Counter(label_of(node, schema) for node in loaded.nodes.values())
    return [replace(problem, ambiguous=labels[problem.node_label] > 1) for problem in problems]


def _title(node: Node, schema: Mapping[str, NodeTemplate], name: str | None) -> str:
    """Return the label that the editor shows for a field; "" if it is not known."""
    if name is None:
        return ""
    held = node.inputs.get(name)
    template = node.template_of(name, schema.get(node.type))
    return (held.label if held is not None else "") or (template.title if template is not None else "")


def _nothing(loaded: LoadedWorkflow) -> dict[str, Sequence[Any]]:
    """Return an empty list for every generator, to find the targets of lists without their values."""
    return {node.id: () for node in loaded.nodes.values() if node.type in FAMILIES}


def _unknown(node: Node, schema: Mapping[str, NodeTemplate]) -> Problem:
    return Problem(
        node.id,
        label_of(node, schema),
        None,
        f"the node type {node.type!r} is not on the server",
        "Install the node pack that contains it, or replace the node in the workflow.",
    )


def _node_problems(
    loaded: LoadedWorkflow,
    node: Node,
    template: NodeTemplate,
    values: Mapping[Key, Any],
    connected: set[Key],
    fed: set[Key],
) -> Iterator[Problem]:
    label = node.label or template.title
    sent: dict[str, Any] = {}
    clean = True
    names = dict.fromkeys([*template.inputs, *node.dynamic, *node.inputs])
    for name in names:
        key = (node.id, name)
        if key in connected or (node.type == CALL and name == "workflow_inputs"):
            continue
        field = node.template_of(name, template)
        if field is None:
            continue  # omitted from the request, or without a declared type (core_metadata)
        entry = node.inputs.get(name)
        title = (entry.label if entry is not None else "") or field.title
        value = value_of(node, name, values)
        if value is UNSET and key in fed and key not in loaded.unusable:
            continue  # a literal under a batch is still sent, so it must be valid
        finding = (
            _lost(field, loaded.unusable[key])
            if key in loaded.unusable and key not in values
            else _value_finding(node, field, value, in_file=entry is not None)
        )
        if finding is not None:
            clean = False
            yield Problem(node.id, label, name, *finding, title)
        elif value is not UNSET:
            sent[name] = value
    if clean:  # the rules may rely on values of the right type
        for name, what in node_findings(template, sent):
            wrong = f"{shown(sent.get(name))} is not valid; expected {what}"
            yield Problem(node.id, label, name, wrong, "", _title(node, {node.type: template}, name))


def _lost(field: InputTemplate, raw: Any) -> tuple[str, str]:
    old = old_model(raw, field)
    if old is not None:
        model = f"{old['name']!r} ({old['base']} {old['type']}".rstrip() + ")"
        return f"the model {model} is in the format of InvokeAI 3 and has no key", "Set the input to a model."
    expected = explain_mismatch(field.json_schema, raw) or str(field.type)
    return f"the workflow's value {shown(raw)} is not valid; expected {expected}", "Set another value."


def _value_finding(node: Node, field: InputTemplate, value: Any, *, in_file: bool) -> tuple[str, str] | None:
    if value is UNSET or (value is None and field.required):
        return _missing(field, in_file=in_file)
    if field.type.name == "BoardField" and (value in ("auto", "none") or value is None):
        return None
    if node.type == CALL and field.name == "workflow_id" and value == "":
        return "no workflow is selected", "Set the id of a workflow in the server's library."
    if node.type in EXTRA_INPUTS and value is None:
        return None
    reason = explain_mismatch(field.json_schema, value)
    if reason is None:
        return None
    return f"{shown(value)} is not valid; expected {reason}", ""


def _missing(field: InputTemplate, *, in_file: bool) -> tuple[str, str] | None:
    if not field.required or (not in_file and field.json_schema.get("default") is not None):
        return None
    if field.name.startswith(PREFIX):
        return None  # the called workflow has its own value
    if field.server_input == "connection":
        return "it is not connected", "Connect it in the editor: it does not accept a value."
    return f"no value is set; expected {make_field(field).allowed or 'a value'}", ""


def unknown_node_types(loaded: LoadedWorkflow, schema: Mapping[str, NodeTemplate]) -> tuple[str, ...]:
    """Return the node types of a workflow that are not on the server, each once."""
    return tuple(dict.fromkeys(node.type for node in loaded.nodes.values() if node.type not in schema))


def raise_for_problems(
    problems: Sequence[Problem], loaded: LoadedWorkflow, schema: Mapping[str, NodeTemplate]
) -> None:
    """Raise a single error that lists all problems, if there are any.

    Raises:
        UnknownNodeError: The workflow has node types that are not on the server.
        NotReadyError: The workflow has other problems.
    """
    if not problems:
        return
    findings = [str(problem) for problem in problems]
    unknown = unknown_node_types(loaded, schema)
    listed = "\n".join(f"- {finding}" for finding in findings)
    if unknown:
        raise UnknownNodeError(
            f"The workflow {loaded.name!r} needs nodes that are not on the server:\n{listed}", unknown
        )
    raise NotReadyError(f"The workflow {loaded.name!r} cannot run yet:\n{listed}", findings)
