"""Photos as people have them on the real server: rotated, CMYK, 16-bit, damaged, with odd names."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path
from typing import Any

import pytest
import workflows
from command import Command, ivk_command
from photos import deep, file_of, halves, png, rotated, write
from PIL import Image as Pillow

from invokeai_py_client import AsyncInvokeAIClient, InvokeAIClient
from invokeai_py_client.errors import InputValueError, NotReadyError, ServerError
from invokeai_py_client.image import upload
from invokeai_py_client.image.upload import content_type
from invokeai_py_client.transport.http import Form, FormFile

__all__ = ["ivk_command"]

pytestmark = pytest.mark.usefixtures("nothing_left")


def blurred() -> dict[str, Any]:
    """Return a workflow that turns an image into RGB."""
    nodes = {"turn": ("img_conv", {"mode": "RGB"})}
    return workflows.workflow("Turn", nodes, [], [("turn", "image")], final=["turn"])


async def stored(client: AsyncInvokeAIClient, name: str) -> Pillow.Image:
    return Pillow.open(io.BytesIO(await client.image_repo.download(name)))


async def raw_upload(client: AsyncInvokeAIClient, data: bytes) -> str:
    """Upload a file without the client's checks and conversions."""
    response = await client.connection.http.json(
        "POST",
        "/api/v1/images/upload",
        params={"image_category": "user", "is_intermediate": False},
        form=Form(files={"file": FormFile(data, "raw", content_type(data, "raw"))}),
    )
    return response["image_name"]


async def test_photos_without_conversion(async_client: AsyncInvokeAIClient) -> None:
    """Prove why the client converts images: the server (6.14.2) stores them wrongly, or not at all."""
    sideways = await stored(async_client, await raw_upload(async_client, rotated(6)))
    assert sideways.size == (20, 40), "the orientation is ignored"
    for data in (file_of(halves(mode="CMYK"), "JPEG"), file_of(halves(mode="LAB"), "TIFF")):
        with pytest.raises(ServerError):
            await raw_upload(async_client, data)
    with pytest.raises(ServerError):
        await raw_upload(async_client, file_of(deep("F"), "TIFF"))
    name = await raw_upload(async_client, file_of(deep(), "PNG"))
    wf = await async_client.workflow_repo.create_workflow(blurred())
    run = await wf.run(image=name, progress=False)
    image = await stored(async_client, run.images[-1].name)
    values = [image.getpixel((x, 0)) for x in (1, 64, 128, 255)]
    assert values == [(255, 255, 255)] * 4, "16-bit values are cut off"


async def test_photos_are_converted(either: AsyncInvokeAIClient, caplog: pytest.LogCaptureFixture) -> None:
    images = either.image_repo
    with caplog.at_level(logging.WARNING):
        record = await images.upload(rotated(6), filename="holiday.jpg")
    assert (record.width, record.height) == (40, 20)
    assert caplog.messages == [
        "Note: 'holiday.jpg' was turned upright (EXIF orientation) for the upload. The file is not changed."
    ]
    upright = (await stored(either, record.image_name)).convert("RGB")
    top, bottom = upright.getpixel((20, 3)), upright.getpixel((20, 16))
    assert isinstance(top, tuple)
    assert isinstance(bottom, tuple)
    assert top[0] > 200 > top[2]
    assert bottom[2] > 200 > bottom[0]
    for data in (file_of(halves(mode="CMYK"), "JPEG"), file_of(halves(mode="LAB"), "TIFF")):
        record = await images.upload(data)
        assert (record.width, record.height) == (40, 20)
    for data in (file_of(deep(), "PNG"), file_of(deep("F"), "TIFF"), file_of(deep("I"), "TIFF")):
        record = await images.upload(data)
        gray = await stored(either, record.image_name)
        assert [gray.getpixel((x, 0)) for x in (0, 1, 128, 255)] == [0, 1, 128, 255]
    for pillow in (halves(mode="CMYK"), deep(), deep("F"), Pillow.open(io.BytesIO(rotated(8)))):
        await images.upload(pillow)


async def test_a_16_bit_image_keeps_its_grays_in_a_run(async_client: AsyncInvokeAIClient) -> None:
    wf = await async_client.workflow_repo.create_workflow(blurred())
    run = await wf.run(image=file_of(deep(), "PNG"), progress=False)
    image = await stored(async_client, run.images[-1].name)
    assert [image.getpixel((x, 0)) for x in (1, 64, 128, 255)] == [(x, x, x) for x in (1, 64, 128, 255)]


