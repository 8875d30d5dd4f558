"""A sweep with every kind of secret writes none of them to files, pickles or logs."""

from __future__ import annotations

import json
import logging
import pickle
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import workflows

from invokeai_py_client import InvokeAIClient

if TYPE_CHECKING:
    from tests.conftest import RealServer

MARK = "marker-secret"


def test_sweep_files_pickles_and_logs_contain_no_secrets(
    server: RealServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    url = server.url.replace("://", f"://me:{MARK}-1@")
    # The server has no users and ignores the credentials.
    with InvokeAIClient.from_url(
        url, headers={"X-Proxy": f"{MARK}-2"}, email="me@example.org", password=f"{MARK}-3"
    ) as client:
        wf = client.workflow_repo.create_workflow(workflows.add())
        sweep = wf.sweep({"a": [1, 2]}, manifest=tmp_path / "manifest.jsonl")
        runs = list(sweep)
        assert all(run.status.ok for run in runs)
        (tmp_path / "runs.json").write_text(json.dumps(sweep.to_records(), default=repr))
        kept = [pickle.dumps(one) for one in (client, runs[0])] + [
            repr(one).encode() for one in (client, sweep, runs, client.settings)
        ]
    with InvokeAIClient.from_url(server.url, api_key=f"{MARK}-4") as client:
        run = client.workflow_repo.create_workflow(workflows.add()).run(a=3)
        kept += [pickle.dumps(run), repr(client).encode()]
    kept += [path.read_bytes() for path in tmp_path.iterdir()]
    assert len(kept) >= 9
    assert not [one for one in kept if MARK.encode() in one]
    assert caplog.records
    assert MARK not in caplog.text
