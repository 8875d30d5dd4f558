"""Watching a queue while the server is unreachable."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
import workflows
from proxy import Proxy
from tests.conftest import RealServer

from invokeai_py_client import AsyncInvokeAIClient, InvokeAIClient
from invokeai_py_client.errors import ServerUnreachableError
from invokeai_py_client.models import QueueStatus
from invokeai_py_client.run.events import RunEvent


@pytest.fixture
def other(server: RealServer) -> Iterator[InvokeAIClient]:
    """Return another client, without the proxy."""
    with InvokeAIClient.from_url(server.url) as client:
        client.queue_repo.clear()
        yield client
        client.queue_repo.clear()


async def until_completed(updates: AsyncIterator[QueueStatus | RunEvent]) -> int:
    """Return the number of completed items, as soon as there are any."""
    async for update in updates:
        if isinstance(update, QueueStatus) and update.completed:
            return update.completed
    raise AssertionError("the watch ended")


async def test_watch_tolerates_an_outage(server: RealServer, other: InvokeAIClient) -> None:
    with Proxy(server.url) as proxy:
        async with AsyncInvokeAIClient.from_url(proxy.url, max_retries=0) as client:
            updates = client.queue_repo.watch(interval=0.2)
            first = await anext(updates)
            assert isinstance(first, QueueStatus)
            assert first.total == 0
            asked = asyncio.ensure_future(until_completed(updates))
            with proxy.away():
                # The run happens while the watcher's requests fail.
                wf = await asyncio.to_thread(other.workflow_repo.create_workflow, workflows.add())
                await asyncio.to_thread(wf.run, a=1)
                assert not asked.done()
            assert await asked == 1


async def test_watch_without_a_server_raises() -> None:
    async with AsyncInvokeAIClient.from_url("http://127.0.0.1:1", max_retries=0) as client:
        with pytest.raises(ServerUnreachableError):
            await anext(client.queue_repo.watch())
