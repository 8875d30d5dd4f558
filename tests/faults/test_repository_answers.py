"""Repositories against a server that responds like an older version, or incorrectly."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from invokeai_py_client import AsyncInvokeAIClient
from invokeai_py_client.errors import (
    BadRequestError,
    ConnectionLostError,
    ModelInstallJobFailed,
    ModelInstallStartError,
    NotFoundError,
    NotInvokeAIError,
    PermissionDeniedError,
    RunError,
    ServerError,
    ServerTooOldError,
    TransferError,
    UsageError,
)
from invokeai_py_client.models import InstallStatus, IvkBoard, IvkDnnModel, JobStatus
from invokeai_py_client.transport import timing


class FakeServer:
    """A server with configurable responses that records its requests."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], Any] = {}
        self.asked: list[tuple[str, str, dict[str, str], Any]] = []
        self.silent: tuple[str, Any] | None = None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if self.silent is not None and request.path == self.silent[0]:
            return await self.silent[1](request)
        body = await request.read()
        sent = json.loads(body) if body and request.content_type == "application/json" else None
        self.asked.append((request.method, request.path, dict(request.query), sent))
        answer = self.answers.get((request.method, request.path), 404)
        if callable(answer):
            answer = answer(request)
        if isinstance(answer, web.StreamResponse):
            return answer
        if isinstance(answer, int):
            return web.json_response({"detail": f"status {answer}"}, status=answer)
        return web.json_response(answer)

    def paths(self) -> list[str]:
        return [f"{method} {path}" for method, path, _, _ in self.asked]


@asynccontextmanager
async def served(handle: Any) -> AsyncGenerator[AsyncInvokeAIClient]:
    """Yield a client, which repeats a request once, for a server with one handler."""
    application = web.Application()
    application.router.add_route("*", "/{rest:.*}", handle)
    runner = web.AppRunner(application)
    await runner.setup()
    listener = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, listener).start()
    async with AsyncInvokeAIClient("127.0.0.1", listener.getsockname()[1], max_retries=1) as client:
        yield client
    await runner.cleanup()


@pytest.fixture
async def fake() -> AsyncIterator[tuple[FakeServer, AsyncInvokeAIClient]]:
    server = FakeServer()
    async with served(server.handle) as client:
        yield server, client


Fake = tuple[FakeServer, AsyncInvokeAIClient]

BOARD = "0f2a6d1e-8b7c-4d5e-9f10-3a4b5c6d7e8f"
KEY = "7c1d2e3f-4a5b-4c6d-8e9f-0a1b2c3d4e5f"


# ---------------------------------------------------------------------- InvokeAI 5.15


async def test_5_15_names_of_changed_images(fake: Fake) -> None:
    server, client = fake
    server.answers[("POST", "/api/v1/images/star")] = {"updated_image_names": ["a"]}
    server.answers[("POST", "/api/v1/images/delete")] = {"deleted_images": ["b"]}
    server.answers[("POST", "/api/v1/board_images/batch")] = {"board_id": BOARD, "added_image_names": ["a"]}
    server.answers[("POST", "/api/v1/board_images/batch/delete")] = {"removed_image_names": ["a", "lost"]}
    server.answers[("GET", "/api/v1/images/i/a")] = {"image_name": "a"}
    for change, done, failed in ((client.image_repo.star, "a", "b"), (client.image_repo.delete, "b", "a")):
        with pytest.raises(TransferError) as caught:
            await change(["a", "b"])
        assert (list(caught.value.done), list(caught.value.failed)) == ([done], [failed])
    board = await client.board_repo.get_uncategorized_handle()
    assert await board.move_image_to("a", IvkBoard(board_id=BOARD)) is True
    assert await board.move_image_to("a", "none") is True
    with pytest.raises(TransferError) as caught:
        await client.image_repo.move(["a", "lost"], "none")
    assert (list(caught.value.done), list(caught.value.failed)) == (["a"], ["lost"])
    assert isinstance(caught.value.failed["lost"], NotFoundError)


