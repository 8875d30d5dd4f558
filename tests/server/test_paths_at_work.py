"""Paths that users type, against the real server, and users without a home directory."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from workflows import workflow

from invokeai_py_client import InvokeAIClient
from invokeai_py_client.errors import InvokeAIClientError, WorkflowFormatError, WorkflowNotFoundError

if TYPE_CHECKING:
    from tests.conftest import RealServer

UNKNOWN = "~nobody-of-that-name"
SAVE = workflow(
    "paths at work",
    {"save": ("save_image", {})},
    [],
    [("save", "image")],
    labels={("save", "image"): "Photo"},
)
TEXT = json.dumps(SAVE)


def test_invalid_paths_raise_client_errors(client: InvokeAIClient) -> None:
    create, images = client.workflow_repo.create_workflow, client.image_repo
    wf = create(SAVE)
    calls: dict[str, Callable[[], object]] = {
        "a library name of 300 letters": lambda: create("x" * 300),
        "JSON text in JSON": lambda: create(json.dumps(TEXT)),
        "a JSON list": lambda: create(f"[{TEXT}]"),
        "a lone surrogate": lambda: create("\udcff"),
        "~user as a workflow": lambda: create(f"{UNKNOWN}/x.json"),
        "~user as an upload": lambda: images.upload(f"{UNKNOWN}/x.png"),
        "~user as a folder": lambda: images.upload_images(UNKNOWN),
        "a long path to upload": lambda: images.upload_images(["x" * 300]),
        "~user as a download": lambda: images.download_images(["a.png"], f"{UNKNOWN}/out"),
        "a long text as an image axis": lambda: wf.check_sweep(wf.sweep_plan(photo="x" * 300)),
        "NUL in rows": lambda: wf.sweep_rows("a\0.csv"),
        "~user as a folder of models": lambda: client.dnn_model_repo.scan_folder(UNKNOWN),
        "a lone surrogate in a search": lambda: images.list_images(search_term="\udcff"),
    }
    for name, call in calls.items():
        with pytest.raises(InvokeAIClientError):
            call()
            pytest.fail(f"{name} raised nothing")
    with pytest.raises(WorkflowNotFoundError):
        create("x" * 300)
    with pytest.raises(WorkflowFormatError):
        create(f"[{TEXT}]")


def test_workflow_text_with_a_byte_order_mark(client: InvokeAIClient) -> None:
    assert client.workflow_repo.create_workflow("\ufeff" + TEXT).name == SAVE["name"]


def test_library_workflow_with_a_long_name(
    client: InvokeAIClient, server: RealServer, tmp_path: Path
) -> None:
    name = "näme " * 80 + uuid.uuid4().hex
    body = {"workflow": {**SAVE, "name": name}}
    workflow_id = client.request("POST", "workflows/", json=body).json()["workflow_id"]
    try:
        assert client.workflow_repo.create_workflow(name).name == name
        done = _run(["ivk", "workflows", "pull", workflow_id], server, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        (file,) = tmp_path.iterdir()
        assert client.workflow_repo.create_workflow(file).name == name
    finally:
        client.request("DELETE", f"workflows/i/{workflow_id}")


@pytest.mark.parametrize(
    "arguments",
    [
        ["inputs", f"{UNKNOWN}/x.json"],
        ["images", "put", f"{UNKNOWN}/x.png"],
        ["images", "export", f"{UNKNOWN}/o"],
        ["models", "scan", f"{UNKNOWN}/x"],
        ["models", "install", f"{UNKNOWN}/x"],
        ["inputs", "x" * 300],
    ],
    ids=lambda arguments: " ".join(arguments)[:40],
)
def test_ivk_exits_with_2(arguments: list[str], server: RealServer) -> None:
    done = _run(["ivk", *arguments], server)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: ")
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("setpriv") is None,
    reason="only root can become a user without an entry in /etc/passwd",
)
@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"HOME": ""},
        {"INVOKEAI_CONFIG": "/none/x"},
        {"INVOKEAI_CONFIG": "/none/x", "INVOKEAI_CLIENT_CACHE": "/none/y"},
    ],
    ids=lambda variables: " ".join(variables) or "none",
)
def test_user_without_a_home_directory(variables: dict[str, str], server: RealServer, tmp_path: Path) -> None:
    file = tmp_path / "workflow.json"
    file.write_text(TEXT)
    code = "from invokeai_py_client import InvokeAIClient; print(InvokeAIClient().version())"
    for command, expected in (
        (["ivk", "inputs", str(file)], (0, "Photo")),
        (["ivk", "doctor"], (0, "ok   server")),
        (["ivk", "server", "status"], (1, "")),
        (["python", "-c", code], (0, server.version)),
    ):
        done = _run(command, server, become=True, variables=variables, cwd="/")
        assert done.returncode == expected[0], (command, done.stderr)
        assert expected[1] in done.stdout
        assert "Traceback" not in done.stderr


def _run(
    command: list[str],
    server: RealServer,
    *,
    become: bool = False,
    variables: dict[str, str] | None = None,
    cwd: str | Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command of this environment, if wanted as a user without an entry in /etc/passwd."""
    rights = "+dac_override,+dac_read_search"  # to read the virtual environment
    user = ["setpriv", "--reuid", "54321", "--regid", "54321", "--clear-groups"]
    user += ["--inh-caps", rights, "--ambient-caps", rights]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    known = {} if become else dict(os.environ)
    return subprocess.run(
        [*(user if become else []), *command],
        env={**known, "PATH": path, "INVOKEAI_URL": server.url, **(variables or {})},
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
