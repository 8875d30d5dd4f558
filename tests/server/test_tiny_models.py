"""Generations with the tiny models: each input that should change the image does."""

from __future__ import annotations

import io
import threading
import time
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image, ImageChops, ImageStat

from invokeai_py_client.server.health import request

if TYPE_CHECKING:
    from tests.conftest import RealServer

SIZE = 64
WHITE = {"r": 255, "g": 255, "b": 255, "a": 255}


class Bench:
    """Enqueues graphs and returns the image of the node `out`."""

    def __init__(self, server: RealServer) -> None:
        self.url = server.url
        self.models = {
            each["name"]: each for each in request("GET", f"{self.url}/api/v2/models/")[1]["models"]
        }

    def model(self, name: str, **more: Any) -> dict[str, Any]:
        return {key: self.models[name][key] for key in ("key", "hash", "name", "base", "type")} | more

    def picture(self, nodes: dict[str, dict[str, Any]], edges: str) -> Image.Image:
        graph = {
            "id": "bench",
            "nodes": {name: {"id": name, "use_cache": False, **node} for name, node in nodes.items()},
            "edges": [
                {"source": dict(zip(("node_id", "field"), a.split("."), strict=True)),
                 "destination": dict(zip(("node_id", "field"), b.split("."), strict=True))}
                for a, b in (edge.split(">") for edge in edges.split())
            ],
        }  # fmt: skip
        queue = f"{self.url}/api/v1/queue/default"
        status, data = request("POST", f"{queue}/enqueue_batch", {"batch": {"graph": graph, "runs": 1}})
        assert status in (200, 201), data
        item = self._ended(f"{queue}/i/{data['item_ids'][0]}")
        assert item["status"] == "completed", item.get("error_message")
        name = item["session"]["results"][item["session"]["source_prepared_mapping"]["out"][0]]["image"][
            "image_name"
        ]
        with urllib.request.urlopen(f"{self.url}/api/v1/images/i/{name}/full", timeout=30) as answer:
            image = Image.open(io.BytesIO(answer.read()))
            image.load()
        return image.convert("RGB")

    def _ended(self, url: str) -> dict[str, Any]:
        pause, deadline = threading.Event(), time.monotonic() + 120
        while True:
            item = request("GET", url)[1]
            if item["status"] in ("completed", "failed", "canceled"):
                return item
            assert time.monotonic() < deadline, f"still {item['status']} after 120 s"
            pause.wait(0.02)


@pytest.fixture(scope="module")
def bench(server: RealServer) -> Bench:
    return Bench(server)


def difference(a: Image.Image, b: Image.Image) -> float:
    """Return the mean absolute difference of two images' values (0 to 255)."""
    means = ImageStat.Stat(ImageChops.difference(a, b)).mean
    return sum(means) / len(means)


def assert_not_flat(image: Image.Image, size: int = SIZE) -> None:
    assert image.size == (size, size)
    assert min(ImageStat.Stat(image).stddev) > 15


def classic(bench: Bench, base: str, *, prompt: str = "a lighthouse", seed: int = 1, lora: float | None = None,
            control: int | None = None, steps: int = 4) -> Image.Image:  # fmt: skip
    """Generate an image from text with SD-1 or SDXL."""
    xl = base == "sdxl"
    compel = "sdxl_compel_prompt" if xl else "compel"
    texts = {"prompt": prompt} | ({"style": prompt} if xl else {})
    nodes: dict[str, dict[str, Any]] = {
        "load": {"type": f"{base.replace('sd1', 'main')}_model_loader", "model": bench.model(f"tiny-{base}")},
        "pos": {"type": compel, **texts},
        "neg": {"type": compel, **dict.fromkeys(texts, "")},
        "noise": {"type": "noise", "seed": seed, "width": SIZE, "height": SIZE},
        "den": {"type": "denoise_latents", "steps": steps, "cfg_scale": 5.0, "scheduler": "euler"},
        "out": {"type": "l2i"},
    }
    unet, clip = "load.unet", "load.clip"
    edges = "pos.conditioning>den.positive_conditioning neg.conditioning>den.negative_conditioning "
    edges += "noise.noise>den.noise den.latents>out.latents load.vae>out.vae "
    if lora is not None:
        nodes["lora"] = {"type": "lora_loader", "lora": bench.model("tiny-lora-sd1"), "weight": lora}
        edges += "load.unet>lora.unet load.clip>lora.clip "
        unet, clip = "lora.unet", "lora.clip"
    if control is not None:
        model = bench.model("tiny-controlnet-canny-sd1")
        nodes["marks"] = {"type": "noise", "seed": control, "width": SIZE, "height": SIZE}
        nodes["sketch"] = {"type": "l2i"}
        nodes["control"] = {"type": "controlnet", "control_model": model}
        edges += "marks.noise>sketch.latents load.vae>sketch.vae sketch.image>control.image "
        edges += "control.control>den.control "
    edges += f"{unet}>den.unet {clip}>pos.clip {clip}>neg.clip "
    if xl:
        edges += "load.clip2>pos.clip2 load.clip2>neg.clip2 "
    return bench.picture(nodes, edges)


@pytest.mark.parametrize("base", ["sd1", "sdxl"])
def test_seed_and_prompt_change_the_image(bench: Bench, base: str) -> None:
    first = classic(bench, base)
    assert_not_flat(first)
    assert difference(first, classic(bench, base)) == 0
    assert difference(first, classic(bench, base, seed=2)) > 10
    assert difference(first, classic(bench, base, prompt="a cat in the snow")) > 1


