"""Two real servers for the tests of pools: the session's, and one that tests may break. Sweeps over them."""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import workflows
from packs import CHEAP_COLLECTIONS

from invokeai_py_client import InvokeAIClient, InvokeAIPool, Sweep
from invokeai_py_client.server import LocalServer, TinyModels, install_tiny_models
from invokeai_py_client.server.health import free_port, request
from invokeai_py_client.sweep.manifest import read_manifest

if TYPE_CHECKING:
    from tests.conftest import RealServer

WAIT = Path(__file__).parent / "node_packs" / "wait"
MODELS = ("tiny-sd1", "tiny-vae-sd1", "tiny-vae-sdxl", "tiny-flux-ae")
"""The models of the second server. The first one has more."""
RUNS = 24
"""The number of runs of the sweeps during which something breaks."""


@dataclass(frozen=True)
class TwoServers:
    """Two servers with the same models and the node type ``ivk_wait``.

    Attributes:
        first: The URL of the session's server.
        second: The other server.
        folder: The folder of the node pack on the second server.
    """

    first: str
    second: LocalServer
    folder: Path

    @property
    def urls(self) -> list[str]:
        """Both URLs."""
        return [self.first, self.second.url]

    @contextmanager
    def pace(self, **values: Any) -> Generator[None]:
        """Let the waiting nodes of the second server be slow or fail inside the block."""
        file = self.folder / "pace.json"
        file.write_text(json.dumps(values))
        try:
            yield
        finally:
            file.unlink()

    def counts(self, batch_ids: Iterable[str]) -> Counter[str]:
        """Return how many queue items of some batches are in each state, on both servers together."""
        found = Counter[str]()
        for batch_id in batch_ids:
            for url in self.urls:
                status, body = request("GET", f"{url}/api/v1/queue/default/b/{batch_id}/status")
                if status == 200:
                    names = ("pending", "in_progress", "completed", "failed", "canceled")
                    found.update({name: body[name] for name in names})
        return +found


def batches(manifest: Path) -> set[str]:
    """Return the batches that a sweep has sent."""
    return {sending.batch_id for sending in read_manifest(manifest).batches}


def waiting(seconds: float = 0.3) -> dict[str, Any]:
    """Return a workflow that waits and returns a number. Its results are not cached."""
    nodes = {"wait": ("ivk_wait", {"number": 0, "seconds": seconds})}
    document = workflows.workflow("Wait", nodes, [], [("wait", "number"), ("wait", "seconds")])
    document["nodes"][0]["data"]["useCache"] = False
    return document


def begin(pool: InvokeAIPool, path: Path, seconds: float = 0.1) -> Sweep:
    """Start a sweep of ``RUNS`` waiting runs."""
    return pool.create_workflow(waiting(seconds)).sweep(number=range(RUNS), manifest=path)


def take(sweep: Sweep, number: int, server: str = "") -> list[int]:
    """Return the indexes of the next runs, when a number of them have ended on a server."""
    taken: list[int] = []
    for run in sweep:
        taken.append(sweep.index(run))
        number -= server in ("", run.server)
        if number <= 0:
            break
    return taken


def check_delivered_once(sweep: Sweep, path: Path) -> None:
    """Wait for a sweep, and check that each of its ``RUNS`` runs was delivered and recorded once."""
    check_recorded_once(sweep, path)
    assert [run.outputs.values("wait") for run in sweep.runs] == [[number] for number in range(RUNS)]


def check_recorded_once(sweep: Sweep, path: Path) -> None:
    """Wait for a sweep, which may be a resumed one, and check that the manifest has each of its ``RUNS`` runs once."""
    assert [run.status.ok for run in sweep.wait()] == [True] * RUNS
    assert [run.inputs["number"] for run in sweep.runs] == [*range(RUNS)]
    lines = [line for line in path.read_text().splitlines() if line.startswith('{"kind": "run"')]
    assert len(lines) == RUNS
    assert sorted(read_manifest(path).runs) == [*range(RUNS)]


def settled(servers: TwoServers, path: Path) -> Counter[str]:
    """Return the states of the queue items of a sweep, when none is pending or running any more."""
    deadline = time.monotonic() + 60
    while True:
        counts = servers.counts(batches(path))
        if not {"pending", "in_progress"} & {*counts} or time.monotonic() > deadline:
            return counts


def sent_again(path: Path) -> int:
    """Return how many runs of a sweep were sent in a second batch. At most two chunks of a server that is lost are."""
    kept = read_manifest(path)
    sent = Counter(kept.requests[one.request].first + row for one in kept.batches for row in one.rows)
    again = sum(sent.values()) - len(sent)
    assert again <= 2 * max(len(one.rows) for one in kept.batches)
    return again


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for a condition that no event announces."""
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def two_servers(
    server: RealServer,
    tiny_models: TinyModels,
    say: Callable[[str], None],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[TwoServers]:
    packs = tmp_path_factory.mktemp("packs")
    ours, theirs = (packs / name / "differing" for name in ("ours", "theirs"))
    for pack, nodes in {
        ours: {"only_here": "1.0.0", "differs": "1.2.0"},
        theirs: {"differs": "2.0.0"},
    }.items():
        pack.mkdir(parents=True)
        (pack / "__init__.py").write_text(_PACK + "".join(_node(*node) for node in nodes.items()))
    for pack in (WAIT, ours):
        shutil.copytree(pack, server.root / "nodes" / pack.name, dirs_exist_ok=True)
    models = replace(tiny_models, models=tuple(one for one in tiny_models.models if one.name in MODELS))
    with (
        InvokeAIClient.from_url(server.url) as client,
        LocalServer(
            temporary=True, port=free_port(), node_packs=[WAIT, theirs, CHEAP_COLLECTIONS], say=say
        ) as second,
    ):
        client.nodes.reload()
        install_tiny_models(second.url, models)
        yield TwoServers(server.url, second, second.root / "nodes" / "wait")
        for pack in ("wait", "differing"):
            client.nodes.uninstall_pack(pack)


_PACK = """
from invokeai.invocation_api import BaseInvocation, InputField, IntegerOutput, InvocationContext, invocation
"""


def _node(kind: str, version: str) -> str:
    return f"""

@invocation("{kind}", title="{kind}", category="test", version="{version}", use_cache=False)
class {kind.title().replace("_", "")}Invocation(BaseInvocation):
    value: int = InputField(default=1, description="A number.")

    def invoke(self, context: InvocationContext) -> IntegerOutput:
        return IntegerOutput(value=self.value)
"""
