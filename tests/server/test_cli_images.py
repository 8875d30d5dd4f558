"""``ivk images`` and ``ivk boards`` against the real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import Command, ivk_command
from PIL import Image as Pillow
from tests.conftest import RealServer

from invokeai_py_client import InvokeAIClient

__all__ = ["ivk_command"]

BOARD = "Command line"


@pytest.fixture
def ivk(ivk_command: Command, client: InvokeAIClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    monkeypatch.setenv("INVOKEAI_URL", client.url)
    monkeypatch.setenv("NO_COLOR", "1")
    yield ivk_command
    for board in client.board_repo.list_boards(include_archived=True):
        if board.board_name.startswith(BOARD):
            client.board_repo.delete_board(board.board_id, delete_images=True)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    names = [f"p{number}.png" for number in range(3)]
    for number, name in enumerate(names):
        Pillow.new("RGB", (64, 48), (80 * number, 10, 20)).save(tmp_path / name)
    return names


@pytest.fixture
def uploaded(ivk: Command, files: list[str]) -> list[str]:
    """Return the names of three uploaded images on a board."""
    assert ivk("boards", "create", BOARD).code == 0
    return ivk("images", "put", *files, "--board", BOARD).lines


def test_images_list_download_star_move_and_delete(
    ivk: Command, uploaded: list[str], client: InvokeAIClient, tmp_path: Path
) -> None:
    listed = ivk("images", "ls", "--board", BOARD.upper())
    assert {row[0] for row in listed.cells} == set(uploaded)
    assert [row[2:] for row in listed.cells] == [["64×48", BOARD, "user"]] * 3
    assert listed.err == ""
    got = ivk("images", "get", "-", "-o", "got", stdin=listed.out)
    assert sorted(got.lines) == sorted(f"got/{name}" for name in uploaded)
    with Pillow.open(tmp_path / "got" / uploaded[1]) as picture:
        assert picture.getpixel((0, 0)) == (80, 10, 20)
    assert ivk("images", "star", uploaded[0]).said == "Starred 1 image."
    assert ivk("images", "ls", "--board", BOARD, "--starred").cells[0][0] == uploaded[0]
    assert ivk("images", "unstar", uploaded[0]).code == 0
    assert not client.image_repo.get_image(uploaded[0]).starred
    assert ivk("images", "mv", uploaded[0], "--board", "none").code == 0
    assert client.image_repo.get_image(uploaded[0]).board_id is None
    info = ivk("images", "info", uploaded[1])
    assert ["board", BOARD] in info.cells
    deleted = ivk("images", "rm", uploaded[0], "--yes", "--json").objects
    assert deleted[-1] == {"event": "result", "ok": True, "images": 1}
    assert client.image_repo.get_images(uploaded) == client.image_repo.get_images(uploaded[1:])


def test_images_as_json(ivk: Command, uploaded: list[str]) -> None:
    listed = ivk("images", "ls", "--board", BOARD, "-n", "2", "--json")
    *rows, result = listed.objects
    assert result == {"event": "result", "ok": True, "images": 2, "more": True}
    assert {row["name"] for row in rows} < set(uploaded)
    got = ivk("images", "get", "-", "--json", "--thumbnails", "--as", "{width}-{index}", stdin=listed.out)
    assert [row["path"] for row in got.objects[:-1]] == ["64-0.thumbnail.webp", "64-1.thumbnail.webp"]
    info = ivk("images", "info", uploaded[0], "--json").objects[0]
    assert (info["name"], info["metadata"]) == (uploaded[0], {})


def test_info_of_an_image_without_a_workflow(ivk: Command, uploaded: list[str]) -> None:
    done = ivk("images", "info", uploaded[0], "--workflow")
    assert (done.code, done.out) == (2, "")
    assert "has no embedded workflow" in done.said


def test_unknown_image_suggests_close_names(
    ivk: Command, uploaded: list[str], client: InvokeAIClient
) -> None:
    before = client.image_repo.count_images()
    done = ivk("images", "rm", uploaded[0], uploaded[1][:-7], "--yes", "--json")
    assert done.code == 2
    assert done.objects[-1]["code"] == "unknown_name"
    assert uploaded[1] in done.said
    assert client.image_repo.count_images() == before


def test_deleting_asks_for_confirmation(ivk: Command, uploaded: list[str], client: InvokeAIClient) -> None:
    piped = ivk("images", "rm", *uploaded, stdin="y\n")
    assert (piped.code, piped.out) == (2, "")
    assert "Delete 3 images?" in piped.said
    assert "--yes" in piped.said
    refused = ivk("images", "rm", *uploaded, stdin="n\n", terminal=True)
    assert refused.code == 1
    assert "Nothing was changed" in refused.said
    assert len(client.image_repo.get_images(uploaded)) == 3
    assert ivk("images", "rm", uploaded[0], stdin="y\n", terminal=True).code == 0
    assert len(client.image_repo.get_images(uploaded)) == 2


def test_an_empty_option_selects_nothing(ivk: Command, uploaded: list[str], client: InvokeAIClient) -> None:
    for option in ("--board", "--search", "--category", "--since"):
        done = ivk("images", "ls", option, "")
        assert (done.code, done.out) == (2, "")
        assert f"Invalid option {option} '': the value is empty." in done.err
    assert ivk("images", "rm", "--board", "", "--yes").code == 2
    assert len(client.image_repo.get_images(uploaded)) == len(uploaded)


def test_since_and_until(ivk: Command, uploaded: list[str]) -> None:
    words = ["images", "ls", "--board", BOARD]
    for option, value, count in (
        ("--since", "7d", 3),
        ("--since", "yesterday", 3),
        ("--until", "today", 3),
        ("--until", "yesterday", 0),
        ("--until", "7d", 0),
    ):
        assert len(ivk(*words, option, value).lines) == count, (option, value)
    wrong = ivk(*words, "--since", "last week")
    assert wrong.code == 2
    assert "Invalid time 'last week'" in wrong.said


def test_delete_all_images_on_a_board(ivk: Command, uploaded: list[str], client: InvokeAIClient) -> None:
    refused = ivk("images", "rm", "--board", BOARD)
    assert refused.code == 2
    assert f"Delete 3 images on '{BOARD}'?" in refused.said
    assert ivk("images", "rm", "--board", BOARD, "--yes").said == "Deleted 3 images."
    assert client.image_repo.get_images(uploaded) == []
    for words in ([], ["--board", BOARD, "--intermediates"], ["x.png", "--board", BOARD]):
        assert ivk("images", "rm", *words, "--yes").code == 2


def test_delete_intermediates(ivk: Command, files: list[str], client: InvokeAIClient) -> None:
    client.image_repo.clear_intermediates()
    name = client.image_repo.upload(files[0], is_intermediate=True).image_name
    assert "Delete 1 intermediate image?" in ivk("images", "rm", "--intermediates").said
    assert ivk("images", "delete", "--intermediates", "--yes", "--json").objects[-1]["images"] == 1
    assert client.image_repo.get_images([name]) == []
    assert ivk("images", "rm", "--intermediates").said == "Deleted 0 intermediate images."


def test_list_in_a_terminal_is_a_table_with_a_hint(ivk: Command, uploaded: list[str]) -> None:
    done = ivk("images", "ls", "--board", BOARD, terminal=True)
    assert all(name in done.out for name in uploaded)
    assert max(map(len, done.shown)) <= 80
    assert done.shown[1].split() == ["image", "created", "size", "board"]
    assert "ivk images get" in done.err
    assert "\x1b" not in done.err  # NO_COLOR


def test_export_downloads_new_and_missing_images(
    ivk: Command, uploaded: list[str], client: InvokeAIClient, files: list[str], tmp_path: Path
) -> None:
    export = ["images", "export", "--board", BOARD, "--since", "2026-01-01", "out"]
    first = ivk(*export)
    assert sorted(first.lines) == sorted(f"out/{name}" for name in uploaded)
    data = json.loads((tmp_path / "out" / uploaded[0].replace(".png", ".json")).read_text())
    assert (data["image_name"], data["width"], data["metadata"]) == (uploaded[0], 64, None)
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    assert len(kept) == 6
    assert ivk(*export).said == "0 new images, 3 unchanged, in out."
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()} == kept
    # A new image, a changed record, a missing metadata file, and a missing image.
    [new] = ivk("images", "put", files[0], "--board", BOARD).lines
    client.image_repo.star(uploaded[0])
    (tmp_path / "out" / uploaded[1].replace(".png", ".json")).unlink()
    (tmp_path / "out" / uploaded[2]).unlink()
    *rows, result = ivk(*export, "--json").objects
    assert {row["name"]: row["new"] for row in rows} == {
        new: True,
        uploaded[0]: False,
        uploaded[1]: False,
        uploaded[2]: True,
    }
    assert result == {"event": "result", "ok": True, "images": 4, "new": 2, "renewed": 2, "there": 0}
    assert (
        json.loads((tmp_path / "out" / uploaded[0].replace(".png", ".json")).read_text())["starred"] is True
    )
    assert len(list((tmp_path / "out").iterdir())) == 8


def test_boards(ivk: Command, uploaded: list[str], client: InvokeAIClient, server: RealServer) -> None:
    assert ivk("boards", "create", BOARD).code == 2
    [board_id] = ivk("boards", "create", BOARD, "--exist-ok").lines
    rows = {row[0]: row for row in ivk("boards", "ls").cells}
    # Older servers count assets as images.
    assert rows[BOARD][1:3] == (["3", "0"] if server.is_before("6.3") else ["0", "3"])
    assert rows[BOARD][-1] == board_id
    assert rows["Uncategorized"][-1] == "none"
    wrong = ivk("boards", "rename", "Comand line", "x")
    assert wrong.code == 2
    assert f"Did you mean '{BOARD}'?" in wrong.said
    assert ivk("boards", "rename", BOARD, f"{BOARD} 2").code == 0
    assert ivk("boards", "archive", board_id).code == 0
    assert board_id not in ivk("boards", "ls").out
    assert board_id in ivk("boards", "ls", "--archived").out
    assert ivk("boards", "unarchive", board_id).code == 0
    assert ivk("boards", "rm", board_id).code == 2
    assert client.board_repo.get_board_by_id(board_id) is not None
    done = ivk("boards", "rm", board_id, "--images", "--yes", "--json").objects[-1]
    assert (done["boards"], done["names"]) == (1, [f"{BOARD} 2"])
    assert client.image_repo.get_images(uploaded) == []


def test_uncategorized_images_cannot_be_deleted_as_a_board(ivk: Command) -> None:
    assert ivk("boards", "rm", "none", "--yes").code == 2


def test_put_checks_all_files_before_uploading(
    ivk: Command, files: list[str], client: InvokeAIClient
) -> None:
    before = client.image_repo.count_images()
    done = ivk("images", "put", *files, "nowhere.png")
    assert done.code == 2
    assert "nowhere.png" in done.said
    assert client.image_repo.count_images() == before
