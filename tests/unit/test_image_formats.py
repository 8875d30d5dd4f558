"""Images in other formats than PNG: conversion by extension, metadata, and errors."""

from __future__ import annotations

import io
import json
import random
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageCms, features
from PIL.PngImagePlugin import PngInfo

from invokeai_py_client.engine.definition import WorkflowDefinition
from invokeai_py_client.errors import APIRequestError, UsageError, WorkflowFormatError
from invokeai_py_client.files.convert import check_target, convert, embedded_metadata
from invokeai_py_client.files.formats import format_of, format_of_data, is_whole, needs_conversion

METADATA = {"positive_prompt": "a fox\nin snow, 漢字 🦊", "seed": 7}
WORKFLOW = {"name": "w", "nodes": []}
FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".JPG": "JPEG", ".webp": "WEBP", ".avif": "AVIF"}
needs_avif = pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")
every_format = pytest.mark.parametrize(
    "suffix", [pytest.param(one, marks=needs_avif if one == ".avif" else ()) for one in FORMATS]
)


def png(
    mode: str = "RGB",
    color: Any = "red",
    size: tuple[int, int] = (32, 16),
    *,
    texts: Mapping[str, str] | None = None,
) -> bytes:
    info = PngInfo()
    for name, text in (texts or {}).items():
        info.add_itxt(name, text)
    buffer = io.BytesIO()
    Image.new(mode, size, color).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def decoded(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


@every_format
def test_extension_decides_the_format(suffix: str) -> None:
    data = convert(png(), Path(f"fox{suffix}"))
    image = decoded(data)
    assert (image.format, image.size) == (FORMATS[suffix], (32, 16))
    assert format_of_data(data[:12]) == format_of(Path(f"fox{suffix}")) == FORMATS[suffix]
    red, green, blue = image.convert("RGB").getpixel((5, 5))  # pyright: ignore[reportGeneralTypeIssues]
    assert red > 240
    assert max(green, blue) < 15


@pytest.mark.parametrize("name", ["fox.png", "fox", "cfg 7.5", "fox.PNG", "fox.v2"])
def test_png_files_are_copied(name: str) -> None:
    data = png(texts={"invokeai_metadata": "{}"})
    assert convert(data, Path(name)) is data
    check_target(Path(name), "PNG")


@pytest.mark.parametrize(
    "name", ["fox.gif", "fox.tiff", "fox.TIF", "fox.heic", "fox.mp4", "fox.json", "fox.zip"]
)
def test_other_formats_are_rejected(name: str) -> None:
    with pytest.raises(
        UsageError, match=rf"Cannot save an image as {name}: \.\w+ is not a supported format\. Use"
    ):
        check_target(Path(name), "PNG")


@every_format
def test_metadata_is_kept(suffix: str) -> None:
    texts = {"invokeai_metadata": json.dumps(METADATA), "invokeai_workflow": json.dumps(WORKFLOW)}
    image = decoded(convert(png(texts={**texts, "other": "x"}), Path(f"fox{suffix}")))
    assert embedded_metadata(image) == {"invokeai_metadata": METADATA, "invokeai_workflow": WORKFLOW}
    comment = image.getexif().get_ifd(0x8769)[0x9286]
    assert json.loads(comment.removeprefix(b"ASCII\0\0\0"))["invokeai_metadata"] == METADATA


@every_format
def test_image_without_metadata_has_no_comment(suffix: str) -> None:
    image = decoded(convert(png(), Path(f"fox{suffix}")))
    assert embedded_metadata(image) == {}
    assert 0x9286 not in image.getexif().get_ifd(0x8769)


@every_format
def test_workflow_can_be_read_from_a_converted_image(tmp_path: Path, suffix: str) -> None:
    document = {**WORKFLOW, "name": "Küche 🦊", "edges": [], "meta": {"version": "3.0.0"}}
    path = tmp_path / f"fox{suffix}"
    path.write_bytes(convert(png(texts={"invokeai_workflow": json.dumps(document)}), path))
    assert WorkflowDefinition.from_file(path).name == "Küche 🦊"
    path.write_bytes(convert(png(texts={"invokeai_metadata": "{}"}), path))
    with pytest.raises(WorkflowFormatError, match="has no embedded workflow"):
        WorkflowDefinition.from_file(path)
    path.write_bytes(convert(png(), path))
    with pytest.raises(WorkflowFormatError, match="has no embedded workflow"):
        WorkflowDefinition.from_file(path)


def test_damaged_comment_is_reported() -> None:
    data = convert(png(texts={"invokeai_workflow": json.dumps(WORKFLOW)}), Path("fox.jpg"))
    with pytest.raises(WorkflowFormatError, match="Cannot read the workflow embedded in the image"):
        WorkflowDefinition.from_png(data.replace(b'"nodes":', b'"nodes" '))


def test_metadata_survives_conversion_back_to_png() -> None:
    webp = convert(png(texts={"invokeai_metadata": json.dumps(METADATA)}), Path("fox.webp"))
    again = decoded(convert(webp, Path("fox.png")))
    assert again.format == "PNG"
    assert json.loads(again.info["invokeai_metadata"]) == METADATA


@pytest.mark.parametrize(
    ("sizes", "kept"),
    [
        ((10, 10, 70_000), ["invokeai_metadata", "invokeai_workflow"]),
        ((10, 70_000, 10), ["invokeai_metadata"]),
        ((70_000, 10, 10), []),
    ],
)
def test_jpeg_files_leave_out_what_does_not_fit(sizes: tuple[int, ...], kept: list[str]) -> None:
    names = ("invokeai_metadata", "invokeai_workflow", "invokeai_graph")
    texts = {name: json.dumps("x" * size) for name, size in zip(names, sizes, strict=True)}
    assert list(embedded_metadata(decoded(convert(png(texts=texts), Path("fox.jpg"))))) == kept
    assert list(embedded_metadata(decoded(convert(png(texts=texts), Path("fox.webp"))))) == list(names)


def test_metadata_that_is_not_json_is_kept_as_text() -> None:
    image = decoded(convert(png(texts={"invokeai_metadata": "{half"}), Path("fox.jpg")))
    assert embedded_metadata(image) == {"invokeai_metadata": "{half"}


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "I;16"])
@every_format
def test_all_modes_can_be_converted(mode: str, suffix: str) -> None:
    image = decoded(convert(png(mode, 0), Path(f"fox{suffix}")))
    assert image.size == (32, 16)


