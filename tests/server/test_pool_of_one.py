"""A pool of one server, of any version: ``make test-versions`` runs these tests on older ones."""

from __future__ import annotations

from pathlib import Path

import pytest
import workflows
from pool_servers import wait_until
from tests.conftest import RealServer

from invokeai_py_client import InvokeAIClient, InvokeAIPool, Sweep
from invokeai_py_client.models import JobStatus
from invokeai_py_client.sweep.manifest import read_manifest

pytestmark = pytest.mark.usefixtures("nothing_left")


def test_runs_are_executed_once_although_the_pool_is_closed_in_between(
    server: RealServer, client: InvokeAIClient, tmp_path: Path
) -> None:
    path = tmp_path / "sweep.jsonl"
    with InvokeAIPool([server.url], seconds=1.0) as pool:
        sweep = pool.create_workflow(workflows.add()).sweep(a=range(12), manifest=path)
        for _ in sweep:
            if sweep.done >= 3:
                break
    with InvokeAIPool([server.url], seconds=1.0) as pool:
        resumed = Sweep.resume(path, pool)
        sums = [run.result().of("sum")[0].data["value"] for run in resumed.wait()]
        assert sums == [number + 2 for number in range(12)]
    batches = {sending.batch_id for sending in read_manifest(path).batches}
    assert sum(client.queue_repo.batch_status(batch_id).completed for batch_id in batches) == 12


def test_images_boards_and_inputs(
    server: RealServer, client: InvokeAIClient, picture: bytes, tmp_path: Path
) -> None:
    board = client.board_repo.create_board("pooled")
    file = tmp_path / "picture.png"
    file.write_bytes(picture)
    nodes = {"blur": ("img_blur", {"radius": 1.0, "board": "auto"})}
    document = workflows.workflow("Blur", nodes, [], [("blur", "image"), ("blur", "radius")], final=["blur"])
    with InvokeAIPool([server.url]) as pool:
        wf = pool.create_workflow(document)
        plan = wf.sweep_plan(radius=[1, 2, 3], values={"image": file})
        assert pool.check(wf, plan) == {server.url: []}
        sweep = wf.sweep(radius=[1, 2, 3], values={"image": file}, auto_board="pooled")
        assert all(run.status.ok for run in sweep.wait())
        assert [run.images[0].pil().size for run in sweep.runs] == [(64, 64)] * 3
    assert client.board_repo.get_board(board).board.image_count == 3


def test_canceled_runs_can_be_run_again(server: RealServer, client: InvokeAIClient, held_queue: None) -> None:
    with InvokeAIPool([server.url]) as pool:
        sweep = pool.create_workflow(workflows.add()).sweep(a=[1, 2])
        wait_until(lambda: len(sweep.runs) == 2)  # sent in the background
        for run in sweep.runs:
            run.cancel()
        assert {run.status.state for run in sweep.wait()} == {JobStatus.CANCELLED}
        client.queue_repo.resume()
        assert sweep.retry_failed() == 2
        assert [run.outputs.of("sum")[0].data["value"] for run in sweep.wait()] == [3, 4]
