"""Simulated servers in processes of their own, and how to control them."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from simulated.behavior import Behavior
from simulated.server import SimulatedServer


@dataclass(frozen=True)
class Simulated:
    """A running simulated server.

    Attributes:
        url: Its URL.
        control: The URL through which it is controlled, which responds also while the server does not.
    """

    url: str
    control: str

    def change(self, **behavior: Any) -> dict[str, int]:
        """Change settings of its ``Behavior``, and return how often each route was called since the last call."""
        with urllib.request.urlopen(self.control, json.dumps(behavior).encode(), timeout=60) as response:
            return json.loads(response.read())

    def state(self) -> dict[str, Any]:
        """Return its items by state, and its times. See ``SimulatedServer.state()``."""
        with urllib.request.urlopen(self.control, timeout=60) as response:
            return json.loads(response.read())


@contextmanager
def simulated_servers(count: int, *, processes: int = 1, **behavior: Any) -> Generator[list[Simulated]]:
    """Start simulated servers for a ``with`` block.

    Args:
        count: The number of servers.
        processes: The number of processes to distribute them over. Defaults to 1.
        behavior: Settings of ``Behavior`` for all of them.
    """
    with ExitStack() as stack:
        found: list[Simulated] = []
        shares = [count // processes + (number < count % processes) for number in range(processes)]
        for process in [stack.enter_context(_process(share, behavior)) for share in shares if share]:
            assert process.stdout is not None
            found += [Simulated(**server) for server in json.loads(process.stdout.readline())]
        yield found


@contextmanager
def simulated_server(**behavior: Any) -> Generator[Simulated]:
    """Start one simulated server for a ``with`` block."""
    with simulated_servers(1, **behavior) as [server]:
        yield server


@contextmanager
def _process(count: int, behavior: dict[str, Any]) -> Generator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "simulated", str(count), json.dumps(behavior)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True, env=environment
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


async def serve(count: int, behavior: dict[str, Any]) -> None:
    """Serve until the parent process has ended. The first line of the output lists the servers as JSON."""
    servers = [SimulatedServer(behavior=Behavior(**behavior)) for _ in range(count)]
    for server in servers:
        await server.start()
    control = web.AppRunner(_control(servers), access_log=None)
    await control.setup()
    await web.TCPSite(control, "127.0.0.1", 0).start()
    address = f"http://127.0.0.1:{control.addresses[0][1]}"
    found = [{"url": server.url, "control": f"{address}/{number}"} for number, server in enumerate(servers)]
    print(json.dumps(found), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def _control(servers: list[SimulatedServer]) -> web.Application:
    async def change(request: web.Request) -> web.Response:
        server = servers[int(request.match_info["number"])]
        return web.json_response(await server.change(**await request.json()))

    async def state(request: web.Request) -> web.Response:
        return web.json_response(servers[int(request.match_info["number"])].state())

    app = web.Application()
    app.add_routes([web.post("/{number}", change), web.get("/{number}", state)])
    return app
