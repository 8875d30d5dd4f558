"""Videos on the real server: up, down, listed, changed, made by runs and saved."""

from __future__ import annotations

import inspect
import io
import json
import pickle
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from command import Command, ivk_command
from PIL import Image as Pillow
from tests.conftest import RealServer
from workflows import workflow

from invokeai_py_client import AsyncInvokeAIClient, InvokeAIClient, Run, Sweep
from invokeai_py_client.errors import (
    APIRequestError,
    InputValueError,
    NotFoundError,
    PermissionDeniedError,
    TransferError,
    UnknownNameError,
    UsageError,
)
from invokeai_py_client.models import ImageCategory, IvkVideo

__all__ = ["ivk_command"]

pytestmark = [pytest.mark.since("6.14"), pytest.mark.usefixtures("nothing_left")]

CLIP = Path(__file__).parents[1] / "data" / "tiny.mp4"
DATA = CLIP.read_bytes()
GONE = "00000000-0000-4000-8000-000000000000.mp4"


def cutting(board: str | None = None, **more: Any) -> dict[str, Any]:
    """Return a workflow that cuts frames out of a video, makes a video of them, and shows one frame."""
    place = {"board": {"board_id": board}} if board else {}
    return workflow(
        "Cut",
        {
            "cut": ("extract_video_range", {"start_frame": 1, "end_frame": 3, "fps": 8, **place, **more}),
            "frame": ("video_frame_extract", {"frame_index": 0}),
        },
        ["cut.video -> frame.video"],
        [("cut", "video"), ("cut", "end_frame")],
        final=["cut", "frame"],
    )


def cut(client: InvokeAIClient, video: str, **more: Any) -> Run:
    wf = client.workflow(cutting(**more))
    return wf.run({"cut.video": video}, timeout=120, progress=False)


async def now(result: Any) -> Any:
    """Return the result of a method of an object, of the synchronous or of the asynchronous client."""
    return await result if inspect.isawaitable(result) else result


# ---------------------------------------------------------------------- files


async def test_upload_and_download_are_identical(either: AsyncInvokeAIClient, tmp_path: Path) -> None:
    videos = either.videos
    board = await either.boards.create_board("Clips")
    record = await videos.upload(
        CLIP, board_id="Clips", video_category="control", metadata={"positive_prompt": "a fox"}
    )
    assert isinstance(record, IvkVideo)
    assert (record.width, record.height, record.duration, record.fps) == (64, 64, 0.75, 8)
    assert (record.board_id, record.video_category) == (board.board_id, ImageCategory.CONTROL)
    hidden = await videos.upload(DATA, is_intermediate=True)
    assert hidden.is_intermediate

    video = videos.video(record)
    assert await now(video.bytes()) == await videos.download(record) == await now(record.bytes()) == DATA
    assert (await videos.download_to(record, tmp_path / "a.mp4")).read_bytes() == DATA
    assert (await now(video.save(tmp_path))).read_bytes() == DATA
    for thumbnail in (video.thumbnail(), videos.thumbnail(record), record.thumbnail()):
        assert Pillow.open(io.BytesIO(await now(thumbnail))).size == (64, 64)
    small = await videos.download_to(record, f"{tmp_path}/", full_resolution=False)
    assert small.name == f"{record.video_name}.thumbnail.webp"
    assert await videos.get_metadata(record) == await now(video.metadata()) == {"positive_prompt": "a fox"}
    assert await now(record.metadata()) == {"positive_prompt": "a fox"}
    assert await videos.get_metadata(hidden) is None
    assert await videos.get_workflow(record) is await videos.get_graph(record) is None
    assert await now(video.record()) == await videos.get_video(record) == record
    assert video.url.endswith(f"/api/v1/videos/i/{record.video_name}/full")
    assert video == record == record.video_name


