"""Two local servers with the same models, started together."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from command import Command, ivk_command

from invokeai_py_client import InvokeAIClient
from invokeai_py_client.pool_settings import pool_names, read_pool
from invokeai_py_client.server import LocalServers, answers
from invokeai_py_client.server.model_files import install_in_place, list_models, wait_for_installs
from invokeai_py_client.server.processes import identity

if TYPE_CHECKING:
    from tests.conftest import RealServer

    from invokeai_py_client.server import TinyModels

__all__ = ["ivk_command"]

FIND = "from invokeai_py_client import LocalServers; import sys; print(*LocalServers.find(sys.argv[1]).urls)"


def test_pool_of_two_servers_on_this_machine(
    server: RealServer,
    tiny_models: TinyModels,
    ivk_command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("INVOKEAI_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.delenv("INVOKEAI_URL", raising=False)
    root = tmp_path / "pool"
    up = ("pool", "up", "--name", "two", "--root", str(root), "--models-from", str(server.root))
    ivk = [sys.executable, "-m", "invokeai_py_client.cli.main"]  # its servers outlive it
    first = subprocess.run([*ivk, *up, "--json"], capture_output=True, text=True, timeout=300, check=False)
    try:
        assert first.returncode == 0, first.stderr
        *servers, result = map(json.loads, first.stdout.splitlines())
        urls = [one["url"] for one in servers]
        assert [answers(url) for url in urls] == [server.version] * 2
        assert result == {"event": "result", "ok": True, "pool": "two", "servers": 2, "already": False}
        assert [one["root"] for one in servers] == [str(root / "1"), str(root / "2")]
        if os.name != "nt":
            assert all(300e6 < one["memory"] < 4e9 for one in servers)

        # The pool is in the configuration file, and other processes find its servers.
        assert (read_pool("two").servers, read_pool("two").root) == (tuple(urls), root)
        found = subprocess.run(
            [sys.executable, "-c", FIND, str(root)], capture_output=True, text=True, timeout=60, check=True
        )
        assert found.stdout.split() == urls

        # Both have the models of the other root: the same keys, hashes, settings and files.
        original = {model["key"]: model for model in list_models(server.url)}
        for url in urls:
            assert {model["key"]: model for model in list_models(url)} == original

        # A model that one of them gets is shared by the next `up`, with its settings.
        lora, mine = tiny_models.folder / "tiny-lora-sd1.safetensors", tmp_path / "mine.safetensors"
        shutil.copy(lora, mine)
        job = install_in_place(urls[1], "mine", mine, {"hash": "blake3:mine", "description": "Foxes."})
        wait_for_installs(urls[1], {job: "mine"}, 60)
        with InvokeAIClient.from_url(urls[1]) as client:
            client.models.update_model("mine", trigger_phrases=["fox"], default_settings={"weight": 0.5})
        done = ivk_command(*up)
        assert (done.code, [cells[0] for cells in done.cells]) == (0, urls)
        assert "Already running." in done.err
        both = [next(model for model in list_models(url) if model["name"] == "mine") for url in urls]
        assert both[0] == both[1]
        assert (both[0]["hash"], both[0]["description"]) == ("blake3:mine", "Foxes.")
        assert (both[0]["trigger_phrases"], both[0]["default_settings"]) == (["fox"], {"weight": 0.5})

        # Its record is removed from a server whose file another one of them has deleted.
        local = LocalServers.find(root)
        assert local is not None
        own = root / "2" / "models" / "own.safetensors"
        shutil.copy(lora, own)
        job = install_in_place(urls[1], "own", own, {"hash": "blake3:own"})
        wait_for_installs(urls[1], {job: "own"}, 60)
        assert local.share_models() == ["own"]
        with InvokeAIClient.from_url(urls[1]) as client:
            client.models.delete_model("own")
        assert not own.exists()
        assert local.share_models() == []
        assert all("own" not in [model["name"] for model in list_models(url)] for url in urls)

        # Each makes images with the shared files.
        for url in urls:
            with InvokeAIClient.from_url(url) as client:
                [image] = client.generate("a fox", model="tiny-sd1", width=64, height=64, steps=1)
                assert image.width == 64
    finally:
        stopped = ivk_command("pool", "down", "two")
    assert stopped.out == f"Stopped 2 servers of pool 'two': {', '.join(urls)}\n"
    assert [identity(one["pid"]) for one in servers] == [None, None]
    assert LocalServers.find(root) is None
    assert pool_names() == []
    assert {model["key"] for model in list_models(server.url)} == set(original)
