"""Notations for several values, and values from the lines of a file."""

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
def test_notations_of_whole_numbers(text: str, expected: list[int]) -> None:
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
def test_decimals_are_exact(text: str, expected: list[float]) -> None:
    found = numbers(text, whole=False)
    assert found == expected
    assert all(type(number) is float for number in found)


@pytest.mark.parametrize(
    ("text", "whole", "match"),
    [
        ("many", True, "'many' is neither a number nor a range"),
        ("", True, "it is empty"),
        ("  ", True, "it is empty"),
        ("1, , 2", True, "a value between two commas is missing"),
        ("1,2,", True, "a value between two commas is missing"),
        ("1-10 (-1)", True, "steps of -1 never reach 10 from 1"),
        ("10-1 (+1)", True, "steps of 1 never reach 1 from 10"),
        ("1-10 (+0)", True, "steps of 0 never reach"),
        ("5, 5, .., 9", True, "steps of 0 never reach"),
        ("1, 2, .., -9", True, "steps of 1 never reach -9 from 2"),
        ("1-9999999", True, "more than 100,000"),
        ("0-1 (+1e-9)", False, "more than 100,000"),
        ("0-1 [100001]", False, "more than 100,000"),
        ("1-60000, 1-60000", True, "more than 100,000"),
        ("0-1e200", True, "more than 100,000"),
        ("1e999", False, "too large"),
        ("1e999999999999", True, "is neither a number"),
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
        ("0...9", True, "is neither a number nor a range"),
        ("1-2-3", True, "is neither a number nor a range"),
        ("nan", False, "is neither a number nor a range"),
        ("inf", False, "is neither a number nor a range"),
        ("1_000", True, "is neither a number nor a range"),
    ],
)
def test_invalid_notations_are_rejected(text: str, whole: bool, match: str) -> None:
    with pytest.raises(UsageError, match=match) as caught:
        numbers(text, whole=whole)
    assert "'1-10 (+2)'" in str(caught.value)  # the supported notations


def test_long_text_is_shortened_in_errors() -> None:
    with pytest.raises(UsageError) as caught:
        numbers("x" * 10_000, whole=False)
    assert len(str(caught.value)) < 600
    assert str(caught.value).startswith(f"Cannot parse '{'x' * 99}…'")


def test_maximum_number_of_values_is_accepted() -> None:
    assert len(numbers("1-100000", whole=True)) == 100_000


@given(st.integers(-1000, 1000), st.integers(-1000, 1000))
def test_range_contains_all_whole_numbers_between_its_ends(start: int, end: int) -> None:
    step = 1 if end >= start else -1
    expected = list(range(start, end + step, step))
    assert numbers(f"{start}-{end}", whole=True) == expected
    assert numbers(f"{start} .. {end}", whole=True) == expected


@given(st.integers(-500, 500), st.integers(-500, 500), st.integers(2, 50))
def test_evenly_spaced_numbers_include_both_ends(start: int, end: int, count: int) -> None:
    assume(count <= abs(end - start) + 1)
    found = numbers(f"{start}-{end} [{count}]", whole=True)
    assert (found[0], found[-1]) == (start, end)
    assert len(set(found)) == count == len(found)


@given(st.text(max_size=30))
def test_any_text_is_parsed_or_rejected(text: str) -> None:
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
def test_texts_are_split_at_double_bars(text: str, expected: list[str]) -> None:
    assert texts(text) == expected


def test_lines_of_a_text_file(tmp_path: Path) -> None:
    path = tmp_path / "prompts.txt"
    path.write_bytes("\ufeffa fox\r\n\r\n# a remark\n  ein Füchslein \n\\#1 fan\rlast \\# # one".encode())
    assert lines_of(path) == ["a fox", "ein Füchslein", "#1 fan", "last \\# # one"]
    # Only line breaks end a line. Prompts copied from web pages contain other separators.
    path.write_text("a\x0bb\u2028c\x85d", encoding="utf-8")
    assert lines_of(path) == ["a\x0bb\u2028c\x85d"]
    path.write_text("a fox\nein Füchslein\n", encoding="utf-16")
    assert lines_of(path) == ["a fox", "ein Füchslein"]
    path.write_text("")
    assert lines_of(path) == []


def test_unreadable_files_are_reported(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"Cannot read the file .*nowhere\.txt: No such file"):
        lines_of(tmp_path / "nowhere.txt")
    with pytest.raises(UsageError, match=r"Cannot read the file .*: Is a directory"):
        lines_of(tmp_path)
    path = tmp_path / "latin.txt"
    path.write_bytes(b"one\ntwo\nthr\xeee\n")
    with pytest.raises(UsageError, match=r"latin\.txt is not UTF-8 text \(line 3\)"):
        lines_of(path)
