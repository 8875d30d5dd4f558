"""Downloaded files: where they are saved, and that they are written atomically."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image as Pillow

from invokeai_py_client._atomic import Draft, write_draft
from invokeai_py_client.errors import UsageError
from invokeai_py_client.files.atomic import AtomicFile, write_atomically
from invokeai_py_client.files.formats import Edges, has_end, is_truncated, is_whole
from invokeai_py_client.files.names import safe_name, target_path


def test_path_is_a_file_unless_it_is_a_folder(tmp_path: Path) -> None:
    assert target_path(tmp_path / "a.png", "x.png") == tmp_path / "a.png"
    assert target_path(tmp_path, "x.png") == tmp_path / "x.png"
    assert target_path(str(tmp_path / "new") + "/", "x.png") == tmp_path / "new" / "x.png"
    assert target_path(str(tmp_path / "new") + os.sep, "x.png") == tmp_path / "new" / "x.png"
    assert target_path("", "x.png") == Path("x.png")


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("x.png", "x.png"),
        ("../../etc/passwd", "passwd"),
        ("/etc/passwd", "passwd"),
        ("..\\..\\x.png", "x.png"),
        ("C:\\x.png", "x.png"),
        ("", "image"),
        (".", "image"),
        ("..", "image"),
        ("a/..", "image"),
        ("a/", "image"),
        ("a\0b.png", "ab.png"),
        (".\0.", "image"),
    ],
)
def test_names_from_the_server_stay_in_their_folder(tmp_path: Path, name: str, safe: str) -> None:
    assert safe_name(name) == safe
    assert target_path(tmp_path, name) == tmp_path / safe


def test_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "er" / "x.png"
    file = AtomicFile(target)
    file.write(b"one ")
    assert not target.exists()
    file.write(b"two")
    file.keep()
    file.discard()
    assert target.read_bytes() == b"one two"
    assert list(target.parent.iterdir()) == [target]


def test_discarded_file_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "x.png"
    target.write_bytes(b"old")
    file = AtomicFile(target)
    file.write(b"half")
    file.discard()
    file.discard()
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_failed_write_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "x.png"
    target.mkdir()  # a folder cannot be replaced by a file
    with pytest.raises(UsageError, match=r"Cannot write the file .*x\.png': Is a directory"):
        write_atomically(target, b"new")
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("name", ["x" * 251 + ".png", "漢" * 83 + ".png"])
def test_longest_possible_names_work(tmp_path: Path, name: str) -> None:
    write_atomically(tmp_path / name, b"data")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_two_writers_of_the_same_file_do_not_mix(tmp_path: Path) -> None:
    target = tmp_path / "x.png"
    one, two = AtomicFile(target), AtomicFile(target)
    one.write(b"one")
    two.write(b"two")
    one.keep()
    two.keep()
    assert target.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [target]


def whole_png() -> bytes:
    buffer = io.BytesIO()
    Pillow.new("RGB", (5, 5), "red").save(buffer, "PNG")
    return buffer.getvalue()


def whole_webp() -> bytes:
    buffer = io.BytesIO()
    Pillow.effect_noise((33, 21), 50).save(buffer, "WEBP")
    return buffer.getvalue()


def whole_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.png", whole_png())
    return buffer.getvalue()


@pytest.mark.parametrize("make", [whole_png, whole_webp, whole_zip])
def test_truncated_files_are_detected(tmp_path: Path, make: Callable[[], bytes]) -> None:
    data, path = make(), tmp_path / "file"
    path.write_bytes(data)
    assert is_whole(path)
    for size in (len(data) - 1, len(data) // 2, 30):
        path.write_bytes(data[:size])
        assert not is_whole(path), size
    for size in (12, 1, 0):
        path.write_bytes(data[:size])
        assert not is_whole(path), size


def test_unknown_formats_are_neither_complete_nor_truncated(tmp_path: Path) -> None:
    assert has_end(b"the whole", b"the whole", 9) is None
    (tmp_path / "text").write_text("x" * 100)
    assert not is_whole(tmp_path / "text")
    assert not is_whole(tmp_path / "missing")
    assert not is_whole(tmp_path)


def test_edges_do_not_depend_on_the_chunks() -> None:
    data = whole_png()
    assert Edges().truncated, "no data"
    for size in (1, 7, 22, 23, len(data)):
        edges = Edges()
        for start in range(0, len(data), size):
            edges.add(data[start : start + size])
        assert (edges.head, edges.tail, edges.size) == (data[:22], data[-22:], len(data))
        assert not edges.truncated


def test_truncated_data_is_detected() -> None:
    assert not is_truncated(whole_png())
    assert not is_truncated(b"some other format")
    assert is_truncated(whole_png()[:-1])
    assert is_truncated(b"")


def test_draft_has_the_requested_mode(tmp_path: Path) -> None:
    write_draft(tmp_path / "secret", b"token", mode=0o600)
    write_draft(tmp_path / "open", b"text")
    (tmp_path / "like any").write_bytes(b"text")
    if os.name != "nt":
        assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
        assert (tmp_path / "open").stat().st_mode == (tmp_path / "like any").stat().st_mode


def test_draft_that_is_not_kept_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "x.json"
    target.write_text("old")
    with pytest.raises(KeyboardInterrupt), Draft(target) as draft:
        draft.write(b"half")
        # Files left behind by a killed process can be found by their suffix.
        assert sorted(path.name for path in tmp_path.glob("*.json*")) == sorted(
            path.name for path in tmp_path.iterdir()
        )
        assert len([*tmp_path.iterdir()]) == 2
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]
    assert target.read_text() == "old"
    with pytest.raises(FileNotFoundError):
        write_draft(tmp_path / "missing" / "x.json", b"")


def test_unwritable_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UsageError, match=r"Cannot write the file .*x\.png'"):
        AtomicFile(tmp_path / "file" / "x.png")
