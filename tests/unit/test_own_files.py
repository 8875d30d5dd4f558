"""Files that this package writes and reads: damaged ones are ignored or raise our errors, and links are not followed.

``test_manifest_mutations.py`` has the manifests of sweeps.
"""

from __future__ import annotations

import json
import os
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import workflows
from mutations import LITERALS, damage_bytes

from invokeai_py_client import WorkflowDefinition
from invokeai_py_client._atomic import open_unlinked, write_draft
from invokeai_py_client._lock import locked
from invokeai_py_client._records import read_record
from invokeai_py_client.cli.export import is_exported
from invokeai_py_client.config import Profile, choose, forget_profile, keep_profile, read_profiles
from invokeai_py_client.engine.index_map import (
    export_input_index_map,
    verify_input_index_map,
    write_index_map,
)
from invokeai_py_client.engine.inputs import InputSet
from invokeai_py_client.engine.load import load_workflow
from invokeai_py_client.errors import InvokeAIClientError, SchemaFormatError, UsageError
from invokeai_py_client.files.text import write_text
from invokeai_py_client.models.image import IvkImage
from invokeai_py_client.schema.cache import SchemaCache
from invokeai_py_client.schema.packed import pack, unpack
from invokeai_py_client.schema.reference import reference_schema
from invokeai_py_client.schema.template import Schema
from invokeai_py_client.server import installer, state, tiny_models