async def test_5_15_responds_500_for_missing_queue_item(fake: Fake) -> None:
    server, client = fake
    for method, what in (("GET", "i/7"), ("PUT", "i/7/cancel"), ("GET", "i/8")):
        server.answers[(method, f"/api/v1/queue/default/{what}")] = 500
    server.answers[("GET", "/api/v1/queue/default/list")] = {
        "items": [{"item_id": 8, "batch_id": "b", "status": "pending", "session_id": "s"}],
        "has_more": False,
    }
    for call in (client.queue_repo.item, client.queue_repo.cancel):
        with pytest.raises(NotFoundError, match="no item 7"):
            await call(7)
    with pytest.raises(RunError, match="no queue item 7"):
        await client.run(7)
    with pytest.raises(ServerError):  # this item exists, so the error has another cause
        await client.queue_repo.item(8)


async def test_6_0_reports_success_for_missing_items(fake: Fake, picture: bytes) -> None:
    server, client = fake
    for request in (("DELETE", f"/api/v1/boards/{BOARD}"), ("DELETE", "/api/v1/queue/default/i/7")):
        server.answers[request] = {}
    server.answers[("GET", "/api/v1/boards/")] = []
    server.answers[("PATCH", f"/api/v1/boards/{BOARD}")] = 500
    server.answers[("POST", "/api/v1/board_images/batch")] = {"added_images": []}
    server.answers[("POST", "/api/v1/images/upload")] = {"image_name": "new", "board_id": None}
    server.answers[("POST", "/api/v1/images/delete")] = {"deleted_images": ["new"]}
    gone = IvkBoard(board_id=BOARD)
    assert await client.board_repo.delete_board(gone) is False
    assert await client.queue_repo.delete(7) is False
    with pytest.raises(NotFoundError):
        await client.board_repo.update_board(gone, "name")
    with pytest.raises(NotFoundError):
        await client.image_repo.move("a", gone)
    with pytest.raises(NotFoundError):
        await client.image_repo.upload(picture, board_id=gone)
    deleted = next(body for _, path, _, body in server.asked if path.endswith("/images/delete"))
    assert deleted == {"image_names": ["new"]}, "the uncategorized image is deleted"


async def test_6_0_retry_of_several_items_with_a_missing_one(fake: Fake) -> None:
    """6.0 retries no items at all if one of several is missing."""
    server, client = fake
    tried: list[Any] = []

    def item(item_id: int, **more: Any) -> dict[str, Any]:
        return {"item_id": item_id, "batch_id": "b", "status": "failed", "session_id": "s", **more}

    def retry(request: web.Request) -> Any:
        tried.append(server.asked[-1][3])
        server.answers[("GET", "/api/v1/queue/default/list_all")] = [item(7), item(9)]
        return {"retried_item_ids": [7]}

    server.answers[("POST", "/api/v1/queue/default/items_by_ids")] = 405
    server.answers[("GET", "/api/v1/queue/default/item_ids")] = 405
    server.answers[("GET", "/api/v1/queue/default/list_all")] = [item(7)]
    server.answers[("GET", "/api/v1/queue/default/i/7")] = item(7)
    server.answers[("GET", "/api/v1/queue/default/i/8")] = 404
    server.answers[("GET", "/api/v1/queue/default/i/9")] = item(9, retried_from_item_id=7)
    server.answers[("PUT", "/api/v1/queue/default/retry_items_by_id")] = retry
    assert await client.queue_repo.retry([7, 8]) == {7: 9}
    assert await client.queue_repo.retry([8]) == {}
    assert tried == [[7]]


async def test_5_15_several_records(fake: Fake) -> None:
    server, client = fake
    server.answers[("POST", "/api/v1/images/images_by_names")] = 405
    server.answers[("GET", "/api/v1/images/i/a")] = {"image_name": "a"}
    assert [image.image_name for image in await client.image_repo.get_images(["a", "b"])] == ["a"]


async def test_5_15_private_boards(fake: Fake) -> None:
    server, client = fake
    server.answers[("POST", "/api/v1/boards/")] = {"board_id": "x", "board_name": "n", "is_private": True}
    await client.board_repo.create_board("n", is_private=True)
    assert server.asked[0][2] == {"board_name": "n", "is_private": "true"}


