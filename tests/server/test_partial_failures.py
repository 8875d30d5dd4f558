"""Calls about several things of which some fail: the rest is done, and the error says what was not done and why."""

from __future__ import annotations

import io
import json
import shutil
import sqlite3
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import workflows
from command import Command, ivk_command
from PIL import Image as Pillow

from invokeai_py_client import AsyncInvokeAIClient, InvokeAIClient, Run
from invokeai_py_client.errors import (
    NotFoundError,
    ServerError,
    TransferError,
)

__all__ = ["ivk_command"]

pytestmark = pytest.mark.usefixtures("nothing_left")

GONE = "00000000-0000-4000-8000-000000000000.png"
GONE_VIDEO = "00000000-0000-4000-8000-000000000000.mp4"
CLIP = Path(__file__).parents[1] / "data" / "tiny.mp4"
Broken = Callable[..., AbstractContextManager[None]]


def png(color: str = "red") -> bytes:
    buffer = io.BytesIO()
    Pillow.new("RGB", (16, 16), color).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def database(server: Any) -> Iterator[sqlite3.Connection]:
    """The server's database."""
    path = server.root / "databases" / "invokeai.db"
    with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as database:
        yield database


@pytest.fixture
def broken(database: sqlite3.Connection) -> Broken:
    """Make the server's database fail whenever an image, a video or a board is changed in one way."""

    @contextmanager
    def broken(name: str, change: str) -> Generator[None]:
        row = "NEW" if change.startswith("INSERT") else "OLD"
        column = (
            "board_id" if change.endswith(" boards") else "video_name" if "videos" in change else "image_name"
        )
        database.execute(
            f"CREATE TRIGGER failing BEFORE {change} WHEN {row}.{column} = '{name}' "
            "BEGIN SELECT RAISE(ABORT, 'a fault of the test'); END"
        )
        try:
            yield
        finally:
            database.execute("DROP TRIGGER failing")

    return broken


