"""``ivk generate`` on the real server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command import Command, ivk_command
from PIL import Image as Pillow

from invokeai_py_client import InvokeAIClient

__all__ = ["ivk_command"]

pytestmark = pytest.mark.usefixtures("nothing_left")
FAST = ("-m", "tiny-sd1", "--size", "64x64", "-s", "steps=2")


@pytest.fixture(autouse=True)
def folder(client: InvokeAIClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of the commands."""
    monkeypatch.setenv("INVOKEAI_URL", client.url)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_one_image(folder: Path, ivk_command: Command) -> None:
    done = ivk_command("generate", "a lighthouse", *FAST, "--seed", "7", "-o", "one.jpg")
    assert (done.code, done.lines) == (0, ["one.jpg"])
    assert "Seed: 7" in done.err
    with Pillow.open(folder / "one.jpg") as image:
        assert (image.format, image.size) == ("JPEG", (64, 64))


def test_several_images_and_their_workflow(folder: Path, ivk_command: Command) -> None:
    words = ("-n", "2", "--seed", "7", "-o", "out", "--name", "{seed}.png", "--save-workflow", "wf.json")
    done = ivk_command("generate", "a lighthouse", *FAST, *words)
    assert done.code == 0
    assert sorted(done.lines) == ["out/7.png", "out/8.png"]
    assert "Wrote wf.json." in done.err
    assert "in 1 request" in done.err
    assert "Seeds: 7, 8" in done.err
    again = ivk_command("run", "wf.json", "--seed", "8", "-o", "again.png")
    assert again.code == 0
    with Pillow.open(folder / "out/8.png") as first, Pillow.open(folder / "again.png") as second:
        assert first.tobytes() == second.tobytes(), "the workflow has the prompt and all other values"
    there = ivk_command("generate", "a lighthouse", *FAST, "--save-workflow", "wf.json")
    assert there.code == 2
    assert "wf.json already exists" in there.err


def test_an_image_and_a_mask(folder: Path, ivk_command: Command) -> None:
    Pillow.new("RGB", (64, 72), "teal").save("photo.png")
    Pillow.new("L", (64, 72), 0).save("mask.png")
    done = ivk_command(
        "generate",
        "a fox",
        "-m",
        "tiny-sd1",
        "-s",
        "steps=2",
        "--image",
        "photo.png",
        "--mask",
        "mask.png",
        "--json",
    )
    assert done.code == 0
    result = done.objects[-1]
    assert (result["event"], result["ok"]) == ("result", True)
    with Pillow.open(result["images"][0]["path"]) as image:
        assert image.size == (64, 72)
    changed = ivk_command("generate", "a fox", "-m", "tiny-sd1", "--image", "photo.png", "--strength", "2")
    assert changed.code == 2
    assert "Invalid strength 2.0" in changed.err


def test_prompts_from_files_and_standard_input(folder: Path, ivk_command: Command) -> None:
    (folder / "prompt.txt").write_text("a fox\nin the snow\n")
    for prompt, expected in (
        ("@prompt.txt", "a fox\nin the snow"),
        ("-", "ein Füchslein"),
        ("@@home", "@home"),
    ):
        done = ivk_command(
            "generate", prompt, *FAST, "--negative", "@prompt.txt", "--dry-run", stdin="ein Füchslein\n"
        )
        assert done.code == 0, done.err
        nodes = json.loads(done.out)["batch"]["graph"]["nodes"]
        assert nodes["positive_prompt"]["value"] == expected
        assert nodes["negative_prompt"]["value"] == "a fox\nin the snow"
        assert (nodes["noise"]["width"], nodes["denoise"]["steps"]) == (64, 2)


def test_settings_replace_other_options(ivk_command: Command) -> None:
    done = ivk_command(
        "generate",
        "a fox",
        *FAST,
        "-s",
        "Width=128",
        "-s",
        "seed=3",
        "-s",
        "negative_prompt=fog",
        "--dry-run",
    )
    nodes = json.loads(done.out)["batch"]["graph"]["nodes"]
    assert (nodes["noise"]["width"], nodes["noise"]["height"], nodes["noise"]["seed"]) == (128, 64, 3)
    assert nodes["negative_prompt"]["value"] == "fog"
    assert nodes["metadata"]["seed"] == 3


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "Say which model: the server has 5 main models: 'tiny-cogview4', "),
        (("-m", "tiny-sd"), "No model named 'tiny-sd'. Did you mean 'tiny-sd3', 'tiny-sd1', "),
        (("--size", "big"), "Invalid size 'big': expected WIDTHxHEIGHT in pixels"),
        (("--mask", "m.png"), "A mask needs an image."),
        (("--strength", "0.5"), "--strength needs --image"),
        (("--image", "a", "--mask", "b", "--strength", "0.5"), "--strength cannot be combined with --mask"),
        (("-n", "2", "--dry-run"), "-n cannot be combined with"),
        (("-n", "0"), "0 is not in the range"),
        (("-m", "tiny-sd1", "--seed", "x"), "Seed"),
        (("-m", "tiny-sd1", "--image", "no.png"), "No image named 'no.png'."),
        (("-m", "tiny-sd1", "-s", "stepz=3"), "Did you mean 'Steps'?"),
    ],
)
def test_wrong_use_is_one_sentence(ivk_command: Command, words: tuple[str, ...], sentence: str) -> None:
    done = ivk_command("generate", "a fox", *words)
    assert done.code == 2
    assert sentence in done.err
    assert not done.out
