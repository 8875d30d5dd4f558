"""Statuses computed from events: duplicates, wrong order, and differences between servers from 5.15 to 6.14."""

from __future__ import annotations

import pickle
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from invokeai_py_client.models.enums import JobStatus
from invokeai_py_client.run.events import (
    NodeCompleted,
    NodeEvent,
    NodeFailed,
    NodeProgress,
    NodeStarted,
    RunEvent,
    StatusChanged,
    parse_event,
)
from invokeai_py_client.run.status import RunStatus, fold, status_of_item

ITEM = 41
PICTURE = {
    "width": 512,
    "height": 768,
    "dataURL": "data:image/jpeg;base64," + b64encode(b"\xff\xd8picture").decode(),
}


def status_payload(status: str, sequence: int | None = None, **more: Any) -> dict[str, Any]:
    """Return a payload as 6.14 sends it, or without a sequence, as older servers do."""
    payload: dict[str, Any] = {
        "timestamp": 1763677200,
        "queue_id": "default",
        "item_id": ITEM,
        "batch_id": "b-1",
        "origin": "py",
        "destination": None,
        "user_id": "system",
        "status": status,
        "error_type": None,
        "error_message": None,
        "error_traceback": None,
        "created_at": "2026-11-20 22:00:00.123",
        "updated_at": "2026-11-20 22:00:01.123",
        "started_at": "2026-11-20 22:00:01.100",
        "completed_at": None,
        "session_id": "s-1",
        "batch_status": {
            "queue_id": "default",
            "batch_id": "b-1",
            "pending": 0,
            "in_progress": 1,
            "total": 1,
        },
        "queue_status": {"queue_id": "default", "pending": 0, "in_progress": 1, "total": 1},
    }
    if sequence is not None:
        payload["status_sequence"] = sequence
    return payload | more


def node_payload(
    source: str, prepared: str | None = None, kind: str = "noise", **more: Any
) -> dict[str, Any]:
    return {
        "timestamp": 1763677201,
        "queue_id": "default",
        "item_id": ITEM,
        "batch_id": "b-1",
        "origin": "py",
        "destination": None,
        "user_id": "system",
        "session_id": "s-1",
        "invocation": {"id": prepared or f"p-{source}", "type": kind, "is_intermediate": True},
        "invocation_source_id": source,
    } | more


def parsed(name: str, payload: Any) -> RunEvent:
    event = parse_event(name, payload)
    assert event is not None
    return event


def status(word: str, sequence: int | None = None, **more: Any) -> RunEvent:
    return parsed("queue_item_status_changed", status_payload(word, sequence, **more))


def started(source: str, prepared: str | None = None, **more: Any) -> RunEvent:
    return parsed("invocation_started", node_payload(source, prepared, **more))


def progress(
    source: str,
    percentage: float | None,
    image: Any = None,
    prepared: str | None = None,
    message: str = "Denoising",
) -> RunEvent:
    more: dict[str, Any] = {"message": message, "percentage": percentage, "image": image, "device": "cpu"}
    return parsed("invocation_progress", node_payload(source, prepared, kind="denoise_latents", **more))


def completed(source: str, prepared: str | None = None) -> RunEvent:
    result = {"type": "noise_output", "width": 64, "output_meta": None}
    return parsed("invocation_complete", node_payload(source, prepared, result=result))


def failed(source: str) -> RunEvent:
    more = {"error_type": "ValueError", "error_message": "bad seed", "error_traceback": "Traceback ..."}
    return parsed("invocation_error", node_payload(source, **more))


def folded(events: Iterable[RunEvent], before: RunStatus | None = None) -> tuple[RunStatus, list[RunEvent]]:
    """Return the last status, and the events that changed it."""
    at = before or RunStatus()
    applied: list[RunEvent] = []
    for event in events:
        after = fold(at, event)
        if after is not at:
            applied.append(event)
        at = after
    return at, applied


A_RUN = [
    status("in_progress", 1),
    started("a"),
    completed("a"),
    started("b"),
    progress("b", 0.0),
    progress("b", 0.5, PICTURE),
    progress("b", 1.0, PICTURE),
    completed("b"),
    status("completed", 2),
]


# --------------------------------------------------------------------------- events


