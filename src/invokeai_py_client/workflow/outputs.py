"""What a submission returns: its ids, and which nodes make images, and which images they made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from invokeai_py_client.models.base import Row
from invokeai_py_client.run.results import NodeOutput, media_names, results_of_item

if TYPE_CHECKING:
    from invokeai_py_client.engine.inputs import InputSet, WorkflowInput
    from invokeai_py_client.engine.workflow import LoadedWorkflow

Tier = Literal["form", "workflow", "intermediate"]


NOT_IN_FORM = -1
"""The input index of an output whose board the form does not show."""

_NOWHERE = "none"


@dataclass(frozen=True, slots=True)
class WorkflowOutput:
    """A node whose images have a board.

    Attributes:
        node_id: The node.
        node_name: What the workflow calls it: its label, or its type's title.
        node_type: Its invocation type.
        input_index: The index of its board field in the form; -1 where the form does not show it.
        field_name: The name of its board field.
        label: What the editor shows for that field.
        board_id: The board chosen for it: an id, ``"auto"``, ``"none"``, or None.
        tier: ``form`` where the form shows its board, ``workflow`` where not, ``intermediate`` where its
            images stay out of the gallery.
    """

    node_id: str
    node_name: str
    node_type: str
    input_index: int
    field_name: str
    label: str
    board_id: str | None
    tier: Tier


class OutputMapping(Row):
    """The images of one node, by key or by attribute.

    Attributes:
        node_id: The node.
        node_name: What the workflow calls it.
        node_type: Its invocation type.
        input_index: The index of its board field in the form; -1 where the form does not show it.
        label: What the editor shows for that field.
        board_id: The board that its images are on: its id, or ``"none"`` for uncategorized ones.
        tier: As of ``WorkflowOutput``.
        image_names: The images, in order of iteration.
    """

    node_id: str
    node_name: str
    node_type: str
    input_index: int
    label: str
    board_id: str
    tier: Tier
    image_names: list[str]


def list_outputs(loaded: LoadedWorkflow, inputs: InputSet) -> list[WorkflowOutput]:
    """The nodes that have a board field and send their images to the gallery, in the workflow's order."""
    found: list[WorkflowOutput] = []
    for node in loaded.nodes.values():
        key = (node.id, "board")
        template = inputs.template(key)
        if template is None or template.type.name != "BoardField" or node.is_intermediate:
            continue
        item = inputs.at(key)
        board: Any = item.field.display_value
        found.append(
            WorkflowOutput(
                node_id=node.id,
                node_name=item.node_name,
                node_type=node.type,
                input_index=_index(item),
                field_name=item.field_name,
                label=item.label,
                board_id=board if isinstance(board, str) else None,
                tier="workflow" if item.input_index is None else "form",
            )
        )
    return found


def map_outputs(loaded: LoadedWorkflow, inputs: InputSet, item: Mapping[str, Any]) -> list[OutputMapping]:
    """The images that each output gave, in order of iteration; then those of nodes that are no outputs.

    An image belongs to the node that made it. Nodes that collect images, or hand one on in turns, give names
    that are not theirs.

    Args:
        loaded: The workflow.
        inputs: Its inputs.
        item: The queue item as the server gave it.
    """
    rows = {output.node_id: _row(output) for output in list_outputs(loaded, inputs)}
    results = results_of_item(item)
    makers = {node_id for node_id in loaded.nodes if inputs.template((node_id, "board")) is not None}
    taken = {name for one in results if one.node_id in makers for name in one.image_names}
    taken.update(media_names(_graph(item), "image_name"))  # what went in
    for one in results:
        names = [name for name in one.image_names if one.node_id in makers or name not in taken]
        if names or one.node_id in rows:
            row = rows.setdefault(one.node_id, _row_of(one, inputs))
            row["board_id"] = one.board_id or _NOWHERE
            row["image_names"] = list(dict.fromkeys([*row.image_names, *names]))
        if one.node_id not in makers:
            taken.update(names)
    return list(rows.values())


def _row(output: WorkflowOutput) -> OutputMapping:
    fields: dict[str, Any] = {name: getattr(output, name) for name in WorkflowOutput.__slots__}
    return OutputMapping(fields, board_id=_NOWHERE, image_names=[])


def _row_of(result: NodeOutput, inputs: InputSet) -> OutputMapping:
    """The row of a node that is no output: its images stay out of the gallery, or it has no board."""
    key = (result.node_id, "board")
    board = inputs.at(key) if inputs.template(key) is not None else None
    return OutputMapping(
        node_id=result.node_id,
        node_name=board.node_name if board else result.node_label or result.node_type,
        node_type=result.node_type,
        input_index=_index(board),
        field_name="board",
        label=board.label if board else "",
        board_id=_NOWHERE,
        tier="intermediate" if result.is_intermediate else "workflow",
        image_names=[],
    )


def _graph(item: Mapping[str, Any]) -> Any:
    session: Any = item.get("session")
    return cast("Mapping[str, Any]", session).get("graph") if isinstance(session, Mapping) else None


def _index(item: WorkflowInput | None) -> int:
    return NOT_IN_FORM if item is None or item.input_index is None else item.input_index


class WorkflowSubmission(Row):
    """What was submitted, by key or by attribute.

    Attributes:
        batch_id: The batch's id.
        item_ids: The queue items, in the batch's order.
        session_id: The session of the first item.
    """

    batch_id: str
    item_ids: list[int]
    session_id: str | None
