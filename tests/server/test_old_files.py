"""Workflow files from other servers and older versions: models, called workflows and nodes that differ."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from invokeai_py_client import InvokeAIClient
from invokeai_py_client.errors import ModelNotFoundError, NotReadyError, UnknownNodeError

if TYPE_CHECKING:
    from tests.conftest import RealServer

CASES = Path(__file__).parents[1] / "data" / "cases"
MISSING = "11111111-2222-4333-8444-555555555555"


def case(name: str) -> dict[str, Any]:
    return json.loads((CASES / name).read_text())


def test_model_in_the_format_of_invokeai_3_runs(client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(CASES / "sync-model-unknown-node-old-model.json")
    assert wf.warnings == ()
    assert wf.inputs.find(("m", "model")).field.display_value == "tiny-sd1"
    model = wf.enqueue_request()["batch"]["graph"]["nodes"]["m"]["model"]
    key = next(m.key for m in client.dnn_model_repo.list_models() if m.name == "tiny-sd1")
    assert model["key"] == key
    [(before, after)] = wf.sync_dnn_model(by_name=True, by_base=False)
    assert (before.name, after.key) == ("tiny-sd1", key)
    wf.run()


def test_missing_model_in_the_format_of_invokeai_3_is_reported_with_what_fits(client: InvokeAIClient) -> None:
    document = case("sync-model-unknown-node-old-model.json")
    document["nodes"][0]["data"]["inputs"]["model"]["value"]["model_name"] = "no-such-model"
    with pytest.raises(ModelNotFoundError, match=r"'no-such-model' \(sd-1 main\).*'tiny-sd1'"):
        client.workflow_repo.create_workflow(document).start()


def test_sync_skips_unknown_nodes(client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(CASES / "sync-model-unknown-node-workflow.json")
    assert wf.sync_dnn_model() == []
    with pytest.raises(UnknownNodeError, match="community_controlnet"):
        wf.start()


@pytest.mark.since("6.14")
def test_missing_called_workflow_is_a_warning_until_the_workflow_runs(client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(CASES / "called-workflow-missing-workflow.json")
    (warning,) = wf.warnings
    assert MISSING in warning
    with pytest.raises(NotReadyError, match=f"calls the workflow '{MISSING}', which is not in"):
        wf.start()


@pytest.mark.since("6.14")
def test_commands_read_a_workflow_whose_called_workflow_is_missing(server: RealServer) -> None:
    def ivk(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "invokeai_py_client.cli.main", *arguments, "--url", server.url]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    file = str(CASES / "called-workflow-missing-workflow.json")
    inputs = ivk("inputs", file)
    assert inputs.returncode == 0, inputs.stderr
    assert MISSING in inputs.stderr + inputs.stdout
    assert ivk("codegen", file).returncode == 0
    run = ivk("run", file)
    assert run.returncode == 2
    assert "which is not in the server's library" in " ".join(run.stderr.split())
