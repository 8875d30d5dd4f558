"""The manifest of a sweep over a pool."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from pool_fakes import HEADER, requests

from invokeai_py_client.connection import Connection
from invokeai_py_client.errors import UsageError
from invokeai_py_client.sweep.manifest import POOL_FORMAT, ManifestWriter, read_manifest
from invokeai_py_client.sweep.sweep import AsyncSweep
from invokeai_py_client.transport.settings import ConnectionSettings, ServerAddress

RUN: dict[str, Any] = {
    "run": 4,
    "item": 7,
    "state": "completed",
    "inputs": {},
    "images": ["cat.png"],
    "seconds": 0.5,
    "batch": "b2",
    "server": "two",
}
SENDING: dict[str, Any] = {"batch": "b2", "request": 1, "rows": [0, [1, 2]], "server": "two", "time": 1.5}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A manifest with two requests, two batches and a run."""
    file = tmp_path / "sweep.jsonl"
    writer = ManifestWriter(file, create=True)
    writer.begin(requests(3, 4), format=POOL_FORMAT, **HEADER)
    writer.write("sending", batch="b1", request=0, rows=[[0, 2]], server="one", time=1.0)
    writer.write("sending", **SENDING)
    writer.write("run", **RUN)
    return file


def test_a_manifest_is_read_as_it_was_written(path: Path) -> None:
    kept = read_manifest(path)
    assert kept.is_of_pool
    assert [(one.batch_id, one.server, one.request, one.rows) for one in kept.batches] == [
        ("b1", "one", 0, [0, 1, 2]),
        ("b2", "two", 1, [0, 1, 2]),
    ]
    assert kept.runs[4]["server"] == "two"
    assert kept.unrecorded() == {"b1": 3, "b2": 2}
    assert kept.header["servers"] == ["one", "two"]


Change = Callable[[list[dict[str, Any]]], object]


DAMAGES: list[tuple[Change, str]] = [
    (lambda lines: lines[0].pop("servers"), "line 1: it has no servers"),
    (lambda lines: lines[0].update(servers="one"), "line 1: "),
    (lambda lines: lines[4].pop("server"), "line 5: it has no server"),
    (lambda lines: lines[4].update(server=7), "line 5: "),
    (lambda lines: lines[4].update(batch="b1"), "line 5: an earlier line has the same batch"),
    (lambda lines: lines[4].update(request=2), "line 5: 'request' is 2"),
    (lambda lines: lines[4].update(rows=[9]), "line 5: 'rows' has 9"),
    (lambda lines: lines[4].update(rows=[1, 1]), "line 5: 'rows' has a number twice"),
    (lambda lines: lines[4].update(time="now"), "line 5: 'time' is 'now'"),
    (lambda lines: lines[5].pop("server"), "line 6: it has no server"),
    (lambda lines: lines[5].pop("batch"), "line 6: "),
    (lambda lines: lines[5].update(batch="b3"), "line 6: no earlier line has the run 4 in batch 'b3'"),
    (lambda lines: lines[5].update(batch="b1"), "line 6: no earlier line has the run 4 in batch 'b1'"),
    (lambda lines: lines[5].update(run=7), "line 6: 'run' is 7"),
    (lambda lines: lines[5].update(state="running"), "line 6: 'state' is 'running'"),
    (lambda lines: lines[5].update(images="cat.png"), "line 6: "),
    (
        lambda lines: lines.append({"kind": "sent", "batch": "b1", "items": [1]}),
        "line 7: its kind is 'sent'",
    ),
]


@pytest.mark.parametrize(("change", "match"), DAMAGES)
def test_a_damaged_line_is_refused(path: Path, change: Change, match: str) -> None:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    change(lines)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(UsageError) as raised:
        read_manifest(path)
    assert match in str(raised.value)


def test_only_a_pool_resumes_the_sweep_of_a_pool(path: Path, tmp_path: Path) -> None:
    class Client:
        connection = Connection(ConnectionSettings(ServerAddress.parse("http://one.invalid")))

    class Pool(Client):
        def execution(self) -> None: ...

    with pytest.raises(UsageError, match=r"over a pool of servers \('one', 'two'\)\. Pass a pool instead"):
        AsyncSweep.resume(path)
    with pytest.raises(UsageError, match="Pass a pool instead of a client"):
        AsyncSweep.resume(path, cast("Any", Client()))
    other = tmp_path / "other.jsonl"
    writer = ManifestWriter(other, create=True)
    header: dict[str, Any] = {**HEADER, "url": "http://one.invalid", "batch": "b", "background": False}
    writer.begin(requests(1), **{name: value for name, value in header.items() if name != "servers"})
    with pytest.raises(UsageError, match="Pass a client for that server instead of a pool"):
        AsyncSweep.resume(other, cast("Any", Pool()))
