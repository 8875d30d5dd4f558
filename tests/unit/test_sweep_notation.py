"""Notations of values, and lines of files."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from invokeai_py_client.errors import UsageError
from invokeai_py_client.sweep.notation import lines_of, numbers, texts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5", [5]),
        (" +5 ", [5]),
        ("1, 2, 5", [1, 2, 5]),
        ("5, 1, 5", [5, 1, 5]),
        ("1-4", [1, 2, 3, 4]),
        ("1 - 4", [1, 2, 3, 4]),
        ("0..3", [0, 1, 2, 3]),
        ("4-4", [4]),
        ("1-10 (+3)", [1, 4, 7, 10]),
        ("1-10(+3)", [1, 4, 7, 10]),
        ("1-10 ( + 3 )", [1, 4, 7, 10]),
        ("0..9 (+3)", [0, 3, 6, 9]),
        ("1-9 (+3)", [1, 4, 7]),
        ("10-1 (-3)", [10, 7, 4, 1]),
        ("10-1 (3)", [10, 7, 4, 1]),
        ("3-1", [3, 2, 1]),
        ("3..-1", [3, 2, 1, 0, -1]),
        ("-3--1", [-3, -2, -1]),
        ("-1--3", [-1, -2, -3]),
        ("-1-1", [-1, 0, 1]),
        ("−3–−1", [-3, -2, -1]),
        ("0-8 [3]", [0, 4, 8]),
        ("1-10 [5]", [1, 3, 5, 7, 10]),
        ("10-1 [5]", [10, 7, 5, 3, 1]),
        ("-10--1 [5]", [-10, -8, -6, -4, -1]),
        ("1-3 [3]", [1, 2, 3]),
        ("7-7 [1]", [7]),
        ("1, 2, .., 10", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        ("1, 3, ..., 9", [1, 3, 5, 7, 9]),
        ("1, 3, …, 10", [1, 3, 5, 7, 9, 10]),
        ("10, 8, .., 1", [10, 8, 6, 4, 2, 1]),
        ("0, 1, .., 3, 10, 20, .., 40", [0, 1, 2, 3, 10, 20, 30, 40]),
        ("0, 1-2, 10-30 (+10)", [0, 1, 2, 10, 20, 30]),
        ("1e3", [1000]),
        ("4.0", [4]),
        ("4294967295", [4294967295]),
        ("9007199254740993", [9007199254740993]),
    ],
)
def test_whole_numbers(text: str, expected: list[int]) -> None:
    found = numbers(text, whole=True)
    assert found == expected
    assert all(type(number) is int for number in found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0-0.5 (+0.1)", [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]),
        ("-1-1 (+0.5)", [-1.0, -0.5, 0.0, 0.5, 1.0]),
        ("1-0.7 (-0.1)", [1.0, 0.9, 0.8, 0.7]),
        ("0-1 [5]", [0.0, 0.25, 0.5, 0.75, 1.0]),
        ("0-1 [4]", [0.0, 1 / 3, 2 / 3, 1.0]),
        ("0..1 [3]", [0.0, 0.5, 1.0]),
        ("0, 0.1, .., 0.4", [0.0, 0.1, 0.2, 0.3, 0.4]),
        ("1-3", [1.0, 2.0, 3.0]),
        ("0.5-2.5", [0.5, 1.5, 2.5]),
        (".5 - 1. (+.25)", [0.5, 0.75, 1.0]),
        ("1e-2", [0.01]),
        ("1e-2-3e-2 (+1e-2)", [0.01, 0.02, 0.03]),
    ],
)
def test_decimals_carry_no_noise(text: str, expected: list[float]) -> None:
    found = numbers(text, whole=False)
    assert found == expected
    assert all(type(number) is float for number in found)


@pytest.mark.parametrize(
    ("text", "whole", "match"),
    [
        ("many", True, "'many' is no number and no range"),
        ("", True, "it is empty"),
        ("  ", True, "it is empty"),
        ("1, , 2", True, "nothing between two commas"),
        ("1,2,", True, "nothing between two commas"),
        ("1-10 (-1)", True, "steps of -1 do not lead from 1 to 10"),
        ("10-1 (+1)", True, "steps of 1 do not lead from 10 to 1"),
        ("1-10 (+0)", True, "steps of 0 do not lead"),
        ("5, 5, .., 9", True, "steps of 0 do not lead"),
        ("1, 2, .., -9", True, "steps of 1 do not lead from 2 to -9"),
        ("1-9999999", True, "more than 100,000"),
        ("0-1 (+1e-9)", False, "more than 100,000"),
        ("0-1 [100001]", False, "more than 100,000"),
        ("1-60000, 1-60000", True, "more than 100,000"),
        ("0-1e200", True, "more than 100,000"),
        ("1e999", False, "too large"),
        ("1e999999999999", True, "is no number"),
        ("0-1 [0]", False, "too few"),
        ("0-1 [1]", False, "too few"),
        ("1-3 [4]", True, "fewer than 4 whole numbers"),
        ("0.1-0.55", False, r"needs a step or a count, such as '0.1-0.55 \(\+0.1\)'"),
        ("1.5", True, "1.5 is not a whole number"),
        ("0-1 (+0.5)", True, "0.5 is not a whole number"),
        ("0, 1, .., 2.5", True, "2.5 is not a whole number"),
        ("..", True, "needs two numbers before it"),
        ("1, .., 3", True, "needs two numbers before it"),
        ("1, 2, ..", True, "needs two numbers before it and one after"),
        ("1, 2, .., 5-7", True, "needs two numbers before it and one after"),
        ("0...9", True, "no number and no range"),
        ("1-2-3", True, "no number and no range"),
        ("nan", False, "no number and no range"),
        ("inf", False, "no number and no range"),
        ("1_000", True, "no number and no range"),
    ],
)
def test_what_is_no_notation(text: str, whole: bool, match: str) -> None:
    with pytest.raises(UsageError, match=match) as caught:
        numbers(text, whole=whole)
    assert "'1-10 (+2)'" in str(caught.value)  # what would be right


def test_a_long_text_is_not_repeated_in_full() -> None:
    with pytest.raises(UsageError) as caught:
        numbers("x" * 10_000, whole=False)
    assert len(str(caught.value)) < 600
    assert str(caught.value).startswith(f"'{'x' * 99}…'")


def test_a_hundred_thousand_values_are_still_taken() -> None:
    assert len(numbers("1-100000", whole=True)) == 100_000


@given(st.integers(-1000, 1000), st.integers(-1000, 1000))
def test_a_range_holds_all_whole_numbers_between_its_ends(start: int, end: int) -> None:
    step = 1 if end >= start else -1
    expected = list(range(start, end + step, step))
    assert numbers(f"{start}-{end}", whole=True) == expected
    assert numbers(f"{start} .. {end}", whole=True) == expected


@given(st.integers(-500, 500), st.integers(-500, 500), st.integers(2, 50))
def test_spread_numbers_differ_and_have_both_ends(start: int, end: int, count: int) -> None:
    assume(count <= abs(end - start) + 1)
    found = numbers(f"{start}-{end} [{count}]", whole=True)
    assert (found[0], found[-1]) == (start, end)
    assert len(set(found)) == count == len(found)


@given(st.text(max_size=30))
def test_any_text_is_numbers_or_refused(text: str) -> None:
    try:
        found = numbers(text, whole=False)
    except UsageError:
        return
    assert found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a cat || a dog", ["a cat", "a dog"]),
        ("a, b||c | d", ["a, b", "c | d"]),
        ("a | b, c", ["a | b, c"]),
        (" kept as it is ", [" kept as it is "]),
        ("a ||", ["a"]),
        ("|| blurry", ["", "blurry"]),
        ("a || || b", ["a", "", "b"]),
        ("", [""]),
    ],
)
def test_texts(text: str, expected: list[str]) -> None:
    assert texts(text) == expected


def test_lines_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "prompts.txt"
    path.write_bytes("\ufeffa fox\r\n\r\n# a remark\n  ein Füchslein \n\\#1 fan\rlast \\# # one".encode())
    assert lines_of(path) == ["a fox", "ein Füchslein", "#1 fan", "last \\# # one"]
    # Only line ends end a line: prompts come from web pages with all sorts of separators in them.
    path.write_text("a\x0bb\u2028c\x85d", encoding="utf-8")
    assert lines_of(path) == ["a\x0bb\u2028c\x85d"]
    path.write_text("a fox\nein Füchslein\n", encoding="utf-16")
    assert lines_of(path) == ["a fox", "ein Füchslein"]
    path.write_text("")
    assert lines_of(path) == []


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.txt cannot be read: No such file"):
        lines_of(tmp_path / "nowhere.txt")
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        lines_of(tmp_path)
    path = tmp_path / "latin.txt"
    path.write_bytes(b"one\ntwo\nthr\xeee\n")
    with pytest.raises(UsageError, match=r"latin\.txt is no UTF-8 text: line 3"):
        lines_of(path)
