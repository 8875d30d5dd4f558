"""Lists of many images on a real server: few requests, complete results."""

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
    """Image records in the server's database, copied from one image. They have no files."""
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
    """A board with these images, oldest first."""
    board = client.board_repo.create_board("many")
    sent = client._impl.connection.http.sent
    assert client.image_repo.move(records, board) == records
    assert client._impl.connection.http.sent == sent + 2, "one request per thousand images"
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


def test_records_are_requested_page_by_page(
    client: InvokeAIClient, board: BoardHandle, records: list[str]
) -> None:
    http = client._impl.connection.http
    sent = http.sent
    images = client.image_repo.iter_images(board_id=board)
    assert names(list(islice(images, 1000))) == records[:199:-1]
    assert http.sent == sent + 1
    assert names(list(images)) == records[199::-1]
    assert http.sent == sent + 2


def test_images_created_and_moved_during_iteration(
    client: InvokeAIClient, board: BoardHandle, records: list[str], picture: bytes
) -> None:
    found: list[str] = []
    for image in client.image_repo.iter_images(board_id=board):
        found.append(image.image_name)
        if len(found) == 500:
            board.upload_image_data(picture)
    assert found == records[::-1]
    found = []
    for image in client.image_repo.iter_images(board_id=board, order_dir="ASC"):
        found.append(image.image_name)
        if len(found) == 1000:
            client.image_repo.move(found, "none")
    assert found[:COUNT] == records


def test_starred_and_since_with_many_images(
    client: InvokeAIClient, board: BoardHandle, records: list[str]
) -> None:
    images, http = client.image_repo, client._impl.connection.http
    starred = [records[1150], records[40], records[3]]
    assert sorted(images.star(starred)) == sorted(starred)
    sent = http.sent
    assert names(images.list_images(board_id=board, starred=True)) == starred
    assert http.sent == sent + 1
    since = "2020-01-01T00:19:50+00:00"
    assert names(images.list_images(board_id=board, since=since)) == records[:1189:-1]
    assert http.sent == sent + 2
    assert names(images.list_images(board_id=board, since=since, order_dir="ASC")) == records[1190:]
    others = images.list_images(board_id=board, starred=False)
    assert len(others) == COUNT - 3
    assert images.unstar(starred) == starred
    assert images.list_images(board_id=board, starred=True) == []
