"""Row S36: the documents' samples, rewritten with the same names, arguments and attributes.

A class for each document, a test for each sample or for samples that build on each other. Those of the model
repository's document are in test_models.py.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import workflows

from invokeai_py_client import InvokeAIClient, Run
from invokeai_py_client.models import (
    BaseModelEnum,
    ImageCategory,
    InvocationEvent,
    IvkDnnModel,
    IvkImage,
    IvkJob,
    JobStatus,
    SessionEvent,
)
from invokeai_py_client.run.events import RunEvent
from invokeai_py_client.workflow import WorkflowDefinition, WorkflowHandle

if TYPE_CHECKING:
    from tests.conftest import RealServer


@pytest.fixture
def workplace(
    client: InvokeAIClient, picture: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A working directory with the files that the samples use."""
    plain = workflows.sd1(steps=2)
    [model] = [one for one in client.dnn_model_repo.list_models() if one.name == "tiny-sd1"]
    identifier = {part: str(getattr(model, part)) for part in ("key", "hash", "name", "base", "type")}
    for node in plain["nodes"]:
        if node["id"] == "model":
            node["data"]["inputs"]["model"]["value"] = identifier
    order = [("positive", "prompt"), ("denoise", "steps"), ("decode", "board")]
    for element, (node, field) in zip(("node-field-0", "node-field-1", "node-field-2"), order, strict=True):
        plain["form"]["elements"][element]["data"]["fieldIdentifier"] = {"nodeId": node, "fieldName": field}
    for index in (3, 4):
        del plain["form"]["elements"][f"node-field-{index}"]
    plain["form"]["elements"]["root"]["data"]["children"] = ["node-field-0", "node-field-1", "node-field-2"]
    (tmp_path / "workflow.json").write_text(json.dumps(plain))
    for name in ("reference.jpg", "image.png", "depth_map.png"):
        (tmp_path / name).write_bytes(picture)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def wf(client: InvokeAIClient, workplace: Path, tidy: None) -> WorkflowHandle:
    """The workflow of the samples."""
    return client.workflow_repo.create_workflow(WorkflowDefinition.from_file("workflow.json"))


@pytest.fixture
def boards(client: InvokeAIClient) -> Iterator[None]:
    """Delete the boards that a test created."""
    before = {board.board_id for board in client.board_repo.list_boards()}
    yield
    for board in client.board_repo.list_boards():
        if board.board_id not in before:
            client.board_repo.delete_board(board.board_id, delete_images=True)


