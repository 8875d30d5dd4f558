"""Sweep manifests: they are read as written, also after a crash."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from invokeai_py_client.connection import Connection
from invokeai_py_client.errors import UsageError
from invokeai_py_client.run.end import RunEnd
from invokeai_py_client.run.run import AsyncRun
from invokeai_py_client.run.tracker import BatchTracker
from invokeai_py_client.sweep.manifest import (
    ManifestWriter,
    packed,
    read_manifest,
    recorded_item,
    run_record,
    unpacked,
)
from invokeai_py_client.sweep.one_server import ServerExecution
from invokeai_py_client.sweep.requests import Request
from invokeai_py_client.sweep.runs import SweepRuns
from invokeai_py_client.sweep.sweep import AsyncSweep

GRAPH = {"graph": {"nodes": {}}, "workflow": None}
REQUEST = Request(
    0, 3, {}, ({"a": (1, 2, 3)},), {"batch": {**GRAPH, "data": [[{"node_path": "n", "items": [1, 2, 3]}]]}}
)
HEADER: dict[str, Any] = {
    "name": "w",
    "url": "http://localhost:1",
    "queue": "default",
    "axes": ["a"],
    "batch": "b",
    "inputs": {},
    "labels": {},
    "background": False,
}
ENDED: dict[str, Any] = {"inputs": {}, "images": [], "seconds": 0.5}


@contextmanager
def full_disk(size: int) -> Generator[None]:
    """Limit the size of files, as a full disk does."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def begun(path: Path) -> ManifestWriter:
    writer = ManifestWriter(path, create=True)
    writer.write("sweep", format=1, requests=1, **HEADER)
    writer.write("request", **REQUEST.to_dict())
    return writer


def test_manifest_is_read_as_written(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "sweep.jsonl"
    writer = begun(path)
    writer.write("sending", batch="b", request=0, rows=packed([0, 1, 2]), time=1.5)
    writer.write("sent", batch="b", items=packed([7, 8, 10]))
    writer.write("run", run=1, item=8, state="failed", **ENDED)
    writer.write("run", run=1, item=10, state="completed", **ENDED)
    kept = read_manifest(path)
    assert kept.header["name"] == "w"
    assert kept.requests[0].body_for([2], "x")["batch"]["data"][0][0]["items"] == [3]
    assert [(one.batch_id, one.rows, one.items) for one in kept.batches] == [("b", [0, 1, 2], [7, 8, 10])]
    assert kept.runs == {
        1: {"kind": "run", "run": 1, "item": 10, "state": "completed", **ENDED}
    }  # the latest record


def test_manifest_begins_with_header_and_requests(tmp_path: Path) -> None:
    path = tmp_path / "sweep.jsonl"
    header: dict[str, Any] = {**HEADER, "axes": ("a",), "inputs": {"b": Path("x")}}
    ManifestWriter(path, create=True).begin([REQUEST], **header)
    first, second = (json.loads(line) for line in path.read_text().splitlines())
    assert first == {"kind": "sweep", "format": 1, **HEADER, "inputs": {"b": "x"}, "requests": 1}
    assert second["kind"] == "request"
    assert read_manifest(path).requests[0].values(2) == {"a": 3}


def test_names_of_runs_are_kept() -> None:
    assert "names" not in REQUEST.to_dict(), "manifests without names have the same format as before"
    named = replace(REQUEST, names=("a", "", "c"))
    assert Request.from_dict(json.loads(json.dumps(named.to_dict()))).names == ("a", "", "c")
    assert pickle.loads(pickle.dumps(named)) == named
    older = object.__new__(Request)
    older.__setstate__([REQUEST.first, REQUEST.count, REQUEST.fixed, REQUEST.groups, REQUEST.body])
    assert older == REQUEST


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([(), ()], ()),
        ([("a", "", "c"), ()], ("a", "", "c", "", "", "")),
        ([(), ("d", "e", "f")], ("", "", "", "d", "e", "f")),
    ],
)
def test_names_belong_to_their_runs(names: list[tuple[str, ...]], expected: tuple[str, ...]) -> None:
    requests = [
        replace(REQUEST, first=3 * place, names=mine, body={"batch": GRAPH})
        for place, mine in enumerate(names)
    ]
    connection = Connection.to("http://localhost:1")
    runs = SweepRuns(requests, inputs={}, labels={}, queue_id="default")
    sweep = AsyncSweep(connection, "w", ["a"], runs, ServerExecution(connection, runs, batch_id="b"))
    assert sweep.names == expected