no_links = pytest.mark.skipif(os.name == "nt", reason="links require a privilege on Windows")
ROUNDS = 60
URL = "http://localhost:9090"
RUNNING = state.Running("6.14.2", URL, 9090, "/root", "/root/server.log", 2**22 + 1, "no such process", True)
IMAGE = IvkImage.from_api_response({"image_name": "a.png"})


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put all files of this package into a folder of the test."""
    monkeypatch.setenv("INVOKEAI_CONFIG", str(tmp_path / "config" / "config.toml"))
    monkeypatch.setenv("INVOKEAI_CLIENT_CACHE", str(tmp_path / "cache"))
    for variable in ("INVOKEAI_URL", "INVOKEAI_PROFILE", "INVOKEAI_TOKEN"):
        monkeypatch.delenv(variable, raising=False)


def small_schema() -> Schema:
    whole = reference_schema()
    return Schema({name: whole[name] for name in ("add", "noise", "string")}, whole.version)


def sums() -> InputSet:
    schema = reference_schema()
    return InputSet(load_workflow(WorkflowDefinition.from_dict(workflows.add()), schema), schema)


def profiles(folder: Path) -> tuple[Path, Callable[[], object]]:
    keep_profile(Profile("default", URL, "secret-token", "a@example.org"))
    keep_profile(Profile('odd "name"', "http://gpu:9090/invoke"))

    def use() -> object:
        read_profiles()
        choose()
        choose(URL)
        return forget_profile("default")

    return folder / "config" / "config.toml", use


def record_of_a_server(folder: Path) -> tuple[Path, Callable[[], object]]:
    state.remember(RUNNING)
    (file,) = (folder / "cache" / "running").glob("*.json")
    return file, lambda: (state.at_root(Path("/root")), state.running())


def installation(folder: Path) -> tuple[Path, Callable[[], object]]:
    target = folder / "cache" / "servers" / "6.14.2"
    target.mkdir(parents=True)
    write_draft(target / installer.MARKER, json.dumps({"version": "6.14.2", "bytes": 5}).encode())
    return target / installer.MARKER, lambda: installer.installed("6.14.2")


def models(folder: Path) -> tuple[Path, Callable[[], object]]:
    lines = [
        {"name": "a", "file": "a.bin", "base": "sd-1", "type": "vae"},
        {"name": "b", "skipped": "too new"},
    ]
    write_draft(folder / tiny_models.MANIFEST, json.dumps({"key": "k", "models": lines}).encode())
    return folder / tiny_models.MANIFEST, lambda: tiny_models._read(folder, "k")  # pyright: ignore[reportPrivateUsage]


def cached_schema(folder: Path) -> tuple[Path, Callable[[], object]]:
    cache = SchemaCache()
    cache.store("f" * 32, small_schema())
    (file,) = (folder / "cache").glob("*.ivkschema")

    def use() -> object:
        found = cache.load("f" * 32)
        return None if found is None else list(found.values())

    return file, use


def exported_image(folder: Path) -> tuple[Path, Callable[[], object]]:
    (folder / "a.png").write_bytes(b"x")
    write_draft(folder / "a.json", json.dumps(IMAGE.to_dict()).encode())
    assert is_exported(IMAGE, folder)
    return folder / "a.json", lambda: is_exported(IMAGE, folder)


def index_map(folder: Path) -> tuple[Path, Callable[[], object]]:
    found = sums()
    write_index_map(folder / "map.json", export_input_index_map(found))
    return folder / "map.json", lambda: verify_input_index_map(found, folder / "map.json")


FILES = (profiles, record_of_a_server, installation, models, cached_schema, exported_image, index_map)


@pytest.mark.parametrize("make", FILES)
def test_damaged_files_raise_our_errors_or_are_ignored(make: Any, tmp_path: Path) -> None:
    path, use = make(tmp_path)
    original = path.read_bytes()
    rng = random.Random(make.__name__)
    damaged = [damage_bytes(original, rng) for _ in range(ROUNDS)]
    damaged += [json.dumps(value).encode() for value in LITERALS]
    if path.suffix == ".json":
        damaged += list(with_other_values(json.loads(original)))
    for content in [*damaged, b"", b"\xff\xfe", b"[" * 200_000, b"\0" * 100]:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o600)
        try:
            use()
        except InvokeAIClientError as error:
            assert str(path) in str(error), content[:500]
            assert "secret-token" not in str(error), content[:500]
        except Exception as error:
            error.add_note(f"{content[:2000]!r}")
            raise


def with_other_values(data: Any) -> list[bytes]:
    """Return the JSON data with each of its values replaced, and with each key removed."""
    found: list[bytes] = []

    def visit(container: Any) -> None:
        for key in list(container) if isinstance(container, dict) else range(len(container)):
            before = container[key]
            for value in (None, True, -1, 2.5, "x", [], {}):
                container[key] = value
                found.append(json.dumps(data).encode())
            if isinstance(container, dict):
                del container[key]
                found.append(json.dumps(data).encode())
            container[key] = before
            if isinstance(before, dict | list):
                visit(before)

    visit(data)
    return found


def test_damaged_nodes_of_a_schema_are_found_when_they_are_used() -> None:
    import zlib

    data = pack(small_schema())
    line, _, packed = data.partition(b"\n")
    text = zlib.decompress(packed)
    for old, new in ((b'"default"', b'"defualt"'), (b"{", b"["), (b":", b";"), (b"$", b"?")):
        broken = unpack(line + b"\n" + zlib.compress(text[:300] + text[300:].replace(old, new)))
        try:
            list(broken.values())
        except SchemaFormatError as error:
            assert "damaged at" in str(error)


def test_records_have_the_types_that_they_need(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    for content, expected in (
        (b'{"a": 1, "b": "x"}', {"a": 1, "b": "x"}),
        (b'{"a": true, "b": "x"}', None),
        (b'{"a": 1}', None),
        (b"[]", None),
    ):
        path.write_bytes(content)
        assert read_record(path, {"a": int, "b": str}) == expected
    assert read_record(tmp_path / "missing", {}) is None


def test_concurrent_sign_ins_keep_every_profile() -> None:
    names = [f"profile-{number}" for number in range(8)]
    start = threading.Barrier(len(names))

    def sign_in(name: str) -> None:
        start.wait()
        for round_ in range(5):
            keep_profile(Profile(name, URL, f"token-{round_}"))

    threads = [threading.Thread(target=sign_in, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {name: one.token for name, one in read_profiles().items()} == dict.fromkeys(names, "token-4")


def test_profile_with_half_a_surrogate_pair_leaves_the_file_valid() -> None:
    keep_profile(Profile("default", URL, "t"))
    with pytest.raises(UsageError, match="a lone surrogate"):
        keep_profile(Profile("half \udc80", URL))
    assert list(read_profiles()) == ["default"]


WRITERS: dict[str, Callable[[Path], object]] = {
    "a draft": lambda path: write_draft(path, b"new"),
    "a text": lambda path: write_text(path, "new"),
    "a workflow": lambda path: WorkflowDefinition.from_dict(workflows.add()).save(path),
    "an index map": lambda path: write_index_map(path, export_input_index_map(sums())),
}


@no_links
@pytest.mark.parametrize("writer", WRITERS)
def test_writing_replaces_links_instead_of_following_them(writer: str, tmp_path: Path) -> None:
    target, link = tmp_path / "precious.txt", tmp_path / "link.json"
    target.write_text("precious")
    link.symlink_to(target)
    WRITERS[writer](link)
    assert target.read_text() == "precious"
    assert not link.is_symlink()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["link.json", "precious.txt"]


@no_links
def test_logs_and_locks_never_follow_links(tmp_path: Path) -> None:
    link = tmp_path / "lock"
    link.symlink_to(tmp_path / "elsewhere")
    for mode in ("a", "w", "r+"):
        with pytest.raises(OSError, match="it is a symbolic link"):
            open_unlinked(link, mode)
    with pytest.raises(OSError, match="it is a symbolic link"), locked(link):
        pass
    assert not (tmp_path / "elsewhere").exists()
