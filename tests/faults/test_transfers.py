"""Downloads, uploads and zips of many images, from servers that disconnect, lose data, refuse or stay silent."""

from __future__ import annotations

import asyncio
import io
import socket
import zipfile
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import socketio
from aiohttp import web
from PIL import Image as Pillow

from invokeai_py_client import AsyncInvokeAIClient, InvokeAIClient
from invokeai_py_client.errors import (
    BadRequestError,
    ConnectionLostError,
    NotFoundError,
    RequestTimeoutError,
    RunTimeoutError,
    ServerError,
    ServerUnreachableError,
    TransferError,
    UsageError,
)
from invokeai_py_client.files.atomic import AtomicFile
from invokeai_py_client.image.transfer import TransferProgress
from invokeai_py_client.transport import timing
from invokeai_py_client.transport.http import HttpTransport

PATIENCE = 30
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def png(color: str = "red") -> bytes:
    buffer = io.BytesIO()
    Pillow.new("RGB", (20, 20), color).save(buffer, "PNG")
    return buffer.getvalue()


@asynccontextmanager
async def served(
    handle: Handler, sockets: socketio.AsyncServer | None = None, retries: int = 1
) -> AsyncGenerator[AsyncInvokeAIClient]:
    application = web.Application()
    if sockets is not None:
        sockets.attach(application, socketio_path="/ws/socket.io")  # pyright: ignore[reportUnknownMemberType]
    application.router.add_route("*", "/api/{rest:.*}", handle)
    runner = web.AppRunner(application, shutdown_timeout=1)
    await runner.setup()
    listener = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, listener).start()
    port = listener.getsockname()[1]
    try:
        async with (
            asyncio.timeout(PATIENCE),
            AsyncInvokeAIClient("127.0.0.1", port, max_retries=retries) as client,
        ):
            yield client
    finally:
        await runner.cleanup()


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.*")}


def name_of(request: web.Request) -> str:
    return request.path.split("/")[-2]


