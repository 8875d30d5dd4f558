"""Calls of the synchronous client in ``__del__``, while Python is exiting and its threads are stopped."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import os
import sys

from invokeai_py_client import InvokeAIClient, Run, Sweep
from invokeai_py_client.run.run import AsyncRun
from invokeai_py_client.run.tracker import BatchTracker

client = InvokeAIClient("127.0.0.1", 9, max_retries=0)
run = Run._of(AsyncRun(client.connection, 1, BatchTracker("b")))
sweep = Sweep.resume(sys.argv[1], client)
boards, images = client.boards, client.images
image = images.image("a.png")
USED_BEFORE
started = run.events()

CALLS = {
    "request": lambda: client.version(),
    "listing": lambda: next(images.iter_images()),
    "repository": lambda: boards.list_boards(),
    "enter": lambda: client.__enter__(),
    "run": lambda: run.wait(),
    "cancel": lambda: run.cancel(),
    "events": lambda: next(run.events()),
    "events of before": lambda: next(started),
    "sweep": lambda: sweep.wait(progress=False),
    "iteration": lambda: next(iter(sweep)),
    "image": lambda: image.bytes(),
    "property": lambda: image.starred,
    "close": lambda: client.close(),
    "exit": lambda: client.__exit__(None, None, None),
}


class AtExit:
    def __init__(self, name, call, write=os.write, finalizing=sys.is_finalizing):
        self.name, self.call, self.write, self.finalizing = name, call, write, finalizing

    def __del__(self):
        assert self.finalizing()
        try:
            outcome = repr(self.call())
        except Exception as error:
            outcome = type(error).__name__
        self.write(1, f"{self.name}: {outcome}\\n".encode())


# The objects are deleted with this module.
objects = [AtExit(name, call) for name, call in CALLS.items()]
"""


@pytest.mark.parametrize("before", ["", "client.health_check()"], ids=["unused", "used"])
def test_calls_while_python_exits_return_or_raise_at_once(tmp_path: Path, before: str) -> None:
    manifests = Path(__file__).parents[1] / "data" / "artifacts" / "2.0.0-dev" / "manifests"
    manifest = tmp_path / "sweep.jsonl"
    manifest.write_bytes((manifests / "complete.jsonl").read_bytes())
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.replace("USED_BEFORE", before), str(manifest)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    outcomes = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    assert outcomes.pop("close") == outcomes.pop("exit") == "None"
    assert outcomes == dict.fromkeys(outcomes, "UsageError")
    assert len(outcomes) == 12
