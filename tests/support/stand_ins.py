"""Records of models without files, so that the server accepts requests of workflows that no test can run."""

from __future__ import annotations

import time
import urllib.parse
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from invokeai_py_client.server.health import request

_NO_MODELS: dict[str, dict[str, str]] = {
    "stand-in-wan-main": {"base": "wan", "type": "main", "format": "diffusers", "variant": "t2v_a14b"},
    "stand-in-wan-gguf": {"base": "wan", "type": "main", "format": "gguf_quantized", "variant": "t2v_a14b"},
    "stand-in-wan-lora": {"base": "wan", "type": "lora", "format": "lycoris"},
    "stand-in-wan-vae": {"base": "wan", "type": "vae", "format": "diffusers"},
    "stand-in-wan-t5": {"base": "any", "type": "wan_t5_encoder", "format": "wan_t5_encoder"},
    "stand-in-ip-adapter": {"base": "sd-1", "type": "ip_adapter", "format": "checkpoint"},
}


@contextmanager
def stand_in_models(url: str, folder: Path) -> Generator[list[str]]:
    """Add the records to a server, and delete them afterwards.

    This uses the server's API only: InvokeAI 6.14.2 installs a file it cannot identify as a model of unknown type, and
    allows changing the type afterwards.

    Args:
        url: A server that can read the same files.
        folder: An empty folder.
    """
    models = f"{url}/api/v2/models"
    keys: list[str] = []
    try:
        for name, changes in _NO_MODELS.items():
            file = folder / f"{name}.safetensors"
            file.write_text(f"no model, but {name}")
            query = urllib.parse.urlencode({"source": str(file), "inplace": "true"})
            key = _installed(models, _ask("POST", f"{models}/install?{query}", {})["id"])
            keys.append(key)
            record = _ask("PATCH", f"{models}/i/{key}", changes)
            assert {word: record[word] for word in changes} == changes
        yield list(_NO_MODELS)
    finally:
        for key in keys:
            _ask("DELETE", f"{models}/i/{key}")


def _installed(models: str, number: int) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        job = _ask("GET", f"{models}/install/{number}")
        if job["status"] == "completed":
            return job["config_out"]["key"]
        assert job["status"] not in ("error", "cancelled"), job
        time.sleep(0.05)  # the server reports installations through events, which are not under test here
    raise AssertionError("the stand-in was not installed within a minute")


def _ask(method: str, url: str, body: Any = None) -> Any:
    status, answer = request(method, url, body)
    assert status < 400, (method, url, status, answer)
    return answer
