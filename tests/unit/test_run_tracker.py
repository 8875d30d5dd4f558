"""The tracker of a batch: statuses, events, notifications, and the live runs that pass it events."""

from __future__ import annotations

import asyncio
import pickle
from typing import Any

import pytest

from invokeai_py_client.connection import Connection
from invokeai_py_client.models.enums import JobStatus
from invokeai_py_client.run.events import NodeStarted, Preview, RunEvent, StatusChanged, parse_event
from invokeai_py_client.run.live import LiveRuns
from invokeai_py_client.run.past_events import PastEvents
from invokeai_py_client.run.status import RunStatus, changed
from invokeai_py_client.run.tracker import BatchTracker
from invokeai_py_client.transport.settings import ConnectionSettings, ServerAddress


def payload(item_id: int = 1, batch_id: str = "b-1", **more: Any) -> dict[str, Any]:
    return {"timestamp": 1, "queue_id": "default", "item_id": item_id, "batch_id": batch_id} | more


def status(word: str, sequence: int | None = None, item_id: int = 1) -> RunEvent:
    event = parse_event(
        "queue_item_status_changed", payload(item_id, status=word, status_sequence=sequence, user_id="system")
    )
    assert event is not None
    return event


def node(name: str, source: str = "a", item_id: int = 1, **more: Any) -> RunEvent:
    invocation = {"id": f"p-{source}", "type": "noise"}
    event = parse_event(name, payload(item_id, invocation=invocation, invocation_source_id=source, **more))
    assert event is not None
    return event


# --------------------------------------------------------------------------- state


def test_unknown_item_is_pending() -> None:
    assert BatchTracker("b-1").status(5).state is JobStatus.PENDING


def test_events_are_kept_once_per_item() -> None:
    tracker = BatchTracker("b-1")
    first, other = status("in_progress", 1), status("in_progress", 1, item_id=2)
    for event in (first, other, first, node("invocation_started"), node("invocation_started")):
        tracker.event(event)
    events, seen = tracker.events_from(1, 0)
    assert [type(event) for event in events] == [StatusChanged, NodeStarted]
    assert seen == 2
    assert tracker.events_from(1, seen) == ([], 2)
    assert tracker.events_from(2, 0) == ([other], 1)
    assert tracker.events_from(3, 0) == ([], 0)


def test_events_continue_from_an_index() -> None:
    tracker = BatchTracker("b-1")
    tracker.event(status("in_progress", 1))
    _, seen = tracker.events_from(1, 0)
    tracker.event(status("completed", 2))
    events, seen = tracker.events_from(1, seen)
    assert [event["sequence"] for event in events] == [2]
    assert seen == 2


def test_only_the_latest_events_are_kept() -> None:
    tracker = BatchTracker("b-1")
    for number in range(6000):
        tracker.event(node("invocation_progress", message="", percentage=number / 6000, image=None))
    events, seen = tracker.events_from(1, 0)
    assert (len(events), seen) == (5000, 6000)
    assert events[-1]["fraction"] == 5999 / 6000
    late, _ = tracker.events_from(1, 5998)
    assert [event["fraction"] for event in late] == [5998 / 6000, 5999 / 6000]


def test_tracker_without_events() -> None:
    tracker = BatchTracker("b-1", keep_events=False)
    tracker.event(status("completed", 2))
    assert tracker.status(1).ok
    assert tracker.events_from(1, 0) == ([], 0)


def test_status_read_from_the_item_becomes_an_event() -> None:
    tracker = BatchTracker("b-1")
    tracker.item(1, {"item_id": 1, "status": "completed", "status_sequence": 2, "session": {"results": {}}})
    events, _ = tracker.events_from(1, 0)
    assert len(events) == 1
    assert events[0]["status"] is JobStatus.COMPLETED
    assert "session" not in events[0].raw  # it can be megabytes
    tracker.event(status("completed", 2))  # the event itself, late
    assert tracker.events_from(1, 1) == ([], 1)