def test_status_event_is_parsed() -> None:
    event = status("failed", 3, error_type="OutOfMemoryError", error_message="no room", error_traceback="Tr")
    assert isinstance(event, StatusChanged)
    assert (event.item_id, event.timestamp, event.status, event.sequence) == (
        ITEM,
        1763677200.0,
        JobStatus.FAILED,
        3,
    )
    assert (event.error_type, event.error_message, event.error_traceback) == (
        "OutOfMemoryError",
        "no room",
        "Tr",
    )


def test_node_events_are_parsed() -> None:
    event = progress("b", 0.25, PICTURE)
    assert isinstance(event, NodeProgress)
    assert (event.node_id, event.node_type, event.prepared_id) == ("b", "denoise_latents", "p-b")
    assert (event.message, event.fraction) == ("Denoising", 0.25)
    assert event.preview is not None
    assert (event.preview.width, event.preview.height) == (512, 768)
    assert event.preview.data == b"\xff\xd8picture"
    assert isinstance(started("a"), NodeStarted)
    done = completed("a")
    assert isinstance(done, NodeCompleted)
    assert done.output["width"] == 64
    wrong = failed("a")
    assert isinstance(wrong, NodeFailed)
    assert (wrong.error_type, wrong.error_message) == ("ValueError", "bad seed")


def test_progress_without_fraction_or_preview() -> None:
    event = progress("b", None, None)
    assert isinstance(event, NodeProgress)
    assert event.fraction is None
    assert event.preview is None


def test_events_read_like_dictionaries() -> None:
    event = status("in_progress", 1)
    assert event["event_type"] == "queue_item_status_changed"
    assert event["status"] is JobStatus.RUNNING
    assert event["queue_id"] == "default"  # from the raw payload
    assert event.get("origin") == "py"
    assert event.get("nothing") is None
    assert event.get("nothing", 5) == 5
    with pytest.raises(KeyError, match="nothing"):
        event["nothing"]


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("queue_item_status_changed", None),
        ("queue_item_status_changed", ["a", "list"]),
        ("queue_item_status_changed", {}),
        ("queue_item_status_changed", {"item_id": "41", "status": "completed"}),
        ("queue_item_status_changed", status_payload("dreaming")),  # a status of a future server
        ("queue_item_status_changed", status_payload("completed", user_id="redacted")),
        ("invocation_complete", node_payload("a", user_id="redacted")),
        ("model_load_started", {"timestamp": 1, "config": {}, "submodel_type": None}),
        ("queue_cleared", {"timestamp": 1, "queue_id": "default"}),
        ("batch_enqueued", {"timestamp": 1, "queue_id": "default", "batch_id": "b-1", "enqueued": 1}),
    ],
)
def test_other_payloads_are_not_events(name: str, payload: Any) -> None:
    assert parse_event(name, payload) is None


def test_events_can_be_compared_and_pickled() -> None:
    for event in [*A_RUN, failed("a")]:
        assert pickle.loads(pickle.dumps(event)) == event
    with pytest.raises(FrozenInstanceError):
        A_RUN[0].item_id = 5  # type: ignore[misc]


# --------------------------------------------------------------------------- folding


def test_statuses_of_a_whole_run() -> None:
    states = [RunStatus()]
    for event in A_RUN:
        states.append(fold(states[-1], event))
    assert [state.state.value for state in states] == ["pending", *["running"] * 8, "completed"]
    assert [state.node_id for state in states] == [None, None, "a", "a", "b", "b", "b", "b", "b", "b"]
    assert [state.fraction for state in states] == [None] * 5 + [0.0, 0.5, 1.0, 1.0, 1.0]
    assert [state.nodes_done for state in states] == [0, 0, 0, 1, 1, 1, 1, 1, 2, 2]
    last = states[-1]
    assert last.done
    assert last.ok
    assert last.preview is not None
    assert last.sequence == 2


def test_duplicate_events_of_6_13_are_ignored() -> None:
    once: list[RunEvent] = [event for event in A_RUN if not isinstance(event, StatusChanged)]
    once = [status("in_progress"), *once, status("completed")]
    doubled: list[RunEvent] = []
    for event in once:
        second = event
        if isinstance(event, NodeProgress):
            second = progress(event.node_id, event.fraction, None)
        doubled += [event, second]
    single, _ = folded(once)
    twice, applied = folded(doubled)
    assert twice == single
    assert twice.nodes_done == 2
    assert twice.preview is not None
    assert applied == once