async def test_downloads_into_a_folder(either: AsyncInvokeAIClient, tmp_path: Path) -> None:
    videos = either.videos
    records = await videos.upload_videos([CLIP, DATA])
    done: list[int] = []
    paths = await videos.download_videos(
        records,
        tmp_path,
        template="{index}-{width}x{height}-{video}",
        on_progress=lambda p: done.append(p.done),
    )
    assert [path.name for path in paths] == [
        f"{index}-64x64-{record.video_name}" for index, record in enumerate(records)
    ]
    assert [path.read_bytes() for path in paths] == [DATA, DATA]
    assert done == [1, 2]
    # A complete file is kept, a truncated one is downloaded again.
    kept, broken = await videos.download_videos(records, tmp_path / "again")
    broken.write_bytes(DATA[:-10])
    before = kept.stat().st_mtime_ns
    await videos.download_videos(records, tmp_path / "again")
    assert kept.stat().st_mtime_ns == before
    assert broken.read_bytes() == DATA
    with pytest.raises(TransferError) as caught:
        await videos.download_videos([records[0], GONE], tmp_path)
    assert str(caught.value) == f"1 of 2 videos could not be downloaded:\n  {GONE}: It is not on the server."
    with pytest.raises(
        UsageError, match=r"Cannot save a video as .*\.png: \.png is not a supported format. Use .mp4"
    ):
        await videos.download_to(records[0], tmp_path / "a.png")


async def test_wrong_sources_are_refused(either: AsyncInvokeAIClient, tmp_path: Path) -> None:
    videos = either.videos
    with pytest.raises(InputValueError, match="not an MP4 file"):
        await videos.upload(b"GIF89a")
    with pytest.raises(InputValueError, match="Video file not found"):
        await videos.upload(tmp_path / "gone.mp4")
    with pytest.raises(UsageError, match="contains no videos"):
        await videos.upload_videos(tmp_path)
    (tmp_path / "a.mp4").write_bytes(b"text")
    with pytest.raises(InputValueError, match="1 of 2 videos cannot be uploaded"):
        await videos.upload_videos([CLIP, tmp_path / "a.mp4"])
    with pytest.raises(APIRequestError, match="415"):
        await videos.upload(b"\0\0\0\x18ftypmp42" + bytes(400))
    with pytest.raises(UnknownNameError, match="No board named 'Clip'"):
        await videos.upload(CLIP, board_id="Clip")
    with pytest.raises(UsageError, match="Invalid video of type int"):
        await videos.star(7)  # pyright: ignore[reportArgumentType]
    assert await videos.list_names(is_intermediate=None) == []


# ---------------------------------------------------------------------- lists


async def test_lists(either: AsyncInvokeAIClient) -> None:
    videos = either.videos
    board = await either.boards.create_board("Clips")
    fox = await videos.upload(CLIP, board_id=board, metadata={"positive_prompt": "a fox"})
    mask = await videos.upload(CLIP, video_category="mask")
    hidden = await videos.upload(CLIP, is_intermediate=True)
    await videos.star(mask)

    assert await videos.list_videos() == [await videos.get_video(mask), fox]
    assert await videos.list_names() == [mask, fox]
    assert await videos.list_names(order_dir="ASC") == [fox, mask]
    assert await videos.list_names(is_intermediate=None) == [hidden, mask, fox]
    assert await videos.list_names(board_id="none", categories="mask") == [mask]
    assert [one.name for one in await videos.list_videos(board_id="clips")] == [fox]
    assert [one.name for one in await videos.list_videos(starred=True)] == [mask]
    assert [one.name for one in await videos.list_videos(starred=False)] == [fox]
    assert [one.name for one in await videos.list_videos(search_term="fox")] == [fox]
    assert [one.name async for one in videos.iter_videos(offset=1, limit=1)] == [fox]
    assert isinstance(fox.created_at, datetime)
    assert await videos.list_videos(since=fox.created_at + timedelta(days=1)) == []
    assert await videos.count_videos() == 2
    assert await videos.count_videos(is_intermediate=True) == 1
    assert await videos.count_videos(board_id=board) == 1
    assert await videos.get_videos([GONE, fox.name, mask]) == [fox, await videos.get_video(mask)]
    uncategorized = await either.boards.get_board_by_id("none")
    assert uncategorized is not None
    assert uncategorized.video_count == 1
    for call in (videos.list_names, videos.count_videos):
        with pytest.raises(UnknownNameError):
            await call(board_id="no such board")