def test_removed_item_counts_as_canceled() -> None:
    tracker = BatchTracker("b-1")
    tracker.item(1, None)
    assert tracker.status(1).state is JobStatus.CANCELLED
    tracker.event(status("completed", 2, item_id=2))
    tracker.item(2, None)  # pruned after its end
    assert tracker.status(2).ok


def test_positions_decrease_when_other_items_start() -> None:
    tracker = BatchTracker("b-1")
    tracker.sent([1, 2])
    tracker.place(4)  # these two, and two ahead of them
    assert (tracker.status(1).position, tracker.status(2).position) == (2, 3)
    tracker.others_moved()
    assert (tracker.status(1).position, tracker.status(2).position) == (1, 2)
    tracker.event(status("in_progress", 1))
    tracker.place(1)  # an outdated response
    assert tracker.status(1).position is None
    assert tracker.status(2).position == 0
    tracker.place(3)
    for _ in range(3):
        tracker.others_moved()
    assert tracker.status(2).position == 0


def test_batch_at_the_front_has_nothing_ahead() -> None:
    tracker = BatchTracker("b-1", in_front=True)
    tracker.sent([8, 9])
    tracker.place(50)
    assert [tracker.status(item).position for item in (8, 9)] == [0, 1]


# --------------------------------------------------------------------------- waiting


async def begun(task: asyncio.Task[Any]) -> None:
    """Run a task until it waits."""
    for _ in range(3):
        await asyncio.sleep(0)
    assert not task.done()


async def test_change_wakes_all_waits() -> None:
    tracker = BatchTracker("b-1")
    tasks = [asyncio.create_task(tracker.change(30)) for _ in range(3)]
    for task in tasks:
        await begun(task)
    tracker.event(status("in_progress", 1))
    assert await asyncio.gather(*tasks) == [True, True, True]


async def test_duplicate_event_wakes_no_wait() -> None:
    tracker = BatchTracker("b-1")
    tracker.event(status("in_progress", 1))
    task = asyncio.create_task(tracker.change(30))
    await begun(task)
    tracker.event(status("in_progress", 1))
    await begun(task)
    tracker.wake()
    assert await task


async def test_wait_without_a_change_times_out() -> None:
    tracker = BatchTracker("b-1")
    assert not await tracker.change(0)
    tracker.wake()  # no wait is active: the next wait is for the next change
    assert not await tracker.change(0.001)


async def test_canceled_wait_leaves_nothing() -> None:
    tracker = BatchTracker("b-1")
    task = asyncio.create_task(tracker.change(30))
    await begun(task)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    tracker.wake()


def test_tracker_works_in_several_event_loops() -> None:
    tracker = BatchTracker("b-1")

    async def wait() -> bool:
        tracker.event(status("in_progress", 1))
        return await tracker.change(0.001)

    assert asyncio.run(wait()) is False
    assert asyncio.run(wait()) is False  # an asyncio.Event would still belong to the first loop


async def test_unpickled_tracker_reads_its_items_again() -> None:
    tracker = BatchTracker("b-1")
    tracker.event(status("in_progress", 1))
    task = asyncio.create_task(tracker.change(30))
    await begun(task)
    copy = pickle.loads(pickle.dumps(tracker))
    tracker.wake()
    await task
    assert copy.batch_id == "b-1"
    assert copy.status(1) == tracker.status(1)
    assert copy.events_from(1, 0) == tracker.events_from(1, 0)
    assert copy.gaps > tracker.gaps
    assert not await copy.change(0)


# --------------------------------------------------------------------------- the live runs


@pytest.fixture
def connection() -> Connection:
    return Connection(ConnectionSettings(ServerAddress("http://127.0.0.1:9")))


@pytest.fixture
def live(connection: Connection) -> LiveRuns:
    return connection.part(LiveRuns)


def following(live: LiveRuns, *batch_ids: str) -> list[BatchTracker]:
    trackers = [BatchTracker(batch_id) for batch_id in batch_ids]
    for tracker in trackers:
        live._trackers[tracker.batch_id] = tracker
    return trackers


