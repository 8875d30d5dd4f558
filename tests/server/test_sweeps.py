"""Small sweeps: one request, every combination, in finishing order, on one sheet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import workflows
from PIL import Image as Pillow

from invokeai_py_client import AsyncInvokeAIClient, InvokeAIClient
from invokeai_py_client.errors import InputValueError, NotReadyError, UsageError


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


def test_pictures_of_this_machine(client: InvokeAIClient, picture: bytes, tmp_path: Path) -> None:
    other = Pillow.new("RGB", (32, 16), (200, 30, 30))
    (tmp_path / "one.png").write_bytes(picture)
    other.save(tmp_path / "two.png")
    wf = client.workflow_repo.create_workflow(
        workflows.workflow(
            "Invert",
            {"invert": ("img_lerp", {"min": 255, "max": 0})},
            [],
            [("invert", "image")],
            final=["invert"],
        )
    )
    sweep = wf.sweep(image=[tmp_path / "one.png", tmp_path / "two.png", tmp_path / "one.png"])
    sizes = [run.images[0].pil().size for run in sweep.wait()]
    assert sizes == [(64, 64), (32, 16), (64, 64)]
    again = wf.sweep(image=[tmp_path / "two.png"])  # the client knows it, by its content
    assert again.wait()[0].images[0].pil().getpixel((0, 0)) == (55, 225, 225)


def test_a_picture_that_the_server_lacks_is_refused(client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(
        workflows.workflow("Invert", {"invert": ("img_lerp", {})}, [], [("invert", "image")])
    )
    before = client.queue_repo.status().total
    with pytest.raises(NotReadyError, match=r"has no image 'missing\.png'"):
        wf.sweep(image=[{"image_name": "missing.png"}])
    assert client.queue_repo.status().total == before


def test_cancel(client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(workflows.sd1(steps=1000, size=256))
    sweep = wf.sweep(values={"model": "tiny-sd1"}, seed=range(3000, 3004))
    sweep.cancel()
    assert {run.status.state.value for run in sweep.wait()} == {"cancelled"}
