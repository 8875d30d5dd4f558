"""Images on a real server: upload, list, download, change and delete."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow
from PIL.PngImagePlugin import PngInfo

from invokeai_py_client import AsyncInvokeAIClient, InvokeAIClient
from invokeai_py_client.errors import (
    InputValueError,
    NotFoundError,
    TransferError,
    UsageError,
)
from invokeai_py_client.models import ImageCategory, ImageOrigin, IvkImage

pytestmark = pytest.mark.usefixtures("nothing_left")


@pytest.fixture
async def client(server: Any) -> AsyncIterator[AsyncInvokeAIClient]:
    async with AsyncInvokeAIClient.from_url(server.url) as client:
        yield client


def picture(color: str = "red", size: tuple[int, int] = (40, 30), mode: str = "RGB") -> Pillow.Image:
    return Pillow.new("RGB", size, color).convert(mode)


def png(image: Pillow.Image, **texts: str) -> bytes:
    buffer, info = io.BytesIO(), PngInfo()
    for key, text in texts.items():
        info.add_text(key, text)
    image.save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def test_upload_from_a_path_bytes_and_pillow(client: AsyncInvokeAIClient, tmp_path: Path) -> None:
    path = tmp_path / "reference.jpg"
    picture().save(path)
    for source in (path, str(path), path.read_bytes(), bytearray(path.read_bytes()), picture()):
        record = await client.image_repo.upload(source)
        assert isinstance(record, IvkImage)
        assert (record.width, record.height) == (40, 30)
        assert record.image_category is ImageCategory.USER
        assert record.image_origin is ImageOrigin.EXTERNAL
        assert record.board_id is None
        assert record.is_intermediate is False
        assert await client.image_repo.get_image(record.image_name) == record


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "HSV", "LAB", "F", "I", "I;16", "PA", "RGBa"]
)
async def test_pillow_images_of_every_mode(client: AsyncInvokeAIClient, mode: str) -> None:
    image = (
        Pillow.new(mode, (16, 16))
        if mode in ("LAB", "I;16", "PA", "RGBa")
        else picture(size=(16, 16), mode=mode)
    )
    record = await client.image_repo.upload(image, is_intermediate=True)
    assert (record.width, record.height) == (16, 16)


async def test_upload_options_are_stored(client: AsyncInvokeAIClient) -> None:
    record = await client.image_repo.upload(
        picture(),
        image_category="MASK",
        is_intermediate=True,
        filename="odd name/ü?.png",
        metadata={"seed": 5, "nested": {"a": None}},
        resize_to=(64, 32),
    )
    assert record.image_category is ImageCategory.MASK
    assert record.is_intermediate
    assert (record.width, record.height) == (64, 32)
    assert await client.image_repo.get_metadata(record.image_name) == {"seed": 5, "nested": {"a": None}}


async def test_invalid_images_are_rejected(client: AsyncInvokeAIClient, tmp_path: Path) -> None:
    sent = client.connection.http.sent
    with pytest.raises(InputValueError, match=r"Image file not found: .*missing\.png"):
        await client.image_repo.upload(tmp_path / "missing.png")
    with pytest.raises(InputValueError, match="Cannot read the image file"):
        await client.image_repo.upload(tmp_path)
    with pytest.raises(InputValueError, match="is empty"):
        await client.image_repo.upload(b"")
    with pytest.raises(InputValueError, match="of type int"):
        await client.image_repo.upload(5)  # pyright: ignore[reportArgumentType]
    with pytest.raises(UsageError, match="Unknown image category 'painting'"):
        await client.image_repo.upload(picture(), image_category="painting")
    assert client.connection.http.sent == sent
    with pytest.raises(InputValueError, match="it contains text"):
        await client.image_repo.upload(b"this is text")
    with pytest.raises(NotFoundError):
        await client.image_repo.upload(picture(), board_id="no-such-board")


async def test_download_returns_the_servers_bytes(client: AsyncInvokeAIClient, server: Any) -> None:
    record = await client.image_repo.upload(picture(size=(600, 400)))
    data = await client.image_repo.download(record.image_name)
    [file] = (server.root / "outputs" / "images").rglob(record.image_name)
    assert data == file.read_bytes()
    assert Pillow.open(io.BytesIO(data)).size == (600, 400)
    small = Pillow.open(
        io.BytesIO(await client.image_repo.download(record.image_name, full_resolution=False))
    )
    assert small.format == "WEBP"
    assert max(small.size) == 256


async def test_download_to_a_file_or_a_folder(client: AsyncInvokeAIClient, tmp_path: Path) -> None:
    record = await client.image_repo.upload(picture())
    data = await client.image_repo.download(record.image_name)
    name = record.image_name
    there = await client.image_repo.download_to(name, tmp_path)
    assert there == tmp_path / name
    assert there.read_bytes() == data
    deep = await client.image_repo.download_to(name, tmp_path / "new" / "folder" / "copy.png")
    assert deep.read_bytes() == data
    assert (await client.image_repo.download_to(name, f"{tmp_path}/other/")).parent == tmp_path / "other"
    (tmp_path / "old.png").write_bytes(b"old")
    await client.image_repo.download_to(name, tmp_path / "old.png")
    assert (tmp_path / "old.png").read_bytes() == data
    assert not [name for name in contents(tmp_path) if name.startswith(".")]


async def test_failed_download_leaves_no_file(client: AsyncInvokeAIClient, tmp_path: Path) -> None:
    (tmp_path / "old.png").write_bytes(b"old")
    with pytest.raises(NotFoundError):
        await client.image_repo.download_to("missing.png", tmp_path / "old.png")
    with pytest.raises(NotFoundError):
        await client.image_repo.download("missing.png")
    assert contents(tmp_path) == {"old.png": b"old"}


async def test_embedded_workflow_and_metadata_are_returned(client: AsyncInvokeAIClient) -> None:
    workflow = {
        "name": "w",
        "author": "",
        "description": "",
        "version": "",
        "contact": "",
        "tags": "",
        "notes": "",
        "exposedFields": [],
        "meta": {"version": "3.0.0", "category": "user"},
        "nodes": [],
        "edges": [],
    }
    data = png(picture(), invokeai_workflow=json.dumps(workflow), invokeai_metadata='{"seed": 3}')
    record = await client.image_repo.upload(data)
    assert getattr(record, "has_workflow") is True  # noqa: B009
    found = await client.image_repo.get_workflow(record.image_name)
    assert found is not None
    assert found["name"] == "w"
    assert await client.image_repo.get_metadata(record.image_name) == {"seed": 3}
    plain = await client.image_repo.upload(picture())
    assert await client.image_repo.get_workflow(plain.image_name) is None
    assert await client.image_repo.get_metadata(plain.image_name) is None


async def test_listing_filters_orders_and_pages(client: AsyncInvokeAIClient) -> None:
    board = (await client.board_repo.create_board("listing")).board_id
    names: list[str] = []
    for number in range(5):
        record = await client.image_repo.upload(
            picture(), board_id=board, image_category="control" if number == 4 else "general"
        )
        names.append(record.image_name)
    hidden = await client.image_repo.upload(picture(), board_id=board, is_intermediate=True)

    async def listed(**options: Any) -> list[str]:
        return [image.image_name for image in await client.image_repo.list_images(board_id=board, **options)]

    assert await listed() == names[::-1]
    assert await listed(order_dir="ASC") == names
    assert await listed(order_dir="ASC", offset=1, limit=2) == names[1:3]
    assert await listed(limit=0) == []
    assert await listed(offset=50) == []
    assert await listed(categories=ImageCategory.CONTROL) == [names[4]]
    assert set(await listed(categories=["control", "general"])) == set(names)
    assert await listed(is_intermediate=True) == [hidden.image_name]
    assert set(await listed(is_intermediate=None)) == {*names, hidden.image_name}
    await client.image_repo.star(names[2])
    assert (await listed(order_dir="ASC", starred_first=True))[0] == names[2]
    assert await client.image_repo.count_images(board_id=board) == 5
    assert await client.image_repo.count_images(board_id=board, categories=["control"]) == 1
    assert [i.image_name async for i in client.image_repo.iter_images(board_id=board, limit=3)] == names[
        :1:-1
    ]
    for wrong in ({"limit": -1}, {"offset": -1}, {"categories": "painting"}):
        with pytest.raises(UsageError):
            await listed(**wrong)


@pytest.mark.since("6.0")
async def test_several_records_in_one_request(client: AsyncInvokeAIClient) -> None:
    names = [(await client.image_repo.upload(picture())).image_name for _ in range(3)]
    sent = client.connection.http.sent
    found = await client.image_repo.get_images([names[2], "missing.png", names[0]])
    assert [image.image_name for image in found] == [names[2], names[0]]
    assert client.connection.http.sent == sent + 1


async def test_star_update_and_delete_return_actual_changes(client: AsyncInvokeAIClient) -> None:
    repo = client.image_repo
    name = (await repo.upload(picture())).image_name
    other = (await repo.upload(picture())).image_name
    with pytest.raises(TransferError) as caught:
        await repo.star([name, "missing.png", other])
    assert (list(caught.value.done), list(caught.value.failed)) == ([name, other], ["missing.png"])
    assert (await repo.get_image(name)).starred is True
    assert await repo.unstar(name) == [name]
    assert (await repo.get_image(name)).starred is False
    changed = await repo.update(name, image_category="other", is_intermediate=True, starred=True)
    assert (changed.image_category, changed.is_intermediate, changed.starred) == (
        ImageCategory.OTHER,
        True,
        True,
    )
    assert await repo.delete(name) == [name]
    with pytest.raises(NotFoundError):
        await repo.get_image(name)
    with pytest.raises(NotFoundError):
        await repo.update(name, starred=True)
    assert await repo.delete([]) == []


@pytest.mark.since("6.0")
async def test_delete_reports_missing_images(client: AsyncInvokeAIClient) -> None:
    repo = client.image_repo
    name = (await repo.upload(picture())).image_name
    with pytest.raises(TransferError) as caught:
        await repo.delete([name, "missing.png"])
    assert (list(caught.value.done), list(caught.value.failed)) == ([name], ["missing.png"])
    with pytest.raises(
        TransferError, match=f"^The image '{name}' could not be deleted: It is not on the server.$"
    ):
        await repo.delete(name)


@pytest.mark.parametrize("name", ["", ".", "..", None, "../../app/version", "a/b.png"])
async def test_invalid_image_names_are_rejected(client: AsyncInvokeAIClient, name: Any) -> None:
    with pytest.raises(UsageError, match="not a valid name or id of an image"):
        await client.image_repo.get_image(name)


@pytest.mark.parametrize("name", ["ü?#%.png", "%2e%2e", "a\\b", "a b+c&d=e;f"])
async def test_special_characters_in_image_names_are_quoted(client: AsyncInvokeAIClient, name: str) -> None:
    with pytest.raises(NotFoundError):
        await client.image_repo.get_image(name)


async def test_concurrent_uploads_and_downloads(client: AsyncInvokeAIClient) -> None:
    records = await asyncio.gather(
        *(client.image_repo.upload(picture(), is_intermediate=True) for _ in range(12))
    )
    files = await asyncio.gather(*(client.image_repo.download(record.image_name) for record in records))
    assert len({record.image_name for record in records}) == 12
    assert len(set(files)) == 1
    assert await client.image_repo.count_intermediates() >= 12


def test_synchronous_image_methods(server: Any, tmp_path: Path) -> None:
    with InvokeAIClient.from_url(server.url) as client:
        record = client.image_repo.upload(picture())
        path = client.image_repo.download_to(record.image_name, tmp_path)
        assert path.read_bytes() == client.image_repo.download(record.image_name)
        assert path.read_bytes() == client.image_repo.image(record.image_name).bytes()
        assert record in client.image_repo.list_images(limit=5)
        assert record.image_name in {image.image_name for image in client.image_repo.iter_images(limit=5)}
        assert client.image_repo.delete(record.image_name) == [record.image_name]
