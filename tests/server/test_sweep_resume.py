"""Resuming a sweep after a crash of the client or the server: each run happens exactly once."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import workflows
from mutations import damage_values
from packs import CHEAP_COLLECTIONS

from invokeai_py_client import InvokeAIClient, LocalServer, Sweep
from invokeai_py_client.errors import InvokeAIClientError, UsageError

if TYPE_CHECKING:
    from tests.conftest import RealServer

SWEEP = textwrap.dedent("""
    import json, sys
    from invokeai_py_client import InvokeAIClient
    url, first, count, background = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "background"
    with InvokeAIClient.from_url(url) as client:
        wf = client.workflow_repo.create_workflow("add.json")
        sweep = wf.sweep(a=range(first, first + count), manifest="sweep.jsonl", background=background)
        for run in sweep:
            print(run.inputs["a"], flush=True)
""")


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def resumed(path: Path, client: InvokeAIClient) -> Sweep:
    return Sweep.resume(path, client)


def sums(path: Path, client: InvokeAIClient) -> list[int]:
    """Return the results of the sweep's runs on the server, in the order of the runs."""
    last = {line["run"]: line["item"] for line in lines(path) if line["kind"] == "run"}
    found: list[int] = []
    for index in sorted(last):
        run = client.run(last[index])
        found.append(run.result(20).of("sum")[0].data["value"])
    return found


def items_of(path: Path, client: InvokeAIClient) -> int:
    """Return the number of queue items on the server in all batches of the sweep."""
    batches = {line["batch"] for line in lines(path) if line["kind"] == "sending"}
    return sum(client.queue_repo.batch_status(batch).total for batch in batches)


@pytest.mark.parametrize(("first", "mode", "dies_after"), [(10_000, "at once", 2), (20_000, "background", 3)])
def test_sweep_resumes_after_the_client_is_killed(
    server: RealServer, client: InvokeAIClient, tmp_path: Path, first: int, mode: str, dies_after: int
) -> None:
    (tmp_path / "add.json").write_text(json.dumps(workflows.add()))
    command = [sys.executable, "-c", SWEEP, server.url, str(first), "8", mode]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(dies_after):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    manifest = tmp_path / "sweep.jsonl"
    ended = sum(line["kind"] == "run" for line in lines(manifest))
    assert dies_after <= ended < 8

    sweep = resumed(manifest, client)
    values = [run.inputs["a"] for run in sweep]
    assert sorted(values) == list(range(first, first + 8))
    assert len(sweep.wait()) == 8
    assert sums(manifest, client) == [value + 2 for value in range(first, first + 8)]
    assert items_of(manifest, client) == 8  # each run exactly once
    assert [run.item_id for run in resumed(manifest, client).wait()] == [run.item_id for run in sweep.runs]
    assert items_of(manifest, client) == 8  # nothing was sent again


def test_response_missing_from_the_manifest(client: InvokeAIClient, tmp_path: Path) -> None:
    """The client crashed after the server accepted the batch, but before the client recorded it."""
    path = tmp_path / "sweep.jsonl"
    wf = client.workflow_repo.create_workflow(workflows.add())
    wf.sweep(a=range(30_000, 30_003), manifest=path).wait()
    kept = [line for line in path.read_text().splitlines() if json.loads(line)["kind"] not in ("sent", "run")]
    path.write_text("\n".join(kept) + '\n{"kind": "ru')  # and an incomplete line
    sweep = resumed(path, client)
    assert [run.outputs.of("sum")[0].data["value"] for run in sweep.wait()] == [30_002, 30_003, 30_004]
    assert items_of(path, client) == 3


def test_canceled_runs_run_again(client: InvokeAIClient, tmp_path: Path) -> None:
    path = tmp_path / "sweep.jsonl"
    wf = client.workflow_repo.create_workflow(workflows.sd1(steps=1000, size=256))
    sweep = wf.sweep(values={"model": "tiny-sd1"}, steps=[500, 4], manifest=path)
    sweep.runs[0].cancel()
    sweep.wait()
    assert [run.status.ok for run in sweep.runs] == [False, True]
    again = resumed(path, client)
    waiting = again.as_completed()
    assert next(waiting).inputs["steps"] == 4
    again.runs[0].cancel()
    assert next(waiting).inputs["steps"] == 500


