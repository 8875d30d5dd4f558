"""The status of a run, and how events change it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from invokeai_py_client._text import brief_repr, printable
from invokeai_py_client.models.enums import JobStatus
from invokeai_py_client.run.events import (
    ModelLoaded,
    ModelLoading,
    NodeCompleted,
    NodeEvent,
    NodeFailed,
    NodeProgress,
    NodeStarted,
    Preview,
    RunEvent,
    StatusChanged,
    text_or_none,
    whole_number,
)

TERMINAL = frozenset({JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED})


@dataclass(frozen=True, slots=True)
class RunStatus:
    """The status of a run.

    Attributes:
        state: The state: pending, running, waiting (for a workflow that it called), completed, failed or
            ``cancelled``.
        position: How many queue items are ahead of it while it is pending, or None if unknown.
        node_id: The id of the current node, or of the last node that ran.
        node_type: That node's invocation type.
        message: The server's description of the node's current step.
        fraction: The completed fraction of that node, from 0 to 1, or None if the server does not know it.
        prepared_id: That node's id in this execution.
        ended: The ids, in this execution, of the nodes that have ended. Empty after the run has completed or was
            canceled.
        preview: The latest preview image. None after the run has ended.
        error_type: The server's exception type, if the run failed.
        error_message: The server's message, if the run failed.
        error_traceback: The server's traceback, if the run failed.
        sequence: The server's counter of status changes (6.14+).
        released: The number of ended nodes that are no longer listed in ``ended``.
        gone: Whether the queue item was removed from the server (deleted, cleared or pruned) before its result was
            known. Such a run counts as canceled, but may have completed.
        loading: The model that the server is loading for the current node, such as ``Dreamshaper 8 (unet)``, or None if
            it loads none or if it is not known for which run.
        device: The GPU that executes the run, such as ``cuda:1`` (InvokeAI 6.14+), or None if unknown.
    """

    __repr__ = brief_repr

    state: JobStatus = JobStatus.PENDING
    position: int | None = None
    node_id: str | None = None
    node_type: str | None = None
    message: str = ""
    fraction: float | None = None
    prepared_id: str | None = None
    ended: frozenset[str] = field(default=frozenset(), repr=False)
    preview: Preview | None = None
    error_type: str | None = None
    error_message: str | None = None
    error_traceback: str | None = None
    sequence: int | None = None
    gone: bool = False
    released: int = field(default=0, repr=False)
    loading: str | None = None
    device: str | None = None

    @property
    def nodes_done(self) -> int:
        """How many nodes have ended."""
        return len(self.ended) + self.released

    @property
    def done(self) -> bool:
        """Whether the run has ended, successfully or not."""
        return self.state in TERMINAL

    @property
    def ok(self) -> bool:
        """Whether the run completed successfully."""
        return self.state is JobStatus.COMPLETED

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    def __setstate__(self, state: Any) -> None:
        # Earlier versions stored a list of the values, without the last ones.
        values: Mapping[str, Any] = (
            dict(zip(self.__slots__, cast("list[Any]", state), strict=False))
            if isinstance(state, list)
            else state
        )
        for name, value in {"released": 0, "loading": None, "device": None, **values}.items():
            object.__setattr__(self, name, value)

    def __str__(self) -> str:
        if self.state is JobStatus.PENDING and self.position is not None:
            return f"pending ({self.position} ahead)"
        if self.state is JobStatus.RUNNING and self.node_type:
            share = "" if self.fraction is None else f" {self.fraction:.0%}"
            loading = f" (loading {self.loading})" if self.loading else ""
            return printable(f"running {self.node_type}{share}{loading}")
        if self.state is JobStatus.FAILED and self.error_type:
            return printable(f"failed: {self.error_type}: {self.error_message}")
        return state_word(self.state)


def changed(status: RunStatus, **changes: Any) -> RunStatus:
    """Return a copy of a status with other values. ``dataclasses.replace`` takes twice as long."""
    after = object.__new__(RunStatus)
    for name in RunStatus.__slots__:
        object.__setattr__(after, name, changes[name] if name in changes else getattr(status, name))
    return after


def state_word(state: JobStatus | str) -> str:
    """Return the word for a state in text for people. It is the server's word, "canceled", for ``CANCELLED``."""
    return "canceled" if state is JobStatus.CANCELLED else str(state)


