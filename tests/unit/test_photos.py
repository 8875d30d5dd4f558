"""Images are checked and converted before an upload."""

from __future__ import annotations

import io
import logging
import sys
from pathlib import Path
from typing import Any

import pytest
from photos import deep, file_of, halves, png, rotated, write
from PIL import Image as Pillow
from PIL.PngImagePlugin import PngInfo

from invokeai_py_client._pillow import changes_for, png_bytes, storable
from invokeai_py_client.errors import InputValueError
from invokeai_py_client.files.photos import Photo, check_photo, note_changes, prepare_photo
from invokeai_py_client.image.upload import check_sources, make_upload, read_photo
from invokeai_py_client.ivk_fields import IvkImageField

UPRIGHT = "turned upright (EXIF orientation)"


def opened(data: bytes) -> Pillow.Image:
    return Pillow.open(io.BytesIO(data))


def data_of(field: Any) -> bytes:
    return field.value.data


def is_close(pixel: Any, color: tuple[int, int, int]) -> bool:
    return all(abs(value - wanted) < 30 for value, wanted in zip(pixel, color, strict=True))


def shows_halves(image: Pillow.Image) -> bool:
    plain = image.convert("RGB")
    return (
        plain.size == (40, 20)
        and is_close(plain.getpixel((20, 3)), (255, 0, 0))
        and is_close(plain.getpixel((20, 16)), (0, 0, 255))
    )


@pytest.mark.parametrize("orientation", [3, 6, 8])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_photos_are_turned_upright(orientation: int, kind: str) -> None:
    photo = prepare_photo(rotated(orientation, kind), "a.jpg")
    assert photo.changes == (UPRIGHT,)
    image = opened(photo.data)
    assert image.format == "PNG"
    assert shows_halves(image)
    assert prepare_photo(photo.data, "a.png").changes == (), "the tag is removed"


@pytest.mark.parametrize(
    ("data", "change", "mode"),
    [
        (file_of(halves(mode="CMYK"), "JPEG"), "converted from CMYK to RGB", "RGB"),
        (file_of(halves(mode="LAB"), "TIFF"), "converted from LAB to RGB", "RGB"),
        (file_of(deep("I;16"), "PNG"), "reduced from 16 to 8 bits per channel", "L"),
        (file_of(deep("I;16"), "TIFF"), "reduced from 16 to 8 bits per channel", "L"),
        (file_of(deep("I"), "TIFF"), "reduced from 32 to 8 bits per channel", "L"),
        (file_of(deep("F"), "TIFF"), "reduced from 32 to 8 bits per channel", "L"),
    ],
)
def test_files_that_servers_cannot_store_are_converted(data: bytes, change: str, mode: str) -> None:
    photo = prepare_photo(data, "a")
    assert photo.changes == (change,)
    image = opened(photo.data)
    assert (image.format, image.mode) == ("PNG", mode)
    if mode == "L":
        assert [image.getpixel((x, 0)) for x in range(256)] == list(range(256)), "no value is cut off"
    else:
        assert shows_halves(image)


def test_a_rotated_cmyk_photo() -> None:
    photo = prepare_photo(rotated(6, "JPEG", "CMYK"), "a.jpg")
    assert photo.changes == (UPRIGHT, "converted from CMYK to RGB")
    assert shows_halves(opened(photo.data))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_other_files_are_not_changed(kind: str) -> None:
    data = file_of(halves(), kind)
    assert prepare_photo(data, "a") == Photo(data, "a")
    check_photo(data, "a")


def test_embedded_workflows_are_kept() -> None:
    info = PngInfo()
    info.add_text("invokeai_workflow", '{"name": "w"}')
    info.add_text("Author", "someone")
    photo = prepare_photo(file_of(deep(), "PNG", pnginfo=info), "a.png")
    assert opened(photo.data).info.get("invokeai_workflow") == '{"name": "w"}'


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 128, 255], [0, 128, 255]),
        ([0, 32_768, 65_535], [0, 128, 255]),
        ([-100, 0, 100], [0, 128, 255]),
        ([70_000, 70_000, 70_000], [0, 0, 0]),
    ],
)
def test_32_bit_values_are_scaled_if_they_exceed_8_bits(values: list[int], expected: list[int]) -> None:
    image = Pillow.new("I", (3, 1))
    for x, value in enumerate(values):
        image.putpixel((x, 0), value)
    result = storable(image)
    assert [result.getpixel((x, 0)) for x in range(3)] == expected