class TestIndex:
    """index.md"""

    def test_S36_a_client_from_a_url_or_from_parts(self, server: RealServer) -> None:
        client = InvokeAIClient.from_url(server.url)
        assert client.health_check() is True
        client.close()
        client = InvokeAIClient(host="127.0.0.1", port=9, use_https=True, timeout=60.0)
        assert client.health_check() is False
        client.close()

    def test_S36_the_essential_pattern(self, client: InvokeAIClient, wf: WorkflowHandle) -> None:
        wf.get_input_value(0).value = "a harbour"
        wf.get_input_value(1).value = 2
        submission = wf.submit_sync()
        assert submission["item_ids"]
        result = wf.wait_for_completion_sync(timeout=180)
        names = [
            name for mapping in wf.map_outputs_to_images(result) for name in mapping.get("image_names", [])
        ]
        assert len(names) == 1
        metadata = client.board_repo.get_image_by_name(names[0])
        assert metadata is not None
        assert metadata.board_id is None

    def test_S36_boards_and_images(self, client: InvokeAIClient, workplace: Path, boards: None) -> None:
        before = client.board_repo.list_boards(include_uncategorized=True)
        assert before[0].board_id == "none"
        new_board = client.board_repo.create_board("My Project")
        image = new_board.upload_image("reference.jpg")
        data = new_board.download_image(image.image_name, full_resolution=True)
        assert data.startswith(b"\x89PNG")
        uncategorized = client.board_repo.get_uncategorized_handle()
        assert uncategorized.move_image_to(image.image_name, new_board.board_id) is True
        assert new_board.get_image_count() == 1

    def test_S36_inputs_are_listed_set_and_mapped(self, wf: WorkflowHandle) -> None:
        lines = [f"[{inp.input_index:02d}] {inp.label or inp.field_name}" for inp in wf.list_inputs()]
        assert lines == ["[00] Positive Prompt", "[01] Steps", "[02] Board"]
        field = wf.get_input_value(0)
        assert hasattr(field, "value")
        field.value = "a sunset over mountains"
        wf.submit_sync()
        queue_item = wf.wait_for_completion_sync(timeout=180)
        [mapping] = wf.map_outputs_to_images(queue_item)
        assert (mapping["node_id"], len(mapping.get("image_names") or [])) == ("decode", 1)

    def test_S36_the_uncategorized_board(self, client: InvokeAIClient, workplace: Path, tidy: None) -> None:
        handle = client.board_repo.get_board_handle("none")
        first = handle.upload_image("image.png")
        second = handle.upload_image_data(Path("image.png").read_bytes(), filename="image.png")
        assert first.board_id is None
        assert second.image_name != first.image_name
        data = handle.download_image(first.image_name, full_resolution=True)
        Path(first.image_name).write_bytes(data)
        assert Path(first.image_name).read_bytes() == data

    def test_S36_submitted_and_waited_for_asynchronously(self, wf: WorkflowHandle) -> None:
        async def run() -> dict[str, Any]:
            result = await wf.submit(subscribe_events=True)
            assert result["batch_id"]
            return await wf.wait_for_completion(timeout=300)

        assert asyncio.run(run()).get("status") == "completed"

    def test_S36_events_as_a_stream(self, wf: WorkflowHandle) -> None:
        async def watch() -> list[RunEvent]:
            return [event async for event in wf.submit_sync_monitor_async()]

        events = asyncio.run(watch())
        assert all(event.get("event_type") for event in events)
        statuses = [event.get("status") for event in events if event.get("status")]
        assert statuses[-1] == "completed"


class TestModelsSite:
    """models-site.md"""

    def test_S36_a_job_is_watched_until_it_ends(
        self, client: InvokeAIClient, held_queue: None, wf: WorkflowHandle
    ) -> None:
        job = client.get_job(wf.submit_sync()["item_ids"][0])
        assert job.status == JobStatus.PENDING
        assert job.status not in [JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED]
        client.queue_repo.resume()
        wf.wait_for_completion_sync(timeout=120)
        job = client.get_job(job.id)
        assert job.status in [JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED]
        assert job.is_successful()

    def test_S36_a_running_job(self, client: InvokeAIClient, tidy: None, long_run: Callable[[], Run]) -> None:
        run = long_run()
        assert client.get_job(str(run.item_id)).status == JobStatus.RUNNING
        run.cancel()
        assert client.get_job(str(run.item_id)).status == JobStatus.CANCELLED

    def test_S36_uploads_of_a_category(self, client: InvokeAIClient, workplace: Path, boards: None) -> None:
        board_handle = client.board_repo.create_board("references")
        reference = board_handle.upload_image("reference.jpg", image_category=ImageCategory.USER)
        depth = board_handle.upload_image("depth_map.png", image_category=ImageCategory.CONTROL)
        assert (reference.image_category, depth.image_category) == (ImageCategory.USER, ImageCategory.CONTROL)

    def test_S36_models_of_an_architecture(self, client: InvokeAIClient) -> None:
        models = client.dnn_model_repo.list_models()
        sdxl_models = [model for model in models if model.base == BaseModelEnum.SDXL]
        assert "tiny-sdxl" in {model.name for model in sdxl_models}
        assert all(model.base != BaseModelEnum.SD1 for model in sdxl_models)

    @pytest.mark.since("6.14")  # the tiny FLUX models
    def test_S36_models_of_two_architectures(self, client: InvokeAIClient) -> None:
        models = client.dnn_model_repo.list_models()
        chosen = {
            model.name: "flux" if model.base in [BaseModelEnum.FLUX, BaseModelEnum.FLUX_SCHNELL] else "other"
            for model in models
        }
        assert (chosen["tiny-flux-dev"], chosen["tiny-sd1"]) == ("flux", "other")

    def test_S36_an_image_from_an_answer_and_by_hand(self) -> None:
        image = IvkImage.from_api_response({"image_name": "abc123.png", "image_category": "general"})
        assert (image.image_name, image.image_category.value) == ("abc123.png", "general")  # type: ignore[union-attr]
        image = IvkImage(
            image_name="my_image.png",
            image_category=ImageCategory.USER,
            starred=True,
            metadata={"prompt": "a landscape"},
        )
        data = image.to_dict()
        assert data["image_category"] == "user"
        assert json.loads(json.dumps(data)) == data


