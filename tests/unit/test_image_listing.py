"""Pagination of the image list, also while the list changes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invokeai_py_client.errors import UsageError
from invokeai_py_client.image import listing
from invokeai_py_client.image.listing import Listing, moment_of
from invokeai_py_client.models import IvkImage

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def image(number: int, starred: bool = False) -> IvkImage:
    """Return an image created ``number`` minutes after noon."""
    made = (NOON + timedelta(minutes=number)).strftime("%Y-%m-%d %H:%M:%S.000")
    return IvkImage.from_api_response(
        {"image_name": f"{number}.png", "starred": starred, "created_at": made, "image_category": "general"}
    )


class Server:
    """A fake server that sorts and pages a list of images."""

    def __init__(self, images: list[IvkImage]) -> None:
        self.images = images
        self.asked: list[dict[str, Any]] = []

    def page(self, params: dict[str, Any]) -> tuple[list[IvkImage], int]:
        self.asked.append(params)
        ordered = sorted(
            self.images, key=lambda one: str(one.created_at), reverse=params["order_dir"] == "DESC"
        )
        if params["starred_first"]:
            ordered.sort(key=lambda one: not one.starred)
        return ordered[params["offset"] : params["offset"] + params["limit"]], len(ordered)


def listed(server: Server, between: Callable[[Server], object] = lambda _: None, **options: Any) -> list[int]:
    """Return the numbers of the listed images. ``between`` is called after each page."""
    steps = Listing({}, **options)
    found: list[int] = []
    while steps.params is not None:
        assert len(server.asked) < 200, "the listing does not end"
        found += [int(one.image_name.removesuffix(".png")) for one in steps.take(*server.page(steps.params))]
        between(server)
    return found


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MOST_NAMES", 4)


def many(count: int = 10, starred: tuple[int, ...] = ()) -> Server:
    return Server([image(number, number in starred) for number in range(count)])


def test_pages_of_an_unchanged_list() -> None:
    server = many()
    assert listed(server) == list(range(10))[::-1]
    assert [asked["offset"] for asked in server.asked] == [0, 4, 8]
    assert listed(many(), order_dir="ASC") == list(range(10))
    assert listed(many(8)) == list(range(8))[::-1]
    assert listed(many(0)) == []


def test_requests_only_as_many_records_as_needed() -> None:
    server = many()
    assert listed(server, offset=1, limit=2) == [8, 7]
    assert [(asked["offset"], asked["limit"]) for asked in server.asked] == [(1, 2)]
    assert listed(server, limit=0) == []
    assert listed(server, limit=6) == [9, 8, 7, 6, 5, 4]
    assert [asked["limit"] for asked in server.asked] == [2, 4, 2]


def test_images_created_during_iteration_cause_no_duplicates() -> None:
    numbers = iter(range(100, 106))

    def arrive(server: Server) -> None:
        number = next(numbers, None)
        if number is not None:
            server.images.append(image(number))

    found = listed(many(), arrive)
    assert found == list(range(10))[::-1], "each image once, in order"
    numbers = iter(range(100, 106))
    assert listed(many(), arrive, order_dir="ASC")[:10] == list(range(10))


@pytest.mark.parametrize("order", ["ASC", "DESC"])
def test_images_deleted_during_iteration_are_each_listed_once(order: str) -> None:
    server = many(20)
    steps = Listing({}, order_dir=order)  # pyright: ignore[reportArgumentType]
    found: list[str] = []
    while steps.params is not None:
        for one in steps.take(*server.page(steps.params)):
            found.append(one.image_name)
            server.images.remove(one)
    assert len(found) == len(set(found)) == 20
    assert server.images == []


@given(st.integers(0, 30), st.lists(st.lists(st.integers(0, 29), max_size=3), max_size=40))
def test_remaining_images_are_listed_once_despite_deletions(count: int, gone: list[list[int]]) -> None:
    server, goes = many(count), iter(gone)

    def go(server: Server) -> None:
        names = {f"{number}.png" for number in next(goes, [])}
        server.images = [one for one in server.images if one.image_name not in names]

    found = listed(server, go)
    left = {int(one.image_name.removesuffix(".png")) for one in server.images}
    assert len(found) == len(set(found))
    assert left <= set(found)


def test_starred_images_only() -> None:
    server = many(12, starred=(1, 5, 6, 7, 8, 11))
    assert listed(server, starred=True) == [11, 8, 7, 6, 5, 1]
    assert len(server.asked) == 2, "it stops at the first image without a star"
    assert all(asked["starred_first"] for asked in server.asked)
    assert listed(server, starred=True, order_dir="ASC", offset=1, limit=2) == [5, 6]
    assert listed(server, starred=False) == [10, 9, 4, 3, 2, 0]
    assert listed(server, starred=False, offset=2, limit=2) == [4, 3]


def test_since_stops_at_the_first_older_image() -> None:
    server = many(12)
    assert listed(server, since=NOON + timedelta(minutes=7)) == [11, 10, 9, 8, 7]
    assert len(server.asked) == 2
    assert listed(server, since=NOON + timedelta(minutes=7), offset=1, limit=2) == [10, 9]
    assert listed(server, since=NOON + timedelta(hours=1)) == []
    assert listed(server, since=NOON - timedelta(hours=1)) == list(range(12))[::-1]


def test_since_with_oldest_first() -> None:
    server = many(12)
    assert listed(server, since=NOON + timedelta(minutes=7), order_dir="ASC") == [7, 8, 9, 10, 11]
    assert {asked["order_dir"] for asked in server.asked} == {"DESC"}, "the whole list is never requested"
    assert listed(server, since=NOON + timedelta(minutes=7), order_dir="ASC", offset=1, limit=2) == [8, 9]


def test_since_with_starred() -> None:
    server = many(12, starred=(1, 8, 10))
    since = NOON + timedelta(minutes=7)
    assert listed(server, since=since, starred=True) == [10, 8]
    assert listed(server, since=since, starred=False) == [11, 9, 7]
    assert listed(server, since=since, starred_first=True) == [10, 8, 11, 9, 7]
    assert listed(server, since=since, starred_first=True, order_dir="ASC") == [8, 10, 7, 9, 11]


def test_record_with_an_invalid_time_is_listed() -> None:
    odd = IvkImage.from_api_response({"image_name": "5.png", "created_at": "yesterday"})
    assert listed(Server([odd]), since=NOON) == [5]


def test_times() -> None:
    assert moment_of(NOON) is NOON
    assert moment_of("2026-01-31T13:00:00+01:00") == NOON
    assert moment_of("2026-01-31 12:00").utcoffset() == datetime(2026, 1, 31, 12).astimezone().utcoffset()
    east = NOON.astimezone(timezone(timedelta(hours=5)))
    assert moment_of(east) == NOON
    with pytest.raises(UsageError, match="Invalid time 'last week'"):
        moment_of("last week")
    with pytest.raises(UsageError, match="of type int"):
        moment_of(5)  # pyright: ignore[reportArgumentType]


def test_relative_times() -> None:
    now = datetime.now().astimezone()
    for text, before in (("7d", timedelta(days=7)), ("12h", timedelta(hours=12)), ("2W", timedelta(weeks=2))):
        assert now - before <= moment_of(text) <= datetime.now().astimezone() - before
    day = timedelta(days=1)
    today = datetime.combine(now.date(), datetime.min.time())
    assert moment_of("yesterday") in ((today - day).astimezone(), today.astimezone())  # the day may end here
    assert moment_of(" Today ").time() == moment_of("yesterday").time() == datetime.min.time()
    for wrong in ("7", "d7", "999999w", "٧d", "-1d", ""):
        with pytest.raises(UsageError, match="Invalid time"):
            moment_of(wrong)


def test_end_of_a_day() -> None:
    last = datetime(2026, 1, 31, 23, 59, 59, 999999)
    assert moment_of("2026-01-31", end=True) == last.astimezone()
    assert moment_of("yesterday", end=True).time() == last.time()
    assert moment_of("2026-01-31 12:00", end=True) == moment_of("2026-01-31 12:00")


def test_until() -> None:
    until = NOON + timedelta(minutes=4)
    server = many(10, starred=(2, 8))
    assert listed(server, until=until) == [4, 3, 2, 1, 0]
    assert listed(server, until=until, limit=2) == [4, 3]
    assert listed(server, until=until, offset=1, limit=2) == [3, 2]
    assert listed(server, until=until, order_dir="ASC") == [0, 1, 2, 3, 4]
    assert listed(server, until=until, since=NOON + timedelta(minutes=2)) == [4, 3, 2]
    assert listed(server, until=until, since=NOON + timedelta(minutes=2), order_dir="ASC") == [2, 3, 4]
    assert listed(server, until=until, starred=True) == [2]
    assert listed(server, until=until, starred_first=True) == [2, 4, 3, 1, 0]


@pytest.mark.parametrize("wrong", [{"offset": -1}, {"limit": -1}, {"order_dir": "asc"}])
def test_invalid_listing_options(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Listing({}, **wrong)