def test_events_go_to_the_tracker_of_their_batch(live: LiveRuns) -> None:
    one, two = following(live, "b-1", "b-2")
    live._on_event("queue_item_status_changed", payload(1, "b-1", status="in_progress"))
    live._on_event("queue_item_status_changed", payload(2, "b-3", status="completed"))
    live._on_event("something_new", {"batch_id": "b-2"})
    live._on_event("queue_item_status_changed", None)
    assert one.status(1).state is JobStatus.RUNNING
    assert two.events_from(2, 0) == ([], 0)


@pytest.mark.parametrize("name", ["queue_cleared", "queue_items_canceled", "queue_items_retried"])
def test_events_about_many_items_make_all_waits_read(live: LiveRuns, name: str) -> None:
    trackers = following(live, "b-1", "b-2")
    live._on_event(name, {"timestamp": 1, "queue_id": "default"})
    assert [tracker.gaps for tracker in trackers] == [1, 1]


def test_reconnect_makes_all_waits_read(live: LiveRuns) -> None:
    (tracker,) = following(live, "b-1")
    live._on_event("disconnect", None)
    assert tracker.gaps == 0
    live._on_event("connect", None)
    assert tracker.gaps == 1


async def test_lost_connection_makes_all_waits_poll(live: LiveRuns) -> None:
    (tracker,) = following(live, "b-1")
    task = asyncio.create_task(tracker.change(30))
    await begun(task)
    live._on_event("disconnect", None)
    assert await task


def test_pending_items_move_up_when_an_item_starts(live: LiveRuns) -> None:
    one, two = following(live, "b-1", "b-2")
    one.sent([1, 2])
    one.place(2)
    two.sent([3])
    two.place(3)
    beginning = payload(1, "b-1", status="in_progress")
    live._on_event("queue_item_status_changed", beginning)
    live._on_event("queue_item_status_changed", beginning)  # 6.13 sends it twice
    assert (one.status(1).position, one.status(2).position, two.status(3).position) == (None, 0, 1)
    live._on_event("queue_item_status_changed", payload(2, "b-1", status="in_progress"))
    assert two.status(3).position == 0


def test_tracker_without_references_is_released(live: LiveRuns) -> None:
    following(live, "b-1")
    assert not list(live._trackers)


# --------------------------------------------------------------------------- little memory


def progress(number: int, **more: Any) -> dict[str, Any]:
    invocation = {"id": "p-a", "type": "noise"}
    return payload(invocation=invocation, invocation_source_id="a", percentage=number / 10, **more)


def test_dropped_events_leave_the_final_status() -> None:
    tracker = BatchTracker("b-1")
    tracker.event(status("in_progress", 1))
    tracker.event(status("completed", 2))
    assert tracker.drop_events(1)
    events, seen = tracker.events_from(1, 0)
    assert [(event["status"], event["timestamp"]) for event in events] == [(JobStatus.COMPLETED, 1.0)]
    assert tracker.events_from(1, seen) == ([], seen)
    copy = pickle.loads(pickle.dumps(tracker))
    assert [event["status"] for event in copy.events_from(1, 0)[0]] == [JobStatus.COMPLETED]


def test_events_are_not_dropped_while_someone_reads_them() -> None:
    tracker = BatchTracker("b-1")
    tracker.event(status("completed", 2))
    with tracker.reading_events(1):
        assert not tracker.drop_events(1)
        assert len(tracker.events_from(1, 0)[0]) == 1
    assert tracker.drop_events(1)


def test_old_runs_lose_their_events_before_new_ones() -> None:
    past, trackers = PastEvents(), [BatchTracker(f"b-{number}") for number in range(3)]
    many = [node("invocation_progress", message=str(number)) for number in range(600)]
    for tracker in trackers:
        tracker.past = past
        for event in (*many, status("completed", 2)):
            tracker.event(event)
    assert [len(tracker.events_from(1, 0)[0]) for tracker in trackers] == [1, 1, 601]