async def test_unknown_videos(either: AsyncInvokeAIClient) -> None:
    videos = either.videos
    record = await videos.upload(CLIP)
    assert await videos.find_video(GONE) is None
    close = record.video_name[:-5] + "_.mp4"
    calls: list[Callable[[], Any]] = [
        lambda: videos.get_video(close),
        lambda: videos.update(close, starred=True),
        lambda: videos.video(close).record(),
    ]
    for call in calls:
        with pytest.raises(UnknownNameError, match=f"Did you mean '{record.video_name}'"):
            await now(call())
    for call in (videos.download, videos.thumbnail, videos.get_metadata, videos.get_graph):
        with pytest.raises(NotFoundError):
            await call(GONE)


# ---------------------------------------------------------------------- changes


async def test_changes(either: AsyncInvokeAIClient) -> None:
    videos = either.videos
    first, second = await videos.upload_videos([CLIP, CLIP])
    held = videos.video(first)
    assert not (await now(held.record())).starred
    names = [first.video_name, second.video_name]
    assert await videos.star([first, second]) == names
    assert (await now(held.record())).starred, "the record is loaded again"
    assert await videos.unstar(second) == names[1:]
    board = await either.boards.create_board("Clips")
    assert await videos.move(names, "Clips") == names
    assert (await either.boards.get_board("Clips")).board.video_count == 2
    assert await videos.move(first, "none") == names[:1]
    changed = await videos.update(first, video_category="other", starred=False, is_intermediate=True)
    assert (changed.video_category, changed.starred, changed.is_intermediate) == (
        ImageCategory.OTHER,
        False,
        True,
    )
    assert changed.board_id is None
    with pytest.raises(UnknownNameError):
        await videos.move(first, "no such board")
    assert await videos.delete(second) == names[1:]
    assert await videos.list_names(board_id=board) == []
    assert await videos.delete_uncategorized() == names[:1]


@pytest.mark.parametrize("deletes", [True, False])
async def test_deleting_a_board_with_videos(either: AsyncInvokeAIClient, deletes: bool) -> None:
    board = await either.boards.create_board("Clips")
    shown = await either.videos.upload(CLIP, board_id=board)
    hidden = await either.videos.upload(CLIP, board_id=board, is_intermediate=True)
    assert await either.boards.delete_board(board, delete_images=deletes)
    left = [] if deletes else [shown, hidden]
    assert await either.videos.list_names(is_intermediate=None, order_dir="ASC") == left


def test_videos_of_other_users(ann: InvokeAIClient, bob: InvokeAIClient) -> None:
    hers, his = ann.videos.upload(CLIP), bob.videos.upload(CLIP)
    assert ann.videos.list_names() == [hers]
    with pytest.raises(PermissionDeniedError):
        bob.videos.get_video(hers)
    calls = (
        lambda: bob.videos.star([hers, his]),
        lambda: bob.videos.move([hers, his], "none"),
        lambda: bob.videos.delete([hers, his]),
    )
    for call in calls:
        with pytest.raises(TransferError) as caught:
            call()
        assert list(caught.value.done) == [his]
        assert isinstance(caught.value.failed[hers.name], PermissionDeniedError)
    assert ann.videos.delete_uncategorized() == [hers]


# ---------------------------------------------------------------------- runs and sweeps