def test_run_record_contains_the_result() -> None:
    tracker = BatchTracker("b")
    tracker.item(7, {"status": "failed", "error_type": "ValueError", "error_message": "too many: 3"})
    end = RunEnd(record={"images": ["x.png"], "seconds": 1.5})
    run = AsyncRun(Connection.to("http://localhost:1"), 7, tracker, end=end)
    record = run_record(4, run, {"a": Path("y")})
    assert record == {
        "run": 4,
        "item": 7,
        "state": "failed",
        "inputs": {"a": "y"},
        "images": ["x.png"],
        "seconds": 1.5,
        "error": "ValueError: too many: 3",
    }
    again = BatchTracker("b")
    again.item(7, recorded_item(record))
    assert again.status(7).state is run.status.state
    assert (again.status(7).error_type, again.status(7).error_message) == ("ValueError", "too many: 3")


@pytest.mark.parametrize("size", [1, 70_000])
def test_incomplete_last_line_is_ignored_and_removed(tmp_path: Path, size: int) -> None:
    path = tmp_path / "sweep.jsonl"
    begun(path)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"kind": "' + b"x" * size)
    assert read_manifest(path).runs == {}
    ManifestWriter(path, create=False).write("run", run=0, item=1, state="completed")
    assert path.read_bytes().startswith(whole)
    assert [json.loads(line)["kind"] for line in path.read_text().splitlines()] == ["sweep", "request", "run"]


@pytest.mark.skipif(os.name == "nt", reason="links require a privilege on Windows")
def test_manifest_never_follows_links(tmp_path: Path) -> None:
    target, link = tmp_path / "precious.txt", tmp_path / "sweep.jsonl"
    target.write_text("precious")
    link.symlink_to(target)
    with pytest.raises(UsageError, match="already exists"):
        ManifestWriter(link, create=True)
    with pytest.raises(UsageError, match=r"sweep\.jsonl: it is a symbolic link"):
        ManifestWriter(link, create=False)
    link.unlink()
    writer = begun(link)
    link.unlink()
    link.symlink_to(target)
    with pytest.raises(UsageError, match="it is a symbolic link"):
        writer.write("run", run=0)
    assert target.read_text() == "precious"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit on the size of files")
def test_line_that_does_not_fit_on_the_disk_leaves_a_readable_manifest(tmp_path: Path) -> None:
    path = tmp_path / "sweep.jsonl"
    writer = begun(path)
    whole = path.read_bytes()
    with full_disk(len(whole) + 50), pytest.raises(UsageError, match="Cannot write the manifest"):
        writer.write("sending", batch="b" * 100, request=0, rows=[0], time=1.0)
    assert path.read_bytes() == whole
    writer.write("sending", batch="c", request=0, rows=[0], time=1.0)
    assert [one.batch_id for one in read_manifest(path).batches] == ["c"]


def test_existing_manifest_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "sweep.jsonl"
    begun(path)
    with pytest.raises(UsageError, match="already exists"):
        ManifestWriter(path, create=True)
    assert read_manifest(path).requests


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "is not the manifest of a sweep"),
        ("not json\n[1]\n", "is not the manifest of a sweep"),
        ('{"kind": "run"}\n', "is not the manifest of a sweep"),
        ('{"kind": "sweep", "format": 99, "requests": 1}\n', "has format 99"),
        ('{"kind": "sweep", "format": 1, "requests": 1}\n', "line 1: it has no name"),
        (json.dumps({"kind": "sweep", "format": 1, "requests": 1, **HEADER}) + "\n", "no run was sent"),
    ],
)
def test_invalid_manifests_are_rejected(tmp_path: Path, text: str, match: str) -> None:
    path = tmp_path / "sweep.jsonl"
    path.write_text(text)
    with pytest.raises(UsageError, match=match):
        read_manifest(path)


@given(some.lists(some.integers(0, 40), unique=True))
def test_packed_numbers_can_be_unpacked(numbers: list[int]) -> None:
    assert unpacked(packed(numbers)) == numbers
