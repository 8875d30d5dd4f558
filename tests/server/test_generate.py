"""Images without a workflow: client.generate() with every kind of tiny model."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image as Pillow
from PIL import ImageChops, ImageStat

from invokeai_py_client import AsyncInvokeAIClient, Image, InvokeAIClient
from invokeai_py_client.errors import (
    ModelNotFoundError,
    RunCanceledError,
    RunTimeoutError,
    UnknownNameError,
    UsageError,
)
from invokeai_py_client.models.enums import JobStatus
from invokeai_py_client.run.events import NodeProgress, RunEvent
from invokeai_py_client.schema.reference import REFERENCE_VERSION

if TYPE_CHECKING:
    from tests.conftest import RealServer

MODELS = ["tiny-sd1", "tiny-sdxl", "tiny-sd3", "tiny-flux-dev", "tiny-cogview4"]
FAST: dict[str, Any] = {"steps": 2, "progress": False}

pytestmark = pytest.mark.usefixtures("nothing_left", "model_installed")


@pytest.fixture
def model_installed(request: pytest.FixtureRequest, server: RealServer) -> None:
    """Skip a test whose tiny model an older server does not recognize."""
    params = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    model = params.get("model", "tiny-sd1")
    if model not in server.models and server.version != REFERENCE_VERSION:
        pytest.skip(f"InvokeAI {server.version} cannot install {model}")


@pytest.fixture
def photo() -> Pillow.Image:
    """An image of 130 x 100 pixels with some content."""
    image = Pillow.new("RGB", (130, 100))
    image.putdata([(x % 256, y * 2, (x ^ y) % 256) for y in range(100) for x in range(130)])
    return image


@pytest.fixture
def requests(client: InvokeAIClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The paths of the requests that the client sends."""
    http = client._impl.connection.http
    real, sent = http.json, list[str]()

    async def noting(method: str, path: str, **more: Any) -> Any:
        sent.append(path)
        return await real(method, path, **more)

    monkeypatch.setattr(http, "json", noting)
    yield sent


def pixels(image: Image) -> bytes:
    return image.pil().convert("RGB").tobytes()


@pytest.mark.parametrize("model", MODELS)
def test_four_images_of_a_prompt_take_one_request(
    client: InvokeAIClient, requests: list[str], model: str
) -> None:
    images = client.generate("a lighthouse", model=model, n=4, size=(100, 70), seed=7, **FAST)
    assert sum(path.endswith("enqueue_batch") for path in requests) == 1
    step = 32 if model == "tiny-cogview4" else 16 if model in ("tiny-sd3", "tiny-flux-dev") else 8
    size = (round(100 / step) * step, max(64, round(70 / step) * step))
    assert {(image.width, image.height) for image in images} == {size}
    known = [image.metadata() or {} for image in images]
    assert [one["seed"] for one in known] == [7, 8, 9, 10]
    first = known[0]
    assert (first["positive_prompt"], first["model"]["name"], first["steps"]) == ("a lighthouse", model, 2)
    assert (first["width"], first["height"]) == size
    assert first["generation_mode"].endswith("txt2img")
    assert not [name for name, value in first.items() if value == 0 and name not in ("seed",)]
    assert len({pixels(image) for image in images}) == 4
    [alone] = client.generate("a lighthouse", model=model, size=(100, 70), seed=9, **FAST)
    assert pixels(alone) == pixels(images[2])
    assert images[0].workflow() is not None


@pytest.mark.parametrize("model", MODELS)
def test_an_image_from_an_image(client: InvokeAIClient, photo: Pillow.Image, model: str) -> None:
    [image] = client.generate("a lighthouse", model=model, image=photo, strength=0.5, seed=7, **FAST)
    step = 32 if model == "tiny-cogview4" else 16 if model in ("tiny-sd3", "tiny-flux-dev") else 8
    assert (image.width, image.height) == (round(130 / step) * step, round(100 / step) * step)
    assert (image.metadata() or {})["generation_mode"].endswith("img2img")


def test_the_strength_decides_how_much_of_an_image_changes(
    client: InvokeAIClient, photo: Pillow.Image
) -> None:
    small = photo.resize((64, 64))

    def made(strength: float) -> Pillow.Image:
        [image] = client.generate("a fox", model="tiny-sd1", image=small, strength=strength, steps=4, seed=7)
        return image.pil().convert("RGB")

    unchanged = made(0.01)  # less than one of four steps: what the random VAE makes of the photo

    def change(image: Pillow.Image) -> float:
        return sum(ImageStat.Stat(ImageChops.difference(image, unchanged)).mean)

    assert 0 < change(made(0.3)) < change(made(1))


