"""The operations of the server: the generated classes, compared with the document that they come from."""

from __future__ import annotations

import inspect
import json
import lzma
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fake_server import FakeServer

from invokeai_py_client import InvokeAIClient
from invokeai_py_client.api.all import AsyncApi
from invokeai_py_client.api.operations import OPERATIONS
from invokeai_py_client.connection import Connection
from invokeai_py_client.errors import (
    APIRequestError,
    MethodNotAllowedError,
    NotFoundError,
    NotInvokeAIError,
    ServerTooOldError,
    UsageError,
)
from invokeai_py_client.transport.responses import check_is_ours

Call = Callable[[AsyncApi], Awaitable[Any]]

ROOT = Path(__file__).parents[2]
DOCUMENT: Any = json.loads(lzma.decompress((ROOT / "tests/data/api-6.14.2.json.xz").read_bytes()))
DECLARED = {
    re.sub(r"_api_v\d_.*", "", data["operationId"]): (method.upper(), path, data)
    for path, item in DOCUMENT["paths"].items()
    for method, data in item.items()
}
# The document does not say that this path has a parameter.
UNDECLARED = {"update_workflow": {"workflow_id"}}
# Fields of these bodies have the names of other parameters.
ONE_BODY = {"install_model", "update_model_record"}


def declared_parameters(name: str) -> set[str]:
    _, path, data = DECLARED[name]
    found = {one["name"] for one in data.get("parameters", []) if one["in"] != "cookie"}
    found |= UNDECLARED.get(name, set())
    assert set(re.findall(r"{(\w+)}", path)) <= found
    for content in data.get("requestBody", {}).get("content", {}).values():
        schema = content["schema"]
        if "$ref" in schema:
            schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        is_one = schema.get("type") != "object" or name in ONE_BODY
        found |= {"body"} if is_one else set(schema.get("properties", {}))
    return found


def test_the_document_has_191_operations() -> None:
    assert len(DECLARED) == 191
    assert DECLARED.keys() == OPERATIONS.keys()


@pytest.mark.parametrize("name", sorted(DECLARED))
def test_every_operation_has_a_method_with_the_same_parameters(name: str) -> None:
    method = getattr(AsyncApi(Connection.to("http://localhost:9090")), name)
    parameters = inspect.signature(method).parameters.values()
    taken = {one.name for one in parameters if one.kind is not inspect.Parameter.VAR_KEYWORD}
    assert taken == declared_parameters(name)
    positional = {one.name for one in parameters if one.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD}
    assert positional == set(re.findall(r"{(\w+)}", DECLARED[name][1]))
    assert (OPERATIONS[name].method, OPERATIONS[name].path) == DECLARED[name][:2]