async def test_private_board_on_server_with_public_boards(fake: Fake) -> None:
    server, client = fake
    record = {"board_id": "x", "board_name": "n"}
    server.answers[("POST", "/api/v1/boards/")] = {**record, "board_visibility": "public"}
    server.answers[("PATCH", "/api/v1/boards/x")] = {**record, "board_visibility": "private"}
    board = await client.board_repo.create_board("n", is_private=True)
    assert board.board.board_visibility == "private"
    assert server.asked[1][3] == {"board_visibility": "private"}


async def test_a_board_whose_visibility_cannot_be_set_is_deleted(fake: Fake) -> None:
    server, client = fake
    record = {"board_id": BOARD, "board_name": "n", "board_visibility": "private"}
    server.answers[("POST", "/api/v1/boards/")] = record
    server.answers[("GET", f"/api/v1/boards/{BOARD}")] = record
    server.answers[("PATCH", f"/api/v1/boards/{BOARD}")] = 403
    server.answers[("DELETE", f"/api/v1/boards/{BOARD}")] = {"board_id": BOARD}
    with pytest.raises(PermissionDeniedError):
        await client.board_repo.create_board("n", is_private=False)
    assert server.paths()[-1] == f"DELETE /api/v1/boards/{BOARD}"


def item(item_id: int, **more: Any) -> dict[str, Any]:
    return {
        "item_id": item_id,
        "status": "canceled",
        "priority": 0,
        "batch_id": "b",
        "session_id": "s",
        **more,
    }


async def test_5_15_queue_items_page_by_page(fake: Fake) -> None:
    server, client = fake

    def page(request: web.Request) -> Any:
        if "cursor" not in request.query:
            return {"limit": 1000, "has_more": True, "items": [item(3, priority=5), item(1)]}
        assert request.query["cursor"] == "1"
        assert request.query["priority"] == "0"
        return {"limit": 1000, "has_more": False, "items": [item(2)]}

    server.answers[("GET", "/api/v1/queue/default/list")] = page
    server.answers |= {("GET", f"/api/v1/queue/default/i/{number}"): item(number) for number in (1, 3)}
    assert await client.queue_repo.item_ids() == [1, 2, 3]
    assert [job.item_id for job in await client.queue_repo.items([3, 1, 9])] == [1, 3]


async def test_6_2_queue_items_by_list_all(fake: Fake) -> None:
    server, client = fake
    server.answers[("GET", "/api/v1/queue/default/list_all")] = [item(2), item(1)]
    server.answers |= {("GET", f"/api/v1/queue/default/i/{number}"): item(number) for number in (1, 2)}
    jobs = await client.queue_repo.items()
    assert [(job.item_id, job.status) for job in jobs] == [(1, JobStatus.CANCELLED), (2, JobStatus.CANCELLED)]


async def test_6_7_queue_items_without_summaries(fake: Fake) -> None:
    server, client = fake
    server.answers[("GET", "/api/v1/queue/default/item_ids")] = {"item_ids": [2, 1], "total_count": 2}
    server.answers[("POST", "/api/v1/queue/default/item_summaries_by_ids")] = 405
    server.answers[("POST", "/api/v1/queue/default/items_by_ids")] = [item(1), item(2)]
    assert [job.item_id for job in await client.queue_repo.items()] == [1, 2]


# ---------------------------------------------------------------------- the model manager


MODEL = {"key": "k", "name": "n", "base": "sd-1", "type": "main", "source": "org/name", "path": "k"}


DOWNLOAD = {
    "id": 4,
    "status": "downloading",
    "bytes": 1,
    "total_bytes": 4,
    "source": {"type": "url", "url": "http://x"},
}


async def test_S31_409_for_installed_model(fake: Fake) -> None:
    server, client = fake
    listings = iter([[], [MODEL]])  # it was added between the check and the request
    server.answers[("GET", "/api/v2/models/")] = lambda _: {"models": next(listings)}  # pyright: ignore[reportUnknownLambdaType]
    server.answers[("POST", "/api/v2/models/install")] = 409
    job = await client.dnn_model_repo.install_huggingface("org/name")
    info = await job.wait_until(timeout=0)
    assert info.status is InstallStatus.COMPLETED
    assert (info.extra["reason"], info.model_key) == ("already_installed", "k")


