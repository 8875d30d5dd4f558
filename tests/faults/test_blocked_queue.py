"""A value of the wrong type in a batch blocks a whole server. No call sends such a value, and ``unblock()`` helps."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import pytest_asyncio
import workflows
from command import Command, Done, ivk_command
from tests.conftest import RealServer

from invokeai_py_client import AsyncInvokeAIClient, AsyncWorkflowHandle
from invokeai_py_client.errors import InvokeAIClientError, RunTimeoutError, ServerError
from invokeai_py_client.transport import timing

__all__ = ["ivk_command"]


@pytest_asyncio.fixture
async def client(server: RealServer) -> AsyncIterator[AsyncInvokeAIClient]:
    async with AsyncInvokeAIClient.from_url(server.url) as client:
        yield client
        await client.queue_repo.clear()


@pytest_asyncio.fixture
async def held(client: AsyncInvokeAIClient) -> AsyncIterator[None]:
    """Pause the queue."""
    await client.queue_repo.pause()
    yield
    await client.queue_repo.clear()
    await client.queue_repo.resume()


@pytest.fixture
def posted(client: AsyncInvokeAIClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Collect the paths of all POST requests."""
    paths: list[str] = []
    plain = client.connection.http.json

    async def json(method: str, path: str, **options: Any) -> Any:
        if method != "GET":
            paths.append(path)
        return await plain(method, path, **options)

    monkeypatch.setattr(client.connection.http, "json", json)
    yield paths


class Strange:
    """An object that cannot be serialized."""


