"""Runs of the server's own workflows with tiny models, and the workflows embedded in their images.

The server runs with a node pack that shrinks its hard-coded FLUX sizes to those of the tiny model.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from default_workflows import FACTS, OTHER_MAJOR
from golden import differences, normalised
from PIL import Image as Pillow

from invokeai_py_client import Image, InvokeAIClient, Run, Sweep, WorkflowHandle
from invokeai_py_client.server.health import request as http_request

# Small values by node type. Connected fields are not changed.
SMALL: dict[str, dict[str, Any]] = {
    "noise": {"width": 64, "height": 64},
    "denoise_latents": {"steps": 2},
    "tiled_multi_diffusion_denoise_latents": {
        "steps": 4,
        "tile_width": 64,  # 6.14.2 divides by zero where a tile is larger than the picture
        "tile_height": 64,
        "tile_overlap": 32,
    },
    "sd3_denoise": {"width": 64, "height": 64, "steps": 2},
    "cogview4_denoise": {"width": 64, "height": 64, "steps": 2},
    "flux_denoise": {"width": 64, "height": 64, "num_steps": 2},
    "prompt_from_file": {"max_prompts": 2},
}
FLUX = {
    "T5 Encoder": "tiny-t5",
    "CLIP Embed": "tiny-clip-l",
    "VAE": "tiny-flux-ae",
    0: "tiny-flux-dev",
}


@dataclass(frozen=True)
class Case:
    """The values of a run, and its expected images.

    Attributes:
        exact: Whether a seed repeats every pixel. The node i2l of 6.14.2 encodes images with noise that has no seed.
    """

    values: dict[Any, Any]
    size: tuple[int, int] = (64, 64)
    images: int = 1
    needs: tuple[str, ...] = field(default=())
    exact: bool = True


CASES: dict[str, Case] = {
    "Text to Image - SD1.5": Case({"Model": "tiny-sd1"}),
    "Text to Image - SDXL": Case({"Model": "tiny-sdxl", 3: "tiny-vae-sdxl"}),
    "Text to Image - SD1.5, LoRA": Case({"Model": "tiny-sd1", "LoRA": "tiny-lora-sd1"}),
    "Text to Image - SD3.5": Case({"Model": "tiny-sd3", "Prompt": "a lighthouse"}),
    "Text to Image - CogView4": Case({"Model": "tiny-cogview4"}),
    "Text to Image - SD1.5, Prompt from File": Case({"Model": "tiny-sd1"}, images=2, needs=("prompts",)),
    "Upscaler - SD1.5, MultiDiffusion": Case(
        {"Model": "tiny-sd1", "Image-to-Image Model": "tiny-esrgan-x2", 9: "tiny-controlnet-canny-sd1"},
        size=(128, 128),
        needs=("Image to Upscale",),
        exact=False,
    ),
    "Text to Image - FLUX": Case(FLUX),
    "Image to Image - FLUX": Case(FLUX, needs=("Image",)),
}


@pytest.fixture
def ready(
    client: InvokeAIClient, uploaded: str, tmp_path: Path, request: pytest.FixtureRequest
) -> tuple[WorkflowHandle, Case]:
    """Return a workflow of the server's library with values for a small run."""
    case = CASES[request.param]
    wf = client.workflow_repo.create_workflow(FACTS[request.param]["id"])
    values = dict(case.values)
    for node in wf.definition.to_dict()["nodes"]:
        for name, value in SMALL.get(node["data"].get("type"), {}).items():
            address = f"{node['id']}.{name}"
            if not wf.get_input(address).connected:
                values[address] = value
    for needed in case.needs:
        if needed == "prompts":
            file = tmp_path / "prompts.txt"
            file.write_text("a lighthouse\na harbour\na third one that is not asked for\n")
            values["Prompts File Path"] = str(file)
        else:
            values[needed] = uploaded
    wf.set(values)
    return wf, case


def decoded(image: Image) -> Pillow.Image:
    """Return the picture, which must not be uniform."""
    picture = Pillow.open(io.BytesIO(image.bytes()))
    picture.load()
    grey = picture.convert("L").tobytes()
    assert max(grey) - min(grey) > 20, "the picture is flat"
    return picture


@pytest.mark.parametrize("ready", CASES, indirect=True)
def test_workflow_runs_and_its_images_contain_it(
    client: InvokeAIClient, ready: tuple[WorkflowHandle, Case], tmp_path: Path
) -> None:
    wf, case = ready
    request = wf.enqueue_request()
    assert bool(wf.warnings) == (wf.name in OTHER_MAJOR)
    run = wf.run(timeout=120)
    assert [decoded(image).size for image in run.images] == [case.size] * case.images

    image = run.images[-1]
    file = image.save(tmp_path / "image.png")
    for source in (image, file):
        carried = client.workflow_repo.create_workflow(source)
        assert list(differences(normalised(request), normalised(carried.enqueue_request()))) == []
    posted = image.workflow()
    assert posted is not None
    assert list(differences(request["batch"]["workflow"], posted)) == []
    client.image_repo.delete(run.outputs.image_names(intermediate=True))