@every_format
def test_images_that_compress_badly(suffix: str) -> None:
    noise = Image.frombytes("RGB", (512, 512), random.Random(1).randbytes(512 * 512 * 3))
    buffer = io.BytesIO()
    noise.save(buffer, "PNG")
    assert decoded(convert(buffer.getvalue(), Path(f"fox{suffix}"))).size == (512, 512)


def test_transparent_areas() -> None:
    data = png("RGBA", (255, 0, 0, 0))
    assert decoded(convert(data, Path("fox.jpg"))).getpixel((5, 5)) == (255, 255, 255)
    assert decoded(convert(data, Path("fox.webp"))).convert("RGBA").getpixel((5, 5))[3] == 0  # pyright: ignore[reportIndexIssue, reportOptionalSubscript]


def test_16_bit_images_are_scaled() -> None:
    image = decoded(convert(png("I;16", 0x8000), Path("fox.jpg"))).convert("L")
    assert image.getpixel((5, 5)) == pytest.approx(128, abs=2)


@every_format
def test_color_profiles_are_kept(suffix: str) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG", icc_profile=profile)
    assert decoded(convert(buffer.getvalue(), Path(f"fox{suffix}"))).info["icc_profile"] == profile


def test_image_that_is_too_large_for_the_format() -> None:
    with pytest.raises(UsageError, match=r"Cannot save an image as fox\.webp: .* Use \.png instead"):
        convert(png("L", 0, (17_000, 1)), Path("fox.webp"))


def test_image_that_pillow_cannot_read() -> None:
    with pytest.raises(APIRequestError, match="cannot read the image"):
        convert(png()[:60], Path("fox.jpg"))


def test_conversion_without_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    check_target(Path("fox.png"), "PNG")
    check_target(Path("fox.webp"), "WEBP")
    with pytest.raises(
        UsageError, match=r"fox\.jpg: converting PNG to JPEG requires Pillow\. Install it \(pip install"
    ):
        check_target(Path("fox.jpg"), "PNG")


def test_format_that_pillow_cannot_write(monkeypatch: pytest.MonkeyPatch) -> None:
    Image.init()
    monkeypatch.setattr(Image, "SAVE", {name: save for name, save in Image.SAVE.items() if name != "AVIF"})
    with pytest.raises(UsageError, match=r"fox\.avif: the installed Pillow cannot write AVIF\. Update it"):
        check_target(Path("fox.avif"), "PNG")


@every_format
def test_complete_files(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"fox{suffix}"
    path.write_bytes(png())
    assert needs_conversion(png()[:12], path)
    assert not is_whole(path), "a PNG file under another name"
    data = convert(png(), path)
    path.write_bytes(data)
    assert is_whole(path)
    if suffix != ".avif":  # which has no end
        path.write_bytes(data[:-1])
        assert not is_whole(path)