async def cut(request: web.Request, data: bytes) -> web.StreamResponse:
    """Half of a file whose length was announced, then the end of the connection."""
    response = web.StreamResponse(headers={"Content-Length": str(len(data)), "Content-Type": "image/png"})
    await response.prepare(request)
    await response.write(data[: len(data) // 2])
    assert request.transport is not None
    request.transport.abort()
    return response


async def silently_cut(request: web.Request, data: bytes, kind: str = "image/png") -> web.StreamResponse:
    """Half of a file without an announced length, as if it were complete."""
    response = web.StreamResponse(headers={"Content-Type": kind})
    response.enable_chunked_encoding()
    await response.prepare(request)
    await response.write(data[: len(data) // 2])
    await response.write_eof()
    return response


# ---------------------------------------------------------------------- downloads


@pytest.mark.parametrize("breaking", [cut, silently_cut])
async def test_truncated_download_is_repeated(tmp_path: Path, breaking: Any) -> None:
    asked: list[str] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        name = name_of(request)
        asked.append(name)
        if name == "b.png" and asked.count(name) == 1:
            return await breaking(request, png())
        return web.Response(body=png(), content_type="image/png")

    async with served(handle) as client:
        paths = await client.image_repo.download_images(["a.png", "b.png", "c.png"], tmp_path / "out")
    assert paths == [tmp_path / "out" / f"{name}.png" for name in "abc"]
    assert files(tmp_path / "out") == {f"{name}.png": png() for name in "abc"}
    assert sorted(asked) == ["a.png", "b.png", "b.png", "c.png"]


@pytest.mark.parametrize("breaking", [cut, silently_cut])
async def test_truncated_download_is_reported_and_removed(tmp_path: Path, breaking: Any) -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        if name_of(request) == "b.png":
            return await breaking(request, png())
        if name_of(request) == "empty.png":
            return web.Response(body=b"", content_type="image/png")
        return web.Response(body=png(), content_type="image/png")

    async with served(handle) as client:
        names = ["a.png", "b.png", "empty.png", "c.png"]
        with pytest.raises(TransferError, match=r"2 of 4 images .*\n  b\.png: ") as caught:
            await client.image_repo.download_images(names, tmp_path)
    assert {name: type(error) for name, error in caught.value.failed.items()} == {
        "b.png": ConnectionLostError,
        "empty.png": ConnectionLostError,
    }
    assert caught.value.done == {"a.png": tmp_path / "a.png", "c.png": tmp_path / "c.png"}
    assert files(tmp_path) == {"a.png": png(), "c.png": png()}


async def test_complete_files_are_not_downloaded_again(tmp_path: Path) -> None:
    asked: list[str] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        asked.append(name_of(request))
        return web.Response(body=png("blue"), content_type="image/png")

    (tmp_path / "whole.png").write_bytes(png())
    (tmp_path / "part.png").write_bytes(png()[:-5])
    (tmp_path / "0.png").write_bytes(png())
    names = ["whole.png", "part.png", "new.png"]
    progress_reports: list[TransferProgress] = []
    async with served(handle) as client:
        images = client.image_repo
        paths = await images.download_images(
            names, tmp_path, concurrency=1, on_progress=progress_reports.append
        )
        assert paths == [tmp_path / name for name in names]
        assert asked == ["part.png", "new.png"]
        assert [(progress.name, progress.done, progress.total) for progress in progress_reports] == [
            ("part.png", 2, 3),
            ("new.png", 3, 3),
        ]
        assert (tmp_path / "whole.png").read_bytes() == png()
        assert (tmp_path / "part.png").read_bytes() == png("blue")
        asked.clear()
        assert await images.download_images(names, tmp_path) == paths
        assert asked == []
        await images.download_images(names, tmp_path, overwrite=True)
        assert sorted(asked) == sorted(names)
        # An existing file counts only if its name identifies the image.
        await images.download_images(["whole.png"], tmp_path, template="{index}")
        assert (tmp_path / "0.png").read_bytes() == png("blue")


async def test_duplicate_image_is_downloaded_once(tmp_path: Path) -> None:
    asked: list[str] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        asked.append(name_of(request))
        return web.Response(body=png(), content_type="image/png")

    async with served(handle) as client:
        paths = await client.image_repo.download_images(["a.png", "b.png", "a.png"], tmp_path)
        assert await client.image_repo.download_images([], tmp_path) == []
    assert paths == [tmp_path / "a.png", tmp_path / "b.png", tmp_path / "a.png"]
    assert sorted(asked) == ["a.png", "b.png"]


async def test_downloads_stop_if_server_is_gone(tmp_path: Path) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    listener.close()
    async with AsyncInvokeAIClient("127.0.0.1", port, max_retries=0) as client:
        with pytest.raises(TransferError) as caught:
            await client.image_repo.download_images([f"{n}.png" for n in range(500)], tmp_path)
        assert client.connection.http.sent <= 8
    assert len(caught.value.failed) == 500
    assert {type(error) for error in caught.value.failed.values()} == {ServerUnreachableError}


async def test_folder_that_is_not_writable(tmp_path: Path) -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        return web.Response(body=png(), content_type="image/png")

    (tmp_path / "file").write_text("in the way")
    async with served(handle) as client:
        with pytest.raises(TransferError, match="Cannot write the file") as caught:
            await client.image_repo.download_images(["a.png"], tmp_path / "file")
        assert isinstance(caught.value.failed["a.png"], UsageError)
        with pytest.raises(UsageError, match="not a valid name or id of an image"):
            await client.image_repo.download_images(["a.png", "../up.png"], tmp_path / "out")
    assert not (tmp_path / "out").exists(), "nothing was fetched"


async def test_interrupted_download_leaves_complete_files_only(tmp_path: Path) -> None:
    held = asyncio.Event()

    async def handle(request: web.Request) -> web.StreamResponse:
        if name_of(request) != "b.png":
            return web.Response(body=png(), content_type="image/png")
        response = web.StreamResponse(headers={"Content-Length": "100000"})
        await response.prepare(request)
        await response.write(png())
        held.set()
        await asyncio.Event().wait()
        return response

    async with served(handle) as client:
        download = asyncio.ensure_future(
            client.image_repo.download_images(["a.png", "b.png"], tmp_path, concurrency=1)
        )
        await held.wait()
        download.cancel()
        with pytest.raises(asyncio.CancelledError):
            await download
    assert files(tmp_path) == {"a.png": png()}


# ---------------------------------------------------------------------- one image

Save = Callable[[AsyncInvokeAIClient, Path], Awaitable[Path]]


async def by_image(client: AsyncInvokeAIClient, path: Path) -> Path:
    return await client.image_repo.image("a.png").save(path)


async def by_repository(client: AsyncInvokeAIClient, path: Path) -> Path:
    return await client.image_repo.download_to("a.png", path)


saved_by = pytest.mark.parametrize("save", [by_image, by_repository])


@saved_by
@pytest.mark.parametrize("breaking", [cut, silently_cut])
async def test_truncated_image_is_downloaded_again(tmp_path: Path, save: Save, breaking: Any) -> None:
    seen: list[dict[str, bytes]] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        seen.append(files(tmp_path))
        if len(seen) == 1:
            return await breaking(request, png())
        return web.Response(body=png(), content_type="image/png")

    async with served(handle) as client:
        assert await save(client, tmp_path / "out.png") == tmp_path / "out.png"
    assert seen == [{}, {}], "the half file was removed before the image was fetched again"
    assert files(tmp_path) == {"out.png": png()}


@saved_by
@pytest.mark.parametrize("breaking", [cut, silently_cut])
async def test_truncated_image_keeps_existing_file(tmp_path: Path, save: Save, breaking: Any) -> None:
    asked: list[str] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        asked.append(name_of(request))
        return await breaking(request, png())

    async with served(handle, retries=2) as client:
        with pytest.raises(ConnectionLostError):
            await save(client, tmp_path / "new.png")
        assert files(tmp_path) == {}
        assert len(asked) == 4, "once more at once, as every read, and two retries"
        (tmp_path / "old.png").write_bytes(png("blue"))
        with pytest.raises(ConnectionLostError):
            await save(client, tmp_path / "old.png")
    assert files(tmp_path) == {"old.png": png("blue")}


@saved_by
async def test_large_image_is_streamed_to_disk(
    tmp_path: Path, save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    filling = bytes(1 << 20)
    start, end = png()[:-12], png()[-12:]
    size = len(png()) + 24 * len(filling)
    pieces: list[int] = []
    write = AtomicFile.write

    def counted(file: AtomicFile, data: bytes) -> None:
        pieces.append(len(data))
        write(file, data)

    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(size), "Content-Type": "image/png"})
        await response.prepare(request)
        for piece in (start, *[filling] * 24, end):
            await response.write(piece)
        return response

    async def as_a_whole(*_: object, **__: object) -> bytes:
        raise AssertionError("the whole image was read into memory")

    monkeypatch.setattr(AtomicFile, "write", counted)
    monkeypatch.setattr(HttpTransport, "bytes", as_a_whole)
    async with served(handle) as client:
        path = await save(client, tmp_path / "large.png")
    assert path.stat().st_size == sum(pieces) == size
    assert max(pieces) <= 1 << 18


async def test_loaded_bytes_are_not_downloaded_again(tmp_path: Path) -> None:
    asked: list[str] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        asked.append(name_of(request))
        if len(asked) == 1:
            return await silently_cut(request, png("blue"))
        return web.Response(body=png(), content_type="image/png")

    async with served(handle) as client:
        whole, part = client.image_repo.image("b.png"), client.image_repo.image("a.png")
        half = await part.bytes()
        assert await whole.bytes() == png()
        assert await whole.save(f"{tmp_path}/new/") == tmp_path / "new" / "b.png"
        assert asked == ["a.png", "b.png"]
        # Truncated bytes are not written to disk.
        assert len(half) < len(png("blue"))
        await part.save(tmp_path)
    assert asked == ["a.png", "b.png", "a.png"]
    assert files(tmp_path) == {"new/b.png": png(), "a.png": png()}


# ---------------------------------------------------------------------- uploads


async def test_failed_upload_is_reported_and_not_repeated(tmp_path: Path) -> None:
    sent: list[bytes] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        form = await request.post()
        field = form["file"]
        assert isinstance(field, web.FileField)
        data = field.file.read()
        sent.append(data)
        if data == png("blue"):
            return web.json_response({"detail": "no"}, status=400)
        if data == png("green"):
            assert request.transport is not None
            request.transport.abort()
        return web.json_response({"image_name": f"{len(sent)}.png"})

    for color in ("red", "blue", "green", "white"):
        (tmp_path / f"{color}.png").write_bytes(png(color))
    progress_reports: list[TransferProgress] = []
    async with served(handle) as client:
        with pytest.raises(TransferError, match="2 of 4 images could not be uploaded") as caught:
            await client.image_repo.upload_images(
                tmp_path, concurrency=1, on_progress=progress_reports.append
            )
    blue, green, red, white = (str(tmp_path / f"{c}.png") for c in ("blue", "green", "red", "white"))
    assert {name: type(error) for name, error in caught.value.failed.items()} == {
        blue: BadRequestError,
        green: ConnectionLostError,
    }
    assert {name: one.image_name for name, one in caught.value.done.items()} == {red: "3.png", white: "4.png"}
    assert len(sent) == 4, "an upload whose answer is lost may be there"
    assert (progress_reports[-1].done, progress_reports[-1].failed, progress_reports[-1].size) == (
        2,
        2,
        len(png("red") + png("white")),
    )


# ---------------------------------------------------------------------- zips


@cache  # a zip contains its creation time
def a_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("general/a.png", png())
    return buffer.getvalue()


class Zips:
    """A server that creates zips.

    Attributes:
        requests: The bodies of the requests for a zip.
        ready: How many downloads of a zip fail before it is ready.
        event: The event that is sent for each zip, and its payload.
    """

    def __init__(self, *events: tuple[str, dict[str, Any]], vain: int = 0) -> None:
        self.sockets: Any = socketio.AsyncServer(async_mode="aiohttp")
        self.rooms: list[Any] = []
        self.requests: list[Any] = []
        self.looks = 0
        self.vain = vain
        self.bodies = [a_zip()]
        self.events = events
        self.sockets.on("subscribe_bulk_download", self._subscribed)

    async def _subscribed(self, sid: str, data: Any) -> None:
        self.rooms.append(data)
        await self.sockets.enter_room(sid, "zips")

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.method == "POST":
            self.requests.append(await request.json())
            item = f"zip {len(self.requests)}.zip"
            for name, more in self.events:  # before the response, which can arrive that late
                await self.sockets.emit(name, {"bulk_download_item_name": item, **more}, room="zips")
            return web.json_response({"bulk_download_item_name": item}, status=202)
        if request.path.endswith("/boards/"):
            return web.json_response([{"board_id": "b", "board_name": "Board"}])
        if "/download/" not in request.path:
            return web.json_response({"detail": "no such thing"}, status=404)
        self.looks += 1
        if self.looks <= self.vain:
            return web.json_response({"detail": "not yet"}, status=404)
        body = self.bodies.pop(0)
        if body != a_zip():
            return await silently_cut(request, a_zip(), "application/zip")
        return web.Response(body=body, content_type="application/zip")


COMPLETE = ("bulk_download_complete", {})


async def test_zip_is_downloaded_after_event(tmp_path: Path) -> None:
    zips = Zips(("bulk_download_started", {}), COMPLETE)
    async with served(zips.handle, zips.sockets) as client:
        path = await client.image_repo.bulk_download(f"{tmp_path}/zips/", ["a.png"])
    assert path == tmp_path / "zips" / "zip 1.zip"
    assert path.read_bytes() == a_zip()
    assert (zips.requests, zips.looks) == ([{"image_names": ["a.png"]}], 1)
    assert zips.rooms == [{"bulk_download_id": "default"}]


async def test_zip_without_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "ZIP_POLL", 0.01)
    zips = Zips(vain=3)
    async with served(zips.handle) as client:  # the server accepts no event connection
        path = await client.image_repo.bulk_download(tmp_path / "a.zip", board_id="b")
    assert path.read_bytes() == a_zip()
    assert (zips.requests, zips.looks) == ([{"board_id": "b"}], 4)


async def test_zip_with_lost_event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "ZIP_SILENCE", 0.01)
    zips = Zips(vain=1)
    async with served(zips.handle, zips.sockets) as client:
        await client.image_repo.bulk_download(tmp_path / "a.zip", board_id="b")
    assert (len(zips.requests), zips.looks) == (1, 2)


async def test_zip_downloaded_too_early_is_requested_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timing, "ZIP_SILENCE", 0.01)
    zips = Zips()
    zips.bodies.insert(0, b"half")
    async with served(zips.handle, zips.sockets) as client:
        path = await client.image_repo.bulk_download(tmp_path / "a.zip", board_id="b")
    assert path.read_bytes() == a_zip()
    assert len(zips.requests) == 2
    assert files(tmp_path) == {"a.zip": a_zip()}