@pytest.fixture
def ivk(
    ivk_command: Command, client: InvokeAIClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Command:
    monkeypatch.setenv("INVOKEAI_URL", client.url)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sd1.json").write_text(json.dumps(workflows.sd1()))
    return ivk_command


# --------------------------------------------------------------------------- changing images

CHANGES = [
    ("star", "UPDATE ON images", "starred"),
    ("unstar", "UPDATE ON images", "unstarred"),
    ("delete", "DELETE ON images", "deleted"),
    ("move", "INSERT ON board_images", "moved"),
    ("take off", "DELETE ON board_images", "moved"),
]


@pytest.mark.since("6.14")
@pytest.mark.parametrize(("change", "fault", "word"), CHANGES)
async def test_images_that_the_server_failed_to_change(
    either: AsyncInvokeAIClient, broken: Broken, change: str, fault: str, word: str
) -> None:
    images, board = either.image_repo, await either.board_repo.create_board("Partial")
    first, failing, last = [(await images.upload(png(), board_id=board)).image_name for _ in range(3)]
    names = [first, GONE, failing, last]
    target = await either.board_repo.create_board("Target")
    calls: dict[str, Callable[[], Any]] = {
        "star": lambda: images.star(names),
        "unstar": lambda: images.unstar(names),
        "delete": lambda: images.delete(names),
        "move": lambda: images.move(names, target),
        "take off": lambda: images.move(names, "none"),
    }
    with broken(failing, fault), pytest.raises(TransferError) as caught:
        await calls[change]()
    error = caught.value
    assert list(error.done) == [first, last]
    assert list(error.failed) == [GONE, failing]
    assert isinstance(error.failed[GONE], NotFoundError)
    assert isinstance(error.failed[failing], ServerError)
    assert str(error) == (
        f"2 of 4 images could not be {word}:\n"
        f"  {GONE}: It is not on the server.\n"
        f"  {failing}: The server failed to change it. The reason is in its log."
    )
    there = {image.image_name: image for image in await images.get_images([first, failing, last])}
    if change == "delete":
        assert list(there) == [failing]
    if change == "star":
        assert [there[name].starred for name in (first, failing, last)] == [True, False, True]
    assert await images.star([failing]) == [failing], "it works without the fault"


@pytest.mark.since("6.14")
@pytest.mark.parametrize(
    ("change", "fault", "word"),
    [(change, fault.replace("images", "videos"), word) for change, fault, word in CHANGES],
)
async def test_videos_that_the_server_failed_to_change(
    either: AsyncInvokeAIClient, broken: Broken, change: str, fault: str, word: str
) -> None:
    videos, board = either.videos, await either.boards.create_board("Partial")
    first, failing, last = [(await videos.upload(CLIP, board_id=board)).video_name for _ in range(3)]
    names = [first, GONE_VIDEO, failing, last]
    target = await either.boards.create_board("Target")
    calls: dict[str, Callable[[], Any]] = {
        "star": lambda: videos.star(names),
        "unstar": lambda: videos.unstar(names),
        "delete": lambda: videos.delete(names),
        "move": lambda: videos.move(names, target),
        "take off": lambda: videos.move(names, "none"),
    }
    with broken(failing, fault), pytest.raises(TransferError) as caught:
        await calls[change]()
    error = caught.value
    assert list(error.done) == [first, last]
    assert list(error.failed) == [GONE_VIDEO, failing]
    assert isinstance(error.failed[GONE_VIDEO], NotFoundError)
    assert isinstance(error.failed[failing], ServerError)
    assert str(error).startswith(
        f"2 of 4 videos could not be {word}:\n  {GONE_VIDEO}: It is not on the server.\n  {failing}: "
    )
    there = {video.video_name: video for video in await videos.get_videos([first, failing, last])}
    if change == "delete":
        assert list(there) == [failing]
    if change == "star":
        assert [there[name].starred for name in (first, failing, last)] == [True, False, True]
    if change in ("move", "take off"):
        moved = target.board_id if change == "move" else None
        boards = [there[name].board_id for name in (first, failing, last)]
        assert boards == [moved, board.board_id, moved]


@pytest.mark.since("6.14")
async def test_a_board_with_a_video_that_the_server_failed_to_delete(
    either: AsyncInvokeAIClient, broken: Broken
) -> None:
    board = await either.boards.create_board("Partial")
    image = await either.images.upload(png(), board_id=board)
    failing = (await either.videos.upload(CLIP, board_id=board)).video_name
    with broken(failing, "DELETE ON videos"), pytest.raises(TransferError) as caught:
        await either.boards.delete_board(board, delete_images=True)
    assert list(caught.value.failed) == ["Partial"]
    assert list(caught.value.done) == [image.image_name]
    assert "1 image on the board 'Partial' was deleted, but the board was not" in str(caught.value)
    assert (await either.videos.get_video(failing)).board_id == board.board_id


@pytest.mark.since("6.14")
async def test_uncategorized_videos_that_the_server_failed_to_delete(
    either: AsyncInvokeAIClient, broken: Broken
) -> None:
    board = await either.boards.create_board("Kept")
    kept = await either.videos.upload(CLIP, board_id=board)
    deleted, failing = [(await either.videos.upload(CLIP)).video_name for _ in range(2)]
    with broken(failing, "DELETE ON videos"), pytest.raises(TransferError) as caught:
        await either.videos.delete_uncategorized()
    assert (list(caught.value.failed), list(caught.value.done)) == ([failing], [deleted])
    assert await either.videos.delete_uncategorized() == [failing]
    left = await either.videos.list_names()
    assert kept.video_name in left and failing not in left


@pytest.mark.since("6.14")
async def test_a_board_reports_what_the_server_failed_to_change(
    either: AsyncInvokeAIClient, broken: Broken
) -> None:
    board = await either.board_repo.create_board("Partial")
    image = await board.upload_image_data(png())
    assert await board.star_image([image, GONE]) is False
    assert await board.delete_image(GONE) is False
    for fault, call in (
        ("UPDATE ON images", lambda: board.star_image(image)),
        ("UPDATE ON images", lambda: board.unstar_image(image)),
        ("DELETE ON images", lambda: board.delete_image(image)),
        ("DELETE ON board_images", lambda: board.remove_image(image)),
        ("INSERT ON board_images", lambda: board.add_image(image)),
    ):
        with broken(image.image_name, fault), pytest.raises(TransferError, match="could not be"):
            await call()


@pytest.mark.since("6.14")
async def test_images_that_outlive_their_board(
    either: AsyncInvokeAIClient, database: sqlite3.Connection
) -> None:
    boards, images = either.board_repo, either.image_repo
    board = await boards.create_board("Partial")
    first, failing = [(await board.upload_image_data(png())).image_name for _ in range(2)]

    def move_file(folder: str) -> None:
        database.execute("UPDATE images SET image_subfolder = ? WHERE image_name = ?", (folder, failing))

    move_file("../elsewhere")  # the server refuses to delete such a file
    try:
        with pytest.raises(TransferError) as caught:
            await boards.delete_board(board, delete_images=True)
    finally:
        move_file("")
    error = caught.value
    assert (list(error.done), list(error.failed)) == ([first], [failing])
    assert str(error).startswith(
        "The board 'Partial' was deleted, but not everything on it; the rest is uncategorized. "
        "1 of 2 images could not be deleted:\n"
    )
    assert await boards.find_board("Partial") is None
    assert (await images.get_image(failing)).board_id is None


@pytest.mark.since("6.14")
async def test_videos_that_outlive_their_board(
    either: AsyncInvokeAIClient, database: sqlite3.Connection
) -> None:
    board = await either.boards.create_board("Partial")
    image = (await board.upload_image_data(png())).image_name
    first, failing = [(await either.videos.upload(CLIP, board_id=board)).video_name for _ in range(2)]

    def move_file(folder: str) -> None:
        database.execute("UPDATE videos SET video_subfolder = ? WHERE video_name = ?", (folder, failing))

    move_file("../elsewhere")  # the server refuses to delete such a file, and responds with status 200
    try:
        with pytest.raises(TransferError) as caught:
            await either.boards.delete_board(board, delete_images=True)
    finally:
        move_file("")
    error = caught.value
    assert (set(error.done), list(error.failed)) == ({image, first}, [failing])
    assert isinstance(error.failed[failing], ServerError)
    assert str(error).startswith(
        "The board 'Partial' was deleted, but not everything on it; the rest is uncategorized. "
    )
    assert await either.boards.find_board("Partial") is None
    assert (await either.videos.get_video(failing)).board_id is None


@pytest.mark.since("6.14")
async def test_a_board_that_outlives_its_images(either: AsyncInvokeAIClient, broken: Broken) -> None:
    board = await either.board_repo.create_board("Partial")
    name = (await board.upload_image_data(png())).image_name
    with broken(board.board_id, "DELETE ON boards"), pytest.raises(TransferError) as caught:
        await either.board_repo.delete_board(board, delete_images=True)
    error = caught.value
    assert (list(error.done), list(error.failed)) == ([name], ["Partial"])
    assert str(error).startswith("1 image on the board 'Partial' was deleted, but the board was not: ")
    assert isinstance(error.failed["Partial"], ServerError)
    assert await either.board_repo.delete_board(board) is True


# --------------------------------------------------------------------------- the command line


@pytest.mark.since("6.14")
@pytest.mark.parametrize(
    ("words", "fault", "verb"),
    [
        (["rm", "--yes"], "DELETE ON images", "Deleted"),
        (["star"], "UPDATE ON images", "Starred"),
        (["unstar"], "UPDATE ON images", "Unstarred"),
        (["mv", "--board", "Partial"], "INSERT ON board_images", "Moved"),
    ],
)
def test_ivk_images_says_what_was_not_done(
    ivk: Command, client: InvokeAIClient, broken: Broken, words: list[str], fault: str, verb: str
) -> None:
    client.board_repo.create_board("Partial")
    names = [client.image_repo.upload(png()).image_name for _ in range(2)]
    command, *options = words
    with broken(names[1], fault):
        done = ivk("images", command, *names, *options)
        as_json = ivk("images", command, names[1], *options, "--json")
    assert (done.code, as_json.code) == (1, 1)
    assert f"{verb} 1 image." in done.said
    assert f"1 of 2 images could not be {verb.lower()}: {names[1]}: The server failed" in done.said
    [event] = as_json.objects
    assert (event["event"], event["code"]) == ("error", "transfer")
    assert event["failed"] == {
        names[1]: {"code": "api_5xx", "message": "The server failed to change it. The reason is in its log."}
    }


def test_ivk_images_get_downloads_the_rest(ivk: Command, client: InvokeAIClient, tmp_path: Path) -> None:
    names = [client.image_repo.upload(png()).image_name for _ in range(2)]
    wanted = [names[0], GONE, names[1]]
    done = ivk("images", "get", *wanted, "-o", "out", "--name", "{width}-{image}")
    assert done.code == 1
    assert done.lines == [f"out/16-{name}" for name in names]
    assert f"1 of 3 images could not be downloaded: {GONE}: It is not on the server." in done.said
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        f"16-{name}" for name in names
    )
    *images, error = ivk("images", "get", *wanted, "-o", "out", "--json").objects
    assert [image["name"] for image in images] == names
    assert list(error["failed"]) == [GONE]
    assert ivk("images", "get", GONE, "-o", "out").code == 2, "nothing to download"