def test_resumed_runs_have_their_results(client: InvokeAIClient, tmp_path: Path) -> None:
    path = tmp_path / "sweep.jsonl"
    wf = client.workflow_repo.create_workflow(workflows.sd1())
    first = wf.sweep(values={"model": "tiny-sd1"}, seed=[61, 62], manifest=path).wait()
    again = resumed(path, client).wait()
    assert [run.images[0].name for run in again] == [run.images[0].name for run in first]
    assert [run.seconds for run in again] == [run.seconds for run in first]
    assert [dict(run.inputs)["seed"] for run in again] == [61, 62]
    assert again[0].result().image_names() == (first[0].images[0].name,)  # read from the server


def test_invalid_manifests_are_rejected(client: InvokeAIClient, tmp_path: Path) -> None:
    wf = client.workflow_repo.create_workflow(workflows.add())
    before = client.queue_repo.status().total
    (tmp_path / "there.jsonl").write_text("")
    with pytest.raises(UsageError, match="already exists"):
        wf.sweep(a=[1], manifest=tmp_path / "there.jsonl")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match=r"Cannot write|already exists"):
        wf.sweep(a=[1], manifest=tmp_path / "folder")
    assert client.queue_repo.status().total == before
    with pytest.raises(UsageError, match="is not the manifest"):
        Sweep.resume(tmp_path / "there.jsonl")
    with pytest.raises(UsageError, match="Cannot read the manifest"):
        Sweep.resume(tmp_path / "nowhere.jsonl")


# --------------------------------------------------------------------------- a separate small server


@pytest.fixture
def small_server(tmp_path: Path) -> Iterator[LocalServer]:
    """A server that can be killed, and whose queue holds at most five items."""
    with small_local_server(tmp_path) as server:
        yield server


def small_local_server(folder: Path) -> LocalServer:
    return LocalServer(
        root=folder / "root",
        config={"max_queue_size": 5, "attention_type": "torch-sdp"},
        node_packs=[CHEAP_COLLECTIONS],
    )


def test_sweep_resumes_after_the_server_is_killed(small_server: LocalServer, tmp_path: Path) -> None:
    path = tmp_path / "sweep.jsonl"
    with InvokeAIClient.from_url(small_server.url) as client:
        wf = client.workflow_repo.create_workflow(workflows.add())
        sweep = wf.sweep(a=range(12), manifest=path)
        assert len(sweep.runs) < 12  # the rest is sent when the queue has room
        for ended, run in enumerate(sweep, 1):
            assert run.status.ok
            if ended == 8:
                break
        os.kill(small_server.pid, signal.SIGKILL)
    with (
        small_local_server(tmp_path) as again,
        InvokeAIClient.from_url(again.url) as client,
    ):
        sweep = resumed(path, client)
        sweep.wait()
        assert [run.status.ok for run in sweep.runs] == [True] * 12
        assert sums(path, client) == [value + 2 for value in range(12)]
        sent = items_of(path, client)
        assert 12 <= sent <= 13  # the run in progress at the crash ran again


def test_damaged_manifests_raise_our_errors_and_repeat_no_recorded_run(
    client: InvokeAIClient, tmp_path: Path
) -> None:
    path, whole = tmp_path / "sweep.jsonl", tmp_path / "whole.jsonl"
    wf = client.workflow_repo.create_workflow(workflows.add())
    wf.sweep(a=range(40_000, 40_004), manifest=whole).wait()
    rng = random.Random(15)
    refused = 0
    for _ in range(40):
        path.write_bytes(damage_values(whole.read_bytes(), rng))
        try:
            resumed(path, client).wait()
        except InvokeAIClientError:
            refused += 1
    assert refused > 10
    damaged = [line for line in lines(whole) if line["kind"] not in ("sending", "sent")]
    path.write_text("".join(json.dumps(line) + "\n" for line in damaged))
    before = client.queue_repo.status().total
    with pytest.raises(UsageError, match=r"line 3: no earlier line has the queue item"):
        resumed(path, client)
    assert client.queue_repo.status().total == before