async def test_unreadable_files_are_reported_before_any_upload(
    either: AsyncInvokeAIClient, tmp_path: Path
) -> None:
    for number in range(5):
        write(tmp_path / f"{number}.png", png(number))
    bad = write(tmp_path / "3.png", b"<html>")
    before = await either.image_repo.count_images()
    with pytest.raises(
        InputValueError, match=r"1 of 5 images cannot be uploaded\. Nothing was uploaded\.\n.*3\.png"
    ):
        await either.image_repo.upload_images(tmp_path)
    with pytest.raises(InputValueError, match="not a readable image"):
        await either.image_repo.upload(bad)
    wf = await either.workflow_repo.create_workflow(blurred())
    problem = f"Image (turn): '{bad}' is not a readable image: it contains text."
    for values in (bad, str(bad)):
        with pytest.raises(NotReadyError) as caught:
            await wf.run({"image": values}, progress=False)
        assert problem.replace("Image", wf.get_input("image").label) in str(caught.value)
    with pytest.raises(NotReadyError) as caught:
        await wf.sweep({"image": tmp_path})
    assert caught.value.findings == (problem.replace("Image", wf.get_input("image").label),)
    assert await either.image_repo.count_images() == before


async def test_a_damaged_photo_is_named(either: AsyncInvokeAIClient, tmp_path: Path) -> None:
    path = tmp_path / "half.jpg"
    Pillow.effect_noise((200, 200), 90).save(path)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(InputValueError, match=r"half\.jpg' is not a readable image: image file is truncated"):
        await either.image_repo.upload(path)


async def test_names_with_control_characters(either: AsyncInvokeAIClient, tmp_path: Path) -> None:
    path = write(tmp_path / "new\nline.png", png())
    record = await either.image_repo.upload(path)
    assert (record.width, record.height) == (4, 4)
    [record] = await either.image_repo.upload_images([path])
    wf = await either.workflow_repo.create_workflow(blurred())
    assert (await wf.run({"image": path}, progress=False)).status.ok


def test_put_prints_the_uploaded_images_if_some_fail(
    ivk_command: Command, client: InvokeAIClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INVOKEAI_URL", client.url)
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.png", png())
    write(tmp_path / "b.jpg", file_of(halves(mode="CMYK"), "JPEG"))
    write(tmp_path / "c.png", png(9))
    write(tmp_path / "new\nline.png", png(7))
    done = ivk_command("images", "put", "a.png", "b.jpg", "c.png", "new\nline.png")
    assert (done.code, len(done.lines)) == (0, 4)
    write(tmp_path / "d.png", b"<html>")
    done = ivk_command("images", "put", "a.png", "d.png")
    assert (done.code, done.lines) == (2, [])
    assert "d.png' is not a readable image: it contains text" in done.said
    monkeypatch.setattr(upload, "check_sources", lambda sources: None)  # pyright: ignore[reportUnknownLambdaType]
    done = ivk_command("images", "put", "a.png", "d.png", "c.png")
    assert (done.code, len(done.lines)) == (1, 2)
    assert "1 of 3 images could not be uploaded" in done.said
    assert "d.png" in done.said
    names = {image.image_name for image in client.image_repo.get_images(done.lines)}
    assert names == set(done.lines)
    done = ivk_command("images", "put", "a.png", "d.png", "--json")
    assert [line["event"] for line in done.objects] == ["image", "error"]


def test_a_folder_with_a_bad_file_on_the_command_line(
    ivk_command: Command, client: InvokeAIClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INVOKEAI_URL", client.url)
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "pictures"
    folder.mkdir()
    write(folder / "a.jpg", file_of(halves(mode="CMYK"), "JPEG"))
    write(folder / "d.png", b"<html>")
    (tmp_path / "turn.json").write_text(json.dumps(blurred()))
    before = client.image_repo.count_images()
    done = ivk_command("sweep", "turn.json", "-s", "image=pictures", "-o", "out")
    assert done.code == 2
    assert "Image (turn)" in done.said
    assert "d.png' is not a readable image" in done.said
    assert client.image_repo.count_images() == before
    assert ivk_command("run", "turn.json", "-s", "image=pictures/a.jpg", "-o", "out").code == 0


def test_a_sweep_over_photos(
    client: InvokeAIClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(3):
        write(tmp_path / f"{number}.jpg", rotated(6))
    write(tmp_path / "cmyk.jpg", file_of(halves(mode="CMYK"), "JPEG"))
    wf = client.workflow_repo.create_workflow(blurred())
    with caplog.at_level(logging.WARNING):
        runs = wf.sweep({"image": tmp_path}).wait(progress=False)
    assert [run.status.ok for run in runs] == [True] * 4
    assert {run.images[-1].pil().size for run in runs} == {(40, 20)}
    assert len(caplog.messages) == 1
    assert "converted from CMYK to RGB" in caplog.messages[0]