def test_ivk_boards_and_workflows_rm_try_all(
    ivk: Command, client: InvokeAIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from invokeai_py_client import BoardRepository, WorkflowDefinition, WorkflowRepository

    def deleting_one_first(kind: type[Any], method: str, other: Callable[[], Any]) -> None:
        """Delete something just before the command does."""
        delete = getattr(kind, method)

        def first(self: Any, ref: Any, **options: Any) -> Any:
            monkeypatch.setattr(kind, method, delete)
            delete(self, other())
            return delete(self, ref, **options)

        monkeypatch.setattr(kind, method, first)

    boards = [client.board_repo.create_board(name) for name in ("one", "two", "three")]
    deleting_one_first(BoardRepository, "delete_board", lambda: boards[1])
    done = ivk("boards", "rm", "one", "two", "three", "--yes", "--json")
    *_, result, error = done.objects
    assert (done.code, result["ok"], result["names"]) == (1, False, ["one", "three"])
    assert error["message"] == (
        "1 of 3 boards could not be deleted:\n  two: The board is no longer on the server."
    )

    ids = [
        client.workflow_repo.upload_workflow(WorkflowDefinition.from_dict({**workflows.add(), "name": name}))
        for name in ("W1", "W2")
    ]
    deleting_one_first(WorkflowRepository, "delete_workflow", lambda: ids[0])
    done = ivk("workflows", "rm", "W1", "W2", "--yes")
    assert done.code == 1
    assert "Deleted 1 workflow." in done.said
    assert "W1: The workflow is no longer on the server." in done.said


# --------------------------------------------------------------------------- the images of runs


def test_a_run_saves_the_images_that_are_left(
    ivk: Command, client: InvokeAIClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    two = workflows.workflow(
        "Two",
        {
            "a": ("blank_image", {"width": 64, "height": 64}),
            "b": ("blank_image", {"width": 64, "height": 72}),
        },
        [],
        final=["a", "b"],
    )
    (tmp_path / "two.json").write_text(json.dumps(two))
    run = client.workflow_repo.create_workflow(two).run()
    lost, kept = (image.name for image in run.images)
    client.image_repo.delete(lost)
    with pytest.raises(TransferError) as caught:
        run.save(f"{tmp_path}/py/")
    assert (list(caught.value.failed), list(caught.value.done)) == ([lost], [kept])
    assert [path.name for path in (tmp_path / "py").iterdir()] == [kept]

    save = Run.save

    def deleting(self: Run, template: Any) -> list[Path]:
        client.image_repo.delete(self.images[0])
        return save(self, template)

    monkeypatch.setattr(Run, "save", deleting)
    done = ivk("run", "two.json", "-o", "out", "--json")
    *_, result, error = done.objects
    assert (done.code, result["ok"], len(result["images"])) == (1, False, 1)
    assert len(error["failed"]) == 1
    done = ivk("run", "two.json", "-o", "out2")
    assert (done.code, len(done.lines)) == (1, 1)
    assert "1 of 2 images could not be downloaded" in done.said
    assert len(list((tmp_path / "out2").iterdir())) == 1


def test_a_sweep_outlives_a_deleted_image(ivk: Command, client: InvokeAIClient, tmp_path: Path) -> None:
    words = ["sweep", "sd1.json", "-s", "model=tiny-sd1", "-s", "steps=1,2,3", "-s", "seed=4", "-o", "night"]
    assert ivk(*words).code == 0
    folder = tmp_path / "night"
    files = sorted(folder.glob("images/*"))
    lost = files[1].name.partition("-")[2]
    client.image_repo.delete(lost)
    shutil.rmtree(folder / "images")
    done = ivk(*words, "--resume", "--report", "--grid")
    assert done.code == 1
    assert f"1 of 3 images could not be downloaded: {lost}: It is not on the server." in done.said
    assert sorted(folder.glob("images/*")) == [files[0], files[2]], "the rest was fetched"
    page = (folder / "index.html").read_text()
    assert f"The image {lost} is missing: It is not on the server." in page
    assert (folder / "grid.png").exists()
    *_, result, error = ivk(*words, "--resume", "--report", "--json").objects
    assert (result["ok"], result["failed"], list(error["failed"])) == (False, 0, [lost])


def test_a_sweep_in_python_outlives_a_deleted_image(client: InvokeAIClient, tmp_path: Path) -> None:
    wf = client.workflow_repo.create_workflow(workflows.sd1())
    sweep = wf.sweep(values={"model": "tiny-sd1", "seed": 5}, steps=[1, 2, 3])
    sweep.wait()
    first, lost, last = (run.images[0].name for run in sweep.runs)
    sweep.report(tmp_path / "before")
    client.image_repo.delete(lost)
    with pytest.raises(TransferError) as caught:
        sweep.save(f"{tmp_path}/out/{{image}}.png")
    assert (list(caught.value.failed), list(caught.value.done)) == ([lost], [first, last])
    with pytest.raises(TransferError):
        sweep.report(tmp_path / "after")
    page = (tmp_path / "after" / "index.html").read_text()
    assert f"The image {lost} is missing" in page
    assert first in page
    assert sweep.grid(cell=64).width > 2 * 64
    [sheet] = sweep.grids(cell=300)
    assert sheet.width > 2 * 300
    # If its file exists, the report shows that.
    page = sweep.report(tmp_path / "before").read_text()
    assert f"The image {lost} is missing" not in page
    assert f"images/0001-{lost}" in page
