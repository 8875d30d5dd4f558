"""Events of installations: updates of the job, and when the job has to be read. And starter models."""

from __future__ import annotations

from typing import Any

import pytest

from invokeai_py_client.dnn_model import events
from invokeai_py_client.dnn_model.events import InstallEvents, after_event, concerns, event_between
from invokeai_py_client.dnn_model.starters import installed_starter, starter, starter_config
from invokeai_py_client.errors import InputValueError, ModelNotFoundError
from invokeai_py_client.models import (
    BaseModelEnum,
    InstallStatus,
    IvkDnnModel,
    ModelInstJobInfo,
    StarterModel,
)

SOURCE = {"type": "url", "url": "https://x/y", "access_token": "secret"}
PROGRESS = "model_install_download_progress"


def job(status: str = "downloading", **more: Any) -> ModelInstJobInfo:
    return ModelInstJobInfo.from_api_response({"id": 3, "status": status, "source": SOURCE, **more})


def event(**more: Any) -> dict[str, Any]:
    return {"id": 3, "source": SOURCE, "timestamp": 1, **more}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("waiting", "InstallEvent"),
        ("downloading", "InstallDownloading"),
        ("downloads_done", "InstallDownloaded"),
        ("running", "InstallStarted"),
        ("paused", "InstallPaused"),
        ("completed", "InstallCompleted"),
        ("error", "InstallFailed"),
        ("cancelled", "InstallCancelled"),
        ("dreaming", "InstallEvent"),
    ],
)
def test_every_status_has_an_event(status: str, kind: str) -> None:
    event = event_between(None, job(status))
    assert type(event) is getattr(events, kind)
    assert event is not None
    assert (event.job_id, event.source, event.status) == (3, "https://x/y", status)
    assert event_between(job(status), job(status)) is None
    assert event_between(job("waiting" if status != "waiting" else "running"), job(status)) == event


def test_event_attributes() -> None:
    progressed = event_between(job(bytes=1, total_bytes=4), job(bytes=2, total_bytes=4))
    assert isinstance(progressed, events.InstallDownloading)
    assert (progressed.bytes, progressed.total_bytes, progressed.fraction) == (2, 4, 0.5)
    failed = event_between(job(), job("error", error="no", error_reason="ValueError"))
    assert isinstance(failed, events.InstallFailed)
    assert (failed.error, failed.error_reason) == ("no", "ValueError")
    done = event_between(job(), job("completed", config_out={"key": "k"}))
    assert isinstance(done, events.InstallCompleted)
    assert done.model_key == "k"
    assert event_between(job("running", bytes=1), job("running", bytes=2)) is None


@pytest.mark.parametrize(
    ("name", "payload", "ours"),
    [
        (PROGRESS, event(bytes=1), True),
        ("model_install_complete", event(key="k"), True),
        (PROGRESS, event(id=4), False),
        (PROGRESS, event(source={"type": "url", "url": "https://other"}), False),  # a restarted server
        ("download_progress", event(), False),
        ("model_load_started", event(), False),
        (PROGRESS, None, False),
        (PROGRESS, ["?"], False),
        (PROGRESS, {}, False),
        (PROGRESS, event(source=None), False),
    ],
)
def test_events_of_a_job_are_recognized(name: str, payload: Any, ours: bool) -> None:
    assert concerns(job(), name, payload) is ours
    assert concerns(ModelInstJobInfo(source="https://x/y"), name, payload) is False


def test_events_update_the_job() -> None:
    info = after_event(job("waiting"), PROGRESS, event(bytes=5, total_bytes=9, parts=[]))
    assert info is not None
    assert (info.status, info.bytes, info.total_bytes) == (InstallStatus.DOWNLOADING, 5, 9)
    assert after_event(info, PROGRESS, event(bytes="?", total_bytes=None)) is not None
    info = after_event(info, "model_install_started", event())
    assert info is not None
    assert info.status is InstallStatus.RUNNING
    for late in (PROGRESS, "model_install_downloads_complete", "model_install_started"):
        assert after_event(info, late, event(bytes=1, total_bytes=9)) in (info, info.model_copy())
        assert after_event(job("completed"), late, event()) == job("completed")
    for final in ("complete", "error", "cancelled"):
        assert after_event(info, f"model_install_{final}", event()) is None