# --------------------------------------------------------------------------- seeds


def pixels_of(client: InvokeAIClient, run: Run) -> list[bytes]:
    """Return the pixels of a run's images, and make the server forget the outputs of its nodes."""
    run.result(120)
    found = [decoded(image).convert("RGB").tobytes() for image in run.images]
    http_request("DELETE", f"{client.url}/api/v1/app/invocation_cache")
    given = {str(value) for value in run.inputs.values()}
    made = [
        name for name in run.outputs.image_names(intermediate=True) if not any(name in one for one in given)
    ]
    client.image_repo.delete(made)
    return found


@pytest.mark.parametrize("ready", CASES, indirect=True)
def test_seed_repeats_the_pixels(client: InvokeAIClient, ready: tuple[WorkflowHandle, Case]) -> None:
    wf, case = ready
    http_request("DELETE", f"{client.url}/api/v1/app/invocation_cache")
    first = wf.start(seed=7)
    assert (first.seed, first.inputs["seed"]) == (7, 7)
    pixels = pixels_of(client, first)
    assert len(pixels) == case.images
    assert seeds_used(client, first) == {7}
    second = wf.start(seed=7)
    again = pixels_of(client, second)
    assert seeds_used(client, second) == {7}
    assert pixels == again or not case.exact
    assert pixels != pixels_of(client, wf.start(seed=8))

    drawn = wf.start()  # the server draws its seed, unless the workflow has a fixed one
    assert (drawn.seed is None) == bool(wf.inputs.random_seeds())
    pixels = pixels_of(client, drawn)
    assert drawn.seed == drawn.inputs["seed"]
    assert isinstance(drawn.seed, int)
    assert pixels_of(client, wf.start(seed=drawn.seed)) == pixels or not case.exact


def steps_of(wf: WorkflowHandle) -> str:
    """Return the address of an input to vary."""
    found = [item for item in wf.inputs.everything() if item.field_name in ("steps", "num_steps")]
    return next(f"{item.node_id}.{item.field_name}" for item in found if not item.connected)


@pytest.mark.parametrize("ready", ["Text to Image - SD1.5, LoRA", "Text to Image - CogView4"], indirect=True)
def test_sweep_uses_one_seed_and_records_it(
    client: InvokeAIClient, ready: tuple[WorkflowHandle, Case], tmp_path: Path
) -> None:
    wf, _ = ready
    manifest = tmp_path / "sweep.jsonl"
    sweep = wf.sweep({steps_of(wf): [2, 3]}, manifest=manifest)
    runs = sweep.wait(progress=False)
    [seed] = {run.seed for run in runs}
    assert isinstance(seed, int)
    used = {value for run in runs for value in seeds_used(client, run)}
    assert used == {seed}
    header, *lines = (json.loads(line) for line in manifest.read_text().splitlines())
    assert header["inputs"]["seed"] == seed
    assert [line["seed"] for line in lines if line["kind"] == "run"] == [seed, seed]
    assert [record["seed"] for record in sweep.to_records()] == [seed, seed]
    assert f'"seed":{seed}' in sweep.report(tmp_path / "report").read_text()
    again = Sweep.resume(manifest, client)
    assert [run.seed for run in again.wait(progress=False)] == [seed, seed]
    for run in runs:
        pixels_of(client, run)


@pytest.mark.parametrize("ready", ["Text to Image - SD1.5"], indirect=True)
def test_seeds_that_the_server_draws_are_recorded(
    client: InvokeAIClient, ready: tuple[WorkflowHandle, Case], tmp_path: Path
) -> None:
    wf, _ = ready
    manifest = tmp_path / "sweep.jsonl"
    sweep = wf.sweep({steps_of(wf): [2, 3]}, seed="workflow", manifest=manifest)
    runs = sweep.wait(progress=False)
    seeds = [run.seed for run in runs]
    assert len(set(seeds)) == 2
    assert [seeds_used(client, run) for run in runs] == [{seed} for seed in seeds]
    assert [run.inputs["seed"] for run in runs] == seeds
    assert [record["seed"] for record in sweep.to_records()] == seeds
    again = Sweep.resume(manifest, client)
    assert [(run.seed, run.inputs["seed"]) for run in again.wait(progress=False)] == [
        (seed, seed) for seed in seeds
    ]
    html = sweep.report(tmp_path / "report").read_text()
    assert all(f'"seed":{seed}' in html for seed in seeds)
    found = client.run(runs[0].item_id)
    found.result(20)
    assert found.seed == seeds[0]
    for run in runs:
        pixels_of(client, run)


def seeds_used(client: InvokeAIClient, run: Run) -> set[int]:
    """Return the seeds of the nodes that the server executed."""
    item = http_request("GET", f"{client.url}/api/v1/queue/default/i/{run.item_id}")[1]
    nodes = item["session"]["execution_graph"]["nodes"].values()
    return {node["seed"] for node in nodes if "seed" in node and node["type"] != "core_metadata"}
