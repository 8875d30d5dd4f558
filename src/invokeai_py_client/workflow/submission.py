"""What a submission gives back."""

from __future__ import annotations

from invokeai_py_client.models.row import Row


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
