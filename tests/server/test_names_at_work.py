"""The documented names of the client's areas, and the ``repr`` of everything that a server returns."""

from __future__ import annotations

from typing import Any

import workflows

from invokeai_py_client import AsyncInvokeAIClient, InvokeAIClient


def check(*things: object) -> None:
    for thing in things:
        text = repr(thing)
        assert len(text) <= 200, text
        assert "\n" not in text
        assert " object at 0x" not in text
        assert "Async" not in text


def test_natural_names(client: InvokeAIClient, picture: bytes) -> None:
    wf = client.workflow(workflows.sd1())
    run = wf.run(model="tiny-sd1", steps=1, seed=3)
    image, board = run.images[0], client.boards.create_board("natural names")
    try:
        client.images.move([image.name], board.board_id)
        (listed,) = client.images.list_images(board_id=board.board_id)
        models, queue = client.models.list_models(), client.queue.get_queue()
        check(client, client.workflows, client.images, client.boards, client.models, client.queue)
        check(wf, wf.definition, wf.inputs, *wf.inputs, run, run.status, run.outputs, *run.outputs.outputs)
        check(image, listed, board, board.board, *models, queue, client.queue.status(), client.schema())
        check(
            *client.queue.items(),
            client.queue.batch_status(run.batch_id or ""),
            client.settings,
            client.connection,
        )
        sweep = wf.sweep(steps=[1, 2], values={"model": "tiny-sd1", "seed": 3})
        check(sweep, *sweep, wf.sweep_plan(steps=[1, 2]))
        events: list[Any] = []
        wf.run(model="tiny-sd1", steps=2, seed=4, progress=events.append)
        check(*events)
        assert len(events) > 3
        assert repr(wf) == "<WorkflowHandle 'SD-1 text to image': 5 inputs>"
        assert "Positive Prompt" in str(wf)
    finally:
        client.boards.delete_board(board.board_id, delete_images=True)


async def test_natural_names_asynchronously(async_client: AsyncInvokeAIClient) -> None:
    wf = await async_client.workflow(workflows.add())
    run = await wf.run(a=2, b=3)
    assert run.outputs.values("sum") == [5]
    assert repr(wf) == f"<AsyncWorkflowHandle {wf.name!r}: {len(wf.inputs)} inputs>"
    assert async_client.queue is async_client.queue_repo
    assert (await async_client.queue.item(run.item_id)).status == "completed"
