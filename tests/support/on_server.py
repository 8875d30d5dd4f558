"""Fixtures for the session's server that several test folders share. Each conftest imports what it needs."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import pytest
import pytest_asyncio
import workflows
from both import Awaited
from PIL import Image as Pillow

from invokeai_py_client import AsyncInvokeAIClient, InvokeAIClient, Run
from invokeai_py_client.errors import ServerTooOldError
from invokeai_py_client.run.events import NodeProgress

if TYPE_CHECKING:
    from tests.conftest import RealServer


@pytest.fixture
def client(server: RealServer) -> Iterator[InvokeAIClient]:
    """A synchronous client for the real server."""
    with InvokeAIClient.from_url(server.url) as client:
        yield client


@pytest_asyncio.fixture
async def async_client(server: RealServer) -> AsyncIterator[AsyncInvokeAIClient]:
    """An asynchronous client for the real server."""
    async with AsyncInvokeAIClient.from_url(server.url) as client:
        yield client


@pytest.fixture
def picture() -> bytes:
    """A small PNG with some content."""
    image = Pillow.new("RGB", (64, 64))
    image.putdata([(x * 4, y * 4, (x ^ y) * 4) for y in range(64) for x in range(64)])
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


@pytest.fixture
def long_run(client: InvokeAIClient) -> Iterator[Callable[[], Run]]:
    """Start a run of a thousand steps and return it once it is denoising. Afterwards it is canceled."""
    started: list[Run] = []

    def start() -> Run:
        wf = client.workflow_repo.create_workflow(workflows.sd1(steps=1000, size=256))
        run = wf.start(model="tiny-sd1", seed=1000 + len(started))
        started.append(run)
        for event in run.events():
            if isinstance(event, NodeProgress) and event.node_id == "denoise" and event.fraction:
                break
        return run

    yield start
    for run in started:
        run.cancel()


@pytest.fixture
def held_queue(client: InvokeAIClient) -> Iterator[None]:
    """An empty, paused queue. Items added to it are deleted afterwards."""
    client.queue_repo.pause()
    client.queue_repo.clear()
    yield
    client.queue_repo.clear()
    client.queue_repo.resume()


@pytest.fixture
def uploaded(client: InvokeAIClient, picture: bytes) -> Iterator[str]:
    """The name of an image on the server."""
    name = client.image_repo.upload(picture, filename="picture.png").image_name
    yield name
    client.image_repo.delete(name)


@contextmanager
def gallery_restored(client: InvokeAIClient) -> Generator[None]:
    """Delete the boards, images and videos that are made meanwhile."""

    def there() -> tuple[set[str], set[str], set[str]]:
        images = client.image_repo.list_images(is_intermediate=None)
        boards = client.board_repo.list_boards(include_archived=True)
        try:
            videos = client.videos.list_names(is_intermediate=None)
        except ServerTooOldError:
            videos = []
        return {image.name for image in images}, {board.board_id for board in boards}, {*videos}

    images, boards, videos = there()
    try:
        yield
    finally:
        now_images, now_boards, now_videos = there()
        client.image_repo.delete(sorted(now_images - images))
        if now_videos - videos:
            client.videos.delete(sorted(now_videos - videos))
        for board_id in now_boards - boards:
            client.board_repo.delete_board(board_id)


@pytest.fixture
def nothing_left(server: RealServer) -> Iterator[None]:
    """Delete the boards, images and videos that a test makes."""
    with InvokeAIClient.from_url(server.url) as client, gallery_restored(client):
        yield


@pytest_asyncio.fixture(params=["asynchronous", "synchronous"])
async def either(server: RealServer, request: pytest.FixtureRequest) -> AsyncIterator[AsyncInvokeAIClient]:
    """Each client in turn, with an asynchronous interface."""
    if request.param == "asynchronous":
        async with AsyncInvokeAIClient.from_url(server.url) as client:
            yield client
    else:
        with InvokeAIClient.from_url(server.url) as client:
            yield cast("AsyncInvokeAIClient", Awaited(client))


@pytest.fixture
def save(client: InvokeAIClient) -> Iterator[Callable[[dict[str, Any]], str]]:
    """Save workflows to the server's library and return their ids. Afterwards they are deleted."""
    http, saved = client._impl.connection.http, list[str]()

    def keep(document: dict[str, Any]) -> str:
        record = client._call(http.json("POST", "/api/v1/workflows/", json={"workflow": document}))
        saved.append(record["workflow_id"])
        return saved[-1]

    yield keep
    for workflow_id in reversed(saved):
        client._call(http.json("DELETE", f"/api/v1/workflows/i/{workflow_id}"))
