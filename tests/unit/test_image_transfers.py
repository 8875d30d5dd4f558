"""Transfers of many files: order, concurrency, failures and file names."""

from __future__ import annotations

import asyncio
import io
import pickle
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow

from invokeai_py_client.errors import (
    AuthenticationError,
    ConnectionLostError,
    InputValueError,
    InvokeAIClientError,
    NotFoundError,
    ServerUnreachableError,
    TransferError,
    UsageError,
)
from invokeai_py_client.files.names import needs_records, paths_for
from invokeai_py_client.image.responses import name_list
from invokeai_py_client.image.transfer import TransferProgress, transfer_all
from invokeai_py_client.image.upload import named_sources
from invokeai_py_client.models import IvkImage

JOBS = [(f"file {number}", number) for number in range(6)]


async def test_results_are_in_the_order_of_the_jobs() -> None:
    gates = [asyncio.Event() for _ in JOBS]
    gates[5].set()

    async def move(number: int) -> tuple[str, int]:
        await gates[number].wait()
        if number:
            gates[number - 1].set()  # the last job finishes first
        return f"result {number}", 10

    reported: list[TransferProgress] = []
    results = await transfer_all(JOBS, move, what="moved", concurrency=6, on_progress=reported.append)
    assert results == [f"result {number}" for number in range(6)]
    assert [progress.name for progress in reported] == [f"file {number}" for number in range(6)][::-1]
    assert reported[-1] == TransferProgress("file 0", 6, 0, 6, 60)


async def test_concurrency_is_limited() -> None:
    now, most = 0, 0

    async def move(number: int) -> tuple[int, int]:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1
        return number, 0

    await transfer_all(JOBS, move, what="moved", concurrency=2)
    assert most == 2
    assert await transfer_all([], move, what="moved") == []
    with pytest.raises(UsageError, match="Invalid concurrency 0"):
        await transfer_all(JOBS, move, what="moved", concurrency=0)


def failing(errors: dict[int, InvokeAIClientError]) -> Any:
    async def move(number: int) -> tuple[int, int]:
        if number in errors:
            raise errors[number]
        return number, 1

    return move


async def test_transfer_error_lists_all_failures() -> None:
    errors: dict[int, InvokeAIClientError] = {
        1: NotFoundError(404, None, "gone"),
        4: ConnectionLostError(None, None, "broken"),
    }
    reported: list[TransferProgress] = []
    with pytest.raises(TransferError) as caught:
        await transfer_all(
            JOBS, failing(errors), what="moved", there={"had": 99}, concurrency=1, on_progress=reported.append
        )
    assert caught.value.failed == {"file 1": errors[1], "file 4": errors[4]}
    assert caught.value.done == {"had": 99, "file 0": 0, "file 2": 2, "file 3": 3, "file 5": 5}
    assert str(caught.value) == "2 of 7 images could not be moved:\n  file 1: gone\n  file 4: broken"
    assert (reported[-1].done, reported[-1].failed, reported[-1].total, reported[-1].size) == (5, 2, 7, 4)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.done, list(again.failed)) == (
        str(caught.value),
        caught.value.done,
        ["file 1", "file 4"],
    )


@pytest.mark.parametrize("kind", [ServerUnreachableError, AuthenticationError])
async def test_unreachable_server_stops_the_transfer(kind: Any) -> None:
    error = kind(None, None, "no way")
    with pytest.raises(TransferError) as caught:
        await transfer_all(JOBS, failing({2: error}), what="moved", concurrency=1)
    assert caught.value.done == {"file 0": 0, "file 1": 1}
    assert caught.value.failed == dict.fromkeys([f"file {number}" for number in range(2, 6)], error)


async def test_long_list_of_failures_is_shortened() -> None:
    errors: dict[int, InvokeAIClientError] = {n: NotFoundError(404, None, "gone") for n in range(30)}
    jobs = [(str(number), number) for number in range(30)]
    with pytest.raises(TransferError, match=r"and 20 more\.$") as caught:
        await transfer_all(jobs, failing(errors), what="moved")
    assert len(caught.value.failed) == 30


async def test_callback_exception_cancels_all_transfers() -> None:
    running: set[int] = set()

    async def move(number: int) -> tuple[int, int]:
        if number == 0:
            return 0, 0
        running.add(number)
        try:
            await asyncio.Event().wait()
        finally:
            running.discard(number)
        raise AssertionError

    def boom(_: TransferProgress) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await transfer_all(JOBS, move, what="moved", concurrency=4, on_progress=boom)
    assert running == set()


# --------------------------------------------------------------------------- names of files


