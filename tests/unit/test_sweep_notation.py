"""Notations of values."""

from __future__ import annotations

from pathlib import Path

import pytest

from invokeai_py_client.errors import UsageError
from invokeai_py_client.sweep.notation import lines_of, numbers, texts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5", [5]),
        ("1, 2, 5", [1, 2, 5]),
        ("1-4", [1, 2, 3, 4]),
        ("0..3", [0, 1, 2, 3]),
        ("1-10 (+3)", [1, 4, 7, 10]),
        ("1-9 (+3)", [1, 4, 7]),
        ("10-1 (-3)", [10, 7, 4, 1]),
        ("3-1", [3, 2, 1]),
        ("-3--1", [-3, -2, -1]),
        ("-1-1", [-1, 0, 1]),
        ("0-8 [3]", [0, 4, 8]),
        ("1, 3, .., 9", [1, 3, 5, 7, 9]),
        ("1-2, 10-11", [1, 2, 10, 11]),
    ],
)
def test_whole_numbers(text: str, expected: list[int]) -> None:
    assert numbers(text, whole=True) == expected


def test_decimals_carry_no_noise() -> None:
    assert numbers("0-0.5 (+0.1)", whole=False) == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]
    assert numbers("0-1 [5]", whole=False) == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert numbers("1e-2", whole=False) == [0.01]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("many", "'many' is no number and no range"),
        ("", "is no number"),
        ("1, , 2", "is no number"),
        ("1-10 (-1)", "do not lead from 1 to 10"),
        ("1-10 (+0)", "do not lead"),
        ("1-9999999", "more than 1000000"),
        ("0-1 [0]", "is not a number of values"),
        ("0-1 [4]", "whole numbers are needed"),
        ("1.5", "whole numbers are needed"),
        ("..", "is no number"),
    ],
)
def test_what_is_no_notation(text: str, match: str) -> None:
    with pytest.raises(UsageError, match=match) as caught:
        numbers(text, whole=True)
    assert "'1-10 (+2)'" in str(caught.value)  # what would be right


def test_texts() -> None:
    assert texts("a cat || a dog") == ["a cat", "a dog"]
    assert texts("a | b, c") == ["a | b, c"]


def test_lines_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "prompts.txt"
    path.write_bytes("\ufeffa fox\r\n\r\n# a remark\n  ein Füchslein \n".encode())
    assert lines_of(path) == ["a fox", "ein Füchslein"]
    with pytest.raises(UsageError, match="cannot be read"):
        lines_of(tmp_path / "nowhere.txt")
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="cannot be read"):
        lines_of(path)