def test_videos_of_a_run(client: InvokeAIClient, video: str, tmp_path: Path) -> None:
    board = client.boards.create_board("Clips")
    run = cut(client, video, board=board.board_id)
    [made] = run.videos
    assert made.name != video
    assert made is run.videos[0]
    assert (made.width, made.height) == (64, 64)
    assert (made.board_id, made.fps, made.duration) == (board.board_id, 8, 0.375)
    data = client.videos.download(made)
    assert data[4:8] == b"ftyp"
    assert made.bytes() == made.save(tmp_path / "made.mp4").read_bytes() == data
    assert Pillow.open(io.BytesIO(made.thumbnail())).size == (64, 64)
    graph = made.graph()
    assert graph is not None
    assert graph["nodes"]["cut"]["video"] == {"video_name": video}
    shown = made.workflow()
    assert shown is not None
    assert shown["name"] == "Cut"

    image, saved = run.save(f"{tmp_path}/out/")
    assert (image.name, saved.name) == (run.images[0].name, made.name)
    assert saved.read_bytes() == data
    assert [path.name for path in run.save(tmp_path / "{item}-{index}.jpg")] == [
        f"{run.item_id}-0.jpg",
        f"{run.item_id}-0.mp4",
    ]
    assert [path.name for path in run.save(tmp_path / "clip.mp4")] == ["clip.png", "clip.mp4"]

    assert "<video" in (made._repr_html_() or "")
    assert "<video" in (client.videos.get_video(made)._repr_html_() or "")
    html = run._repr_html_()
    assert html is not None
    assert html.count("<img") == html.count("<video") == 1
    again = pickle.loads(pickle.dumps(run))
    assert [one.name for one in again.videos] == [made.name]
    assert pickle.loads(pickle.dumps(made)).bytes() == data
    with pytest.raises(UsageError, match="Cannot save a video"):
        made.save(tmp_path / "a.gif")


def test_videos_that_only_pass_through_are_not_results(client: InvokeAIClient, video: str) -> None:
    document = workflow("Pass", {"clip": ("video", {})}, [], [("clip", "video")], final=["clip"])
    run = client.workflow(document).run({"clip.video": video}, timeout=120, progress=False)
    assert run.videos == []
    assert run.outputs.of("clip")[0].video_names == (video,)


