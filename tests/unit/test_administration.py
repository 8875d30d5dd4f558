"""Records and values of the administration of a server, without a server."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from invokeai_py_client import AsyncInvokeAIClient
from invokeai_py_client.administration.server import AsyncServerRepository
from invokeai_py_client.api.app import AsyncAppApi
from invokeai_py_client.models import IvkServerConfig, LogLevel
from invokeai_py_client.server import torch_choice

RUNTIME_CONFIG: dict[str, Any] = {
    "set_fields": ["port", "host"],
    "config": {
        "host": "0.0.0.0",
        "port": 9091,
        "node_cache_size": 512,
        "external_openai_api_key": "sk-secret",
        "external_gemini_api_key": None,
        "remote_api_tokens": [{"url_regex": "civitai", "token": "secret-token"}],
        "download_proxy": "http://ann:secret@proxy",
        "newer_setting": [1, 2],
    },
}


def test_secrets_that_older_servers_send_are_not_in_the_configuration() -> None:
    config = IvkServerConfig.from_api_response(RUNTIME_CONFIG)
    assert "secret" not in f"{config!r} {config.to_dict()}"
    assert config.to_dict()["remote_api_tokens"] == [{"url_regex": "civitai", "token": "**********"}]
    assert config.to_dict()["external_openai_api_key"] == "**********"
    assert RUNTIME_CONFIG["config"]["external_openai_api_key"] == "sk-secret", "the caller's data was changed"


def test_configuration_keeps_unknown_settings_and_survives_a_round_trip() -> None:
    config = IvkServerConfig.from_api_response(RUNTIME_CONFIG)
    assert (config.port, config.set_fields, config.to_dict()["newer_setting"]) == (
        9091,
        ["host", "port"],
        [1, 2],
    )
    assert IvkServerConfig.from_api_response(config.to_dict()) == config


@pytest.mark.parametrize(
    ("config", "used"),
    [
        ({}, {"cuda:0": True, "cuda:1": True}),
        ({"device": "cuda"}, {"cuda:0": True, "cuda:1": False}),
        ({"device": "cuda:1"}, {"cuda:0": False, "cuda:1": True}),
        ({"device": "cpu"}, {"cuda:0": False, "cuda:1": False, "cpu": True}),
        ({"device": "cpu", "generation_devices": ["cuda:1", "cuda"]}, {"cuda:0": True, "cuda:1": True}),
        ({"generation_devices": ["cuda:1"]}, {"cuda:0": False, "cuda:1": True}),
    ],
)
async def test_devices_in_use_by_configuration(
    config: dict[str, Any], used: dict[str, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def options(_: object, **__: object) -> list[dict[str, str]]:
        return [{"device": f"cuda:{number}", "name": "NVIDIA RTX"} for number in (0, 1)]

    async def runtime_config(_: object) -> IvkServerConfig:
        return IvkServerConfig.from_api_response(config)

    monkeypatch.setattr(AsyncAppApi, "get_generation_device_options", options)
    monkeypatch.setattr(AsyncServerRepository, "config", runtime_config)
    async with AsyncInvokeAIClient.from_url("http://127.0.0.1:9") as client:
        assert {one.device: one.in_use for one in await client.server.devices()} == used


def test_log_levels_have_the_numbers_of_logging() -> None:
    import logging

    for level in LogLevel:
        assert level.number == logging.getLevelNamesMapping()[level.name]
        assert LogLevel.of_number(level.number) is level
    assert LogLevel.of_number(15) == "15"


def test_gpus_are_found_without_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(torch_choice, "_NVIDIA_DRIVER", tmp_path / "gpus")
    monkeypatch.setattr(sys, "platform", "linux")
    assert torch_choice.find_gpu() is None
    (tmp_path / "gpus" / "0000:00:06.0").mkdir(parents=True)
    assert torch_choice.find_gpu() == "an NVIDIA GPU"
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    assert torch_choice.find_gpu() == "an Apple GPU"
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert torch_choice.find_gpu() is None
    assert "torch" not in sys.modules
