"""Damaged manifests: they are read, or raise one of our errors with the file and the line."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest
from mutations import damage_bytes, damage_values

from invokeai_py_client.connection import Connection
from invokeai_py_client.errors import InvokeAIClientError, UsageError
from invokeai_py_client.sweep.extension import shared_seed
from invokeai_py_client.sweep.manifest import ManifestWriter, packed, read_manifest
from invokeai_py_client.sweep.sweep import AsyncSweep

MANIFESTS = Path(__file__).parents[1] / "data" / "artifacts" / "2.0.0-dev" / "manifests"
NAMES = ("complete", "failed", "killed", "pictures-and-models")
ROUNDS = 150


def use(path: Path) -> None:
    """Do everything with a manifest that does not need a server."""
    kept = read_manifest(path)
    shared_seed(kept)
    sweep = AsyncSweep.resume(path)
    assert isinstance(sweep.connection, Connection)
    for request in kept.requests:
        for row in range(request.count):
            request.values(row)
        request.body_for(range(request.count), "b")
        request.body_for([0], "b")
    for sending in kept.batches:
        assert sending.items is None or len(sending.items) <= len(sending.rows)
    assert len(sweep) == sum(request.count for request in kept.requests)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("damage", [damage_values, damage_bytes])
def test_damaged_manifests_raise_our_errors(name: str, damage: Any, tmp_path: Path) -> None:
    original = (MANIFESTS / f"{name}.jsonl").read_bytes()
    rng = random.Random(f"{name} {damage.__name__}")
    path = tmp_path / "sweep.jsonl"
    failed = 0
    for round_ in range(ROUNDS):
        damaged = damage(original, rng)
        path.write_bytes(damaged)
        try:
            use(path)
        except InvokeAIClientError as error:
            failed += 1
            said = str(error)
            assert str(path) in said, (round_, said)
            assert "line " in said or "is incomplete: no run was sent" in said, (round_, said)
            if b'"sending"' in damaged:
                assert "start the sweep again" not in said, (round_, said)
        except Exception as error:
            error.add_note(f"round {round_}: {damaged[:20000]!r}")
            raise
    assert failed > ROUNDS // 10


@pytest.mark.parametrize("name", NAMES)
def test_intact_manifests_of_older_versions_are_read(name: str, tmp_path: Path) -> None:
    path = tmp_path / "sweep.jsonl"
    path.write_bytes((MANIFESTS / f"{name}.jsonl").read_bytes())
    use(path)


def lines() -> list[dict[str, Any]]:
    """Return a manifest with two batches, of which one run has ended."""
    text = (MANIFESTS / "failed.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize(
    ("line", "change", "says"),
    [
        (1, {"axes": "b"}, "line 1: it has a string for axes"),
        (1, {"requests": 2}, "line 1: it announces 2 requests, but the file has 1"),
        (1, {"seeds": None}, "line 1: it has null for seeds"),
        (1, {"url": "ftp://x"}, "line 1: 'url' is not valid"),
        (2, {"count": 4}, "line 2: 'count' is 4; expected 3"),
        (2, {"first": 1}, "line 2: 'first' is 1; expected 0"),
        (2, {"groups": [{"b": []}]}, r"line 2: 'groups\[0\]' has no values"),
        (
            3,
            {"kind": "sendinh"},
            "line 3: its kind is 'sendinh'; expected 'request', 'sending', 'sent', 'run'",
        ),
        (3, {"request": 1}, "line 3: 'request' is 1; expected a whole number from 0 to 0"),
        (3, {"rows": [[0, 10**15]]}, "line 3: 'rows' is not a list of numbers"),
        (3, {"rows": [0, 3]}, "line 3: 'rows' has 3, but the request has 3 runs"),
        (3, {"time": float("nan")}, "line 3: 'time' is nan; expected seconds since 1970"),
        (4, {"batch": "other"}, "line 4: no earlier line has the batch 'other'"),
        (4, {"items": [[1, 9]]}, "line 4: 'items' is not a list of numbers"),
        (4, {"items": [1, 1]}, "line 4: 'items' has a number twice"),
        (5, {"state": "done"}, "line 5: 'state' is 'done'; expected completed, failed"),
        (5, {"run": 3}, "line 5: 'run' is 3; expected a whole number from 0 to 2"),
        (5, {"batch": 5}, "line 5: it has a number for batch"),
        (5, {"batch": "other"}, "line 5: no earlier line has the queue item .* of batch 'other'"),
        (5, {"seconds": "long"}, "line 5: 'seconds' is 'long'; expected a number or null"),
    ],
)
def test_damaged_lines_are_named(line: int, change: dict[str, Any], says: str, tmp_path: Path) -> None:
    damaged = copy.deepcopy(lines())
    damaged[line - 1].update(change)
    path = tmp_path / "sweep.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in damaged), encoding="utf-8")
    with pytest.raises(UsageError, match=says) as caught:
        read_manifest(path)
    assert "Keep the file: it records the runs that were sent" in str(caught.value)


def test_line_that_is_not_json_is_named(tmp_path: Path) -> None:
    path = tmp_path / "sweep.jsonl"
    texts = [json.dumps(line) for line in lines()]
    texts[3] = texts[3][:-1]
    path.write_text("\n".join(texts) + "\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"damaged in line 4: it is not a JSON object"):
        read_manifest(path)


def test_complete_last_line_without_a_line_break_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "sweep.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines()), encoding="utf-8")
    before = read_manifest(path)
    ManifestWriter(path, create=False).write("sending", batch="new", request=0, rows=packed([1]), time=1.0)
    after = read_manifest(path)
    assert after.runs == before.runs
    assert [one.batch_id for one in after.batches] == [*(one.batch_id for one in before.batches), "new"]


@pytest.mark.parametrize("tail", [b'{"kind": "run", "inputs": "\xc3', b"\0" * 300, b"{" * 200_000])
def test_last_line_of_a_crash_is_ignored(tail: bytes, tmp_path: Path) -> None:
    path = tmp_path / "sweep.jsonl"
    whole = (MANIFESTS / "complete.jsonl").read_bytes()
    path.write_bytes(whole + tail)
    assert read_manifest(path).runs.keys() == {0, 1, 2, 3}
    ManifestWriter(path, create=False)
    assert path.read_bytes() == whole