def test_late_duplicates_count_once() -> None:
    events = [
        status("in_progress", 1),
        started("a"),
        completed("a"),
        started("b"),
        completed("b"),
        started("a"),
        progress("a", 0.1),
        completed("a"),
    ]
    last, applied = folded(events)
    assert applied == events[:5]
    assert (last.node_id, last.nodes_done) == ("b", 2)


def test_each_pass_of_an_iteration_counts() -> None:
    turns = [
        event
        for turn in "123"
        for event in (started("n", turn), progress("n", 0.0, None, turn), completed("n", turn))
    ]
    last, applied = folded([status("in_progress", 1), *turns])
    assert last.nodes_done == 3
    assert applied == [status("in_progress", 1), *turns]


def test_cached_result_has_no_start_event() -> None:
    last, _ = folded([status("in_progress", 1), completed("a")])
    assert last.nodes_done == 1
    assert last.state is JobStatus.RUNNING


def test_each_percentage_is_reported_once() -> None:
    steps = [progress("b", step / 10, PICTURE) for step in range(11)]
    noisy = [event for step in steps for event in (step, step, progress("b", step["fraction"]))]
    _, applied = folded([started("b"), *noisy])
    assert [event["fraction"] for event in applied[1:]] == [step / 10 for step in range(11)]


def test_messages_without_a_fraction_are_reported() -> None:
    last, applied = folded(
        [
            started("b"),
            progress("b", None, None, message="Upscaling"),
            progress("b", None, None, message="Upscaling"),
        ]
    )
    assert (last.message, last.fraction) == ("Upscaling", None)
    assert len(applied) == 2


def test_new_node_resets_the_message() -> None:
    last, _ = folded([started("a"), progress("a", 0.7), started("b")])
    assert (last.node_id, last.message, last.fraction) == ("b", "", None)


def test_called_workflow_makes_the_run_pending_again() -> None:
    events = [
        status("in_progress", 1),
        started("call"),
        status("waiting", 2),
        completed("call"),
        status("pending", 3),
        status("in_progress", 4),
        started("z"),
        completed("z"),
        status("completed", 5),
    ]
    states: list[str] = []
    at = RunStatus()
    for event in events:
        at = fold(at, event)
        states.append(at.state.value)
    assert states == [
        "running", "running", "waiting", "waiting", "pending", "running", "running", "running", "completed"
    ]  # fmt: skip
    assert at.sequence == 5


def test_late_statuses_are_ignored_by_sequence() -> None:
    late = [status("in_progress", 1), status("waiting", 2), status("in_progress", 4), status("pending", 3)]
    last, applied = folded([*late, status("waiting", 2)])
    assert (last.state, last.sequence) == (JobStatus.RUNNING, 4)
    assert [event["sequence"] for event in applied] == [1, 2, 4]


def test_known_status_still_updates_the_sequence() -> None:
    last, _ = folded([started("a"), status("in_progress", 1), status("pending", 0)])
    assert (last.state, last.sequence) == (JobStatus.RUNNING, 1)


def test_running_item_is_never_pending_again_before_6_14() -> None:
    last, applied = folded([status("in_progress"), status("pending"), started("a"), status("pending")])
    assert last.state is JobStatus.RUNNING
    assert len(applied) == 2


@pytest.mark.parametrize("sequence", [None, 9])
@pytest.mark.parametrize("end", ["completed", "failed", "canceled"])
def test_ended_status_does_not_change(end: str, sequence: int | None) -> None:
    at, _ = folded(
        [status("in_progress", None if sequence is None else 1), started("a"), status(end, sequence)]
    )
    late = [
        started("b"),
        progress("b", 0.5),
        completed("b"),
        status("in_progress", None if sequence is None else 1),
    ]
    after, applied = folded(late, at)
    assert after is at
    assert applied == []


def test_higher_sequence_reopens_an_ended_run() -> None:
    at, _ = folded([status("failed", 3)])
    assert fold(at, status("pending", 4)).state is JobStatus.PENDING