def fold(status: RunStatus, event: RunEvent) -> RunStatus:
    """Return the status after an event, or the same object if the event changes nothing.

    Events can arrive twice, late or out of order. 6.13 sends each event to two rooms, the second time without the
    preview. A run that has ended stays ended unless the server sends a status with a higher sequence number.
    """
    if isinstance(event, StatusChanged):
        return _fold_status(status, event)
    if not isinstance(event, NodeEvent) or event.prepared_id in status.ended:
        return status
    if isinstance(event, NodeFailed):
        return _fold_failure(status, event)
    if status.done:
        return status
    if isinstance(event, NodeStarted):
        if event.prepared_id == status.prepared_id:
            return status
        return _at_node(status, event, message="", fraction=None, loading=None)
    if isinstance(event, NodeProgress):
        return _fold_progress(status, event)
    if isinstance(event, NodeCompleted):
        return changed(status, ended=status.ended | {event.prepared_id}, loading=None)
    if isinstance(event, ModelLoading):
        return status if event.what == status.loading else changed(status, loading=event.what)
    if isinstance(event, ModelLoaded):
        return changed(status, loading=None) if status.loading else status
    return status


def _fold_failure(status: RunStatus, event: NodeFailed) -> RunStatus:
    # This event follows the failed status on 6.14 and precedes it on other servers. It only adds the details.
    if status.done and status.state is not JobStatus.FAILED:
        return status
    return changed(
        status,
        node_id=event.node_id,
        node_type=event.node_type,
        prepared_id=event.prepared_id,
        ended=status.ended | {event.prepared_id},
        error_type=event.error_type,
        error_message=event.error_message,
        error_traceback=event.error_traceback,
    )


def _fold_status(status: RunStatus, event: StatusChanged) -> RunStatus:
    if event.sequence is not None and status.sequence is not None:
        if event.sequence <= status.sequence:
            return status
    elif status.done or (event.sequence is None and _says_nothing_new(event.status, status)):
        return status
    return changed(
        status,
        state=event.status,
        sequence=status.sequence if event.sequence is None else event.sequence,
        position=status.position if event.status is JobStatus.PENDING else None,
        error_type=event.error_type or status.error_type,
        error_message=event.error_message or status.error_message,
        error_traceback=event.error_traceback or status.error_traceback,
    )


def slim(status: RunStatus) -> RunStatus:
    """Return the status of a run that has ended without what is no longer needed, because clients keep many runs."""
    # A node that fails is reported after the status (6.14), and sometimes twice: its id is needed to count it once.
    ended = status.ended if status.state is JobStatus.FAILED else frozenset[str]()
    return changed(
        status,
        node_id=None if status.node_id is None else sys.intern(status.node_id),
        node_type=None if status.node_type is None else sys.intern(status.node_type),
        ended=ended,
        released=status.released + len(status.ended) - len(ended),
        preview=None,
        loading=None,
    )


def _says_nothing_new(state: JobStatus, status: RunStatus) -> bool:
    return state is status.state or _is_overtaken(state, status)


def _is_overtaken(state: JobStatus, status: RunStatus) -> bool:
    """Return whether a status without a sequence number (before 6.14) is older than the current one.

    On those servers, a running item never becomes pending again.
    """
    return state is JobStatus.PENDING and status.state is JobStatus.RUNNING


def _at_node(status: RunStatus, event: NodeStarted | NodeProgress, **changes: Any) -> RunStatus:
    return changed(
        status,
        state=JobStatus.RUNNING,
        position=None,
        node_id=event.node_id,
        node_type=event.node_type,
        prepared_id=event.prepared_id,
        **changes,
    )


def _fold_progress(status: RunStatus, event: NodeProgress) -> RunStatus:
    reported = (event.prepared_id, event.message, event.fraction)
    if reported == (status.prepared_id, status.message, status.fraction) and (
        event.preview is None or event.preview == status.preview
    ):
        return status
    return _at_node(
        status,
        event,
        message=event.message,
        fraction=event.fraction,
        preview=event.preview or status.preview,
        device=event.device or status.device,
    )


def has_ended(item: Mapping[str, Any]) -> bool:
    """Return whether a queue item has ended. Only then does it contain all results."""
    try:
        return JobStatus(str(item.get("status"))) in TERMINAL
    except ValueError:
        return False


def never_started(item: Mapping[str, Any]) -> bool:
    """Return whether a queue item was canceled before it started. Then its summary is all that is known about it."""
    return item.get("status") == "canceled" and "started_at" in item and item["started_at"] is None


def status_of_item(item: Mapping[str, Any], before: RunStatus) -> RunStatus:
    """Return the status after reading the queue item, which is authoritative.

    If a newer event has arrived since the read, the status does not change.
    """
    sequence = whole_number(item.get("status_sequence"))
    if sequence is not None and before.sequence is not None and sequence < before.sequence:
        return before
    try:
        state = JobStatus(str(item.get("status")))
    except ValueError:
        return before
    if sequence is None and (_is_overtaken(state, before) or (before.done and state not in TERMINAL)):
        return before
    return changed(
        before,
        state=state,
        sequence=sequence if sequence is not None else before.sequence,
        position=before.position if state is JobStatus.PENDING else None,
        error_type=text_or_none(item.get("error_type")) or before.error_type,
        error_message=text_or_none(item.get("error_message")) or before.error_message,
        error_traceback=text_or_none(item.get("error_traceback")) or before.error_traceback,
    )