async def test_S31_install_request(fake: Fake) -> None:
    server, client = fake
    server.answers[("GET", "/api/v2/models/")] = {"models": []}
    server.answers[("POST", "/api/v2/models/install")] = {
        "id": 0,
        "status": "waiting",
        "source": {"type": "hf", "repo_id": "org/name", "access_token": "secret"},
    }
    job = await client.dnn_model_repo.install_huggingface("org/name", access_token="secret")
    _, _, query, body = server.asked[-1]
    assert query == {"source": "org/name", "inplace": "true", "access_token": "secret"}
    assert body == {}  # required even if it is empty
    assert "secret" not in repr(job) + repr(job.info)


@pytest.mark.parametrize("status", [400, 409, 415, 422, 424, 500])
async def test_S31_failed_start(fake: Fake, status: int) -> None:
    server, client = fake
    server.answers[("GET", "/api/v2/models/")] = {"models": []}
    server.answers[("POST", "/api/v2/models/install")] = status
    with pytest.raises(ModelInstallStartError) as caught:
        await client.dnn_model_repo.install_model("org/name")
    assert caught.value.status_code == status
    assert caught.value.payload == {"detail": f"status {status}"}


async def test_S33_jobs_after_server_restart(fake: Fake) -> None:
    server, client = fake
    job = {"id": 0, "status": "running", "source": {"type": "local", "path": "/m/a"}}
    server.answers[("GET", "/api/v2/models/")] = {"models": []}
    server.answers[("POST", "/api/v2/models/install")] = job
    handle = await client.dnn_model_repo.install_model("/m/a")
    server.answers[("GET", "/api/v2/models/install/0")] = {
        **job,
        "status": "completed",
        "source": {"type": "local", "path": "/m/other"},
    }
    server.answers[("GET", "/api/v2/models/")] = {"models": [{**MODEL, "source": "/m/a"}]}
    info = await handle.wait_until(timeout=10)
    assert (info.model_key, info.source) == ("k", "/m/a")


@pytest.mark.parametrize("missing", [404, 405])
async def test_S33_no_pausing_before_6_12(fake: Fake, missing: int) -> None:
    server, client = fake
    server.answers[("GET", "/api/v2/models/install/4")] = DOWNLOAD
    server.answers[("POST", "/api/v2/models/install/4/pause")] = missing
    handle = await client.dnn_model_repo.get_install_job(4)
    assert handle is not None
    with pytest.raises(UsageError, match=r"Cannot pause .*needs InvokeAI 6\.12 or later"):
        await handle.pause()


async def test_S33_job_is_polled_without_events(fake: Fake) -> None:
    """This server accepts no WebSocket."""
    server, client = fake
    states = iter(
        [
            {"status": "waiting", "bytes": 0},
            {"bytes": 1},
            {"bytes": 1},
            {"bytes": 3},
            {"status": "paused", "bytes": 3},
            {"status": "thinking"},
            {"status": "completed", "config_out": MODEL},
        ]
    )
    server.answers[("GET", "/api/v2/models/install/4")] = lambda _: {**DOWNLOAD, **next(states)}  # pyright: ignore[reportUnknownLambdaType]
    handle = await client.dnn_model_repo.get_install_job(4)
    assert handle is not None
    events = [(type(event).__name__, event.info.bytes) async for event in handle.events(poll_interval=0.01)]
    assert events == [
        ("InstallDownloading", 1),
        ("InstallDownloading", 3),
        ("InstallPaused", 3),
        ("InstallEvent", 1),
        ("InstallCompleted", 1),
    ]
    assert handle.info.model_key == "k"


