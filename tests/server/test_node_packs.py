"""Node types, and packs of custom nodes that are installed from a git repository into a real server."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import workflows
from click.testing import CliRunner

from invokeai_py_client import AsyncInvokeAIClient, InvokeAIClient
from invokeai_py_client.cli.main import ivk
from invokeai_py_client.errors import APIRequestError, UnknownNameError, UsageError

if TYPE_CHECKING:
    from tests.conftest import RealServer

PACK = '''\
from invokeai.invocation_api import BaseInvocation, InputField, IntegerOutput, InvocationContext, invocation


@invocation("{name}_twice", title="Twice", category="doubling", version="{version}")
class {name}Invocation(BaseInvocation):
    """Double a number."""

    number: int = InputField(default=2, description="The number")

    def invoke(self, context: InvocationContext) -> IntegerOutput:
        return IntegerOutput(value=2 * self.number)
'''


@pytest.fixture
def repository(tmp_path: Path, client: InvokeAIClient) -> Iterator[Callable[..., Path]]:
    """Make git repositories with a pack. Packs that are installed from them are deleted afterwards."""
    made: list[str] = []

    def make(name: str, files: dict[str, str]) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for path, text in files.items():
            (folder / path).write_text(text)
        who = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
        for arguments in (("init", "-q"), ("add", "."), (*who, "commit", "-q", "-m", "Add a pack")):
            subprocess.run(["git", "-C", str(folder), *arguments], check=True)
        made.append(name)
        return folder

    yield make
    for pack in client.nodes.list_packs():
        if pack.name in made:
            client.nodes.uninstall_pack(pack)


def pack(name: str, version: str = "1.0.0") -> dict[str, str]:
    return {"__init__.py": PACK.format(name=name, version=version)}


async def test_node_types_are_listed(either: AsyncInvokeAIClient) -> None:
    nodes = {one.type: one for one in await either.nodes.list_nodes()}
    assert (nodes["add"].category, nodes["add"].node_pack) == ("math", "invokeai")
    assert {one.type for one in await either.nodes.list_nodes(category="math")} < nodes.keys()
    with pytest.raises(UsageError, match="is empty"):
        await either.nodes.list_nodes(pack="")


@pytest.mark.since("6.13")
async def test_nodes_of_an_installed_pack_run(
    async_client: AsyncInvokeAIClient, repository: Callable[..., Path]
) -> None:
    library = {"name": "Of a pack", "nodes": [], "edges": [], **_rest()}
    files = {**pack("Amber"), "requirements.txt": "", "example.json": json.dumps(library)}
    before = await async_client.schema()
    assert "Amber_twice" not in before
    source = str(repository("amber", files))
    installed = await async_client.nodes.install_pack(source)
    assert (installed.name, installed.node_types) == ("amber", ["Amber_twice"])
    assert (installed.workflows_imported, installed.dependency_file) == (1, "requirements.txt")
    [node] = await async_client.nodes.list_nodes(pack="amber")
    assert (node.type, node.title, node.category, node.version) == (
        "Amber_twice",
        "Twice",
        "doubling",
        "1.0.0",
    )
    document = workflows.workflow(
        "Twice", {"twice": ("Amber_twice", {"number": 21})}, [], [("twice", "number")]
    )
    run = await (await async_client.workflow(document)).run()
    assert (await run.result()).values("twice") == [42]
    with pytest.raises(APIRequestError, match=r"Node pack 'amber' already exists"):
        await async_client.nodes.install_pack(source)
    await async_client.nodes.uninstall_pack("amber")
    assert "Amber_twice" not in await async_client.schema()
    assert "amber" not in {one.name for one in await async_client.nodes.list_packs()}


def _rest() -> dict[str, Any]:
    texts = dict.fromkeys(("author", "description", "version", "contact", "tags", "notes"), "")
    return {**texts, "exposedFields": [], "meta": {"version": "3.0.0", "category": "user"}}


@pytest.mark.since("6.13")
def test_what_the_server_could_not_install(client: InvokeAIClient, repository: Callable[..., Path]) -> None:
    with pytest.raises(
        APIRequestError, match=r"The server could not install the node pack .* Git clone failed: "
    ) as e:
        client.nodes.install_pack("/does/not/exist")
    assert e.value.status_code == 200
    broken = repository("broken", {"__init__.py": "import does_not_exist_anywhere\n"})
    with pytest.raises(
        APIRequestError, match="ModuleNotFoundError: No module named 'does_not_exist_anywhere'"
    ) as e:
        client.nodes.install_pack(str(broken))
    assert "Traceback" not in str(e.value)
    with pytest.raises(APIRequestError, match=r"does not contain an __init__.py file"):
        client.nodes.install_pack(str(repository("empty", {"README.md": "nothing"})))
    assert {one.name for one in client.nodes.list_packs()}.isdisjoint({"broken", "empty"})


@pytest.mark.since("6.13")
def test_unusable_names_are_not_sent(client: InvokeAIClient) -> None:
    with pytest.raises(UsageError, match="empty"):
        client.nodes.install_pack(" ")
    with pytest.raises(UsageError, match="expected the address of a git repository"):
        client.nodes.install_pack("--upload-pack=evil")
    with pytest.raises(
        UnknownNameError, match=r"No node pack named 'tiny_flex'\. Did you mean 'tiny_flux'\?"
    ):
        client.nodes.uninstall_pack("tiny_flex")
    with pytest.raises(UnknownNameError, match=r"No category named 'maths'\. Did you mean 'math'"):
        client.nodes.list_nodes(category="maths")


@pytest.mark.since("6.13")
def test_commands_and_changed_packs(
    client: InvokeAIClient, server: RealServer, repository: Callable[..., Path]
) -> None:
    def invoke(*arguments: str) -> list[str]:
        done = CliRunner().invoke(ivk, ["nodes", *arguments, "--url", client.url], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout.splitlines()

    source = str(repository("dogwood", pack("Dogwood")))
    assert invoke("install", source) == ["dogwood"]
    assert any(row.startswith("dogwood\t1\t/") for row in invoke("ls"))
    assert invoke("types", "--pack", "dogwood") == ["Dogwood_twice\tTwice\tdoubling\t1.0.0\tdogwood"]
    [node, last] = map(json.loads, invoke("types", "--category", "doubling", "--json"))
    assert (node["name"], node["pack"], last["nodes"]) == ("Dogwood_twice", "dogwood", 1)
    assert client.schema()["Dogwood_twice"].version == "1.0.0"
    module = server.root / "nodes" / "dogwood" / "__init__.py"
    module.write_text(PACK.format(name="Dogwood", version="1.2.3"))
    packs = {one.name: one for one in client.nodes.reload()}
    assert packs["dogwood"].node_types == ["Dogwood_twice"]
    assert client.schema()["Dogwood_twice"].version == "1.2.3"
    assert json.loads(invoke("reload", "--json")[-1])["without_nodes"] == ["cheap_collections", "tiny_flux"]
    assert json.loads(invoke("rm", "dogwood", "--yes", "--json")[-1])["names"] == ["dogwood"]
    assert not any(row.startswith("dogwood\t") for row in invoke("ls"))
    assert len(invoke("types")) > 200
