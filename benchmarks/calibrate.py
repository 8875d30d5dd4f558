"""Compare the simulated server with a real InvokeAI: the same sweeps, the client's requests and the server's events.

    .venv/bin/python benchmarks/calibrate.py

The real server is $INVOKEAI_URL, or a new one with tiny models. Exits with 1 if they differ.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from beside import server_url

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from simulated import Behavior, SimulatedServer  # noqa: E402
from workflows import add, sd1, workflow  # noqa: E402

from invokeai_py_client import AsyncInvokeAIClient  # noqa: E402
from invokeai_py_client.server import install, install_tiny_models, make_tiny_models  # noqa: E402

_RUNS = 20
_VARIABLE = re.compile(r"(?<=/)([0-9a-f-]{36}(\.png)?|\d+)(?=/|$)")
# A real server reports the models that it loads. The client only listens to these events if it watches a run.
# Nodes also report progress while they load models, so how often depends on the server's cache.
_NOT_SIMULATED = {"model_load_started", "model_load_complete", "connect", "invocation_progress"}
# Sent if a run is pending for 0.3 s, for its position in the queue.
_DEPENDS_ON_TIME = {"GET /api/v1/queue/default/status"}


@dataclass
class Heard:
    """The requests and events of a client.

    Attributes:
        requests: How often each kind of request was sent.
        events: The events of each item, in order.
        fields: The fields of each kind of event.
        items: The fields of whole items and of summaries, by their state.
    """

    requests: Counter[str] = field(default_factory=Counter[str])
    events: dict[int, list[str]] = field(default_factory=dict[int, list[str]])
    fields: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    items: dict[str, set[str]] = field(default_factory=dict[str, set[str]])

    def listen_to(self, client: AsyncInvokeAIClient) -> None:
        """Record the requests and events of a client from now on."""
        client.connection.hub.add(self._take)
        http: Any = client.connection.http
        send = http._open

        async def counted(method: str, path: str, *arguments: Any, **options: Any) -> Any:
            self.requests[f"{method} {_VARIABLE.sub('*', path)}"] += 1
            return await send(method, path, *arguments, **options)

        http._open = counted

    def _take(self, name: str, payload: Any) -> None:
        if name in _NOT_SIMULATED:
            return
        data: dict[str, Any] = payload or {}
        self.fields.setdefault(name, set()).update(data)
        if "item_id" in data:
            shown = name.removeprefix("queue_item_status_changed") or str(data["status"])
            self.events.setdefault(data["item_id"], []).append(shown)

    @property
    def orders(self) -> set[str]:
        """The different orders of the items' events. A canceled item may have been at any of its nodes."""
        return {
            "in_progress canceled" if "canceled" in events else " ".join(events)
            for events in self.events.values()
        }


async def sums(client: AsyncInvokeAIClient) -> None:
    """Run a sweep of the smallest workflow."""
    wf = await client.workflow_repo.create_workflow(add())
    await (await wf.sweep(a=range(_RUNS))).wait(progress=False)


async def images(client: AsyncInvokeAIClient) -> None:
    """Run a text-to-image sweep, and download the images."""
    wf = await client.workflow_repo.create_workflow(sd1(steps=4))
    for run in await (await wf.sweep(seed=range(3), model="tiny-sd1")).wait(progress=False):
        await run.images[0].bytes()


async def canceled(client: AsyncInvokeAIClient) -> None:
    """Cancel a sweep."""
    wf = await client.workflow_repo.create_workflow(add())
    sweep = await wf.sweep(a=range(500))
    await sweep[0].wait()
    await sweep.cancel()
    await sweep.wait(progress=False)


async def failed(client: AsyncInvokeAIClient) -> None:
    """Run a sweep whose runs all fail: a division by zero."""
    division = workflow("Division", {"d": ("div", {"a": 1, "b": 0})}, [], [("d", "a")])
    wf = await client.workflow_repo.create_workflow(division)
    await (await wf.sweep(a=range(3))).wait(progress=False)


async def single(client: AsyncInvokeAIClient) -> None:
    """Run a workflow once."""
    wf = await client.workflow_repo.create_workflow(add())
    await wf.run(a=7, progress=False)


CASES: dict[str, tuple[Callable[[AsyncInvokeAIClient], Awaitable[None]], Behavior]] = {
    "sweep of 20 sums": (sums, Behavior()),
    "sweep of 3 images": (images, Behavior()),
    "canceled sweep of 500": (canceled, Behavior(seconds=0.5)),
    "failing sweep of 3": (failed, Behavior(fails=1.0)),
    "one run": (single, Behavior()),
}


async def heard(url: str, case: Callable[[AsyncInvokeAIClient], Awaitable[None]]) -> Heard:
    """Return what a client sends and hears in a case."""
    found = Heard()
    async with AsyncInvokeAIClient.from_url(url) as client:
        found.listen_to(client)
        await case(client)
        http = client.connection.http
        for item_id in [*found.events][:1]:
            path = "/api/v1/queue/default"
            item = await http.json("GET", f"{path}/i/{item_id}")
            [short] = await http.json("POST", f"{path}/item_summaries_by_ids", json={"item_ids": [item_id]})
            found.items = {"item": set(item), "session": set(item["session"]), "summary": set(short)}
    return found


def compare(real: Heard, simulated: Heard) -> list[str]:
    """Return the differences that matter to the client."""
    found = [
        f"{request}: {real.requests[request]} real, {simulated.requests[request]} simulated"
        for request in sorted((real.requests.keys() | simulated.requests.keys()) - _DEPENDS_ON_TIME)
        if real.requests[request] != simulated.requests[request]
    ]
    if real.orders != simulated.orders:
        found.append(f"order of events: {sorted(real.orders)} real, {sorted(simulated.orders)} simulated")
    found += _missing("event", real.fields, simulated.fields)
    found += _missing("record", real.items, simulated.items)
    return found


def _missing(what: str, real: Mapping[str, set[str]], simulated: Mapping[str, set[str]]) -> list[str]:
    return [
        f"{what} {name}: {', '.join(sorted(missing))} not simulated"
        for name, fields in sorted(real.items())
        if (missing := fields - simulated.get(name, set()))
    ]


def _short(request: str) -> str:
    return re.sub(r"(?<= )/(api/v\d/)?(queue/default/)?", "", request)


async def run(url: str) -> bool:
    """Print the comparison, and return whether all cases are equal."""
    print("| case | requests | order of the events | differences |\n|---|---|---|---|")
    equal = True
    for name, (case, behavior) in CASES.items():
        real = await heard(url, case)
        async with SimulatedServer(behavior=behavior) as server:
            simulated = await heard(server.url, case)
        differences = compare(real, simulated)
        equal = equal and not differences
        sent = ", ".join(f"{count} `{_short(request)}`" for request, count in real.requests.items())
        orders = "; ".join(sorted(real.orders))
        print(f"| {name} | {sent} | {orders} | {'; '.join(differences) or 'none'} |", flush=True)
    return equal


def main() -> None:
    with server_url() as url:
        install_tiny_models(url, make_tiny_models(install(), only=["tiny-sd1"]))
        sys.exit(not asyncio.run(run(url)))


if __name__ == "__main__":
    main()
