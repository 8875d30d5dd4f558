"""What a run that did not end well raises."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invokeai_py_client._text import clip
from invokeai_py_client.errors import RunCanceledError, RunFailedError
from invokeai_py_client.models.enums import JobStatus

if TYPE_CHECKING:
    from invokeai_py_client.run.run import AsyncRun


def raise_if_failed(run: AsyncRun, failing: str | None) -> None:
    """Raise if a run has ended without success.

    Args:
        run: The run.
        failing: The node that failed, where its session tells it.

    Raises:
        RunFailedError: A node failed.
        RunCanceledError: The run was canceled, or its item removed.
    """
    status = run.status
    ids: dict[str, Any] = {"item_id": run.item_id, "batch_id": run.batch_id}
    if status.state is JobStatus.CANCELLED:
        what = "was canceled"
        if status.gone:
            what = "was removed from the queue (deleted, cleared, pruned) before it was heard how it ended"
        raise RunCanceledError(f"Queue item {run.item_id} {what}.", **ids)
    if status.state is not JobStatus.FAILED:
        return
    node_id = failing or status.node_id
    label = run.node_label(node_id) if node_id else "an unknown node"
    message = " ".join((status.error_message or "").split())
    raise RunFailedError(
        f"Queue item {run.item_id} failed at {label}: {status.error_type}: {clip(message, 500)}",
        node_id=node_id,
        node_label=label,
        error_type=status.error_type,
        error_message=status.error_message,
        error_traceback=status.error_traceback,
        **ids,
    )