def record(name: str, **more: Any) -> IvkImage:
    return IvkImage.from_api_response(
        {"image_name": name, "image_category": "general", "created_at": "2026-01-31 12:00:00.000", **more}
    )


def test_downloads_keep_image_names(tmp_path: Path) -> None:
    paths = paths_for(["a.png", "b.png"], {}, tmp_path, "{image}", ".png")
    assert paths == {"a.png": tmp_path / "a.png", "b.png": tmp_path / "b.png"}
    paths = paths_for(["a.png"], {}, tmp_path, "{image}", ".webp")
    assert paths == {"a.png": tmp_path / "a.thumbnail.webp"}


def test_templates_accept_record_fields(tmp_path: Path) -> None:
    assert not needs_records("{index:03}-{image}")
    assert needs_records("{width}-{image}")
    with pytest.raises(UsageError, match="Invalid template"):
        needs_records("{image")
    known = {"a.png": record("a.png", width=64, height=32)}
    template = "{created_at:%Y-%m}/{image_category} {width}x{height}-{index:03}"
    paths = paths_for(["gone.png", "a.png"], known, tmp_path, template, ".png")
    assert paths["a.png"] == tmp_path / "2026-01" / "general 64x32-001.png"
    assert paths["gone.png"] == tmp_path / "gone.png", "the download reports the missing image"
    with pytest.raises(UsageError, match=r"Unknown name \{painter\}"):
        paths_for(["a.png"], known, tmp_path, "{painter}", ".png")


def test_file_names_are_unique(tmp_path: Path) -> None:
    paths = paths_for(["a.png", "A.png", "b.png"], {}, tmp_path, "{image}", ".png")
    assert len({str(path).casefold() for path in paths.values()}) == 3
    paths = paths_for(["a.png", "b.png"], {}, tmp_path, "same", ".png")
    assert [path.name for path in paths.values()] == ["same.png", "same-2.png"]


@pytest.mark.parametrize(
    "name", ["../x.png", "..\\x.png", "..", "/etc/passwd", "C:\\x.png", "a\0b.png", "CON.png", "x" * 400]
)
def test_file_names_stay_in_the_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "{braces}"
    [path] = paths_for([name], {}, folder, "{image}", ".png").values()
    assert path.parent == folder
    assert path.resolve().is_relative_to(folder.resolve())
    assert len(path.name.encode()) < 255
    [path] = paths_for(
        [name],
        {"x": record("x")} | {name: record(name, session_id="../../up")},
        folder,
        "{session_id}/{image}",
        ".png",
    ).values()
    assert path.resolve().is_relative_to(folder.resolve())


# --------------------------------------------------------------------------- upload sources


def test_upload_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("b.png", "a.JPG", "notes.txt", "c.webp"):
        (tmp_path / name).write_bytes(b"x")
    in_order = [tmp_path / "a.JPG", tmp_path / "b.png", tmp_path / "c.webp"]
    assert named_sources(tmp_path) == [(str(path), path) for path in in_order]
    assert named_sources(f"{tmp_path}/*.png") == [(str(tmp_path / "b.png"), tmp_path / "b.png")]
    assert named_sources(tmp_path / "notes.txt") == [(str(tmp_path / "notes.txt"), tmp_path / "notes.txt")]
    monkeypatch.chdir(tmp_path)
    assert [name for name, _ in named_sources(["b.png", "c.webp", "b.png"])] == [
        "b.png",
        "c.webp",
        "b.png (2)",
    ]
    picture = Pillow.new("RGB", (2, 2))
    assert named_sources([b"1", picture]) == [("image 0", b"1"), ("image 1", picture)]
    assert named_sources(b"1") == [("image 0", b"1")]  # pyright: ignore[reportArgumentType]


def test_missing_upload_sources(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        InputValueError, match=r"Image file not found: .*x\.png', .*y\.png'\. Nothing was uploaded"
    ):
        named_sources([tmp_path / "x.png", b"data", tmp_path / "y.png"])
    with pytest.raises(InputValueError, match=r"Image file not found: .*x\.png'"):
        named_sources(tmp_path / "x.png")
    with pytest.raises(UsageError, match="contains no images"):
        named_sources(tmp_path / "empty")
    with pytest.raises(UsageError, match="No file matches"):
        named_sources(str(tmp_path / "*.png"))
    with pytest.raises(UsageError, match="No images to upload"):
        named_sources([])


def test_name_list_accepts_names_and_records() -> None:
    assert name_list("a") == ["a"]
    assert name_list(record("a")) == ["a"]
    assert name_list(["b", record("a"), "b"]) == ["b", "a"]
    with pytest.raises(UsageError, match="of type BytesIO"):
        name_list([io.BytesIO()])  # pyright: ignore[reportArgumentType]