async def test_S33_short_outage_during_installation(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    server, client = fake
    monkeypatch.setattr(timing, "POLL", 0.01)
    monkeypatch.setattr(client.settings, "max_retries", 0)
    states = iter([DOWNLOAD, DOWNLOAD, 502, 503, {**DOWNLOAD, "status": "completed", "config_out": MODEL}])

    def job(_: web.Request) -> web.Response:
        state = next(states)
        return web.Response(status=state) if isinstance(state, int) else web.json_response(state)

    server.answers[("GET", "/api/v2/models/install/4")] = job
    handle = await client.dnn_model_repo.get_install_job(4)
    assert handle is not None
    assert (await handle.wait_until(timeout=20, poll_interval=0.01)).model_key == "k"


async def test_S33_event_connection_that_hangs(fake: Fake) -> None:
    """The event connection neither succeeds nor fails, but the wait for the installation still ends."""
    server, client = fake
    held, over = asyncio.Event(), asyncio.Event()

    async def silent(_: web.Request) -> web.Response:
        held.set()
        await over.wait()
        return web.Response(status=404)

    server.silent = ("/ws/socket.io/", silent)
    server.answers[("GET", "/api/v2/models/install/4")] = lambda _: {  # pyright: ignore[reportUnknownLambdaType]
        **DOWNLOAD,
        "status": "completed" if held.is_set() else "running",
        "config_out": MODEL,
    }
    handle = await client.dnn_model_repo.get_install_job(4)
    assert handle is not None
    assert (await handle.wait_until(timeout=20, poll_interval=0.01)).model_key == "k"
    over.set()


async def test_S33_canceling(fake: Fake) -> None:
    server, client = fake
    server.answers[("GET", "/api/v2/models/install/4")] = DOWNLOAD
    handle = await client.dnn_model_repo.get_install_job(4)
    assert handle is not None
    assert await handle.progress() == 0.25

    def cancel(_: web.Request) -> None:
        server.answers[("GET", "/api/v2/models/install/4")] = {**DOWNLOAD, "status": "cancelled"}

    server.answers[("DELETE", "/api/v2/models/install/4")] = cancel
    assert (await handle.cancel()).status is InstallStatus.CANCELLED
    with pytest.raises(ModelInstallJobFailed, match="was canceled"):
        handle.raise_if_failed()


async def test_S34_hugging_face_login(fake: Fake) -> None:
    """This does not use a real server, because it would change the developer's tokens."""
    server, client = fake
    for method, word in (("GET", "invalid"), ("POST", "valid"), ("DELETE", "invalid")):
        server.answers[(method, "/api/v2/models/hf_login")] = word
    assert await client.dnn_model_repo.hf_status() == "invalid"
    assert await client.dnn_model_repo.hf_login("hf_x") == "valid"
    assert await client.dnn_model_repo.hf_logout() == "invalid"
    assert server.asked[1][3] == {"token": "hf_x"}


async def test_S34_removing_all_models(fake: Fake) -> None:
    server, client = fake
    server.answers[("GET", "/api/v2/models/")] = {"models": [{**MODEL, "key": key} for key in "abc"]}
    server.answers[("DELETE", "/api/v2/models/i/a")] = lambda _: web.Response(status=204)  # pyright: ignore[reportUnknownLambdaType]
    server.answers[("DELETE", "/api/v2/models/i/b")] = 409
    summary = await client.dnn_model_repo.delete_all_models()
    assert (summary["total"], summary["deleted"]) == (3, ["a", "c"])
    assert [failure["key"] for failure in summary["failed"]] == ["b"]
    assert "409" in summary["failed"][0]["error"]


async def test_S34_delete_model_after_broken_connection(fake: Fake) -> None:
    """Before repeating the request, the client checks whether the server carried it out."""
    server, client = fake
    path = f"/api/v2/models/i/{KEY}"
    model = IvkDnnModel.from_api_response({**MODEL, "key": KEY})

    def drop(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        server.answers[("DELETE", path)] = lambda _: web.Response(status=204)  # pyright: ignore[reportUnknownLambdaType]
        return web.Response()

    for there, asked in ((MODEL, ["DELETE", "GET", "DELETE"]), (404, ["DELETE", "GET"])):
        server.asked.clear()
        server.answers |= {("DELETE", path): drop, ("GET", path): there}
        assert await client.dnn_model_repo.delete_model(model) is True
        assert [method for method, *_ in server.asked] == asked


async def test_S34_converted_model(fake: Fake) -> None:
    """This does not use the real server, because only a full-size Stable Diffusion checkpoint can be converted."""
    server, client = fake
    server.answers[("PUT", f"/api/v2/models/convert/{KEY}")] = {**MODEL, "key": "l", "format": "diffusers"}
    known = IvkDnnModel.from_api_response({**MODEL, "key": KEY})
    model = await client.dnn_model_repo.convert_model(known)
    assert (model.key, model.format) == ("l", "diffusers")


async def test_starter_model_with_dependencies(fake: Fake) -> None:
    server, client = fake
    needed = {
        "name": "needed",
        "source": "org/needed",
        "base": "any",
        "type": "t5_encoder",
        "description": "?",
    }
    there = {"name": "n", "source": "https://elsewhere/n", "base": "sd-1", "type": "main"}
    proposed = {
        **needed,
        "name": "Flux",
        "source": "org/flux",
        "base": "flux",
        "type": "main",
        "format": None,
    }
    answer = {"starter_models": [{**proposed, "dependencies": [needed, there]}, there], "starter_bundles": {}}
    server.answers[("GET", "/api/v2/models/starter_models")] = answer
    server.answers[("GET", "/api/v2/models/")] = {"models": [MODEL]}

    def started(request: web.Request) -> dict[str, Any]:
        repo_id = request.query["source"]
        return {"id": len(server.asked), "status": "waiting", "source": {"type": "hf", "repo_id": repo_id}}

    server.answers[("POST", "/api/v2/models/install")] = started
    jobs = await client.dnn_model_repo.install_starter_model("flux")
    assert [job.info.source for job in jobs] == ["org/needed", "https://elsewhere/n", "org/flux"]
    assert [job.info.is_complete() for job in jobs] == [False, True, False]
    sent = [(query["source"], body) for method, _, query, body in server.asked if method == "POST"]
    assert sent == [
        ("org/needed", {"name": "needed", "description": "?", "base": "any", "type": "t5_encoder"}),
        ("org/flux", {"name": "Flux", "description": "?", "base": "flux", "type": "main"}),
    ]


async def test_bundle_of_starter_models_is_installed_once_per_model(fake: Fake) -> None:
    """This does not use a real server, because its bundles are many gigabytes."""
    server, client = fake
    needed = {"name": "T5", "source": "org/t5", "base": "any", "type": "t5_encoder"}
    models = [
        {"name": name, "source": f"org/{name}", "base": "flux", "type": "main", "dependencies": [needed]}
        for name in ("dev", "schnell")
    ]
    bundles = {"flux": {"name": "FLUX.1 dev", "models": models}}
    server.answers[("GET", "/api/v2/models/starter_models")] = {
        "starter_models": [],
        "starter_bundles": bundles,
    }
    server.answers[("GET", "/api/v2/models/")] = {"models": [MODEL]}

    def started(request: web.Request) -> dict[str, Any]:
        repo_id = request.query["source"]
        return {"id": len(server.asked), "status": "waiting", "source": {"type": "hf", "repo_id": repo_id}}

    server.answers[("POST", "/api/v2/models/install")] = started
    jobs = await client.models.install_starter_bundle("flux.1 DEV")
    assert [job.info.source for job in jobs] == ["org/t5", "org/dev", "org/schnell"]
    assert [method for method, *_ in server.asked].count("POST") == 3


async def test_models_of_a_repository_on_hugging_face(fake: Fake) -> None:
    """This does not use a real server, because the tests' server has no access to Hugging Face."""
    server, client = fake
    path = ("GET", "/api/v2/models/hugging_face")
    server.answers[path] = {
        "urls": ["https://huggingface.co/o/n/resolve/main/a.safetensors"],
        "is_diffusers": False,
    }
    found = await client.models.list_hugging_face("o/n")
    assert (len(found.urls), found.is_diffusers) == (1, False)
    assert server.asked[-1][2] == {"hugging_face_repo": "o/n"}
    server.answers[path] = {"urls": None, "is_diffusers": True}
    assert (await client.models.list_hugging_face("o/n")).urls == []
    server.answers[path] = 400
    with pytest.raises(BadRequestError, match=r"No repository 'o/n' on Hugging Face .* hf_login\(\)"):
        await client.models.list_hugging_face("o/n")


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([{"source": "https://h/a", "status": "completed"}], "the server has deleted the files"),
        ([], "has not recorded which of its files failed"),
    ],
)
async def test_repository_that_cannot_be_restarted(fake: Fake, parts: list[Any], message: str) -> None:
    """This does not use a real server, because only Hugging Face has models of several files."""
    server, client = fake
    job = {
        "id": 3,
        "status": "error",
        "error": "Not Found",
        "source": {"type": "hf", "repo_id": "o/n"},
        "download_parts": parts,
    }
    server.answers[("GET", "/api/v2/models/install/3")] = job
    server.answers[("POST", "/api/v2/models/install/3/restart_failed")] = job
    handle = await client.models.get_install_job(3)
    assert handle is not None
    with pytest.raises(UsageError, match=rf"Cannot restart .* o/n: .*{message}.* Install the model again\."):
        await handle.restart_failed()
    assert handle.info.status is InstallStatus.ERROR


