"""The operations of the server: the generated classes, compared with the document that they come from."""

from __future__ import annotations

import inspect
import json
import lzma
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from invokeai_py_client.api.all import AsyncApi
from invokeai_py_client.api.operations import OPERATIONS
from invokeai_py_client.connection import Connection

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