@pytest.mark.parametrize(
    ("said", "kind"), [("Image record not found", NotFoundError), ("disk full", ServerError)]
)
async def test_zip_that_fails(tmp_path: Path, said: str, kind: Any) -> None:
    zips = Zips(("bulk_download_error", {"error": said}))
    async with served(zips.handle, zips.sockets) as client:
        with pytest.raises(kind, match=f"could not create the zip: {said}"):
            await client.image_repo.bulk_download(tmp_path / "a.zip", ["a.png"])
    assert files(tmp_path) == {}
    assert zips.looks == 0


async def test_zip_that_never_arrives(tmp_path: Path) -> None:
    zips = Zips()
    async with served(zips.handle, zips.sockets) as client:
        with pytest.raises(RequestTimeoutError, match=r"did not create the zip within 0\.2 seconds"):
            await client.image_repo.bulk_download(tmp_path / "a.zip", ["a.png"], timeout=0.2)
        with pytest.raises(UsageError, match="expects either image_names"):
            await client.image_repo.bulk_download(tmp_path / "a.zip")
        with pytest.raises(UsageError, match="expects either image_names"):
            await client.image_repo.bulk_download(tmp_path / "a.zip", ["a.png"], board_id="b")


# ---------------------------------------------------------------------- waiting for an idle queue


