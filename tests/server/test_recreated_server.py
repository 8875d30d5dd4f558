"""A server that was started again: with a new database, in which item ids start from 1 again, and another node pack.

Nothing of the old server may be mistaken for anything of the new one.
"""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import workflows
from click.testing import CliRunner
from packs import CHEAP_COLLECTIONS

from invokeai_py_client import InvokeAIClient, Run, Schema, Sweep
from invokeai_py_client.cli.main import ivk
from invokeai_py_client.errors import (
    InputValueError,
    NotFoundError,
    NotReadyError,
    RunCanceledError,
    RunError,
    UnprocessableError,
)
from invokeai_py_client.run.batch_ids import new_batch_id
from invokeai_py_client.run.enqueue import enqueue
from invokeai_py_client.schema import source
from invokeai_py_client.server import LocalServer

PACK = """
from invokeai.app.invocations.baseinvocation import BaseInvocation, invocation
from invokeai.app.invocations.fields import InputField
from invokeai.app.invocations.primitives import IntegerOutput
from invokeai.app.services.shared.invocation_context import InvocationContext


@invocation("limited", title="Limited", category="test", version="1.0.0", use_cache=False)
class LimitedInvocation(BaseInvocation):
    value: int = InputField(default=1, ge=0, le=LIMIT, description="A number.")

    def invoke(self, context: InvocationContext) -> IntegerOutput:
        return IntegerOutput(value=self.value)
"""
OLD, NEW = 100, 10
OTHERS = 6


@dataclass
class Kept:
    """Things of the old server that its clients still have.

    Attributes:
        url: The address of both servers.
        client: A client that was connected to the old server.
        folder: The folder with the manifests.
        run: A pickled run that had not ended.
        done: A pickled run that had ended and whose results were never read.
        handle: A pickled handle of a queue item.
        sweep: The first sweep on both servers. Its first run completed on the old server, and the others were
            canceled there. On the new server, they run again.
        limited: A workflow with a value that the old server accepts.
        document: The same workflow as a document.
        schema: The node types of the old server.
    """

    url: str
    client: InvokeAIClient
    folder: Path
    run: bytes
    done: bytes
    handle: bytes
    sweep: Sweep
    limited: Any
    document: dict[str, Any]
    schema: Schema


def limited(value: int) -> dict[str, Any]:
    return workflows.workflow("limited", {"n": ("limited", {"value": value})}, (), [("n", "value")])


def prepare(server: LocalServer, client: InvokeAIClient, folder: Path) -> Kept:
    """Run things on the old server."""
    add = client.workflow_repo.create_workflow(workflows.add())
    document = limited(50)
    wf = client.workflow_repo.create_workflow(document)
    client.queue_repo.pause()
    sweep = add.sweep(a=[1, 2, 3], manifest=folder / "live.jsonl")
    for run in sweep.runs[1:]:
        run.cancel()
    client.queue_repo.resume()
    sweep.wait()
    wf.run()
    done = pickle.dumps(add.start(a=3))
    client.queue_repo.wait_until_idle()
    client.queue_repo.pause()
    run = add.start(a=4)
    handle = client.queue_repo.get_queue().get_item(run.item_id)
    assert handle is not None
    pickled = pickle.dumps(handle)
    wf.sweep(value=[7, 8], manifest=folder / "unfinished.jsonl")
    schema = client.schema()
    return Kept(server.url, client, folder, pickle.dumps(run), done, pickled, sweep, wf, document, schema)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    """Yield the things of the old server, while a new one with the items of other people runs at its address."""
    folder = tmp_path_factory.mktemp("recreated")
    pack = folder / "pack" / "limits"
    pack.mkdir(parents=True)
    (pack / "__init__.py").write_text(PACK.replace("LIMIT", str(OLD)))
    with LocalServer(root=folder / "root", node_packs=[CHEAP_COLLECTIONS, pack]) as old:
        port = old.port
        client = InvokeAIClient.from_url(old.url)
        kept = prepare(old, client, folder)
    shutil.rmtree(folder / "root")
    (pack / "__init__.py").write_text(PACK.replace("LIMIT", str(NEW)))
    with client, LocalServer(root=folder / "root", port=port, node_packs=[CHEAP_COLLECTIONS, pack]) as new:
        assert new.url == kept.url
        assert kept.sweep.retry_failed() == 2
        kept.sweep.wait()
        with InvokeAIClient.from_url(new.url) as other:
            theirs = other.workflow_repo.create_workflow(workflows.add())
            for number in range(OTHERS):
                theirs.run(a=1000 + number)
        yield kept


