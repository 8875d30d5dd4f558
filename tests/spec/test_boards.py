"""Rows S25 to S28, with both clients: boards, and the images on them."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow

from invokeai_py_client import AsyncInvokeAIClient, InvokeAIClient
from invokeai_py_client.board.handle import AsyncBoardHandle
from invokeai_py_client.errors import InputValueError, NotFoundError, UsageError
from invokeai_py_client.models import BoardVisibility, ImageCategory

pytestmark = pytest.mark.usefixtures("nothing_left")


@pytest.fixture
def client(either: AsyncInvokeAIClient) -> AsyncInvokeAIClient:
    return either


@pytest.fixture
async def board(client: AsyncInvokeAIClient) -> AsyncBoardHandle:
    return await client.board_repo.create_board("a board")


def png(color: str = "red") -> bytes:
    buffer = io.BytesIO()
    Pillow.new("RGB", (24, 16), color).save(buffer, "PNG")
    return buffer.getvalue()


async def test_S25_a_board_is_made_found_changed_and_removed(client: AsyncInvokeAIClient) -> None:
    repo = client.board_repo
    name = "Portraits/ü & co"
    handle = await repo.create_board(name)
    assert handle.board_name == name
    assert not handle.is_uncategorized
    assert handle.board_id in [board.board_id for board in await repo.list_boards()]
    record = await repo.get_board_by_id(handle.board_id)
    assert record == handle.board
    assert [board.board_id for board in await repo.get_boards_by_name(name)] == [handle.board_id]
    assert await repo.get_board_handle_by_name(name) == handle
    assert await repo.get_board_handle(handle.board_id) == handle

    changed = await repo.update_board(handle.board_id, "Renamed", archived=True)
    assert (changed.board_name, changed.archived) == ("Renamed", True)
    assert (await handle.refresh()).board_name == handle.board_name == "Renamed"
    assert handle.board_id not in [board.board_id for board in await repo.list_boards()]
    assert handle.board_id in [board.board_id for board in await repo.list_boards(include_archived=True)]
    assert await repo.get_board_handle_by_name("Renamed") == handle

    assert await repo.delete_board(handle.board_id) is True
    assert await repo.delete_board(handle.board_id) is False
    assert await repo.get_board_by_id(handle.board_id) is None
    with pytest.raises(NotFoundError):
        await repo.get_board_handle(handle.board_id)
    with pytest.raises(NotFoundError, match="no longer exists"):
        await handle.refresh()


async def test_S25_names_may_be_missing_or_shared(client: AsyncInvokeAIClient) -> None:
    repo = client.board_repo
    assert await repo.get_board_handle_by_name("an unused name") is None
    assert await repo.get_boards_by_name("an unused name") == []
    twins = {(await repo.create_board("twin")).board_id, (await repo.create_board("twin")).board_id}
    assert {board.board_id for board in await repo.get_boards_by_name("twin")} == twins
    with pytest.raises(UsageError, match="2 boards are named 'twin'") as caught:
        await repo.get_board_handle_by_name("twin")
    assert all(board_id in str(caught.value) for board_id in twins)


@pytest.mark.since("6.13")
async def test_S25_private_boards(client: AsyncInvokeAIClient) -> None:
    private = await client.board_repo.create_board("mine", is_private=True)
    assert private.board.board_visibility is BoardVisibility.PRIVATE
    shared = await client.board_repo.update_board(private.board_id, board_visibility="shared")
    assert shared.board_visibility is BoardVisibility.SHARED
    public = await client.board_repo.create_board("ours", is_private=False)
    assert public.board.board_visibility is BoardVisibility.PUBLIC
    assert (await client.board_repo.get_board(public)).board.board_visibility is BoardVisibility.PUBLIC
    changed = await client.board_repo.update_board(public, is_private=True)
    assert changed.board_visibility is BoardVisibility.PRIVATE
    with pytest.raises(UsageError, match="is_private=False contradicts board_visibility='private'"):
        await client.board_repo.update_board(public, is_private=False, board_visibility="private")


async def test_S25_uncategorized(client: AsyncInvokeAIClient) -> None:
    repo = client.board_repo
    handle = await repo.get_board_handle("none")
    assert handle.is_uncategorized
    assert handle == await repo.get_uncategorized_handle()
    before = await handle.get_image_count()
    image = await handle.upload_image_data(png())
    assert image.board_id is None
    assert await handle.get_image_count() == before + 1
    first, *others = await repo.list_boards(include_uncategorized=True)
    assert (first.board_id, first.is_uncategorized()) == ("none", True)
    assert first.image_count + first.asset_count == before + 1
    assert not any(board.is_uncategorized() for board in others)
    assert (await handle.refresh()).asset_count >= 1
    with pytest.raises(UsageError, match="cannot be deleted"):
        await repo.delete_board("none")
    with pytest.raises(UsageError, match="cannot be changed"):
        await repo.update_board("none", "x")
    with pytest.raises(UsageError, match="Cannot remove an image"):
        await handle.remove_image(image.image_name)


async def test_S25_bad_calls_send_nothing(client: AsyncInvokeAIClient) -> None:
    sent = client.connection.http.sent
    with pytest.raises(UsageError, match="has 301 characters: expected at most 300"):
        await client.board_repo.create_board("x" * 301)
    with pytest.raises(UsageError, match="Nothing to change"):
        await client.board_repo.update_board("b")
    with pytest.raises(UsageError, match="not a valid name or id of a board"):
        await client.board_repo.get_board_by_id("..")
    assert client.connection.http.sent == sent
    with pytest.raises(NotFoundError):
        await client.board_repo.update_board("no-such-board", "x")


async def test_S26_uploads_land_on_the_board(board: AsyncBoardHandle, tmp_path: Path) -> None:
    path = tmp_path / "reference.png"
    path.write_bytes(png())
    one = await board.upload_image(str(path))
    two = await board.upload_image(path, image_category=ImageCategory.CONTROL)
    three = await board.upload_image_data(png(), filename="image.png", image_category=ImageCategory.GENERAL)
    hidden = await board.upload_image_data(png(), is_intermediate=True)
    assert [image.board_id for image in (one, two, three, hidden)] == [board.board_id] * 4
    assert [image.image_category for image in (one, two, three)] == [
        ImageCategory.USER,
        ImageCategory.CONTROL,
        ImageCategory.GENERAL,
    ]
    assert await board.get_image_count() == 3
    with pytest.raises(InputValueError, match="Image file not found"):
        await board.upload_image(tmp_path / "missing.png")


@pytest.mark.since("6.3")
async def test_S26_images_and_assets_are_counted_apart(board: AsyncBoardHandle) -> None:
    await board.upload_image_data(png(), image_category=ImageCategory.GENERAL)
    for category in (ImageCategory.USER, ImageCategory.CONTROL):
        await board.upload_image_data(png(), image_category=category)
    await board.upload_image_data(png(), is_intermediate=True)
    record = await board.refresh()
    assert (record.image_count, record.asset_count) == (1, 2)


async def test_S27_downloads(
    client: AsyncInvokeAIClient, board: AsyncBoardHandle, tmp_path: Path, server: Any
) -> None:
    image = await board.upload_image_data(png())
    sent = client.connection.http.sent
    data = await board.download_image(image.image_name, full_resolution=True)
    assert client.connection.http.sent == sent + 1, "nothing else is asked for: no record, no board"
    [file] = (server.root / "outputs" / "images").rglob(image.image_name)
    assert data == file.read_bytes()
    thumbnail = await board.download_image(image.image_name, full_resolution=False)
    assert Pillow.open(io.BytesIO(thumbnail)).format == "WEBP"
    assert (await board.save_image(image.image_name, tmp_path)).read_bytes() == data
    with pytest.raises(NotFoundError):
        await board.download_image("missing.png")


async def test_S28_listing_and_counting(board: AsyncBoardHandle) -> None:
    assert (await board.list_images(), await board.get_image_count()) == ([], 0)
    images = [await board.upload_image_data(png()) for _ in range(3)]
    hidden = await board.upload_image_data(png(), is_intermediate=True)
    names = [image.image_name for image in images]
    assert [image.image_name for image in await board.list_images()] == names[::-1]
    assert await board.list_images(order_dir="ASC", limit=1) == images[:1]
    assert await board.get_image_count() == 3
    assert sorted(await board.list_image_names()) == sorted(names)
    assert sorted(await board.list_image_names(is_intermediate=None)) == sorted([*names, hidden.image_name])
    assert await board.list_image_names(categories="general") == []


async def test_S28_moving_and_removing(client: AsyncInvokeAIClient, board: AsyncBoardHandle) -> None:
    other = await client.board_repo.create_board("other")
    name = (await board.upload_image_data(png())).image_name

    async def where() -> str | None:
        return (await client.image_repo.get_image(name)).board_id

    assert await board.move_image_to(name, other.board_id) is True
    assert await where() == other.board_id
    assert await board.remove_image(name) is False  # it is no longer on this board
    assert await where() == other.board_id
    assert await other.remove_image(name) is True
    assert await where() is None
    uncategorized = await client.board_repo.get_uncategorized_handle()
    assert await uncategorized.move_image_to(name, board.board_id) is True
    assert await where() == board.board_id
    assert await board.move_image_to(name, "none") is True
    assert await where() is None
    assert await board.add_image(name) is True
    assert await where() == board.board_id
    for answer in (
        await board.move_image_to("missing.png", other.board_id),
        await board.move_image_to("missing.png", "none"),
        await board.remove_image("missing.png"),
    ):
        assert answer is False
    with pytest.raises(NotFoundError):
        await board.move_image_to(name, "no-such-board")


async def test_S28_stars_and_deletion(client: AsyncInvokeAIClient, board: AsyncBoardHandle) -> None:
    name = (await board.upload_image_data(png())).image_name
    assert await board.star_image(name) is True
    assert (await client.image_repo.get_image(name)).starred is True
    assert await board.unstar_image(name) is True
    assert (await client.image_repo.get_image(name)).starred is False
    assert await board.delete_image(name) is True
    assert await board.star_image(name) is False
    assert await board.unstar_image(name) is False
    assert await board.get_image_count() == 0


@pytest.mark.since("6.0")
async def test_S28_an_image_is_deleted_once(board: AsyncBoardHandle) -> None:
    name = (await board.upload_image_data(png())).image_name
    assert await board.delete_image(name) is True
    assert await board.delete_image(name) is False


@pytest.mark.parametrize("delete_images", [False, True])
async def test_S25_deleting_a_board_keeps_or_deletes_its_images(
    client: AsyncInvokeAIClient, board: AsyncBoardHandle, delete_images: bool
) -> None:
    name = (await board.upload_image_data(png())).image_name
    assert await client.board_repo.delete_board(board.board_id, delete_images=delete_images) is True
    left = await client.image_repo.get_images([name])
    assert [(image.image_name, image.board_id) for image in left] == ([] if delete_images else [(name, None)])


def test_S25_a_board_travels_in_a_pickle(server: Any) -> None:
    with InvokeAIClient.from_url(server.url) as client:
        assert client.board_repo is client.board_repo
        board = client.board_repo.create_board("My Project")
        image = board.upload_image_data(png())
        again = pickle.loads(pickle.dumps(board))
        assert again == board
        assert again.list_image_names() == [image.image_name]
        again._impl.connection._open.end()  # the unpickled client has a separate connection
        assert "BoardHandle 'My Project'" in repr(board)