def test_large_videos_are_shown_as_their_thumbnails(
    client: InvokeAIClient, video: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("invokeai_py_client.video.html._LARGEST", 1 << 10)
    html = client.videos.video(video)._repr_html_()
    assert html is not None
    assert "<video" not in html
    assert "<img" in html
    assert "Save it to watch it" in html


def test_videos_of_a_sweep(client: InvokeAIClient, video: str, tmp_path: Path) -> None:
    manifest = tmp_path / "sweep.jsonl"
    wf = client.workflow(cutting())
    sweep = wf.sweep(end_frame=[2, 3], values={"cut.video": video}, manifest=manifest)
    sweep.wait(progress=False)
    names = [run.videos[0].name for run in sweep.runs]
    files = sweep.save(f"{tmp_path}/{{end_frame}}.png")
    assert [path.name for path in files] == ["2.png", "2.mp4", "3.png", "3.mp4"]
    assert files[1].read_bytes() == client.videos.download(names[0])
    records = [json.loads(line) for line in manifest.read_text().splitlines()]
    assert sorted(line["videos"][0] for line in records if "videos" in line) == sorted(names)
    resumed = Sweep.resume(manifest, client)
    resumed.wait(progress=False)
    assert sorted(run.videos[0].name for run in resumed.runs) == sorted(names)


def test_sweeps_of_videos_alone_show_thumbnails(client: InvokeAIClient, video: str, tmp_path: Path) -> None:
    document = cutting()
    document["nodes"] = [node for node in document["nodes"] if node["id"] != "frame"]
    document["edges"] = []
    sweep = client.workflow(document).sweep(end_frame=[2, 3], values={"cut.video": video})
    sweep.wait(progress=False)
    page = sweep.report(tmp_path / "report").read_text()
    assert page.count('"thumbnail":"image/webp"') == 2
    assert len(list((tmp_path / "report" / "images").glob("*.mp4"))) == 2
    sheet = sweep.grid(columns="end_frame", cell=64)
    assert sheet.width > 128


# ---------------------------------------------------------------------- the command


@pytest.fixture
def ivk(
    ivk_command: Command, server: RealServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Command]:
    monkeypatch.setenv("INVOKEAI_URL", server.url)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clip.mp4").write_bytes(DATA)
    yield ivk_command


def test_ivk_videos(ivk: Command, client: InvokeAIClient, tmp_path: Path) -> None:
    client.boards.create_board("Clips")
    [name] = ivk("videos", "put", "clip.mp4", "--board", "Clips").lines
    [other] = ivk("videos", "put", "*.mp4").lines
    listed = ivk("videos", "ls", "--board", "clips")
    assert [[row[0], *row[2:]] for row in listed.cells] == [[name, "64×64", "0.8 s", "Clips", "user"]]
    [line, result] = ivk("videos", "ls", "--board", "Clips", "--json").objects
    assert (line["event"], line["name"], line["duration"]) == ("video", name, 0.75)
    assert (result["ok"], result["videos"], result["more"]) == (True, 1, False)
    [path] = ivk("videos", "get", "-", "-o", "got", stdin=listed.out).lines
    assert (tmp_path / path).read_bytes() == DATA
    assert ivk("videos", "get", name, "-o", "one.mp4").lines == ["one.mp4"]
    assert ivk("videos", "get", name, "--thumbnails", "--as", "{index}").lines == ["0.thumbnail.webp"]
    assert ivk("videos", "star", name).said == "Starred 1 video."
    assert [row[0] for row in ivk("videos", "ls", "--starred").cells] == [name]
    assert ivk("videos", "unstar", name).said == "Unstarred 1 video."
    facts = ivk("videos", "info", name).out
    for fact in (name, "64×64", "0.8 s", "Clips"):
        assert fact in facts
    assert "no embedded workflow" in ivk("videos", "info", name, "--workflow").err
    assert ivk("videos", "mv", name, "--board", "none").said.startswith("Moved 1 video.")
    missing = ivk("videos", "rm", name, GONE, "--yes")
    assert missing.code != 0
    assert "No video named" in missing.err
    assert ivk("videos", "rm", name, other, "--yes").said == "Deleted 2 videos."
    assert ivk("videos", "ls").lines == []


def test_ivk_boards_names_the_videos_that_it_deletes(ivk: Command, client: InvokeAIClient) -> None:
    board = client.boards.create_board("Clips")
    client.videos.upload(CLIP, board_id=board)
    asked = ivk("boards", "rm", "Clips", "--images", stdin="n\n")
    assert "0 images and 1 video" in asked.err
    assert client.videos.count_videos() == 1
    assert "1" in next(row for row in ivk("boards", "ls").cells if row[0] == "Clips")
    assert ivk("boards", "rm", "Clips", "--images", "--yes").code == 0
    assert client.videos.count_videos() == 0


def test_ivk_run_saves_videos(ivk: Command, client: InvokeAIClient, video: str, tmp_path: Path) -> None:
    (tmp_path / "cut.json").write_text(json.dumps(cutting()))
    option = ("-s", f"cut.video={video}")
    paths = ivk("run", "cut.json", *option, "-o", "out").lines
    assert [Path(path).suffix for path in paths] == [".png", ".mp4"]
    assert ivk("run", "cut.json", *option, "-o", "made.mp4").lines == ["made.png", "made.mp4"]
    *_, result = ivk("run", "cut.json", *option, "-o", "out", "--json").objects
    assert [one["path"].endswith(".mp4") for one in result["videos"]] == [True]
    swept = ivk("sweep", "cut.json", *option, "-s", "end_frame=2,3", "-o", "swept")
    assert swept.code == 0, swept.err
    assert sorted(path.suffix for path in (tmp_path / "swept" / "images").iterdir()) == [
        ".mp4",
        ".mp4",
        ".png",
        ".png",
    ]


def test_ivk_run_refuses_a_video_file_for_a_workflow_without_videos(ivk: Command, tmp_path: Path) -> None:
    blank = workflow("Blank", {"draw": ("blank_image", {"width": 64, "height": 64})}, [], final=["draw"])
    (tmp_path / "blank.json").write_text(json.dumps(blank))
    refused = ivk("run", "blank.json", "-o", "a.mp4")
    assert refused.code != 0
    assert "Cannot save an image as a.mp4" in refused.err