async def test_older_servers_do_not_sort_models_and_delete_them_one_by_one(fake: Fake) -> None:
    server, client = fake
    server.answers[("GET", "/api/v1/app/version")] = {"version": "6.12.0"}
    server.answers[("GET", "/api/v2/models/")] = {
        "models": [{**MODEL, "key": key, "name": key} for key in "ba"]
    }
    with pytest.raises(
        ServerTooOldError, match=r"created_at needs InvokeAI 6\.13 or later; this server is 6\.12"
    ):
        await client.models.list_models(order_by="created_at")
    assert [model.name for model in await client.models.list_models(order_by="name", direction="DESC")] == [
        "b",
        "a",
    ]
    server.answers[("POST", "/api/v2/models/i/bulk_delete")] = 405
    for key in "ab":
        server.answers[("DELETE", f"/api/v2/models/i/{key}")] = web.Response(status=204)
    server.answers[("DELETE", "/api/v2/models/i/b")] = 409
    with pytest.raises(TransferError, match="1 of 2 models could not be deleted") as caught:
        await client.models.delete_models(["b", "a"])
    assert (list(caught.value.done), list(caught.value.failed)) == (["a"], ["b"])


async def test_S34_statistics_may_be_missing(fake: Fake) -> None:
    server, client = fake
    server.answers[("GET", "/api/v2/models/stats")] = lambda _: web.json_response(None)  # pyright: ignore[reportUnknownLambdaType]
    assert await client.dnn_model_repo.get_stats() is None
    server.answers[("GET", "/api/v2/models/stats")] = {
        "hits": 3,
        "cache_size": 5,
        "loaded_model_sizes": {"a": 1},
    }
    stats = await client.dnn_model_repo.get_stats()
    assert stats is not None
    assert (stats.hits, stats.cache_size, stats.loaded_model_sizes) == (3, 5, {"a": 1})