def test_lora_embedding_and_control_change_the_picture(bench: Bench) -> None:
    plain = classic(bench, "sd1")
    assert difference(plain, classic(bench, "sd1", lora=0.0)) == 0
    half, full = (difference(plain, classic(bench, "sd1", lora=weight)) for weight in (0.5, 1.0))
    assert 1 < half < full
    assert difference(plain, classic(bench, "sd1", prompt="a lighthouse <tiny-ti-sd1>")) > 1
    one = classic(bench, "sd1", control=1)
    assert difference(plain, one) > 1
    assert difference(one, classic(bench, "sd1", control=2)) > 1


@pytest.mark.parametrize("base", ["sd1", "sdxl"])
def test_separate_vae_changes_the_image(bench: Bench, base: str) -> None:
    def decoded(vae: str) -> Image.Image:
        nodes: dict[str, dict[str, Any]] = {
            "noise": {"type": "noise", "seed": 1, "width": SIZE, "height": SIZE},
            "main": {
                "type": f"{base.replace('sd1', 'main')}_model_loader",
                "model": bench.model(f"tiny-{base}"),
            },
            "own": {"type": "vae_loader", "vae_model": bench.model(f"tiny-vae-{base}")},
            "out": {"type": "l2i"},
        }
        return bench.picture(nodes, f"noise.noise>out.latents {vae}.vae>out.vae")

    assert difference(decoded("main"), decoded("own")) > 10


def test_upscaler_doubles_the_size(bench: Bench) -> None:
    nodes: dict[str, dict[str, Any]] = {
        "noise": {"type": "noise", "seed": 1, "width": SIZE, "height": SIZE},
        "load": {"type": "main_model_loader", "model": bench.model("tiny-sd1")},
        "small": {"type": "l2i"},
        "out": {"type": "spandrel_image_to_image", "image_to_image_model": bench.model("tiny-esrgan-x2")},
    }
    large = bench.picture(nodes, "noise.noise>small.latents load.vae>small.vae small.image>out.image")
    assert large.size == (2 * SIZE, 2 * SIZE)
    assert min(ImageStat.Stat(large).stddev) > 5


def test_flux_text_to_image_and_image_to_image(bench: Bench) -> None:
    """Check FLUX with the node pack tiny_flux, the only difference from a standard InvokeAI."""

    def flux(prompt: str, strength: float | None = None) -> Image.Image:
        nodes: dict[str, dict[str, Any]] = {
            "load": {
                "type": "flux_model_loader",
                "model": bench.model("tiny-flux-dev"),
                "t5_encoder_model": bench.model("tiny-t5"),
                "clip_embed_model": bench.model("tiny-clip-l"),
                "vae_model": bench.model("tiny-flux-ae"),
            },
            "pos": {"type": "flux_text_encoder", "prompt": prompt},
            "den": {"type": "flux_denoise", "num_steps": 3, "seed": 1, "width": SIZE, "height": SIZE},
            "out": {"type": "flux_vae_decode"},
        }
        edges = "load.clip>pos.clip load.t5_encoder>pos.t5_encoder load.max_seq_len>pos.t5_max_seq_len "
        edges += "load.transformer>den.transformer pos.conditioning>den.positive_text_conditioning "
        edges += "load.vae>out.vae den.latents>out.latents "
        if strength is not None:
            nodes["den"]["denoising_start"] = 1 - strength
            nodes["blank"] = {"type": "blank_image", "width": SIZE, "height": SIZE, "color": WHITE}
            nodes["enc"] = {"type": "flux_vae_encode"}
            edges += "load.vae>enc.vae blank.image>enc.image enc.latents>den.latents "
        return bench.picture(nodes, edges)

    first = flux("a lighthouse")
    assert_not_flat(first)
    assert difference(first, flux("a cat in the snow")) > 0.1
    assert difference(first, flux("a lighthouse", strength=0.5)) > 5


def test_sd3_and_cogview4_text_to_image(bench: Bench) -> None:
    pictures: list[Image.Image] = []
    for kind, loader, clips in (
        (
            "sd3",
            "sd3_model_loader",
            "load.clip_l>{0}.clip_l load.clip_g>{0}.clip_g load.t5_encoder>{0}.t5_encoder ",
        ),
        ("cogview4", "cogview4_model_loader", "load.glm_encoder>{0}.glm_encoder "),
    ):
        nodes: dict[str, dict[str, Any]] = {
            "load": {"type": loader, "model": bench.model(f"tiny-{kind}")},
            "pos": {"type": f"{kind}_text_encoder", "prompt": "a lighthouse"},
            "neg": {"type": f"{kind}_text_encoder", "prompt": ""},
            "den": {"type": f"{kind}_denoise", "steps": 3, "seed": 1, "width": SIZE, "height": SIZE},
            "out": {"type": f"{kind}_l2i"},
        }
        edges = clips.format("pos") + clips.format("neg")
        edges += "load.transformer>den.transformer load.vae>out.vae den.latents>out.latents "
        edges += "pos.conditioning>den.positive_conditioning neg.conditioning>den.negative_conditioning "
        pictures.append(bench.picture(nodes, edges))
    for picture in pictures:
        assert_not_flat(picture)
