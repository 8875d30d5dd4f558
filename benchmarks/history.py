"""Measure how the history of a server's queue slows it down, and that ``ivk queue prune`` helps.

    .venv/bin/python benchmarks/history.py [--items N] [--runs N]

Starts a new server. The time between two items is from the end of one to the start of the next, by the server's clock.
The history consists of canceled items, which the server keeps like completed ones.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from workflows import add  # noqa: E402

from invokeai_py_client import InvokeAIClient, LocalServer, WorkflowHandle  # noqa: E402


def between(wf: WorkflowHandle, runs: int) -> float:
    """Return the median time between two items of a sweep, in milliseconds."""
    items = [run.item for run in wf.sweep(a=range(runs), b=1).wait(progress=False)]
    starts = [datetime.fromisoformat(item["started_at"]) for item in items[1:]]
    ends = [datetime.fromisoformat(item["completed_at"]) for item in items]
    return statistics.median(
        (start - end).total_seconds() * 1000 for start, end in zip(starts, ends, strict=False)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=2000)
    parser.add_argument("--runs", type=int, default=40)
    options = parser.parse_args()
    with LocalServer(temporary=True) as server, InvokeAIClient(server.url) as client:
        wf = client.workflow_repo.create_workflow(add())
        between(wf, 5)
        print(f"no history: {between(wf, options.runs):.1f} ms between items", flush=True)
        wf.start_batch(runs=options.items, a=1, b=1)
        client.queue_repo.cancel_all_except_current()
        client.queue_repo.wait_until_idle()
        status = client.queue_repo.status()
        print(f"{status.total} items: {between(wf, options.runs):.1f} ms between items", flush=True)
        subprocess.run(["ivk", "doctor", "--url", server.url], check=False)
        print(f"pruned {client.queue_repo.prune()}: {between(wf, options.runs):.1f} ms between items")


if __name__ == "__main__":
    main()
