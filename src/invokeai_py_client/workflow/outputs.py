"""Which nodes of a workflow give images, and which images they gave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from invokeai_py_client.run.results import Results

if TYPE_CHECKING:
    from invokeai_py_client.workflow.inputs import InputSet
    from invokeai_py_client.workflow.loaded import LoadedWorkflow

Tier = Literal["form", "workflow", "intermediate"]


@dataclass(frozen=True, slots=True)
class WorkflowOutput:
    """A node whose images have a board.

    Attributes:
        node_id: The node.
        node_label: What the workflow calls it.
        node_type: Its invocation type.
        input_index: The index of its board field in the form; None where the form does not show it.
        board_id: The board chosen for it: an id, ``"auto"``, ``"none"``, or None.
        tier: ``form`` where the form shows its board, ``workflow`` where not, ``intermediate`` where its
            images stay out of the gallery.
    """

    node_id: str
    node_label: str
    node_type: str
    input_index: int | None
    board_id: str | None
    tier: Tier


class OutputMapping(dict[str, Any]):
    """The images of one output: ``node_id node_type node_label board_id tier image_names input_index``."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


def list_outputs(loaded: LoadedWorkflow, inputs: InputSet) -> list[WorkflowOutput]:
    """The nodes that have a board field and send their images to the gallery, in the workflow's order."""
    shown = {item.key: item for item in inputs}
    found: list[WorkflowOutput] = []
    for node in loaded.nodes.values():
        key = (node.id, "board")
        template = inputs.template(key)
        if template is None or template.type.name != "BoardField" or node.is_intermediate:
            continue
        item = shown.get(key)
        board: Any = inputs.at(key).field.display_value
        found.append(
            WorkflowOutput(
                node.id,
                node.label or node.type,
                node.type,
                item.input_index if item else None,
                board if isinstance(board, str) else None,
                "form" if item else "workflow",
            )
        )
    return found


def map_outputs(outputs: Sequence[WorkflowOutput], results: Results) -> list[OutputMapping]:
    """The images that each output gave, in order of iteration; then those of intermediate nodes.

    Only what a node made itself counts: an image that it merely passes on belongs to the node that made it.
    """
    known = {output.node_id: output for output in outputs}
    names: dict[str, list[str]] = {output.node_id: [] for output in outputs}
    others: dict[str, tuple[str, list[str]]] = {}
    for result in results:
        if result.node_id in known:
            names[result.node_id].extend(result.image_names)
        elif result.image_names:
            others.setdefault(result.node_id, (result.node_type, []))[1].extend(result.image_names)
    rows = [_row(known[node_id], found) for node_id, found in names.items()]
    for node_id, (node_type, found) in others.items():
        rows.append(_row(WorkflowOutput(node_id, node_type, node_type, None, None, "intermediate"), found))
    return rows


def _row(output: WorkflowOutput, names: Sequence[str]) -> OutputMapping:
    fields: Mapping[str, Any] = {name: getattr(output, name) for name in WorkflowOutput.__slots__}
    return OutputMapping(fields, image_names=list(dict.fromkeys(names)))
