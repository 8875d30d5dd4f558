"""``ivk queue`` and ``ivk graph`` against the real server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import workflows
from command import Command, ivk_command

from invokeai_py_client import InvokeAIClient
from invokeai_py_client.errors import UsageError
from invokeai_py_client.models import JobStatus, QueueStatus
from invokeai_py_client.run.events import StatusChanged

__all__ = ["ivk_command"]


@pytest.fixture
def ivk(ivk_command: Command, client: InvokeAIClient, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setenv("INVOKEAI_URL", client.url)
    monkeypatch.setenv("NO_COLOR", "1")
    return ivk_command


@pytest.fixture
def pending(held_queue: None, client: InvokeAIClient) -> list[str]:
    """Return the numbers of three pending items in a paused queue."""
    del held_queue
    wf = client.workflow_repo.create_workflow(workflows.add())
    return [str(wf.start(a=number).item_id) for number in (1, 2, 3)]


def test_graph_is_what_a_run_would_send(ivk: Command, tmp_path: Path, client: InvokeAIClient) -> None:
    file = tmp_path / "add.json"
    file.write_text(json.dumps(workflows.add()))
    before = client.queue_repo.status().total
    words = [str(file), "-s", "a=40"]
    body = json.loads(ivk("graph", *words).out)
    dry = json.loads(ivk("run", *words, "--dry-run").out)
    for one in (body, dry):
        del one["batch"]["graph"]["id"]  # generated for each request
    assert body == dry
    assert body["batch"]["graph"]["nodes"]["sum"]["a"] == 40
    assert client.queue_repo.status().total == before
    assert ivk("graph", str(file), "-s", "a=many").code == 2


def test_queue_ls_cancel_and_prune(ivk: Command, pending: list[str]) -> None:
    listed = ivk("queue", "ls")
    assert [row[:2] for row in listed.cells] == [[item, "pending"] for item in reversed(pending)]
    assert ivk("queue", "status").out == "Paused: 3 pending\n"
    assert ivk("queue", "cancel", pending[0]).said == "Canceled 1 item."
    assert ivk("queue", "cancel", pending[0]).said.startswith(f"Item {pending[0]} is already canceled.")
    [item], [result] = [
        [
            line
            for line in ivk("queue", "ls", "--state", "cancelled", "--json").objects
            if line["event"] == kind
        ]
        for kind in ("item", "result")
    ]
    assert item["name"] == pending[0]
    assert result == {"event": "result", "ok": True, "items": 1, "more": False}
    assert ivk("queue", "ls", "--batch", item["metadata"]["batch_id"]).cells[0][0] == pending[0]
    refused = ivk("queue", "cancel", "--all")
    assert refused.code == 2
    assert "Cancel 2 items?" in refused.said
    assert ivk("queue", "cancel", "-", stdin=f"{pending[1]}\tpending\n").code == 0
    assert ivk("queue", "cancel", "--all", "--yes", "--json").objects[-1]["canceled"] == 1
    assert ivk("queue", "status", "--json").objects[0]["canceled"] == 3
    assert ivk("queue", "prune").code == 2
    assert ivk("queue", "prune", "--yes", "--json").objects[-1]["removed"] == 3
    assert ivk("queue", "ls").out == ""


def test_cancel_batch(ivk: Command, pending: list[str], client: InvokeAIClient) -> None:
    batch = client.queue_repo.item(int(pending[2])).batch_id
    assert batch is not None
    assert ivk("queue", "cancel", "--batch", batch, "--json").objects[-1]["canceled"] == 1
    unknown = ivk("queue", "cancel", "--batch", "no-such-batch")
    assert (unknown.code, "No batch 'no-such-batch' in the queue" in unknown.err) == (2, True)
    assert client.queue_repo.status().pending == 2


def test_only_my_items(ivk: Command, pending: list[str], client: InvokeAIClient) -> None:
    body = client.workflow_repo.create_workflow(workflows.add()).enqueue_request({"a": 9})
    body["batch"].pop("batch_id", None)  # the server makes one, as for other clients
    sent = client.request("POST", "/api/v1/queue/default/enqueue_batch", json=body)
    [other] = sent.json()["item_ids"]
    assert len(ivk("queue", "ls").cells) == 4
    assert {row[0] for row in ivk("queue", "ls", "--mine").cells} == set(pending)
    assert "Cancel 3 items?" in ivk("queue", "cancel", "--mine").said
    assert ivk("queue", "cancel", "--mine", "--yes").said == "Canceled 3 items."
    assert [job.item_id for job in client.queue_repo.items(status="pending")] == [other]
    assert ivk("queue", "retry", "--mine").lines == []  # canceled, not failed


def test_clear_asks_for_confirmation(ivk: Command, pending: list[str], client: InvokeAIClient) -> None:
    assert ivk("queue", "clear", stdin="n\n", terminal=True).code == 1
    assert client.queue_repo.status().pending == len(pending)
    done = ivk("queue", "clear", stdin="y\n", terminal=True)
    assert done.code == 0
    assert "Removed 3 items." in done.said
    assert client.queue_repo.status().total == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["cancel"], "--mine or --all"),
        (["cancel", "5", "--all"], "--mine or --all"),
        (["cancel", "five"], "Invalid queue item 'five'"),
        (["cancel", "987654321"], "No queue item 987654321"),
        (["retry"], "--failed"),
        (["retry", "987654321"], "No queue item 987654321"),
        (["ls", "--state", "asleep"], "asleep"),
    ],
)
def test_invalid_items_and_states_are_reported(ivk: Command, words: list[str], said: str) -> None:
    done = ivk("queue", *words)
    assert (done.code, done.out) == (2, "")
    assert said in done.said


def test_retry_and_watch_failed_items(ivk: Command, held_queue: None, client: InvokeAIClient) -> None:
    del held_queue
    document = workflows.workflow("Fails", {"divide": ("div", {"a": 1, "b": 0})}, [], [("divide", "b")])
    run = client.workflow_repo.create_workflow(document).start()
    assert ivk("queue", "retry", str(run.item_id)).code == 2  # still pending
    assert ivk("queue", "resume").code == 0
    assert run.wait(60).state is JobStatus.FAILED
    row = ivk("queue", "ls", "--state", "failed").cells[0]
    assert (row[0], row[3][:17]) == (str(run.item_id), "ZeroDivisionError")
    assert ivk("queue", "pause").code == 0
    [new] = ivk("queue", "retry", "--failed").lines
    assert int(new) > run.item_id
    assert client.queue_repo.status().pending == 1
    assert ivk("queue", "resume", "--json").objects[-1]["is_started"] is True
    lines = ivk("queue", "watch", "--until-idle", "--json").objects
    assert lines[0]["event"] == "queue_status"
    assert lines[-1] == {"event": "result", "ok": True}
    ended = [line for line in lines if line.get("item_id") == int(new) and line.get("status") == "failed"]
    # The item may have finished before the watch began.
    assert ended or lines[0]["failed"] == 2


def test_watch_in_a_terminal(ivk: Command, held_queue: None, client: InvokeAIClient) -> None:
    del held_queue
    run = client.workflow_repo.create_workflow(workflows.add()).start(a=4)
    client.queue_repo.resume()
    done = ivk("queue", "watch", "--until-idle", terminal=True)
    assert done.code == 0
    assert "Idle: 1 completed" in done.out
    assert f"{run.item_id}  completed" in done.out
    assert max(map(len, done.shown)) <= 80


def test_watch_yields_statuses_and_events(held_queue: None, client: InvokeAIClient) -> None:
    del held_queue
    wf = client.workflow_repo.create_workflow(workflows.add())
    statuses: list[tuple[int, int]] = []
    states: list[JobStatus] = []
    for update in client.queue_repo.watch(interval=30):
        if isinstance(update, QueueStatus):
            if not statuses:
                client.queue_repo.resume()
                wf.start(a=5)
            statuses.append((update.unfinished, update.completed))
            if update.completed:
                break
        elif isinstance(update, StatusChanged):
            states.append(update.status)
    assert statuses[0] == (0, 0)
    assert statuses[-1] == (0, 1)
    assert states == [JobStatus.RUNNING, JobStatus.COMPLETED]
    with pytest.raises(UsageError, match="greater than 0"):
        next(iter(client.queue_repo.watch(interval=0)))


def test_prune_names_the_sweeps_that_still_need_items(
    ivk: Command, client: InvokeAIClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    manifest = tmp_path / "night.jsonl"
    wf = client.workflow_repo.create_workflow(workflows.add())
    wf.sweep(a=[1, 2, 3], manifest=manifest).wait()
    complete = manifest.read_text()
    assert "night.jsonl" not in ivk("queue", "prune").err
    manifest.write_text("".join(line for line in complete.splitlines(True) if '"kind": "run"' not in line))
    assert f"{manifest} does not have the results of 3 finished items yet" in ivk("queue", "prune").said
    manifest.write_text("damaged")
    assert "night.jsonl" not in ivk("queue", "prune").err
    manifest.unlink()
    assert "night.jsonl" not in ivk("queue", "prune").err
    assert list((tmp_path / "data").rglob("manifests/*")) == []  # it is forgotten
