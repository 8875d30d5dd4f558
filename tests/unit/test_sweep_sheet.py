"""Contact sheets on one page: positions of images and labels."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image, ImageChops
from sheets import draw_sheet

COLORS = [(200, 0, 0), (0, 200, 0), (0, 0, 200), (200, 200, 0), (200, 0, 200), (0, 200, 200)]
PAPER = (255, 255, 255)


def pictures(
    values: list[dict[str, Any]], size: tuple[int, int] = (32, 32)
) -> list[tuple[dict[str, Any], Image.Image]]:
    return [(value, Image.new("RGB", size, color)) for value, color in zip(values, COLORS, strict=False)]


def places(sheet: Image.Image) -> dict[tuple[int, int, int], tuple[int, int, int, int]]:
    """Return the bounding box of each color: left, top, right, bottom."""
    found: dict[tuple[int, int, int], tuple[int, int, int, int]] = {}
    for color in COLORS:
        red, green, blue = ImageChops.difference(sheet, Image.new("RGB", sheet.size, color)).split()
        away = ImageChops.lighter(ImageChops.lighter(red, green), blue)
        box = away.point([255] + [0] * 255).getbbox()
        if box is not None:
            found[color] = box
    return found


def grid(box: dict[tuple[int, int, int], tuple[int, int, int, int]]) -> list[list[int]]:
    """Return the indexes of the colors, row by row."""
    tops = sorted({area[1] for area in box.values()})
    return [
        [
            COLORS.index(color)
            for color, area in sorted(box.items(), key=lambda one: one[1][0])
            if area[1] == top
        ]
        for top in tops
    ]


def test_rows_and_columns_are_in_the_order_of_their_values() -> None:
    values = [{"s": s, "c": c} for s in ("euler", "unipc") for c in (4, 6, 8)]
    found = places(draw_sheet(pictures(values), "s", "c", 32))
    assert grid(found) == [[0, 1, 2], [3, 4, 5]]
    assert all(right - left == 32 == bottom - top for left, top, right, bottom in found.values())


def test_images_in_the_same_cell_are_side_by_side() -> None:
    values = [{"c": c, "seed": seed} for c in (4, 6) for seed in (1, 2)]
    sheet = draw_sheet(pictures(values), None, "c", 32)
    assert grid(places(sheet)) == [[0, 1, 2, 3]]


def test_single_column_of_images() -> None:
    assert grid(places(draw_sheet(pictures([{"c": 4}, {"c": 6}, {"c": 8}]), "c", None, 32))) == [
        [0],
        [1],
        [2],
    ]


def test_missing_run_leaves_its_cell_empty() -> None:
    values = [{"s": "a", "c": 4}, {"s": "a", "c": 6}, {"s": "b", "c": 6}]
    found = places(draw_sheet(pictures(values), "s", "c", 32))
    assert found[COLORS[2]][0] == found[COLORS[1]][0]
    assert grid(found) == [[0, 1], [2]]


def test_images_keep_their_aspect_ratio() -> None:
    ((left, top, right, bottom),) = places(draw_sheet(pictures([{}], (64, 16)), None, None, 32)).values()
    assert (right - left, bottom - top) == (32, 8)
    ((left, top, right, bottom),) = places(draw_sheet(pictures([{}], (1, 2000)), None, None, 32)).values()
    assert (right - left, bottom - top) == (1, 32)


@pytest.mark.parametrize(
    "value",
    [
        "short",
        "many words that will surely not fit into the small room there is for them",
        "x" * 500,
        "",
        "ü漢字🙂",
    ],
)
def test_labels_are_drawn_and_do_not_overlap_images(value: str) -> None:
    values = [{"row": value, "col": value}, {"row": value, "col": "other"}]
    sheet = draw_sheet(pictures(values, (48, 48)), "row", "col", 48)
    found = places(sheet)
    assert len(found) == 2
    assert all(right - left == 48 == bottom - top for left, top, right, bottom in found.values())
    first = min(area[1] for area in found.values())
    labels = sheet.crop((0, 0, sheet.width, first))
    assert labels.getcolors() != [(labels.width * labels.height, PAPER)]


def test_image_modes() -> None:
    kinds = [({"c": mode}, Image.new(mode, (32, 32))) for mode in ("L", "RGBA", "P", "1", "I;16")]
    assert draw_sheet(kinds, None, "c", 32).mode == "RGB"


def test_no_images_make_an_empty_sheet() -> None:
    sheet = draw_sheet([], "a", "b", 32)
    assert sheet.width > 0
    assert sheet.height > 0
