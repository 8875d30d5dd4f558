"""Contact sheets on several pages: nothing overlaps, and no page is too large."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, pairwise, product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sheets import draw_sheet, draw_sheets

from invokeai_py_client.sweep.sheet import draw_page
from invokeai_py_client.sweep.sheet_plan import Page, SheetAxes, choose_axes, plan_sheets
from invokeai_py_client.sweep.sheet_text import Lettering, single_line

LONG = "an oil painting of a red fox in deep snow under a full moon, volumetric light, " * 4
Box = tuple[int, int, int, int]


def label_boxes(page: Page) -> Iterator[Box]:
    for label in page.labels:
        lines = [*([label.name] if label.name else []), *label.lines]
        assert all(page.lettering.width(line) <= label.width for line in label.lines)
        height = len(lines) * page.lettering.line + (8 if label.is_headline else 0)
        yield label.x, label.y, label.x + label.width, label.y + height


def picture_boxes(page: Page) -> Iterator[Box]:
    for x, y in page.places.values():
        yield x, y, x + page.box[0], y + page.box[1]


def overlaps(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def check(pages: list[Page], count: int, side: int) -> None:
    assert sorted(place for page in pages for place in page.places) == list(range(count))
    for page in pages:
        assert page.width <= side
        assert page.height <= side
        boxes = [*label_boxes(page), *picture_boxes(page)]
        assert all(min(box[:2]) >= 0 and box[2] <= page.width and box[3] <= page.height for box in boxes)
        assert not [pair for pair in combinations(boxes, 2) if overlaps(*pair)]


@settings(max_examples=60, deadline=None)
@given(
    counts=st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 3)),
    repeats=st.integers(1, 6),
    text=st.sampled_from(["v", LONG, "x" * 300, "", "漢字" * 60]),
    cell=st.integers(1, 300),
    shape=st.sampled_from([(1, 1), (3, 2), (1, 4), (10, 1)]),
    names=st.permutations(["row", "column", "other"]),
    used=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    below=st.booleans(),
)
def test_nothing_overlaps_or_leaves_the_page(
    counts: tuple[int, int, int],
    repeats: int,
    text: str,
    cell: int,
    shape: tuple[int, int],
    names: list[str],
    used: tuple[bool, bool, bool],
    below: bool,
) -> None:
    values = [
        {"row": f"{text}{row}", "column": f"{text} {column}", "other": f"{other} {text}"}
        for row, column, other in product(*map(range, counts))
        for _ in range(repeats)
    ]
    rows, columns, other = (name if use else None for name, use in zip(names, used, strict=True))
    others: dict[str, Any] = {"captions" if below else "others": (other,) if other else ()}
    check(plan_sheets(values, rows, columns, cell, **others, side=800, shape=shape), len(values), 800)


def test_large_sweep_is_split_into_pages_of_similar_size() -> None:
    values = [{"steps": steps, "cfg": cfg} for steps in range(40) for cfg in range(30)]
    pages = plan_sheets(values, "steps", "cfg", 256)
    check(pages, len(values), 4096)
    assert len(pages) == 6
    assert {len(page.places) for page in pages} == {195, 210}
    labels = {(label.name, label.lines) for label in pages[-1].labels}
    assert {("steps", ("39",)), ("cfg", ("29",))} <= labels  # every page has labels


def test_runs_of_one_cell_can_span_pages() -> None:
    check(plan_sheets([{}] * 1000, None, None, 256), 1000, 4096)
    check(plan_sheets([{"a": 1}] * 1000, "a", None, 256), 1000, 4096)


def test_each_combination_of_other_axes_has_a_headline() -> None:
    values = [
        {"a": a, "b": b, "seed": seed, "model": {"key": model * 8, "name": model}}
        for seed in (1, 2)
        for model in ("x", "y")
        for a in (1, 2)
        for b in (1, 2)
    ]
    (page,) = plan_sheets(values, "a", "b", 64, others=("seed", "model"))
    check([page], 16, 4096)
    headlines = {label.lines: label for label in page.labels if label.is_headline}
    assert sorted(headlines) == [
        (f"seed = {seed}, model = {model}",) for seed in (1, 2) for model in ("x", "y")
    ]
    label = headlines["seed = 2, model = y",]
    mine = [page.places[place] for place in range(12, 16)]
    assert all(label.x < x < label.x + label.width and y > label.y for x, y in mine)
    assert 0.5 < page.width / page.height < 2


def test_similar_values_are_distinguished() -> None:
    values: list[dict[str, Any]] = [
        {"v": 1},
        {"v": True},
        {"v": "1"},
        {"v": [1]},
        {"v": [1]},
        {"v": None},
        {},
    ]
    (page,) = plan_sheets(values, None, "v", 32)
    lefts = [page.places[place][0] for place in range(len(values))]
    # Five columns: the second [1] is next to the first, and a missing value next to None.
    assert [right - left for left, right in pairwise(lefts)] == [88, 88, 88, 40, 48, 40]


def test_long_prompts_are_wrapped() -> None:
    (page,) = plan_sheets([{"prompt": LONG[:150], "cfg": 1}], "prompt", "cfg", 256)
    label = next(label for label in page.labels if label.name == "prompt")
    assert " ".join(label.lines) == LONG[:150].strip()
    assert len(label.lines) > 2
    (page,) = plan_sheets([{"prompt": LONG, "cfg": 1}], "prompt", "cfg", 64)
    label = next(label for label in page.labels if label.name == "prompt")
    assert label.lines[-1].endswith("…")


# --------------------------------------------------------------------------- axes


def product_of(**axes: list[Any]) -> list[dict[str, Any]]:
    return [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]


@pytest.mark.parametrize(
    ("values", "given", "expected"),
    [
        ([{}], (None, None), SheetAxes(None, None, (), ())),
        (product_of(a=[1, 2]), (None, None), SheetAxes(None, "a", (), ())),
        (product_of(a=[1, 2], b=[1, 2]), (None, None), SheetAxes("a", "b", (), ())),
        (product_of(a=[1, 2], b=[1, 2]), ("b", None), SheetAxes("b", "a", (), ())),
        (product_of(a=[1, 2], b=[1, 2], c=[1, 2]), (None, None), SheetAxes("a", "c", ("b",), ())),
        (product_of(a=[1, 2], b=[1, 2], c=[1, 2]), ("b", "a"), SheetAxes("b", "a", ("c",), ())),
        (product_of(a=[1, 2], b=[[1], [2]], c=[1]), (None, None), SheetAxes("a", "c", ("b",), ())),
        # zipped values
        ([{"a": n, "b": -n} for n in range(4)], (None, None), SheetAxes(None, "b", (), ("a",))),
        ([{"a": n, "b": -n} for n in range(4)], ("a", None), SheetAxes("a", None, (), ("b",))),
        ([{"a": n, "b": -n} for n in range(4)], ("a", "b"), SheetAxes("a", "b", (), ())),
        # a random seed for each run
        (
            [{**one, "seed": n} for n, one in enumerate(product_of(a=[1, 2], b=[1, 2]))],
            (None, None),
            SheetAxes("a", "b", (), ("seed",)),
        ),
        (
            [{**one, "seed": n} for n, one in enumerate(product_of(a=[1, 2]) * 3)],
            (None, None),
            SheetAxes(None, "a", (), ("seed",)),
        ),
    ],
)
def test_every_axis_has_a_label(
    values: list[dict[str, Any]], given: tuple[str | None, str | None], expected: SheetAxes
) -> None:
    assert choose_axes(values, list(values[0]), *given) == expected


def test_captions_are_below_their_images() -> None:
    values = [{"a": a, "seed": seed} for a, seed in ((1, 7), (1, 8), (2, 9))]
    (page,) = plan_sheets(values, None, "a", 100, captions=("seed",))
    check([page], 3, 4096)
    for place, (x, y) in page.places.items():
        (label,) = (one for one in page.labels if (one.x, one.y) == (x, y + 100))
        assert label.lines == (f"seed = {values[place]['seed']}",)


def test_blocks_on_one_page_are_arranged_in_a_square() -> None:
    values = product_of(a=[1, 2], b=[1, 2], c=list(range(16)))
    (page,) = plan_sheets(values, "a", "b", 64, others=("c",), side=None)
    check([page], 64, 10_000)
    assert 0.5 < page.width / page.height < 2


# --------------------------------------------------------------------------- drawing


def test_runs_without_an_image_show_their_state() -> None:
    red = Image.new("RGB", (64, 32), (200, 0, 0))
    pictures: list[tuple[dict[str, Any], Image.Image | str]] = [
        ({"a": a, "b": b, "s": s}, "failed" if (a, b) == (1, 1) else red)
        for s in (1, 2)
        for a in (0, 1)
        for b in (0, 1)
    ]
    (sheet,) = draw_sheets(pictures, "a", "b", 64, others=("s",))
    (page,) = plan_sheets([one for one, _ in pictures], "a", "b", 64, others=("s",), shape=(2, 1))
    assert sheet.size == (page.width, page.height)
    for place, (x, y) in page.places.items():
        cell = sheet.crop((x, y, x + 64, y + 32))
        colors = cell.getcolors() or []
        if isinstance(pictures[place][1], str):
            assert len(colors) > 3  # text on a light background
            assert (200, 0, 0) not in [color for _, color in colors]
        else:
            assert colors == [(64 * 32, (200, 0, 0))]


def test_pages_can_be_drawn_one_at_a_time() -> None:
    values = [{"n": number} for number in range(100)]
    pages = plan_sheets(values, None, "n", 100, side=600)
    assert len(pages) > 3
    for page in pages:
        sheet = draw_page(page, {place: Image.new("L", (5, 5), 0) for place in page.places})
        assert sheet.size == (page.width, page.height)
        assert all(sheet.getpixel((x + 50, y + 50)) == (0, 0, 0) for x, y in page.places.values())


def test_images_of_different_shapes_stay_in_their_cells() -> None:
    pictures = [({"n": 0}, Image.new("RGB", (100, 50))), ({"n": 1}, Image.new("RGB", (50, 100)))]
    sheet = draw_sheet(pictures, None, "n", 60)
    (page,) = plan_sheets([one for one, _ in pictures], None, "n", 60)
    (x, y), (x2, y2) = page.places[0], page.places[1]
    white, black = (255, 255, 255), (0, 0, 0)
    assert [sheet.getpixel((x + 30, y + at)) for at in (5, 30, 55)] == [white, black, white]
    assert [sheet.getpixel((x2 + at, y2 + 30)) for at in (5, 30, 55)] == [white, black, white]


def test_no_runs_make_an_empty_page() -> None:
    (sheet,) = draw_sheets([], "a", "b")
    assert sheet.getcolors() == [(sheet.width * sheet.height, (255, 255, 255))]


# --------------------------------------------------------------------------- text


@pytest.mark.parametrize(
    "text", ["one two three four five six", "x" * 200, "漢字" * 50, "a " + "b" * 90 + " c", " \n ", ""]
)
@pytest.mark.parametrize("width", [5, 40, 100, 1000])
def test_wrapped_lines_fit_and_are_complete(text: str, width: int) -> None:
    letters = Lettering(13, [text])
    lines = letters.wrap(text, width, 1000)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(letters.width(line) <= max(width, letters.width(line[:1])) for line in lines)
    few = letters.wrap(text, width, 2)
    assert len(few) <= 2
    assert few == lines if len(lines) <= 2 else few[-1].endswith("…")


def test_font_is_chosen_for_the_script() -> None:
    plain, greek = Lettering(13, ["abc"]), Lettering(13, ["λόγος абв"])
    try:
        from PIL import ImageFont

        ImageFont.truetype("DejaVuSans.ttf", 13)
    except OSError:
        assert greek.font.getname() == plain.font.getname()  # no better font installed: not an error
    else:
        assert greek.font.getname() != plain.font.getname()


ODD_LABELS = [
    "a fox\nin snow",
    "Füchse → \x85 \u2028 \x1c",
    "مرحبا بالعالم",
    "שלום fox עולם",
    "👩\u200d🚀 🇩🇪 🏳\ufe0f\u200d🌈 👍🏽",
    "e\u0301\u0301\u0301",
    "\u0301",
    "漢字かな",
    "\x00\x1b[31m\udc80\ud83d",
    "\u202egnp.exe\u2066",
    "\t",
]


@pytest.mark.parametrize("label", ODD_LABELS)
def test_any_label_can_be_drawn(label: str) -> None:
    # Another label with letters that Pillow's font lacks makes Pillow use a font with complex layout.
    pictures = [({label: value}, Image.new("RGB", (32, 32))) for value in (label, "Привет ü →", f"{label} b")]
    for rows, columns, others in ((label, None, ()), (None, label, ()), (None, None, (label,))):
        (sheet,) = draw_sheets(pictures, rows, columns, 32, others=others)
        assert len(sheet.getcolors(100_000) or []) > 2  # text, and not only images on paper
    (sheet,) = draw_sheets([({}, f"{label} ü →")], None, None, 64)
    assert sheet.width == 96


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(max_size=20), min_size=1, max_size=4))
def test_any_text_can_be_measured_and_wrapped(texts: list[str]) -> None:
    letters = Lettering(13, [*texts, "ü → п"])
    for text in texts:
        assert letters.width(text) >= 1
        lines = letters.wrap(text, 40, 100)
        assert "".join("".join(lines).split()) == "".join(single_line(text).split())


def test_text_on_a_single_line() -> None:
    assert single_line(" a\nb\x85\u2028c\x1cd\te ") == "a b c d e"
    assert single_line("a\x00\udc80b\u202ec\u200b") == "a\ufffd\ufffdbc"
    assert single_line("👩\u200d🚀") == "👩\u200d🚀"


def test_each_letter_uses_a_font_that_has_it() -> None:
    latin, mixed = Lettering(13, ["abc"]), Lettering(13, ["abc пр"])
    if mixed.font.getname() == latin.font.getname():
        # Pillow's font draws the Latin letters, and another font the rest.
        parts = {text: font.getname() for text, font in mixed._parts("abc пр abc")}
        assert len(parts) == 3 or not mixed._font_of
    assert mixed.width("abc пр") >= latin.width("abc")


def test_emoji_are_not_split_between_lines() -> None:
    family, flag = "👩\u200d👩\u200d👧", "🇩🇪"
    letters = Lettering(13, [family, flag])
    lines = letters.wrap(family * 5 + flag * 5, letters.width(family) + 3, 100)
    assert {part for line in lines for part in line.replace(family, "").replace(flag, "")} == set()
    clipped = letters.wrap(family * 20, letters.width(family * 2), 1)
    assert clipped[0].rstrip("…").replace(family, "") == ""
