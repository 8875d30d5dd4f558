"""Objects and files written by earlier versions work on a server: handles, manifests and repositories."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from artifacts import Artifacts, differences, facts, folders
from recorder import record
from replay import lead

from invokeai_py_client import AsyncRun, InvokeAIClient, JobStatus, Run, Sweep, WorkflowHandle
from invokeai_py_client.models import IvkDnnModel, QueueStatus

if TYPE_CHECKING:
    from tests.conftest import RealServer

pytestmark = pytest.mark.since("6.14.2")
RECORDED = [Artifacts(folder) for folder in folders()]


@pytest.fixture(params=RECORDED, ids=lambda artifacts: artifacts.folder.name)
def artifacts(
    request: pytest.FixtureRequest, server: RealServer, monkeypatch: pytest.MonkeyPatch
) -> Artifacts:
    """The artifacts of one version, with their server's URL redirected to the real server."""
    found: Artifacts = request.param
    lead(monkeypatch, found.expected["about"]["url"], server.url)
    return found


def test_recorded_artifacts_can_be_read(server: RealServer, client: InvokeAIClient, tmp_path: Path) -> None:
    client.queue_repo.wait_until_idle(60)
    record(server.url, server.root, tmp_path / "artifacts")
    fresh = Artifacts(tmp_path / "artifacts")
    for name, expected in fresh.expected["pickles"].items():
        assert differences(expected, facts(fresh.load(name)), name) == []
    assert fresh.secrets() == []
    for known in RECORDED:
        assert fresh.expected["pickles"].keys() >= known.expected["pickles"].keys()
        files = {path.relative_to(known.folder).parent for path in known.folder.rglob("*") if path.is_file()}
        assert {path.relative_to(fresh.folder).parent for path in fresh.folder.rglob("*")} >= files - {Path()}


def test_unpickled_handle_runs(artifacts: Artifacts) -> None:
    handles = artifacts.load("workflows")
    sums: WorkflowHandle = handles["submitted"]
    run = sums.run(b=30_000, progress=False)
    assert run.outputs.values("sum") == [30_020]
    assert type(run) is Run
    assert [one.outputs.values("sum") for one in sums.sweep(a=[1, 2]).wait(progress=False)] == [[23], [24]]
    drawn = handles["lighthouse"].run(model="tiny-sd1", progress=False)
    assert dict(drawn.inputs) | {"model": ""} == {
        "model": "",
        "positive_prompt": "a lighthouse at dusk",
        "negative_prompt": "",
        "steps": 3,
        "seed": 11,
        "scheduler": "ddim",
    }
    with drawn.images[0].pil() as picture:
        assert picture.size == (64, 64)


async def test_unpickled_async_repositories_work(artifacts: Artifacts) -> None:
    areas = artifacts.load("async_areas")
    async with areas["client"] as client:
        assert await client.version() == artifacts.expected["about"]["server"]
        assert isinstance(await areas["queue_repo"].status(), QueueStatus)
        assert "tiny-sd1" in {model.name for model in await areas["dnn_model_repo"].list_models()}
        assert await areas["image_repo"].count_images() >= 0
        assert await areas["board_repo"].list_boards() is not None
        wf = await areas["workflow_repo"].create_workflow(artifacts.load("definition"))
        assert wf.name == "SD-1 text to image"


def test_unpickled_repositories_and_handles_work(artifacts: Artifacts) -> None:
    models = artifacts.load("model_repository").list_models(name="tiny-sd1")
    assert [type(model) for model in models] == [IvkDnnModel]
    assert artifacts.load("queue").get_status().queue_id == "default"
    assert artifacts.load("queue_repository").get_queue().get_item(_missing(artifacts)) is None
    assert artifacts.load("image_repository").count_images() >= 0
    assert artifacts.load("workflow_repository").create_workflow(artifacts.load("definition")).node_count == 6
    assert artifacts.load("board_uncategorized").get_image_count() >= 0
    assert artifacts.load("install_job").is_done()


def _missing(artifacts: Artifacts) -> int:
    """Return the id of a queue item that is not on this server."""
    return artifacts.expected["pickles"]["run_pending"]["item_id"]


def test_run_that_is_not_on_the_server_counts_as_canceled(artifacts: Artifacts) -> None:
    run: Run = artifacts.load("run_pending")
    assert not run.done
    status = run.wait(20)
    assert (status.state, status.gone) == (JobStatus.CANCELLED, True)
    assert run.images == []


async def test_async_run_that_is_not_on_the_server_counts_as_canceled(artifacts: Artifacts) -> None:
    areas = artifacts.load("async_areas")
    async with areas["client"]:
        run: AsyncRun = areas["run"]
        status = await run.wait(20)
    assert (status.state, status.gone) == (JobStatus.CANCELLED, True)


def test_sweep_that_is_not_on_the_server_can_be_retried(artifacts: Artifacts) -> None:
    sweep: Sweep = artifacts.load("sweep_pending")
    assert [run.status.gone for run in sweep.wait(progress=False)] == [True] * 3
    assert sweep.retry_failed() == 3
    assert [run.outputs.values("sum") for run in sweep.wait(progress=False)] == [[2], [3], [4]]


def test_partly_sent_sweep_continues(artifacts: Artifacts) -> None:
    sweep: Sweep = artifacts.load("sweep_partly_sent")
    sent = len(sweep.runs)
    runs = sweep.wait(progress=False)
    assert [run.status.gone for run in runs] == [index < sent for index in range(4)]
    assert [run.outputs.values("sum") for run in runs[sent:]] == [[index + 2] for index in range(sent, 4)]


def test_truncated_manifest_is_resumed(artifacts: Artifacts, client: InvokeAIClient, tmp_path: Path) -> None:
    """Check that finished runs are kept, and that missing and unsent runs are run."""
    path = Path(shutil.copy(artifacts.path("manifests") / "killed.jsonl", tmp_path))
    killed = artifacts.expected["killed"]
    before = set(client.queue_repo.item_ids())
    runs = Sweep.resume(path, client).wait(progress=False)
    assert [dict(run.inputs) for run in runs] == [{**killed["inputs"], **value} for value in killed["values"]]
    assert [run.status.ok for run in runs] == [True] * 8
    again = [run for run in runs if run.item_id not in killed["ended"].values()]
    assert len(again) == 8 - len(killed["ended"])
    assert [run.outputs.values("sum") for run in again] == [[run.inputs["a"] + 2] for run in again]
    assert set(client.queue_repo.item_ids()) - before == {run.item_id for run in again}  # once per run
    lines: list[dict[str, Any]] = [json.loads(line) for line in path.read_text().splitlines()]
    ended = {line["run"]: line["item"] for line in lines if line["kind"] == "run"}
    assert ended == {index: run.item_id for index, run in enumerate(runs)}
