"""Every public method of every repository, against servers that send wrong responses.

Each call raises one of our errors. Methods that interpret an error response (such as 404) return a value instead.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import workflows
from aiohttp import web

from invokeai_py_client import AsyncInvokeAIClient
from invokeai_py_client.board.handle import AsyncBoardHandle
from invokeai_py_client.dnn_model.install import AsyncModelInstJobHandle
from invokeai_py_client.engine.definition import WorkflowDefinition
from invokeai_py_client.errors import APIRequestError, InvokeAIClientError
from invokeai_py_client.models import IvkBoard, ModelInstJobInfo
from invokeai_py_client.queue.job import AsyncJobHandle

CLIP = Path(__file__).parents[1] / "data" / "tiny.mp4"
PATIENCE = 20  # seconds for one call; each takes milliseconds


async def _cut(request: web.Request) -> web.StreamResponse:
    """Half of a response, then the end of the connection."""
    response = web.StreamResponse(headers={"Content-Length": "1000", "Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(b'{"items": [')
    assert request.transport is not None
    request.transport.close()
    return response


async def _dropped(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


def _answer(status: int, body: str, kind: str = "application/json") -> Callable[[web.Request], Any]:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=body, content_type=kind)

    return answer


WRONG = '{"detail": [{"loc": ["query", "limit"], "msg": "too much", "type": "value_error"}]}'
ANSWERS: dict[str, Callable[[web.Request], Any]] = {
    **{f"{status}": _answer(status, '{"detail": "no"}') for status in (400, 401, 403, 404, 409, 415, 424)},
    "422": _answer(422, WRONG),
    "500 JSON": _answer(500, '{"detail": "sqlite3.OperationalError: database is locked"}'),
    "500 text": _answer(500, "Internal Server Error", "text/plain"),
    "503": _answer(503, "<html>Service Unavailable</html>", "text/html"),
    "HTML": _answer(200, "<!doctype html><html><body>InvokeAI</body></html>", "text/html"),
    "truncated JSON": _answer(200, '{"items": [{"image_name": "a'),
    "cut off": _cut,
    "dropped": _dropped,
    "null": _answer(200, "null"),
    "a number": _answer(200, "7"),
    "an empty list": _answer(200, "[]"),
    "an empty object": _answer(200, "{}"),
    "a list of numbers": _answer(200, "[1, 2, 3]"),
}
ERRORS = [name for name in ANSWERS if name[0].isdigit()]

# Methods that interpret an error response: not signed in, or not found.
TAKEN: dict[str, set[str]] = {
    "client.health_check": set(ERRORS),
    "client.auth_status": {"404"},  # a server before 6.12
    "client.has_users": {"404"},
    "client.logout": set(ERRORS),  # not signed in, so no request is sent
    "client.me": {"404"},
    "board_repo.get_uncategorized_handle": set(ERRORS),  # asks nothing
    "image_repo.find_image": {"404"},
    "image_repo.get_images": {"404"},
    "board_repo.get_board_by_id": {"404"},
    "board.remove_image": {"404"},
    "videos.find_video": {"404"},
    "videos.get_videos": {"403", "404"},
    "board_repo.get_image_by_name": {"404"},
    "board_repo.get_image_current_board_id": {"404"},
    "dnn_model_repo.get_install_job": {"404"},
    "dnn_model_repo.get_model_by_hash": {"404"},
    "dnn_model_repo.get_model_by_key": {"404"},
    "dnn_model_repo.get_model_by_name": {"404"},
    "queue_repo.delete": {"404"},
    "queue_repo.retry": {"404"},
    "queue.get_item": {"404"},
    "queue.get_items_by_ids": {"404"},
}


class _Unknown(Exception):
    """Raised for a parameter that this test has no value for."""


def _value(owner: str, parameter: inspect.Parameter, folder: Path) -> Any:
    picture = folder / "picture.png"
    values: dict[str, Any] = {
        "access_token": "token",
        "base": "sd-1",
        "batch_ids": ["b1", "b2"],
        "batch_id": "b1",
        "board": "b",
        "board_id": "b",
        "board_name": "Board",
        "target_board_id": "c",
        "changes": {"name": "other"},
        "config": {"name": "x"},
        "content": "Write words.",
        "data": workflows.add() if owner.startswith("workflow") else picture.read_bytes(),
        "definition": WorkflowDefinition.from_dict(workflows.add()),
        "destination": "here",
        "file_path": picture,
        "filename": "picture.png",
        "font": "a/b.ttf",
        "filepath": folder / "workflow.json",
        "folder": folder / "out",
        "hash": "blake3:1f",
        "id": 7,
        "image": picture,
        "image_data": picture.read_bytes(),
        "image_name": "a.png",
        "image_names": ["a.png", "b.png"],
        "image_path": picture,
        "images": ["a.png", "b.png"],
        "item_id": 7,
        "item_ids": [7, 8],
        "job_id": "7",
        "key": "k",
        "level": "debug",
        "keys": ["k", "l"],
        "name": "Name",
        "model": "k",
        "model_key": "k",
        "models": ["k", "l"],
        "email": "who@example.org",
        "password": "secret",
        "old_password": "old secret",
        "new_password": "new secret",
        "display_name": "Ann",
        "endpoint": "/app/version",
        "method": "GET",
        "target_board_name": "Board",
        "name_or_id": "w",
        "names": ["a.png", "b.png"],
        "pack": "p",
        "other": "l",
        "path": folder / "file.png",
        "paths": [picture],
        "preset": "p",
        "provider": "openai",
        "prompt": "a {red|green} house",
        "query": "x",
        "repo_id": "org/name",
        "scan_path": "/models",
        "source": "/models/x.safetensors",
        "sources": [CLIP if owner.startswith("videos") else picture],
        "target": folder / "file.png",
        "token": "token",
        "video": CLIP,
        "video_name": "a.mp4",
        "video_names": ["a.mp4", "b.mp4"],
        "value": {"a": 1},
        "type": "main",
        "url": "http://x/y",
        "workflow": workflows.add(),
        "workflow_id": "w",
    }
    if parameter.name not in values:
        raise _Unknown(f"{owner}: give this test a value for {parameter.name!r}")
    return values[parameter.name]


def _methods(target: object) -> list[str]:
    """Return the names of all methods that send requests."""
    return [
        name
        for name, member in inspect.getmembers(type(target), inspect.isroutine)
        if not name.startswith("_")
        and (inspect.iscoroutinefunction(member) or inspect.isasyncgenfunction(member))
    ]


def _targets(client: AsyncInvokeAIClient) -> dict[str, object]:
    board = IvkBoard.from_api_response({"board_id": "b", "board_name": "Board"})
    return {
        "client": client,
        "board_repo": client.board_repo,
        "board": AsyncBoardHandle(client.board_repo, board),
        "dnn_model_repo": client.dnn_model_repo,
        "model_job": AsyncModelInstJobHandle(
            client.dnn_model_repo, ModelInstJobInfo(id=4, source="http://x/y")
        ),
        "image_repo": client.image_repo,
        "image": client.image_repo.image("a.png"),
        "videos": client.videos,
        "video": client.videos.video("a.mp4"),
        "queue_repo": client.queue_repo,
        "queue": client.queue_repo.get_queue(),
        "job": AsyncJobHandle(client.queue_repo, "default", 7),
        "workflow_repo": client.workflow_repo,
        "gallery": client.gallery,
        "presets": client.presets,
        "prompts": client.prompts,
        "server": client.server,
        "state": client.server.state,
        "nodes": client.nodes,
    }


NOT_ASKING = {("client", "close"), ("client", "disconnect_socketio"), ("dnn_model_repo", "wait_all")}
ENDLESS = {("queue_repo", "watch")}
CALLS = [
    (target, name)
    for target, one in _targets(AsyncInvokeAIClient.from_url("http://127.0.0.1:9")).items()
    for name in _methods(one)
    if (target, name) not in NOT_ASKING
]


def _call(target: object, where: str, name: str, folder: Path) -> Awaitable[Any]:
    function = getattr(target, name)
    positional: list[Any] = []
    named: dict[str, Any] = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.default is not parameter.empty:
            continue
        if parameter.kind is parameter.VAR_POSITIONAL or parameter.kind is parameter.VAR_KEYWORD:
            continue
        value = _value(f"{where}.{name}", parameter, folder)
        if parameter.kind is parameter.KEYWORD_ONLY:
            named[parameter.name] = value
        else:
            positional.append(value)
    made = function(*positional, **named)
    if inspect.isasyncgen(made):
        return _all_of(made, at_most=1 if (where, name) in ENDLESS else None)
    return made


async def _all_of(generator: AsyncGenerator[Any, Any], at_most: int | None) -> list[Any]:
    found: list[Any] = []
    async with aclosing(generator):
        async for one in generator:
            found.append(one)
            if len(found) == at_most:
                break
    return found


@asynccontextmanager
async def answering() -> AsyncGenerator[tuple[AsyncInvokeAIClient, list[Any]]]:
    """Yield a client and a list whose only element is the server's response to every request."""
    current: list[Any] = [ANSWERS["404"]]

    async def handle(request: web.Request) -> web.StreamResponse:
        return await current[0](request)

    application = web.Application()
    application.router.add_route("*", "/{rest:.*}", handle)
    runner = web.AppRunner(application, shutdown_timeout=1)
    await runner.setup()
    listener = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, listener).start()
    async with AsyncInvokeAIClient(
        "127.0.0.1", listener.getsockname()[1], max_retries=0, timeout=5, outage_timeout=0
    ) as client:
        try:
            yield client, current
        finally:
            await runner.cleanup()


@pytest.mark.parametrize(("where", "name"), CALLS, ids=[f"{where}.{name}" for where, name in CALLS])
async def test_S35_only_our_errors(where: str, name: str, tmp_path: Path, picture: bytes) -> None:
    (tmp_path / "picture.png").write_bytes(picture)
    (tmp_path / "workflow.json").write_text(json.dumps(workflows.add()))
    quiet: set[str] = set()
    async with answering() as (client, current):
        for kind, answer in ANSWERS.items():
            current[0] = answer
            target = _targets(client)[where]
            try:
                async with asyncio.timeout(PATIENCE):
                    await _call(target, where, name, tmp_path)
            except InvokeAIClientError as error:
                assert str(error), kind
                if isinstance(error, APIRequestError) and kind in ERRORS:
                    assert error.status_code in (int(kind[:3]), None), kind
            except TimeoutError:
                pytest.fail(f"{kind}: no end after {PATIENCE} s")
            except Exception as error:
                raise AssertionError(f"{kind}: {type(error).__name__} came out") from error
            else:
                quiet.add(kind)
    assert quiet & set(ERRORS) == TAKEN.get(f"{where}.{name}", set())
