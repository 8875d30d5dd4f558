"""Property tests of records: any data becomes a record or raises our error, and nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from invokeai_py_client.errors import InvokeAIClientError
from invokeai_py_client.models import (
    BatchStatus,
    EnqueueResult,
    InvocationEvent,
    IvkBoard,
    IvkDnnModel,
    IvkImage,
    IvkJob,
    IvkModel,
    ModelInstJobInfo,
    QueueStatus,
    SessionEvent,
)

RECORDS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "data" / "records.json").read_text())

Reader = Callable[[dict[str, Any]], IvkModel]

CASES: list[tuple[Reader, dict[str, Any]]] = [
    (IvkImage.from_api_response, RECORDS["image"]),
    (IvkJob.from_api_response, RECORDS["queue_item"]),
    (IvkJob.from_api_response, RECORDS["failed_item"]),
    *((IvkDnnModel.from_api_response, record) for record in RECORDS["models"]),
    *((IvkBoard.from_api_response, record) for record in RECORDS["boards"].values()),
    (ModelInstJobInfo.from_api_response, RECORDS["install_job"]),
    (QueueStatus.from_api_response, RECORDS["queue_status"]),
    (BatchStatus.from_api_response, RECORDS["batch_status"]),
    (EnqueueResult.from_api_response, RECORDS["enqueue_result"]),
    (lambda data: SessionEvent.from_event("x", data), RECORDS["events"]["queue_item_status_changed"]),
    (
        lambda data: InvocationEvent.from_event("invocation_complete", data),
        RECORDS["events"]["invocation_complete"],
    ),
    (
        lambda data: InvocationEvent.from_event("invocation_progress", data),
        RECORDS["events"]["invocation_progress"],
    ),
]

junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("9" * 5000),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3)
    ),
    max_leaves=6,
)


@st.composite
def mutated(draw: st.DrawFn) -> tuple[Reader, dict[str, Any]]:
    reader, record = draw(st.sampled_from(CASES))
    data: dict[str, Any] = json.loads(json.dumps(record))
    for _ in range(draw(st.integers(0, 5))):
        place = data
        inner = [value for value in data.values() if isinstance(value, dict)]
        if inner and draw(st.booleans()):
            place = draw(st.sampled_from(inner))
        key = (
            draw(st.sampled_from(sorted(place)) if place else st.text(max_size=5))
            if draw(st.booleans())
            else draw(
                st.text(max_size=5)
                | st.sampled_from(["id", "job_id", "metadata", "self", "to_dict", "progress"])
            )
        )
        if draw(st.booleans()):
            place[key] = draw(junk)
        else:
            place.pop(key, None)
    return reader, data


@settings(max_examples=300, deadline=None)
@given(mutated())
def test_mutated_records_are_read_or_rejected_with_input_error(case: tuple[Reader, dict[str, Any]]) -> None:
    reader, data = case
    before = json.dumps(data)
    try:
        record = reader(data)
    except InvokeAIClientError as error:
        assert len(str(error)) < 2000
        return
    finally:
        assert json.dumps(data) == before, "the caller's data was changed"
    out = record.to_dict()
    again = type(record).from_api_response(json.loads(json.dumps(out)))
    assert json.dumps(again.to_dict()) == json.dumps(out)


@settings(max_examples=300, deadline=None)
@given(st.text(min_size=1, max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_unknown_words_survive_a_round_trip(base: str, kind: str, status: str) -> None:
    model = IvkDnnModel.from_api_response(
        {"key": "k", "name": "n", "base": base, "type": kind, "format": kind}
    )
    assert (model.type, model.format) == (kind, kind)
    assert IvkDnnModel.from_api_response(model.to_dict()) == model
    job = IvkJob.from_api_response({"item_id": 1, "status": status})
    assert IvkJob.from_api_response(job.to_dict()) == job


@settings(max_examples=500, deadline=None)
@given(st.sampled_from([IvkImage, IvkJob, IvkDnnModel, IvkBoard]), st.data())
def test_assignment_is_stored_or_rejected_with_input_error(kind: type[IvkModel], data: st.DataObject) -> None:
    made = {
        IvkImage: RECORDS["image"],
        IvkJob: RECORDS["queue_item"],
        IvkDnnModel: RECORDS["models"][0],
        IvkBoard: RECORDS["boards"]["6.14"],
    }
    record = kind.from_api_response(made[kind])  # pyright: ignore[reportArgumentType]
    name = data.draw(st.sampled_from(sorted(kind.model_fields)))
    before = record.model_copy(deep=True)
    try:
        setattr(record, name, data.draw(junk))
    except InvokeAIClientError as error:
        field = f"{kind.__name__}.{name}"
        assert str(error).startswith(
            (f"{field}: ", f"{field}.")
        )  # of an element of a list, its index follows
        assert record == before
