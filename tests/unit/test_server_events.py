"""The classes of all events: one for each event of the server, with the same fields, and nothing made up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import invokeai_py_client
from invokeai_py_client import (
    BatchEnqueued,
    DownloadEvent,
    EventsConnected,
    ItemsCanceled,
    ItemsRetried,
    LibraryChanged,
    ModelInstallStarted,
    ModelLoading,
    NodeProgress,
    OtherEvent,
    QueueCleared,
    QueueEvent,
    RunEvent,
    ServerEvent,
    StatusChanged,
)
from invokeai_py_client.errors import UsageError
from invokeai_py_client.events.parse import EVENTS, parse_any
from invokeai_py_client.events.watch import names_of

# From invokeai/app/services/events/events_common.py and invokeai/app/api/sockets.py of 6.14.2: the events of the server
# with their fields, and whether they are sent to clients.
RECORDED: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "data" / "events-6.14.2.json").read_text()
)
SENT: dict[str, set[str]] = {name: set(event["fields"]) for name, event in RECORDED.items() if event["sent"]}

# Fields that have another name here.
RENAMED: dict[str, str] = {
    "invocation_source_id": "node_id",
    "percentage": "fraction",
    "image": "preview",
    "result": "output",
    "status_sequence": "sequence",
}
KEPT = {"llm_task_progress"}  # the names of its fields are kept


def test_every_event_of_the_server_has_a_class() -> None:
    assert len(SENT) == 33
    assert set(EVENTS) == set(SENT)
    for kind in EVENTS.values():
        assert getattr(invokeai_py_client, kind.__name__) is kind


@pytest.mark.parametrize("name", SENT)
def test_the_attributes_are_the_fields_of_the_server(name: str) -> None:
    kind = EVENTS[name]
    for field in SENT[name]:
        attribute = field if name in KEPT else RENAMED.get(field, field)
        assert hasattr(kind, attribute), f"{kind.__name__} lacks {attribute}"
    if not issubclass(kind, RunEvent):
        assert set(kind.__dataclass_fields__) == SENT[name] | {"raw"}


@pytest.mark.parametrize("name", SENT)
def test_an_event_without_values_has_no_made_up_values(name: str) -> None:
    event = parse_any(name, {"item_id": 3, "status": "pending"} if issubclass(EVENTS[name], RunEvent) else {})
    assert type(event) is EVENTS[name]
    assert event.timestamp == 0
    for attribute in SENT[name] - {"timestamp", "item_id", "status"}:
        value = getattr(event, attribute, None)
        assert value in (None, {}, (), ""), attribute


def test_nonsense_is_not_taken_for_values() -> None:
    payload = {"queue_id": 3, "batch_id": ["x"], "enqueued": "many", "priority": True, "timestamp": "soon"}
    event = parse_any("batch_enqueued", payload)
    assert isinstance(event, BatchEnqueued)
    assert (event.queue_id, event.batch_id, event.enqueued, event.priority, event.timestamp) == (
        *[None] * 4,
        0.0,
    )
    assert isinstance(parse_any("invocation_progress", "nonsense"), OtherEvent)


def test_an_unknown_event_keeps_its_payload() -> None:
    event = parse_any("canvas_saved", {"timestamp": 5, "canvas": "a"})
    assert isinstance(event, OtherEvent)
    assert (event.name, event.timestamp, event["canvas"]) == ("canvas_saved", 5.0, "a")


def test_another_users_event_has_no_wrong_values() -> None:
    payload = {
        "queue_id": "default",
        "batch_id": "redacted",
        "user_id": "redacted",
        "enqueued": 2,
        "requested": 2,
    }
    batch = parse_any("batch_enqueued", payload)
    assert isinstance(batch, BatchEnqueued)
    assert (batch.redacted, batch.batch_id, batch.user_id, batch.enqueued) == (True, None, None, 2)
    assert batch["batch_id"] is None

    payload = {"item_id": 4, "batch_id": "redacted", "session_id": "redacted", "user_id": "redacted"}
    status = parse_any("queue_item_status_changed", {**payload, "status": "in_progress"})
    assert isinstance(status, StatusChanged)
    assert (status.redacted, status.item_id, status.batch_id, status.session_id, status.user_id) == (
        *(True, 4),
        *[None] * 3,
    )
    assert (status["batch_id"], status.get("user_id"), dict(status)["session_id"]) == (None, None, None)

    cleared = parse_any("queue_cleared", {"queue_id": "default", "user_id": "redacted"})
    assert isinstance(cleared, QueueCleared)
    assert (cleared.redacted, cleared.all_users, cleared.user_id) == (True, False, None)
    everything = parse_any("queue_cleared", {"queue_id": "default", "user_id": None})
    assert isinstance(everything, QueueCleared)
    assert (everything.redacted, everything.all_users) == (False, True)


@pytest.mark.parametrize("name", ["queue_items_retried", "queue_items_canceled"])
def test_the_items_of_other_users_are_unknown(name: str) -> None:
    what = name.removeprefix("queue_items_")
    hidden = parse_any(name, {"user_ids": [], f"{what}_item_ids": [], f"{what}_item_ids_by_user": {}})
    assert isinstance(hidden, ItemsRetried | ItemsCanceled)
    assert hidden.redacted
    assert (hidden.user_ids, getattr(hidden, f"{what}_item_ids")) == (None, None)
    own = parse_any(
        name, {"user_ids": ["a"], f"{what}_item_ids": [1, 2], f"{what}_item_ids_by_user": {"a": [1, 2]}}
    )
    assert isinstance(own, ItemsRetried | ItemsCanceled)
    assert not own.redacted
    assert (own.user_ids, getattr(own, f"{what}_item_ids")) == (("a",), (1, 2))
    assert getattr(own, f"{what}_item_ids_by_user") == {"a": (1, 2)}


def test_the_source_of_an_installation_is_text_without_its_token() -> None:
    source = {"type": "hf", "repo_id": "a/b", "variant": "fp16", "access_token": "hf_secret"}
    event = parse_any("model_install_started", {"id": 3, "source": source})
    assert isinstance(event, ModelInstallStarted)
    assert event.source == "a/b:fp16"
    assert "hf_secret" not in repr(event.raw)


def test_kinds_select_events_by_class() -> None:
    assert names_of([]) is None
    assert names_of([BatchEnqueued, QueueCleared]) == {"batch_enqueued", "queue_cleared"}
    assert names_of([LibraryChanged]) == {name for name in SENT if name.startswith("workflow_")}
    assert names_of([DownloadEvent]) == {name for name in SENT if name.startswith("download_")}
    assert names_of([QueueEvent, RunEvent]) == {
        *(name for name in SENT if name.startswith(("queue_", "invocation_", "batch_", "recall_")))
    }
    assert names_of([ServerEvent]) == {*SENT, ""}
    assert names_of([OtherEvent]) == {""}
    assert names_of([EventsConnected]) == set()  # only the markers


@pytest.mark.parametrize("kind", ["batch_enqueued", int, None])
def test_a_kind_has_to_be_a_class_of_events(kind: object) -> None:
    with pytest.raises(UsageError, match="Invalid kind of event"):
        names_of([kind])


def test_models_of_runs_cannot_be_watched() -> None:
    with pytest.raises(UsageError, match=r"does not yield ModelLoading.*Watch ModelLoadEvent"):
        names_of([ModelLoading])


def test_progress_pickled_without_a_device_can_be_read() -> None:
    event = NodeProgress.__new__(NodeProgress)
    event.__setstate__([7, 1.0, {}, "node", "denoise_latents", "prepared", "Denoising", 0.5, None])
    assert (event.message, event.fraction, event.device) == ("Denoising", 0.5, None)
