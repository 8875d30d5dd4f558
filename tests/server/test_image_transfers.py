"""Uploads and downloads of many images with both clients."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import urlopen

import pytest
from PIL import Image as Pillow
from PIL.PngImagePlugin import PngInfo

from invokeai_py_client import AsyncInvokeAIClient
from invokeai_py_client.errors import InputValueError, NotFoundError, TransferError
from invokeai_py_client.image import upload
from invokeai_py_client.image.transfer import TransferProgress
from invokeai_py_client.models import ImageCategory, ImageOrigin, IvkImage

pytestmark = pytest.mark.usefixtures("nothing_left")

COLORS = ("red", "green", "blue", "white", "black", "gray")
WORKFLOW = {
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
GRAPH = {"id": "g", "nodes": {}, "edges": []}


@pytest.fixture
def client(either: AsyncInvokeAIClient) -> AsyncInvokeAIClient:
    return either


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with images in several formats and a text file."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, color in enumerate(COLORS):
        ending = ("png", "jpg", "webp")[number % 3]
        Pillow.new("RGB", (32 + number, 16), color).save(folder / f"{number}-{color}.{ending}")
    (folder / "notes.txt").write_text("not an image")
    return folder


async def gone(address: str) -> None:
    """Request a zip until the server has deleted it, which it does after sending it."""
    async with asyncio.timeout(20):
        while True:
            try:
                (await asyncio.to_thread(urlopen, address)).close()
            except HTTPError as error:
                error.close()
                assert error.code in (404, 500)  # 500 while it is being deleted (6.14.2)
                return


async def test_folder_upload_and_download(
    client: AsyncInvokeAIClient, folder: Path, tmp_path: Path, server: Any
) -> None:
    repo = client.image_repo
    board = (await client.board_repo.create_board("many")).board_id
    reported: list[TransferProgress] = []
    records = await repo.upload_images(
        folder, board_id=board, image_category="control", on_progress=reported.append
    )
    assert [record.width for record in records] == [32 + number for number in range(6)], (
        "in the order of the file names"
    )
    assert {(record.board_id, record.image_category) for record in records} == {
        (board, ImageCategory.CONTROL)
    }
    assert (reported[-1].done, reported[-1].total) == (6, 6)

    sent = client.connection.http.sent
    paths = await repo.download_images(records, tmp_path / "out", concurrency=3)
    assert client.connection.http.sent == sent + 6, "one request per image, none for boards or records"
    assert [path.name for path in paths] == [record.image_name for record in records]
    stored = server.root / "outputs" / "images"
    for path in paths:
        [file] = stored.rglob(path.name)
        assert path.read_bytes() == file.read_bytes()
    assert len(list((tmp_path / "out").iterdir())) == 6
    assert await repo.download_images(records, tmp_path / "out") == paths
    assert client.connection.http.sent == sent + 6, "all files exist"

    names = [record.image_name for record in records]
    template = "{image_category}/{created_at:%Y}/{index}-{width}x{height}"
    named = await repo.download_images(names, tmp_path / "named", template=template)
    assert client.connection.http.sent == sent + 13, "all records in one request"
    year = f"{records[0].created_at:%Y}"
    assert named[2] == tmp_path / "named" / "control" / year / "2-34x16.png"
    small = await repo.download_images(names[:2], tmp_path / "small", full_resolution=False)
    assert [path.read_bytes()[8:12] for path in small] == [b"WEBP", b"WEBP"]
    sent = client.connection.http.sent
    assert await repo.download_images(names[:2], tmp_path / "small", full_resolution=False) == small
    assert client.connection.http.sent == sent


async def test_transfer_errors_name_the_failed_images(
    client: AsyncInvokeAIClient, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = client.image_repo
    (folder / "broken.png").write_bytes((folder / "0-red.png").read_bytes()[:60])
    monkeypatch.setattr(upload, "check_sources", lambda sources: None)  # pyright: ignore[reportUnknownLambdaType]
    sent = client.connection.http.sent
    with pytest.raises(InputValueError, match=r"missing\.png'\. Nothing was uploaded"):
        await repo.upload_images([folder / "0-red.png", folder / "missing.png"])
    assert client.connection.http.sent == sent
    with pytest.raises(
        TransferError, match=r"1 of 3 images could not be uploaded:\n  .*broken\.png: "
    ) as sent_up:
        await repo.upload_images(f"{folder}/*.png")
    assert list(sent_up.value.failed) == [str(folder / "broken.png")]
    names = [record.image_name for record in sent_up.value.done.values()]
    assert len(names) == 2
    with pytest.raises(TransferError, match=r"1 of 3 .*downloaded:\n  gone\.png: ") as down:
        await repo.download_images([names[0], "gone.png", *names[1:]], tmp_path / "out")
    assert isinstance(down.value.failed["gone.png"], NotFoundError)
    assert down.value.done == {name: tmp_path / "out" / name for name in names}
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(names)


async def test_copy_keeps_embedded_data(client: AsyncInvokeAIClient) -> None:
    repo = client.image_repo
    board = (await client.board_repo.create_board("copies")).board_id
    info, buffer = PngInfo(), io.BytesIO()
    info.add_text("invokeai_workflow", json.dumps(WORKFLOW))
    info.add_text("invokeai_graph", json.dumps(GRAPH))
    info.add_text("invokeai_metadata", '{"seed": 3}')
    Pillow.new("RGB", (32, 16), "red").save(buffer, "PNG", pnginfo=info)
    original = await repo.upload(buffer.getvalue(), image_category="mask")
    plain = await repo.upload(Pillow.new("RGB", (8, 8)))
    await repo.star(original)
    copies = await repo.copy([original, plain], board)
    assert [copy.board_id for copy in copies] == [board, board]
    assert [copy.image_category for copy in copies] == [ImageCategory.MASK, ImageCategory.USER]
    name = copies[0].image_name
    assert name != original.image_name
    assert await repo.get_metadata(name) == {"seed": 3}
    assert await repo.get_workflow(name) == await repo.get_workflow(original.image_name)
    assert ((await repo.get_workflow(name)) or {})["name"] == "w"
    assert await repo.get_graph(name) == await repo.get_graph(original.image_name) == GRAPH
    assert (await repo.get_image(original.image_name)).board_id is None, "the original is not moved"
    assert copies[0].starred is False
    assert copies[0].image_origin is ImageOrigin.EXTERNAL
    pixels = [
        Pillow.open(io.BytesIO(await repo.download(one))).tobytes() for one in (name, original.image_name)
    ]
    assert pixels[0] == pixels[1]
    assert await repo.get_graph(plain.image_name) is None
    [again] = await repo.copy(name, "none")
    assert again.board_id is None
    with pytest.raises(NotFoundError):
        await repo.copy(original, "no-such-board")
    with pytest.raises(TransferError, match="could not be copied"):
        await repo.copy(["gone.png"], board)


async def test_many_images_are_changed_in_one_request(client: AsyncInvokeAIClient, folder: Path) -> None:
    repo = client.image_repo
    board = await client.board_repo.create_board("changed")
    records = await repo.upload_images(folder)
    names = [record.image_name for record in records]

    async def changed(change: Awaitable[list[str]]) -> Sequence[IvkImage]:
        sent = client.connection.http.sent
        assert await change == names
        assert client.connection.http.sent == sent + 1
        return await repo.get_images(names)

    assert {one.board_id for one in await changed(repo.move(names, board))} == {board.board_id}
    assert {one.starred for one in await changed(repo.star(names))} == {True}
    assert {one.starred for one in await changed(repo.unstar(names))} == {False}
    assert {one.board_id for one in await changed(repo.move(records, "none"))} == {None}
    with pytest.raises(TransferError) as caught:
        await repo.star([*names, "gone.png"])
    assert (list(caught.value.done), list(caught.value.failed)) == (names, ["gone.png"])
    sent = client.connection.http.sent
    assert await repo.delete(records) == names
    assert client.connection.http.sent == sent + 1
    assert await repo.get_images(names) == []
    with pytest.raises(NotFoundError):
        await repo.move(names, "no-such-board")


async def test_zip_of_images_and_of_a_board(
    client: AsyncInvokeAIClient, folder: Path, tmp_path: Path
) -> None:
    repo = client.image_repo
    board = await client.board_repo.create_board("Zip me")
    records = await repo.upload_images(folder, board_id=board.board_id, image_category="general")
    path = await repo.bulk_download(tmp_path / "some.zip", records[:2])
    assert path == tmp_path / "some.zip"
    with zipfile.ZipFile(path) as archive:
        assert sorted(archive.namelist()) == sorted(f"general/{one.image_name}" for one in records[:2])
        first = records[0].image_name
        assert archive.read(f"general/{first}") == await repo.download(first)
    path = await repo.bulk_download(f"{tmp_path}/zips/", board_id=board.board_id)
    assert (path.parent, path.name.startswith("Zip me_")) == (tmp_path / "zips", True)
    with zipfile.ZipFile(path) as archive:
        assert len(archive.namelist()) == 6
    await gone(f"{client.url}/api/v1/images/download/{quote(path.name)}")
    with pytest.raises(NotFoundError, match="No board named 'no-such-board'"):
        await repo.bulk_download(tmp_path / "x.zip", board_id="no-such-board")
    with pytest.raises(NotFoundError, match="not found"):
        await repo.bulk_download(tmp_path / "x.zip", ["gone.png"])
    assert not (tmp_path / "x.zip").exists()


async def test_board_cover_is_the_newest_starred_image(client: AsyncInvokeAIClient, folder: Path) -> None:
    """Check that 6.14.2 stores a chosen cover but shows the newest starred image."""
    board = await client.board_repo.create_board("covered")
    records = await client.image_repo.upload_images(folder, board_id=board.board_id, concurrency=1)
    names = [record.image_name for record in records]
    changed = await client.board_repo.update_board(board.board_id, cover_image_name=names[3])
    assert changed.cover_image_name == names[5]
    await client.image_repo.star(names[1])
    assert (await board.refresh()).cover_image_name == names[1]
