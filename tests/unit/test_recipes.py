"""Recipes: the workflows for images with models of all architectures."""

from __future__ import annotations

import io
import lzma
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import recipes
from PIL import Image as Pillow
from recipes import CASES, PARTS, Case, main_model, model

from invokeai_py_client.engine.inputs import InputSet
from invokeai_py_client.engine.prompts import find_prompt
from invokeai_py_client.engine.request import build_request
from invokeai_py_client.errors import ModelNotFoundError, UnknownNodeError, UsageError
from invokeai_py_client.files.photos import alpha_mask, photo_size
from invokeai_py_client.recipes.choose import components, pick_model
from invokeai_py_client.recipes.kinds import KINDS, kind_of
from invokeai_py_client.recipes.values import first_seed, image_values, parse_size
from invokeai_py_client.recipes.wiring import build_recipe
from invokeai_py_client.schema.parse import parse_schema
from invokeai_py_client.schema.reference import reference_schema
from invokeai_py_client.schema.template import Schema

DATA = Path(__file__).parents[1] / "data"
SCHEMA = reference_schema()
ORDER = [
    *("positive_prompt", "negative_prompt", "image", "mask", "model", "width", "height", "steps"),
    *("cfg_scale", "guidance", "scheduler", "denoising_start", "board"),
]


def schema_of(version: str) -> Schema:
    """Return the node types of another version."""
    import json

    document: Any = json.loads(lzma.decompress((DATA / f"openapi-{version}.json.xz").read_bytes()))
    return parse_schema(document)


def by_id(case: Case) -> str:
    return case.id


@pytest.mark.parametrize("case", CASES, ids=by_id)
def test_every_recipe_loads_with_the_same_names(case: Case) -> None:
    loaded = case.load(SCHEMA)
    assert not loaded.warnings
    inputs = InputSet(loaded, SCHEMA)
    names = [inputs.name_of(item) for item in inputs]
    assert [name for name in names if not name.endswith("_model")] == [
        name for name in ORDER if name in names
    ]
    assert ("image" in names, "mask" in names) == (case.mode != "text", case.mode == "mask")
    assert [inputs.name_of(item) for item in inputs.main_seeds()] == ["seed"]
    assert find_prompt(loaded, inputs) is inputs.find("positive_prompt")
    assert inputs.find("positive_prompt").type == "StringField"
    step = inputs.find("width").field.limits.multiple_of
    assert step in (8, 16, 32)
    with pytest.raises(UsageError, match="multiple"):
        inputs.set({"width": 1001})
    with pytest.raises(UsageError, match="Width"):
        inputs.set({"width": 0})
    with pytest.raises(UsageError, match="Steps"):
        inputs.set({"steps": 0})
    for name in names:
        if name not in ("image", "mask"):
            assert not inputs.find(name).field.problems(), name


@pytest.mark.parametrize("case", CASES, ids=by_id)
def test_metadata_contains_what_was_set(case: Case) -> None:
    loaded = case.load(SCHEMA)
    inputs = InputSet(loaded, SCHEMA)
    other = model("Other", case.kind.base, variant="normal")
    identifier = {name: other[name] for name in ("key", "hash", "name", "base", "type")}
    inputs.set({"model": identifier, "steps": 3, "seed": 7})
    detached, values = inputs.apply_seeds(inputs.values())
    nodes: Mapping[str, Any] = build_request(detached, SCHEMA, values)["batch"]["graph"]["nodes"]
    metadata = nodes["metadata"]
    assert (metadata["steps"], metadata["seed"], metadata["model"]) == (3, 7, nodes["model"]["model"])
    assert metadata["model"]["name"] == "Other"
    assert not [name for name, value in metadata.items() if value in (0, "", None)]
    mode = metadata.get("generation_mode", "inpaint" if case.mode == "mask" else "txt2img")
    assert mode.endswith({"text": "txt2img", "image": "img2img", "mask": "inpaint"}[case.mode])
    assert "seed" not in nodes, "the node that draws seeds is gone"
    final = [node for node in nodes.values() if not node["is_intermediate"]]
    assert len(final) == 1


