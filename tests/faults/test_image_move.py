"""A server that moves its images to other folders, and rejects most requests about images meanwhile."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import workflows
from command import Command, ivk_command
from on_server import nothing_left, picture
from tests.conftest import RealServer

from invokeai_py_client import AsyncInvokeAIClient, AsyncRun
from invokeai_py_client.errors import ConflictError, MaintenanceError, TransferError
from invokeai_py_client.transport import timing
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.transport.retry import Outage, Retries

__all__ = ["ivk_command", "nothing_left", "picture"]

pytestmark = [pytest.mark.usefixtures("nothing_left"), pytest.mark.since("6.14")]


class Move:
    """A move of images that begins and ends when the test says so.

    The server itself decides that a move is going on, by the unfinished job in its database. A move of the few images
    of a test would be over before the next request.
    """

    def __init__(self, server: RealServer) -> None:
        self._database = server.root / "databases" / "invokeai.db"

    def begin(self) -> None:
        self._execute("INSERT INTO image_subfolder_move_jobs (state) VALUES ('planned')")

    def end(self) -> None:
        self._execute("DELETE FROM image_subfolder_move_jobs WHERE state = 'planned'")

    def _execute(self, statement: str) -> None:
        with closing(sqlite3.connect(self._database, timeout=20)) as database, database:
            database.execute(statement)


@pytest.fixture
def move(server: RealServer) -> Iterator[Move]:
    move = Move(server)
    yield move
    move.end()


@pytest_asyncio.fixture
async def client(server: RealServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AsyncInvokeAIClient]:
    monkeypatch.setattr(timing, "POLL", 0.05)
    async with AsyncInvokeAIClient.from_url(server.url, max_retries=1) as client:
        yield client


@pytest.fixture
def ends_after(move: Move, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[str]]:
    """End the move after a number of rejected attempts, and return a list of the codes of their errors."""

    def arrange(count: int) -> list[str]:
        seen: list[str] = []
        tolerate = Outage.tolerate

        async def counted(self: Outage, error: Any) -> None:
            seen.append(error.code)
            if len(seen) == count:
                move.end()
            await tolerate(self, error)

        monkeypatch.setattr(Outage, "tolerate", counted)
        return seen

    return arrange


async def ended_run(client: AsyncInvokeAIClient) -> AsyncRun:
    wf = await client.workflow(workflows.blank())
    return await wf.run(progress=False)


async def test_error_names_the_cause(server: RealServer, move: Move, picture: bytes) -> None:
    async with AsyncInvokeAIClient.from_url(server.url, max_retries=0, outage_timeout=0) as client:
        images = client.images
        name = (await images.upload(picture)).image_name
        move.begin()
        calls: list[Callable[[], Awaitable[Any]]] = [
            lambda: images.upload(picture),
            lambda: images.download(name),
            lambda: images.star([name]),
            lambda: images.delete([name]),
        ]
        for call in calls:
            with pytest.raises(
                (MaintenanceError, TransferError), match="Image storage maintenance is active"
            ) as caught:
                await call()
            found = caught.value
            errors = list(found.failed.values()) if isinstance(found, TransferError) else [found]
            assert {type(one) for one in errors} == {MaintenanceError}
            assert issubclass(MaintenanceError, ConflictError)
            assert "The server is moving its images to other folders" in str(errors[0])
            assert {one.code for one in errors} == {"maintenance"}
        move.end()
        assert (await images.get_image(name)).starred is False, "nothing was changed"
        await images.delete([name])


async def test_images_of_a_run_are_saved_after_the_move(
    client: AsyncInvokeAIClient, move: Move, ends_after: Callable[[int], list[str]], tmp_path: Path
) -> None:
    run = await ended_run(client)
    move.begin()
    seen = ends_after(4)
    path = await run.images[0].save(tmp_path)
    assert seen == ["maintenance"] * 4
    assert path.stat().st_size > 0


async def test_downloads_of_many_images_continue(
    client: AsyncInvokeAIClient, move: Move, ends_after: Callable[[int], list[str]], tmp_path: Path
) -> None:
    run = await ended_run(client)
    names = [image.image_name for image in run.images]
    move.begin()
    seen = ends_after(3)
    assert len(await client.images.download_images(names, tmp_path)) == len(names)
    assert set(seen) == {"maintenance"}


async def test_tolerance_is_limited(server: RealServer, move: Move, tmp_path: Path) -> None:
    async with AsyncInvokeAIClient.from_url(server.url, outage_timeout=0) as client:
        run = await ended_run(client)
        move.begin()
        with pytest.raises(MaintenanceError):
            await run.images[0].save(tmp_path)
        move.end()


async def test_run_is_enqueued_once_after_the_move(
    client: AsyncInvokeAIClient, move: Move, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request to enqueue is repeated like one that the server was too busy for."""
    delay_after = Retries.delay_after
    seen: list[str] = []

    def counted(self: Retries, error: Any) -> float | None:
        seen.append(error.code)
        move.end()
        return delay_after(self, error)

    monkeypatch.setattr(Retries, "delay_after", counted)
    wf = await client.workflow(workflows.add())
    move.begin()
    run = await wf.run(a=2, progress=False)
    assert run.status.ok
    assert seen == ["maintenance"]
    assert run.batch_id is not None
    assert (await client.queue.batch_status(run.batch_id)).total == 1


async def test_run_that_is_refused_was_not_enqueued(client: AsyncInvokeAIClient, move: Move) -> None:
    wf = await client.workflow(workflows.add())
    ids = await client.queue.item_ids()
    move.begin()
    with pytest.raises(MaintenanceError, match="Nothing was changed"):
        await wf.run(a=2, progress=False)
    move.end()
    assert await client.queue.item_ids() == ids


async def test_sweep_sends_each_run_once_after_the_move(
    client: AsyncInvokeAIClient,
    move: Move,
    ends_after: Callable[[int], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The sweep has sent its first runs, so it tolerates the move before its second request."""
    send, posts = HttpTransport.json, 0

    async def watched(self: HttpTransport, method: str, path: str, **options: Any) -> Any:
        nonlocal posts
        if path.endswith("enqueue_batch"):
            posts += 1
            if posts == 2:
                move.begin()
        return await send(self, method, path, **options)

    monkeypatch.setattr(HttpTransport, "json", watched)
    seen = ends_after(3)
    before = await client.queue.item_ids()
    wf = await client.workflow(workflows.blank())
    sweep = await wf.sweep(width=[16, 24, 32, 40], background=True)
    await sweep.wait()
    assert set(seen) == {"maintenance"}
    assert [run.status.ok for run in sweep.runs] == [True] * 4
    assert len(set(await client.queue.item_ids()) - set(before)) == 4


def test_command_reports_the_move(
    ivk_command: Command,
    server: RealServer,
    move: Move,
    monkeypatch: pytest.MonkeyPatch,
    picture: bytes,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("INVOKEAI_URL", server.url)
    (tmp_path / "a.png").write_bytes(picture)
    move.begin()
    words = ("POST", "images/upload", "-q", "image_category=user", "-q", "is_intermediate=true")
    done = ivk_command("api", *words, "--file", f"file={tmp_path / 'a.png'}", "--json")
    assert done.code == 1
    assert done.objects[-1]["code"] == "maintenance"
