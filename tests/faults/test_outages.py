"""Everything that follows a run tolerates an outage of the server or of the line, like waits do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import workflows
from command import Command, ivk_command
from on_server import nothing_left
from proxy import Proxy
from tests.conftest import RealServer
from trouble import LOSE, RESET, VANISH, Fault, always, cut, gateway, script

from invokeai_py_client import AsyncInvokeAIClient, AsyncRun, AsyncSweep
from invokeai_py_client.errors import (
    ConnectionLostError,
    ServerUnreachableError,
    TransferError,
    UsageError,
)
from invokeai_py_client.transport import timing

__all__ = ["ivk_command", "nothing_left"]

pytestmark = pytest.mark.usefixtures("nothing_left")

# More attempts than a request without patience has.
MANY = 8


@pytest.fixture
def proxy(server: RealServer) -> Iterator[Proxy]:
    with Proxy(server.url) as proxy:
        yield proxy


@pytest_asyncio.fixture
async def client(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AsyncInvokeAIClient]:
    monkeypatch.setattr(timing, "POLL", 0.1)
    async with AsyncInvokeAIClient.from_url(proxy.url) as client:
        yield client


async def ended_run(client: AsyncInvokeAIClient) -> AsyncRun:
    wf = await client.workflow_repo.create_workflow(workflows.blank())
    return await wf.run(progress=False)


async def ended_sweep(client: AsyncInvokeAIClient) -> AsyncSweep:
    wf = await client.workflow_repo.create_workflow(workflows.blank())
    sweep = await wf.sweep(width=[16, 24])
    await sweep.wait()
    return sweep


async def size(run: AsyncRun) -> int | None:
    await run.images[0].record()
    return run.images[0].width


Follow = Callable[[AsyncInvokeAIClient, AsyncRun, Path], Awaitable[Any]]

AFTER_A_RUN: dict[str, Follow] = {
    "save": lambda _, run, folder: run.save(f"{folder}/"),
    "image save": lambda _, run, folder: run.images[0].save(folder / "a.png"),
    "bytes": lambda _, run, __: run.images[0].bytes(),
    "pil": lambda _, run, __: run.images[0].pil(),
    "thumbnail": lambda _, run, __: run.images[0].thumbnail(),
    "metadata": lambda _, run, __: run.images[0].metadata(),
    "workflow": lambda _, run, __: run.images[0].workflow(),
    "graph": lambda _, run, __: run.images[0].graph(),
    "record": lambda _, run, __: size(run),
    "refresh": lambda _, run, __: run.refresh(),
    "download": lambda client, run, _: client.images.download(run.images[0].name),
    "download_to": lambda client, run, folder: client.images.download_to(
        run.images[0].name, folder / "b.png"
    ),
    "download_images": lambda client, run, folder: client.images.download_images(
        [run.images[0].name], folder / "all"
    ),
}


@pytest.mark.parametrize("follow", AFTER_A_RUN.values(), ids=AFTER_A_RUN)
async def test_what_follows_a_run_tolerates_an_outage(
    proxy: Proxy, client: AsyncInvokeAIClient, tmp_path: Path, follow: Follow
) -> None:
    run = await ended_run(client)
    with proxy.away():
        task = asyncio.ensure_future(follow(client, run, tmp_path))
        await asyncio.to_thread(proxy.wait_for, "refused", times=MANY)
    async with asyncio.timeout(20):
        await task


AFTER_A_SWEEP: dict[str, Callable[[AsyncSweep, Path], Awaitable[Any]]] = {
    "save": lambda sweep, folder: sweep.save(f"{folder}/{{index}}.png"),
    "report": lambda sweep, folder: sweep.report(folder),
    "grid": lambda sweep, _: sweep.grid(),
}


@pytest.mark.parametrize("follow", AFTER_A_SWEEP.values(), ids=AFTER_A_SWEEP)
async def test_what_follows_a_sweep_tolerates_an_outage(
    proxy: Proxy,
    client: AsyncInvokeAIClient,
    tmp_path: Path,
    follow: Callable[[AsyncSweep, Path], Awaitable[Any]],
) -> None:
    sweep = await ended_sweep(client)
    with proxy.away():
        task = asyncio.ensure_future(follow(sweep, tmp_path))
        await asyncio.to_thread(proxy.wait_for, "refused", times=MANY)
    async with asyncio.timeout(20):
        await task


async def test_retrying_the_failed_runs_of_a_sweep_tolerates_an_outage(
    proxy: Proxy, client: AsyncInvokeAIClient
) -> None:
    await client.queue.pause()
    try:
        wf = await client.workflow_repo.create_workflow(workflows.add())
        sweep = await wf.sweep(a=range(2))
        await sweep.cancel()
        before = len(await client.queue.item_ids())
        with proxy.away():
            task = asyncio.ensure_future(sweep.retry_failed())
            await asyncio.to_thread(proxy.wait_for, "refused", times=MANY)
        async with asyncio.timeout(20):
            assert await task == 2
        assert len(await client.queue.item_ids()) == before + 2
    finally:
        await client.queue.resume()
    async with asyncio.timeout(20):
        await sweep.wait()
    assert [str(run.status) for run in sweep.runs] == ["completed"] * 2


async def test_a_background_sweep_asks_for_its_lost_first_batch_until_the_server_responds(
    proxy: Proxy, client: AsyncInvokeAIClient
) -> None:
    wf = await client.workflow_repo.create_workflow(workflows.add())
    before = len(await client.queue.item_ids())
    client.settings.max_retries = 0
    proxy.rule("POST", "enqueue_batch$", script(LOSE))
    proxy.rule("GET", "/b/[^/]+/status$", script(*[RESET] * MANY))
    async with asyncio.timeout(40):
        sweep = await wf.sweep(a=range(6), background=True)  # sends a few runs, and the others as these end
        await sweep.wait()
    assert (proxy.counts[LOSE.name], proxy.counts[RESET.name]) == (1, MANY)
    assert [str(run.status) for run in sweep.runs] == ["completed"] * 6
    assert len(await client.queue.item_ids()) == before + 6  # none twice


@pytest.mark.parametrize(
    "fault", [RESET, LOSE, gateway(502), gateway(503, "0")], ids=lambda fault: fault.name
)
async def test_each_kind_of_outage_is_tolerated(
    proxy: Proxy, client: AsyncInvokeAIClient, tmp_path: Path, fault: Fault
) -> None:
    run = await ended_run(client)
    proxy.rule("GET", "/full$", script(*[fault] * MANY))
    async with asyncio.timeout(20):
        await run.save(f"{tmp_path}/")
    assert proxy.counts[fault.name] == MANY


async def test_truncated_file_is_not_an_outage(
    proxy: Proxy, client: AsyncInvokeAIClient, tmp_path: Path
) -> None:
    """The server responds, so the download is repeated as often as any other request."""
    run = await ended_run(client)
    proxy.rule("GET", "/full$", always(cut(400)))
    with pytest.raises(ConnectionLostError):
        await run.images[0].save(tmp_path / "a.png")
    assert proxy.counts["cut 400"] == 5  # the first one, one for a stale connection, and max_retries
    assert not (tmp_path / "a.png").exists()


async def test_the_outage_that_is_tolerated_can_be_set(
    proxy: Proxy, client: AsyncInvokeAIClient, tmp_path: Path
) -> None:
    run = await ended_run(client)
    client.settings.outage_timeout = 0.5
    with proxy.away():
        async with asyncio.timeout(20):
            with pytest.raises(ServerUnreachableError):
                await run.images[0].bytes()
            with pytest.raises(TransferError) as caught:
                await run.save(f"{tmp_path}/")
    assert isinstance(caught.value.failed[run.images[0].name], ServerUnreachableError)


async def test_wait_for_an_idle_queue_tolerates_an_outage(
    proxy: Proxy, client: AsyncInvokeAIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timing, "QUEUE_SILENCE", 0.05)
    await client.queue.pause()
    wf = await client.workflow_repo.create_workflow(workflows.add())
    try:
        await wf.start()
        before = proxy.counts["passed"]
        task = asyncio.ensure_future(client.queue.wait_until_idle())
        await asyncio.to_thread(proxy.wait_for, "passed", times=before + 3)
        with proxy.away():
            await asyncio.to_thread(proxy.wait_for, "refused", times=MANY)
    finally:
        await client.queue.resume()
    async with asyncio.timeout(20):
        assert (await task).unfinished == 0


async def test_other_requests_fail_soon(proxy: Proxy, client: AsyncInvokeAIClient) -> None:
    await ended_run(client)
    with proxy.away(), pytest.raises(ServerUnreachableError):
        async with asyncio.timeout(20):
            await client.boards.list_boards()


async def test_server_that_never_responded_is_reported_at_once() -> None:
    async with AsyncInvokeAIClient.from_url("http://127.0.0.1:9", max_retries=0) as client:
        with pytest.raises(ServerUnreachableError):
            await client.images.image("a.png").bytes()
        assert client.connection.http.sent == 1


def test_setting_of_the_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    assert AsyncInvokeAIClient.from_url("gpu").settings.outage_timeout == 300
    assert AsyncInvokeAIClient.from_url("gpu", outage_timeout=7).settings.outage_timeout == 7
    monkeypatch.setenv("INVOKEAI_OUTAGE_TIMEOUT", "20")
    assert AsyncInvokeAIClient("gpu").settings.outage_timeout == 20
    assert AsyncInvokeAIClient("gpu", outage_timeout=0).settings.outage_timeout == 0
    for wrong in ("soon", "-1", "nan"):
        monkeypatch.setenv("INVOKEAI_OUTAGE_TIMEOUT", wrong)
        with pytest.raises(UsageError, match=f"INVOKEAI_OUTAGE_TIMEOUT: '{wrong}' is not valid"):
            AsyncInvokeAIClient.from_url("gpu")


# --------------------------------------------------------------------------- on the command line


@pytest.fixture
def blank(tmp_path: Path) -> str:
    import json

    path = tmp_path / "blank.json"
    path.write_text(json.dumps(workflows.blank()))
    return str(path)


@pytest.mark.parametrize("target", ["out/", "image.png"])
def test_ivk_run_saves_its_images_after_an_outage(
    proxy: Proxy,
    ivk_command: Command,
    blank: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    target: str,
) -> None:
    monkeypatch.setattr(timing, "POLL", 0.05)
    monkeypatch.chdir(tmp_path)
    proxy.rule("GET", "/full$", script(*[RESET] * MANY))
    done = ivk_command("run", blank, "--url", proxy.url, "-o", target)
    assert (done.code, proxy.counts["reset"]) == (0, MANY), done.err


def test_ivk_sweep_completes_despite_outages(
    proxy: Proxy, ivk_command: Command, blank: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timing, "POLL", 0.05)
    for path in ("/full$", "/thumbnail$", "images_by_names"):
        proxy.rule("*", path, script(None, *[RESET] * MANY))
    out = tmp_path / "out"
    done = ivk_command(
        "sweep", blank, "-s", "width=16,24", "--url", proxy.url, "-o", str(out), "--grid", "--report"
    )
    assert done.code == 0, done.err
    assert proxy.counts["reset"] >= 2 * MANY
    assert (out / "grid.png").exists()
    assert (out / "index.html").exists()


@pytest.mark.parametrize("target", ["out/", "image.png", "-"])
def test_server_that_vanishes_while_images_are_saved_is_unreachable(
    proxy: Proxy,
    ivk_command: Command,
    blank: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    target: str,
) -> None:
    monkeypatch.setenv("INVOKEAI_OUTAGE_TIMEOUT", "0.5")
    monkeypatch.chdir(tmp_path)
    proxy.rule("GET", "/full$", script(VANISH))
    done = ivk_command("run", blank, "--url", proxy.url, "-o", target)
    assert done.code == 3, done.err
    assert "No server responds at" in done.said