def test_there_is_a_recipe_for_15_architectures() -> None:
    assert len({(kind.base, kind.loader) for kind in KINDS}) == 15


def test_the_defaults_are_those_of_the_model_or_its_architecture() -> None:
    def values(base: str, **more: Any) -> dict[str, Any]:
        main = model("Main", base, format="diffusers", **more)
        kind = kind_of(main)
        assert kind is not None
        inputs = InputSet(build_recipe(kind, main, [main, *PARTS], SCHEMA).load(SCHEMA), SCHEMA)
        return {inputs.name_of(item): item.value for item in inputs}

    plain = values("sd-1")
    assert [plain[name] for name in ("width", "height", "steps", "cfg_scale", "scheduler")] == [
        *(512, 512, 30, 7.5, "dpmpp_3m_k")
    ]
    own = {"width": 640, "height": None, "steps": 9, "cfg_scale": 2, "scheduler": "lcm", "vae": "nothing"}
    stated = values("sdxl", default_settings=own)
    assert [stated[name] for name in ("width", "height", "steps", "cfg_scale", "scheduler")] == [
        *(640, 1024, 9, 2, "lcm")
    ]
    dev, schnell = values("flux", variant="dev"), values("flux", variant="schnell")
    assert (dev["steps"], dev["guidance"], schnell["steps"], schnell["guidance"]) == (28, 3.5, 4, 4)
    assert values("sd-3")["steps"] == 28
    assert values("z-image", default_settings={"scheduler": "dpmpp_3m_k"})["scheduler"] == "euler"
    assert values("flux2", variant="dev")["steps"] == 28


# ------------------------------------------------------------------ models


def test_the_only_usable_model_is_the_default() -> None:
    usable, vae = model("A", "sdxl"), model("V", "sdxl", "vae")
    refiner, odd = model("R", "sdxl-refiner"), model("O", "imagen3")
    assert pick_model(None, [vae, refiner, usable, odd])[0] is usable
    with pytest.raises(ModelNotFoundError, match="Say which model: the server has 2 main models: 'A', 'b'"):
        pick_model(None, [model("b", "sd-1"), usable])
    with pytest.raises(ModelNotFoundError, match="The server has no main model that can make images"):
        pick_model(None, [vae])


def test_a_model_is_found_by_key_and_name() -> None:
    main, vae = model("Same", "sdxl"), model("Same", "sdxl", "vae")
    assert pick_model("same", [vae, main])[0] is main
    assert pick_model(main["key"], [vae, main])[0] is main
    with pytest.raises(ModelNotFoundError, match=r"2 models are named 'Same'.*sd-1/main/Same \(sd-1 main\)"):
        pick_model("Same", [main, model("Same", "sd-1")])
    with pytest.raises(ModelNotFoundError, match=r"No model named 'Sam'\. Did you mean 'Same'\?"):
        pick_model("Sam", [main])
    with pytest.raises(UsageError, match=r"'V' is not a main model, but of type 'vae'"):
        pick_model("V", [main, model("V", "sdxl", "vae")])
    with pytest.raises(UsageError, match=r"'O' has the architecture 'imagen3', which has no recipe.*sdxl"):
        pick_model("O", [main, model("O", "imagen3")])


def chosen(base: str, *parts: dict[str, Any], **more: Any) -> dict[str, str]:
    main = model("Main", base, **more)
    kind = kind_of(main)
    assert kind is not None
    found = components(kind, SCHEMA[kind.loader], main, [main, *parts])
    return {name: record["name"] for name, record in found.items()}


