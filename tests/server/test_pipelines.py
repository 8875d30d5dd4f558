"""Typical workflows, run on the tiny models.

The server runs with a node pack that shrinks its hard-coded FLUX sizes to those of the tiny model.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import pipelines
import pytest
from golden import differences, normalised
from PIL import Image as Pillow

from invokeai_py_client import Image, InvokeAIClient, Run
from invokeai_py_client.server.health import request as http_request

FLUX = {
    "flux.model": "tiny-flux-dev",
    "t5_encoder_model": "tiny-t5",
    "clip_embed_model": "tiny-clip-l",
    "vae_model": "tiny-flux-ae",
}

Start = Callable[..., Run]


@pytest.fixture
def board(client: InvokeAIClient) -> Iterator[str]:
    """The name of a board, which is deleted with its images."""
    made = client.board_repo.create_board("pipelines")
    yield "pipelines"
    client.board_repo.delete_board(made.board_id, delete_images=True)


@pytest.fixture
def run(client: InvokeAIClient) -> Iterator[Start]:
    """A function that runs a workflow. Its images are deleted afterwards."""
    done: list[Run] = []

    def start(document: dict[str, Any], values: dict[Any, Any], **named: Any) -> Run:
        wf = client.workflow_repo.create_workflow(document)
        assert wf.warnings == ()
        done.append(wf.run(values, timeout=120, progress=False, **named))
        return done[-1]

    yield start
    # Runs share images through the server's node cache, and those of earlier tests are deleted already.
    names = {name for one in done for name in one.outputs.image_names(intermediate=True)}
    client.image_repo.delete(client.image_repo.get_images(names))


def picture_of(image: Image) -> Pillow.Image:
    """Return the picture, which must not be uniform."""
    picture = Pillow.open(io.BytesIO(image.bytes()))
    picture.load()
    grey = picture.convert("L").tobytes()
    assert max(grey) - min(grey) > 20, "the picture is flat"
    return picture


def test_sdxl_text_to_image(client: InvokeAIClient, run: Start, board: str) -> None:
    done = run(
        pipelines.sdxl_text_to_image(),
        {"model": "tiny-sdxl"},
        positive_prompt="a harbour",
        scheduler="unipc",
        board=board,
    )
    [image] = done.images
    assert picture_of(image).size == (96, 64)
    metadata = image.metadata()
    assert metadata is not None
    assert (metadata["positive_prompt"], metadata["negative_prompt"]) == ("a harbour", "fog")
    assert (metadata["width"], metadata["height"]) == (96, 64)
    assert [metadata["seed"]] == done.outputs.values("seed")
    [home] = client.board_repo.get_boards_by_name(board)
    assert [kept.image_name for kept in client.image_repo.list_images(board_id=home.board_id)] == [image.name]


def test_flux_image_to_image(run: Start, picture: bytes) -> None:
    document = pipelines.flux_image_to_image()
    done = run(document, FLUX, image=picture, positive_prompt="a harbour", num_steps=2, denoising_start=0.5)
    [image] = done.images
    drawn = picture_of(image)
    given = Pillow.open(io.BytesIO(picture))
    assert drawn.size == given.size == (64, 64)
    assert drawn.convert("RGB").tobytes() != given.convert("RGB").tobytes()
    metadata = image.metadata()
    assert metadata is not None
    assert metadata["steps"] == 2
    assert [metadata["seed"]] == done.outputs.values("flux seed")


def test_sdxl_refined_by_flux(client: InvokeAIClient, run: Start, board: str) -> None:
    document = pipelines.sdxl_flux_refine()
    values = {**FLUX, "sdxl.model": "tiny-sdxl", "keep.board": board, "noise_ratio": 0.7}
    wf = client.workflow_repo.create_workflow(document)
    request = wf.enqueue_request(values)
    done = run(document, values)
    draft, refined = (done.outputs.of(name)[0] for name in ("keep draft", "keep"))
    assert [image.name for image in done.images] == [*draft.image_names, *refined.image_names]
    # 100 x 60, rounded to multiples of 16
    assert [picture_of(image).size for image in done.images] == [(96, 64), (96, 64)]
    [home] = client.board_repo.get_boards_by_name(board)
    assert (draft.board_id, refined.board_id) == (None, home.board_id)
    assert done.outputs.values("longer") == ["a lighthouse, sharp"]
    [ratio] = done.outputs.values("how much")
    assert ratio == pytest.approx(0.3)
    carried = client.workflow_repo.create_workflow(done.images[1])
    assert list(differences(normalised(request), normalised(carried.enqueue_request()))) == []
    rows = {row.node_id: row.image_names for row in wf.map_outputs_to_images(dict(done.item))}
    assert (rows["keep draft"], rows["keep"]) == (list(draft.image_names), list(refined.image_names))


@pytest.mark.parametrize(
    ("make", "values"),
    [
        (pipelines.sdxl_text_to_image, {"model": "tiny-sdxl"}),
        (pipelines.flux_image_to_image, {**FLUX, "num_steps": 2, "denoising_start": 0.5}),
        (pipelines.sdxl_flux_refine, {**FLUX, "sdxl.model": "tiny-sdxl", "noise_ratio": 0.7}),
    ],
)
def test_seed_repeats_the_pixels(
    client: InvokeAIClient,
    run: Start,
    picture: bytes,
    make: Callable[[], dict[str, Any]],
    values: dict[str, Any],
) -> None:
    wf = client.workflow_repo.create_workflow(make())
    if any(item.field_name == "image" and item.required for item in wf.list_inputs()):
        values = {**values, "image": picture}
    pixels: list[list[bytes]] = []
    for seed in (7, 7, 8):
        http_request("DELETE", f"{client.url}/api/v1/app/invocation_cache")
        done = run(make(), values, seed=seed)
        assert done.seed == seed
        pixels.append([picture_of(image).convert("RGB").tobytes() for image in done.images])
    assert pixels[0] == pixels[1] != pixels[2]
