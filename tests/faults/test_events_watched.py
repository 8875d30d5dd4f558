"""Watching a server's events over a connection that breaks or cannot be made."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import workflows
from proxy import Proxy
from tests.conftest import RealServer

from invokeai_py_client import AsyncInvokeAIClient, BatchEnqueued, EventsConnected, InvokeAIClient
from invokeai_py_client.errors import ServerUnreachableError

PATIENCE = 60


async def test_a_lost_connection_is_announced(server: RealServer) -> None:
    with Proxy(server.url) as proxy, InvokeAIClient.from_url(server.url) as other:
        async with AsyncInvokeAIClient.from_url(proxy.url) as client, asyncio.timeout(PATIENCE):
            events = client.watch(BatchEnqueued)
            first = await anext(events)
            assert isinstance(first, EventsConnected)
            assert not first.missed
            wf = await asyncio.to_thread(other.workflow_repo.create_workflow, workflows.add())
            with proxy.away():
                await asyncio.to_thread(wf.run, a=1)  # the event about this batch is lost
            again = await anext(events)
            assert isinstance(again, EventsConnected)
            assert again.missed
            run = await asyncio.to_thread(wf.run, a=2)
            batch = await anext(events)
            assert isinstance(batch, BatchEnqueued)
            assert batch.batch_id == run.batch_id


async def test_a_watch_without_a_server_raises() -> None:
    async with AsyncInvokeAIClient.from_url(
        "http://127.0.0.1:1", max_retries=0, outage_timeout=0.2
    ) as client:
        with pytest.raises(
            ServerUnreachableError, match=r"There is no event connection to http://127\.0\.0\.1:1"
        ):
            await anext(client.watch())


async def test_a_watch_gives_up_after_a_long_outage(server: RealServer) -> None:
    with Proxy(server.url) as proxy:
        async with AsyncInvokeAIClient.from_url(proxy.url, outage_timeout=0.5) as client:
            events: Any = client.watch()
            assert isinstance(await anext(events), EventsConnected)
            with proxy.away(), pytest.raises(ServerUnreachableError, match="cannot be watched"):
                async for _ in events:
                    pass
