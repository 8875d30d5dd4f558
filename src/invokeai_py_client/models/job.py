"""A queue item as a record of its own: what became of one run."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from invokeai_py_client.errors import InputValueError
from invokeai_py_client.models.base import Identifier, IvkModel, JobStatusField, Timestamp, as_mapping
from invokeai_py_client.models.enums import JobStatus

_BULKY = ("session", "workflow")  # a queue item carries its whole graph, twice
_OWN_NAMES = {"item_id": "id", "error_message": "error"}


class IvkJob(IvkModel):
    """What the queue knows about one item.

    Attributes:
        id: The item's id, as text. Where only a session is known, the session's id.
        workflow_id: The library workflow it runs, where known.
        status: How far it is; a word that this client does not know stays text.
        progress: 0 to 1; records of the queue tell only 0 or 1.
        error: The error's message, where it failed.
        outputs: What its nodes gave, by their ids in the executed graph.
        metadata: What else the queue says: ``batch_id``, ``origin``, ``field_values``...
        session_id: The session it runs in; images carry it too.
    """

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
                raise InputValueError("IvkJob: id is missing (a queue item's id, or else session_id).")
            data["id"] = known
        super().__init__(**data)

    @property
    def item_id(self) -> int | None:
        """The queue item's id as the server counts; None where only a session is known."""
        return int(self.id) if self.id.isascii() and self.id.isdigit() else None

    @property
    def batch_id(self) -> str | None:
        """The batch that the item belongs to."""
        batch_id = self.metadata.get("batch_id")
        return batch_id if isinstance(batch_id, str) else None

    @property
    def queue_id(self) -> str | None:
        """The queue that it is in."""
        return self.metadata.get("queue_id")

    @property
    def origin(self) -> str | None:
        """Who asked for it, by a word of the asker's."""
        return self.metadata.get("origin")

    @property
    def destination(self) -> str | None:
        """Where its results go, by a word of the asker's."""
        return self.metadata.get("destination")

    @property
    def priority(self) -> int:
        """How it stands to other items: the higher the sooner."""
        return int(self.metadata.get("priority") or 0)

    @property
    def field_values(self) -> list[dict[str, Any]]:
        """The values that it alone has of its batch."""
        return list(self.metadata.get("field_values") or ())

    @property
    def error_message(self) -> str | None:
        """The same as ``error``."""
        return self.error

    @property
    def error_type(self) -> str | None:
        """The type of the exception, where it failed."""
        return self.metadata.get("error_type")

    @property
    def error_traceback(self) -> str | None:
        """The server's traceback, where it failed."""
        return self.metadata.get("error_traceback")

    def is_complete(self) -> bool:
        """Whether it has ended, in whatever way."""
        return isinstance(self.status, JobStatus) and self.status.is_final

    def is_successful(self) -> bool:
        """Whether it has ended well."""
        return self.status is JobStatus.COMPLETED

    @classmethod
    def _shape(cls, data: dict[str, Any]) -> dict[str, Any]:
        if "item_id" not in data:
            return data
        job: dict[str, Any] = {"metadata": dict(as_mapping(data.pop("metadata", None)))}
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
