"""The gallery on the real server: images and videos in one list, names, days, and deletion of what is on no board."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from command import Command, ivk_command
from multi_user import ANN, Users

from invokeai_py_client import (
    AsyncInvokeAIClient,
    InvokeAIClient,
    IvkGalleryImage,
    IvkGalleryVideo,
    UnknownNameError,
    UsageError,
)

__all__ = ["ivk_command"]


@pytest.fixture
def pictures(client: InvokeAIClient, picture: bytes, nothing_left: None) -> Iterator[tuple[str, list[str]]]:
    """A board and the names of three images on it, oldest first."""
    board = client.boards.create_board("gallery of a test")
    names = [client.images.upload(picture, board_id=board).image_name for _ in range(3)]
    client.images.star(names[0])
    yield board.board_id, names


@pytest.mark.since("6.14")
async def test_images_and_videos_are_in_one_list(
    either: AsyncInvokeAIClient, pictures: tuple[str, list[str]], video: str
) -> None:
    board, names = pictures
    first, second, *_ = await either.gallery.list_items(limit=2)
    assert {type(first), type(second)} == {IvkGalleryImage, IvkGalleryVideo}
    shown = next(one for one in (first, second) if isinstance(one, IvkGalleryVideo))
    assert (shown.name, shown.video_name, shown.kind, shown.fps) == (video, video, "video", 8.0)
    items = await either.gallery.list_items(board_id="gallery of a test", order_dir="ASC")
    assert [one.name for one in items] == names
    assert [one.starred for one in items] == [True, False, False]
    image = items[0]
    assert isinstance(image, IvkGalleryImage)
    assert await either.images.download(image) == await either.images.download(names[0])
    latest = [one.name async for one in either.gallery.iter_items(board_id=board, offset=1, limit=1)]
    assert latest == [names[1]]
    assert [one.name for one in await either.gallery.list_items(board_id=board, starred_first=True)] == [
        names[0],
        names[2],
        names[1],
    ]


@pytest.mark.since("6.14")
async def test_names_and_days(
    either: AsyncInvokeAIClient, pictures: tuple[str, list[str]], video: str
) -> None:
    board, names = pictures
    everything = await either.gallery.list_names()
    assert video in everything
    assert await either.images.list_names() == [name for name in everything if not name.endswith(".mp4")]
    assert await either.images.list_names(board_id=board, order_dir="ASC") == names
    assert await either.images.list_names(board_id=board, starred_first=True) == [
        names[0],
        names[2],
        names[1],
    ]
    assert await either.images.list_names(board_id=board, categories="general") == []
    today = (await either.gallery.days())[0]
    assert today.asset_count + today.image_count >= 3
    assert today.video_count >= 1
    assert await either.images.list_names(board_id=board, day=today, order_dir="ASC") == names
    assert await either.images.list_names(board_id=board, day=datetime.fromisoformat(today.date)) != []
    assert await either.images.list_names(board_id=board, day="2001-01-01") == []
    assert video in await either.gallery.list_names(day=datetime.now(UTC).date())


async def test_invalid_filters_are_refused(either: AsyncInvokeAIClient) -> None:
    with pytest.raises(UsageError, match=r"Invalid day '31\.1\.2026': expected a date, or a text such as"):
        await either.images.list_names(day="31.1.2026")
    with pytest.raises(UsageError, match="Invalid limit -1: expected 0 or more"):
        await either.gallery.list_items(limit=-1)
    with pytest.raises(UsageError, match="Invalid order_dir 'up'"):
        await either.gallery.list_names(order_dir="up")  # pyright: ignore[reportArgumentType]
    with pytest.raises(UnknownNameError, match="No board named 'nowhere'"):
        await either.gallery.list_items(board_id="nowhere")


@pytest.mark.since("6.14")
def test_images_without_a_board_are_deleted(
    users: Users,
    ann: InvokeAIClient,
    bob: InvokeAIClient,
    picture: bytes,
    ivk_command: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("INVOKEAI_URL", users.url)
    monkeypatch.setenv("INVOKEAI_EMAIL", ANN[0])
    monkeypatch.setenv("INVOKEAI_PASSWORD", ANN[1])
    board = ann.boards.create_board("kept")
    kept = ann.images.upload(picture, board_id=board).image_name
    other = bob.images.upload(picture).image_name
    try:
        loose = [ann.images.upload(picture, is_intermediate=hidden).image_name for hidden in (True, False)]
        assert set(ann.images.delete_uncategorized()) == set(loose)
        assert ann.images.list_names(is_intermediate=None) == [kept]
        ann.images.upload(picture)
        asked = ivk_command("images", "rm", "--uncategorized", stdin="n\n")
        assert "Delete 1 image without a board? This cannot be undone." in asked.said
        assert len(ann.images.list_names(board_id="none")) == 1
        assert ivk_command("images", "rm", "--uncategorized", "--yes").said == "Deleted 1 image."
        assert ivk_command("images", "rm", "--uncategorized", "--yes").said == "Deleted 0 images."
        assert bob.images.list_names() == [other]
        both = ivk_command("images", "rm", "--uncategorized", "--intermediates")
        assert both.code == 2
        assert "Specify what to delete" in both.said
    finally:
        ann.boards.delete_board(board, delete_images=True)
        bob.images.delete(other)
