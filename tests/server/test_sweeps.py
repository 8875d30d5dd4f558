"""Small sweeps: one request, every combination, in finishing order, on one sheet."""

from __future__ import annotations

from typing import Any

import pytest
import workflows

from invokeai_py_client import AsyncInvokeAIClient, InvokeAIClient
from invokeai_py_client.errors import InputValueError, UsageError


def test_product(client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(workflows.add())
    sweep = wf.sweep(a=[1, 2], b=[10, 20, 30])
    sums = {(run.inputs["a"], run.inputs["b"]): run.outputs.of("sum")[0].data["value"] for run in sweep}
    assert sums == {(a, b): a + b for a in (1, 2) for b in (10, 20, 30)}
    assert [(run.inputs["a"], run.inputs["b"]) for run in sweep.runs[:3]] == [(1, 10), (1, 20), (1, 30)]
    assert len({run.batch_id for run in sweep.runs}) == 1


def test_zip(client: InvokeAIClient) -> None:
    sweep = client.workflow_repo.create_workflow(workflows.add()).sweep(
        mode="zip", a=[1, 2, 3], b=[10, 20, 30]
    )
    assert [run.outputs.of("sum")[0].data["value"] for run in sweep.wait()] == [11, 22, 33]


async def test_asynchronously(async_client: AsyncInvokeAIClient) -> None:
    wf = await async_client.workflow_repo.create_workflow(workflows.add())
    sweep = await wf.sweep(a=range(3))
    assert sorted([run.inputs["a"] async for run in sweep]) == [0, 1, 2]


def test_a_wrong_value_is_refused_before_anything_is_sent(client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(workflows.add())
    before = client.queue_repo.status().total
    with pytest.raises(InputValueError, match="axis 'a', value 2"):
        wf.sweep(a=[1, 2, "three", 4])
    with pytest.raises(UsageError, match="needs a list"):
        wf.sweep(a=5)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="equally many"):
        wf.sweep(mode="zip", a=[1, 2], b=[1])
    assert client.queue_repo.status().total == before


def test_grid_of_real_images(client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(workflows.sd1())
    sweep = wf.sweep(values={"model": "tiny-sd1"}, positive_prompt=["a", "b"], steps=[2, 3])
    sweep.wait()
    sheet: Any = sweep.grid(rows="Positive Prompt", columns="steps", cell=64)
    assert sheet.width > 2 * 64
    assert sheet.height > 2 * 64
    assert sheet.getextrema() != ((255, 255),) * 3


def test_cancel(client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(workflows.sd1(steps=1000, size=256))
    sweep = wf.sweep(values={"model": "tiny-sd1"}, seed=range(3000, 3004))
    sweep.cancel()
    assert {run.status.state.value for run in sweep.wait()} == {"cancelled"}