def test_components_are_chosen_if_the_model_needs_them() -> None:
    assert chosen("sd-3", format="diffusers") == {}
    assert chosen("sd-3", *PARTS, format="checkpoint") == {
        "t5_encoder_model": "t5_encoder",
        "clip_l_model": "A large CLIP",
        "clip_g_model": "A gigantic CLIP",
        "vae_model": "VAE of sd-3",
    }
    assert chosen("flux", *PARTS, format="diffusers")["clip_embed_model"] == "A large CLIP"
    assert chosen("flux2", *PARTS, variant="klein_9b") == {
        "vae_model": "VAE of flux2",
        "qwen3_encoder_model": "Qwen3 8b",
    }
    assert chosen("z-image", *PARTS)["qwen3_encoder_model"] == "Qwen3 4b"
    assert chosen("anima", *PARTS, format="diffusers") == {
        "vae_model": "VAE of qwen-image",
        "qwen3_encoder_model": "Qwen3 06b",
    }
    assert set(chosen("wan", *PARTS)) == {"vae_model", "wan_t5_encoder_model"}


def test_the_models_own_vae_is_used() -> None:
    mine, first = model("Z", "flux", "vae"), model("A", "flux", "vae")
    settings = {"vae": mine["key"]}
    assert chosen("flux", mine, first, *PARTS, default_settings=settings)["vae_model"] == "Z"
    own = model("Own", "sdxl", "vae")
    assert chosen("sdxl", own, default_settings={"vae": own["key"]}) == {"vae_model": "Own"}
    main = model("Main", "sdxl", default_settings={"vae": own["key"]})
    kind = kind_of(main)
    assert kind is not None
    loaded = build_recipe(kind, main, [main, own], SCHEMA, image=True).load(SCHEMA)
    fed = {(edge.source, edge.target) for edge in loaded.edges if edge.target_field == "vae"}
    assert fed == {("vae", "image"), ("vae", "encode")}
    assert InputSet(loaded, SCHEMA).find("vae_model").value["name"] == "Own"
    assert not loaded.warnings


def test_missing_components_are_named_once_each() -> None:
    with pytest.raises(ModelNotFoundError) as caught:
        chosen("flux", model("VAE", "flux", "vae"), model("CLIP", "any", "clip_embed", variant="gigantic"))
    assert str(caught.value) == (
        "The model 'Main' also needs a model for 't5_encoder_model' (type t5_encoder) and a model for"
        " 'clip_embed_model' (type clip_embed, variant large), which the server does not have. Install what is missing"
        " with `ivk models install`, or in the web UI's model manager."
    )


# ------------------------------------------------------------------ servers


@pytest.mark.parametrize("version", ["5.15.0", "6.0.2"])
def test_older_servers_have_the_recipes_of_their_nodes(version: str) -> None:
    schema = schema_of(version)
    able: set[str] = set()
    for case in CASES:
        if any(one not in schema for one in (case.kind.loader, case.kind.denoise)):
            with pytest.raises(UnknownNodeError, match=f"no nodes for images with '{case.kind.base}' models"):
                case.load(schema)
        else:
            assert not case.load(schema).warnings, case.id
            able.add(case.kind.base)
    assert able == {"sd-1", "sd-2", "sdxl", "sd-3", "flux", "cogview4"}


def test_missing_nodes_are_named() -> None:
    less = Schema({name: SCHEMA[name] for name in SCHEMA if name != "img_paste"}, "6.14.2")
    main = model("Main", "sd-1")
    with pytest.raises(UnknownNodeError) as caught:
        build_recipe(KINDS[0], main, [main], less, mask=True)
    assert str(caught.value) == (
        "This server (InvokeAI 6.14.2) has no nodes for images with 'sd-1' models: img_paste is missing. Update the"
        " server, or choose another model."
    )


def test_some_models_cannot_start_from_an_image() -> None:
    for kind in KINDS:
        if kind.encode is None:
            main = main_model(kind)
            with pytest.raises(UsageError, match="cannot start from an image"):
                build_recipe(kind, main, [main], SCHEMA, image=True)