@pytest.fixture
def fresh(kept: Kept) -> Iterator[InvokeAIClient]:
    """A new client for the new server."""
    with InvokeAIClient.from_url(kept.url) as client:
        yield client


def is_gone(run: Run) -> bool:
    return run.status.gone and not run.status.ok


# --------------------------------------------------------------------------- queue items


@pytest.mark.parametrize("which", ["run", "done"])
def test_pickled_run_is_gone_if_its_id_was_given_to_another_item(
    kept: Kept, fresh: InvokeAIClient, which: str
) -> None:
    run: Run = pickle.loads(getattr(kept, which))
    assert fresh.run(run.item_id).status.ok  # another run of someone else
    with pytest.raises(RunCanceledError, match="the server's database was recreated"):
        run.result(20)
    assert is_gone(run)
    assert run.item["status"] == "canceled"
    assert run.images == []


@pytest.mark.parametrize("action", ["refresh", "cancel"])
def test_actions_do_not_reach_the_item_of_someone_else(
    kept: Kept, fresh: InvokeAIClient, action: str
) -> None:
    run: Run = pickle.loads(kept.run)
    getattr(run, action)()
    assert is_gone(run)
    assert fresh.run(run.item_id).status.ok


def test_retry_does_not_retry_the_item_of_someone_else(kept: Kept, fresh: InvokeAIClient) -> None:
    fresh.queue_repo.pause()
    theirs = fresh.workflow_repo.create_workflow(workflows.add()).start(a=5)
    theirs.cancel()  # now the server would retry it
    fresh.queue_repo.resume()
    run: Run = pickle.loads(kept.run)
    run._impl.item_id = theirs.item_id
    before = fresh.queue_repo.item_ids()
    with pytest.raises(RunError, match="did not retry"):
        run.retry()
    assert fresh.queue_repo.item_ids() == before


def test_run_by_item_id_and_batch(kept: Kept, fresh: InvokeAIClient) -> None:
    old: Run = pickle.loads(kept.run)
    theirs = fresh.run(old.item_id)
    assert fresh.run(old.item_id, batch_id=theirs.batch_id) == theirs
    assert theirs != old
    with pytest.raises(RunError, match=rf"no item {old.item_id} of batch {old.batch_id}") as caught:
        fresh.run(old.item_id, batch_id=old.batch_id)
    assert caught.value.batch_id == old.batch_id


def test_queue_item_handle_of_the_old_server_finds_nothing(kept: Kept) -> None:
    for action in ("refresh", "cancel"):
        handle = pickle.loads(kept.handle)
        with pytest.raises(NotFoundError, match="belongs to batch"):
            getattr(handle, action)()
        with pytest.raises(RunError, match="belongs to batch"):
            handle.wait_for_completion(20)


# --------------------------------------------------------------------------- sweeps


def test_resumed_sweep_sends_runs_again_that_are_gone(kept: Kept, fresh: InvokeAIClient) -> None:
    path = kept.folder / "unfinished.jsonl"
    ids = [item for line in lines(path) if line["kind"] == "sent" for item in line["items"]]
    assert ids
    runs = Sweep.resume(path, fresh).wait()
    assert [run.outputs.of("n")[0].data["value"] for run in runs] == [7, 8]
    last = {line["run"]: line for line in lines(path) if line["kind"] == "run"}
    assert [last[index]["batch"] for index in (0, 1)] == [run.batch_id for run in runs]
    # Resuming it once more sends nothing.
    count = len(fresh.queue_repo.item_ids())
    assert [run.item_id for run in Sweep.resume(path, fresh).wait()] == [run.item_id for run in runs]
    assert len(fresh.queue_repo.item_ids()) == count


def test_sweep_that_goes_on_after_its_server_was_recreated(kept: Kept) -> None:
    """Its new runs have ids that its old runs had."""
    sweep = kept.sweep
    runs = sweep.wait()
    assert [run.item_id for run in runs] == [1, 1, 2]
    assert len({run.batch_id for run in runs}) == 2
    assert [run.status.ok for run in runs] == [True] * 3
    assert [run.outputs.of("sum")[0].data["value"] for run in runs] == [3, 4, 5]
    assert [sweep.index(run) for run in runs] == [0, 1, 2]
    assert [record["state"] for record in sweep.to_records()] == ["completed"] * 3
    again = Sweep.resume(kept.folder / "live.jsonl", kept.client)
    assert [(run.item_id, run.batch_id) for run in again.wait()] == [
        (run.item_id, run.batch_id) for run in runs
    ]


