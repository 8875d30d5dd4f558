"""A pool whose servers are functions, for faults that real servers can't be made to show at a given moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from invokeai_py_client.connection import Connection
from invokeai_py_client.errors import AgentLostError, APIRequestError, ServerUnreachableError
from invokeai_py_client.models import JobStatus
from invokeai_py_client.pool.demands import Demands
from invokeai_py_client.pool.execution import PoolExecution
from invokeai_py_client.pool.fit import ServerInfo
from invokeai_py_client.pool.inputs import PoolInputs
from invokeai_py_client.pool.look import Look, Pictures
from invokeai_py_client.pool.order import PROTOCOL, Order, Outcome
from invokeai_py_client.pool.servers import Servers
from invokeai_py_client.pool.view import View
from invokeai_py_client.run.end import RunEnd
from invokeai_py_client.run.status import RunStatus, status_of_item
from invokeai_py_client.sweep.manifest import POOL_FORMAT, ManifestWriter, read_manifest
from invokeai_py_client.sweep.requests import Request
from invokeai_py_client.sweep.runs import SweepRuns
from invokeai_py_client.sweep.sweep import AsyncSweep
from invokeai_py_client.transport.settings import ConnectionSettings, ServerAddress

INFO = ServerInfo("6.14.2", {"add": "1.0.1"}, ())
HEADER: dict[str, Any] = {
    "name": "Sum",
    "queue": "default",
    "axes": ["a"],
    "servers": ["one", "two"],
    "inputs": {},
    "labels": {},
}
Run = Callable[[Order], Coroutine[Any, Any, Outcome]]


def unreachable(text: str = "It is off.") -> APIRequestError:
    """Return the error of a server that does not respond."""
    return ServerUnreachableError(None, None, text)


def ended(order: Order, *, state: str = "completed", count: int | None = None, start: int = 100) -> Outcome:
    """Return the outcome of an order whose first runs have ended."""
    status = status_of_item({"status": state}, RunStatus())
    number = order["count"] if count is None else count
    runs: dict[int, tuple[int, RunStatus, RunEnd]] = {}
    for place in range(number):
        end = RunEnd()
        end.take({"item_id": start + place, "batch_id": order["batch_id"], "status": state}, {})
        runs[place] = start + place, status, end
    return {
        "asked": True,
        "runs": runs,
        "files": {},
    }


@dataclass
class FakeAgent:
    """An agent that completes its orders at once, unless it is told otherwise.

    Attributes:
        run: What it does with an order.
        description: The response to ``describe``, or an error.
        orders: The orders that it received.
        asked: The other questions, with their arguments.
        has: The names of the images on its server.
        answers: Errors that replace the answers to questions, by question.
        look: What it reports about its runs, given the previews that the client has.
    """

    run: Run | None = None
    description: Mapping[str, Any] | Exception = field(
        default_factory=lambda: {"protocol": PROTOCOL, "url": "", "info": INFO}
    )
    orders: list[Order] = field(default_factory=list[Order])
    asked: list[tuple[str, Any]] = field(default_factory=list[tuple[str, Any]])
    has: set[str] = field(default_factory=set[str])
    answers: dict[str, Exception] = field(default_factory=dict[str, Exception])
    look: Callable[[Pictures | None], Coroutine[Any, Any, list[Look]]] | None = None
    lost: AgentLostError | None = None
    gone: asyncio.Event = field(default_factory=asyncio.Event)


class FakeEngine:
    """An engine whose agents are in this process and can be lost."""

    place = "this test"

    def __init__(self, **agents: FakeAgent) -> None:
        self.known = agents
        self.changed = asyncio.Event()
        self.connections: dict[str, Connection] = {}

    async def agents(self) -> list[str]:
        return [name for name, agent in self.known.items() if agent.lost is None]

    async def change(self) -> None:
        await self.changed.wait()
        self.changed.clear()

    async def ask(self, agent: str, question: str, *args: Any) -> Any:
        await asyncio.sleep(0)
        one = self.known[agent]
        if one.lost is not None:
            raise one.lost
        if question in one.answers:
            raise one.answers[question]
        one.asked.append((question, args))
        if question == "describe":
            if isinstance(one.description, Exception):
                raise one.description
            return {**one.description, "url": one.description["url"] or f"http://{agent}"}
        if question == "missing":
            wanted = {key: [name for name in names if name not in one.has] for key, names in args[0].items()}
            return {key: names for key, names in wanted.items() if names}
        if question == "upload":
            one.has.add(args[1])
        if question == "look":
            return [] if one.look is None else await one.look(args[0])
        return None

    async def run(self, agent: str, order: Order, sent: Callable[[Mapping[int, int]], object]) -> Outcome:
        one = self.known[agent]
        if one.lost is not None:
            raise one.lost
        one.orders.append(order)
        sent({place: 100 + place for place in range(order["count"])})
        work = asyncio.ensure_future((one.run or _complete)(order))
        gone = asyncio.ensure_future(one.gone.wait())
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                assert one.lost is not None
                raise one.lost
            return work.result()
        finally:
            work.cancel()
            gone.cancel()

    def lose(self, agent: str) -> None:
        """End an agent."""
        self.retire(agent)
        self.known[agent].gone.set()

    def retire(self, agent: str) -> None:
        """Let an agent end that still returns its orders."""
        self.known[agent].lost = AgentLostError("It has ended.")
        self.changed.set()

    def bring_back(self, agent: str) -> None:
        """Start an agent again."""
        one = self.known[agent]
        one.lost = None
        one.gone = asyncio.Event()
        self.changed.set()

    def connection(self, agent: str) -> Connection:
        if agent not in self.known:
            raise KeyError(agent)
        if agent not in self.connections:
            settings = ConnectionSettings(ServerAddress.parse(f"http://{agent}.invalid"))
            self.connections[agent] = Connection(settings)
        return self.connections[agent]

    async def close(self) -> None:
        for connection in self.connections.values():
            await connection.close()


async def _complete(order: Order) -> Outcome:
    await asyncio.sleep(0)
    return ended(order)


class FakePool:
    """A pool over fake agents, with the parts that a sweep uses."""

    def __init__(self, engine: FakeEngine, *, longest_outage: float = 300.0) -> None:
        self.engine = engine
        self.connection = Connection(ConnectionSettings(ServerAddress.parse("http://pool.invalid")))
        self.servers = Servers(engine, self.connection)
        self.longest_outage = longest_outage

    @property
    def names(self) -> list[str]:
        return [server.name for server in self.servers.all]

    def execution(self, runs: SweepRuns, reference: Connection | None = None) -> PoolExecution:
        return PoolExecution(
            self.engine,
            self.servers,
            runs,
            demands=Demands(runs.requests, ""),
            inputs=PoolInputs(self.engine, self.servers, reference, self.connection),
            folder=None,
            view=View(self.engine, self.servers, self.connection),
            seconds=5.0,
            longest_outage=self.longest_outage,
        )

    def sweep(
        self, requests: list[Request], manifest: Path | None = None
    ) -> tuple[AsyncSweep, PoolExecution]:
        """Return a sweep that has not begun."""
        writer = None if manifest is None else ManifestWriter(manifest, create=True)
        if writer is not None:
            writer.begin(requests, format=POOL_FORMAT, **HEADER)
        runs = SweepRuns(requests, inputs={}, labels={}, queue_id="default", manifest=writer)
        execution = self.execution(runs)
        return AsyncSweep(self.connection, "Sum", ["a"], runs, execution), execution

    def resumed(self, manifest: Path) -> tuple[AsyncSweep, PoolExecution]:
        """Return a sweep that is resumed from a manifest when it is waited for."""
        kept = read_manifest(manifest)
        writer = ManifestWriter(manifest, create=False)
        runs = SweepRuns(kept.requests, inputs={}, labels={}, queue_id="default", manifest=writer)
        execution = self.execution(runs)
        return AsyncSweep(self.connection, "Sum", ["a"], runs, execution, kept=kept), execution

    async def close(self) -> None:
        await self.connection.close()
        await self.engine.close()


def requests(*counts: int, image: str | None = None, node: str = "add") -> list[Request]:
    """Return requests with a number of runs each."""
    found: list[Request] = []
    first = 0
    for count in counts:
        fields: dict[str, Any] = {"id": "n", "type": node}
        if image is not None:
            fields["image"] = {"image_name": image}
        values = list(range(first, first + count))
        body = {
            "batch": {
                "graph": {"nodes": {"n": fields}},
                "data": [[{"node_path": "n", "field_name": "a", "items": values}]],
                "workflow": None,
            }
        }
        found.append(Request(first, count, {}, ({"a": tuple(values)},), body))
        first += count
    return found


def states(sweep: AsyncSweep) -> list[JobStatus]:
    """Return the state of each run that was sent."""
    return [run.status.state for run in sweep.runs]
