"""Runs on the tiny models, whose images are downloaded and decoded."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
import workflows
from PIL import Image as Pillow

from invokeai_py_client import InvokeAIClient, Run
from invokeai_py_client.errors import RunCanceledError, RunFailedError, RunNotFinishedError, RunTimeoutError
from invokeai_py_client.models.enums import JobStatus
from invokeai_py_client.run.events import NodeFailed, NodeProgress, RunEvent


def pixels(run: Run) -> Pillow.Image:
    """Decode the run's only image, and check that it is not blank."""
    [image] = run.images
    picture = Pillow.open(io.BytesIO(image.bytes()))
    picture.load()
    assert picture.format == "PNG"
    grey = picture.convert("L").tobytes()
    assert max(grey) - min(grey) > 30, "the picture is flat"
    return picture.convert("RGB")


def test_sd1_text_to_image(client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(workflows.sd1(size=64))
    run = wf.run(model="tiny-sd1", positive_prompt="a lighthouse")
    assert run.status.state is JobStatus.COMPLETED
    assert pixels(run).size == (64, 64)


def test_inputs_change_the_image(client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(workflows.sd1(size=64))
    wf.set(model="tiny-sd1")
    first = pixels(wf.run(seed=1))
    again = pixels(wf.run(seed=1))
    other = pixels(wf.run(seed=2))
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other.tobytes()


def test_sdxl_text_to_image(client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(workflows.sdxl(size=128))
    run = wf.run(model="tiny-sdxl", scheduler="unipc", steps=3)
    assert pixels(run).size == (128, 128)


def test_lora_changes_the_image(client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(workflows.lora())
    wf.set(model="tiny-sd1", lora="tiny-lora-sd1")
    without = pixels(wf.run(weight=0.0))
    with_it = pixels(wf.run(weight=1.0))
    assert without.tobytes() != with_it.tobytes()


@pytest.mark.since("6.14")  # the tiny FLUX models
def test_flux_image_to_image(client: InvokeAIClient, picture: bytes) -> None:
    # A node pack on the server shrinks its hard-coded FLUX sizes to those of the tiny model.
    wf = client.workflow_repo.create_workflow(workflows.flux_image_to_image())
    run = wf.run(
        {"model.model": "tiny-flux-dev"},
        t5_encoder_model="tiny-t5",
        clip_embed_model="tiny-clip-l",
        vae_model="tiny-flux-ae",
        image=picture,
        prompt="a lighthouse",
    )
    assert pixels(run).size == (64, 64)


def test_image_embeds_its_workflow_with_the_values_used(client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(workflows.sd1())
    run = wf.run(model="tiny-sd1", positive_prompt="a red lighthouse", steps=5)
    carried = run.images[0].workflow()
    assert carried is not None
    fields = {node["id"]: node["data"]["inputs"] for node in carried["nodes"]}
    assert fields["positive"]["prompt"]["value"] == "a red lighthouse"
    assert fields["denoise"]["steps"]["value"] == 5
    again = client.workflow_repo.create_workflow(carried).run()
    assert pixels(again).tobytes() == pixels(run).tobytes()


def test_each_percentage_is_reported_once(client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(workflows.sd1(steps=3))
    seen: list[RunEvent] = []
    wf.run(model="tiny-sd1", steps=9, seed=424242, progress=seen.append)
    fractions = [
        e.fraction
        for e in seen
        if isinstance(e, NodeProgress) and e.node_id == "denoise" and e.fraction is not None
    ]
    assert fractions == sorted(set(fractions))
    assert len(fractions) == 10  # 0 and each of the nine steps of this sampler
    assert fractions[-1] == 1.0


def test_events_are_complete_and_in_order(client: InvokeAIClient) -> None:
    run = client.workflow_repo.create_workflow(workflows.sd1()).start(model="tiny-sd1", seed=99)
    kinds = [(event.event_type, event.get("node_id")) for event in run.events()]
    assert kinds[0] == ("queue_item_status_changed", None)
    assert kinds[-1] == ("queue_item_status_changed", None)
    assert kinds.index(("invocation_started", "denoise")) < kinds.index(("invocation_complete", "denoise"))
    assert len([kind for kind in kinds if kind == ("invocation_complete", "decode")]) == 1
    assert [(event.event_type, event.get("node_id")) for event in run.events()] == kinds  # and again


def test_steps_have_previews(client: InvokeAIClient) -> None:
    run = client.workflow_repo.create_workflow(workflows.sd1()).start(model="tiny-sd1", seed=98)
    previews = [e.preview for e in run.events() if isinstance(e, NodeProgress) and e.preview is not None]
    assert previews
    assert (previews[-1].width, previews[-1].height) == (64, 64)
    assert Pillow.open(io.BytesIO(previews[-1].data)).format == "JPEG"


def test_concurrent_runs_of_one_handle(client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(workflows.add())
    runs = [wf.start(a=value, b=100) for value in range(5)]
    values = [run.result().of("sum")[0].data["value"] for run in runs]
    assert values == [100, 101, 102, 103, 104]
    assert [run.inputs["a"] for run in runs] == [0, 1, 2, 3, 4]


def test_error_names_the_failed_node(client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(
        workflows.workflow("Fails", {"divide": ("div", {"a": 1, "b": 0})}, [], [("divide", "b")])
    )
    with pytest.raises(RunFailedError) as caught:
        wf.run()
    assert caught.value.node_id == "divide"
    assert caught.value.error_type == "ZeroDivisionError"
    assert caught.value.item_id is not None
    run = client.run(caught.value.item_id)
    assert run.wait(10).state is JobStatus.FAILED


def test_events_name_the_failed_node(client: InvokeAIClient) -> None:
    run = client.workflow_repo.create_workflow(
        workflows.workflow("Fails", {"divide": ("div", {"a": 2, "b": 0})}, [], [("divide", "b")])
    ).start()
    failures = [event for event in run.events() if isinstance(event, NodeFailed)]
    assert [event.node_id for event in failures] == ["divide"]


def test_cancel(client: InvokeAIClient, long_run: Callable[[], Run]) -> None:
    run = long_run()
    assert run.cancel().state is JobStatus.CANCELLED
    assert run.wait(10).state is JobStatus.CANCELLED
    with pytest.raises(RunCanceledError):
        run.result(10)


def test_run_continues_after_a_timeout(client: InvokeAIClient, long_run: Callable[[], Run]) -> None:
    run = long_run()
    with pytest.raises(RunTimeoutError) as caught:
        run.wait(0.2)
    assert caught.value.item_id == run.item_id
    assert not client.run(run.item_id).done
    with pytest.raises(RunNotFinishedError):
        _ = run.images


def test_run_canceled_by_another_client_ends(
    client: InvokeAIClient, server: Any, long_run: Callable[[], Run]
) -> None:
    run = long_run()
    with InvokeAIClient.from_url(server.url) as other:
        other.run(run.item_id).cancel()
    assert run.wait(20).state is JobStatus.CANCELLED


@pytest.mark.since("6.0")
def test_deleting_the_item_ends_the_wait(client: InvokeAIClient, long_run: Callable[[], Run]) -> None:
    run = long_run()
    client._call(client._impl.connection.http.json("DELETE", f"/api/v1/queue/default/i/{run.item_id}"))
    assert run.wait(20).state is JobStatus.CANCELLED


def test_retry_makes_a_new_run(client: InvokeAIClient, long_run: Callable[[], Run]) -> None:
    run = long_run()
    run.cancel()
    again = run.retry()
    assert again.item_id > run.item_id
    again.cancel()


@pytest.mark.since("6.7")
def test_position_in_the_queue(client: InvokeAIClient, long_run: Callable[[], Run]) -> None:
    first = long_run()
    wf = client.workflow_repo.create_workflow(workflows.add())
    second, third = wf.start(), wf.start()
    for run, position in ((second, 0), (third, 1)):
        with pytest.raises(RunTimeoutError, match=rf"pending \({position} ahead\)"):
            run.wait(1)
        assert run.status.state is JobStatus.PENDING
    first.cancel()
    assert second.result(20).of("sum")[0].data["value"] == 3
    assert third.wait(20).position is None


def test_saving(client: InvokeAIClient, tmp_path: Any) -> None:
    run = client.workflow_repo.create_workflow(workflows.sd1()).run(model="tiny-sd1", seed=5)
    [image] = run.images
    named = image.save(tmp_path / "deep" / "one.png")
    kept = image.save(f"{tmp_path}/folder/")
    assert named.read_bytes() == kept.read_bytes() == image.bytes()
    assert kept.name == image.name
    assert image.pil().size == (64, 64)
    assert sorted(path.name for path in (tmp_path / "deep").iterdir()) == ["one.png"]


@pytest.mark.since("6.0")  # before, the response to a batch lacks the ids of its items, so they are looked up
def test_run_takes_three_requests(client: InvokeAIClient) -> None:
    """Enqueue it, read its position if it is still pending after a moment, and read its results."""
    client.queue_repo.wait_until_idle(timeout=60)
    wf = client.workflow_repo.create_workflow(workflows.add())
    wf.run(a=1)  # some things are read only before the first run
    http = client.connection.http
    for number in range(3):
        before = http.sent
        wf.run(a=number)
        assert http.sent - before <= 3