def test_6_14_reports_the_failed_node_after_the_status() -> None:
    events = [
        status("in_progress", 1),
        started("a"),
        status("failed", 2, error_type="ValueError", error_message="bad seed"),
        failed("a"),
        failed("a"),
    ]
    last, applied = folded(events)
    assert applied == events[:4]
    assert (last.state, last.node_id, last.error_type) == (JobStatus.FAILED, "a", "ValueError")
    assert last.error_traceback == "Traceback ..."
    assert not last.ok


def test_older_servers_report_the_failed_node_first() -> None:
    last, applied = folded([status("in_progress"), started("a"), failed("a"), status("failed")])
    assert (last.state, last.node_id, last.error_message) == (JobStatus.FAILED, "a", "bad seed")
    assert len(applied) == 4


def test_canceled_run_does_not_fail_later() -> None:
    at, _ = folded([status("in_progress", 1), status("canceled", 2)])
    assert fold(at, failed("a")) is at


def test_unknown_event_changes_nothing() -> None:
    at = RunStatus()
    assert fold(at, RunEvent(ITEM, 0.0, {})) is at
    assert fold(at, NodeEvent(ITEM, 0.0, {}, "a", "noise", "p-a")) is at


# --------------------------------------------------------------------------- reading the item


def item(word: str, sequence: int | None = None, **more: Any) -> dict[str, Any]:
    payload: dict[str, Any] = {"item_id": ITEM, "status": word, "batch_id": "b-1", "queue_id": "default"}
    if sequence is not None:
        payload["status_sequence"] = sequence
    return payload | more


def test_item_overrides_events() -> None:
    after = status_of_item(
        item("failed", 2, error_type="E", error_message="m", error_traceback="t"), RunStatus()
    )
    assert (after.state, after.sequence) == (JobStatus.FAILED, 2)
    assert (after.error_type, after.error_message, after.error_traceback) == ("E", "m", "t")


def test_outdated_read_changes_nothing() -> None:
    at, _ = folded([status("in_progress", 1), status("completed", 2)])
    assert status_of_item(item("in_progress", 1), at) is at


@pytest.mark.parametrize(
    ("before", "read"), [("in_progress", "pending"), ("completed", "in_progress"), ("canceled", "pending")]
)
def test_outdated_read_changes_nothing_before_6_14(before: str, read: str) -> None:
    at, _ = folded([status("in_progress"), status(before)])
    assert status_of_item(item(read), at) is at


def test_unknown_status_of_an_item_changes_nothing() -> None:
    at = RunStatus()
    assert status_of_item(item("dreaming", 7), at) is at


def test_read_keeps_details_from_events() -> None:
    at, _ = folded([started("a"), progress("a", 0.5, PICTURE), completed("a")])
    after = status_of_item(item("in_progress", 1), at)
    assert (after.node_id, after.fraction, after.nodes_done, after.preview) == ("a", 0.5, 1, at.preview)
    assert after.sequence == 1


def test_only_pending_runs_have_a_position() -> None:
    at = RunStatus(position=3)
    assert status_of_item(item("pending", 0), at).position == 3
    assert status_of_item(item("in_progress", 1), at).position is None
    assert fold(at, status("in_progress", 1)).position is None
    assert fold(at, started("a")).position is None
    assert fold(at, progress("a", 0.1)).position is None


# --------------------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("at", "words"),
    [
        (RunStatus(), "pending"),
        (RunStatus(position=2), "pending (2 ahead)"),
        (RunStatus(JobStatus.RUNNING), "running"),
        (RunStatus(JobStatus.RUNNING, node_type="noise"), "running noise"),
        (
            RunStatus(JobStatus.RUNNING, node_type="denoise_latents", fraction=0.4),
            "running denoise_latents 40%",
        ),
        (RunStatus(JobStatus.WAITING), "waiting"),
        (RunStatus(JobStatus.FAILED, error_type="E", error_message="m"), "failed: E: m"),
        (RunStatus(JobStatus.FAILED), "failed"),
        (RunStatus(JobStatus.CANCELLED), "canceled"),
        (RunStatus(JobStatus.COMPLETED), "completed"),
    ],
)
def test_status_as_text(at: RunStatus, words: str) -> None:
    assert str(at) == words


def test_status_can_be_pickled() -> None:
    last, _ = folded(A_RUN)
    assert pickle.loads(pickle.dumps(last)) == last
