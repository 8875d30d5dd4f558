"""Where downloads go, and that they are there whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from invokeai_py_client.image.files import AtomicFile, safe_name, target_path, write_atomically


def test_a_path_is_a_file_unless_it_is_a_folder(tmp_path: Path) -> None:
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
def test_a_servers_name_stays_in_its_folder(tmp_path: Path, name: str, safe: str) -> None:
    assert safe_name(name) == safe
    assert target_path(tmp_path, name) == tmp_path / safe


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "er" / "x.png"
    file = AtomicFile(target)
    file.write(b"one ")
    assert not target.exists()
    file.write(b"two")
    file.keep()
    file.discard()
    assert target.read_bytes() == b"one two"
    assert list(target.parent.iterdir()) == [target]


def test_a_file_that_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "x.png"
    target.write_bytes(b"old")
    file = AtomicFile(target)
    file.write(b"half")
    file.discard()
    file.discard()
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "x.png"
    target.mkdir()  # it cannot be replaced by a file
    with pytest.raises(OSError):
        write_atomically(target, b"new")
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("name", ["x" * 251 + ".png", "漢" * 83 + ".png"])
def test_the_longest_names_work(tmp_path: Path, name: str) -> None:
    write_atomically(tmp_path / name, b"data")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_two_writers_of_one_file_do_not_mix(tmp_path: Path) -> None:
    target = tmp_path / "x.png"
    one, two = AtomicFile(target), AtomicFile(target)
    one.write(b"one")
    two.write(b"two")
    one.keep()
    two.keep()
    assert target.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [target]
