"""Runs and sweeps pickled by older versions."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from invokeai_py_client.connection import Connection
from invokeai_py_client.errors import RunNotFinishedError
from invokeai_py_client.run.results import results_of_item
from invokeai_py_client.run.run import AsyncRun
from invokeai_py_client.run.tracker import BatchTracker
from invokeai_py_client.sweep.one_server import ServerExecution
from invokeai_py_client.sweep.requests import Request
from invokeai_py_client.sweep.runs import SweepRuns
from invokeai_py_client.sweep.sweep import AsyncSweep

NOWHERE = "http://127.0.0.1:9"
ENDED: dict[str, Any] = {
    "item_id": 41,
    "batch_id": "b-1",
    "status": "completed",
    "started_at": "2026-01-01 00:00:00.000",
    "completed_at": "2026-01-01 00:00:02.000",
    "session": {
        "graph": {"nodes": {"sum": {"id": "sum", "type": "add"}}},
        "results": {"p": {"type": "integer_output", "value": 3}},
        "prepared_source_mapping": {"p": "sum"},
    },
}


def ended_run() -> AsyncRun:
    tracker = BatchTracker("b-1")
    tracker.item(41, {"status": "completed"})
    return AsyncRun(Connection.to(NOWHERE), 41, tracker, inputs={"steps": 30})


def as_older(run: AsyncRun, **own: Any) -> AsyncRun:
    """Return a run unpickled from a version in which runs stored their results themselves."""
    state = {name: value for name, value in run.__getstate__().items() if name != "_end"}
    older = object.__new__(AsyncRun)
    older.__setstate__({**state, "_item": None, "_results": None, "_failing": None, "_record": None, **own})
    return older


def test_run_from_an_older_pickle_has_its_results() -> None:
    results = results_of_item(ENDED, {})
    run = as_older(ended_run(), _item=ENDED, _results=results)
    assert run.item == ENDED
    assert run.outputs == results
    assert run.seconds == 2.0
    recalled = as_older(ended_run(), _record={"images": ["x.png"], "seconds": 1.5})
    assert ([image.name for image in recalled.images], recalled.seconds) == (["x.png"], 1.5)
    copy = pickle.loads(pickle.dumps(recalled))
    assert ([image.name for image in copy.images], copy.seconds) == (["x.png"], 1.5)
    with pytest.raises(RunNotFinishedError):
        _ = as_older(ended_run()).outputs


def test_sweep_from_an_older_pickle_continues() -> None:
    body = {"batch": {"graph": {"nodes": {"sum": {"type": "add"}}}, "workflow": None, "data": []}}
    request = Request(0, 2, {}, ({"a": (1, 2)},), body)
    connection = Connection.to(NOWHERE)
    runs = SweepRuns([request], inputs={"b": 2}, labels={"sum": "Sum"}, queue_id="default")
    execution = ServerExecution(connection, runs, batch_id="b-1").__getstate__()
    tracker: BatchTracker = execution["_tracker"]
    run = AsyncRun(connection, 41, tracker, inputs={"a": 1, "b": 2}, labels={"sum": "Sum"})
    state = {name: execution[name] for name in ("_background", "_tracker", "_follower", "_delivery")}
    state |= {"connection": connection, "name": "w", "axes": ("a",), "queue_id": "default", "_order": []}
    state |= {"_requests": (request,), "_inputs": runs.inputs, "_labels": runs.labels, "_open": {0, 1}}
    state |= {"_runs": {0: as_older(run)}, "_index": {41: 0}}
    older = object.__new__(AsyncSweep)
    older.__setstate__(state)
    assert dict(older.runs[0].inputs) == {"a": 1, "b": 2}
    older._finished(41, ENDED, ())  # pyright: ignore[reportPrivateUsage]
    assert older.runs[0].outputs.of("Sum")[0].data["value"] == 3
    assert (older.runs[0].status.ok, older.done) == (True, 1)
