"""Hundreds of images on a real server: few requests, none left out."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from invokeai_py_client import InvokeAIClient
from invokeai_py_client._sync import BoardHandle
from invokeai_py_client.models import IvkImage

if TYPE_CHECKING:
    from tests.conftest import RealServer

pytestmark = pytest.mark.usefixtures("nothing_left")

COUNT = 1200


@pytest.fixture
def records(server: RealServer, uploaded: str) -> Iterator[list[str]]:
    """Records of images in the server's database, copies of one; there are no files to them."""
    path = Path(server.root) / "databases" / "invokeai.db"
    names = [f"copy-{number:04}.png" for number in range(COUNT)]
    with contextlib.closing(sqlite3.connect(path, timeout=30)) as database:
        row = database.execute("SELECT * FROM images WHERE image_name = ?", (uploaded,))
        columns = [column[0] for column in row.description]
        one = dict(zip(columns, row.fetchone(), strict=True))
        rows = [
            {**one, "image_name": name, "created_at": f"2020-01-01 00:{number // 60:02}:{number % 60:02}.000"}
            for number, name in enumerate(names)
        ]
        places = ", ".join(f":{column}" for column in columns)
        database.executemany(f"INSERT INTO images ({', '.join(columns)}) VALUES ({places})", rows)
        database.commit()
        yield names
        for table in ("board_images", "images"):
            database.execute(f"DELETE FROM {table} WHERE image_name LIKE 'copy-%'")
        database.commit()


@pytest.fixture
def board(client: InvokeAIClient, records: list[str]) -> BoardHandle:
    """A board that these records are on, the newest last."""
    board = client.board_repo.create_board("many")
    sent = client._impl.connection.http.sent
    assert client.image_repo.move(records, board.board_id) == records
    assert client._impl.connection.http.sent == sent + 2, "a request takes a thousand"
    return board


def names(images: list[IvkImage]) -> list[str]:
    return [image.image_name for image in images]


def test_S28_a_thousand_records_in_one_request(
    client: InvokeAIClient, board: BoardHandle, records: list[str]
) -> None:
    http = client._impl.connection.http
    sent = http.sent
    assert names(board.list_images(limit=1000)) == records[:-1001:-1]
    assert http.sent == sent + 1
    assert names(board.list_images(order_dir="ASC")) == records
    assert http.sent == sent + 3
    assert board.get_image_count() == COUNT
    assert http.sent == sent + 4
    assert sorted(board.list_image_names()) == records
    assert http.sent == sent + 5
    assert names(client.image_repo.get_images(records)) == records
    assert http.sent == sent + 7


def test_records_come_page_by_page(client: InvokeAIClient, board: BoardHandle, records: list[str]) -> None:
    http = client._impl.connection.http
    sent = http.sent
    images = client.image_repo.iter_images(board_id=board.board_id)
    assert names(list(islice(images, 1000))) == records[:199:-1]
    assert http.sent == sent + 1
    assert names(list(images)) == records[199::-1]
    assert http.sent == sent + 2


def test_images_that_come_and_go_while_one_lists_them(
    client: InvokeAIClient, board: BoardHandle, records: list[str], picture: bytes
) -> None:
    found: list[str] = []
    for image in client.image_repo.iter_images(board_id=board.board_id):
        found.append(image.image_name)
        if len(found) == 500:
            board.upload_image_data(picture)
    assert found == records[::-1]
    found = []
    for image in client.image_repo.iter_images(board_id=board.board_id, order_dir="ASC"):
        found.append(image.image_name)
        if len(found) == 1000:
            client.image_repo.move(found, "none")
    assert found[:COUNT] == records


def test_stars_and_times_among_many(client: InvokeAIClient, board: BoardHandle, records: list[str]) -> None:
    images, http = client.image_repo, client._impl.connection.http
    starred = [records[1150], records[40], records[3]]
    assert sorted(images.star(starred)) == sorted(starred)
    sent = http.sent
    assert names(images.list_images(board_id=board.board_id, starred=True)) == starred
    assert http.sent == sent + 1
    since = "2020-01-01T00:19:50+00:00"
    assert names(images.list_images(board_id=board.board_id, since=since)) == records[:1189:-1]
    assert http.sent == sent + 2
    assert names(images.list_images(board_id=board.board_id, since=since, order_dir="ASC")) == records[1190:]
    others = images.list_images(board_id=board.board_id, starred=False)
    assert len(others) == COUNT - 3
    assert images.unstar(starred) == starred
    assert images.list_images(board_id=board.board_id, starred=True) == []
