"""Kill the client and the server of a sweep repeatedly, and check that every run was executed exactly once.

    .venv/bin/python benchmarks/killed.py [--runs N] [--kills N] [--server-kills N] [--seed N]

Starts a new server. Each kill is a SIGKILL at a random moment; ``Sweep.resume()`` then continues the sweep in a new
process. At the end, the script reads every queue item of the sweep's batches from the server.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from workflows import add  # noqa: E402

from invokeai_py_client import InvokeAIClient, LocalServer  # noqa: E402

SWEEP = textwrap.dedent("""
    import sys
    from pathlib import Path
    from invokeai_py_client import InvokeAIClient, Sweep
    url, count = sys.argv[1], int(sys.argv[2])
    with InvokeAIClient.from_url(url) as client:
        if Path("sweep.jsonl").exists():
            sweep = Sweep.resume("sweep.jsonl", client)
        else:
            wf = client.workflow_repo.create_workflow("add.json")
            sweep = wf.sweep(a=range(count), manifest="sweep.jsonl")
        print(len(sweep.wait(progress=False)), flush=True)
""")


def start(folder: Path, url: str, runs: int) -> subprocess.Popen[str]:
    """Start or resume the sweep in a new process."""
    return subprocess.Popen(
        [sys.executable, "-c", SWEEP, url, str(runs)], cwd=folder, stdout=subprocess.PIPE, text=True
    )


def kill_within(process: subprocess.Popen[str], seconds: float) -> bool:
    """Kill a process after a delay. Return False if it had already ended."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return True
    return False


def check(manifest: Path, url: str, runs: int) -> dict[str, int]:
    """Compare the server's queue items of the sweep's batches with the manifest."""
    lines = [json.loads(line) for line in manifest.read_text().splitlines()]
    batches = {line["batch"] for line in lines if line["kind"] == "sending"}
    ended = {line["run"] for line in lines if line["kind"] == "run" and line["state"] == "completed"}
    with InvokeAIClient.from_url(url) as client:
        items = [job for batch in batches for job in client.queue_repo.items(batch_id=batch, outputs=True)]
    values = Counter(
        entry["value"]
        for job in items
        if job.is_successful()
        for entry in job.metadata["field_values"]
        if entry["field_name"] == "a"
    )
    return {
        "runs": runs,
        "results in the manifest": len(ended),
        "runs that completed on the server": len(values),
        "runs that completed twice": sum(count > 1 for count in values.values()),
        "items": len(items),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Kill the client and the server of a sweep, and count its runs."
    )
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--kills", type=int, default=10, help="kills of the client")
    parser.add_argument("--server-kills", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "add.json").write_text(json.dumps(add()))
        kills = ["client"] * options.kills + ["server"] * options.server_kills
        chance.shuffle(kills)
        server = LocalServer(root=folder / "root")
        server.start()
        begun = time.monotonic()
        for number, victim in enumerate(kills, 1):
            process = start(folder, server.url, options.runs)
            # Barely enough time to start: some processes die before they have sent anything.
            if victim == "client":
                killed = kill_within(process, chance.uniform(0.3, 12))
                print(f"{number}: client {'killed' if killed else 'had ended'}", flush=True)
            else:
                time.sleep(chance.uniform(2, 8))
                os.kill(server.pid, signal.SIGKILL)
                process.kill()
                process.communicate()
                server.stop()
                server = LocalServer(root=folder / "root")
                server.start()
                print(f"{number}: server killed and restarted", flush=True)
        process = start(folder, server.url, options.runs)
        process.communicate(timeout=3600)
        found = check(folder / "sweep.jsonl", server.url, options.runs)
        server.stop()
        for what, count in found.items():
            print(f"{what}: {count}")
        print(f"seconds: {time.monotonic() - begun:.0f}")
        whole = found["runs that completed on the server"] == found["results in the manifest"] == options.runs
        sys.exit(not whole or found["runs that completed twice"] > options.server_kills)


if __name__ == "__main__":
    main()
