"""Tests of records: from server responses, from users' arguments, and back to JSON."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from invokeai_py_client.errors import InputValueError, InvokeAIClientError
from invokeai_py_client.models import (
    BaseModelEnum,
    BatchStatus,
    BoardVisibility,
    EnqueueResult,
    FoundModel,
    ImageCategory,
    InstallStatus,
    InvocationEvent,
    IvkBoard,
    IvkDnnModel,
    IvkImage,
    IvkJob,
    JobStatus,
    ModelInstJobInfo,
    QueueStatus,
    SessionEvent,
    StarterBundle,
)
from invokeai_py_client.models.base import jsonable

RECORDS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "data" / "records.json").read_text())


# ---------------------------------------------------------------------- images


def test_S05_image_from_a_real_record() -> None:
    image = IvkImage.from_api_response(RECORDS["image"])
    assert image.image_name == "0c5b6b6e-1.png"
    assert image.image_category is ImageCategory.GENERAL
    assert (image.width, image.height, image.starred, image.is_intermediate) == (512, 384, True, False)
    assert image.board_id is None
    assert image.created_at == datetime(2026, 11, 20, 20, 48, 20, 306000, tzinfo=UTC)
    assert image.has_workflow is True
    assert image.image_subfolder == ""


def test_S05_only_the_name_is_required() -> None:
    image = IvkImage(image_name="a.png")
    assert image.image_category is ImageCategory.GENERAL
    assert (image.starred, image.is_intermediate, image.metadata, image.workflow_id) == (
        False,
        False,
        None,
        None,
    )
    with pytest.raises(InputValueError, match="image_name is missing"):
        IvkImage()  # pyright: ignore[reportCallIssue]


def test_S05_construction_as_in_older_documents() -> None:
    now = datetime.now()
    image = IvkImage(
        image_name="output_123.png",
        image_url="/api/v1/images/i/output_123.png",
        thumbnail_url="/api/v1/images/t/output_123.png",
        board_id="results",
        width=1024,
        height=1024,
        created_at=now,
        starred=False,
    )
    assert image.created_at == now
    assert IvkImage.from_api_response(image.to_dict()) == image


def test_S05_to_dict_is_json_and_round_trips() -> None:
    image = IvkImage.from_api_response({**RECORDS["image"], "metadata": {"seed": 1, "vae": None}, "new": [1]})
    data = image.to_dict()
    assert json.loads(json.dumps(data)) == data
    assert data["image_category"] == "general"
    assert "board_id" not in data
    assert data["metadata"] == {"seed": 1, "vae": None}
    assert data["new"] == [1]
    assert IvkImage.from_api_response(data) == image


def test_S05_any_content_is_converted_to_json() -> None:
    image = IvkImage.model_validate(
        {"image_name": "a", "odd": {1: {Path("p"), Path("o")}, "t": (JobStatus.RUNNING, UTC)}}
    )
    data = image.to_dict()
    assert json.loads(json.dumps(data)) == data
    assert data["odd"] == {"1": ["o", "p"], "t": ["running", "UTC"]}


# ---------------------------------------------------------------------- jobs


def test_S06_job_from_a_real_queue_item() -> None:
    job = IvkJob.from_api_response(RECORDS["queue_item"])
    assert (job.id, job.item_id, job.session_id, job.batch_id) == ("28", 28, "ff9a139d", "95923e9d")
    assert job.status is JobStatus.COMPLETED
    assert job.is_complete()
    assert job.is_successful()
    assert job.progress == 1.0
    assert job.error is None
    assert job.outputs["1307c708"]["image"]["image_name"] == "0c5b6b6e-1.png"
    assert job.metadata["field_values"] == [{"node_path": "n1", "field_name": "seed", "value": 7}]
    assert "session" not in job.to_dict()["metadata"]
    assert isinstance(job.started_at, datetime)
    assert isinstance(job.completed_at, datetime)
    assert job.completed_at - job.started_at == timedelta(milliseconds=659)
    assert IvkJob.from_api_response(job.to_dict()) == job
    assert json.loads(json.dumps(job.to_dict())) == job.to_dict()


def test_S06_failed_item_has_error() -> None:
    job = IvkJob.from_api_response(RECORDS["failed_item"])
    assert job.error == RECORDS["failed_item"]["error_message"]
    assert job.metadata["error_type"] == "MissingInputException"
    assert job.is_complete()
    assert not job.is_successful()


@pytest.mark.parametrize(
    ("wire", "status", "done"),
    [
        ("pending", JobStatus.PENDING, False),
        ("in_progress", JobStatus.RUNNING, False),
        ("waiting", JobStatus.WAITING, False),
        ("canceled", JobStatus.CANCELLED, True),
        ("dreaming", "dreaming", False),
    ],
)
def test_S06_server_statuses(wire: str, status: str, done: bool) -> None:
    job = IvkJob.from_api_response({**RECORDS["queue_item"], "status": wire})
    assert job.status == status
    assert job.is_complete() is done
    assert not job.is_successful()
    assert IvkJob.from_api_response(job.to_dict()).status == job.status


def test_S06_construction_and_assignment_as_in_older_documents() -> None:
    job = IvkJob(session_id="abc-123", status=JobStatus.IN_PROGRESS, created_at=datetime.now())
    assert job.session_id == "abc-123"
    assert job.id == "abc-123"
    assert job.item_id is None
    job.status = JobStatus.COMPLETED
    job.completed_at = datetime.now()
    assert job.is_successful()


def test_S06_assignment_is_validated() -> None:
    job = IvkJob(id="1")
    setattr(job, "status", "canceled")  # noqa: B010 - pyright knows that text becomes a member only at run time
    assert job.status is JobStatus.CANCELLED
    for name, value in [("status", 5), ("status", "banana"), ("progress", 2), ("id", None), ("outputs", 1)]:
        with pytest.raises(InputValueError, match=f"IvkJob.{name}: .* is not valid"):
            setattr(job, name, value)
    assert job.status is JobStatus.CANCELLED


def test_S06_a_job_needs_an_identity() -> None:
    with pytest.raises(InputValueError, match="id is missing"):
        IvkJob()


# ---------------------------------------------------------------------- models


@pytest.mark.parametrize("record", RECORDS["models"], ids=lambda record: record["name"])
def test_S07_every_record_of_a_model_list(record: dict[str, Any]) -> None:
    model = IvkDnnModel.from_api_response(record)
    for name in ("key", "name", "base", "type", "format", "hash", "path", "description"):
        assert getattr(model, name) == record[name]
    data = model.to_dict()
    assert {name: value for name, value in record.items() if value is not None}.items() <= data.items()
    assert json.loads(json.dumps(data)) == data
    assert IvkDnnModel.from_api_response(data) == model


def test_S07_known_bases_are_members() -> None:
    sd, clip, unknown, tomorrow = (IvkDnnModel.from_api_response(r) for r in RECORDS["models"])
    assert (sd.base, clip.base, unknown.base) == (
        BaseModelEnum.SD1,
        BaseModelEnum.ANY,
        BaseModelEnum.UNKNOWN,
    )
    assert isinstance(sd.base, BaseModelEnum)
    assert not isinstance(tomorrow.base, BaseModelEnum)
    assert sd.default_settings == {"vae": None, "steps": 30}


def test_values_of_a_model_are_typed_and_unknown_ones_are_kept() -> None:
    data = {
        "key": "k",
        "name": "n",
        "base": "sd-1",
        "type": "main",
        "file_size": 4_265_380_512,
        "source": "org/name",
        "source_type": "hf_repo_id",
        "trigger_phrases": ["oil painting"],
        "default_settings": {"steps": 30},
        "submodels": {"vae": {"path_or_prefix": "vae"}},
        "cpu_only": None,
        "prediction_type": "v_prediction",
        "cover_image": "/api/v2/models/i/k/image?1",
        "from_a_newer_server": [1],
    }
    model = IvkDnnModel.from_api_response(data)
    assert model.trigger_phrases == ["oil painting"]
    assert (model.cpu_only, model.tags, model.format_file_size()) == (None, None, "4.0 GB")
    assert model.to_dict() == {**{k: v for k, v in data.items() if v is not None}, "metadata": {}}
    with pytest.raises(InputValueError, match=r"IvkDnnModel\.file_size: 'big' is not valid"):
        setattr(model, "file_size", "big")  # noqa: B010 - pyright knows that text is not valid


def test_bundle_of_starter_models_is_installed_if_all_of_its_models_are() -> None:
    model = {"name": "n", "source": "o/n", "base": "flux", "type": "main", "is_installed": True}
    bundle = StarterBundle.from_api_response({"id": "flux", "name": "FLUX.1 dev", "models": [model, model]})
    assert bundle.is_installed
    assert [one.base for one in bundle.models] == [BaseModelEnum.FLUX] * 2
    assert StarterBundle.from_api_response(bundle.to_dict()) == bundle
    bundle.models[1].is_installed = False
    assert not bundle.is_installed


def test_installation_that_was_restarted_has_no_error_of_the_first_attempt() -> None:
    failed = {"error": "Not Found", "error_reason": "HTTPError", "error_traceback": "..."}
    for status, error in (("error", "Not Found"), ("waiting", None), ("completed", None)):
        job = ModelInstJobInfo.from_api_response({"id": 1, "status": status, **failed})
        assert job.error == error


def test_S07_older_names_are_accepted_and_readable() -> None:
    model = IvkDnnModel(
        model_key="sdxl-base",
        model_name="SDXL Base 1.0",
        base_model=BaseModelEnum.SDXL,
        model_type="main",
        model_format="diffusers",
        path="models/sdxl/base",
    )
    assert (model.key, model.name, model.base, model.type, model.format) == (
        model.model_key,
        model.model_name,
        model.base_model,
        model.model_type,
        model.model_format,
    )
    assert model.key == "sdxl-base"
    assert model.to_dict() == {
        "key": "sdxl-base",
        "name": "SDXL Base 1.0",
        "base": "sdxl",
        "type": "main",
        "format": "diffusers",
        "path": "models/sdxl/base",
        "metadata": {},
    }
    older = {"model_key": "k", "model_name": "n", "base_model": "sd-1", "model_type": "lora"}
    assert IvkDnnModel.from_api_response(older).base_model is BaseModelEnum.SD1


def test_S07_record_with_identity_is_never_rejected(caplog: pytest.LogCaptureFixture) -> None:
    model = IvkDnnModel.from_api_response({"key": "k", "variant": {"new": 1}, "base": None, "file_size": 3})
    assert (model.name, model.base, model.type, model.variant) == (
        "k",
        BaseModelEnum.UNKNOWN,
        "unknown",
        None,
    )
    assert "variant" in caplog.text
    with pytest.raises(InputValueError, match="key is missing"):
        IvkDnnModel.from_api_response({"name": "n", "base": "sd-1", "type": "main"})


# ---------------------------------------------------------------------- events


def test_S08_session_event_from_a_real_event() -> None:
    payload = RECORDS["events"]["queue_item_status_changed"]
    event = SessionEvent.from_event("queue_item_status_changed", payload)
    assert (event.event, event.session_id) == ("queue_item_status_changed", "ff9a139d")
    assert event.timestamp == datetime.fromtimestamp(1795207701, UTC)
    assert event.data == payload
    assert SessionEvent.from_api_response(event.to_dict()) == event


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("invocation_started", JobStatus.RUNNING),
        ("invocation_progress", JobStatus.RUNNING),
        ("invocation_complete", JobStatus.COMPLETED),
        ("invocation_error", JobStatus.FAILED),
    ],
)
def test_S08_invocation_event_from_a_real_event(name: str, status: JobStatus) -> None:
    payload = RECORDS["events"][name]
    event = InvocationEvent.from_event(name, payload)
    assert (event.invocation_id, event.node_id) == ("1307c708", "n1")
    assert event.invocation_type == payload["invocation"]["type"]
    assert event.status is status
    assert event.outputs == payload.get("result")
    assert event.error == payload.get("error_message")
    assert event.progress == payload.get("percentage")
    assert InvocationEvent.from_api_response(event.to_dict()) == event


def test_S08_invocation_event_without_node_is_rejected() -> None:
    with pytest.raises(InputValueError, match="invocation_id is missing"):
        InvocationEvent.from_event("batch_enqueued", {"timestamp": 0})


# ---------------------------------------------------------------------- boards, queue, installation


@pytest.mark.parametrize("version", RECORDS["boards"])
def test_boards_of_every_version(version: str) -> None:
    record = RECORDS["boards"][version]
    board = IvkBoard.from_api_response(record)
    assert (board.board_id, board.board_name) == (record["board_id"], record["board_name"])
    assert board.image_count == record["image_count"]
    assert not board.is_uncategorized()
    assert IvkBoard.from_api_response(board.to_dict()) == board


def test_board_visibility_is_a_member() -> None:
    assert IvkBoard.from_api_response(RECORDS["boards"]["6.14"]).board_visibility is BoardVisibility.SHARED


def test_queue_status_is_flat() -> None:
    status = QueueStatus.from_api_response(RECORDS["queue_status"])
    assert (status.pending, status.in_progress, status.running, status.waiting) == (3, 1, 1, 1)
    assert (status.canceled, status.cancelled, status.total, status.unfinished) == (4, 4, 16, 5)
    assert (status.item_id, status.is_started, status.is_processing) == (28, True, True)
    assert QueueStatus.from_api_response(status.to_dict()) == status


def test_batch_status_and_enqueue_result() -> None:
    assert BatchStatus.from_api_response(RECORDS["batch_status"]).completed == 2
    result = EnqueueResult.from_api_response(RECORDS["enqueue_result"])
    assert (result.enqueued, result.requested, result.batch_id) == (3, 4, "95923e9d")
    assert result.item_ids == [10, 11, 12]  # in the order of the batch
    assert RECORDS["enqueue_result"]["item_ids"] == [12, 11, 10]  # the caller's data is unchanged


def test_install_info_has_no_tokens() -> None:
    info = ModelInstJobInfo.from_api_response(RECORDS["install_job"])
    assert (info.id, info.job_id, info.status) == (0, 0, InstallStatus.DOWNLOADING)
    assert (info.source, info.source_type) == ("org/name:fp16:vae", "hf")
    assert info.progress == 0.25
    assert info.model_key is None
    assert "hf_secret" not in json.dumps(info.to_dict())
    assert RECORDS["install_job"]["source"]["access_token"] == "hf_secret"
    assert ModelInstJobInfo.from_api_response(info.to_dict()) == info


def test_install_info_of_a_finished_job() -> None:
    record = {**RECORDS["install_job"], "status": "completed", "config_out": RECORDS["models"][0]}
    info = ModelInstJobInfo.from_api_response(record)
    assert info.model_key == "k1"
    assert info.is_successful()


def test_found_model() -> None:
    found = FoundModel.from_api_response({"path": "/m/a.safetensors", "is_installed": True})
    assert (found.path, found.is_installed) == ("/m/a.safetensors", True)


# ---------------------------------------------------------------------- timestamps and errors


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-20 20:48:20.306", datetime(2026, 11, 20, 20, 48, 20, 306000, tzinfo=UTC)),
        ("2026-11-20 20:48:20", datetime(2026, 11, 20, 20, 48, 20, tzinfo=UTC)),
        ("2026-11-20T20:48:20+00:00", datetime(2026, 11, 20, 20, 48, 20, tzinfo=UTC)),
        ("2026-11-20T20:48:20Z", datetime(2026, 11, 20, 20, 48, 20, tzinfo=UTC)),
        ("2026-11-20T20:48:20", datetime(2026, 11, 20, 20, 48, 20)),
        ("yesterday", "yesterday"),
        ("2026-13-40 99:48:20.306", "2026-13-40 99:48:20.306"),
        ("20261120", "20261120"),
    ],
)
def test_timestamps(text: str, moment: datetime | str) -> None:
    image = IvkImage.from_api_response({"image_name": "a", "created_at": text})
    assert image.created_at == moment
    assert IvkImage.from_api_response(image.to_dict()) == image


@pytest.mark.parametrize(
    "call",
    [
        lambda: IvkImage(image_name=5),  # pyright: ignore[reportArgumentType]
        lambda: IvkImage(image_name="a", width="wide"),  # pyright: ignore[reportArgumentType]
        lambda: IvkImage(image_name="a", starred=None),  # pyright: ignore[reportArgumentType]
        lambda: IvkImage(image_name="a", created_at=5),  # pyright: ignore[reportArgumentType]
        lambda: IvkImage.model_validate({"image_name": None}),
        lambda: IvkImage.model_validate([]),
        lambda: IvkImage.model_validate_json("{"),
        lambda: IvkImage.from_api_response([]),  # pyright: ignore[reportArgumentType]
        lambda: IvkDnnModel(key="k", name="n", base=5, type="main"),
        lambda: IvkJob.model_validate({}),
    ],
)
def test_only_input_value_error_is_raised(call: Callable[[], object]) -> None:
    with pytest.raises(InputValueError) as caught:
        call()
    assert isinstance(caught.value, InvokeAIClientError)
    assert str(caught.value).startswith(("IvkImage", "IvkDnnModel", "IvkJob"))
    assert caught.value.__cause__ is None
    assert len(str(caught.value)) < 400
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_records_can_be_pickled_and_copied() -> None:
    job = IvkJob.from_api_response(RECORDS["queue_item"])
    assert pickle.loads(pickle.dumps(job)) == job
    assert job.model_copy(deep=True) == job


def test_objects_in_records_become_text() -> None:
    class Thing:
        pass

    class Picture:
        name = "a.png"
        thumbnail = None

    assert jsonable([b"12345", Picture(), Path("x/y.png")]) == ["5 bytes", "a.png", "x/y.png"]
    assert " at 0x" not in jsonable(Thing())
