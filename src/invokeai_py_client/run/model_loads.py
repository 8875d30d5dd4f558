"""Infer for which run the server loads a model. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from invokeai_py_client.models.job import is_hidden
from invokeai_py_client.run.events import (
    ModelEvent,
    ModelLoaded,
    ModelLoading,
    NodeCompleted,
    NodeFailed,
    NodeStarted,
    StatusChanged,
    text_or_none,
    time_of,
    whole_number,
)
from invokeai_py_client.transport.json_shape import as_object

_NO_NODE: Mapping[str, Any] = {}


@dataclass(slots=True)
class _Item:
    """A queue item in progress.

    Attributes:
        queue_id: Its queue.
        hidden: Whether it is another user's.
        node: The event with which its current node started. Empty between two nodes.
    """

    queue_id: str
    hidden: bool
    node: Mapping[str, Any]


class ModelLoads:
    """The nodes that are running on the server, as far as known from events.

    Events about the loading of models name neither a run nor a node. From 6.14, they only go to the user whose action
    needs the model. That may be a run of this client or of another one, on any GPU, or a request for a prompt. So a
    load is attributed to a node only if all items in progress are known, and if this node is the only one that contains
    the model's key. Servers before 6.14 send these events to all users, so nothing is inferred there while an item of
    another user is in progress.
    """

    def __init__(self) -> None:
        self._items: dict[int, _Item] = {}
        self._complete: dict[str, bool] = {}
        # A table, because this is called for most events of a run.
        self._process: dict[str, Callable[[Any], ModelEvent | None]] = {
            StatusChanged.event_type: self._status,
            NodeStarted.event_type: self._started,
            NodeCompleted.event_type: self._ended,
            NodeFailed.event_type: self._ended,
            ModelLoading.event_type: self._loading,
            ModelLoaded.event_type: self._loaded,
            # Events were lost, or items have ended without an event about each.
            **dict.fromkeys(("queue_cleared", "connect", "disconnect"), self._forget),
        }

    def listen(self, name: str, payload: Any) -> ModelEvent | None:
        """Process an event. Return the event of the node for which a model is loaded, if this is known."""
        process = self._process.get(name)
        return None if process is None else process(payload)

    def _status(self, payload: Any) -> None:
        data = as_object(payload)
        item_id = whole_number(data.get("item_id"))
        if item_id is None:
            return
        queue_id = str(data.get("queue_id"))
        if data.get("status") != "in_progress":
            self._items.pop(item_id, None)
        elif item_id not in self._items:
            self._items[item_id] = _Item(queue_id, is_hidden(data), _NO_NODE)
        known = 0
        for item in self._items.values():
            known += item.queue_id == queue_id
        self._complete[queue_id] = as_object(data.get("queue_status")).get("in_progress") == known

    def _started(self, payload: Any) -> None:
        item = self._item_of(payload)
        if item is not None:
            item.node = payload

    def _ended(self, payload: Any) -> None:
        item = self._item_of(payload)
        if item is not None:
            item.node = _NO_NODE

    def _item_of(self, payload: Any) -> _Item | None:
        item_id = whole_number(as_object(payload).get("item_id"))
        return None if item_id is None else self._items.get(item_id)

    def _forget(self, _: Any) -> None:
        self._items.clear()
        self._complete.clear()

    def _loading(self, payload: Any) -> ModelEvent | None:
        return self._load(ModelLoading, as_object(payload))

    def _loaded(self, payload: Any) -> ModelEvent | None:
        return self._load(ModelLoaded, as_object(payload))

    def _load(self, kind: type[ModelLoading | ModelLoaded], data: Mapping[str, Any]) -> ModelEvent | None:
        config = as_object(data.get("config"))
        key = config.get("key")
        if not isinstance(key, str) or not key:
            return None
        if "user_id" not in data and any(item.hidden for item in self._items.values()):
            return None
        users = [
            (item_id, item)
            for item_id, item in self._items.items()
            if _mentions(item.node.get("invocation"), key)
        ]
        if len(users) != 1:
            return None
        [(item_id, item)] = users
        if not self._complete.get(item.queue_id):
            return None
        invocation = as_object(item.node.get("invocation"))
        prepared_id = str(invocation.get("id") or "")
        return kind(
            item_id,
            time_of(data),
            {**item.node, **data},
            str(item.node.get("invocation_source_id") or prepared_id),
            str(invocation.get("type") or ""),
            prepared_id,
            key,
            str(config.get("name") or key),
            text_or_none(data.get("submodel_type")),
        )


def _mentions(value: Any, key: str) -> bool:
    """Return whether a text occurs anywhere in a JSON value."""
    if isinstance(value, str):
        return value == key
    if isinstance(value, dict):
        return any(_mentions(one, key) for one in cast("dict[str, Any]", value).values())
    return isinstance(value, list) and any(_mentions(one, key) for one in cast("list[Any]", value))
