"""The values to recall from the metadata of an image."""

from __future__ import annotations

from typing import Any

import pytest

from invokeai_py_client.models import ImageCategory, IvkGalleryVideo, IvkStylePreset
from invokeai_py_client.prompts.progress import TaskEvents
from invokeai_py_client.recall.metadata import recallable

MODEL = {"key": "k", "hash": "h", "name": "Model", "base": "sd-1", "type": "main"}
LORA = {**MODEL, "name": "Detail", "type": "lora"}
CONTROL = {**MODEL, "name": "Canny", "type": "controlnet"}


def test_values_get_the_names_of_recall() -> None:
    metadata = {
        "positive_prompt": "a cat",
        "negative_prompt": "",
        "model": MODEL,
        "vae": {**MODEL, "type": "vae"},
        "seed": 7,
        "steps": 30,
        "cfg_scale": 7.5,
        "strength": 0.6,
        "refiner_start": 0.8,
        "seamless_x": True,
        "scheduler": "euler",
        "app_version": "6.14.2",
        "loras": [{"model": LORA, "weight": 0.6}],
        "controlnets": [
            {
                "control_model": CONTROL,
                "image": {"image_name": "a.png"},
                "control_weight": 0.5,
                "begin_step_percent": 0,
                "end_step_percent": 0.75,
                "control_mode": "balanced",
                "resize_mode": "just_resize",
            }
        ],
        "ipAdapters": [
            {"ip_adapter_model": MODEL, "image": {"image_name": "b.png"}, "weight": 1, "method": "style"}
        ],
    }
    assert recallable(metadata) == {
        "positive_prompt": "a cat",
        "negative_prompt": "",
        "model": MODEL,
        "vae_model": {**MODEL, "type": "vae"},
        "seed": 7,
        "steps": 30,
        "cfg_scale": 7.5,
        "denoise_strength": 0.6,
        "refiner_denoise_start": 0.8,
        "seamless_x": True,
        "scheduler": "euler",
        "loras": [{"model": LORA, "weight": 0.6}],
        "control_layers": [
            {
                "model": CONTROL,
                "image_name": "a.png",
                "weight": 0.5,
                "begin_step_percent": 0,
                "end_step_percent": 0.75,
                "control_mode": "balanced",
            }
        ],
        "ip_adapters": [{"model": MODEL, "image_name": "b.png", "weight": 1, "method": "style"}],
    }


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"seed": "seven", "steps": 3.5, "positive_prompt": 7, "cfg_scale": True, "seamless_x": 1},
        {"loras": "many", "controlnets": [1, None, {}], "ipAdapters": {"a": 1}, "model": "Model"},
        {"loras": [{"weight": 1}, {"model": None}], "controlnets": [{"control_model": {}}]},
    ],
)
def test_values_of_other_types_are_left_out(metadata: dict[str, Any]) -> None:
    assert recallable(metadata) == {}


def test_progress_of_other_tasks_and_repeated_events_are_left_out() -> None:
    events = TaskEvents("mine")
    step = {
        "task_id": "mine",
        "phase": "generating",
        "percentage": 0.5,
        "current_tokens": 5,
        "total_tokens": 10,
    }
    assert events.listen(
        "llm_task_progress", {"task_id": "mine", "phase": "loading_model", "message": "Loading"}
    )
    assert not events.listen("llm_task_progress", {**step, "task_id": "theirs"})
    assert not events.listen("invocation_progress", step)
    assert not events.listen("llm_task_progress", None)
    assert events.listen("llm_task_progress", {**step, "timestamp": 1})
    assert not events.listen("llm_task_progress", {**step, "timestamp": 2})
    loading, written = events.take()
    assert (loading.phase, loading.message, loading.percentage) == ("loading_model", "Loading", None)
    assert (written.percentage, written.current_tokens, written.total_tokens) == (0.5, 5, 10)
    assert events.take() == []


def test_records_of_presets_and_of_the_gallery_round_trip() -> None:
    sent = {
        "id": "1",
        "name": "Ink",
        "preset_data": {"positive_prompt": "{prompt}!", "negative_prompt": "x"},
        "type": "user",
    }
    preset = IvkStylePreset.from_api_response({**sent, "new_field": 3})
    assert (preset.positive_prompt, preset.negative_prompt, preset.apply("a")) == (
        "{prompt}!",
        "x",
        ("a!", "x"),
    )
    assert IvkStylePreset.from_api_response(preset.to_dict()) == preset
    assert preset.to_dict()["new_field"] == 3
    video = IvkGalleryVideo.from_api_response(
        {
            "kind": "video",
            "name": "a.mp4",
            "category": "general",
            "fps": 8,
            "created_at": "2026-01-31 12:00:00.000",
        }
    )
    assert (video.video_name, video.category, video.fps) == ("a.mp4", ImageCategory.GENERAL, 8)
    assert IvkGalleryVideo.from_api_response(video.to_dict()) == video
