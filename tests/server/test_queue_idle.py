"""Waiting until a real server's queue is idle, while one item is running and another is pending."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
import workflows

from invokeai_py_client import AsyncInvokeAIClient, Run
from invokeai_py_client.errors import RunTimeoutError
from invokeai_py_client.models import JobStatus

PATIENCE = 60


async def test_wait_until_idle(async_client: AsyncInvokeAIClient, long_run: Callable[[], Run]) -> None:
    queue = async_client.queue_repo
    assert (await queue.wait_until_idle(timeout=PATIENCE)).unfinished == 0
    assert await queue.cancel_current() is None
    run = await asyncio.to_thread(long_run)
    wf = await async_client.workflow_repo.create_workflow(workflows.add())
    following = await wf.start(a=41)
    with pytest.raises(RunTimeoutError, match=rf"1 pending, 1 running \(item {run.item_id}\)\.$") as caught:
        await queue.wait_until_idle(timeout=0.5)
    assert caught.value.item_id == run.item_id
    idle = asyncio.ensure_future(queue.wait_until_idle(timeout=PATIENCE))
    canceled = await queue.cancel_current()
    assert canceled is not None
    assert (canceled.item_id, canceled.status) == (run.item_id, JobStatus.CANCELLED)
    assert (await idle).unfinished == 0
    assert (await queue.item(following.item_id)).status is JobStatus.COMPLETED
