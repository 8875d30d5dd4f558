"""Measure the client's overhead for sweeps and single runs, compared with bare requests.

    .venv/bin/python benchmarks/sweeps.py [--runs N] [--rounds N] [--other PYTHON] [--json]

Measurements take turns on the same server: the client, and the bare minimum, a script that knows its requests in
advance and uses one HTTP session and one Socket.IO connection. The server is $INVOKEAI_URL, or a new one. ``--other``
takes the Python of an environment with invokeai-py-client 1.1.1, which is then measured as well.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from beside import baseline_of, by_other_client, compared, fresh, server_url, timed

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from workflows import add  # noqa: E402

from invokeai_py_client import AsyncInvokeAIClient  # noqa: E402


async def measure(url: str, runs: int, rounds: int, other: str | None) -> dict[str, Any]:
    """Return all measurements."""
    found: dict[str, Any] = {"runs": runs, "rounds": rounds}
    async with AsyncInvokeAIClient.from_url(url) as client, baseline_of(url) as baseline:
        wf = await client.workflow_repo.create_workflow(add())
        await wf.run(a=fresh(1)[0])
        baseline.body = await wf.enqueue_request(a=0)
        http = client.connection.http

        ours, bare, cpu = list[float](), list[float](), list[float]()
        requests: list[int] = []
        theirs: list[dict[str, Any]] = []
        for _ in range(rounds):
            bare.append(await timed(lambda: baseline.run(fresh(runs))))
            values = fresh(runs)
            before, sent = time.process_time(), http.sent

            async def swept(values: list[int] = values) -> None:
                await (await wf.sweep(a=values)).wait(progress=False)

            ours.append(await timed(swept))
            cpu.append((time.process_time() - before) / runs)
            requests.append(http.sent - sent)
            if other:
                theirs.append(await asyncio.to_thread(other_runs, other, url, fresh(runs)))
        found["sweep"] = compared(ours, bare) | {
            "requests": statistics.median(requests),
            "cpu_ms_per_run": round(statistics.median(cpu) * 1000, 2),
        }
        if theirs:
            found["sweep"] |= {
                "other_s": round(statistics.median(one["seconds"] for one in theirs), 4),
                "other_requests": statistics.median(one["requests"] for one in theirs),
            }

        added: list[float] = []
        for _ in range(20):
            run = await wf.run(a=fresh(1)[0], progress=False)
            returned = time.perf_counter()
            await baseline.heard(run.item_id)
            added.append((returned - baseline.ended[run.item_id]) * 1000)
        found["one run"] = {
            "ms_after_its_last_event": round(statistics.mean(added), 1),
            "median": round(statistics.median(added), 1),
        }
    found["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return found


def other_runs(python: str, url: str, values: list[int]) -> dict[str, Any]:
    """Return the other client's time for the same runs, without its startup."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(add(), file)
        file.flush()
        return by_other_client(python, "runs", url, file.name, values[0], len(values))


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the overhead of the client.")
    parser.add_argument("--runs", type=int, default=20, help="number of runs in a sweep")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--other", metavar="PYTHON", help="Python of an environment with invokeai-py-client 1.1.1"
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with server_url() as url:
        found = asyncio.run(measure(url, options.runs, options.rounds, options.other))
    print(json.dumps(found) if options.json else "\n".join(f"{name}: {one}" for name, one in found.items()))


if __name__ == "__main__":
    main()
