"""A working directory with the files that the docs assume, two LoRAs in ``models/``, and a server at $INVOKEAI_URL."""

from __future__ import annotations

import logging
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import readers
from on_server import gallery_restored
from PIL import Image

from invokeai_py_client import InvokeAIClient
from invokeai_py_client.cli.codegen import codegen
from invokeai_py_client.server.paths import cache_base

if TYPE_CHECKING:
    from tests.conftest import RealServer

    from invokeai_py_client.server import TinyModels


@pytest.fixture
def logging_restored() -> Iterator[None]:
    """Restore the log levels and handlers that code in the docs sets: its process is that of all tests."""
    root = logging.getLogger()
    loggers = [
        root,
        *(logger for logger in root.manager.loggerDict.values() if isinstance(logger, logging.Logger)),
    ]
    levels, handlers = {logger: logger.level for logger in loggers}, list(root.handlers)
    yield
    for logger in [root, *root.manager.loggerDict.values()]:
        if isinstance(logger, logging.Logger):
            logger.setLevel(levels.get(logger, logging.NOTSET))
    root.handlers[:] = handlers


@pytest.fixture(scope="session")
def schemas(server: RealServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the server's node types, as clients cache them. Reading them from the server takes 0.8 s."""
    folder = tmp_path_factory.mktemp("schemas")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INVOKEAI_CLIENT_CACHE", str(folder))
        with InvokeAIClient.from_url(server.url) as client:
            client.schema()
    return folder


@pytest.fixture
def reader(
    server: RealServer,
    tiny_models: TinyModels,
    schemas: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    logging_restored: None,
) -> Iterator[Path]:
    """Return a reader's working directory. The server has two images, and what the docs leave there is deleted."""
    # A server that a page starts must not meet one of the developer's: share only the installations and the node types.
    for name in ("servers", "tiny-models"):
        (tmp_path / "cache").mkdir(exist_ok=True)
        (tmp_path / "cache" / name).symlink_to(cache_base() / name)
    for file in schemas.iterdir():
        shutil.copy(file, tmp_path / "cache")
    monkeypatch.setenv("INVOKEAI_CLIENT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("INVOKEAI_URL", server.url)
    monkeypatch.setenv("INVOKEAI_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    for name, value in {"COLUMNS": "80", "NO_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / "reader"
    (folder / "models").mkdir(parents=True)
    for name in ("watercolor", "charcoal"):
        lora = tiny_models.folder / "tiny-lora-sd1.safetensors"
        shutil.copy(lora, folder / "models" / f"{name}.safetensors")
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    for module in ("portrait", "text_to_image"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    with InvokeAIClient() as client, readers.models_of_readers(client):
        readers.fill(folder, readers.tiny_model(client))
        # The Python blocks of a page run apart from its commands, so write what `ivk codegen` writes there.
        for file in ("portrait.json", "examples/text-to-image.json"):
            module = Path(file).stem.replace("-", "_")
            codegen.main([file, "-o", f"{module}.py", "--url", server.url], standalone_mode=False)
        before = made_on(client)
        with gallery_restored(client):
            for color in ("teal", "navy"):
                client.image_repo.upload(Image.new("RGB", (64, 64), color))
            yield folder
        after = made_on(client)
        for key in after["models"] - before["models"]:
            client.dnn_model_repo.delete_model(key)
        for workflow_id in after["workflows"] - before["workflows"]:
            client.workflow_repo.delete_workflow(workflow_id)
        for key in client.server.state.list_keys():
            client.server.state.delete(key)


def made_on(client: InvokeAIClient) -> dict[str, set[str]]:
    """Return the ids of the models and workflows of a server, the other kinds of things that the docs make."""
    own = client.workflow_repo.list_workflows(categories=("user",))
    return {
        "models": {model.key for model in client.dnn_model_repo.list_models()},
        "workflows": {workflow["workflow_id"] for workflow in own},
    }
