"""Serve simulated servers: ``python -m simulated COUNT [BEHAVIOR as JSON]``."""

from __future__ import annotations

import asyncio
import json
import sys

from simulated.processes import serve

asyncio.run(serve(int(sys.argv[1]), json.loads(sys.argv[2]) if len(sys.argv) > 2 else {}))
