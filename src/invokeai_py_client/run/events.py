"""Typed events about runs.

Each class represents one of the server's Socket.IO events (InvokeAI 5.15 to 6.14), and ``raw`` holds the original
payload. Events can also be read like dictionaries: ``event["status"]``, ``event.get("node_id")``, ``dict(event)``.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator, KeysView, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, cast

from invokeai_py_client._text import brief_repr
from invokeai_py_client.models.enums import JobStatus
from invokeai_py_client.models.job import is_hidden
from invokeai_py_client.transport.json_shape import as_object


@dataclass(frozen=True, slots=True)
class Preview:
    """A preview of the image that is being generated.

    Attributes:
        width: Width of the finished image in pixels. The preview is about an eighth of that.
        height: Height of the finished image in pixels.
        data_url: The preview as a ``data:`` URL (a JPEG).
    """

    width: int
    height: int
    data_url: str = field(repr=False)

    @property
    def data(self) -> bytes:
        """The bytes of the preview, a JPEG file."""
        return b64decode(self.data_url.partition(",")[2])


@dataclass(frozen=True, slots=True)
class RunEvent:
    """Base class for events about a run.

    Attributes:
        item_id: The queue item's id.
        timestamp: Seconds since 1970, by the server's clock.
        raw: The payload as the server sent it.
    """

    __repr__ = brief_repr

    event_type: ClassVar[str] = ""
    _further_keys: ClassVar[tuple[str, ...]] = ("event_type",)

    item_id: int
    timestamp: float = field(repr=False)
    raw: Mapping[str, Any] = field(repr=False)

    def keys(self) -> KeysView[str]:
        """Return the keys that can be read: the event's attributes and the keys of the raw payload."""
        return dict.fromkeys((*self._further_keys, *self.__dataclass_fields__, *self.raw)).keys()

    def get(self, key: str, default: Any = None) -> Any:
        """Return an attribute of the event or a value of the raw payload.

        Args:
            key: The name of the attribute, or the key in the payload.
            default: The value to return if neither exists. Defaults to None.
        """
        try:
            return self[key]
        except KeyError:
            return default

    def __getitem__(self, key: str) -> Any:
        if key in self._further_keys or key in self.__dataclass_fields__:
            return getattr(self, key)
        return self.raw[key]

    def __contains__(self, key: object) -> bool:
        return key in self.keys()

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())


@dataclass(frozen=True, slots=True, repr=False)
class StatusChanged(RunEvent):
    """The status of the queue item changed.

    Attributes:
        status: The new status.
        sequence: A number that increases with every change of this item (6.14+), or None on older servers.
        error_type: The server's exception type, if the item failed.
        error_message: The server's message, if the item failed.
        error_traceback: The server's traceback, if the item failed.
    """

    event_type = "queue_item_status_changed"

    status: JobStatus
    sequence: int | None = None
    error_type: str | None = None
    error_message: str | None = None
    error_traceback: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, repr=False)
class NodeEvent(RunEvent):
    """Base class for events about one node.

    Attributes:
        node_id: The node's id in the workflow.
        node_type: Its invocation type.
        prepared_id: Its id in this execution. A node inside an iteration has a different id in each pass.
    """

    node_id: str
    node_type: str
    prepared_id: str = field(repr=False)


@dataclass(frozen=True, slots=True, repr=False)
class NodeStarted(NodeEvent):
    """A node started."""

    event_type = "invocation_started"


@dataclass(frozen=True, slots=True, repr=False)
class NodeProgress(NodeEvent):
    """A node reported its progress.

    Attributes:
        message: The server's description of the current step.
        fraction: The completed fraction, from 0 to 1, or None if the server does not know it.
        preview: A preview of the image, for nodes that denoise.
    """

    event_type = "invocation_progress"
    _further_keys = ("event_type", "progress")

    message: str = ""
    fraction: float | None = None
    preview: Preview | None = None

    @property
    def progress(self) -> float:
        """The completed fraction, or 0 if the server does not know it. The name is from version 1."""
        return self.fraction or 0.0


@dataclass(frozen=True, slots=True, repr=False)
class NodeCompleted(NodeEvent):
    """A node finished, or its result was taken from the server's cache.

    Attributes:
        output: Its result, as the server sends it.
    """

    event_type = "invocation_complete"

    output: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)


@dataclass(frozen=True, slots=True, repr=False)
class NodeFailed(NodeEvent):
    """A node failed, and with it the run.

    Attributes:
        error_type: The server's exception type.
        error_message: The server's message.
        error_traceback: The server's traceback.
    """

    event_type = "invocation_error"

    error_type: str = ""
    error_message: str = ""
    error_traceback: str = field(default="", repr=False)


def parse_event(name: str, payload: Any) -> RunEvent | None:
    """Convert a socket event into a typed event, or return None if it is not about a queue item.

    Also returns None for events about other users' items, which servers from 6.12 send with all details removed.
    """
    if not isinstance(payload, dict):
        return None
    data = cast("dict[str, Any]", payload)
    item_id = whole_number(data.get("item_id"))
    if item_id is None or is_hidden(data):
        return None
    when = data.get("timestamp")
    timestamp = float(when) if isinstance(when, int | float) and abs(when) < 2**53 else 0.0
    if name == StatusChanged.event_type:
        try:
            status = JobStatus(str(data.get("status")))
        except ValueError:
            return None  # a status of a newer server: waits read the item itself
        return StatusChanged(
            item_id,
            timestamp,
            data,
            status,
            whole_number(data.get("status_sequence")),
            text_or_none(data.get("error_type")),
            text_or_none(data.get("error_message")),
            text_or_none(data.get("error_traceback")),
        )
    if name not in _NODE_EVENTS:
        return None
    invocation = as_object(data.get("invocation"))
    prepared_id = str(invocation.get("id") or "")
    node_id = str(data.get("invocation_source_id") or prepared_id)
    about = item_id, timestamp, data, node_id, str(invocation.get("type") or ""), prepared_id
    if name == NodeStarted.event_type:
        return NodeStarted(*about)
    if name == NodeProgress.event_type:
        fraction = data.get("percentage")
        return NodeProgress(
            *about,
            str(data.get("message") or ""),
            float(fraction) if isinstance(fraction, int | float) and 0 <= fraction <= 1 else None,
            _preview(data.get("image")),
        )
    if name == NodeCompleted.event_type:
        return NodeCompleted(*about, as_object(data.get("result")))
    return NodeFailed(
        *about,
        str(data.get("error_type") or ""),
        str(data.get("error_message") or ""),
        str(data.get("error_traceback") or ""),
    )


_NODE_EVENTS = frozenset(kind.event_type for kind in (NodeStarted, NodeProgress, NodeCompleted, NodeFailed))


def _preview(image: Any) -> Preview | None:
    if not isinstance(image, dict):
        return None
    data = cast("dict[str, Any]", image)
    url = data.get("dataURL")
    if not isinstance(url, str):
        return None
    return Preview(whole_number(data.get("width")) or 0, whole_number(data.get("height")) or 0, url)


def whole_number(value: Any) -> int | None:
    """Return a value if it is a whole number, else None."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def text_or_none(value: Any) -> str | None:
    """Return a value if it is a string, else None."""
    return value if isinstance(value, str) else None