def test_deferred_progress_is_in_the_status() -> None:
    tracker = BatchTracker("b-1", keep_events=False)
    picture = {"width": 8, "height": 8, "dataURL": "data:image/jpeg;base64,AA=="}
    assert tracker.defer(progress(1))
    assert tracker.defer(progress(2, image=picture))
    now = tracker.status(1)
    assert (now.state, now.fraction, now.node_id) == (JobStatus.RUNNING, 0.2, "a")
    assert now.preview is not None
    assert tracker.status(1) == now


def test_progress_is_not_deferred_if_it_is_needed_now() -> None:
    picture = {"width": 8, "height": 8, "dataURL": "data:image/jpeg;base64,AA=="}
    tracker = BatchTracker("b-1", keep_events=False)
    with tracker.watched(lambda: None, 1):
        assert not tracker.defer(progress(1))
    with tracker.watched(lambda: None, 1, ends_only=True):
        assert tracker.defer(progress(1, image=picture))
    assert not tracker.defer(progress(1))  # sent twice by 6.13, the second time without the preview
    tracker.keep_events(1)
    assert not tracker.defer(progress(3, image=picture))
    assert not BatchTracker("b-1").defer(progress(1))


def test_wait_for_the_end_ignores_other_changes() -> None:
    tracker, calls = BatchTracker("b-1"), list[str]()
    with (
        tracker.watched(lambda: calls.append("end"), 1, ends_only=True),
        tracker.watched(lambda: calls.append("any"), 1),
    ):
        tracker.event(status("in_progress", 1))
        assert calls == ["any"]
        tracker.event(status("completed", 2))
        assert sorted(calls) == ["any", "any", "end"]
        tracker.gap()
        assert calls.count("end") == 2


def test_results_that_nobody_takes_are_limited() -> None:
    tracker = BatchTracker("b-1", keep_results=True)
    for item_id in range(1, 700):
        tracker.event(status("in_progress", 1, item_id=item_id))
        tracker.event(status("completed", 2, item_id=item_id))
    assert tracker.story(1) is None
    assert sum(tracker.story(item_id) is not None for item_id in range(1, 700)) == 500


# --------------------------------------------------------------------------- reports of other trackers


def test_reports_of_another_tracker_change_a_status_until_its_end() -> None:
    tracker = BatchTracker("b-1", keep_events=False)
    seen: list[JobStatus] = []
    running = RunStatus(
        JobStatus.RUNNING, sequence=2, ended=frozenset({"a"}), preview=Preview(8, 8, "data:,")
    )
    with tracker.watched(lambda: seen.append(tracker.status(1).state), 1):
        tracker.report(1, running)
        tracker.report(1, changed(running, fraction=0.5, preview=None))
        tracker.report(1, changed(running, ended=frozenset()))  # older
        tracker.report(1, changed(running, state=JobStatus.PENDING, sequence=1))  # older
        assert tracker.status(1) == changed(running, fraction=0.5)
        tracker.report(1, RunStatus(JobStatus.COMPLETED, sequence=3))
        tracker.report(1, changed(running, sequence=9))
    assert tracker.status(1).ok
    assert tracker.ended == [1]
    assert seen == [JobStatus.RUNNING, JobStatus.RUNNING, JobStatus.COMPLETED]


def test_reports_do_not_hide_events_that_are_read() -> None:
    tracker = BatchTracker("b-1", keep_events=False)
    with tracker.reading_events(1):
        tracker.event(status("in_progress", 2))
        tracker.report(1, RunStatus(JobStatus.RUNNING, node_id="a", prepared_id="p-a", sequence=2))
        tracker.event(node("invocation_started"))
        tracker.report(1, RunStatus(JobStatus.COMPLETED, sequence=3))
        tracker.event(status("completed", 3))
        events, _ = tracker.events_from(1, 0)
    assert [event.event_type for event in events] == [
        StatusChanged.event_type,
        NodeStarted.event_type,
        StatusChanged.event_type,
    ]
    tracker.report(2, RunStatus(JobStatus.RUNNING, node_id="a", sequence=2))
    assert tracker.status(2).node_id == "a"
