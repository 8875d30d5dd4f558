"""Recall on the real server: values for the open web UI, and the values of an image."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from command import Command, ivk_command

from invokeai_py_client import (
    AsyncInvokeAIClient,
    InvokeAIClient,
    ModelNotFoundError,
    UnknownNameError,
    UnprocessableError,
    UsageError,
)
from invokeai_py_client.api.client_state import AsyncClientStateApi

__all__ = ["ivk_command"]

pytestmark = pytest.mark.since("6.13")


@pytest.fixture(autouse=True)
def nothing_recalled(client: InvokeAIClient) -> Iterator[None]:
    """Forget what a test recalled."""

    async def forget() -> None:
        state = client.connection.part(AsyncClientStateApi)
        for key in await state.get_client_state_keys_by_prefix("default", prefix="recall_"):
            await state.delete_client_state_by_key("default", key=key)

    client._call(forget())
    yield
    client._call(forget())


async def test_values_reach_the_open_web_ui(async_client: AsyncInvokeAIClient) -> None:
    models = {model.name: model.key for model in await async_client.models.list_models()}
    arrived: asyncio.Queue[Any] = asyncio.Queue()
    async with async_client.socketio_session() as web_ui:
        web_ui.on("recall_parameters_updated", arrived.put_nowait)
        sent = await async_client.recall(
            positive_prompt="a lighthouse",
            model="TINY-SD1",
            seed=7,
            loras={"tiny-lora-sd1": 0.5},
            seamless_x=False,
        )
        event = await asyncio.wait_for(arrived.get(), 30)
    assert event["parameters"] == sent
    assert sent == {
        "positive_prompt": "a lighthouse",
        "model": models["tiny-sd1"],
        "seed": 7,
        "loras": [{"model_key": models["tiny-lora-sd1"], "weight": 0.5, "is_enabled": True}],
        "seamless_x": False,
    }


async def test_recalled_values_are_kept_until_they_are_cleared(either: AsyncInvokeAIClient) -> None:
    assert await either.recalled() == {}
    [model] = [one for one in await either.models.list_models() if one.name == "tiny-sd1"]
    await either.recall(positive_prompt="a cat", model=model, steps=9)
    await either.recall(steps=12, loras=["tiny-lora-sd1"])
    assert await either.recalled() == {
        "positive_prompt": "a cat",
        "model": "tiny-sd1",
        "steps": 12,
        "loras": [{"model_name": "tiny-lora-sd1", "weight": 0.75, "is_enabled": True}],
    }
    await either.recall(steps=3, strict=True)
    assert await either.recalled() == {"steps": 3}


@pytest.mark.usefixtures("nothing_left")
async def test_images_and_adapters_are_recalled(either: AsyncInvokeAIClient, picture: bytes) -> None:
    image = await either.images.upload(picture)
    layer = {"model": "tiny-controlnet-canny-sd1", "image": image, "weight": 0.4, "end_step_percent": 0.8}
    sent = await either.recall(reference_images=[image], control_layers=[layer], append=True)
    assert sent["reference_images"] == [
        {"image": {"image_name": image.image_name, "width": 64, "height": 64}}
    ]
    assert sent["control_layers"][0]["weight"] == 0.4
    assert sent["control_layers"][0]["image"]["image_name"] == image.image_name
    assert sent["append"] is True
    assert (await either.recalled())["reference_images"] == [{"image_name": image.image_name}]


async def test_what_the_server_would_leave_out_is_an_error(either: AsyncInvokeAIClient) -> None:
    with pytest.raises(ModelNotFoundError, match=r"No model named 'tiny-sd2'\. Did you mean"):
        await either.recall(model="tiny-sd2")
    with pytest.raises(
        ModelNotFoundError, match="model: the model 'tiny-lora-sd1' is of type 'lora'; expected 'main'"
    ):
        await either.recall(model="tiny-lora-sd1")
    with pytest.raises(UnknownNameError, match=r"No image named 'gone\.png'"):
        await either.recall(reference_images=["gone.png"])
    with pytest.raises(UsageError, match="expects at least one value"):
        await either.recall()
    with pytest.raises(UsageError, match="either strict=True or append=True"):
        await either.recall(seed=1, strict=True, append=True)
    with pytest.raises(UnprocessableError, match=r"body\.steps: Input should be greater than or equal to 1"):
        await either.recall(steps=0)
    assert await either.recalled() == {}


@pytest.mark.usefixtures("nothing_left")
def test_the_values_of_an_image_are_recalled(
    client: InvokeAIClient, picture: bytes, ivk_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    [image] = client.generate("a cat", model="tiny-sd1", size="64x64", steps=2, seed=5)
    sent = image.recall()
    assert (sent["positive_prompt"], sent["seed"], sent["width"], sent["steps"]) == ("a cat", 5, 64, 2)
    assert client.recalled()["model"] == "tiny-sd1"
    client.recall(clip_skip=1)
    client.images.get_image(image).recall(strict=True)
    assert "clip_skip" not in client.recalled()
    monkeypatch.setenv("INVOKEAI_URL", client.url)
    shown = dict(ivk_command("images", "recall", image.name).cells)
    assert (shown["positive prompt"], shown["seed"], shown["model"]) == ("a cat", "5", "tiny-sd1")
    assert ivk_command("images", "recall", image.name, "--json").objects[-1]["values"]["steps"] == 2
    plain = client.images.upload(picture)
    with pytest.raises(
        UsageError, match=f"The image {plain.image_name} has no metadata that can be recalled"
    ):
        plain.recall()
