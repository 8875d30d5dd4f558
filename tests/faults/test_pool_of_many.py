"""A pool of ten simulated servers, some of which die, come back, or fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from simulated import Behavior, SimulatedServer
from workflows import add

from invokeai_py_client import AsyncInvokeAIPool

RUNS = 150
MOST = 3 * 2 * 4  # the chunks at the servers that die: two at each, of at most 4 runs


@pytest.fixture
async def servers() -> AsyncIterator[list[SimulatedServer]]:
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(SimulatedServer(behavior=Behavior(seconds=0.05)))
            for _ in range(10)
        ]


async def test_each_run_is_delivered_once_while_servers_die_come_back_and_fail(
    servers: list[SimulatedServer],
) -> None:
    delivered: Counter[int] = Counter()
    async with AsyncInvokeAIPool([server.url for server in servers], patience=0.2, seconds=0.2) as pool:
        wf = await pool.create_workflow(add())
        sweep = await wf.sweep(a=range(RUNS))
        async for run in sweep:
            delivered[int(run.inputs["a"])] += 1
            assert run.outputs.values("sum") == [run.inputs["a"] + 2]
            if delivered.total() == 10:
                await servers[0].change(fails=1.0)
                for server in servers[1:4]:
                    await server.change(is_alive=False)
            if delivered.total() == 80:
                for server in servers[1:4]:
                    await server.change(is_alive=True)
        shares = Counter(run.server for run in sweep.runs)
    assert delivered == Counter(range(RUNS))
    assert len(shares) >= 7
    # What a dead server had is done by others if it does not come back for a while, and may have been completed there.
    assert 0 <= sum(server.queue.counts["completed"] for server in servers) - RUNS <= MOST
    assert not any(server.queue.counts[state] for server in servers for state in ("pending", "in_progress"))
