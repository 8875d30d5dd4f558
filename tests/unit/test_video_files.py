"""Videos without a server: their files, their names, and servers that have no videos or others."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer

from invokeai_py_client import AsyncInvokeAIClient
from invokeai_py_client.errors import ServerTooOldError, UsageError
from invokeai_py_client.files.convert import check_target
from invokeai_py_client.files.formats import is_whole
from invokeai_py_client.files.names import RunFile, paths_of_run_files
from invokeai_py_client.models import IvkVideo

CLIP = (Path(__file__).parents[1] / "data" / "tiny.mp4").read_bytes()


def box(kind: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">I4s", len(content) + 8, kind) + content


LARGE = struct.pack(">I4sQ", 1, b"mdat", 20) + b"data"
OPEN = struct.pack(">I4s", 0, b"mdat") + b"to the end"


@pytest.mark.parametrize(
    ("data", "whole"),
    [
        (CLIP, True),
        (CLIP[:-1], False),
        (CLIP + b"\0", False),
        (box(b"ftyp", b"isom") + box(b"moov") + LARGE, True),
        (box(b"ftyp", b"isom") + box(b"moov") + LARGE[:-1], False),
        (box(b"ftyp", b"isom") + box(b"moov") + OPEN, True),
        (box(b"ftyp", b"isom"), False),
        (struct.pack(">I4s", 4, b"ftyp") * 3, False),
        (b"", False),
        (b"\x89PNG\r\n\x1a\n", False),
    ],
)
def test_complete_mp4_files_are_recognized(tmp_path: Path, data: bytes, whole: bool) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(data)
    assert is_whole(path) is whole


def test_videos_are_saved_as_mp4_only() -> None:
    for name in ("a.mp4", "A.MP4", "a", "cfg 7.5"):
        check_target(Path(name), "MP4")
    for name in ("a.png", "a.mov", "a.txt", "a.webp"):
        with pytest.raises(
            UsageError, match=re.escape(f"Cannot save a video as {name}: ") + r"\.\w+ is not a"
        ):
            check_target(Path(name), "MP4")


def files(*kinds: Any) -> list[RunFile]:
    return [
        RunFile(f"x{place}.{'png' if kind == 'image' else 'mp4'}", {"seed": 7}, 0, 12, kind=kind)
        for place, kind in enumerate(kinds)
    ]


@pytest.mark.parametrize(
    ("template", "kinds", "names"),
    [
        ("{seed}.png", ("image", "video"), ["7.png", "7.mp4"]),
        ("{seed}.jpg", ("image", "video", "video"), ["7.jpg", "7.mp4", "7-2.mp4"]),
        ("{seed}.mp4", ("image", "video"), ["7.png", "7.mp4"]),
        ("{seed}.mp4", ("image",), ["7.mp4"]),
        ("{seed}", ("video",), ["7.mp4"]),
        ("{image}.png", ("video",), ["x0.mp4"]),
        ("out/", ("image", "video"), ["x0.png", "x1.mp4"]),
    ],
)
def test_names_of_the_videos_of_a_run(template: str, kinds: tuple[str, ...], names: list[str]) -> None:
    assert [path.name for path in paths_of_run_files(template, files(*kinds))] == names


def test_records_work_like_names() -> None:
    record = IvkVideo.from_api_response({"video_name": "a.mp4", "duration": 2, "new": [1]})
    assert record == "a.mp4" == str(record)
    assert {record: 1}["a.mp4"] == 1  # pyright: ignore[reportArgumentType]
    assert IvkVideo.from_api_response(json.loads(json.dumps(record.to_dict()))) == record
    with pytest.raises(UsageError, match=r"client\.videos\.get_video\('a\.mp4'\)"):
        record.bytes()


# ---------------------------------------------------------------------- servers without videos, or with other ones


class OldServer:
    """A server before 6.14.

    Attributes:
        version: Its version.
        asked: The requests about videos.
    """

    def __init__(self, version: str) -> None:
        self.version = version
        self.asked: list[tuple[str, str]] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/api/v1/app/version":
            return web.json_response({"version": self.version})
        self.asked.append((request.method, request.path))
        if self.version.startswith(
            "6.8"
        ):  # it has the first videos, whose records and requests have other fields
            if request.path == "/api/v1/videos/":
                items = [{"video_id": "a"}] if "search_term" in request.query else []
                return web.json_response({"items": items, "total": len(items), "offset": 0, "limit": 10})
            if request.method == "POST" and request.path.rpartition("/")[2] in ("star", "unstar", "delete"):
                return web.json_response(
                    {"detail": [{"loc": ["body", "video_ids"], "msg": "required"}]}, status=422
                )
        if self.version.startswith("6.13") and request.method == "GET":
            return web.Response(text="<html>", content_type="text/html")
        return web.json_response({"detail": "Not Found"}, status=404)


@pytest_asyncio.fixture(params=["5.15.0", "6.8.1", "6.13.7"])
async def old(request: pytest.FixtureRequest) -> AsyncIterator[tuple[OldServer, AsyncInvokeAIClient]]:
    server = OldServer(request.param)
    application = web.Application()
    application.router.add_route("*", "/{rest:.*}", server.handle)
    async with (
        TestServer(application) as running,
        AsyncInvokeAIClient.from_url(str(running.make_url("")), max_retries=0) as client,
    ):
        yield server, client


CALLS: dict[str, Callable[[Any], Any]] = {
    "list": lambda videos: videos.list_videos(),
    "search": lambda videos: videos.list_videos(search_term="fox"),
    "count": lambda videos: videos.count_videos(),
    "names": lambda videos: videos.list_names(),
    "find": lambda videos: videos.find_video("a.mp4"),
    "get": lambda videos: videos.get_videos(["a.mp4"]),
    "record": lambda videos: videos.video("a.mp4").record(),
    "metadata": lambda videos: videos.get_metadata("a.mp4"),
    "download": lambda videos: videos.download("a.mp4"),
    "download to": lambda videos: videos.download_to("a.mp4", "x.mp4"),
    "thumbnail": lambda videos: videos.thumbnail("a.mp4"),
    "upload": lambda videos: videos.upload(CLIP),
    "star": lambda videos: videos.star("a.mp4"),
    "unstar": lambda videos: videos.unstar("a.mp4"),
    "move": lambda videos: videos.move("a.mp4", "none"),
    "update": lambda videos: videos.update("a.mp4", starred=True),
    "delete": lambda videos: videos.delete("a.mp4"),
    "delete all": lambda videos: videos.delete_uncategorized(),
}


@pytest.mark.parametrize("call", CALLS)
async def test_older_servers_are_reported_as_such(
    old: tuple[OldServer, AsyncInvokeAIClient], call: str
) -> None:
    server, client = old
    with pytest.raises(
        ServerTooOldError, match=rf"InvokeAI 6\.14 or later; this server is {server.version}"
    ) as caught:
        await CALLS[call](client.videos)
    assert (caught.value.since, caught.value.version) == ("6.14", server.version)
    assert ("DELETE", "/api/v1/videos/uncategorized") not in server.asked