class TestModels:
    """models.md"""

    def test_S36_the_fields_of_the_records(self, client: InvokeAIClient, wf: WorkflowHandle) -> None:
        image = IvkImage.from_api_response({"image_name": "abc.png", "image_category": "general"})
        assert (image.image_name, image.image_category.value) == ("abc.png", "general")  # type: ignore[union-attr]
        wf.submit_sync()
        item = wf.wait_for_completion_sync(timeout=120)
        job = IvkJob.from_api_response(item)
        assert (job.is_complete(), job.is_successful(), job.progress, job.error) == (True, True, 1.0, None)
        assert job.outputs
        assert job.created_at is not None and job.started_at is not None and job.completed_at is not None
        assert json.loads(json.dumps(job.to_dict()))["status"] == "completed"
        for model in client.dnn_model_repo.list_models():
            assert all((model.key, model.name, model.base, model.type, model.path, model.format))
            assert IvkDnnModel.from_api_response(model.to_dict()) == model


class TestModelsOlder:
    """models-older.md"""

    def test_S36_an_image_of_all_its_fields(self) -> None:
        image = IvkImage(
            image_name="output_7.png",
            image_url="/api/v1/images/i/output_7.png",
            thumbnail_url="/api/v1/images/t/output_7.png",
            board_id="results",
            width=1024,
            height=1024,
            created_at=datetime.now(),
            starred=False,
        )
        assert (image.board_id, image.width, image.starred) == ("results", 1024, False)

    def test_S36_a_job_by_its_session(self) -> None:
        job = IvkJob(session_id="abc-7", status=JobStatus.IN_PROGRESS, created_at=datetime.now())
        assert job.status == JobStatus.RUNNING
        job.status = JobStatus.COMPLETED
        job.completed_at = datetime.now()
        assert (job.session_id, job.is_successful()) == ("abc-7", True)

    def test_S36_a_model_by_its_older_names(self) -> None:
        model = IvkDnnModel(
            model_key="sdxl-7",
            model_name="SDXL Seven",
            base_model=BaseModelEnum.SDXL,
            model_type="main",
            model_format="diffusers",
            path="models/sdxl/seven",
        )
        assert (model.model_key, model.model_name, model.base_model) == (
            "sdxl-7",
            "SDXL Seven",
            BaseModelEnum.SDXL,
        )
        assert (model.model_type, model.model_format, model.key) == ("main", "diffusers", "sdxl-7")

    def test_S36_events_as_records(self) -> None:
        event = SessionEvent(
            event="session_complete", session_id="s", timestamp=datetime.now(), data={"a": 1}
        )
        assert (event.event, event.session_id, event.data) == ("session_complete", "s", {"a": 1})
        done = InvocationEvent(
            invocation_id="i", invocation_type="l2i", status="completed", outputs={"width": 64}, error=None
        )
        assert (done.invocation_id, done.invocation_type, done.outputs) == ("i", "l2i", {"width": 64})
        assert done.status == JobStatus.COMPLETED
