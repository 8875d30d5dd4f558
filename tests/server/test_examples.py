"""The workflows in ``examples/`` run on the tiny models, and their inputs have the effect that they promise."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import readers
from PIL import Image as Pillow
from PIL import ImageChops, ImageDraw

from invokeai_py_client import InvokeAIClient

SMALL = {"size.multiplier": 0.25}  # a sixteenth of the pixels

Make = Callable[..., Pillow.Image]


@pytest.fixture
def make(client: InvokeAIClient) -> Iterator[Make]:
    """A function that runs an example and returns its only gallery image. All images are deleted afterwards."""
    before = {image.image_name for image in client.image_repo.list_images()}
    names: set[str] = set()

    def run(name: str, **values: Any) -> Pillow.Image:
        wf = client.workflow_repo.create_workflow(readers.EXAMPLES / f"{name}.json")
        assert wf.warnings == ()
        run = wf.run(values, timeout=120, progress=False)
        names.update(run.outputs.image_names(intermediate=True))
        [result] = run.images
        return Pillow.open(io.BytesIO(result.bytes())).convert("RGB")

    with readers.models_of_readers(client):
        yield run
    client.image_repo.delete(names - before)


@pytest.fixture
def photo() -> Pillow.Image:
    """A landscape picture with edges."""
    photo = Pillow.new("RGB", (192, 128), "steelblue")
    ImageDraw.Draw(photo).ellipse((40, 20, 120, 100), fill="orange", outline="black", width=4)
    return photo


def differ(one: Pillow.Image, other: Pillow.Image) -> bool:
    """Return whether two pictures of the same size have different pixels."""
    assert one.size == other.size
    return ImageChops.difference(one, other).getbbox() is not None


def test_text_to_image(make: Make) -> None:
    first = make("text-to-image", steps=2, width=64, height=128, seed=1)
    assert first.size == (64, 128)
    assert not differ(first, make("text-to-image", steps=2, width=64, height=128, seed=1))
    assert differ(first, make("text-to-image", steps=2, width=64, height=128, seed=2))


def test_lora(make: Make) -> None:
    without, half, full = (
        make("lora", steps=2, width=64, height=64, lora_weight=weight) for weight in (0, 0.5, 1)
    )
    assert differ(without, half)
    assert differ(half, full)


def test_image_to_image(make: Make, photo: Pillow.Image) -> None:
    slight, strong = (
        make("image-to-image", image=photo, steps=4, denoising_strength=strength, **SMALL)
        for strength in (0.2, 0.8)
    )
    assert slight.width > slight.height  # the aspect ratio of the photo
    assert differ(slight, strong)


def test_inpainting_changes_only_the_white_part_of_the_mask(make: Make, photo: Pillow.Image) -> None:
    mask = Pillow.new("L", photo.size, "black")
    ImageDraw.Draw(mask).rectangle((photo.width // 2, 0, photo.width, photo.height), fill="white")
    result = make("inpainting", image=photo, mask=mask, steps=3, **SMALL)
    source = photo.resize(result.size, Pillow.Resampling.LANCZOS)
    quarter = result.width // 4
    kept, painted = (0, 0, quarter, result.height), (3 * quarter, 0, result.width, result.height)
    assert not differ(result.crop(kept), source.crop(kept))
    assert differ(result.crop(painted), source.crop(painted))


def test_controlnet(make: Make, photo: Pillow.Image) -> None:
    free, guided = (
        make("controlnet", image=photo, steps=3, control_weight=weight, **SMALL) for weight in (0, 1)
    )
    assert guided.width > guided.height  # the aspect ratio of the photo
    assert differ(free, guided)


def test_upscaling(make: Make, photo: Pillow.Image) -> None:
    assert make("upscaling", image=photo).size == (2 * photo.width, 2 * photo.height)