def test_manifest_of_another_server_is_noticed(
    kept: Kept, fresh: InvokeAIClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "foreign.jsonl"
    wf = fresh.workflow_repo.create_workflow(workflows.add())
    wf.sweep(a=[71, 72], manifest=path).wait()
    path.write_text(path.read_text().replace(kept.url, "http://elsewhere.example:9090"))
    count = len(fresh.queue_repo.item_ids())
    assert len(Sweep.resume(path, fresh).wait()) == 2  # another address of the same server
    assert caplog.text == ""
    text = path.read_text()
    for batch in {line["batch"] for line in lines(path) if line["kind"] == "sending"}:
        text = text.replace(batch, batch[::-1])
    path.write_text("".join(f"{line}\n" for line in text.splitlines() if '"run": 1' not in line))
    assert [run.outputs.of("sum")[0].data["value"] for run in Sweep.resume(path, fresh).wait()[1:]] == [74]
    assert "ran on http://elsewhere.example:9090, but the server at" in caplog.text
    assert len(fresh.queue_repo.item_ids()) == count + 1


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


# --------------------------------------------------------------------------- node types


def test_new_process_notices_a_changed_limit(kept: Kept, fresh: InvokeAIClient) -> None:
    """The node pack has the same name and the same nodes as before."""
    wf = fresh.workflow_repo.create_workflow(kept.document)
    assert wf.inputs["value"].field.limits.maximum == NEW
    with pytest.raises(InputValueError):
        wf.set(value=OLD)
    with pytest.raises(NotReadyError, match="50"):
        wf.start()
    assert wf.run(value=NEW).status.ok


def test_running_process_notices_a_changed_limit(kept: Kept) -> None:
    """The handle was made before the restart, and its client was connected."""
    count = len(kept.client.queue_repo.item_ids())
    with pytest.raises(NotReadyError, match=rf"50.*{NEW}"):
        kept.limited.start()
    with pytest.raises(NotReadyError, match=rf"20.*{NEW}"):
        kept.limited.sweep(value=[20, 50])
    assert len(kept.client.queue_repo.item_ids()) == count
    assert (
        kept.client.workflow_repo.create_workflow(kept.document).inputs["value"].field.limits.maximum == NEW
    )


def test_rejected_request_leads_to_a_new_check_of_the_node_types(kept: Kept) -> None:
    """The client was not connected when the server was restarted, so only the server's answer shows the change."""
    with InvokeAIClient.from_url(kept.url) as client:
        client._impl.connection._schema = kept.schema
        wf = client.workflow_repo.create_workflow(kept.document)
        assert wf.inputs["value"].field.limits.maximum == OLD
        with pytest.raises(UnprocessableError, match="node types have changed since they were read"):
            wf.start()
        with pytest.raises(NotReadyError, match=rf"50.*{NEW}"):
            wf.start()
        with pytest.raises(UnprocessableError) as caught:  # a request that is invalid for another reason
            client._impl.connection._schema = None
            client.schema()
            body = wf.enqueue_request(validate=False)
            body["batch"]["graph"]["nodes"]["n"]["value"] = "x"
            body["batch"]["batch_id"] = new_batch_id()
            client._call(enqueue(client._impl.connection, "default", body, 1))
        assert "have changed" not in str(caught.value)


def test_refresh_reads_the_node_types_again(
    kept: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INVOKEAI_CLIENT_CACHE", str(tmp_path))
    monkeypatch.setattr(source, "_in_use", {})  # otherwise the schema of the other clients would be used
    path = tmp_path / "limited.json"
    path.write_text(json.dumps(kept.document))
    command = ["inputs", str(path), "--url", kept.url]
    assert CliRunner().invoke(ivk, command).exit_code == 0
    [entry] = tmp_path.glob("*.ivkschema")
    wrong = entry.read_bytes()
    made = entry.stat().st_mtime_ns
    assert CliRunner().invoke(ivk, command).exit_code == 0
    assert entry.stat().st_mtime_ns == made  # read from the cache
    assert CliRunner().invoke(ivk, [*command, "--refresh"]).exit_code == 0
    assert entry.stat().st_mtime_ns > made
    assert entry.read_bytes() == wrong
