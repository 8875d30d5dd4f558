"""Eight scripts as a user of version 1.1.1 could have written them from its documentation. They run unchanged."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pipelines
import pytest
import workflows

from invokeai_py_client import InvokeAIClient
from invokeai_py_client.server import TinyModels

if TYPE_CHECKING:
    from tests.conftest import RealServer

SCRIPTS = Path(__file__).parent / "scripts"
Script = Callable[..., dict[str, str]]
FLUX = {
    "flux.model": "tiny-flux-dev",
    "flux.t5_encoder_model": "tiny-t5",
    "flux.clip_embed_model": "tiny-clip-l",
    "flux.vae_model": "tiny-flux-ae",
}


@pytest.fixture
def script(server: RealServer) -> Script:
    """Run a script in a new process and return its output: the first word of each line, and the rest.

    Where lines begin with the same word, the rests stand under each other.
    """

    def run(name: str, *arguments: object) -> dict[str, str]:
        done = subprocess.run(
            [sys.executable, "-W", "error", SCRIPTS / f"{name}.py", server.url, *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stderr == ""
        said: dict[str, list[str]] = {}
        for line in done.stdout.splitlines():
            word, _, rest = line.partition(" ")
            said.setdefault(word, []).append(rest)
        return {word: "\n".join(rests) for word, rests in said.items()}

    return run


@pytest.fixture
def board(client: InvokeAIClient) -> Iterator[str]:
    """The name of a board, which is deleted with its images after the test."""
    made = client.board_repo.create_board("scripts")
    yield made.board_name
    client.board_repo.delete_board(made.board_id, delete_images=True)


def file(folder: Path, document: dict[str, Any]) -> Path:
    path = folder / "workflow.json"
    path.write_text(json.dumps(document))
    return path


def test_list_models(client: InvokeAIClient, script: Script) -> None:
    models = client.dnn_model_repo.list_models()
    said = script("list_models")
    assert "tiny-sd1" in {model.name for model in models}
    for model in models:
        assert said[f"{model.name}:"].endswith(model.key)
    assert said["tiny-sd1:"].startswith("main/sd-1, diffusers, ")
    if "tiny-t5" in {model.name for model in models}:
        assert said["tiny-t5:"].startswith("t5_encoder/any, t5_encoder, ")
    assert said["main"] == str(sorted(model.name for model in models if model.type == "main"))
    assert said["sdxl"] == "['tiny-sdxl']"
    assert said["folders"] == str(sum(model.format == "diffusers" for model in models))
    assert (said["by"], said["unknown"]) == ("key True", "None")


def test_install_and_delete_models(
    client: InvokeAIClient, script: Script, tiny_models: TinyModels, tmp_path: Path
) -> None:
    before = {model.key for model in client.dnn_model_repo.list_models()}
    path = tmp_path / "embedding.safetensors"
    shutil.copy(tiny_models.folder / "tiny-ti-sd1.safetensors", path)
    said = script("install_model", path)
    assert said["installed"] == "\n".join(["True installed by a script"] * 2)
    assert said["reason"] == "None\nalready_installed"
    assert said["done"] == "\n".join(["True False True"] * 2)
    assert said["not"] == "started ModelInstallStartError"
    assert (said["jobs"], said["pruned"]) == ("True None", "True 0")
    assert path.exists(), "it was to stay where it is"

    said = script("delete_models", "installed by a script")
    assert (said["found"], said["deleted"], said["again"]) == ("1", "True", "False None")
    assert (said["fewer"], said["cache"]) == ("1", "emptied True")
    assert {model.key for model in client.dnn_model_repo.list_models()} == before


def test_sdxl_text_to_image(script: Script, board: str, tidy: None, tmp_path: Path) -> None:
    path = file(tmp_path, pipelines.sdxl_text_to_image())
    said = script("sdxl_text_to_image", path, "tiny-sdxl", board)
    assert said["[00]"] == "Model of model: IvkModelIdentifierField"
    assert said["[01]"] == "Positive Prompt of wanted: IvkStringField"
    assert said["[08]"] == "Board of decode: IvkBoardField"
    assert (said["complaints"], said["preview"]) == ("{}", "9 a harbour at dusk")
    assert said["submitted"] == "1 True"
    assert said["status"].splitlines()[-1] == "completed"
    assert (said["output"], said["png"]) == ("8 form True 1", "True")
    assert said["outputs"] == "[(8, 'board')]"


@pytest.mark.since("6.14")  # the tiny FLUX models
def test_flux_image_to_image(script: Script, picture: bytes, tidy: None, tmp_path: Path) -> None:
    path = file(tmp_path, pipelines.flux_image_to_image())
    (tmp_path / "picture.png").write_bytes(picture)
    said = script("flux_image_to_image", path, tmp_path / "picture.png", *FLUX.values())
    assert said["models"] == str([*FLUX.values()])
    assert said["status"] == "completed True"
    assert said["last"] == "node flux decode"
    assert (said["output"], said["size"]) == ("9 none 1", "(64, 64)")


@pytest.mark.since("6.14")  # the tiny FLUX models
def test_refine(script: Script, board: str, tidy: None, tmp_path: Path) -> None:
    path = file(tmp_path, pipelines.sdxl_flux_refine())
    models = {"sdxl.model": "tiny-sdxl", **FLUX}
    said = script("refine", path, board, *(f"{field}={name}" for field, name in models.items()))
    assert (said["status"], said["events"]) == ("completed", "True")
    assert said["stage"] == "True 1\nTrue 1"
    assert said["on"] == "board 2 2"


def test_boards(client: InvokeAIClient, script: Script, picture: bytes, tidy: None, tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_bytes(picture)
    (tmp_path / "copies").mkdir()
    said = script("boards", tmp_path / "picture.png", tmp_path / "copies")
    assert said == {
        "uploaded": "True control",
        "listed": "2 True",
        "downloaded": "['.png', '.png']",
        "starred": "True True",
        "moved": "True 1 1",
        "by": "name True 2",
        "where": "True",
        "removed": "True none",
        "copied": "True 1",
        "deleted": "True True",
        "boards": "['script two', 'script one']",
        "uncategorized": "True none",
        "renamed": "script three None",
        "gone": "[True, True]",
    }
    copies = [path.read_bytes() for path in (tmp_path / "copies").iterdir()]
    assert [copy[:4] for copy in copies] == [b"\x89PNG"] * 2
    assert client.board_repo.list_boards() == []


def test_queue(client: InvokeAIClient, script: Script, tmp_path: Path) -> None:
    client.queue_repo.clear()
    path = file(tmp_path, workflows.sd1(steps=1000, size=256))
    assert script("queue_items", path, "tiny-sd1") == {
        "queues": "['default'] default",
        "busy": "True 2",
        "running": "True [True]",
        "current": "True",
        "pending": "[True]",
        "others": "canceled 1",
        "canceled": "True True",
        "so": "True True False",
        "idle": "True None",
        "pruned": "True None",
    }


def test_every_script_is_run() -> None:
    tests = Path(__file__).read_text()
    names = [path.stem for path in SCRIPTS.glob("*.py")]
    assert len(names) == 8
    assert [name for name in names if f'script("{name}"' not in tests] == []


def test_scripts_use_no_new_names() -> None:
    """The scripts import only names that version 1.1.1 has."""
    data = Path(__file__).parents[1] / "data" / "names-1.1.1.json"
    known: dict[str, dict[str, Any]] = json.loads(data.read_text())
    for path in SCRIPTS.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("invokeai_py_client"):
                module = (node.module or "").removeprefix("invokeai_py_client").lstrip(".")
                assert {alias.name for alias in node.names} <= known[module].keys(), path.name