def test_the_generated_files_are_up_to_date() -> None:
    command = [sys.executable, str(ROOT / "tools" / "generate_api.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_modules_say_what_older_servers_lack() -> None:
    for router in {one.router for one in OPERATIONS.values()}:
        text = import_module(f"invokeai_py_client.api.{router}").__doc__ or ""
        for name, one in OPERATIONS.items():
            if one.router == router and one.since is not None:
                assert f"InvokeAI {one.since}" in text, name
                assert f"``{name}``" in text or "All of them were added" in text
    queue = import_module("invokeai_py_client.api.queue").__doc__ or ""
    assert "- InvokeAI 6.7: ``get_queue_item_ids``" in queue
    assert "- 6.0.2 reports success for deleting an item that does not exist." in queue


def test_a_router_is_imported_when_it_is_used() -> None:
    code = (
        "import sys; from invokeai_py_client.api.all import AsyncApi; "
        "from invokeai_py_client.connection import Connection; "
        "AsyncApi(Connection.to('http://localhost:9090')).get_video_dto; "
        "print(*sorted(name for name in sys.modules if '.api.' in name))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    names = {name.removeprefix("invokeai_py_client.api.") for name in done.stdout.split()}
    assert names == {"all", "base", "operations", "videos"}


class Server(FakeServer):
    """A server that responds with errors or data by path, and has a version."""

    def __init__(self, version: str, responses: Mapping[str, Any]) -> None:
        super().__init__()
        self.version = version
        self.responses = responses
        self.kept: dict[Any, Any] = {}
        self.options: list[dict[str, Any]] = []

    def part(self, kind: Any) -> Any:
        return self.kept.setdefault(kind, kind(self.connection))

    async def json(self, method: str, path: str, **request: Any) -> Any:
        self.options.append(request)
        return await super().json(method, path, **request)

    def _answer(self, path: str) -> Any:
        if path == "/api/v1/app/version":
            return {"version": self.version}
        response = self.responses[path]
        if isinstance(response, Exception):
            raise response
        return response


def missing() -> NotFoundError:
    return NotFoundError(404, {"detail": "Not Found"}, "404")


@pytest.mark.parametrize(
    "error",
    [missing(), MethodNotAllowedError(405, None, "405"), NotInvokeAIError(None, None, "a web page")],
    ids=["404", "405", "page"],
)
async def test_an_older_server_is_named(error: APIRequestError) -> None:
    server = Server("6.8.1", {"/api/v1/auth/users": error})
    with pytest.raises(ServerTooOldError) as caught:
        await AsyncApi(server.connection).create_user(email="a@example.org", password="secret")
    assert str(caught.value) == "`create_user` needs InvokeAI 6.12 or later; this server is 6.8.1."
    assert isinstance(caught.value, UsageError) and isinstance(caught.value, NotFoundError)
    assert (caught.value.since, caught.value.version) == ("6.12", "6.8.1")
    assert server.asked == ["/api/v1/auth/users", "/api/v1/app/version"]


async def test_the_version_is_asked_for_once() -> None:
    server = Server("6.14.2", {"/api/v1/videos/i/a.mp4": missing()})
    for _ in range(2):
        with pytest.raises(NotFoundError) as caught:
            await AsyncApi(server.connection).get_video_dto("a.mp4")
        assert not isinstance(caught.value, ServerTooOldError)
    assert server.asked.count("/api/v1/app/version") == 1


NOT_ASKED: dict[str, tuple[str, APIRequestError, Call]] = {
    "an operation of all versions": (
        "/api/v1/style_presets/i/x",
        missing(),
        lambda api: api.get_style_preset("x"),
    ),
    "an item that does not exist": (
        "/api/v1/system_prompts/i/x",
        NotFoundError(404, {"detail": "System prompt not found"}, "404"),
        lambda api: api.get_system_prompt("x"),
    ),
    "not wanted": ("/api/v1/videos/i/x", missing(), lambda api: api.get_video_dto("x", explain=False)),
}


@pytest.mark.parametrize(("path", "error", "call"), NOT_ASKED.values(), ids=NOT_ASKED)
async def test_the_version_is_not_asked_for(path: str, error: APIRequestError, call: Call) -> None:
    server = Server("6.8.1", {path: error})
    with pytest.raises(NotFoundError):
        await call(AsyncApi(server.connection))
    assert server.asked == [path]


FAILURES: dict[str, tuple[str, dict[str, Any], Call, str]] = {
    "error": (
        "/api/v1/utilities/dynamicprompts",
        {"prompts": ["a"], "error": "No values found for wildcard(s): b"},
        lambda api: api.parse_dynamicprompts(prompt="__b__"),
        "`parse_dynamicprompts` failed: No values found for wildcard(s): b.",
    ),
    "success": (
        "/api/v2/custom_nodes/install",
        {"name": "a", "success": False, "message": "Git is not installed."},
        lambda api: api.install_custom_node_pack(source="https://example.org/a.git"),
        "`install_custom_node_pack` failed: Git is not installed.",
    ),
}


@pytest.mark.parametrize(("path", "response", "call", "message"), FAILURES.values(), ids=FAILURES)
async def test_a_failure_with_status_200_raises(path: str, response: Any, call: Call, message: str) -> None:
    with pytest.raises(APIRequestError, match=re.escape(message)) as caught:
        await call(AsyncApi(Server("6.14.2", {path: response}).connection))
    assert (caught.value.status_code, caught.value.payload) == (200, response)


async def test_a_failure_with_status_200_is_returned_on_demand() -> None:
    response = {"prompts": ["a"], "error": "no"}
    server = Server("6.14.2", {"/api/v1/utilities/dynamicprompts": response})
    api = AsyncApi(server.connection)
    assert await api.parse_dynamicprompts(prompt="__b__", raise_failure=False) == response


async def test_only_fields_with_a_value_are_sent() -> None:
    server = Server("6.14.2", {"/api/v1/app/runtime_config": {}})
    await AsyncApi(server.connection).update_runtime_config(
        max_queue_history=None, image_subfolder_strategy="flat", extra={"generation_devices": None}
    )
    assert server.bodies == [{"image_subfolder_strategy": "flat", "generation_devices": None}]


async def test_secrets_are_hidden_from_tools_that_show_variables() -> None:
    server = Server("6.14.2", {"/api/v1/auth/login": {}})
    await AsyncApi(server.connection).login(email="a@example.org", password="my-secret")
    assert server.bodies[0]["password"] == "my-secret"
    assert "my-secret" not in repr(server.bodies[0])


async def test_installing_a_model_by_a_get_request_is_not_repeated() -> None:
    server = Server("6.14.2", {})
    sent: list[Any] = []

    async def raw(method: str, path: str, **options: Any) -> Any:
        sent.append((method, path, options["idempotent"]))
        return SimpleNamespace(content=b"<html>")

    server.raw = raw  # type: ignore[attr-defined]
    assert await AsyncApi(server.connection).install_hugging_face_model(source="a/b") == b"<html>"
    assert sent == [("GET", "/api/v2/models/install/huggingface", False)]
    where = {"url": "http://a", "method": "GET", "path": "/", "request_id": ""}
    check_is_ours(201, "text/html", "", **where)
    with pytest.raises(NotInvokeAIError):
        check_is_ours(200, "text/html", "", **where)


@pytest.mark.parametrize("name", ["get_image_dto_stream", "no_such_operation", "get_image_dto_path"])
def test_an_unknown_operation_is_an_attribute_error(name: str) -> None:
    with pytest.raises(AttributeError, match=name):
        getattr(AsyncApi(Connection.to("http://localhost:9090")), name)


def test_operations_are_completed() -> None:
    api = InvokeAIClient.from_url("http://localhost:9090").api
    assert OPERATIONS.keys() <= set(dir(api)) & set(dir(api._impl))
