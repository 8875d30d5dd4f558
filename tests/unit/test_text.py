"""Building blocks of messages: similar names, lists of names, and shortened texts."""

from __future__ import annotations

import itertools

import pytest

from invokeai_py_client._text import (
    clip,
    close_names,
    did_you_mean,
    first_lines,
    is_boundary,
    listed,
    shown,
)

KNOWN = ["Portraits", "Landscapes", "Old portraits of 2025"]


@pytest.mark.parametrize(
    ("name", "close"),
    [
        ("portrait", ["Portraits", "Old portraits of 2025"]),
        ("PORTRAITS", ["Portraits", "Old portraits of 2025"]),
        ("2025", ["Old portraits of 2025"]),  # part of a name
        ("25", []),  # two letters match too many names
        ("zz", []),
        ("", []),
    ],
)
def test_close_names(name: str, close: list[str]) -> None:
    assert close_names(name, KNOWN) == close


def test_first_of_names_that_differ_in_case_only_is_suggested() -> None:
    assert close_names("step", ["Steps", "steps"]) == ["Steps"]


def test_few_common_letters_are_not_close() -> None:
    assert close_names("stepz", ["steps", "usecpu", "use_cpu"]) == ["steps"]


def test_number_of_close_names_is_limited() -> None:
    known = [f"board {number}" for number in range(9)]
    assert len(close_names("board", known)) == 4
    assert len(close_names("board", known, most=2)) == 2


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ([], ""),
        (["a"], " Did you mean 'a'?"),
        (["a", "b"], " Did you mean 'a' or 'b'?"),
        (["a", "b", "c"], " Did you mean 'a', 'b' or 'c'?"),
    ],
)
def test_did_you_mean(names: list[str], sentence: str) -> None:
    assert did_you_mean(names) == sentence


def test_lists_count_omitted_names() -> None:
    assert listed([], 2) == ""
    assert listed(["a", "b"], 2) == "'a', 'b'"
    assert listed(["a", "b", "c", "d"], 2) == "'a', 'b' and 2 more"
    assert first_lines(["a", "b"], 2) == ["a", "b"]
    assert first_lines(["a", "b", "c"], 2) == ["a", "b", "... and 1 more."]


def test_clipped_text_has_limited_length() -> None:
    assert clip("12345", 5) == "12345"
    assert clip("123456", 5) == "1234…"
    assert clip("123456", 5, keep_end=True) == "…3456"
    assert clip("123456", 1) == clip("123456", 1, keep_end=True) == "…"


def test_any_value_can_be_shown() -> None:
    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    assert shown("a" * 100, 10) == "'aaaaaaaa…"
    assert shown(Broken()) == "that Broken"
    assert shown(10**5000) == "that int"  # Python cannot convert it to a string


@pytest.mark.parametrize(
    ("text", "characters"),
    [
        ("abc", ["a", "b", "c"]),
        ("e\u0301x", ["e\u0301", "x"]),
        ("👩\u200d🚀👩", ["👩\u200d🚀", "👩"]),
        ("👍🏽👍", ["👍🏽", "👍"]),
        ("❤\ufe0fa", ["❤\ufe0f", "a"]),
        ("🇩🇪🇫🇷a", ["🇩🇪", "🇫🇷", "a"]),
    ],
)
def test_boundaries_between_characters(text: str, characters: list[str]) -> None:
    cuts = [place for place in range(len(text) + 1) if is_boundary(text, place)]
    assert [text[start:end] for start, end in itertools.pairwise(cuts)] == characters
