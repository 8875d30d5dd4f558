"""Tests of the cache of schemas on disk."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from invokeai_py_client.schema.cache import SchemaCache, fingerprint
from invokeai_py_client.schema.template import FieldType, InputTemplate, NodeTemplate, Schema

MARK = fingerprint("http://localhost:9090", "6.14.2")


def schema(title: str = "Add") -> Schema:
    inputs = {"a": InputTemplate("a", "A", FieldType("IntegerField"), "any", False, 0)}
    return Schema({"add": NodeTemplate("add", title, "1.0.0", inputs, {}, "integer_output")}, "6.14.2")


def files(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_stored_schema_is_loaded(tmp_path: Path) -> None:
    cache = SchemaCache(tmp_path / "made" / "when needed")
    assert cache.load(MARK) is None
    cache.store(MARK, schema())
    assert cache.directory is not None
    loaded = SchemaCache(cache.directory).load(MARK)
    assert loaded is not None
    assert (dict(loaded), loaded.version) == (dict(schema()), "6.14.2")
    assert cache.load(fingerprint("http://localhost:9091", "6.14.2")) is None
    assert len(files(cache.directory)) == 1


@pytest.mark.parametrize("content", [b"", b"\x00" * 50, b"PNG", b"invokeai-schema 0 00000000\nold"])
def test_an_unusable_file_is_ignored_and_replaced(tmp_path: Path, content: bytes) -> None:
    cache = SchemaCache(tmp_path)
    cache.store(MARK, schema())
    (only,) = tmp_path.iterdir()
    only.write_bytes(content)
    assert cache.load(MARK) is None
    cache.store(MARK, schema())
    assert cache.load(MARK) is not None


def test_a_damaged_file_is_ignored(tmp_path: Path) -> None:
    cache = SchemaCache(tmp_path)
    cache.store(MARK, schema())
    (only,) = tmp_path.iterdir()
    only.write_bytes(only.read_bytes()[:-3])
    assert cache.load(MARK) is None


def test_oldest_schemas_are_removed(tmp_path: Path) -> None:
    cache = SchemaCache(tmp_path, max_entries=3)
    (tmp_path / "somebody-elses.txt").write_text("stays")
    marks = [fingerprint("http://localhost", f"6.{minor}.0") for minor in range(5)]
    for age, mark in enumerate(marks):
        cache.store(mark, schema())
        os.utime(tmp_path / f"{mark}.ivkschema", (1000 + age, 1000 + age))
    assert [cache.load(mark) is not None for mark in marks] == [False, False, True, True, True]
    assert "somebody-elses.txt" in files(tmp_path)


def test_storing_again_replaces_only_that_schema(tmp_path: Path) -> None:
    cache = SchemaCache(tmp_path, max_entries=2)
    other = fingerprint("http://localhost", "6.0.2")
    cache.store(other, schema())
    cache.store(MARK, schema())
    cache.store(MARK, schema("Sum"))
    loaded = cache.load(MARK)
    assert loaded is not None and loaded["add"].title == "Sum"
    assert cache.load(other) is not None


def test_failed_write_keeps_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cache = SchemaCache(tmp_path)
    cache.store(MARK, schema())
    before = files(tmp_path)

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with caplog.at_level(logging.WARNING, "invokeai_py_client.schema"):
        cache.store(MARK, schema("Sum"))
    assert "No space left" in caplog.text
    assert files(tmp_path) == before
    loaded = cache.load(MARK)
    assert loaded is not None and loaded["add"].title == "Add"


def test_unusable_directory_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("not a directory")
    cache = SchemaCache(tmp_path / "file" / "schemas")
    with caplog.at_level(logging.WARNING, "invokeai_py_client.schema"):
        cache.store(MARK, schema())
        assert cache.load(MARK) is None
    assert "Cannot store the schema" in caplog.text
    assert {record.name for record in caplog.records} == {"invokeai_py_client.schema"}


def test_directory_from_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVOKEAI_CLIENT_CACHE", str(tmp_path / "chosen"))
    assert SchemaCache().directory == tmp_path / "chosen"
    monkeypatch.setenv("INVOKEAI_CLIENT_CACHE", "")
    directory = SchemaCache().directory
    assert directory is not None
    assert directory.name == "schemas"
    assert "invokeai-py-client" in str(directory)


def test_fingerprint_changes_with_server_state() -> None:
    marks = {
        fingerprint("http://a", "6.14.2"),
        fingerprint("http://b", "6.14.2"),
        fingerprint("http://a", "6.14.1"),
        fingerprint("http://a", "6.14.2", b'{"maximum": 10}'),
        fingerprint("http://a", "6.14.2", b'{"maximum": 20}'),
    }
    assert len(marks) == 5
    assert fingerprint("http://a/", "6.14.2") == fingerprint("http://a", "6.14.2")


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a\x00b", "x" * 200])
def test_fingerprint_cannot_escape_directory(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="plain file name"):
        SchemaCache(tmp_path).load(name)
