"""Results of a submission: its ids, the output nodes, and the images that each of them made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from invokeai_py_client._text import brief_repr
from invokeai_py_client.models.base import Row
from invokeai_py_client.run.results import NodeOutput, media_names, results_of_item

if TYPE_CHECKING:
    from invokeai_py_client.engine.inputs import InputSet, WorkflowInput
    from invokeai_py_client.engine.workflow import LoadedWorkflow

Tier = Literal["form", "workflow", "intermediate"]


NOT_IN_FORM = -1
"""The input index of an output whose board field is not in the form."""

_NOWHERE = "none"


@dataclass(frozen=True, slots=True)
class WorkflowOutput:
    """A node that saves images to a board.

    Attributes:
        node_id: The node's id.
        node_name: The node's label, or the title of its type.
        node_type: The invocation type.
        input_index: The index of the board field in the form, or -1 if it is not in the form.
        field_name: The name of the board field.
        label: The label of the board field in the web UI.
        board_id: The selected board: an id, ``"auto"``, ``"none"``, or None.
        tier: ``form`` if the board field is in the form, ``workflow`` if not, or ``intermediate`` if the images are
            hidden from the gallery.
    """

    __repr__ = brief_repr

    node_id: str
    node_name: str
    node_type: str
    input_index: int
    field_name: str
    label: str
    board_id: str | None
    tier: Tier


class OutputMapping(Row):
    """The images of one node. Its values can be read by key or by attribute.

    Attributes:
        node_id: The node's id.
        node_name: The node's label, or the title of its type.
        node_type: The invocation type.
        input_index: The index of the board field in the form, or -1 if it is not in the form.
        label: The label of the board field in the web UI.
        board_id: The id of the images' board, or ``"none"`` if they are uncategorized.
        tier: See ``WorkflowOutput``.
        image_names: The names of the images, in order of iteration.
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
    """Return the nodes that have a board field and whose images appear in the gallery, in the workflow's order."""
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
    """Return the images of each output node in order of iteration, followed by those of other nodes.

    An image belongs to the node that made it. Nodes that collect or iterate over images also return names of
    images that they did not make.

    Args:
        loaded: The workflow.
        inputs: Its inputs.
        item: The queue item in the server's format.
    """
    rows = {output.node_id: _row(output) for output in list_outputs(loaded, inputs)}
    results = results_of_item(item)
    makers = {node_id for node_id in loaded.nodes if inputs.template((node_id, "board")) is not None}
    taken = {name for one in results if one.node_id in makers for name in one.image_names}
    taken.update(media_names(_graph(item), "image_name"))  # the input images
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
    """Return the row of a node that is not an output: its images are intermediate, or it has no board field."""
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
    """The ids of a submission. They can be read by key or by attribute.

    Attributes:
        batch_id: The id of the batch.
        item_ids: The ids of the queue items, in the batch's order.
        session_id: The session of the first item.
    """

    batch_id: str
    item_ids: list[int]
    session_id: str | None