# ---------------------------------------------------------------------- incorrect responses


@pytest.mark.parametrize("answer", [{}, [], "x", {"items": 3, "total": 3}, {"items": []}])
async def test_invalid_page_of_results(fake: Fake, answer: Any) -> None:
    server, client = fake
    server.answers[("GET", "/api/v1/images/")] = answer
    with pytest.raises(NotInvokeAIError, match="expected a page of records"):
        await client.image_repo.list_images()


async def test_change_with_empty_response(fake: Fake) -> None:
    server, client = fake
    server.answers[("POST", "/api/v1/images/star")] = {}
    with pytest.raises(NotInvokeAIError, match="names of the starred images"):
        await client.image_repo.star("a")


async def test_pages_that_overlap_and_shrink(fake: Fake) -> None:
    server, client = fake

    def page(request: web.Request) -> Any:
        first = request.query["offset"] == "0"
        names = ["a", "b"] if first else ["b", "c"] if request.query["offset"] == "2" else []
        return {"offset": 0, "limit": 1000, "total": 99, "items": [{"image_name": name} for name in names]}

    server.answers[("GET", "/api/v1/images/")] = page
    assert [image.image_name for image in await client.image_repo.list_images()] == ["a", "b", "c"]


async def test_names_are_split_over_requests(fake: Fake) -> None:
    server, client = fake
    names = [str(number) for number in range(2500)]
    server.answers[("POST", "/api/v1/images/star")] = {"starred_images": names}
    assert await client.image_repo.star([*names, *names]) == names
    assert [len(body["image_names"]) for _, _, _, body in server.asked] == [1000, 1000, 500]


