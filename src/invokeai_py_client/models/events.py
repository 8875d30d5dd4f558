"""Records of live events from a server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import AliasChoices, Field

from invokeai_py_client.models.base import EventTimestamp, IvkModel, JobStatusField, as_mapping
from invokeai_py_client.models.enums import JobStatus

_NODE_STATUS = {
    "invocation_started": JobStatus.RUNNING,
    "invocation_progress": JobStatus.RUNNING,
    "invocation_complete": JobStatus.COMPLETED,
    "invocation_error": JobStatus.FAILED,
}


class SessionEvent(IvkModel):
    """An event of any kind.

    Attributes:
        event: Its name: ``queue_item_status_changed``, ``invocation_progress``...
        session_id: The id of the session that it is about, if any.
        timestamp: The time when the server sent it.
        data: The event's complete data.
    """

    _brief: ClassVar[tuple[str, ...]] = ("event", "session_id")

    event: str = Field(validation_alias=AliasChoices("event", "event_type"))
    session_id: str | None = None
    timestamp: EventTimestamp = None
    data: dict[str, Any] = Field(default_factory=dict[str, Any])

    @property
    def event_type(self) -> str:
        """An alias of ``event``."""
        return self.event

    @classmethod
    def from_event(cls, name: str, payload: Mapping[str, Any]) -> Self:
        """Create a record from an event's name and data.

        >>> SessionEvent.from_event("batch_enqueued", {"timestamp": 0, "enqueued": 1}).timestamp.year
        1970
        """
        data = dict(as_mapping(payload))
        return cls.from_api_response(
            {
                "event": name,
                "session_id": data.get("session_id"),
                "timestamp": data.get("timestamp"),
                "data": data,
            }
        )


class InvocationEvent(IvkModel):
    """An event about a node that is being executed.

    Attributes:
        invocation_id: The node's id in the executed graph. ``node_id`` is its id in the workflow.
        invocation_type: The node's type.
        status: RUNNING, COMPLETED or FAILED.
        outputs: The node's outputs, after it finished.
        error: The error message, if it failed.
        node_id: The node's id in the workflow.
        progress: The progress from 0 to 1, if the server reports it.
        message: The server's description of the current step, if it sends one.
    """

    _brief: ClassVar[tuple[str, ...]] = (
        "invocation_type",
        "status",
        "progress",
        "message",
        "error",
        "item_id",
    )

    invocation_id: str
    invocation_type: str = ""
    status: JobStatusField = JobStatus.RUNNING
    outputs: dict[str, Any] | None = None
    error: str | None = None
    node_id: str | None = None
    progress: float | None = None
    message: str | None = None
    session_id: str | None = None
    item_id: int | None = None
    batch_id: str | None = None
    timestamp: EventTimestamp = None

    @classmethod
    def from_event(cls, name: str, payload: Mapping[str, Any]) -> Self:
        """Create a record from the name and data of an ``invocation_*`` event.

        Raises:
            InputValueError: The event is not about a node.
        """
        data = as_mapping(payload)
        node = as_mapping(data.get("invocation"))
        return cls.from_api_response(
            {
                "invocation_id": node.get("id"),
                "invocation_type": node.get("type"),
                "status": _NODE_STATUS.get(name, JobStatus.RUNNING),
                "outputs": data.get("result"),
                "error": data.get("error_message"),
                "node_id": data.get("invocation_source_id"),
                "progress": data.get("percentage"),
                "message": data.get("message"),
                "session_id": data.get("session_id"),
                "item_id": data.get("item_id"),
                "batch_id": data.get("batch_id"),
                "timestamp": data.get("timestamp"),
            }
        )
