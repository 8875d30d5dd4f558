"""The comparison of the output that docs show with real output."""

from __future__ import annotations

import pytest
from shown import difference, normalize, updated

IMAGE = "3f2a9c1e-5b7d-4e0a-9c61-2d8f4b7a1e55.png"
OTHER = "0a1b2c3d-0000-4e0a-9c61-2d8f4b7a1e55.png"


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        (f"out/{IMAGE}", f"out/{OTHER}"),
        ("out/a1b2….png", f"out/{OTHER}"),
        ("item 7 completed", "item 1234 completed"),
        ('{"event": "result", "item_id": 7}', '{"event": "result", "item_id": 812}'),
        ("it takes 2 min 5 s", "it takes 0.6 s"),
        ("5.1 MB", "812 B"),
        ("http://localhost:9090/x", "http://127.0.0.1:40123/x"),
        ("2026-11-26 14:40:44", "2027-01-01 00:00:01.250"),
        ("Saved in /home/ann/config.toml.", "Saved in /tmp/pytest-of-me/0/config.toml."),
        ("a   b", " a b"),
    ],
)
def test_volatile_values_count_as_equal(shown: str, printed: str) -> None:
    assert difference([shown], printed) is None


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("InvokeAI 6.14.2", "InvokeAI 6.14.1"),
        ("2 images", "3 images"),
        ("1920x1080", "1920x1081"),
        ("out/portrait.png", "out/landscape.png"),
        ("...", "a line"),
        ("a ... c", "a b c"),
    ],
)
def test_other_values_must_be_equal(shown: str, printed: str) -> None:
    assert difference([shown], printed) is not None


def test_no_line_may_be_missing_or_extra() -> None:
    assert difference(["a", "b"], "a\n\nb\n") is None
    assert difference(["a"], "a\nb") == "'b' is printed but not shown"
    assert difference(["a", "b"], "a") == "'b' is shown but not printed"
    assert difference(["b", "a"], "a\nb") is not None


def test_lines_left_out_at_the_end_are_counted() -> None:
    assert difference(["a", "# 2 more lines"], "a\nb\nc") is None
    assert difference(["a", "# 3 more lines"], "a\nb\nc") is not None


def test_lines_that_vary_are_not_compared() -> None:
    assert difference(["a", "4 of 9"], "3 of 9\na", [r"\d of 9"]) is None
    assert difference(["a"], "3 of 9\na", [r"\d of 9"]) is None
    assert difference(["a", "4 of 9"], "a", [r"\d of 9"]) is not None


def test_a_command_without_shown_output_may_print_anything() -> None:
    assert difference([], "a") is None


def test_names_of_images_are_kept_apart_from_their_folder() -> None:
    assert normalize(f"/tmp/x/out/{IMAGE}") == normalize(f"/home/ann/out/{OTHER}")
    assert normalize(f"out/{IMAGE}") != normalize(f"in/{IMAGE}")


def test_updated_output_keeps_volatile_values() -> None:
    output = f"\nitem 8 running\nout/{OTHER}\n3 images\n"
    assert updated(["item 7 running", f"out/{IMAGE}", "2 images"], output) == [
        "item 7 running",
        f"out/{IMAGE}",
        "3 images",
    ]
    assert updated(["a  b"], "a   b") == ["a   b"]
    assert updated(["4 of 9"], "a\n3 of 9", [r"\d of 9"]) == ["a", "4 of 9"]
    assert updated(["a", "# 7 more lines"], "a\nb\nc") == ["a", "# 2 more lines"]