def test_only_the_latest_progress_is_kept() -> None:
    info = job("waiting")
    pending = InstallEvents(info)
    assert pending.next(info) is None
    for done in range(1, 100):
        assert pending.listen(PROGRESS, event(bytes=done, total_bytes=100))
    assert pending.listen("model_install_downloads_complete", event())
    assert not pending.listen("model_install_started", event(id=9))
    first = pending.next(info)
    assert first is not None
    assert first.bytes == 99
    second = pending.next(first)
    assert second is not None
    assert second.status is InstallStatus.DOWNLOADS_DONE
    assert (pending.count, pending.missed) == (100, False)
    pending.listen(PROGRESS, event(bytes=100))
    pending.listen("connect", None)  # after a reconnect, the job's record is newer than earlier events
    assert pending.missed
    assert pending.next(second) is None


def test_final_event_marks_the_job_to_be_read() -> None:
    pending = InstallEvents(job())
    pending.listen("model_install_complete", event())
    assert pending.next(job()) is None
    assert pending.missed


# ---------------------------------------------------------------------- records


@pytest.mark.parametrize("base", ["hyper-9", None, 7, ""])
@pytest.mark.parametrize("kind", ["dreamer", None, []])
@pytest.mark.parametrize("form", ["zip", None, {"a": 1}])
def test_S07_records_survive_any_word_and_null(base: Any, kind: Any, form: Any) -> None:
    record = {"key": "k", "name": None, "base": base, "type": kind, "format": form, "description": None}
    model = IvkDnnModel.from_api_response({**record, "hash": None, "path": None, "variant": None, "new": [1]})
    assert model.key == model.model_key == model.name == "k"
    assert model.base == (base if isinstance(base, str) else BaseModelEnum.UNKNOWN)
    assert model.type == (kind if isinstance(kind, str) else "unknown")
    assert model.format == (form if isinstance(form, str) else None)
    assert model.description is None
    assert IvkDnnModel.from_api_response(model.to_dict()) == model
    with pytest.raises(InputValueError, match="key"):
        IvkDnnModel.from_api_response({**record, "key": None})


# ---------------------------------------------------------------------- starter models


def starter_model(name: str, source: str, **more: Any) -> StarterModel:
    return StarterModel.from_api_response(
        {"name": name, "source": source, "base": "sdxl", "type": "main", **more}
    )


STARTERS = [
    starter_model("Painter v2", "org/painter", previous_names=["Painter v1"], description="?"),
    starter_model("Tile", "org/tile-1"),
    starter_model("Tile", "org/tile-2", base="warp-3", dependencies=[{"name": "vae", "source": "org/vae"}]),
]


def test_starter_models_by_name_and_source() -> None:
    for name in ("Painter v2", "painter V2", "Painter v1", "org/painter"):
        assert starter(STARTERS, name) is STARTERS[0]
    assert starter(STARTERS, "org/tile-2").dependencies == [
        starter_model("vae", "org/vae", base=None, type=None)
    ]
    with pytest.raises(
        ModelNotFoundError, match=r"Several starter models are named 'Tile'.*'org/tile-1', 'org/tile-2'"
    ):
        starter(STARTERS, "Tile")
    with pytest.raises(ModelNotFoundError, match="Did you mean 'Painter v2'"):
        starter(STARTERS, "Painter v3")
    with pytest.raises(ModelNotFoundError, match=r"No starter model named '!!!'\.$"):
        starter(STARTERS, "!!!")


def test_installed_starter_models() -> None:
    def model(**changes: Any) -> IvkDnnModel:
        return IvkDnnModel(**({"key": "k", "name": "n", "base": "sdxl", "type": "main"} | changes))

    for present in (
        model(name="Painter v1"),
        model(name="Painter v2"),
        model(base="flux", source="org/painter"),
    ):
        assert installed_starter(STARTERS[0], [model(), present]) is present
    assert installed_starter(STARTERS[0], [model(name="Painter v2", base="flux")]) is None
    assert installed_starter(STARTERS[0], [model(name="Painter v2", type="lora")]) is None
    assert starter_config(STARTERS[0]) == {
        "name": "Painter v2",
        "description": "?",
        "base": "sdxl",
        "type": "main",
    }
