"""The record of a queue item."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from pydantic import Field

from invokeai_py_client.errors import InputValueError
from invokeai_py_client.models.base import (
    Identifier,
    IvkModel,
    JobStatusField,
    Timestamp,
    as_mapping,
    parse_timestamp,
)
from invokeai_py_client.models.enums import JobStatus

_BULKY = ("session", "workflow")  # each contains the whole graph
_OWN_NAMES = {"item_id": "id", "error_message": "error"}
_HIDDEN = "redacted"
# The server replaces the values of these by "redacted" or 0 in other users' items.
_HIDDEN_KEYS = ("user_id", "batch_id", "session_id", "priority")


def is_hidden(item: Mapping[str, Any]) -> bool:
    """Whether the server hides the details of a queue item, because it belongs to another user (InvokeAI 6.12+)."""
    return item.get("user_id") == _HIDDEN


class IvkJob(IvkModel):
    """The record of a queue item.

    Values that the server did not send have the value None. Listings of InvokeAI 6.14 contain no errors, priorities
    and sessions, except listings of failed items.

    Attributes:
        id: The item's id as text, or the session's id if only that is known.
        workflow_id: The id of the library workflow that it runs, if known.
        status: The status. A status that this client does not know stays text.
        progress: The progress from 0 to 1. Records from the queue have only 0 or 1.
        error: The error message, if it failed and the error is known.
        outputs: The outputs of its nodes, by their ids in the executed graph.
        metadata: Further data from the queue: ``batch_id``, ``origin``, ``field_values``...
        session_id: The id of its session, which its images have too. None if it is not known.
    """

    _brief: ClassVar[tuple[str, ...]] = ("id", "status", "progress", "error")

    _words = {"status": JobStatus}  # noqa: RUF012

    id: Identifier
    workflow_id: str | None = None
    status: JobStatusField = JobStatus.PENDING
    progress: float = Field(default=0.0, ge=0.0, le=1.0)
    created_at: Timestamp = None
    started_at: Timestamp = None
    completed_at: Timestamp = None
    error: str | None = None
    outputs: dict[str, Any] = Field(default_factory=dict[str, Any])
    metadata: dict[str, Any] = Field(default_factory=dict[str, Any])
    session_id: str | None = None

    def __init__(self, /, **data: Any) -> None:
        if data.get("id") is None:
            known = data.pop("item_id", None)
            known = data.get("session_id") if known is None else known
            if known is None:
                raise InputValueError(
                    "IvkJob: id is missing; expected the id of a queue item, or session_id."
                )
            data["id"] = known
        super().__init__(**data)

    @property
    def item_id(self) -> int | None:
        """The id of the queue item, or None if only its session is known."""
        return int(self.id) if self.id.isascii() and self.id.isdigit() else None

    @property
    def batch_id(self) -> str | None:
        """The id of the item's batch. None if the item belongs to another user."""
        batch_id = self.metadata.get("batch_id")
        return batch_id if isinstance(batch_id, str) else None

    @property
    def queue_id(self) -> str | None:
        """The id of the item's queue."""
        return self.metadata.get("queue_id")

    @property
    def origin(self) -> str | None:
        """The name that the client set for the origin of the request."""
        return self.metadata.get("origin")

    @property
    def destination(self) -> str | None:
        """The name that the client set for the destination of the results."""
        return self.metadata.get("destination")

    @property
    def priority(self) -> int | None:
        """The item's priority, or None if it is not known. Items with a higher priority run first."""
        priority = self.metadata.get("priority")
        return priority if isinstance(priority, int) else None

    @property
    def user_id(self) -> str | None:
        """The id of the user who sent the item, or None if it is not known."""
        return self._text("user_id")

    @property
    def user_email(self) -> str | None:
        """The email address of the user who sent the item (InvokeAI 6.12+), or None if it is not known."""
        return self._text("user_email")

    @property
    def user_display_name(self) -> str | None:
        """The name of the user who sent the item (InvokeAI 6.12+), or None if it is not known."""
        return self._text("user_display_name")

    @property
    def device(self) -> str | None:
        """The GPU that executes or executed the item, such as ``cuda:1`` (InvokeAI 6.14+), or None if not known."""
        return self._text("device")

    @property
    def updated_at(self) -> datetime | str | None:
        """The time when the item last changed, or None if it is not known."""
        return parse_timestamp(self._text("updated_at"))

    @property
    def status_sequence(self) -> int | None:
        """A number that increases with each change of the status (InvokeAI 6.13+), or None if it is not known."""
        return self._number("status_sequence")

    @property
    def retried_from_item_id(self) -> int | None:
        """The id of the item of which this one is a retry. For a retry of a retry, the first one. None if not known."""
        return self._number("retried_from_item_id")

    @property
    def parent_item_id(self) -> int | None:
        """The id of the item that called this one, if it runs a called workflow (InvokeAI 6.13+)."""
        return self._number("parent_item_id")

    @property
    def root_item_id(self) -> int | None:
        """The id of the item at the start of the chain of calls, if it runs a called workflow (InvokeAI 6.13+)."""
        return self._number("root_item_id")

    @property
    def workflow_call_depth(self) -> int | None:
        """The depth in the chain of calls, from 1, if it runs a called workflow (InvokeAI 6.13+)."""
        return self._number("workflow_call_depth")

    @property
    def is_redacted(self) -> bool:
        """Whether the item belongs to another user, so that only its id, state, device and times are known."""
        return self.metadata.get("redacted") is True

    @property
    def field_values(self) -> list[dict[str, Any]]:
        """The batch values specific to this item."""
        return list(self.metadata.get("field_values") or ())

    @property
    def error_message(self) -> str | None:
        """An alias of ``error``."""
        return self.error

    @property
    def error_type(self) -> str | None:
        """The type of the exception, if it failed."""
        return self.metadata.get("error_type")

    @property
    def error_traceback(self) -> str | None:
        """The server's traceback, if it failed."""
        return self.metadata.get("error_traceback")

    def _text(self, key: str) -> str | None:
        value = self.metadata.get(key)
        return value if isinstance(value, str) else None

    def _number(self, key: str) -> int | None:
        value = self.metadata.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def is_complete(self) -> bool:
        """Return whether the item has ended, successfully or not."""
        return isinstance(self.status, JobStatus) and self.status.is_final

    def is_successful(self) -> bool:
        """Return whether the item completed successfully."""
        return self.status is JobStatus.COMPLETED

    @classmethod
    def _shape(cls, data: dict[str, Any]) -> dict[str, Any]:
        if "item_id" not in data:
            return data
        job: dict[str, Any] = {"metadata": dict(as_mapping(data.pop("metadata", None)))}
        if is_hidden(data):
            data = {key: value for key, value in data.items() if key not in _HIDDEN_KEYS}
            job["metadata"]["redacted"] = True
        job["outputs"] = dict(as_mapping(as_mapping(data.get("session")).get("results")))
        for key, value in data.items():
            name = _OWN_NAMES.get(key, key)
            if name in cls.model_fields:
                job[name] = value if value is not None else job.get(name)
            elif key not in _BULKY and value is not None:
                job["metadata"][key] = value
        if job.get("progress") is None and JobStatus.parse(str(job.get("status"))) is JobStatus.COMPLETED:
            job["progress"] = 1.0
        return job