# For each field type: a node that has such a field and requires nothing else, a valid value, and invalid values.
KINDS: dict[str, tuple[str, str, Any, list[Any]]] = {
    "integer": (
        "add",
        "a",
        5,
        ["boom", "", None, 1.5, math.nan, math.inf, [1], {"a": 1}, b"1", Strange(), {1}],
    ),
    "float": ("float", "value", 0.5, ["boom", "", None, math.nan, -math.inf, [1.0], {}, Strange(), 10**400]),
    "string": ("string", "value", "a", [None, ["a"], {"a": 1}, b"a", Strange()]),
    "boolean": ("boolean", "value", True, ["maybe", None, 2, [True], Strange()]),
    "choice": ("blank_image", "mode", "RGBA", ["no such mode", None, 5, ["RGB"], Strange()]),
    "scheduler": ("scheduler", "scheduler", "ddim", ["no such scheduler", None, 5, ["euler"], Strange()]),
    "image": (
        "img_resize",
        "image",
        b"",
        [None, 5, "no such.png", {"image_name": 7}, ["a.png"], b"no picture"],
    ),
    "model": (
        "main_model_loader",
        "model",
        "tiny-sd1",
        [None, 5, "no such model", {"key": "x"}, ["tiny-sd1"]],
    ),
    "color": ("blank_image", "color", "#ff0000", [None, 5, "no color", {"r": "x"}, (1, 2)]),
    "bounded": ("noise", "width", 64, [7, 63, -64, 10**30, "wide", None, 64.5, math.nan]),
}
CALLS: dict[str, Callable[[AsyncWorkflowHandle, str, Any], Any]] = {
    "run": lambda wf, name, value: wf.run({name: value}, timeout=0.1),
    "start": lambda wf, name, value: wf.start({name: value}),
    "start_batch": lambda wf, name, value: wf.start_batch({name: value}, runs=2),
    "sweep": lambda wf, name, value: wf.sweep({name: [value]}),
    "sweep of two": lambda wf, name, value: wf.sweep({name: [value, value]}),
    "sweep_rows": lambda wf, name, value: wf.sweep_rows([{name: value}]),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_values_of_the_wrong_type_are_never_sent(
    client: AsyncInvokeAIClient, held: None, posted: list[str], picture: bytes, kind: str
) -> None:
    node, field, good, bad = KINDS[kind]
    document = workflows.workflow("One field", {"node": (node, {})}, [], [("node", field)])
    wf = await client.workflow_repo.create_workflow(document)
    taken: list[tuple[str, Any]] = []
    for call, make in CALLS.items():
        for value in bad:
            try:
                await make(wf, field, value)
            except RunTimeoutError:
                taken.append((call, value))
            except InvokeAIClientError:
                continue
            else:
                taken.append((call, value))
    # None is the field's default, and so is an empty cell of a table; a large number is a number.
    fine = [(call, value) for call in CALLS for value in (None, 10**30)]
    assert [
        one for one in taken if one not in fine and not (one[0] == "sweep_rows" and one[1] != one[1])
    ] == []
    assert len([path for path in posted if "enqueue" in path]) == len(taken)

    run = await wf.start({field: good or picture})  # so the other requests were rejected because of the value
    assert await client.queue.unblock() == []  # the server can read all of them
    assert (await client.queue_repo.item(run.item_id)).status == "pending"


async def test_batch_nodes_are_checked_too(client: AsyncInvokeAIClient, posted: list[str]) -> None:
    """Their lists become batch data, and the fields they are connected to decide which values are valid."""
    document = workflows.workflow(
        "Batch",
        {"words": ("string_batch", {"strings": ["boom"]}), "sum": ("add", {})},
        ["words.value -> sum.a"],
    )
    wf = await client.workflow_repo.create_workflow(document)
    with pytest.raises(InvokeAIClientError):
        await wf.start_batch()
    assert posted == []


async def poison(client: AsyncInvokeAIClient, batch_id: str) -> int:
    """Enqueue a batch that the server cannot read, as another client might."""
    graph = {"nodes": {"sum": {"id": "sum", "type": "add", "a": 1, "b": 2}}, "edges": []}
    data = [[{"node_path": "sum", "field_name": "a", "items": ["boom"]}]]
    batch = {"batch_id": batch_id, "graph": graph, "runs": 1, "data": data}
    answer = await client.connection.http.json(
        "POST", "/api/v1/queue/default/enqueue_batch", json={"batch": batch}
    )
    return answer["item_ids"][0]


async def test_unblock(
    client: AsyncInvokeAIClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(timing, "SILENCE", 0.5)
    bad = await poison(client, "not-ours")
    wf = await client.workflow_repo.create_workflow(workflows.add())
    run = await wf.start(a=40)
    with caplog.at_level(logging.WARNING, "invokeai_py_client"), pytest.raises(RunTimeoutError):
        await run.wait(5)
    assert "client.queue.unblock()" in caplog.text
    for ask in (client.queue_repo.item(bad), client.queue_repo.cancel(bad), client.queue_repo.next_item()):
        with pytest.raises(ServerError, match=r"client\.queue\.unblock"):
            await ask
    assert await client.queue.unblock() == ["not-ours"]
    assert (await run.result(60)).of("sum")[0].data["value"] == 42
    assert await client.queue.unblock() == []
    await client.queue_repo.prune()
    assert bad not in await client.queue_repo.item_ids()


@pytest.mark.usefixtures("held")
async def test_unblock_without_unreadable_items(client: AsyncInvokeAIClient) -> None:
    wf = await client.workflow_repo.create_workflow(workflows.add())
    run = await wf.start()
    assert await client.queue.unblock() == []
    assert (await client.queue_repo.item(run.item_id)).status == "pending"


async def test_command_unblocks_the_queue(
    client: AsyncInvokeAIClient, ivk_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ivk(*words: str) -> Done:
        return ivk_command(*words, "--url", client.url)

    monkeypatch.setattr(timing, "PROCESSOR_IDLE", 2.0)
    assert (await asyncio.to_thread(ivk, "queue", "unblock")).said == "Nothing blocks the queue."
    await poison(client, "not-ours")
    wf = await client.workflow_repo.create_workflow(workflows.add())
    run = await wf.start(a=41)
    examined = await asyncio.to_thread(ivk, "doctor")
    assert examined.code == 1
    assert "ivk queue unblock" in examined.out
    asked = await asyncio.to_thread(ivk, "queue", "unblock")
    assert asked.code == 2
    assert "cannot read an item of 1 batch (not-ours). Cancel 1 item?" in asked.said
    assert (await client.queue_repo.unreadable_batches()) == ["not-ours"]
    done = await asyncio.to_thread(ivk, "queue", "unblock", "--yes", "--json")
    assert done.objects[-1]["batches"] == ["not-ours"]
    assert done.objects[-1]["canceled"] == 1
    assert (await run.result(60)).of("sum")[0].data["value"] == 43
    examined = await asyncio.to_thread(ivk, "doctor")
    assert "ok   queue" in examined.out


@pytest.mark.usefixtures("held")
async def test_paused_queue_is_not_blocked(client: AsyncInvokeAIClient, ivk_command: Command) -> None:
    wf = await client.workflow_repo.create_workflow(workflows.add())
    await wf.start()
    done = await asyncio.to_thread(ivk_command, "queue", "unblock", "--json", "--url", client.url)
    assert done.objects == [
        {"event": "result", "ok": True, "batches": [], "canceled": 0, "is_started": False}
    ]
