from __future__ import annotations

from typing import TYPE_CHECKING

from invokeai_py_client.server.health import answers, request

if TYPE_CHECKING:
    from tests.conftest import RealServer


def test_the_session_server_answers_and_has_the_tiny_models(server: RealServer) -> None:
    assert answers(server.url) == server.version == "6.14.2"
    status, data = request("GET", f"{server.url}/api/v2/models/")
    assert status == 200
    assert {model["name"] for model in data["models"]} == set(server.models)
    assert {"tiny-sd1", "tiny-sdxl", "tiny-flux-dev", "tiny-lora-sd1", "tiny-esrgan-x2"} <= set(server.models)