def queue_state(pending: int, started: bool = True) -> dict[str, Any]:
    counts = {"queue_id": "default", "item_id": 7, "pending": pending, "in_progress": 1 if pending else 0}
    return {"queue": counts, "processor": {"is_started": started, "is_processing": False}}


async def test_wait_for_idle_queue_times_out() -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        return web.json_response(queue_state(3, started=False))

    async with served(handle) as client:
        with pytest.raises(RunTimeoutError) as caught:
            await client.queue_repo.wait_until_idle(timeout=0.3)
    assert str(caught.value) == (
        "The queue 'default' was not idle after 0.3 s: 3 pending, 1 running (item 7); its processor is paused"
        "."
    )
    assert caught.value.item_id == 7


async def test_idle_queue_is_noticed_by_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """The status is not polled: every read but the first follows an event."""
    monkeypatch.setattr(timing, "QUEUE_SILENCE", 3600.0)
    left = [2, 1, 0]
    sockets: Any = socketio.AsyncServer(async_mode="aiohttp")

    async def subscribed(sid: str, data: Any) -> None:
        assert data == {"queue_id": "default"}

    sockets.on("subscribe_queue", subscribed)

    async def handle(request: web.Request) -> web.StreamResponse:
        pending = left.pop(0) if left else 0
        if pending:
            for queue_id, status in (
                ("other", "completed"),
                ("default", "in_progress"),
                ("default", "failed"),
            ):
                await sockets.emit("queue_item_status_changed", {"queue_id": queue_id, "status": status})
        return web.json_response(queue_state(pending))

    async with served(handle, sockets) as client:
        status = await client.queue_repo.wait_until_idle()
    assert status.unfinished == 0
    assert left == []


def test_callbacks_of_synchronous_client_run_in_calling_thread(tmp_path: Path) -> None:
    """Callbacks may use the client."""
    import threading

    async def serve(ready: Any) -> None:
        async def handle(request: web.Request) -> web.StreamResponse:
            return web.Response(body=png(), content_type="image/png")

        async with served(handle) as client:
            ready.set_result(client.url)
            await asyncio.Event().wait()

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:

        async def begin() -> tuple[str, asyncio.Task[None]]:
            ready: asyncio.Future[str] = loop.create_future()
            task = asyncio.ensure_future(serve(ready))
            return await ready, task

        url, task = asyncio.run_coroutine_threadsafe(begin(), loop).result()
        threads: list[int] = []
        sizes: list[int] = []
        with InvokeAIClient.from_url(url) as client:

            def progress_reports(progress: TransferProgress) -> None:
                threads.append(threading.get_ident())
                sizes.append(len(client.image_repo.download(progress.name)))

            client.image_repo.download_images(["a.png", "b.png"], tmp_path, on_progress=progress_reports)
        assert threads == [threading.get_ident()] * 2
        assert sizes == [len(png())] * 2

        async def end() -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
