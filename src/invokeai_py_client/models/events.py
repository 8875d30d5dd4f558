"""Live events of a server as records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

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
    """Any event.

    Attributes:
        event: Its name: ``queue_item_status_changed``, ``invocation_progress``...
        session_id: The session it is about, where it is about one.
        timestamp: When the server sent it.
        data: All that it carries.
    """

    event: str = Field(validation_alias=AliasChoices("event", "event_type"))
    session_id: str | None = None
    timestamp: EventTimestamp = None
    data: dict[str, Any] = Field(default_factory=dict[str, Any])

    @property
    def event_type(self) -> str:
        """The same as ``event``."""
        return self.event

    @classmethod
    def from_event(cls, name: str, payload: Mapping[str, Any]) -> Self:
        """Read an event as the event socket delivers it.

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
    """An event about a node at work.

    Attributes:
        invocation_id: The node's id in the executed graph; ``node_id`` is its id in the workflow.
        invocation_type: The node's type.
        status: RUNNING, COMPLETED or FAILED.
        outputs: What the node gave, once it is done.
        error: The error's message, where it failed.
        progress: 0 to 1, where the server tells.
        message: What the node is doing, where the server tells.
    """

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
        """Read an ``invocation_*`` event as the event socket delivers it.

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
