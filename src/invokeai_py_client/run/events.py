"""Typed events about runs.

Each class represents one of the server's Socket.IO events (InvokeAI 5.15 to 6.14), and ``raw`` holds the original
payload. Events can also be read like dictionaries: ``event["status"]``, ``event.get("node_id")``, ``dict(event)``.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator, KeysView, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, cast

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


# What the server writes into the copies of events about other users' items, in place of ids (InvokeAI 6.12+).
_REDACTED = "redacted"


class ServerEvent:
    """Base class for the server's events. They can also be read like dictionaries.

    Attributes:
        timestamp: Seconds since 1970, by the server's clock.
        raw: The payload as the server sent it.
    """

    __slots__ = ()

    event_type: ClassVar[str] = ""
    _further_keys: ClassVar[tuple[str, ...]] = ("event_type",)
    if TYPE_CHECKING:
        __dataclass_fields__: ClassVar[dict[str, Any]]

        @property
        def timestamp(self) -> float:
            """Seconds since 1970, by the server's clock."""
            ...

        @property
        def raw(self) -> Mapping[str, Any]:
            """The payload as the server sent it."""
            ...

    __repr__ = brief_repr

    @property
    def redacted(self) -> bool:
        """Whether the server removed the details, because the event is about other users' items (InvokeAI 6.12+)."""
        return self.raw.get("user_id") == _REDACTED

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
        value = self.raw[key]
        return None if value == _REDACTED else value

    def __contains__(self, key: object) -> bool:
        return key in self.keys()

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())


@dataclass(frozen=True, slots=True)
class RunEvent(ServerEvent):
    """Base class for events about a run.

    Attributes:
        item_id: The queue item's id.
        timestamp: Seconds since 1970, by the server's clock.
        raw: The payload as the server sent it.
    """

    __repr__ = brief_repr

    item_id: int
    timestamp: float = field(repr=False)  # pyright: ignore[reportIncompatibleMethodOverride]
    raw: Mapping[str, Any] = field(repr=False)  # pyright: ignore[reportIncompatibleMethodOverride]

    @property
    def queue_id(self) -> str | None:
        """The id of the queue."""
        return text_or_none(self.get("queue_id"))

    @property
    def batch_id(self) -> str | None:
        """The id of the batch, or None if the server hides it."""
        return text_or_none(self.get("batch_id"))

    @property
    def session_id(self) -> str | None:
        """The id of the session, or None if the server hides it."""
        return text_or_none(self.get("session_id"))

    @property
    def origin(self) -> str | None:
        """The origin that the client which sent the item set, if any."""
        return text_or_none(self.get("origin"))

    @property
    def destination(self) -> str | None:
        """The destination that the client which sent the item set, if any."""
        return text_or_none(self.get("destination"))

    @property
    def user_id(self) -> str | None:
        """The id of the item's owner (InvokeAI 6.12+), or None if the server hides it."""
        return text_or_none(self.get("user_id"))


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

    @property
    def created_at(self) -> str | None:
        """When the item was created, as the server writes times."""
        return text_or_none(self.get("created_at"))

    @property
    def updated_at(self) -> str | None:
        """When the item was last updated, as the server writes times."""
        return text_or_none(self.get("updated_at"))

    @property
    def started_at(self) -> str | None:
        """When the item started, as the server writes times, or None if it has not started."""
        return text_or_none(self.get("started_at"))

    @property
    def completed_at(self) -> str | None:
        """When the item ended, as the server writes times, or None if it has not ended."""
        return text_or_none(self.get("completed_at"))

    @property
    def batch_status(self) -> Mapping[str, Any]:
        """The batch's status and counts of items. Empty if the server did not send them."""
        return as_object(self.get("batch_status"))

    @property
    def queue_status(self) -> Mapping[str, Any]:
        """The queue's counts of items, of all users. Empty if the server did not send them."""
        return as_object(self.get("queue_status"))


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

    @property
    def invocation(self) -> Mapping[str, Any]:
        """The node with its values, as the server executes it."""
        return as_object(self.get("invocation"))


@dataclass(frozen=True, slots=True, repr=False)
class ModelEvent(NodeEvent):
    """Base class for events about a model that the server loads for a node.

    The server does not say for which run it loads a model. So these events exist only if it can be inferred: the node
    uses the model, and no other node that is running does. ``raw`` also contains the ids of the item and the node.

    Attributes:
        model_key: The model's key.
        model_name: Its name.
        submodel: The part that is loaded, such as ``unet`` or ``vae``, or None if the model has no parts.
    """

    model_key: str = field(repr=False)
    model_name: str
    submodel: str | None = None

    @property
    def what(self) -> str:
        """The model and its part as text, such as ``Dreamshaper 8 (unet)``."""
        return f"{self.model_name} ({self.submodel})" if self.submodel else self.model_name


@dataclass(frozen=True, slots=True, repr=False)
class ModelLoading(ModelEvent):
    """The server started to load a model for a node. The first time, this can take minutes.

    If the model is in memory already, ``ModelLoaded`` follows at once.
    """

    event_type = "model_load_started"


@dataclass(frozen=True, slots=True, repr=False)
class ModelLoaded(ModelEvent):
    """The server loaded a model for a node."""

    event_type = "model_load_complete"


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
        device: The GPU that executes the run, such as ``cuda:1`` (InvokeAI 6.14+), or None if the server does not say.
    """

    event_type = "invocation_progress"
    _further_keys = ("event_type", "progress")

    message: str = ""
    fraction: float | None = None
    preview: Preview | None = None
    device: str | None = None

    def __setstate__(self, state: list[Any]) -> None:
        # Earlier versions stored a list of the values, without the device.
        for name, value in zip(self.__dataclass_fields__, (*state, None), strict=False):
            object.__setattr__(self, name, value)

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


def parse_event(name: str, payload: Any, *, hidden: bool = False) -> RunEvent | None:
    """Convert a socket event into a typed event, or return None if it is not about a queue item.

    Args:
        name: The event's name.
        payload: Its payload.
        hidden: Whether to convert events about other users' items, which servers from 6.12 send with all details
            removed. Defaults to False: return None.
    """
    if not isinstance(payload, dict):
        return None
    data = cast("dict[str, Any]", payload)
    item_id = whole_number(data.get("item_id"))
    if item_id is None or (is_hidden(data) and not hidden):
        return None
    timestamp = time_of(data)
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
            text_or_none(data.get("device")),
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


def time_of(payload: Mapping[str, Any]) -> float:
    """Return the time of an event, or 0 if it has none."""
    when = payload.get("timestamp")
    return float(when) if isinstance(when, int | float) and abs(when) < 2**53 else 0.0


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