# ------------------------------------------------------------------ values


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (None, None),
        ("auto", None),
        ("1024x768", (1024, 768)),
        (" 512 X 64 ", (512, 64)),
        ("512×640", (512, 640)),
        ((512, 640), (512, 640)),
        ([512, 640.0], (512, 640)),
    ],
)
def test_sizes(size: Any, expected: tuple[int, int] | None) -> None:
    assert parse_size(size) == expected


@pytest.mark.parametrize(
    "size",
    ["big", "", "512", "512x", "x", "512x512x512", (512,), (True, 512), 512, "63x64", (0, 64)],
)
def test_sizes_that_are_none(size: Any) -> None:
    with pytest.raises(UsageError, match="Invalid size"):
        parse_size(size)


def test_sizes_are_rounded_to_what_the_model_supports() -> None:
    case = next(case for case in CASES if case.id == "cogview4 image")
    inputs = InputSet(case.load(SCHEMA), SCHEMA)
    values = image_values(inputs, "a fox", size="100x70", image=True, strength=0.25)
    assert (values["width"], values["height"], values["denoising_start"]) == (96, 64, 0.75)


def test_seeds() -> None:
    assert first_seed(7, 4) == 7
    assert first_seed(2**32 - 4, 4) == 2**32 - 4
    assert 0 <= first_seed(None, 4) <= 2**32 - 4
    for seed, count in ((2**32 - 3, 4), (-1, 1), (1.5, 1), ("x", 1), (True, 1)):
        with pytest.raises(UsageError, match="Invalid seed"):
            first_seed(seed, count)
    for count in (0, -1, 1.5, "2", None):
        with pytest.raises(UsageError, match="Invalid n"):
            first_seed(1, count)


# ------------------------------------------------------------------ images


def png(image: Pillow.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def test_black_parts_of_a_mask_become_transparent() -> None:
    mask = Pillow.new("L", (4, 1), 255)
    mask.putpixel((1, 0), 0)
    mask.putpixel((2, 0), 100)
    for mode in ("L", "RGB", "RGBA", "P"):
        turned = alpha_mask(png(mask.convert(mode)), "mask.png")
        assert turned is not None
        alpha = Pillow.open(io.BytesIO(turned)).getchannel("A")
        assert list(alpha.tobytes()) == [255, 0, 100, 255], mode


def test_a_mask_with_transparent_parts_stays_as_it_is() -> None:
    mask = Pillow.new("RGBA", (2, 1), (0, 0, 0, 255))
    mask.putpixel((1, 0), (0, 0, 0, 0))
    assert alpha_mask(png(mask), "mask.png") is None
    with pytest.raises(UsageError, match="is not a readable image"):
        alpha_mask(b"\0\1\2\3" * 9, "mask.png")


def test_the_size_of_a_photo_is_that_of_the_upright_picture() -> None:
    image = Pillow.new("RGB", (30, 20))
    assert photo_size(png(image), "a.png") == (30, 20)
    exif = image.getexif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", exif=exif)
    assert photo_size(buffer.getvalue(), "a.jpg") == (20, 30)


def test_sizes_and_masks_without_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    from invokeai_py_client.files import photos

    solid, clear = Pillow.new("RGB", (30, 20)), Pillow.new("RGBA", (30, 20))
    files = {image.mode: png(image) for image in (solid, clear)}
    monkeypatch.setattr(photos, "_opened", Mock(return_value=None))
    assert photo_size(files["RGB"], "a.png") == (30, 20)
    assert alpha_mask(files["RGBA"], "a.png") is None
    with pytest.raises(UsageError, match=r"converting its black parts needs Pillow.*\[image\]"):
        alpha_mask(files["RGB"], "a.png")
    with pytest.raises(UsageError, match=r"size of 'a\.jpg' without Pillow"):
        photo_size(b"\xff\xd8\xff", "a.jpg")


def test_the_graphs_of_the_recipes_are_complete() -> None:
    assert len(dict(recipes.graphs(SCHEMA))) == 2 * len(CASES)