def test_infinite_values_are_rejected() -> None:
    image = Pillow.new("F", (2, 1))
    image.putpixel((0, 0), float("inf"))
    with pytest.raises(InputValueError, match=r"'depth\.tiff' is not a readable image: .*not finite"):
        prepare_photo(file_of(image, "TIFF"), "depth.tiff")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is empty"),
        (b"<html><body>Not found</body></html>", "it contains text"),
        (b"\x00\x01\x02\x03" * 20, "unknown or damaged format"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC images are not supported. Convert it to JPEG or PNG"),
        (file_of(halves((400, 400)), "JPEG")[:-600], "truncated"),
        (file_of(halves((400, 400)), "PNG")[:-100], "truncated"),
    ],
)
def test_unreadable_files_are_rejected(data: bytes, reason: str) -> None:
    with pytest.raises(InputValueError, match=f"'c.png' is not a readable image: .*{reason}"):
        check_photo(data, "c.png")


def test_all_unreadable_files_are_listed(tmp_path: Path) -> None:
    good = write(tmp_path / "a.png", png())
    text, cut = write(tmp_path / "b.png", b"<html>"), write(tmp_path / "c.png", png()[:-30])
    with pytest.raises(InputValueError) as caught:
        check_sources([(str(path), path) for path in (good, text, cut)])
    assert str(caught.value).startswith("2 of 3 images cannot be uploaded. Nothing was uploaded.\n  ")
    assert "b.png' is not a readable image: it contains text." in str(caught.value)
    assert "c.png' is not a readable image" in str(caught.value)
    check_sources([("a", png()), ("b", Pillow.new("LAB", (2, 2)))])


def test_pillow_images_are_converted_alike() -> None:
    turned = opened(rotated())
    assert changes_for(turned) == [UPRIGHT]
    assert shows_halves(opened(png_bytes(turned)))
    assert read_photo(turned).changes == (UPRIGHT,)
    field = IvkImageField()
    field.value = turned
    assert shows_halves(opened(data_of(field)))
    field.value = deep()
    assert opened(data_of(field)).mode == "L"


def test_color_profiles_of_other_color_spaces_are_dropped() -> None:
    image = halves(mode="CMYK")
    image.info["icc_profile"] = b"a CMYK profile"
    assert "icc_profile" not in opened(png_bytes(image)).info
    image = halves()
    image.info["icc_profile"] = b"an RGB profile"
    assert opened(png_bytes(image)).info["icc_profile"] == b"an RGB profile"


def test_files_are_sent_unchanged_without_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    data = rotated()
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert prepare_photo(data, "a.jpg") == Photo(data, "a.jpg")
    check_photo(b"\0\1\2", "a.jpg")
    with pytest.raises(InputValueError, match="contains text"):
        check_photo(b"hello", "a.jpg")


def test_changes_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        note_changes([Photo(b"", "a.jpg")])
        assert caplog.messages == []
        note_changes([Photo(b"", "a.jpg", (UPRIGHT, "converted from CMYK to RGB"))])
        note_changes([Photo(b"", f"{number}.jpg", (UPRIGHT,)) for number in range(5)])
    assert caplog.messages == [
        f"Note: 'a.jpg' was {UPRIGHT} and converted from CMYK to RGB for the upload. The file is not changed.",
        f"Note: images changed for the upload: 5 {UPRIGHT} ('0.jpg', '1.jpg', '2.jpg' and 2 more). "
        "The files are not changed.",
    ]


@pytest.mark.parametrize("name", ["new\nline.png", "a\rb.png", "\x00", "\udce4.png", "tab\t.png"])
def test_file_names_fit_into_headers(name: str) -> None:
    [(_, file)] = make_upload(Photo(png(), f"folder/{name}")).parts()
    assert file.filename.isprintable()
    assert len(file.filename) == len(name)
