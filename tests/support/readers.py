"""The working folder that the pages assume.

It has the files ``dusk.png`` and ``moon.png``, the workflows ``portrait.json`` (text to image) and ``restyle.json``
(image to image), three pictures in ``photos/``, the files ``prompts.txt`` and ``runs.csv``, and the repository's
``examples/`` with smaller images.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import workflows

if TYPE_CHECKING:
    from invokeai_py_client import InvokeAIClient


EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = {
    "tiny-sd1": "Dreamshaper 8",
    "tiny-sdxl": "Juggernaut XL v9",
    "tiny-vae-sdxl": "sdxl-vae-fp16-fix",
    "tiny-lora-sd1": "Detail Tweaker",
    "tiny-controlnet-canny-sd1": "Hard Edge Detection (canny)",
    "tiny-esrgan-x2": "RealESRGAN_x2plus",
}
"""The names of models that readers have, for the tiny models that take their place in the tests.

On two busy CPU cores, "Text to Image - SD1.5" at 512 x 512 takes about a minute with its 30 steps and 7 s with 4 steps.
Pages that run a workflow of the library should set a small size or few steps.
"""


@contextmanager
def models_of_readers(client: InvokeAIClient) -> Generator[None]:
    """Give the tiny models of a server the names of models that readers have."""
    renamed = {model.key: model.name for model in client.dnn_model_repo.list_models() if model.name in NAMES}
    try:
        for key, name in renamed.items():
            client.request("PATCH", f"/api/v2/models/i/{key}", json={"name": NAMES[name]})
        yield
    finally:
        for key, name in renamed.items():
            client.request("PATCH", f"/api/v2/models/i/{key}", json={"name": name})


def tiny_model(client: InvokeAIClient) -> dict[str, Any]:
    """Return the model that the workflows use."""
    names = ("tiny-sd1", NAMES["tiny-sd1"])
    [model] = [model for model in client.dnn_model_repo.list_models() if model.name in names]
    return {part: str(getattr(model, part)) for part in ("key", "hash", "name", "base", "type")}


def _text_to_image(model: dict[str, Any]) -> tuple[dict[str, tuple[str, dict[str, Any]]], list[str]]:
    """Return the nodes and edges that both workflows share."""
    plain = workflows.sd1()
    nodes: dict[str, tuple[str, dict[str, Any]]] = {
        node["id"]: (
            node["data"]["type"],
            {name: held["value"] for name, held in node["data"]["inputs"].items() if "value" in held},
        )
        for node in plain["nodes"]
    }
    nodes["model"] = ("main_model_loader", {"model": model})
    return nodes, [edge["id"] for edge in plain["edges"]]


def portrait(model: dict[str, Any]) -> dict[str, Any]:
    """Return the workflow ``portrait.json``: text to image, with a model of the server."""
    nodes, edges = _text_to_image(model)
    return workflows.workflow(
        "Portrait",
        nodes,
        edges,
        [
            ("model", "model"),
            ("positive", "prompt"),
            ("negative", "prompt"),
            ("denoise", "steps"),
            ("denoise", "cfg_scale"),
            ("denoise", "scheduler"),
            ("noise", "seed"),
        ],
        labels={("positive", "prompt"): "Positive Prompt", ("negative", "prompt"): "Negative Prompt"},
        final=["decode"],
    )


def restyle(model: dict[str, Any]) -> dict[str, Any]:
    """Return the workflow ``restyle.json``: image to image, with a model of the server."""
    nodes, edges = _text_to_image(model)
    nodes |= {
        "image": ("image", {}),
        "resize": ("img_resize", {"width": 64, "height": 64}),
        "encode": ("i2l", {}),
        "positive": ("compel", {"prompt": "an oil painting"}),
        "denoise": ("denoise_latents", {"steps": 8, "denoising_start": 0.5}),
    }
    edges += [
        "image.image -> resize.image",
        "resize.image -> encode.image",
        "model.vae -> encode.vae",
        "encode.latents -> denoise.latents",
    ]
    shown = [
        ("image", "image"),
        ("positive", "prompt"),
        ("denoise", "denoising_start"),
        ("denoise", "steps"),
        ("noise", "seed"),
    ]
    labels = {("positive", "prompt"): "Style", ("denoise", "denoising_start"): "Keep"}
    return workflows.workflow("Restyle", nodes, edges, shown, labels=labels, final=["decode"])


PROMPTS = ["a lighthouse at dusk", "a fox in the long grass", "a hen on the lonely hill"]


def with_small_images(document: dict[str, Any]) -> dict[str, Any]:
    """Return an example that makes small images. At full size the pages would take several times as long."""
    small = {"noise": {"width": 64, "height": 64}, "ideal_size": {"multiplier": 0.125}}
    for node in document["nodes"]:
        for name, value in small.get(node["data"]["type"], {}).items():
            node["data"]["inputs"][name]["value"] = value
    return document


def trim() -> dict[str, Any]:
    """Return a workflow that cuts frames out of a video (6.14)."""
    cut = ("extract_video_range", {"start_frame": 0, "end_frame": 3, "fps": 8})
    return workflows.workflow(
        "Trim", {"cut": cut}, [], [("cut", "video"), ("cut", "end_frame")], final=["cut"]
    )


def fill(folder: Path, model: dict[str, Any]) -> None:
    """Create the files in a folder."""
    from PIL import Image

    # What earlier blocks of "Your first image" make.
    Image.linear_gradient("L").convert("RGB").save(folder / "dusk.png")
    mask = Image.new("L", (256, 256), "white")
    mask.paste("black", (150, 20, 230, 100))
    mask.save(folder / "moon.png")

    (folder / "examples").mkdir()
    for example in EXAMPLES.glob("*.json"):
        document = json.loads(example.read_text(encoding="utf-8"))
        (folder / "examples" / example.name).write_text(json.dumps(with_small_images(document)))
    (folder / "portrait.json").write_text(json.dumps(portrait(model)))
    (folder / "restyle.json").write_text(json.dumps(restyle(model)))
    (folder / "trim.json").write_text(json.dumps(trim()))
    (folder / "clip.mp4").write_bytes((Path(__file__).parents[1] / "data" / "tiny.mp4").read_bytes())
    (folder / "prompts.txt").write_text("\n".join(PROMPTS) + "\n")
    rows = [f"{number},{text},{4 * number}" for number, text in enumerate(PROMPTS, 1)]
    (folder / "runs.csv").write_text("\n".join(["seed,positive_prompt,steps", *rows]) + "\n")
    (folder / "photos").mkdir()
    for name, color in {"harbor": "steelblue", "meadow": "olivedrab", "street": "sienna"}.items():
        Image.new("RGB", (96, 96), color).save(folder / "photos" / f"{name}.png")