@pytest.mark.parametrize("model", MODELS)
def test_only_the_masked_part_of_an_image_changes(client: InvokeAIClient, model: str) -> None:
    original = Pillow.new("RGB", (160, 128))
    original.putdata([(x, y * 2, (x * y) % 256) for y in range(128) for x in range(160)])
    mask = Pillow.new("L", (160, 128), 255)
    box = (10, 10, 50, 60)
    mask.paste(0, box)
    [image] = client.generate("a lighthouse", model=model, image=original, mask=mask, seed=7, **FAST)
    made = image.pil().convert("RGB")
    assert made.size == original.size
    assert (image.metadata() or {})["generation_mode"].endswith("inpaint")
    bands = ImageChops.difference(made, original).split()
    changed = ImageChops.lighter(ImageChops.lighter(bands[0], bands[1]), bands[2])
    area = changed.getbbox()
    assert area is not None
    # No pixel more than 24 px outside the mask has changed, in any direction.
    assert area[0] >= box[0] - 24 and area[1] >= box[1] - 24
    assert area[2] <= box[2] + 24 and area[3] <= box[3] + 24
    inside = changed.crop(box)
    assert inside.histogram()[0] < 0.1 * inside.width * inside.height


def test_a_transparent_mask_and_an_image_on_the_server(
    client: InvokeAIClient, uploaded: str, tmp_path: Path
) -> None:
    mask = Pillow.new("RGBA", (64, 64), (0, 0, 0, 255))
    mask.paste((0, 0, 0, 0), (0, 0, 16, 16))
    mask.save(tmp_path / "mask.png")
    [image] = client.generate(
        "a fox", model="tiny-sd1", image=uploaded, mask=tmp_path / "mask.png", seed=1, **FAST
    )
    original = Pillow.open(io.BytesIO(client.image_repo.get_image(uploaded).bytes())).convert("RGB")
    far = (48, 0, 64, 64)
    assert image.pil().convert("RGB").crop(far).tobytes() == original.crop(far).tobytes()
    assert image.pil().convert("RGB").tobytes() != original.tobytes()


def test_defaults_boards_and_more_inputs(client: InvokeAIClient) -> None:
    board = client.board_repo.create_board("generated")
    [image] = client.generate(
        "a fox",
        model="tiny-sdxl",
        size="64x64",
        negative_prompt="fog",
        board="generated",
        cfg_scale=3,
        **FAST,
    )
    assert image.board_id == board.board_id
    known = image.metadata() or {}
    assert (known["negative_prompt"], known["cfg_scale"], known["scheduler"]) == ("fog", 3, "dpmpp_3m_k")
    assert known["positive_style_prompt"] == "a fox"


@pytest.mark.since("6.14")  # FLUX
def test_metadata_follows_the_inputs_of_a_sweep(client: InvokeAIClient) -> None:
    wf = client.workflow_repo.image_workflow("tiny-flux-dev")
    wf.set(positive_prompt="a fox", width=64, height=64, steps=1, seed=1)
    sweep = wf.sweep(guidance=[2.0, 3.0], scheduler=["euler", "heun"], mode="zip")
    sweep.wait()
    known = [run.images[0].metadata() or {} for run in sweep.runs]
    assert [(one["guidance"], one["scheduler"]) for one in known] == [(2, "euler"), (3, "heun")]


def test_a_handle_without_a_seed_draws_one(client: InvokeAIClient, caplog: pytest.LogCaptureFixture) -> None:
    wf = client.workflow_repo.image_workflow("tiny-sd1")
    wf.set(width=64, height=64, steps=1)
    drawn, chosen = wf.run("a fox", progress=False), wf.run("a fox", seed=3, progress=False)
    assert [(run.images[0].metadata() or {})["seed"] for run in (drawn, chosen)] == [drawn.seed, 3]
    assert drawn.seed is not None
    assert not caplog.records, "no note about the node that draws seeds"


def test_the_workflow_can_be_kept_in_the_library(client: InvokeAIClient) -> None:
    wf = client.workflow_repo.image_workflow("tiny-sd1", image=True)
    workflow_id = client.workflow_repo.upload_workflow(wf.definition)
    try:
        kept = client.workflow_repo.create_workflow(workflow_id)
        assert not kept.warnings
        assert [item.label for item in kept.list_inputs()] == [item.label for item in wf.list_inputs()]
    finally:
        client.workflow_repo.delete_workflow(workflow_id)


