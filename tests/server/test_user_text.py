"""Text as users type and save it, on the real server: encodings, escapes, missing values, files of other kinds."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import workflows

from invokeai_py_client import InvokeAIClient
from invokeai_py_client.errors import InputValueError, InvokeAIClientError, UsageError, WorkflowFormatError

if TYPE_CHECKING:
    from tests.conftest import RealServer

Ivk = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def ivk(server: RealServer, tmp_path: Path) -> Ivk:
    """Run ``ivk`` in a folder with ``sd1.json`` and ``add.json``."""
    (tmp_path / "sd1.json").write_text(json.dumps(workflows.sd1()))
    (tmp_path / "add.json").write_text(json.dumps(workflows.add(a=40)))

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "invokeai_py_client.cli.main", *arguments, "--url", server.url]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)

    return run


def sum_of(client: InvokeAIClient, item_id: int) -> int:
    """Return the result of the workflow ``add``."""
    outputs = client.queue_repo.item(item_id).outputs
    (result,) = outputs.values()
    return result["value"]


def test_no_value_uses_the_default_of_the_node(client: InvokeAIClient, ivk: Ivk) -> None:
    run = client.workflow_repo.create_workflow(workflows.add(a=40)).run(a=None)
    assert sum_of(client, run.item_id) == 2
    done = ivk("run", "add.json", "-s", "a=null", "--json")
    assert done.returncode == 0, done.stderr
    assert sum_of(client, json.loads(done.stdout.splitlines()[-1])["item_id"]) == 2


def test_no_value_for_a_required_input_is_rejected(client: InvokeAIClient, ivk: Ivk) -> None:
    wf = client.workflow_repo.create_workflow(workflows.sd1())
    with pytest.raises(InputValueError, match="None is not valid: the input is required"):
        wf.run(model=None)
    done = ivk("run", "sd1.json", "-s", "model=null")
    assert done.returncode == 2
    assert "the input is required" in " ".join(done.stderr.split())


def test_prompts_that_start_with_an_at_sign(ivk: Ivk, tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_bytes("a Füchsin\n".encode("utf-16"))
    for given, sent in (("@@art by me", "@art by me"), ("@p.txt", "a Füchsin")):
        done = ivk("graph", "sd1.json", "-s", "model=tiny-sd1", "-s", f"positive_prompt={given}", "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["batch"]["graph"]["nodes"]["positive"]["prompt"] == sent
    done = ivk("run", "sd1.json", "-s", "positive_prompt=@art by me")
    assert done.returncode == 2
    assert "write @@ instead" in " ".join(done.stderr.split())


def test_workflow_files_of_any_encoding_and_kind(ivk: Ivk, tmp_path: Path) -> None:
    text = json.dumps(workflows.add())
    for name, content in (("bom", text.encode("utf-8-sig")), ("utf16", text.encode("utf-16"))):
        (tmp_path / f"{name}.json").write_bytes(content)
        assert ivk("inputs", f"{name}.json").returncode == 0
    (tmp_path / "page.json").write_text("<!DOCTYPE html><html></html>")
    for command in ("inputs", "run", "codegen"):
        done = ivk(command, "page.json")
        assert done.returncode == 2
        assert "'page.json' is a web page (HTML)" in " ".join(done.stderr.split())


def test_queue_items_and_requests_as_workflows_say_what_to_pass(client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(workflows.add())
    body = wf.enqueue_request()
    with pytest.raises(WorkflowFormatError, match=r"Pass its 'batch\.workflow' instead"):
        client.workflow_repo.create_workflow(body)
    assert client.workflow_repo.create_workflow(body["batch"]["workflow"]).run(a=5)
    run = wf.run()
    http = client.connection.http
    item = client._call(http.json("GET", f"/api/v1/queue/default/i/{run.item_id}"))
    with pytest.raises(WorkflowFormatError, match=r"a queue item\. Pass its 'workflow' instead"):
        client.workflow_repo.create_workflow(item)


def test_any_source_of_a_workflow_raises_our_error(client: InvokeAIClient) -> None:
    create = client.workflow_repo.create_workflow
    text = json.dumps(workflows.add())
    assert create("\ufeff" + text).inputs
    assert create(text.encode("utf-16")).inputs
    sources: list[object] = [
        "x" * 300,
        json.dumps(text),
        f"[{text}]",
        "\udcff",
        "~nobody9/x.json",
        "a\0b",
        5,
        None,
    ]
    for source in [*sources, "[SDXL] Portrait", b"<html>", [workflows.add()]]:
        with pytest.raises(InvokeAIClientError):
            create(source)  # pyright: ignore[reportArgumentType]


def test_lone_surrogates_are_rejected_before_sending(client: InvokeAIClient) -> None:
    for call in (
        lambda: client.board_repo.create_board("a\udcff"),
        lambda: client.workflow_repo.list_workflows("a\udcff"),
        lambda: client.image_repo.get_image("a\udcff"),
    ):
        with pytest.raises(UsageError, match="lone surrogate"):
            call()


def test_upload_accepts_any_file_name(client: InvokeAIClient, picture: bytes, nothing_left: None) -> None:
    # The name of a file that is not valid UTF-8 reaches Python with lone surrogates.
    image = client.image_repo.upload(picture, filename="a\udcff.png")
    assert client.image_repo.get_image(image.image_name).width == image.width
