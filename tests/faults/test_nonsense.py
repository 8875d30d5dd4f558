"""Responses and events that are almost valid: the client handles them correctly or raises one of our errors.

``FUZZ=10000 pytest -k nonsense`` tries 10,000 of them.
"""

from __future__ import annotations

import asyncio
import copy
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from invokeai_py_client import AsyncInvokeAIClient
from invokeai_py_client.connection import Connection
from invokeai_py_client.errors import InvokeAIClientError
from invokeai_py_client.models import IvkBoard, IvkDnnModel, IvkImage, IvkJob, QueueStatus
from invokeai_py_client.models.enums import JobStatus
from invokeai_py_client.run.events import RunEvent, parse_event
from invokeai_py_client.run.live import LiveRuns
from invokeai_py_client.run.run import AsyncRun
from invokeai_py_client.run.status import RunStatus
from invokeai_py_client.run.tracker import BatchTracker
from invokeai_py_client.transport.json_shape import shape_error
from invokeai_py_client.transport.responses import Response, error_of
from invokeai_py_client.transport.settings import ConnectionSettings, ServerAddress

RECORDS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "data" / "records.json").read_text())
EXAMPLES = int(os.environ.get("FUZZ", "1500"))
NOWHERE = "http://127.0.0.1:9"

# Values that replace valid ones.
JUNK: list[Any] = [
    *(None, True, False, 0, -1, 1, 7, 2**70, 0.5, float("nan"), float("inf"), "", " ", "completed", "in_progress"),
    *("0", "2026-11-20 20:48:20.306", "no date", "\ud800", "\0", "../../etc", "a" * 5000),
    *([], [[]], [None], ["a"], [1, "a"], {}, {"": None}, {"a": {"b": []}}, {"image_name": 5}, [{"item_id": "x"}]),
]  # fmt: skip