def wrong(**more: Any) -> dict[str, Any]:
    return {"prompt": "a fox", "model": "tiny-sd1", **more}


@pytest.mark.parametrize(
    ("call", "kind", "sentence"),
    [
        (wrong(prompt=" "), UsageError, "Invalid prompt ' ': expected a text that is not empty."),
        (
            wrong(model=None),
            ModelNotFoundError,
            "main models: 'tiny-cogview4', 'tiny-",
        ),
        (wrong(model="tiny-sd"), ModelNotFoundError, "No model named 'tiny-sd'. Did you mean 'tiny-sd"),
        (
            wrong(model="tiny-vae-sd1"),
            UsageError,
            "is not a main model, but of type 'vae'. Choose a main model.",
        ),
        (wrong(n=0), UsageError, "Invalid n 0: expected a whole number of at least 1."),
        (
            wrong(size="big"),
            UsageError,
            "Invalid size 'big': expected WIDTHxHEIGHT in pixels, such as 1024x768, or",
        ),
        (
            wrong(size=(8, 64)),
            UsageError,
            "Invalid size (8, 64): expected at least 64 pixels in each direction.",
        ),
        (
            wrong(seed=-1),
            UsageError,
            "Invalid seed -1: expected a whole number from 0 to 4294967295, or 'random'.",
        ),
        (wrong(mask="m.png"), UsageError, "A mask needs an image."),
        (wrong(image="no.png"), UnknownNameError, "No image named 'no.png'."),
        (wrong(image=b"x" * 99), UsageError, "is not a readable image: it contains text."),
        (wrong(stepz=3), UsageError, "The workflow has no input named 'stepz'. Did you mean 'Steps'?"),
        (wrong(steps=0), UsageError, "Steps"),
        (wrong(n=2, preview=True), UsageError, "Cannot show a preview of 2 images."),
    ],
)
def test_wrong_calls_send_nothing(
    client: InvokeAIClient, requests: list[str], call: dict[str, Any], kind: type[Exception], sentence: str
) -> None:
    with pytest.raises(kind) as caught:
        client.generate(**call)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not [path for path in requests if "enqueue" in path or "upload" in path]


def test_strength_must_be_a_share(client: InvokeAIClient, photo: Pillow.Image) -> None:
    with pytest.raises(UsageError, match=r"Invalid strength 2: expected a number greater than 0"):
        client.generate("a fox", model="tiny-sd1", image=photo, strength=2)


def test_events_of_several_images(client: InvokeAIClient) -> None:
    events: list[RunEvent] = []
    images = client.generate("a fox", model="tiny-sd1", n=2, size="64x64", steps=2, progress=events.append)
    assert len(images) == 2
    assert len({event.item_id for event in events if isinstance(event, NodeProgress)}) == 2


async def test_an_interrupted_call_cancels_its_runs(async_client: AsyncInvokeAIClient) -> None:
    started = asyncio.Event()

    def on_event(event: RunEvent) -> None:
        if isinstance(event, NodeProgress):
            started.set()

    for count in (1, 3):
        started.clear()
        task = asyncio.create_task(
            async_client.generate(
                "a fox", model="tiny-sd1", n=count, size="256x256", steps=1000, progress=on_event
            )
        )
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        ids = (await async_client.queue.item_ids())[-count:]
        states = [(await async_client.queue.item(item_id)).status for item_id in ids]
        assert states == [JobStatus.CANCELLED] * count


def test_the_images_of_other_runs_are_on_the_error(client: InvokeAIClient, server: RealServer) -> None:
    canceled: list[int] = []
    with InvokeAIClient.from_url(server.url) as other:

        def on_event(event: RunEvent) -> None:
            if not canceled and isinstance(event, NodeProgress):
                canceled.append(event.item_id + 1)
                other.queue_repo.cancel(event.item_id + 1)

        with pytest.raises(RunCanceledError) as caught:
            client.generate("a fox", model="tiny-sd1", n=2, size="64x64", steps=50, progress=on_event)
    assert caught.value.item_id == canceled[0]
    [image] = caught.value.images
    assert isinstance(image, Image)
    assert (image.metadata() or {})["positive_prompt"] == "a fox"


async def test_runs_continue_after_a_timeout(async_client: AsyncInvokeAIClient) -> None:
    with pytest.raises(RunTimeoutError, match=r"of 2 runs finished within 0\.2 s") as caught:
        await async_client.generate("a fox", model="tiny-sd1", n=2, size="256x256", steps=1000, timeout=0.2)
    await async_client.queue.cancel_batches(str(caught.value.batch_id))
