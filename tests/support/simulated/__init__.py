"""Simulated InvokeAI servers: for measurements with more runs and more servers than real ones can do in minutes.

They speak as much of InvokeAI 6.14.2 as this client uses to run workflows: the queue with its batches and states,
models, boards, images, and the event connection. Nothing is computed. ``benchmarks/calibrate.py`` compares them with a
real server.

The servers run in processes of their own, so that neither their memory nor their CPU time is measured::

    with simulated_servers(100, processes=2, seconds=0.3) as servers:
        async with AsyncInvokeAIClient.from_url(servers[0].url) as client:
            ...
        servers[7].change(is_alive=False)

Tests that need one or two servers can run them in their own event loop::

    async with SimulatedServer(behavior=Behavior(fails=1.0)) as server:
        ...
"""

from simulated.behavior import Behavior
from simulated.processes import Simulated, simulated_server, simulated_servers
from simulated.server import SimulatedServer

__all__ = ["Behavior", "Simulated", "SimulatedServer", "simulated_server", "simulated_servers"]