def paths(data: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Yield the paths of all values in JSON data."""
    inside: list[tuple[Any, ...]] = [here]
    if isinstance(data, dict):
        for key, value in cast("dict[str, Any]", data).items():
            inside += paths(value, (*here, key))
    elif isinstance(data, list):
        for index, value in enumerate(cast("list[Any]", data)):
            inside += paths(value, (*here, index))
    return inside


@st.composite
def damaged(draw: st.DrawFn, record: Any) -> Any:
    """Return a record in which a few values are replaced or missing."""
    data: Any = copy.deepcopy(record)
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.sampled_from(paths(data)))
        junk = copy.deepcopy(draw(st.sampled_from(JUNK) | st.integers() | st.text(max_size=8)))
        if not place:
            return junk
        owner = data
        for step in place[:-1]:
            owner = owner[step]
        if draw(st.booleans()):
            owner[place[-1]] = junk
        else:
            del owner[place[-1]]
    return data


def client_with_response(answer: Any) -> AsyncInvokeAIClient:
    """Return a client for which every request has the same response, if the transport accepts it."""
    client = AsyncInvokeAIClient.from_url(NOWHERE, max_retries=0)

    async def exchange(method: str, path: str, **_: Any) -> tuple[Response, dict[str, str]]:
        where = {"method": method, "path": path, "request_id": "id"}
        return Response(json.dumps(answer).encode(), "application/json"), where

    client.connection.http._exchange = exchange  # type: ignore[method-assign]
    return client


async def awaited(call: Callable[[AsyncInvokeAIClient], Any], answer: Any) -> Any:
    async with asyncio.timeout(20):
        return await call(client_with_response(answer))


async def finish(client: AsyncInvokeAIClient) -> AsyncRun:
    run = AsyncRun(client.connection, 28, BatchTracker(RECORDS["queue_item"]["batch_id"]))
    await run.refresh()
    if run.done:
        run._take_results(await run._fetch_results())
        assert isinstance(run.outputs.image_names(), tuple)
        assert all(image.name for image in run.images)
        assert repr(run.outputs)
        assert run.seconds is None or run.seconds == run.seconds
        run.raise_if_failed()
    return run


CALLS: list[tuple[str, Callable[[AsyncInvokeAIClient], Any], type | tuple[type, ...]]] = [
    ("queue_item", finish, AsyncRun),
    ("failed_item", finish, AsyncRun),
    ("queue_item", lambda client: client.queue_repo.item(28), IvkJob),
    ("queue_status", lambda client: client.queue_repo.status(), QueueStatus),
    ("batch_status", lambda client: client.queue_repo.batch_status("b"), object),
    ("image", lambda client: client.image_repo.get_image("a.png"), IvkImage),
    ("models", lambda client: client.dnn_model_repo.get_model_by_key("k"), (IvkDnnModel, type(None))),
    ("boards", lambda client: client.board_repo.get_board_by_id("x"), object),
    ("enqueue_result", lambda client: sent(client), object),
]


async def sent(client: AsyncInvokeAIClient) -> Any:
    from invokeai_py_client.run.enqueue import enqueue

    enqueued = await enqueue(client.connection, "default", {"prepend": False, "batch": {"batch_id": "b"}}, 1)
    assert all(isinstance(item_id, int) for item_id in enqueued.item_ids)
    return enqueued


QUICK = settings(
    max_examples=max(20, EXAMPLES // (len(CALLS) + 4)),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


def one_record(name: str) -> Any:
    record = RECORDS[name]
    if name == "models":
        return record[0]
    return next(iter(record.values())) if name == "boards" else record


@pytest.mark.parametrize(("name", "call", "kind"), CALLS)
@QUICK
@given(data=st.data())
def test_nonsense_responses(data: st.DataObject, name: str, call: Any, kind: Any) -> None:
    answer = data.draw(damaged(one_record(name)))
    try:
        given_back = asyncio.run(awaited(call, answer))
    except InvokeAIClientError as error:
        assert str(error)
        pickle.dumps(error)
    else:
        assert isinstance(given_back, kind)


@QUICK
@given(body=damaged({"detail": [{"type": "x", "loc": ["body", 1], "msg": "no", "input": {"a": 1}}]}))
def test_nonsense_error_responses(body: Any) -> None:
    for status in (400, 404, 422, 500, 599):
        error = error_of(
            status, json.dumps(body).encode(), "application/json", method="GET", path="/x", request_id="i"
        )
        assert len(str(error)) < 2000


@settings(QUICK, max_examples=max(50, EXAMPLES * 3 // (len(CALLS) + 4)))
@given(data=st.data())
def test_nonsense_events(data: st.DataObject) -> None:
    """Send many events in a row. Afterwards, the client still understands a valid event."""
    connection = Connection(ConnectionSettings(ServerAddress(NOWHERE)))
    live = connection.part(LiveRuns)
    tracker = BatchTracker("95923e9d", keep_results=True)
    live._trackers[tracker.batch_id] = tracker
    names = [*RECORDS["events"], "queue_cleared", "queue_items_canceled", "batch_enqueued", "nonsense"]
    for _ in range(data.draw(st.integers(1, 4))):
        name = data.draw(st.sampled_from(names))
        payload = data.draw(damaged(RECORDS["events"].get(name, {"batch_id": "95923e9d"})))
        live._on_event(name, payload)
        event = parse_event(name, payload)
        if event is not None:
            assert isinstance(event, RunEvent)
            assert isinstance(event.item_id, int)
    assert isinstance(tracker.status(28), RunStatus)
    assert str(tracker.status(28))
    last = RECORDS["events"]["queue_item_status_changed"]
    live._on_event("queue_item_status_changed", {**last, "item_id": 99, "status": "completed"})
    assert tracker.status(99).state is JobStatus.COMPLETED


@QUICK
@given(answer=damaged([RECORDS["queue_item"]]))
def test_nonsense_matches_shape_or_is_rejected(answer: Any) -> None:
    from invokeai_py_client.transport.json_shape import QUEUE_ITEM, ListOf

    wrong = shape_error(answer, ListOf(QUEUE_ITEM))
    if wrong is None:
        assert all(isinstance(item["item_id"], int) for item in answer)
    else:
        assert wrong.startswith(("has ", "is "))


def test_nonsense_examples_are_valid_undamaged() -> None:
    """Check that each example is valid if nothing in it is replaced."""
    for name, call, kind in CALLS:
        if name != "failed_item":
            assert isinstance(asyncio.run(awaited(call, one_record(name))), kind)
    assert isinstance(IvkBoard.from_api_response(one_record("boards")), IvkBoard)