@pytest.mark.parametrize(("second", "attempts", "failing"), [(500, 1, 1000), ({}, 1, 1500), (503, 2, 1000)])
async def test_a_request_that_fails_does_not_hide_what_the_others_did(
    fake: Fake, second: Any, attempts: int, failing: int
) -> None:
    server, client = fake
    names = [str(number) for number in range(2500)]
    path = ("POST", "/api/v1/images/star")
    responses = iter(
        [{"starred_images": names[:1000]}, *[second] * attempts, {"starred_images": names[2000:]}]
    )

    def answer(_: web.Request) -> Any:
        found = next(responses)
        return web.json_response({"detail": "broken"}, status=found) if isinstance(found, int) else found

    server.answers[path] = answer
    with pytest.raises(TransferError, match=f"{failing} of 2500 images could not be starred") as caught:
        await client.image_repo.star(names)
    assert len(caught.value.failed) == failing
    assert list(caught.value.done) == [*names[:1000], *(names[2000:] if failing == 1000 else [])]
    server.answers[path] = 500
    with pytest.raises(ServerError):  # nothing was done
        await client.image_repo.star(names)


async def test_the_reason_is_unknown_if_the_server_fails_to_report_it(fake: Fake) -> None:
    server, client = fake
    server.answers[("POST", "/api/v1/images/star")] = {"starred_images": ["a"], "failed_images": []}
    server.answers[("POST", "/api/v1/images/images_by_names")] = 500
    with pytest.raises(TransferError) as caught:
        await client.image_repo.star(["a", "b"])
    assert (list(caught.value.done), list(caught.value.failed)) == (["a"], ["b"])
    assert isinstance(caught.value.failed["b"], ServerError)


async def test_creating_requests_are_not_repeated(fake: Fake, picture: bytes) -> None:
    server, client = fake
    for method, path in (
        ("POST", "/api/v1/boards/"),
        ("PUT", f"/api/v2/models/convert/{KEY}"),
        ("POST", "/api/v1/images/upload"),
    ):
        server.answers[(method, path)] = 503
    for call in (
        lambda: client.board_repo.create_board("x"),
        lambda: client.dnn_model_repo.convert_model(IvkDnnModel.from_api_response({**MODEL, "key": KEY})),
        lambda: client.image_repo.upload(picture),
    ):
        with pytest.raises(ServerError):
            await call()
    assert len(server.asked) == 3


# ---------------------------------------------------------------------- downloads that break


async def broken(request: web.Request, piece: bytes, promised: int) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": str(promised), "Content-Type": "image/png"})
    await response.prepare(request)
    await response.write(piece)
    assert request.transport is not None
    request.transport.abort()
    return response


async def test_S27_broken_download_is_repeated(tmp_path: Path) -> None:
    times = 0

    async def handle(request: web.Request) -> web.StreamResponse:
        nonlocal times
        times += 1
        if times == 1:
            return await broken(request, b"half", 9)
        return web.Response(body=b"the whole", content_type="image/png")

    async with served(handle) as client:
        path = await client.image_repo.download_to("a.png", tmp_path)
    assert contents(tmp_path) == {"a.png": b"the whole"}
    assert path.name == "a.png"
    assert times == 2


async def test_S27_failed_download_keeps_existing_file(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"old")

    async def handle(request: web.Request) -> web.StreamResponse:
        return await broken(request, b"half", 9)

    async with served(handle) as client:
        with pytest.raises(ConnectionLostError):
            await client.image_repo.download_to("a.png", tmp_path)
    assert contents(tmp_path) == {"a.png": b"old"}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
